"""Hands before faces as a matte of the frame, 1 where a hand hides a face."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import cv2
import moderngl
import numpy as np

from kfx.render.gpu import Gpu
from kfx.render.person_matte import PersonMatte
from kfx.types import Face, Hand, Matte

WIDTH_PX = 256  # of the small matte
FINGER = 0.24  # a finger's width in palm lengths, wrist to the middle finger's root
WRIST, FOREARM = 0.6, 0.7  # the forearm's width and how much of it is drawn, in palm lengths
_PALM = (0, 1, 2, 5, 9, 13, 17)
_FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))


class HandMatte:
    """Draws the hands that touch a face's box; `image` is one black texel while none does."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        self._edges: PersonMatte | None = None
        self._none = gpu.ctx.texture((1, 1), 1, b"\0")
        self.image: moderngl.Texture = self._none

    def release(self) -> None:
        if self._edges is not None:
            self._edges.release()
            self._edges = None
        self._none.release()

    def draw(
        self, hands: Iterable[Hand], faces: Iterable[Face], picture: moderngl.Texture
    ) -> moderngl.Texture:
        """`picture` is the plate as it is shown: its edges refine what the landmarks say."""
        boxes = [face.box for face in faces]
        before = [hand for hand in hands if any(_touches(hand, box) for box in boxes)]
        self.image = self._none
        if before:
            self._edges = self._edges or PersonMatte(self._gpu, self._size)
            self.image = self._edges.draw(silhouettes(before, self._size), (), picture)
        return self.image


def silhouettes(hands: Iterable[Hand], size: tuple[int, int]) -> Matte:
    """A small matte of the frame, top row first, with palms, fingers and wrists filled in."""
    scale = WIDTH_PX / size[0]
    out = np.zeros((max(8, round(size[1] * scale)), WIDTH_PX), np.uint8)
    for hand in hands:
        points = hand * np.float32(scale)
        palm = float(np.linalg.norm(points[9] - points[0]))
        if not 1.0 < palm < 4 * WIDTH_PX or np.abs(points).max() > 1e5:
            continue

        cv2.fillConvexPoly(
            out, cv2.convexHull(np.round(points[list(_PALM)] * 8).astype(np.int32)), 255, shift=3
        )
        for finger in _FINGERS:
            for a, b in pairwise(finger):
                _line(out, points[a], points[b], FINGER * palm)
        for root in _PALM[1:]:
            _line(out, points[0], points[root], FINGER * palm)
        _line(out, points[0], points[0] + FOREARM * (points[0] - points[9]), WRIST * palm)
    return np.asarray(cv2.GaussianBlur(out, (3, 3), 0), np.uint8)


def _line(out: Matte, start: Hand, end: Hand, width: float) -> None:
    a, b = (tuple(np.round(p * 8).astype(int).tolist()) for p in (start, end))
    cv2.line(out, a, b, 255, max(1, round(width)), cv2.LINE_AA, 3)


def _touches(hand: Hand, box: tuple[float, float, float, float]) -> bool:
    low, high = hand.min(axis=0), hand.max(axis=0)
    return bool(low[0] < box[2] and high[0] > box[0] and low[1] < box[3] and high[1] > box[1])
