"""Soft masks over the 478 landmarks: brows, eyes, mouth, jaw, each fading into the next."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.types import freeze

Mask = npt.NDArray[np.float32]

_GROUPS: dict[str, tuple[tuple[int, ...], float]] = {
    # name: landmarks, distance in iod over which the region fades
    "brow": (c.BROWS, 0.30),
    "eye": (c.RIGHT_LIDS + c.LEFT_LIDS + tuple(range(468, 478)), 0.16),
    "mouth": (c.OUTER_LIPS + c.INNER_LIPS, 0.30),
    "jaw": ((152, 148, 176, 149, 150, 377, 400, 378, 379, 18, 200, 199, 175), 0.45),
}


@cache
def masks() -> dict[str, Mask]:
    """Name → (478, 1) weights 0..1; at any landmark the weights of all regions sum to <= 1."""
    points = c.canonical().vertices
    raw = {}
    for name, (members, reach) in _GROUPS.items():
        gap = np.linalg.norm(points[:, None] - points[None, list(members)], axis=2).min(axis=1)
        raw[name] = np.clip(1.0 - gap / reach, 0.0, 1.0) ** 2 * 3 - (
            2 * np.clip(1.0 - gap / reach, 0.0, 1.0) ** 3
        )
    total = np.maximum(1.0, sum(raw.values()))
    return {
        name: freeze((weight / total).astype(np.float32)[:, None]) for name, weight in raw.items()
    }


@cache
def inside(reach: float = 0.3) -> Mask:
    """(478, 1) weights: 0 on the face's oval, 1 from `reach` iod inside it on."""
    points = c.canonical().vertices
    away = np.linalg.norm(points[:, None, :2] - points[None, list(c.OVAL), :2], axis=2)
    share = np.clip(away.min(axis=1) / reach, 0.0, 1.0)
    return freeze((share * share * (3.0 - 2.0 * share)).astype(np.float32)[:, None])


def pulled(pulls: Iterable[tuple[int, tuple[float, float], float]]) -> Mask:
    """(478, 3) displacements in iod of skin that is drawn at some landmarks.

    Each pull is a landmark, where it is drawn, and how far around that is felt.
    """
    points = c.canonical().vertices
    change = np.zeros_like(points)
    for point, way, reach in pulls:
        away = np.linalg.norm(points - points[point], axis=1, keepdims=True)
        change[:, :2] += np.exp(-((away / reach) ** 2)) * np.float32(way)
    return change
