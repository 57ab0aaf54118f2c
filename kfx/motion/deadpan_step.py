"""The expression holds like a puppet's, on twos or threes, while the head moves smoothly (E04)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from kfx.motion.base import Motion
from kfx.motion.neutral import Neutral
from kfx.motion.regions import Mask, masks
from kfx.params import Bool, Float, Int
from kfx.tracking import pose as poses
from kfx.types import Face, Landmarks, Tick


@cache
def _upper() -> Mask:
    """(478, 1): brows and eyes."""
    return masks()["brow"] + masks()["eye"]


@dataclass
class _Held:
    step: int
    shape: Landmarks
    past: deque[Landmarks] = field(default_factory=lambda: deque(maxlen=8))


class DeadpanStep(Motion):
    """Expression sample-hold in pose-free space, projected with the live pose."""

    reenact = True

    hz = Float(12.0, 4.0, 24.0, unit="Hz", doc="how often the held expression is renewed")
    deaden = Float(0.5, doc="how far brows and eyes are drawn towards rest")
    lag = Int(0, 0, 6, unit="frames", doc="how late the mouth is behind the eyes")
    on_beat = Bool(False, doc="hold on the grid of the song instead of seconds: hz per beat / 2")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._neutral = Neutral()
        self._held: dict[int, _Held] = {}

    def reset(self) -> None:
        self._neutral.reset()
        self._held.clear()

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        shape = poses.to_canonical(face.pose, face.landmarks)
        rest = self._neutral.of(face, shape, tick.dt)
        clock = tick.beat * self.hz / 2.0 if self.on_beat else tick.time * self.hz
        step = int(np.floor(clock + 1e-4))
        held = self._held.get(face.slot)
        if held is None or tick.dt == 0.0 or face.age <= 1:
            held = self._held[face.slot] = _Held(step, shape)
        held.past.append(shape)
        if step != held.step:
            late = held.past[max(0, len(held.past) - 1 - self.lag)]
            held.shape = shape + masks()["mouth"] * (late - shape)
            held.step = step
        shown = held.shape + np.float32(self.deaden) * _upper() * (rest - held.shape)
        return poses.to_pixels(face.pose, shown)


MOTION = DeadpanStep
