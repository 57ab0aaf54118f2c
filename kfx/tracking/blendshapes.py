"""The 52 ARKit blendshapes of a face, from its landmarks, by kfx's own net.

``blendshapes.onnx`` was taught by MediaPipe's blendshape net (models/training/blendshapes.py). That
one doesn't answer a resting face with zeros: the card says what it answers, and it is taken off.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx import assets, own_nets
from kfx.tracking.arkit import NAMES, POINTS, TAUGHT
from kfx.tracking.calibration import Calibration
from kfx.types import Landmarks, freeze

Values = npt.NDArray[np.float32]
MOST_ROLL = math.radians(20.0)
_POINTS = np.array(POINTS)
_RIGHT_CORNER, _LEFT_CORNER = POINTS.index(33), POINTS.index(263)  # of the eyes, outer
_PLACE = np.array([TAUGHT.index(name) if name in TAUGHT else len(TAUGHT) for name in NAMES])


class Blendshapes:
    """``Blendshapes().of(face.landmarks)``; the net is loaded at the first call, stateless."""

    def of(
        self, landmarks: Landmarks, calibration: Calibration | None = None
    ) -> Mapping[str, float]:
        """ARKit name → 0..1, all 52 in the order of `NAMES`; ``tongueOut`` is always 0.

        Landmarks in any unit, so the frame's size doesn't matter. Without a calibration 0 is the
        rest of the people the net was taught with. A face of no size or with NaN gives zeros.
        """
        raw = self._values(landmarks)
        if raw is None:
            return named(np.zeros(len(TAUGHT), np.float32))
        return named(calibration.apply(raw) if calibration is not None else from_rest(raw))

    def raw(self, landmarks: Landmarks) -> Mapping[str, float]:
        """What the net says, with nothing taken off: what `calibrate` and the bench want."""
        raw = self._values(landmarks)
        return named(np.zeros(len(TAUGHT), np.float32) if raw is None else raw)

    def run(self, points: npt.NDArray[np.float32]) -> Values:
        """(n, 146, 2) of the landmarks `POINTS` → raw (n, 51) in the order of `TAUGHT`."""
        net = own_nets.session("blendshapes")
        values: Values = net.run(None, {"points": points.astype(np.float32)})[0]
        return values

    def _values(self, landmarks: Landmarks) -> Values | None:
        points = np.asarray(landmarks, np.float32)[_POINTS, :2]
        if not np.isfinite(points).all() or float(np.abs(points).max()) > 1e9:
            return None
        if float(np.ptp(points, axis=0).max()) < 1e-6:
            return None
        return self.run(_upright(points)[None])[0]


def _upright(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Points of a head that leans farther than the net knows, leaning by `MOST_ROLL` only."""
    across = points[_LEFT_CORNER] - points[_RIGHT_CORNER]
    roll = math.atan2(float(across[1]), float(across[0]))
    turn = max(-MOST_ROLL, min(MOST_ROLL, roll)) - roll
    if turn == 0.0:
        return points
    cos, sin = math.cos(turn), math.sin(turn)
    middle = points.mean(axis=0)
    return (points - middle) @ np.float32([[cos, sin], [-sin, cos]]) + middle


def named(values: Values) -> Mapping[str, float]:
    """(51,) in the order of `TAUGHT` → all 52 names in the order of `NAMES`, read-only."""
    whole = np.append(values, np.float32(0.0))[_PLACE]
    return MappingProxyType(dict(zip(NAMES, whole.tolist(), strict=True)))


def from_rest(raw: Values) -> Values:
    """Raw coefficients with the usual rest taken off, 0..1."""
    rest = resting()
    return np.clip((raw - rest) / (1 - rest), 0.0, 1.0)


@cache
def card() -> Mapping[str, Any]:
    """The model card, ``models/blendshapes.toml``."""
    return tomllib.loads((assets.folder("models") / "blendshapes.toml").read_text("utf-8"))


@cache
def resting() -> Values:
    """(51,) what the net says of a resting face, in the order of `TAUGHT`."""
    names = card()["output"]["blendshapes"]["names"]
    assert tuple(row["name"] for row in names) == TAUGHT, "blendshapes.toml and arkit.py differ"
    return freeze(np.array([row["rest"] for row in names], np.float32))
