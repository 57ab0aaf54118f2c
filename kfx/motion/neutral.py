"""The resting face of each performer, learned while they are in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kfx.types import Face, Landmarks

TIME_CONSTANT_S = 30.0
MOST_MOVED = 10  # so many landmarks judge how expressive a frame is
EXPRESSIVE_IOD = 0.05  # a frame in which they are farther from rest teaches little


@dataclass
class _Rest:
    mean: Landmarks
    weight: float


class Neutral:
    """A weighted running mean in canonical space; expressive frames count little.

    It starts from the first sighting and is as quick as a plain mean at first, then follows
    with `TIME_CONSTANT_S`.
    """

    def __init__(self) -> None:
        self._rests: dict[int, _Rest] = {}

    def reset(self) -> None:
        self._rests.clear()

    def of(self, face: Face, shape: Landmarks, dt: float) -> Landmarks:
        """The rest shape (478, 3) of `face` in canonical iod units, after learning `shape`."""
        rest = self._rests.get(face.slot)
        if rest is None or face.age <= 1:
            rest = self._rests[face.slot] = _Rest(shape.astype(np.float32), 0.2)
            return rest.mean
        if not face.found:
            return rest.mean
        change = shape - rest.mean
        moved = np.sqrt((change * change).sum(axis=1))
        away = float(np.partition(moved, -MOST_MOVED)[-MOST_MOVED:].mean())
        trust = dt / (1.0 + (away / EXPRESSIVE_IOD) ** 4)
        rest.weight = min(TIME_CONSTANT_S, rest.weight + trust)
        rest.mean = rest.mean + np.float32(trust / max(rest.weight, 1e-6)) * change
        return rest.mean
