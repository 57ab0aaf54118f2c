"""A living photograph: the last beats before a cue repeat without a seam until it ends (E05)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from kfx.motion.base import Motion
from kfx.motion.cued import number_at
from kfx.params import Bool, Float
from kfx.render.still import Scene, Still
from kfx.types import Face, Landmarks, Matte, Pixels, Tick, freeze

MOST_S = 2.0  # 30 frames a second of 720p take 220 MB
SEAM_FRAMES = 6  # over which the end of the loop passes into its beginning
_SEAM_S = 0.2  # the same where nobody knows the rate yet


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    time: float
    pixels: Pixels
    matte: Matte | None
    faces: dict[int, Face]


class TimeLoop(Motion):
    """Plays a short piece of the past again and again, its end dissolved into its beginning.

    Put `time_freeze` with ``frozen = "all but mouth"`` behind it and only the mouth goes round
    in a photograph: a cinemagraph.
    """

    holds = True
    region = "frame"

    on = Bool(True, doc="false: the picture is live")
    start = Float(0.0, 0.0, 4096.0, unit="beats", doc="beat of the first cue")
    every = Float(8.0, 0.0, 256.0, unit="beats", doc="a cue that often; 0 = one for good")
    length = Float(4.0, 0.0, 256.0, unit="beats", doc="live again after so long; 0 = not")
    loop = Float(1.0, 0.25, 8.0, unit="beats", doc="how long the piece is, at most two seconds")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self.reset()

    def reset(self) -> None:
        self._past: deque[_Past] = deque()
        self._piece: list[_Past] = []  # what is repeated, with what came before it
        self._span = (0.0, 0.0)  # its first moment, and when it was shown first
        self._length = self._seam = 0.0
        self._cue: int | None = None
        self._since: tuple[float, float] | None = None  # time and beat of the first tick
        self._shown: dict[int, Landmarks] = {}

    def hold(self, tick: Tick) -> Scene | None:
        if tick.dt == 0.0:
            self.reset()
        if self._since is None:
            self._since = (tick.time, tick.beat)
        self._shown = {}
        cue = number_at(tick.beat, self.start, self.every, self.length) if self.on else None
        if cue != self._cue:
            self._cue, self._piece = cue, []
        seconds = self._seconds(tick)
        if cue is not None and not self._piece and seconds > 0.0:
            self._cut(tick, seconds)
        if not self._piece:
            self._remember(tick, seconds)
            return None
        self._past.clear()
        return self._scene(tick)

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        return self._shown.get(face.slot, face.landmarks)

    def _seconds(self, tick: Tick) -> float:
        """How long the piece is; 0 as long as nobody knows how fast the song is."""
        assert self._since is not None
        met, gone = tick.beat - self._since[1], tick.time - self._since[0]
        return min(MOST_S, self.loop * gone / met) if met > 1e-6 and gone > 0.0 else 0.0

    def _seam_s(self) -> float:
        past = self._past
        step = (past[-1].time - past[0].time) / (len(past) - 1) if len(past) > 1 else 0.0
        return min(SEAM_FRAMES * step, 2 * _SEAM_S) if step > 0.0 else _SEAM_S

    def _remember(self, tick: Tick, seconds: float) -> None:
        faces = {face.slot: face for face in tick.faces if np.isfinite(face.landmarks).all()}
        self._past.append(_Past(tick.time, tick.frame.pixels, tick.matte, faces))
        kept = (seconds or MOST_S) + self._seam_s()
        while len(self._past) > 2 and self._past[1].time < tick.time - kept - 1e-6:
            self._past.popleft()

    def _cut(self, tick: Tick, seconds: float) -> None:
        """Take the piece, if enough is known of the past."""
        past = list(self._past)
        if len(past) < 2:
            return
        end = past[-1].time + (past[-1].time - past[0].time) / (len(past) - 1)
        first = end - seconds
        if past[0].time <= first + 1e-6:
            self._piece, self._span = past, (first, tick.time)
            self._length, self._seam = seconds, self._seam_s()

    def _at(self, time: float) -> _Past:
        """The frame shown at a moment of the past."""
        piece = self._piece
        later = next((k for k, one in enumerate(piece) if one.time > time + 2e-3), len(piece))
        return piece[max(0, later - 1)]

    def _scene(self, tick: Tick) -> Scene:
        first, since = self._span
        at = (tick.time - since) % self._length
        here = self._at(first + at)
        seam = min(self._seam, first - self._piece[0].time, 0.5 * self._length)
        left = self._length - at
        share = 0.0 if seam <= 0.0 else min(1.0, max(0.0, 1.0 - left / seam))
        if share <= 0.0:
            return self._whole(here, here, 0.0)
        return self._whole(here, self._at(first - left), share)

    def _whole(self, here: _Past, other: _Past, share: float) -> Scene:
        import cv2

        pixels = here.pixels
        if share > 0.0 and other is not here and other.pixels.shape == pixels.shape:
            one, two = (np.ascontiguousarray(frame.pixels) for frame in (here, other))
            mixed = cv2.addWeighted(one, 1.0 - share, two, share, 0.0)
            pixels = freeze(np.asarray(mixed, np.uint8))
        stills, placed = {}, {}
        for slot, face in here.faces.items():
            there = other.faces.get(slot, face).landmarks
            points = freeze(face.landmarks + np.float32(share) * (there - face.landmarks))
            placed[slot] = replace(face, landmarks=points)
            stills[slot] = Still(pixels, placed[slot], here.matte)
            self._shown[slot] = points
        if not stills:  # a picture without faces goes round too
            nowhere = freeze(np.zeros((478, 3), np.float32))
            nobody = Face(0, nowhere, freeze(np.eye(4, dtype=np.float32)), 1.0)
            stills = {-1: Still(pixels, nobody)}
        return Scene(True, stills, placed, matte=here.matte)


MOTION = TimeLoop
