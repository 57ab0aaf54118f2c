"""Geometry of an eye that looks elsewhere: the iris moves whole, the white around it gives way."""

from __future__ import annotations

from functools import cache

import numpy as np

from kfx import canonical as c
from kfx.render import facemesh
from kfx.types import freeze

LEAST_IOD = 0.004  # a smaller move isn't worth a draw
RING = 0.62  # of the way from the iris's centre to the lids everything moves as one
SHUT_IOD = (0.05, 0.11)  # an eye that shuts comes to look ahead: there is no room
EYES = ((c.RIGHT_LIDS, c.RIGHT_IRIS), (c.LEFT_LIDS, c.LEFT_IRIS))


def look(
    base: facemesh.Array,
    moved: facemesh.Array,
    source: facemesh.Array,
    lids: tuple[int, ...],
    iris: int,
    iod: float,
) -> tuple[facemesh.Array, facemesh.Array] | None:
    """Where an eye's filling is drawn, (33, 2), and what from; None if it looks where it did.

    `base` are landmarks as the picture shows them, `moved` as driven, `source` (n, 2) where they
    lie in the picture. The first sixteen are the lids, then a ring around the iris, its centre.
    """
    index = np.array(lids)
    gap = np.linalg.norm(moved[index[1:8], :2] - moved[index[15:8:-1], :2], axis=1).max()
    room = np.clip((gap / iod - SHUT_IOD[0]) / (SHUT_IOD[1] - SHUT_IOD[0]), 0.0, 1.0)
    shift = room * (moved[iris, :2] - _carried(base, moved, index, iris))
    if float(np.hypot(*shift)) < LEAST_IOD * iod:
        return None
    rim, centre = source[index], source[iris]
    from_ = np.concatenate([rim, centre + RING * (rim - centre), centre[None]])
    # The ring lies where the lids take it, and goes with the iris.
    rim = moved[index, :2]
    middle = _carried(base, moved, index, iris)
    position = np.concatenate([rim, middle + RING * (rim - middle) + shift, (middle + shift)[None]])
    return position.astype(np.float32), from_.astype(np.float32)


@cache
def mesh() -> facemesh.Triangles:
    """(48, 3) over what `look` gives."""
    triangles = []
    for i in range(16):
        j = (i + 1) % 16
        triangles += [(i, j, 16 + j), (i, 16 + j, 16 + i), (16 + i, 16 + j, 32)]
    return freeze(np.array(triangles, np.uint32))


def _carried(
    base: facemesh.Array, moved: facemesh.Array, index: facemesh.Array, iris: int
) -> facemesh.Array:
    """Where the lids alone take the iris: weights as in `kfx.motion.guard`."""
    away = np.linalg.norm(base[iris, :2] - base[index, :2], axis=1)
    weight = 1.0 / (away**2 + 1.0)
    change = (moved[index, :2] - base[index, :2]) * (weight / weight.sum())[:, None]
    return np.asarray(base[iris, :2] + change.sum(axis=0), np.float32)
