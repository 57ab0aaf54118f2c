"""Eyes, nose and mouth float off their places, turn and grow, and come home on the bar (E12)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.base import Motion
from kfx.motion.chance import noise
from kfx.motion.patch import cut
from kfx.motion.regions import inside
from kfx.motion.smooth import bare
from kfx.params import Float
from kfx.render.still import Still
from kfx.types import Face, Landmarks, Tick, freeze

# Centre and half axes of each feature on the canonical face, in iod; the brows go with the eyes.
_FEATURES = np.array(
    [
        (-0.48, -0.07, 0.42, 0.34),
        (0.48, -0.07, 0.42, 0.34),
        (0.0, 0.46, 0.30, 0.30),
        (0.0, 1.03, 0.56, 0.26),
    ],
    np.float32,
)
_GIVES_WAY = 0.22  # iod that skin can be drawn without folding
_FADE = 0.75  # of the half axes, outside of them


@cache
def _patches() -> npt.NDArray[np.float32]:
    """(4, 478) shares; at any landmark they sum to <= 1, and none reaches the oval."""
    xy = c.canonical().vertices[:, :2]
    away = np.linalg.norm((xy[None] - _FEATURES[:, None, :2]) / _FEATURES[:, None, 2:], axis=2)
    share = np.exp(-((np.maximum(away - 0.55, 0.0) / _FADE) ** 2))
    share = share / np.maximum(1.0, share.sum(axis=0)) * inside(0.38)[:, 0]
    return freeze(share.astype(np.float32))


@cache
def _arms() -> npt.NDArray[np.float32]:
    """(478, 12): each patch times the way from its centre in x, in y, and times 1."""
    xy = c.canonical().vertices[:, :2]
    arms = [
        np.stack([patch * (xy[:, 0] - x), patch * (xy[:, 1] - y), patch], axis=1)
        for patch, (x, y, *_) in zip(_patches(), _FEATURES, strict=True)
    ]
    return freeze(np.concatenate(arms, axis=1).astype(np.float32))


def _offsets() -> npt.NDArray[np.float32]:
    """(478, 2) the way to each landmark from the centre of its feature."""
    xy = c.canonical().vertices[:, :2]
    return xy - _FEATURES[_pieces()[0], :2]


@cache
def _pieces() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """(478,) whose each landmark is, and how firmly: 0 between two features."""
    xy = c.canonical().vertices[:, :2]
    away = np.linalg.norm((xy[None] - _FEATURES[:, None, :2]) / _FEATURES[:, None, 2:], axis=2)
    whose = away.argmin(axis=0)
    share = np.clip((1.2 - away.min(axis=0)) / 0.3, 0.0, 1.0) * inside(0.12)[:, 0]
    triangles = c.canonical().triangles.astype(int)
    torn = (whose[triangles] != whose[triangles[:, :1]]).any(axis=1)
    share[triangles[torn].reshape(-1)] = 0.0
    return freeze(whose), freeze(share.astype(np.float32))


@cache
def _holes() -> npt.NDArray[np.float32]:
    """(478,) where nothing of a feature is left once it has gone."""
    xy = c.canonical().vertices[:, :2]
    away = np.linalg.norm((xy[None] - _FEATURES[:, None, :2]) / _FEATURES[:, None, 2:], axis=2)
    share = np.clip((1.6 - away.min(axis=0)) / 0.4, 0.0, 1.0) * inside(0.2)[:, 0]
    return freeze(share.astype(np.float32))


class DriftFeatures(Motion):
    """Each feature is a soft patch that wanders as one piece.

    Either the skin between gives way, which it does for a fifth of the eyes' distance, or the
    features are cut out and float over bare skin, as far as one likes.
    """

    reenact = True
    layered = True

    amp = Float(
        0.12, 0.0, 0.6, unit="iod", doc="how far features float off; skin gives way to 0.22"
    )
    cut = Float(0.0, doc="0 = the skin gives way, 1 = features are cut out and leave bare skin")
    rate = Float(0.6, 0.1, 4.0, unit="Hz", doc="how fast they wander")
    turn = Float(9.0, 0.0, 30.0, unit="deg", doc="how far they turn")
    size = Float(0.16, 0.0, 0.47, doc="how much they grow and shrink")
    home = Float(4.0, 0.0, 16.0, unit="beats", doc="they are back home that often; 0 = never")
    back = Float(0.3, 0.1, 2.0, unit="beats", doc="time of the way home")

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        if self.cut >= 1.0:
            return face.landmarks
        ways = (1.0 - self.cut) * self._ways(face, tick, min(self.amp, _GIVES_WAY))
        change = np.zeros((478, 3), np.float32)
        change[:, :2] = _arms() @ ways.reshape(12, 2).astype(np.float32)
        return face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)

    def layers(self, face: Face, tick: Tick) -> Sequence[Still]:
        """Bare skin where the features were, then the features."""
        seen = next((one for one in tick.faces if one.slot == face.slot), None)
        out = self._away(tick.beat)
        if self.cut <= 0.0 or out <= 0.0 or seen is None:
            return ()
        skin, live = bare(tick.frame.pixels, seen), cut(tick.frame.pixels, seen)
        if skin is None or live is None:
            return ()
        whose, shape = _pieces()
        rows = self._ways(face, tick, self.amp).reshape(4, 3, 2)[whose]
        change = np.zeros((478, 3), np.float32)
        arms = np.concatenate([_offsets(), np.ones((478, 1), np.float32)], axis=1)
        change[:, :2] = np.einsum("na,nax->nx", arms, rows)
        away = (change @ face.pose[:3, :3].T).astype(np.float32)
        gone = np.float32(min(1.0, 6.0 * out) * self.cut)
        return (
            Still(skin.pixels, skin.face, cover=gone * _holes()),
            Still(live.pixels, live.face, cover=gone * shape, away=away),
        )

    def _ways(self, face: Face, tick: Tick, amp: float) -> npt.NDArray[np.float64]:
        """(4, 6) for each feature what an arm's x, its y and 1 add to x and to y."""
        keys = (self.seed, tick.seed, face.slot, 12)
        wander = noise(tick.time * self.rate, 16, *keys).reshape(4, 4) * self._away(tick.beat)
        dx, dy, spin, grow = wander.T
        scale, angle = np.exp(self.size * grow), np.radians(self.turn) * spin
        cos, sin = scale * np.cos(angle) - 1.0, scale * np.sin(angle)
        return np.stack([cos, sin, -sin, cos, amp * dx, amp * dy], axis=1)

    def _away(self, beat: float) -> float:
        """0 at home, 1 at large: out over a beat, back just before the bar."""
        if self.home <= 0:
            return 1.0
        since = beat % self.home
        out = 1.0 - np.exp(-3.0 * since / min(1.0, self.home))
        left = min(1.0, (self.home - since) / min(self.back, self.home / 2))
        return float(out * left * left * (3.0 - 2.0 * left))


MOTION = DriftFeatures
