"""Two people share one face: its halves disagree in shape and in time, and change sides (E11)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache

import numpy as np

from kfx import canonical as c
from kfx.motion.base import Motion
from kfx.motion.guard import no_wider
from kfx.motion.patch import cut
from kfx.motion.regions import inside, pulled
from kfx.params import Float
from kfx.render.still import Still
from kfx.tracking import pose as poses
from kfx.types import Face, Landmarks, Tick, freeze

_FEATHER_IOD = 0.16  # half the width of the seam between the halves
_SHARE = (0.34, 0.42)  # of the face's width: a half that shows less isn't mirrored
_AHEAD = (0.94, 0.78)  # cosines of the way a head looks, to where it is nearly a profile
_LESS = 0.75  # of the disagreement is lost there: its far half ends at the picture's edge
_EDGE_IOD = 0.14  # over which it comes in at the oval
_KEPT = 240  # shapes remembered
# The wry face: landmark, where it is drawn in iod, how far around that is felt.
_PULLS = (
    (334, (0.02, -0.13), 0.30),  # the left brow rises,
    (386, (0.0, -0.04), 0.16),  # its eye opens
    (291, (0.06, -0.12), 0.30),  # and its corner of the mouth with it;
    (280, (0.03, -0.05), 0.32),
    (105, (0.03, 0.06), 0.28),  # the right brow frowns,
    (145, (0.0, -0.03), 0.15),  # its eye narrows
    (61, (0.03, 0.07), 0.26),  # and its corner sinks;
    (152, (0.08, 0.0), 0.55),  # the jaw goes along.
)


@cache
def _wry() -> tuple[Landmarks, Landmarks]:
    """The wry face of the left half and of the right half, (478, 3) displacements in iod."""
    left = pulled(_PULLS)
    return freeze(left), freeze(_mirrored(left))


@cache
def _left_half() -> Landmarks:
    """(478, 1): 1 on the subject's left, 0 on the right, soft across the nose."""
    x = c.canonical().vertices[:, :1] / _FEATHER_IOD
    share = np.clip(0.5 + 0.5 * x, 0.0, 1.0)
    return freeze((share * share * (3.0 - 2.0 * share)).astype(np.float32))


def _mirrored(shape: Landmarks) -> Landmarks:
    return shape[c.canonical().mirror.astype(int)] * np.float32([-1, 1, 1])


def _turned(face: Face) -> float:
    """0 of a head that looks ahead, 1 of a profile."""
    ahead = float(face.pose[2, 2]) / max(face.iod, 1e-6)
    return float(np.clip((_AHEAD[0] - ahead) / (_AHEAD[0] - _AHEAD[1]), 0.0, 1.0))


def _left_width(points: Landmarks) -> float:
    """How much of the face's width on screen its left half takes."""
    across = points[263, :2] - points[33, :2]
    right, middle, left = points[[234, 168, 454], :2] @ across
    return float(np.clip((left - middle) / max(left - right, 1e-6), 0.0, 1.0))


def _wide(width: float) -> float:
    """0..1 how well a half of that share can be mirrored."""
    return float(np.clip((width - _SHARE[0]) / (_SHARE[1] - _SHARE[0]), 0.0, 1.0))


def _at(past: deque[tuple[float, Landmarks]], beat: float) -> Landmarks:
    """The shape at `beat`, between the two nearest; the oldest if it is before all."""
    later = past[-1]
    for one in reversed(past):
        if one[0] <= beat:
            part = (beat - one[0]) / max(later[0] - one[0], 1e-9) if later[0] > one[0] else 0.0
            return one[1] + np.float32(part) * (later[1] - one[1])
        later = one
    return later[1]


class Asymmetry(Motion):
    """One half lives some time ago, makes another face, or is the mirror image of the other."""

    reenact = True
    layered = True

    late = Float(0.35, 0.0, 2.0, unit="beats", doc="one half performs so much later")
    wry = Float(0.7, 0.0, 1.5, doc="one brow and corner of the mouth up, the others down")
    twin = Float(0.0, doc="one half becomes the mirror image of the other: 1 = two equal halves")
    every = Float(2.0, 0.0, 16.0, unit="beats", doc="the halves change sides; 0 = never")
    ease = Float(0.3, 0.05, 2.0, unit="beats", doc="how long the change takes")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._past: dict[int, deque[tuple[float, Landmarks]]] = {}

    def reset(self) -> None:
        self._past.clear()

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        shape = poses.to_canonical(face.pose, face.landmarks)
        past = self._past.get(face.slot)
        if past is None or tick.dt == 0.0 or face.age <= 1:
            past = self._past[face.slot] = deque(maxlen=_KEPT)
        past.append((tick.beat, shape))
        side = self._side(tick.beat)
        lead, follow = np.float32(max(side, 0.0)), np.float32(max(-side, 0.0))
        left = _left_half()
        behind = lead * (1.0 - left) + follow * left  # the half that isn't in the lead
        change = np.float32(self.twin) * behind * (_mirrored(shape) - shape)
        change = change + (1.0 - np.float32(self.twin)) * behind * (
            _at(past, tick.beat - self.late) - shape
        )
        change = change + np.float32(self.wry) * (lead * _wry()[0] + follow * _wry()[1])
        change = change * np.float32(1.0 - _LESS * _turned(face))
        driven = face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)
        return no_wider(face.landmarks, driven, face.iod)

    def layers(self, face: Face, tick: Tick) -> Sequence[Still]:
        """The other half's mirror image; a head that is turned shows too little of it."""
        seen = next((one for one in tick.faces if one.slot == face.slot), None)
        if self.twin <= 0.0 or seen is None or not np.isfinite(seen.landmarks).all():
            return ()
        side, width = self._side(tick.beat), _left_width(seen.landmarks)
        lead, follow = (max(0.0, side) * _wide(width), max(0.0, -side) * _wide(1.0 - width))
        left = _left_half()[:, 0]
        behind = np.float32(lead) * (1.0 - left) + np.float32(follow) * left
        cover = np.float32(self.twin) * behind * inside(_EDGE_IOD)[:, 0]
        if not cover.any():
            return ()
        patch = cut(tick.frame.pixels, seen, mirrored=True)
        return () if patch is None else (Still(patch.pixels, patch.face, cover=cover),)

    def _side(self, beat: float) -> float:
        """1: the left half leads, -1: the right one; smooth in between."""
        if self.every <= 0:
            return 1.0
        turn, since = divmod(beat, self.every)
        way = 1.0 if (int(turn) + self.seed) % 2 == 0 else -1.0
        if turn <= 0:
            return way
        t = min(1.0, since / min(self.ease, self.every))
        return way * (2.0 * t * t * (3.0 - 2.0 * t) - 1.0)


MOTION = Asymmetry
