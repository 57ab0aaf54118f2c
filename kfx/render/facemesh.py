"""Geometry of a face on screen: the mesh, fading outer rings for the warp, boxes."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.render.gpu import Box
from kfx.types import Face, Landmarks, freeze

Array = npt.NDArray[np.float32]
Triangles = npt.NDArray[np.uint32]

RINGS = ((0.08, 0.86), (0.17, 0.56), (0.27, 0.20), (0.38, 0.0))
"""Each outer ring's distance from the face's oval in iod, and its share of the oval's motion."""

_OVAL = np.array(c.OVAL)


@cache
def skin_triangles() -> Triangles:
    """(898, 3): skin, lips, and the filled eyes and mouth."""
    mesh = c.canonical()
    parts = [mesh.triangles, mesh.eye_triangles, mesh.mouth_triangles]
    return freeze(np.concatenate(parts).astype(np.uint32))


@cache
def ring_triangles() -> Triangles:
    """Triangles between the oval and the rings, which are numbered from 478 on."""
    rings = [_OVAL] + [478 + 36 * k + np.arange(36) for k in range(len(RINGS))]
    triangles = []
    for inner, outer in pairwise(rings):
        for i in range(36):
            j = (i + 1) % 36
            triangles += [(inner[i], outer[i], outer[j]), (inner[i], outer[j], inner[j])]
    return freeze(np.array(triangles, np.uint32))


def with_rings(points: Landmarks, driven: Landmarks, iod: float) -> tuple[Array, Array]:
    """Source and driven positions (622, 3) of mesh and rings; the outermost ring stays put."""
    oval = points[_OVAL]
    out = oval[:, :2] - points[:468, :2].mean(axis=0)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    change = driven[_OVAL] - oval
    # The motion that fades outwards is smoothed round the oval, or it would leave spokes.
    change = (np.roll(change, 1, 0) + 2 * change + np.roll(change, -1, 0)) / 4
    source, moved = [points], [driven]
    for distance, share in RINGS:
        ring = oval.copy()
        ring[:, :2] += out * np.float32(distance * iod)
        ring[:, 2] += np.float32(0.5 * distance * iod)
        source.append(ring)
        moved.append(ring + np.float32(share) * change)
    return np.concatenate(source), np.concatenate(moved)


def signed_areas(points: Array, triangles: Triangles) -> Array:
    """Twice the area of each triangle on screen, positive where it faces the camera."""
    a, b, d = (points[triangles[:, i], :2] for i in range(3))
    return (b[:, 0] - a[:, 0]) * (d[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (d[:, 0] - a[:, 0])


def box_of(points: Array, margin_px: float, size: tuple[int, int]) -> Box | None:
    """The box (bottom left origin) around points given with y down; None when off the frame."""
    width, height = size
    x0 = int(np.floor(max(0.0, float(points[:, 0].min()) - margin_px)))
    x1 = int(np.ceil(min(float(width), float(points[:, 0].max()) + margin_px)))
    y0 = int(np.floor(max(0.0, float(points[:, 1].min()) - margin_px)))
    y1 = int(np.ceil(min(float(height), float(points[:, 1].max()) + margin_px)))
    if x1 <= x0 or y1 <= y0:
        return None
    return x0, height - y1, x1 - x0, y1 - y0


def wider(box: Box, by_px: int, size: tuple[int, int]) -> Box:
    """The box with so many pixels round it that lie in the frame."""
    x0, y0 = max(0, box[0] - by_px), max(0, box[1] - by_px)
    x1, y1 = (min(size[i], box[i] + box[2 + i] + by_px) for i in (0, 1))
    return x0, y0, x1 - x0, y1 - y0


def union(boxes: list[Box]) -> Box | None:
    """The smallest box around all."""
    if not boxes:
        return None
    x0 = min(b[0] for b in boxes)
    y0 = min(b[1] for b in boxes)
    x1 = max(b[0] + b[2] for b in boxes)
    y1 = max(b[1] + b[3] for b in boxes)
    return x0, y0, x1 - x0, y1 - y0


def apart(boxes: list[Box]) -> list[Box]:
    """The same area in boxes none of which overlaps another."""
    done: list[Box] = []
    for box in boxes:
        pieces = [box]
        for other in done:
            pieces = [left for piece in pieces for left in _without(piece, other)]
        done += pieces
    return done


def _without(box: Box, other: Box) -> list[Box]:
    """What is left of `box`: below and above the other one, left and right of it."""
    if not overlap(box, other):
        return [box]
    x0, y0, x1, y1 = box[0], box[1], box[0] + box[2], box[1] + box[3]
    low, high = max(y0, other[1]), min(y1, other[1] + other[3])
    left, right = max(x0, other[0]), min(x1, other[0] + other[2])
    edges = ((x0, y0, x1, low), (x0, high, x1, y1), (x0, low, left, high), (right, low, x1, high))
    return [(a, b, d - a, e - b) for a, b, d, e in edges if d > a and e > b]


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def region_boxes(
    face: Face, region: str, margin_iod: float, size: tuple[int, int], eyes_iod: float = 0.0
) -> list[Box]:
    """Where a shader of `region` ("face", or "eyes": two boxes) may draw for one face.

    With `eyes_iod` the face's box also holds so much round the eyes.
    """
    if eyes_iod and region == "face":
        parts = ((region, margin_iod), ("eyes", eyes_iod))
        whole = union([box for one in parts for box in region_boxes(face, *one, size)])
        return [] if whole is None else [whole]
    parts = [list(c.RIGHT_LIDS), list(c.LEFT_LIDS)] if region == "eyes" else [slice(0, 468)]
    boxes = [
        box_of(face.landmarks[part], margin_iod * face.iod + 2.0, size)  # type: ignore[index]
        for part in parts
    ]
    return [box for box in boxes if box is not None]
