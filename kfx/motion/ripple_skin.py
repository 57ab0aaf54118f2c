"""Drops fall on the face, and rings run through the skin as through water (E13)."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.base import Motion
from kfx.motion.chance import chance
from kfx.motion.regions import inside, masks
from kfx.params import Float
from kfx.types import Face, Landmarks, Tick, freeze

_PLACES = np.array([50, 280, 151, 4, 205, 425, 109, 338, 199, 101, 330, 8])
_LIVES = 3.5  # times `decay` after which a ring is forgotten
_STEEPEST = 0.17  # swing over wavelength: steeper waves would fold the skin


@cache
def _ways() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """From each place a drop may fall on: distances (places, 478), directions (places, 478, 2)."""
    points = c.canonical().vertices
    away = points[None] - points[_PLACES][:, None]
    far = np.linalg.norm(away * (1.0, 1.0, 0.6), axis=2)
    way = away[..., :2] / np.maximum(far, 1e-6)[..., None] * np.tanh(far / 0.15)[..., None]
    return freeze(far.astype(np.float32)), freeze(way.astype(np.float32))


class RippleSkin(Motion):
    """Rings on a sheet without dispersion, in closed form: nothing to drift, nothing to forget.

    Height goes into z as well, so that chrome and film on the skin see the waves.
    """

    every = Float(1.0, 0.25, 16.0, unit="beats", doc="beats between two drops")
    swing = Float(0.09, 0.0, 0.15, unit="iod", doc="how far a wave moves the skin")
    wave = Float(0.6, 0.35, 1.2, unit="iod", doc="from crest to crest")
    speed = Float(1.6, 0.4, 6.0, unit="iod/beat", doc="how fast the rings run")
    decay = Float(0.9, 0.2, 4.0, unit="beats", doc="how long they take to die down")
    relief = Float(1.0, 0.0, 3.0, doc="height of the waves for looks that shade the skin")

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        newest = int(np.floor(tick.beat / self.every + 1e-6))
        oldest = max(0, newest - min(8, int(_LIVES * self.decay / self.every)))
        hits = np.arange(oldest, newest + 1)
        swing = min(self.swing, _STEEPEST * self.wave)
        ages = np.maximum(0.0, tick.beat - hits * self.every)
        places = (chance(self.seed, tick.seed, face.slot, 13, hits) * len(_PLACES)).astype(int)
        far, way = _ways()[0][places], _ways()[1][places]
        sizes = swing * np.exp(-ages / self.decay) * (1.0 - np.exp(-ages / 0.05))
        behind = ((far - (self.speed * ages)[:, None]) / self.wave).astype(np.float32)
        # A ring thins as it widens.
        packet = sizes[:, None] * np.exp(-((behind / 0.75) ** 2)) / np.sqrt(1.0 + 0.8 * far)
        change = np.zeros((478, 3), np.float32)
        along = packet * np.sin(2 * np.pi * behind)
        change[:, :2] = (along[..., None] * way).sum(axis=0)
        change[:, 2] = -self.relief * (packet * np.cos(2 * np.pi * behind)).sum(axis=0)
        length = np.linalg.norm(change[:, :2], axis=1, keepdims=True)
        most = np.float32(1.5 * max(swing, 1e-6))  # where rings cross
        change *= most * np.tanh(length / most) / np.maximum(length, 1e-9)
        change *= inside() * (1.0 - 0.6 * masks()["eye"])
        return face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)


MOTION = RippleSkin
