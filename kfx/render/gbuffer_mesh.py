"""Geometry of the face G-buffer: what each vertex is, once, and where it lies, every frame.

The vertices are the landmarks, the lips' once more, and the inner and outer rims of the bands that
soften the edges of lips, eyes and mouth. All but `FLOATS` numbers a vertex never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.render import facemesh
from kfx.types import LANDMARK_COUNT, Face, Landmarks, freeze

FEATHER_IOD = 0.16  # coverage rises from 0 at the oval to 1 so far inside
SKIN_EDGE_IOD = 0.035  # the skin mask does so much sooner
EDGE_PX = 1.5  # width over which a part mask fades
EDGE_PX_AT = {1.0: EDGE_PX, 0.5: 2.4, 0.4: 2.8}  # by the scale of an image
SHUT, OPEN = 0.07, 0.13  # area of an eye's opening over its width squared: 0.2 looks ahead
TURNED, FACING = 0.02, 0.35  # what turns away fades out between these z of the normal
RIM_IOD = 0.15  # so far inside the oval no triangle may turn away
BEND = 0.8  # how much of a change of expression the normals follow
NORMAL_MAP_PX = 256
FLOATS = 12  # position 3 · bend 3 · motion 2 · coverage, skin edge · openness · 1 spare

_SKIN, _LIPS, _EYE, _MOUTH = np.eye(4, dtype=np.float32)
_CONTOURS = (
    # contour, what lies outside its edge, what inside
    (c.OUTER_LIPS, _SKIN, _LIPS),
    (c.INNER_LIPS, _LIPS, _MOUTH),
    (c.RIGHT_LIDS, _SKIN, _EYE),
    (c.LEFT_LIDS, _SKIN, _EYE),
)
_NOSE = (4, 5, 195, 197, 6, 48, 278, 115, 344, 220, 440)


@dataclass(frozen=True)
class Layout:
    """What never changes: `landmark` (n,) of each vertex, `parts` where closed and where open."""

    landmark: facemesh.Triangles
    fixed: facemesh.Array  # (n, 10) uv, parts if shut, parts if open
    overlay: facemesh.Triangles  # lips, then the mouth, then the eyes, drawn over the skin
    rims: tuple[tuple[slice, int], ...]  # of each contour: its vertices, how many it has
    edges: facemesh.Array  # (n, 2) coverage and skin mask before turning is looked at


@cache
def layout() -> Layout:
    """The vertices and the triangles over the skin."""
    lips = np.unique(facemesh.lip_triangles())
    landmark = [np.arange(LANDMARK_COUNT), lips]
    shut = [np.tile(_SKIN, (LANDMARK_COUNT, 1)), np.tile(_LIPS, (len(lips), 1))]
    opened = list(shut)
    overlay = [LANDMARK_COUNT + np.searchsorted(lips, facemesh.lip_triangles())]
    rims = []
    count = LANDMARK_COUNT + len(lips)
    for contour, outside, inside in _CONTOURS:
        n = len(contour)
        landmark += [np.array(contour)] * 2
        shut.append(np.tile(outside, (2 * n, 1)))
        opened += [np.tile(outside, (n, 1)), np.tile(inside, (n, 1))]
        if contour is c.OUTER_LIPS:
            shut[-1][n:] = inside  # lips never close
        else:
            overlay.append(_fan(n) + count)
        i = np.arange(n)
        j = (i + 1) % n
        strip = np.concatenate([np.stack([i, n + i, n + j], 1), np.stack([i, n + j, j], 1)])
        overlay.append(strip + count)
        rims.append((slice(count, count + 2 * n), n))
        count += 2 * n
    index = np.concatenate(landmark).astype(np.uint32)
    fixed = np.hstack([c.canonical().uv[index], np.concatenate(shut), np.concatenate(opened)])
    edges = np.stack([_rise(FEATHER_IOD), _rise(SKIN_EDGE_IOD)], axis=1)[index]
    return Layout(
        freeze(index),
        freeze(np.ascontiguousarray(fixed, np.float32)),
        freeze(np.concatenate(overlay).astype(np.uint32)),
        tuple(rims),
        freeze(edges.astype(np.float32)),
    )


def drawn(
    face: Face,
    motion: facemesh.Array | None = None,
    *,
    bend: bool,
    edge_px: float = EDGE_PX,
    covered: bool = False,
) -> tuple[facemesh.Array, facemesh.Triangles]:
    """(n, `FLOATS`) of `layout`'s vertices, and the skin's triangles that face the camera.

    `motion` is (478, 2), or nothing has moved; normals follow the expression only if `bend`. If
    what lies under the overlay is `covered` by it, those triangles are left out.
    """
    one = layout()
    points = face.landmarks
    areas = _areas(points)
    table = np.zeros((LANDMARK_COUNT, FLOATS), np.float32)
    table[:, :3] = points
    normals = _normals(areas) * np.float32([1, -1, -1])
    if bend:
        table[:, 3:6] = np.float32(BEND) * (normals - _canonical_normals() @ turn(face).T)
    if motion is not None:
        table[:, 6:8] = motion
    table[:, 8:10] = _facing(face, areas, normals)[:, None]
    table[:, 10] = 1.0
    out = table[one.landmark]
    out[:, 8:10] *= one.edges
    spread = openness(points)
    rims = bands(points, np.float32(edge_px) * spread)
    for (where, n), start, apart in zip(one.rims, _starts()[0], spread, strict=True):
        out[where.start : where.start + n, :3] = rims[0, start : start + n]
        out[where.start + n : where.stop, :3] = rims[1, start : start + n]
        out[where.start + n : where.stop, 10] = apart
    shown = areas[2] > 0
    return out, facemesh.skin_triangles()[shown & facemesh.bare() if covered else shown]


def bands(points: Landmarks, widths_px: facemesh.Array) -> facemesh.Array:
    """(2, m, 3): all contours moved out and in by half of each one's width along its normals,
    so that a mask drawn over the band fades across the edge."""
    index, before, after, group = _neighbours()
    starts, counts = _starts()
    flat = np.ascontiguousarray(points[:, :2].T)
    loop = flat.take(index, axis=1, mode="clip")
    along = flat.take(after, axis=1, mode="clip") - flat.take(before, axis=1, mode="clip")
    along /= np.maximum(np.sqrt(along[0] * along[0] + along[1] * along[1]), np.float32(1e-6))
    centre = np.add.reduceat(loop, starts, axis=1) / counts
    # Outwards whichever way round the contour runs.
    away = loop - centre.take(group, axis=1, mode="clip")
    sides = np.add.reduceat(away[0] * along[1] - away[1] * along[0], starts)
    half = np.where(sides < 0, widths_px * -0.5, widths_px * 0.5).take(group, mode="clip")
    out = np.empty((2, len(index), 3), np.float32)
    out[:] = points.take(index, axis=0, mode="clip")
    shift = along * half
    out[0, :, 0] += shift[1]
    out[0, :, 1] -= shift[0]
    out[1, :, 0] -= shift[1]
    out[1, :, 1] += shift[0]
    return out


@cache
def _neighbours() -> tuple[npt.NDArray[np.intp], ...]:
    """(m,) each: the landmarks of all contours, those before and after them, the contour."""
    loops = [np.array(contour, np.intp) for contour, _, _ in _CONTOURS]
    groups = [np.full(len(loop), i, np.intp) for i, loop in enumerate(loops)]
    before, after = ([np.roll(loop, by) for loop in loops] for by in (1, -1))
    return tuple(freeze(np.concatenate(some)) for some in (loops, before, after, groups))


@cache
def _starts() -> tuple[facemesh.Triangles, facemesh.Array]:
    """Where each contour begins in `_neighbours`, and how many landmarks it has."""
    counts = [len(contour) for contour, _, _ in _CONTOURS]
    return freeze(np.cumsum([0, *counts[:-1]])), freeze(np.array(counts, np.float32))


def facing(face: Face) -> facemesh.Array:
    """(478,) 1 where the skin of `face` faces the camera, 0 where it turns away or is hidden."""
    areas = _areas(face.landmarks)
    return _facing(face, areas, _normals(areas) * np.float32([1, -1, -1]))


def _facing(face: Face, areas: facemesh.Array, normals: facemesh.Array) -> facemesh.Array:
    """(478,) 1 where the skin faces the camera, 0 where it turns away.

    A profile's edge isn't a cut-out. Near the oval any triangle counts, further in the smooth
    normal does, and a nose seen from the front stays whole: its far side ends on the cheek.
    """
    at, starts = _corners()
    size = np.sqrt((areas * areas).sum(axis=0))
    towards = areas[2] / np.maximum(size, 1e-9)
    rim, inside = np.ones(LANDMARK_COUNT, np.float32), normals[:, 2]
    rim[: len(starts)] = np.minimum.reduceat(towards.take(at, mode="clip"), starts)
    ahead = min(max((-float(turn(face)[2, 2]) - 0.6) / 0.25, 0.0), 1.0)
    inside = inside + (1.0 - inside) * (_near_nose() * np.float32(ahead))
    least = rim + (inside - rim) * _rise(2 * RIM_IOD)
    facing = (least - np.float32(TURNED)) * np.float32(1.0 / (FACING - TURNED))
    return np.minimum(np.maximum(facing, 0.0), 1.0)


@cache
def _near_nose() -> facemesh.Array:
    """(478,) 1 on the nose, 0 on the cheeks."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, list(_NOSE)], axis=2).min(axis=1)
    return freeze(np.clip((0.5 - away) / 0.25, 0.0, 1.0).astype(np.float32))


@cache
def _corners() -> tuple[facemesh.Triangles, facemesh.Triangles]:
    """The triangles at each landmark but the irises, which come last and have none: one landmark's
    after the other's, and where each one's begin."""
    triangles = facemesh.skin_triangles()
    at = [np.flatnonzero((triangles == i).any(axis=1)) for i in range(triangles.max() + 1)]
    starts = np.cumsum([0, *map(len, at[:-1])])
    return freeze(np.concatenate(at)), freeze(starts)


def turn(face: Face) -> facemesh.Array:
    """3×3: canonical directions (y down, z away) to the camera's with y up and z towards it."""
    linear = face.pose[:3, :3] / np.float32(max(face.iod, 1e-6))
    return np.asarray(linear * np.float32([[1], [-1], [-1]]), np.float32)


def openness(points: Landmarks) -> facemesh.Array:
    """(4,) of outer lips (always 1), inner lips, right and left lids: 0 shut, 1 open."""
    index, _, after, group = _neighbours()
    starts, _ = _starts()
    flat = np.ascontiguousarray(points[:, :2].T)
    first = flat.take(index[starts].take(group, mode="clip"), axis=1, mode="clip")
    here = flat.take(index, axis=1, mode="clip") - first
    there = flat.take(after, axis=1, mode="clip") - first
    area = np.abs(np.add.reduceat(here[0] * there[1] - here[1] * there[0], starts)) / 2
    span = np.maximum.reduceat(here, starts, axis=1) - np.minimum.reduceat(here, starts, axis=1)
    width = np.maximum(1.0, np.hypot(span[0], span[1]))
    apart_px = np.minimum(area / width / 2.0, 1.0)  # a mean gap of two pixels
    # The lids of a closed eye never quite meet in the landmarks.
    t = np.minimum(np.maximum((area / width**2 - SHUT) / (OPEN - SHUT), 0.0), 1.0)
    lids = apart_px * t * t * (3 - 2 * t)
    return np.asarray([1.0, apart_px[1], lids[2], lids[3]], np.float32)


@cache
def _rise(width_iod: float) -> facemesh.Array:
    """(478,) 0 on the oval and the folds before the ears, 1 from `width_iod` inside."""
    shape = c.canonical().vertices
    folds = facemesh.skin_triangles()[~_upright()].ravel()
    folds = folds[np.abs(shape[folds, 0]) > 0.8]  # not those at the corners of the mouth
    outside = np.union1d(folds, c.OVAL)
    away = np.linalg.norm(shape[:, None] - shape[None, outside], axis=2).min(axis=1)
    t = np.clip(away / width_iod, 0.0, 1.0)
    return freeze((t * t * (3 - 2 * t)).astype(np.float32))


@cache
def _upright() -> npt.NDArray[np.bool_]:
    """(triangles,) False where the mean face folds under itself."""
    shape = c.canonical().vertices
    outwards = shape[facemesh.skin_triangles()].mean(axis=1) - np.array([0.0, 0.45, 0.9])
    sides = np.sign((_areas(shape) * outwards.T).sum(axis=0))
    return freeze(sides == np.median(sides))


@cache
def _shares() -> facemesh.Array:
    """Of each triangle in `_corners`, its share in the normal of the landmark it lies at.

    Triangles that the mean face folds under its ears take no part.
    """
    at, starts = _corners()
    share = _upright()[at].astype(np.float32)
    whole = np.maximum(1e-9, np.add.reduceat(share, starts))
    return freeze(share / np.repeat(whole, np.diff([*starts, len(at)])))


@cache
def _joined() -> tuple[facemesh.Triangles, facemesh.Triangles, facemesh.Array]:
    """How each landmark's normal is smoothed with those beside it, the irises left out: the
    landmarks asked, where each one's begin, and their shares."""
    triangles = facemesh.skin_triangles()
    joined = np.eye(triangles.max() + 1)
    for i in range(3):
        joined[triangles[:, i], triangles[:, (i + 1) % 3]] = 0.5
        joined[triangles[:, (i + 1) % 3], triangles[:, i]] = 0.5
    joined /= joined.sum(axis=1, keepdims=True)
    row, beside = np.nonzero(joined)
    starts = np.searchsorted(row, np.arange(len(joined)))
    return freeze(beside), freeze(starts), freeze(joined[row, beside].astype(np.float32))


def _areas(points: facemesh.Array) -> facemesh.Array:
    """(3, triangles): the normal of each triangle, as long as twice its area."""
    # Indices aren't checked (`mode`): that would take longer than all the rest.
    corners = np.ascontiguousarray(points.T).take(_columns(), axis=1, mode="clip")
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.empty_like(u)
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        np.subtract(u[j] * v[k], u[k] * v[j], out=areas[i])
    return areas


@cache
def _columns() -> npt.NDArray[np.intp]:
    """(3, triangles): the landmarks of the triangles, corner by corner."""
    return freeze(np.ascontiguousarray(facemesh.skin_triangles().T, np.intp))


def _normals(areas: facemesh.Array) -> facemesh.Array:
    """(478, 3) smooth normals out of the face, given its triangles' `_areas`."""
    at, starts = _corners()
    around = areas.take(at, axis=1, mode="clip")  # indices aren't checked: half the time
    around *= _shares()
    normals = np.add.reduceat(around, starts, axis=1)
    beside, starts, share = _joined()
    around = normals.take(beside, axis=1, mode="clip")
    around *= share
    normals = np.add.reduceat(around, starts, axis=1)
    length = np.sqrt((normals * normals).sum(axis=0))
    out = np.zeros((LANDMARK_COUNT, 3), np.float32)
    np.multiply(normals.T, (_outward() / np.maximum(length, 1e-9))[:, None], out=out[: len(length)])
    return out


@cache
def _outward() -> np.float32:
    """The sign that makes normals of the mesh's triangles point out of the face."""
    at, starts = _corners()
    nose = (_areas(c.canonical().vertices)[:, at] * _shares())[:, starts[4] : starts[5]].sum(axis=1)
    return np.float32(-1.0 if nose[2] > 0 else 1.0)  # the camera is at -z


@cache
def _canonical_normals() -> facemesh.Array:
    return freeze(_normals(_areas(c.canonical().vertices)))


@cache
def normal_map() -> facemesh.Array:
    """(256, 256, 4): the canonical normal by UV, v = 0 in the first row.

    Interpolating between landmarks leaves each triangle's edges visible in anything shiny. Here
    they are smoothed away once, over a few texels, which the G-buffer then reads. (Half floats
    cost llvmpipe a fifth more.)
    """
    import cv2

    side = NORMAL_MAP_PX
    uv = c.canonical().uv * side - 0.5
    total = np.zeros((side, side, 4), np.float32)
    values = np.hstack([_canonical_normals(), np.ones((LANDMARK_COUNT, 1), np.float32)])
    for triangle in facemesh.skin_triangles():
        a, b, d = uv[triangle]
        low = np.maximum(0, np.floor(np.minimum(np.minimum(a, b), d))).astype(int)
        high = np.minimum(side - 1, np.ceil(np.maximum(np.maximum(a, b), d))).astype(int)
        y, x = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        whole = (b[0] - a[0]) * (d[1] - a[1]) - (b[1] - a[1]) * (d[0] - a[0])
        if abs(whole) < 1e-6:
            continue
        s = ((x - a[0]) * (d[1] - a[1]) - (y - a[1]) * (d[0] - a[0])) / whole
        t = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / whole
        inside = (s >= -1e-4) & (t >= -1e-4) & (s + t <= 1 + 1e-4)
        weights = np.stack([1 - s - t, s, t], axis=-1)[inside]
        total[y[inside], x[inside]] = weights @ values[triangle]
    fine = cv2.GaussianBlur(total, (0, 0), 2.2)
    wide = cv2.GaussianBlur(total, (0, 0), 12.0)  # goes on outside the oval
    mixed = fine + 1e-3 * wide + 1e-9 * np.float32([0, 0, -1, 1])
    mixed[..., :3] /= np.maximum(np.linalg.norm(mixed[..., :3], axis=2, keepdims=True), 1e-9)
    return freeze(mixed.astype(np.float32))


def motion_of(face: Face, before: Landmarks | None, jump_iod: float) -> facemesh.Array:
    """(478, 2) pixels since the frame before, y up; 0 for a face that is new or has jumped."""
    if before is None:
        return np.zeros((LANDMARK_COUNT, 2), np.float32)
    motion = (face.landmarks[:, :2] - before[:, :2]) * np.float32([1, -1])
    if float(np.abs(motion.mean(axis=0)).max()) > jump_iod * face.iod:
        return np.zeros_like(motion)
    return motion


@cache
def _fan(n: int) -> facemesh.Triangles:
    """Fills the inner rim of a contour band (vertices n..2n-1) between its two chains."""
    half = n // 2
    triangles = []
    for k in range(half):
        a, b = k, k + 1
        d, e = (n - k) % n, n - k - 1
        triangles += [(a, b, e)] if a == d else [(a, b, e), (a, e, d)]
    return freeze((np.array(triangles) + n).astype(np.uint32))
