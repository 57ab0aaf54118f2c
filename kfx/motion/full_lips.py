"""Keeps the flesh of lips that are driven apart, and the skin around them free of folds."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.types import Landmarks, freeze

LEAST = 0.62  # of its thickness a lip keeps
REACH_IOD = 0.24  # over which the skin around goes with the lips
_INNER, _OUTER = np.array(c.INNER_LIPS), np.array(c.OUTER_LIPS)


def full_lips(shape: Landmarks, driven: Landmarks) -> Landmarks:
    """`driven`, both canonical iod, with no lip thinner than `LEAST` of what it is in `shape`.

    Displacements that add up take lips across the skin beside them; that goes along here, and
    what has to give way lies on cheeks and chin.
    """
    own = shape[_OUTER] - shape[_INNER]
    thick = np.linalg.norm(own, axis=1, keepdims=True)
    way = own / np.maximum(thick, 1e-6)
    now = ((driven[_OUTER] - driven[_INNER]) * way).sum(axis=1, keepdims=True)
    change = driven - shape
    change[_OUTER] += np.maximum(0.0, LEAST * thick - now) * way
    spread, share = _around()
    change += share * (spread @ change[_OUTER] - change)
    result: Landmarks = (shape + change).astype(np.float32)
    return result


@cache
def _around() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(478, 20) the outer lip points nearest to each point, (478, 1) how far it goes with them."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, _OUTER], axis=2)
    kernel = np.exp(-((away / (REACH_IOD / 3)) ** 2)) + 1e-9
    share = np.exp(-((away.min(axis=1) / REACH_IOD) ** 2))
    nose = np.array([2, 97, 326, 98, 327, 1, 4])
    free = np.linalg.norm(shape[:, None] - shape[None, nose], axis=2).min(axis=1)
    share *= np.clip(free / 0.25, 0.0, 1.0)
    # Flesh between the contours moves as it is driven.
    ring = np.linalg.norm(shape[:, None] - shape[None, _INNER], axis=2).min(axis=1)
    inside = (ring < away.min(axis=1)) | np.isin(np.arange(478), np.concatenate([_INNER, _OUTER]))
    share[inside] = 0.0
    spread = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return freeze(spread), freeze(share.astype(np.float32)[:, None])
