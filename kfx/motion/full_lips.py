"""Keeps the flesh of lips that are driven apart: displacements that add up would squash it."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.types import Landmarks, freeze

LEAST = 0.62  # of its thickness a lip keeps
REACH_IOD = 0.3  # over which the skin behind gives way
_INNER, _OUTER = np.array(c.INNER_LIPS), np.array(c.OUTER_LIPS)


def full_lips(shape: Landmarks, driven: Landmarks) -> Landmarks:
    """`driven` with no lip thinner than `LEAST` of what it is in `shape`; both canonical iod."""
    own = shape[_OUTER] - shape[_INNER]
    thick = np.linalg.norm(own, axis=1, keepdims=True)
    way = own / np.maximum(thick, 1e-6)
    now = ((driven[_OUTER] - driven[_INNER]) * way).sum(axis=1, keepdims=True)
    lack = np.maximum(0.0, LEAST * thick - now)
    if not lack.any():
        return driven
    result: Landmarks = (driven + _behind() @ (lack * way)).astype(np.float32)
    return result


@cache
def _behind() -> npt.NDArray[np.float32]:
    """(478, 20) how far each outer lip point takes the skin along; inner lips stay."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, _OUTER], axis=2)
    near = np.exp(-((away.min(axis=1, keepdims=True) / REACH_IOD) ** 2))
    kernel = np.exp(-((away / (REACH_IOD / 2)) ** 2))
    weights = kernel / np.maximum(kernel.sum(axis=1, keepdims=True), 1e-9) * near
    # Flesh between both contours goes along, what is inside the mouth doesn't.
    inside = np.linalg.norm(shape[:, None] - shape[None, _INNER], axis=2).min(axis=1)
    weights *= np.clip(inside / 0.06, 0.0, 1.0)[:, None]
    weights[_OUTER] = np.eye(20)
    weights[_INNER] = 0.0
    return freeze(weights.astype(np.float32))
