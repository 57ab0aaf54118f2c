"""Tracking for the live loop: of the frame shown, or beside the drawing and a little ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol

import numpy as np

from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.tracking.hands import Hands
from kfx.tracking.person import Person
from kfx.tracking.predict import Predictor
from kfx.tracking.tracker import Tracker
from kfx.types import Face, Frame, Hand, Matte

STALE_S = 0.5  # what was tracked longer ago is no face any more
FAILING = "failing: no faces"


class Seen(NamedTuple):
    """What is known of the people in a frame."""

    faces: tuple[Face, ...] = ()
    matte: Matte | None = None
    hands: tuple[Hand, ...] = ()


class Needs(Protocol):
    """What is needed of a `Chain` or a `Look`; a look may want more once it has been changed."""

    @property
    def needs_person(self) -> bool: ...

    @property
    def needs_hands(self) -> bool: ...


class Trackers:
    """Faces, and a matte and hands where the look asks for them. A fault means none of them."""

    def __init__(
        self,
        faces: Tracker,
        needs: Needs,
        stats: Stats,
        *,
        person: Callable[[], Person] = Person,
        hands: Callable[[], Hands] = Hands,
    ) -> None:
        self._faces, self._needs, self._stats = faces, needs, stats
        self._make_person, self._make_hands = person, hands
        self._person: Person | None = None
        self._hands: Hands | None = None

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        for one in (self._person, self._hands):
            if one:
                one.close()

    def find(self, frame: Frame) -> Seen:
        """What is in `frame`, the frames of a show in order."""
        stats = self._stats
        with stats.timed("track"):
            try:
                faces = self._sane(self._faces.track(frame))
                if stats.state.get("tracker") == FAILING:
                    stats.warn("the tracker is back", about="tracker")
                stats.state["tracker"] = "ok"
            except Exception as error:  # whatever it is, the picture goes on
                self.fault(error)
                faces = ()
            try:
                matte = self._matte(frame) if self._needs.needs_person else None
                hands = self._found_hands(frame) if self._needs.needs_hands and faces else ()
            except Exception as error:
                stats.warn(f"person matte and hands: {error}")
                matte, hands = None, ()
        return Seen(faces, matte, hands)

    def fault(self, error: Exception) -> None:
        """Tell of something that leaves a frame without faces."""
        self._stats.warn(f"tracker: {error}; no faces until it works again", about="tracker")
        self._stats.state["tracker"] = FAILING

    def reset(self) -> None:
        """A cut: nothing of the past applies."""
        for one in (self._faces, self._person, self._hands):
            if one:
                one.reset()

    def _matte(self, frame: Frame) -> Matte:
        self._person = self._person or self._make_person()
        return self._person.matte(frame)

    def _found_hands(self, frame: Frame) -> tuple[Hand, ...]:
        self._hands = self._hands or self._make_hands()
        return self._hands.find(frame)

    def _sane(self, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        good = tuple(face for face in faces if is_sane(face))
        if len(good) < len(faces):
            self._stats.drop("track.nan", len(faces) - len(good))
            self._stats.warn("tracker: a face without finite landmarks was left out", about="face")
        return good


def is_sane(face: Face) -> bool:
    """Whether every number of a face is finite: one NaN in a mesh blackens a picture."""
    return bool(
        np.isfinite(face.landmarks).all() and np.isfinite(face.pose).all() and face.iod > 0.0
    )


class Foresight:
    """The faces last tracked, at any moment shortly after."""

    def __init__(self) -> None:
        self._slots: dict[int, Predictor] = {}
        self._time_s: float | None = None

    def add(self, faces: tuple[Face, ...], time_s: float) -> None:
        """The faces at `time_s`."""
        present = {face.slot for face in faces}
        for slot in [slot for slot in self._slots if slot not in present]:
            del self._slots[slot]
        for face in faces:
            if face.slot not in self._slots:
                self._slots[face.slot] = Predictor()
            self._slots[face.slot].add(face, time_s)
        self._time_s = time_s

    def learned(self) -> Foresight:
        """A copy for another thread, which finds all learning done."""
        twin = Foresight()
        twin._slots = {slot: one.learned() for slot, one in self._slots.items()}
        twin._time_s = self._time_s
        return twin

    def at(self, time_s: float) -> tuple[Face, ...]:
        """The faces as they will be at `time_s`; none once the last ones are stale."""
        if self._time_s is None or not -STALE_S < time_s - self._time_s < STALE_S:
            return ()
        ahead = time_s - self._time_s
        return tuple(self._slots[slot].predict(ahead) for slot in sorted(self._slots))


class Follower(Protocol):
    """What the loop asks for the people in the frame it is about to draw."""

    every: int
    """Track each n-th frame only: the governor's to set. 1 where frames must be exact."""

    def seen(self, frame: Frame) -> Seen: ...

    def close(self) -> None: ...


class Exact:
    """Landmarks are those of the frame shown: tracked first, then drawn."""

    def __init__(self, trackers: Trackers) -> None:
        self.every = 1
        self._trackers = trackers

    def seen(self, frame: Frame) -> Seen:
        return self._trackers.find(frame)

    def close(self) -> None:
        pass


class Ahead:
    """Tracking goes on in its own thread; a frame gets the last landmarks, predicted to its time.

    So a picture waits for no tracker, and the landmarks still lie on the picture they are drawn
    over. Predicting beyond the frame, to the moment it is seen, would lift effects off the face.
    """

    def __init__(self, trackers: Trackers) -> None:
        self.every = 1
        self._trackers = trackers
        self._count = 0
        self._box: Mailbox[Frame] = Mailbox()
        self._newest = Seen(), Foresight()  # replaced as a whole by the tracking thread
        self._thread = threading.Thread(target=self._run, name="kfx-track", daemon=True)
        self._thread.start()

    def seen(self, frame: Frame) -> Seen:
        self._count += 1
        if self._count % self.every == 0:
            self._box.put(frame)
        seen, foresight = self._newest
        return seen._replace(faces=foresight.at(float(frame.time)))

    def close(self) -> None:
        self._box.close(discard=True)
        self._thread.join(5.0)

    def _run(self) -> None:
        past = Foresight()
        try:
            while (frame := self._box.take()) is not None:
                seen = self._trackers.find(frame)
                try:
                    past.add(seen.faces, float(frame.time))
                    self._newest = seen, past.learned()
                except Exception as error:  # tracking goes on with the next frame
                    self._trackers.fault(error)
                    past = Foresight()
                    self._newest = seen, past
        except Closed:
            return
