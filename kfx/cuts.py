"""Tells where another shot begins: what was made of the one before is of no use there.

Time alone tells jumps and loops, not the cuts in an edited clip. A cut is a picture unlike the one
before it as a small copy without its level and contrast, so that a fade or a flash is none. Between
neighbouring frames of 13 clips (talking, turning, walking cameras) the correlation was 0.83 at
least, between frames of two of them 0.72 at most.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIZE = (32, 18)
UNLIKE = 0.75  # correlation
FLAT = 4.0  # grey levels of standard deviation: black, white or fog tells nothing
JUMP = 40.0  # grey levels: so much brighter or darker at once may be a strobe
WAIT = 3  # frames for which a flash is waited out

Small = npt.NDArray[np.float32]


class Cuts:
    """``at(pixels)`` once a frame; what may be a strobe is waited out for `wait` frames."""

    def __init__(self, wait: int = WAIT) -> None:
        self._wait = wait
        self._last: Small | None = None
        self._waited = 0

    def at(self, pixels: npt.NDArray[Any]) -> bool:
        """Whether a frame (h, w, 4) uint8 belongs to another shot than those before it."""
        now = _small(pixels)
        if float(now.std()) < FLAT:
            return False  # what comes after it is compared with what was before it
        last = now if self._last is None else self._last
        unlike = _likeness(last, now) < UNLIKE
        if unlike and abs(float(now.mean() - last.mean())) > JUMP and self._waited < self._wait:
            self._waited += 1
            return False
        self._last, self._waited = now, 0
        return unlike


def _small(pixels: npt.NDArray[Any]) -> Small:
    height, width = pixels.shape[:2]
    step = max(1, min(height // (4 * SIZE[1]), width // (4 * SIZE[0])))
    green = np.ascontiguousarray(pixels[::step, ::step, 1])
    return np.asarray(cv2.resize(green, SIZE, interpolation=cv2.INTER_AREA), np.float32)


def _likeness(a: Small, b: Small) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
