"""Faces out of pictures and clips that lie beside a preset, ready to be worn."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import dataclass, replace

from kfx.errors import KfxError
from kfx.motion import still_choice
from kfx.motion.neutral import Neutral
from kfx.motion.patch import Patch, cut
from kfx.tracking import pose as poses
from kfx.types import Landmarks

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
MOST_S, MOST_FRAMES = 2.0, 60  # of a clip: 60 faces of 512 pixels take 60 MB
LONGEST_PX = 640
AROUND_IOD = 1.45  # of hair and neck


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """A face at a moment: what is shown of it, and what it is like at rest, canonical iod."""

    patch: Patch
    rest: Landmarks


class Lender:
    """One file. A clip goes forth and back through its first `MOST_S`, one second a second.

    Frames are read, and faces found in them, when they are asked for first, so that no tick does
    much more than its own. Raises `KfxError` where the file has no face or can't be read.
    """

    def __init__(self, path: str, slot: int) -> None:
        from kfx import sources
        from kfx.tracking.person import Person
        from kfx.tracking.tracker import Tracker

        self._path, self._slot = path, slot
        self._times: list[float] = []
        self._found: list[Lent] = []
        self._neutral = Neutral()
        self._open = ExitStack()
        weakref.finalize(self, self._open.close)
        source = self._open.enter_context(sources.open(path))
        self._single = source.info.kind == "image"
        self._frames = iter(source.frames())
        self._tracker = self._open.enter_context(Tracker(max_faces=2))
        self._person = self._open.enter_context(Person())
        self._last: float | None = None  # the time of the last frame read
        self._first = 0.0
        self._all = False

    def at(self, time_s: float) -> Lent:
        """The face `time_s` after the clip began."""
        while not self._all and (self._last is None or self._last <= time_s or not self._found):
            self._read()
        if not self._found:
            raise KfxError(f"{self._path}: no face is found in it; choose another picture or clip")
        if self._all:
            length = max(self._times[-1], 1e-6)
            round_ = time_s % (2.0 * length)
            time_s = min(round_, 2.0 * length - round_)
        return self._found[max(0, bisect_right(self._times, time_s + 1e-3) - 1)]

    def _read(self) -> None:
        frame = next(self._frames, None)
        if frame is not None:
            self._first = float(frame.time) if self._last is None else self._first
            before, self._last = self._last, float(frame.time) - self._first
            face = still_choice.largest(self._tracker.track(frame))
            if face is not None:
                shape = poses.to_canonical(face.pose, face.landmarks)
                dt = 0.0 if before is None else self._last - before
                rest = self._neutral.of(replace(face, slot=0), shape, dt)
                face = replace(face, slot=self._slot, presence=1.0)
                matte = self._person.matte(frame)
                patch = cut(
                    frame.pixels, face, longest=LONGEST_PX, around_iod=AROUND_IOD, matte=matte
                )
                if patch is not None:
                    self._times.append(self._last)
                    self._found.append(Lent(patch, rest))
        ended = frame is None or self._single or len(self._found) >= MOST_FRAMES
        if ended or (self._last or 0.0) >= MOST_S:
            self._all = True
            self._open.close()
