"""Chooses the frame that becomes a still: sharp, eyes open, looking ahead."""

from __future__ import annotations

from collections import deque

import numpy as np

from kfx.render.still import AS_TAKEN, View
from kfx.tracking import pose as poses
from kfx.types import Face, Frame, Matte, Pixels, Tick, freeze

LOOK_BACK_S = 0.4
WAIT_S = 0.4  # so long a cue waits for open eyes; then any frame will do
MOST_YAW = 15.0  # degrees
LIDS_OPEN = 0.14  # gap of the lids over the eye's width
SMALL_PX = 96  # faces are judged at this width
_EYES = np.array([(33, 133, 159, 145), (263, 362, 386, 374)])


class Choice:
    """Remembers the last frames while a cue is near and gives the best of them."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, float, bool, Tick]] = deque()

    def clear(self) -> None:
        self._past.clear()

    def see(self, tick: Tick) -> None:
        """Take a frame into account."""
        while self._past and self._past[0][0] < tick.time - LOOK_BACK_S - 1e-6:
            self._past.popleft()
        face = largest(tick.faces)
        if face is not None:
            score, good = judge(tick.frame, face)
            self._past.append((tick.time, score, good, tick))

    def best(self, waited_s: float) -> Tick | None:
        """The tick of the best frame, or None as long as it is worth waiting for a better one."""
        good = [one for one in self._past if one[2]]
        if not good and waited_s < WAIT_S:
            return None
        best = max(good or self._past, key=lambda one: one[1], default=None)
        return None if best is None else best[3]


def largest(faces: tuple[Face, ...]) -> Face | None:
    """The largest face that is surely there."""
    there = [face for face in faces if usable(face)]
    return max(there, key=lambda face: face.iod, default=None)


def usable(face: Face) -> bool:
    return face.found and face.presence >= 0.5 and bool(np.isfinite(face.landmarks).all())


def judge(frame: Frame, face: Face) -> tuple[float, bool]:
    """How sharp the face is, and whether it looks ahead with open eyes."""
    yaw = abs(poses.yaw_pitch_roll(face.pose)[0])
    shape = poses.to_canonical(face.pose, face.landmarks)
    inner, outer, upper, lower = (shape[_EYES[:, i], :2] for i in range(4))
    width = np.maximum(np.linalg.norm(inner - outer, axis=1), 1e-6)
    lids = float((np.linalg.norm(lower - upper, axis=1) / width).min())
    sharp = sharpness(frame.pixels, face)
    return sharp * min(lids / LIDS_OPEN, 1.5), lids > LIDS_OPEN and yaw < MOST_YAW


def sharpness(pixels: Pixels, face: Face) -> float:
    """Variance of the Laplacian of a small grey copy of the face."""
    import cv2

    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = np.clip(face.box, 0, [width, height, width, height]).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return 0.0
    crop = pixels[y0:y1, x0:x1, 1]
    scale = min(1.0, SMALL_PX / (x1 - x0))
    small = cv2.resize(
        np.ascontiguousarray(crop), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return float(cv2.Laplacian(small, cv2.CV_32F).var())


def seen_through(view: View, matte: Matte | None, shape: tuple[int, ...]) -> Matte | None:
    """The matte of a still of `shape` (height, width, …) as `view` shows it."""
    import cv2

    if matte is None or view == AS_TAKEN:
        return matte
    height, width = matte.shape
    scale, x, y = view
    # Pixel centres lie at half-integers.
    x = x * width / shape[1] + (scale - 1.0) / 2
    y = y * height / shape[0] + (scale - 1.0) / 2
    move = np.array([[scale, 0.0, x], [0.0, scale, y]], np.float64)
    shown = cv2.warpAffine(matte, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return freeze(np.asarray(shown, np.uint8))
