"""The face boils as generated video does: its expression never quite holds still (E14)."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.base import Motion
from kfx.motion.chance import noise
from kfx.motion.expr_amp import basis
from kfx.motion.regions import inside
from kfx.params import Float
from kfx.types import Face, Landmarks, Tick

_CELLS = np.array([50, 280, 151, 4, 205, 425, 109, 338, 199, 101, 330, 8, 61, 291, 70, 300, 6])
_CELL_IOD = 0.26


@cache
def _cells() -> npt.NDArray[np.float32]:
    """(478, cells): each landmark's share of the cells that boil by themselves."""
    points = c.canonical().vertices
    away = np.linalg.norm(points[:, None] - points[None, _CELLS], axis=2)
    weight = np.exp(-((away / _CELL_IOD) ** 2)).astype(np.float32)
    return weight / np.maximum(1.0, weight.sum(axis=1, keepdims=True))


class MicroJitter(Motion):
    """Band-limited noise in the modes of expression, and a finer one over patches of skin."""

    models = ("expression_basis.npz",)

    amount = Float(0.45, 0.0, 2.0, unit="sigma", doc="how far the expression trembles")
    boil = Float(0.012, 0.0, 0.05, unit="iod", doc="how far patches of skin crawl by themselves")
    flicker = Float(0.015, 0.0, 0.1, doc="how far the light on those patches flickers")
    rate = Float(12.0, 2.0, 15.0, unit="Hz", doc="how fast it trembles")
    kick = Float(0.8, 0.0, 3.0, doc="how much stronger it is on a beat")
    every = Float(1.0, 0.25, 16.0, unit="beats", doc="beats between two of those")
    tail = Float(0.35, 0.05, 2.0, unit="beats", doc="how long a beat is felt")

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        modes, sigma = basis()
        keys = (self.seed, tick.seed, face.slot)
        level = self._level(tick)
        trembling = noise(tick.time * self.rate, len(sigma) + 2 * len(_CELLS), *keys, 14)
        # The first modes open the mouth wide: they tremble less than their share.
        size = self.amount * np.minimum(sigma, 0.25) * trembling[: len(sigma)]
        change = (size.astype(np.float32) @ modes).reshape(-1, 3)
        crawl = trembling[len(sigma) :].reshape(-1, 2).astype(np.float32)
        change[:, :2] += _cells() @ crawl * np.float32(self.boil)
        change *= np.float32(level) * inside(0.2)
        return face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)

    def light(self, face: Face, tick: Tick) -> npt.NDArray[np.float32] | None:
        if self.flicker <= 0.0:
            return None
        keys = (self.seed, tick.seed, face.slot, 15)
        cells = self.flicker * self._level(tick) * noise(tick.time * self.rate, len(_CELLS), *keys)
        lit = 1.0 + inside(0.2)[:, 0] * (_cells() @ cells.astype(np.float32))
        return np.asarray(lit, np.float32)

    def _level(self, tick: Tick) -> float:
        """1 between beats, more on them."""
        return float(1.0 + self.kick * np.exp(-(tick.beat % self.every) / self.tail))


MOTION = MicroJitter
