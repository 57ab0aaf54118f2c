"""Geometry of a face on screen: the mesh, fading outer rings for the warp, boxes."""

from __future__ import annotations

import math
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
_LIDS = (np.array(c.RIGHT_LIDS), np.array(c.LEFT_LIDS))
_ROUND = np.arange(len(_OVAL))
_FAR = np.array([distance for distance, _ in RINGS])[:, None, None]
_SHARES = np.array([share for _, share in RINGS], np.float32)[:, None, None]


@cache
def skin_triangles() -> Triangles:
    """(898, 3): skin, lips, and the filled eyes and mouth."""
    mesh = c.canonical()
    parts = [mesh.triangles, mesh.eye_triangles, mesh.mouth_triangles]
    return freeze(np.concatenate(parts).astype(np.uint32))


@cache
def lip_triangles() -> Triangles:
    """The mesh triangles all of whose corners are lip landmarks between the two contours."""
    triangles = c.canonical().triangles
    shape = c.canonical().vertices
    outer = shape[list(c.OUTER_LIPS), :2]
    centres = shape[triangles].mean(axis=1)[:, :2]
    inside = np.array([_inside(point, outer) for point in centres])
    return freeze(triangles[inside].astype(np.uint32))


@cache
def bare() -> npt.NDArray[np.bool_]:
    """(898,) which of `skin_triangles` aren't lips, eyes or mouth."""
    mesh = c.canonical()
    parts = [lip_triangles(), mesh.eye_triangles, mesh.mouth_triangles]
    corners = {frozenset(one) for part in parts for one in part.tolist()}
    return freeze(np.array([frozenset(one) not in corners for one in skin_triangles().tolist()]))


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


def with_rings(points: Landmarks, driven: Landmarks, iod: float) -> Array:
    """(2, 622, 3): source and driven positions of mesh and rings; the outermost ring stays put."""
    count, width = len(points), len(_OVAL)
    both = np.empty((2, count + width * len(RINGS), 3), np.float32)
    both[0, :count], both[1, :count] = points, driven
    oval = points.take(_OVAL, axis=0)
    out = oval[:, :2] - points[:468, :2].mean(axis=0)
    out /= np.maximum(np.sqrt((out * out).sum(axis=1, keepdims=True)), 1e-6)
    change = driven.take(_OVAL, axis=0) - oval
    # The motion that fades outwards is smoothed round the oval, or it would leave spokes.
    before, after = change.take(_ROUND - 1, axis=0), change.take(_ROUND + 1, axis=0, mode="wrap")
    change = (before + 2 * change + after) / 4
    rings, moved = both[:, count:].reshape(2, len(RINGS), width, 3)
    away = (_FAR * iod).astype(np.float32)
    rings[:] = oval
    rings[..., :2] += out * away
    rings[..., 2:] += np.float32(0.5) * away
    np.add(rings, _SHARES * change, out=moved)
    return both


def signed_areas(points: Array, triangles: Triangles) -> Array:
    """Twice the area of each triangle on screen, positive where it faces the camera."""
    # `mode` saves a check of each index, which takes longer than all the rest.
    (ax, bx, dx), (ay, by, dy) = np.ascontiguousarray(points.T[:2]).take(
        triangles.T, axis=1, mode="clip"
    )
    return np.asarray((bx - ax) * (dy - ay) - (by - ay) * (dx - ax))


def box_of(points: Array, margin_px: float, size: tuple[int, int]) -> Box | None:
    """The box (bottom left origin) around points given with y down; None when off the frame."""
    width, height = size
    flat = np.ascontiguousarray(points.T[:2])
    (left, top), (right, bottom) = flat.min(axis=1).tolist(), flat.max(axis=1).tolist()
    x0 = math.floor(max(0.0, left - margin_px))
    x1 = math.ceil(min(float(width), right + margin_px))
    y0 = math.floor(max(0.0, top - margin_px))
    y1 = math.ceil(min(float(height), bottom + margin_px))
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
    points = face.landmarks
    parts = [points.take(lids, axis=0) for lids in _LIDS] if region == "eyes" else [points[:468]]
    boxes = [box_of(part, margin_iod * face.iod + 2.0, size) for part in parts]
    return [box for box in boxes if box is not None]


def _inside(point: Array, polygon: Array) -> bool:
    """Even-odd rule."""
    a, b = polygon, np.roll(polygon, -1, 0)
    crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        x = a[:, 0] + (point[1] - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return bool((crosses & (point[0] < x)).sum() % 2)
