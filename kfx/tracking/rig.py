"""The rig: moves any face by ARKit coefficients, its own shape and pose kept.

``rig.npz`` holds what each blendshape does to the 478 landmarks in canonical iod units, learned
from tracked footage (models/training/rig.py). ``learned`` is false for the few that MediaPipe's
net never says (cheek, nose, jawForward): those are made by hand, and nothing reads them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import assets
from kfx.canonical import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS
from kfx.tracking.arkit import NAMES
from kfx.types import Face, Landmarks, freeze

_LIDS = [(lids[k], lids[16 - k]) for lids in (RIGHT_LIDS, LEFT_LIDS) for k in range(1, 8)]
_LIPS = [(INNER_LIPS[k], INNER_LIPS[20 - k]) for k in range(1, 10)]
_UPPER, _LOWER = np.array([*_LIDS, *_LIPS]).T
LARGEST = 2.0  # a coefficient may be pushed past 1 so far: past human


@dataclass(frozen=True)
class Rig:
    """`displacements` (52, 478, 3) in canonical iod for coefficient 1, in the order of `NAMES`."""

    displacements: npt.NDArray[np.float32]
    learned: npt.NDArray[np.bool_]  # (52,)

    def change(
        self, coefficients: Mapping[str, float], own: Mapping[str, float] | None = None
    ) -> Landmarks:
        """What to add to canonical landmarks (478, 3) to get from `own` to `coefficients`, in iod.

        A name missing in `coefficients` stays as it is in `own`; one missing in `own` is 0.
        """
        own = own or {}
        now = [own.get(name, 0.0) for name in NAMES]
        wanted = [coefficients.get(name, at) for name, at in zip(NAMES, now, strict=True)]
        steps = _bounded(wanted) - _bounded(now)
        flat = self.displacements.reshape(len(NAMES), -1)
        change: Landmarks = (steps @ flat).reshape(-1, 3)
        return change

    def pose(
        self,
        face: Face,
        coefficients: Mapping[str, float],
        own: Mapping[str, float] | None = None,
    ) -> Landmarks:
        """The landmarks (478, 3) of `face`, in its pixels, with other `coefficients` on it.

        `own` is what the face does now, default `face.blendshapes`. Asked for these it doesn't
        move at all. Coefficients −2..2 count, NaN is 0.
        """
        change = self.change(coefficients, face.blendshapes if own is None else own)
        linear = face.pose[:3, :3]
        size2 = float((linear[:, 1] ** 2).sum())
        if not change.any() or not 0.0 < size2 < np.inf:
            return face.landmarks.copy()
        gap = (face.landmarks[_LOWER] - face.landmarks[_UPPER]) @ linear[:, 1] / np.float32(size2)
        return (face.landmarks + _closed(gap, change) @ linear.T).astype(np.float32)


def _closed(gap: npt.NDArray[np.float32], change: Landmarks) -> Landmarks:
    """`change`, with lids and lips that would pass through one another meeting instead.

    `gap` is how far each pair is open now, in iod; how far eyes are open differs from face to
    face, what closes them doesn't.
    """
    driven = gap + change[_LOWER, 1] - change[_UPPER, 1]
    over = np.maximum(0.0, np.minimum(gap, 0.0) - driven)
    if not over.any():
        return change
    change = change.copy()
    change[_UPPER, 1] -= over / 2
    change[_LOWER, 1] += over / 2
    return change


@cache
def rig() -> Rig:
    """The rig that comes with kfx, read once."""
    with np.load(assets.folder("models") / "rig.npz") as data:
        assert tuple(data["names"].tolist()) == NAMES, "rig.npz and arkit.py differ"
        displacements = data["displacements"].astype(np.float32)
        return Rig(freeze(displacements), freeze(data["learned"]))


def _bounded(coefficients: list[float]) -> npt.NDArray[np.float32]:
    """NaN is 0, the rest is kept within ±`LARGEST`."""
    values = np.nan_to_num(np.array(coefficients, np.float32), posinf=LARGEST, neginf=-LARGEST)
    return np.clip(values, -LARGEST, LARGEST)
