"""A real expression pushed past human: what differs from rest is amplified (E02)."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from kfx import assets
from kfx.motion.base import Motion
from kfx.motion.neutral import Neutral
from kfx.motion.regions import Mask, masks
from kfx.params import Float, Text
from kfx.tracking import calibration
from kfx.tracking import pose as poses
from kfx.tracking.own_basis import Basis
from kfx.types import Face, Landmarks, Tick


@cache
def basis() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Expression modes (k, 1434) orthonormal, and their standard deviations (k,) in iod."""
    with np.load(assets.folder("models") / "expression_basis.npz") as data:
        return data["modes"].astype(np.float32), data["sigma"].astype(np.float32)


@lru_cache(8)
def _shares(brow: float, eye: float, mouth: float, jaw: float) -> Mask:
    """(478, 1): the share of the gain that each landmark takes, given those of the regions."""
    region = masks()
    given = {"brow": brow, "eye": eye, "mouth": mouth, "jaw": jaw}
    gains = sum(region[name] * share for name, share in given.items())
    return np.asarray(gains + (1.0 - sum(region.values())), np.float32)


class ExprAmp(Motion):
    """Linear modes of expression, each pushed by a soft limiter; the rest passes unchanged.

    The modes are those of many people, or the performer's own: ``kfx calibrate NAME`` learns them
    from a minute, and they are used for whoever the slot is pinned to, or `performer` names.
    """

    reenact = True
    models = ("expression_basis.npz",)

    gain = Float(1.6, 0.0, 4.0, doc="1 = as performed, 0 = frozen at rest, 4 = far past human")
    brow = Float(1.0, 0.0, 2.0, doc="share of the gain that the brows take")
    eye = Float(0.6, 0.0, 2.0, doc="share of the gain that the lids take")
    mouth = Float(1.0, 0.0, 2.0, doc="share of the gain that the lips take")
    jaw = Float(1.0, 0.0, 2.0, doc="share of the gain that chin and jaw take")
    clamp = Float(3.0, 1.0, 5.0, unit="sigma", doc="where an amplified mode saturates")
    own = Float(1.0, doc="share of a calibrated performer's own modes; 0 = those of many people")
    performer = Text(doc="whose own modes, by name; by default who the slot is pinned to")
    attack = Float(20.0, 0.0, 200.0, unit="ms", doc="how softly the push sets in")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._neutral = Neutral()
        self._push: dict[int, Landmarks] = {}
        self._known: dict[str, Basis | None] = {}  # by name, once they have been looked for

    def reset(self) -> None:
        self._neutral.reset()
        self._push.clear()

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        shape = poses.to_canonical(face.pose, face.landmarks)
        rest = self._neutral.of(face, shape, tick.dt)
        own = self._own(face)
        share = 0.0 if own is None else self.own
        change = np.zeros_like(shape)
        if share < 1.0:
            change = np.float32(1.0 - share) * self._pushed(shape - rest, *basis())
        if own is not None and share > 0.0:
            change = change + np.float32(share) * self._pushed(shape - rest, own.modes, own.sigma)
        change = (change * _shares(self.brow, self.eye, self.mouth, self.jaw)).astype(np.float32)
        if tick.dt > 0 and face.age > 1 and self.attack > 0:
            before = self._push.get(face.slot, change)
            ease = np.float32(1.0 - np.exp(-tick.dt / (self.attack / 1000.0)))
            change = before + ease * (change - before)
        self._push[face.slot] = change
        return poses.to_pixels(face.pose, shape + change)

    def _pushed(
        self, away: Landmarks, modes: npt.NDArray[np.float32], sigma: npt.NDArray[np.float32]
    ) -> Landmarks:
        """What is added to a face that is so far from rest."""
        size = modes @ away.reshape(-1)
        limit = self.clamp * sigma
        # The limiter applies to what is added, so that gain 1 is the performer's own face.
        pushed = size + limit * np.tanh((self.gain - 1.0) * size / limit)
        added: Landmarks = ((pushed - size) @ modes).reshape(-1, 3)
        return added

    def _own(self, face: Face) -> Basis | None:
        name = self.performer or self.names.get(face.slot, "")
        if name not in self._known:
            found = calibration.known(name)
            self._known[name] = None if found is None else found.basis
        return self._known[name]


MOTION = ExprAmp
