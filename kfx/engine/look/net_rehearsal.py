"""Draws a net's results once before anybody sees them: the first ones would cost a slow frame.

Drivers compile a program when it is first drawn with, tables of the mesh are worked out when they
are first wanted: 80 ms at 360p on llvmpipe, over the first two results.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from kfx.canonical import canonical
from kfx.neural.card import Card
from kfx.neural.worker import Done
from kfx.tracking import pose as poses
from kfx.types import Face, Frame, Tick, freeze

TICKS = 4  # asked, its answer drawn and asked again, both drawn, one more that fades
STEP_S = 0.01


class Stand:
    """A `Runner` in place of the net's: a picture of nothing is there at the next tick."""

    exact = False

    def __init__(self, card: Card, size: tuple[int, int]) -> None:
        change = card.stick == "change" and card.kind != "matte"
        self._answer = np.zeros((size[1], size[0], 4), np.float16 if change else np.uint8)
        self.job: Any = None

    def free(self, time: float) -> bool:
        return self.job is None

    def offer(self, job: Any, time: float) -> None:
        self.job = job

    def take(self, time: float) -> Done | None:
        job, self.job = self.job, None
        return None if job is None else Done(job, {ask.slot: self._answer for ask in job.asks})

    def waiting_s(self, time: float) -> float:
        return 0.0

    def close(self) -> None:
        self.job = None


def ticks(frame: tuple[int, int]) -> list[Tick]:
    """A face in the middle of frames of a size, that moves a little."""
    width, height = frame
    pixels = freeze(np.zeros((height, width, 4), np.uint8))
    found = []
    for i in range(TICKS):
        time = i * STEP_S
        pose = np.eye(4, dtype=np.float32)
        pose[:3, :3] *= np.float32(min(frame) / 6)
        pose[:2, 3] = width / 2 + i, height / 2
        landmarks = poses.to_pixels(pose, canonical().vertices)
        face = Face(0, freeze(landmarks), freeze(pose), float(min(frame) / 6), 1.0)
        plate = Frame(pixels, i, Fraction(i, 100), 0.0)
        found.append(Tick(i, time, STEP_S if i else 0.0, plate, (face,)))
    return found
