"""The tracker: a finder's landmarks, with stable slots, smoothing, pose and presence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import TracebackType

import numpy as np

from kfx.cuts import Cuts
from kfx.tracking import Finder, calibration, open_finder
from kfx.tracking import pose as poses
from kfx.tracking.blendshapes import Blendshapes
from kfx.tracking.depth import laid
from kfx.tracking.identity import Identity, Sighting
from kfx.tracking.predict import Predictor, Sight, Tracked
from kfx.tracking.smooth import Calm
from kfx.types import MAX_FACES, Face, Frame, Landmarks, freeze

FADE_IN_S = 0.10
FADE_OUT_S = 0.15
GAP_S = 0.5  # a longer pause between two frames is treated as a cut for the filters


@dataclass
class _Shown:
    """The face of one slot as it was last given out."""

    face: Face
    presence: float = 0.0
    filter: Calm = field(default_factory=Calm)
    future: Predictor = field(default_factory=Predictor)


class Tracker:
    """``with Tracker() as tracker: faces = tracker.track(frame)``, frames of one take in order.

    Faces come back lowest slot first. A face that is lost stays for `FADE_OUT_S` with
    ``found=False``, carried on by its last motion while its presence fades. With `blendshapes`
    every face found carries its 52 ARKit coefficients; a lost one keeps its last ones.
    """

    def __init__(
        self,
        finder: str | Finder = "mediapipe",
        max_faces: int = MAX_FACES,
        *,
        blendshapes: bool = False,
    ) -> None:
        self.name = finder if isinstance(finder, str) else type(finder).__name__
        self._finder = open_finder(finder, max_faces) if isinstance(finder, str) else finder
        self._learns = getattr(self._finder, "guesses_depth", False)
        self._identity = Identity(max_faces)
        self._blendshapes = Blendshapes() if blendshapes else None
        self._calibrations: dict[str, calibration.Calibration | None] = {}  # by name
        self._shown: dict[int, _Shown] = {}
        self._time: float | None = None
        self._cuts = Cuts(wait=0)  # a strobe takes nobody's slot

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._finder.close()

    def reset(self) -> None:
        """Another take: nothing of the past applies."""
        self._finder.reset()
        self._identity.reset()
        self._shown.clear()
        self._time = None
        self._cuts = Cuts(wait=0)

    def pin(self, slot: int, name: str) -> None:
        """Keep `slot` for who is in it, by `name`: see `Identity.pin`.

        Expressions of a performer who is calibrated by that name are told by their own range.
        """
        self._identity.pin(slot, name)
        self._calibrations[name] = calibration.known(name)

    @property
    def names(self) -> dict[int, str]:
        """Slot → name of those pinned."""
        return dict(self._identity.names)

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """The faces of `frame`, landmarks in pixels of the whole frame."""
        time = float(frame.time)
        dt = 0.0 if self._time is None else time - self._time
        if dt < 0:
            self.reset()
            dt = 0.0
        self._time = time
        first = dt == 0.0
        if self._cuts.at(frame.pixels) and not first:
            self._cut()
            first = True
        sightings = [Sighting.of(f) for f in self._finder.find(frame) if poses.is_finite(f)]
        found = self._identity.assign(sightings, time)
        for before, slot in self._identity.renamed.items():
            if before in self._shown:
                self._shown[slot] = self._shown.pop(before)
        for slot, sighting in found.items():
            self._show(slot, sighting, dt, at_once=first)
        lost = [slot for slot in self._shown if slot not in found]
        for slot in lost:
            self._fade(slot, dt)
        for shown in self._shown.values():
            shown.future.add(shown.face, time)
        return tuple(self._shown[slot].face for slot in sorted(self._shown))

    def predicted(self, ahead_s: float) -> tuple[Face, ...]:
        """The faces of the last frame as they will be `ahead_s` later (at most 0.1)."""
        return tuple(self._shown[slot].future.predict(ahead_s) for slot in sorted(self._shown))

    def _cut(self) -> None:
        """Another shot: performers keep their slots, and may be anywhere."""
        look_about = getattr(self._finder, "look_about", None)
        if look_about is not None:
            look_about()
        self._identity.cut()
        self._shown.clear()  # an effect must not hang in the next shot

    def _show(self, slot: int, sighting: Sighting, dt: float, *, at_once: bool) -> None:
        shown = self._shown.get(slot)
        returning = shown is None or not shown.face.found
        if shown is None:
            shown = self._shown[slot] = _Shown(_face(slot, sighting, 0.0, 0))
        if returning or dt > GAP_S:
            shown.filter.reset()
        seen, seen_pose = self._laid(slot, sighting)
        points, pose = shown.filter(seen, seen_pose, dt)
        shown.presence = 1.0 if at_once else min(1.0, shown.presence + dt / FADE_IN_S)
        calm = Sighting(points, pose, poses.scale(pose))
        face = _face(slot, calm, shown.presence, self._identity.tracks[slot].age)
        sight = Sight(*(freeze(a.view()) for a in (points, pose, seen, seen_pose)))
        shown.face = replace(face, sight=sight)
        if self._blendshapes is not None:
            known = self._calibrations.get(self._identity.names.get(slot, ""))
            shapes = self._blendshapes.of(shown.face.landmarks, known)
            shown.face = replace(shown.face, blendshapes=shapes)

    def _laid(self, slot: int, sighting: Sighting) -> tuple[Landmarks, poses.Matrix]:
        """Landmarks and pose by the performer's own head instead of everybody's."""
        if not self._learns:
            return sighting.landmarks, sighting.pose
        head = self._identity.tracks[slot].head
        head.see(sighting.landmarks, sighting.pose)
        points, pose = laid(sighting.landmarks, head.model)
        return (points, pose) if pose is not None else (points, sighting.pose)

    def _fade(self, slot: int, dt: float) -> None:
        shown = self._shown[slot]
        shown.presence -= dt / FADE_OUT_S
        if shown.presence <= 0.0:
            del self._shown[slot]
            return
        velocity = self._identity.tracks[slot].velocity * np.float32(shown.presence * dt)
        moved = shown.face.landmarks.copy()
        moved[:, :2] += velocity
        pose = shown.face.pose.copy()
        pose[:2, 3] += velocity
        shown.face = Face(
            slot,
            freeze(moved),
            freeze(pose),
            shown.face.iod,
            shown.presence,
            found=False,
            age=shown.face.age,
            blendshapes=shown.face.blendshapes,
        )


def _face(slot: int, sighting: Sighting, presence: float, age: int) -> Tracked:
    points = freeze(np.array(sighting.landmarks, dtype=np.float32))
    return Tracked(slot, points, freeze(sighting.pose.copy()), sighting.iod, presence, age=age)
