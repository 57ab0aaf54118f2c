"""The linear modes of one performer's own expressions, learned from their range of motion."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.errors import KfxError
from kfx.tracking.depth import rigid_weights
from kfx.tracking.pose import RIGID
from kfx.types import Landmarks, freeze

MODES = 20
FEWEST = 300  # shapes: ten seconds at 30 a second
LEAST_MOVED_IOD = 0.006  # root mean square over the face; less is somebody who sits still
MOST_TURNED = 25.0  # degrees; the far side of a head that is turned more is a guess
NOISE_IOD = 0.02  # modes of a smaller deviation are trembling points
MOST_IOD = 40.0  # no mode of a face deviates so far

_RIGID = np.array(RIGID)

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Orthonormal `modes` (k, 1434) of 478 points in canonical iod, their deviations (k,)."""

    modes: Array
    sigma: Array


def learned(shapes: Sequence[Landmarks]) -> Basis:
    """From canonical shapes (478, 3) of a head that looks about ahead. Raises `KfxError`.

    Principal components of what differs from the median shape, without what a pose that was
    found a little wrong would explain: that is no expression. The mirror image of every shape
    is learned too, since a smile to one side is a smile to the other.
    """
    found = [shape for shape in shapes if np.isfinite(shape).all()]
    if len(found) < FEWEST:
        raise KfxError(
            f"calibration: {len(found)} frames look ahead, {FEWEST} are needed for a basis; record"
            " half a minute or more, facing the camera"
        )
    change = np.asarray(found, np.float32)
    rest = np.median(change, axis=0)
    change = _unmoved(change - rest, rest)
    if float(np.sqrt((change * change).mean())) < LEAST_MOVED_IOD:
        raise KfxError("calibration: the face hardly moves; show every expression you have")
    turned = change[:, c.canonical().mirror.astype(int)] * np.float32([-1, 1, 1])
    data = np.concatenate([change, turned]).reshape(-1, 478 * 3).astype(np.float64)
    values, vectors = np.linalg.eigh(data.T @ data / len(data))
    sigma = np.sqrt(np.maximum(values[::-1][:MODES], 0.0))
    count = max(1, int((sigma > NOISE_IOD).sum()))
    return Basis(
        freeze(vectors.T[::-1][:count].astype(np.float32)),
        freeze(sigma[:count].astype(np.float32)),
    )


def _unmoved(change: Array, rest: Array) -> Array:
    """Changes (n, 478, 3) less the small move, turn and growth that suits the rigid points best."""
    x, y, z = (rest - rest[_RIGID].mean(axis=0)).T.astype(np.float64)
    zero, one = np.zeros(478), np.ones(478)
    ways = np.array(
        [
            *((one, zero, zero), (zero, one, zero), (zero, zero, one)),
            *((zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z)),
        ]
    ).transpose(0, 2, 1)  # (7, 478, 3)
    weight = np.sqrt(rigid_weights())[:, None]
    seen = (ways[:, _RIGID] * weight).reshape(7, -1)
    share = np.linalg.lstsq(
        seen.T, (change[:, _RIGID] * weight).reshape(len(change), -1).T, rcond=None
    )[0]
    result: Array = (change - np.tensordot(share.T, ways, 1)).astype(np.float32)
    return result


def written(basis: Basis) -> dict[str, Any]:
    """What JSON can hold of it; `read` reads it again."""
    modes = base64.b64encode(basis.modes.astype("<f2").tobytes()).decode("ascii")
    return {"sigma_iod": [round(float(one), 6) for one in basis.sigma], "modes_f16": modes}


def read(table: Any) -> Basis:
    """Raises `ValueError`, `KeyError` or `TypeError` for what `written` didn't write."""
    sigma = np.asarray([float(one) for one in table["sigma_iod"]], np.float32)
    modes = np.frombuffer(base64.b64decode(table["modes_f16"], validate=True), "<f2")
    modes = modes.astype(np.float32).reshape(len(sigma), 478 * 3)
    if not 1 <= len(sigma) <= MODES or not ((sigma > 0.0) & (sigma < MOST_IOD)).all():
        raise ValueError("a basis of no deviation")
    if not np.isfinite(modes).all() or np.abs(np.linalg.norm(modes, axis=1) - 1.0).max() > 0.01:
        raise ValueError("a basis of no modes")
    return Basis(freeze(modes), freeze(sigma))
