"""Geometry of held faces: bands of lips and lids, what is hidden, how softly a face is set in."""

from __future__ import annotations

from functools import cache

import numpy as np

from kfx import canonical as c
from kfx.render import facemesh, gbuffer_mesh
from kfx.render.still import View
from kfx.types import Face, freeze

FEATHER_IOD = 0.16  # a face set into a live frame comes in over so much inside its oval
TURNED = (0.95, 0.9)  # cosines between which a profile's edge comes to be softened
GRID = (48, 27)  # cells of a picture that flows
STANDS_PX = 0.1  # a cell that flows less is left where it is
SEEN = 0.004  # less cover than that can't be seen
AROUND = ((-0.14, 0), (0, 1), (0.2, 1), (0.45, 1), (0.75, 0.95), (1.1, 0.6), (1.4, 0))
"""Rings of hair and neck: the distance from the oval in iod, and how opaque they are there."""
_OVAL = np.array(c.OVAL)
_INNER = np.array(c.INNER_LIPS)
_UPPER = np.arange(20) < 10
ACROSS = np.array([0, *range(19, 10, -1), 10, *range(9, 0, -1)])
"""The point on the other lip."""


def taken(
    points: facemesh.Array,
    view: View,
    flow: facemesh.Array | None = None,
    size: tuple[int, int] = (0, 0),
) -> facemesh.Array:
    """Points of a frame of `size`, in pixels of the still that `view` shows, moved by `flow`."""
    scale, x, y = view
    source = ((points - np.float32([x, y])) / np.float32(scale)).astype(np.float32)
    if flow is None:
        return source
    coarse = np.float32([flow.shape[1] / size[0], flow.shape[0] / size[1]])
    at = np.clip(source * coarse - 0.5, 0.0, [flow.shape[1] - 1.0, flow.shape[0] - 1.0])
    low = np.minimum(at.astype(int), [flow.shape[1] - 2, flow.shape[0] - 2])
    f = (at - low).astype(np.float32)
    (x0, y0), (fx, fy) = low.T, f[:, :, None].transpose(1, 0, 2)
    above = flow[y0, x0] * (1 - fx) + flow[y0, x0 + 1] * fx
    below = flow[y0 + 1, x0] * (1 - fx) + flow[y0 + 1, x0 + 1] * fx
    return np.asarray(source - (above * (1 - fy) + below * fy), np.float32)


@cache
def grid(size: tuple[int, int]) -> tuple[facemesh.Array, facemesh.Triangles]:
    """Vertices (n, 2) and triangles over a frame of `size`."""
    columns, rows = GRID
    x, y = np.meshgrid(np.linspace(0, size[0], columns + 1), np.linspace(0, size[1], rows + 1))
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).reshape(-1, 1)
    down = columns + 1
    mesh = np.concatenate([first + [0, 1, down], first + [1, down + 1, down]], axis=1)
    corners = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    return freeze(corners), freeze(mesh.reshape(-1, 3).astype(np.uint32))


def flowing(
    position: facemesh.Array, source: facemesh.Array, mesh: facemesh.Triangles
) -> facemesh.Triangles:
    """The triangles of `grid` of which a corner moves."""
    moves = np.abs(position - source).max(axis=1) > STANDS_PX
    return mesh[moves[mesh].any(axis=1)]


def band(lips: facemesh.Array, inwards: facemesh.Array, wide: float) -> facemesh.Array:
    """(40, 2): the contour moved out into the lips, then in by a share of the opening.

    `wide` is the softness as a share of the mouth's width.
    """
    across = (lips[ACROSS] - lips) * inwards
    along = (lips[10] - lips[0]) * np.float32(wide)
    up = np.float32([along[1], -along[0]])
    out = np.where(_UPPER[:, None], up, -up) * np.float32(0.6)
    across[0], across[10] = 1.5 * along, -1.5 * along
    out[0], out[10] = -0.6 * along, 0.6 * along
    return np.concatenate([lips + out, lips + across]).astype(np.float32)


@cache
def mouth_cover() -> facemesh.Array:
    """(40,) nothing outside, all inside, little in the corners."""
    inner = np.ones(20, np.float32)
    inner[[0, 10]] = 0.0
    inner[[1, 9, 11, 19]] = 0.7
    return np.concatenate([np.zeros(20, np.float32), inner])


@cache
def strip_mesh() -> facemesh.Triangles:
    """Two rows of quads between three rows of nine vertices."""
    first = [9 * row + k for row in (0, 1) for k in range(8)]
    return np.array([t for i in first for t in ((i, i + 1, i + 10), (i, i + 10, i + 9))], np.uint32)


@cache
def mouth_mesh() -> facemesh.Triangles:
    """A soft rim of 20 quads and the filling between upper and lower lip."""
    triangles = []
    for i in range(20):
        j = (i + 1) % 20
        triangles += [(i, 20 + i, 20 + j), (i, 20 + j, j)]
    for k in range(10):
        a, b, d, e = k, k + 1, (20 - k) % 20, 19 - k
        triangles += [(20 + a, 20 + b, 20 + e)]
        triangles += [(20 + a, 20 + e, 20 + d)] if d != a else []
    return np.array(triangles, np.uint32)


def surround(points: facemesh.Array, iod: float) -> facemesh.Array:
    """(252, 2): seven rings around the oval of a face, the first just inside it."""
    oval = points[_OVAL, :2]
    out = oval - points[:468, :2].mean(axis=0)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    rings = [oval + np.float32(distance * iod) * out for distance, _ in AROUND]
    return np.concatenate(rings).astype(np.float32)


@cache
def surround_cover() -> tuple[facemesh.Array, facemesh.Triangles]:
    """(252,) how opaque the points of `surround` are, and its triangles."""
    cover = np.repeat(np.float32([share for _, share in AROUND]), 36)
    i = np.arange(36)
    j = (i + 1) % 36
    mesh = [
        np.stack([a + i, b + i, b + j, a + i, b + j, a + j], axis=1).reshape(-1, 3)
        for a, b in ((36 * k, 36 * k + 36) for k in range(len(AROUND) - 1))
    ]
    return freeze(cover), freeze(np.concatenate(mesh).astype(np.uint32))


@cache
def lip(count: int) -> facemesh.Array:
    """(count,) 1 for triangles of the lips, 0 for others, in the order of the skin's."""
    shape = c.canonical().vertices[:, :2]
    middle = shape[c.canonical().triangles].mean(axis=1)
    inside = [_encloses(shape[list(ring)], middle) for ring in (c.OUTER_LIPS, c.INNER_LIPS)]
    result = np.zeros(count, np.float32)
    result[: len(middle)] = inside[0] & ~inside[1]
    return result


def _encloses(ring: facemesh.Array, points: facemesh.Array) -> facemesh.Array:
    """(n,) whether the closed `ring` (m, 2) goes round each point: even-odd rule."""
    a, b = ring[None], np.roll(ring, -1, axis=0)[None]
    x, y = points[:, None, 0], points[:, None, 1]
    spans = (a[..., 1] > y) != (b[..., 1] > y)
    rise = np.where(spans, b[..., 1] - a[..., 1], 1.0)
    at = a[..., 0] + (y - a[..., 1]) * (b[..., 0] - a[..., 0]) / rise
    return np.asarray((spans & (x < at)).sum(axis=1) % 2 == 1)


@cache
def feather() -> facemesh.Array:
    """(478,) 0 on the oval, 1 from `FEATHER_IOD` inside."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, list(c.OVAL)], axis=2).min(axis=1)
    t = np.clip(away / FEATHER_IOD, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def seen(mesh: facemesh.Triangles, alpha: facemesh.Array) -> facemesh.Array:
    """(n,) whether anything of each triangle shows at this cover of its corners."""
    return _any_of(alpha > SEEN, mesh)


def bared(mesh: facemesh.Triangles, over: facemesh.Array) -> facemesh.Array:
    """(n,) whether anything of each triangle shows under what is laid over it."""
    return _any_of(over < 1.0 - SEEN, mesh)


def _any_of(corners: facemesh.Array, mesh: facemesh.Triangles) -> facemesh.Array:
    """(n,) whether a corner of each triangle is; three gathers are quicker than one and `any`."""
    found: facemesh.Array = corners[mesh[:, 0]] | corners[mesh[:, 1]] | corners[mesh[:, 2]]
    return found


def unhidden(face: Face) -> facemesh.Array | np.float32:
    """(478,) how well the skin is seen of a head that is turned; 1 of one that looks ahead."""
    ahead = float(face.pose[2, 2]) / max(face.iod, 1e-6)
    turned = np.clip((TURNED[0] - ahead) / (TURNED[0] - TURNED[1]), 0.0, 1.0)
    if not turned > 0.0:
        return np.float32(1.0)
    return np.asarray(1.0 - turned * (1.0 - gbuffer_mesh.facing(face)), np.float32)


def toned(
    tint: facemesh.Array | None, light: facemesh.Array | None, count: int
) -> facemesh.Array | None:
    """(count, 6) what light does to each vertex: `tint` of the still, `light` (478,) on the face.

    Rings around the face, behind the 478, have none.
    """
    if light is None and (tint is None or len(tint) == count):
        return tint
    tone = np.tile(np.float32([1, 1, 1, 0, 0, 0]), (count, 1))
    if tint is not None:
        tone[: len(tint), : tint.shape[1]] = tint
    if light is not None:
        tone[: len(light)] *= light[:, None]
    return tone
