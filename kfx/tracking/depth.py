"""Depth of FaceMesh's landmarks, made to agree with where they lie in the picture.

FaceMesh guesses z, and guesses heads less turned than x and y show them: by a sixth on the drawn
performer, by about a twelfth on film. So the turn is taken from x and y alone (scaled orthography,
least squares by Gauss and Newton from the turn that z suggests, which also says which way round),
and z is bent to it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx.canonical import RIGID, canonical
from kfx.tracking import pose as poses
from kfx.tracking.pose import Rows
from kfx.types import Landmarks

Array = npt.NDArray[np.float64]
STEPS = 4
SURE = 1e-3  # rad: a smaller step ends the search, what is left is its square
FARTHEST = math.radians(30.0)  # from the turn that z suggests
OWN = 0.003  # iod²: how strongly z keeps to what it was where the picture doesn't say
_RIGID = np.array(RIGID)
# Foreheads differ most from face to face and the nose stands out most: it tells a turn best.
_FOREHEAD, _NOSE = (10, 151, 9, 109, 338, 67, 297, 54, 284, 21, 251), (4, 1, 5, 2, 195, 197)


class Model:
    """The rigid points (n, 3) of a face in iod, and what is known of them beforehand."""

    def __init__(self, points: Array) -> None:
        weights = rigid_weights()
        self.points = points - weights @ points  # about their mean by weight
        weighted = self.points * weights[:, None]
        self.spread = _rows(self.points.T @ weighted)
        # Of what is seen, (n, 3): Σ w·seen·modelᵀ, the mean by weight, and the same for the pose
        # that z takes part in.
        self.meets = np.concatenate([weighted, weights[:, None], poses.meets()], axis=1)


@cache
def rigid_weights() -> Array:
    """(n,) of the rigid points, 1 in all."""
    weights = np.array([0.3 if i in _FOREHEAD else 2.0 if i in _NOSE else 1.0 for i in RIGID])
    return weights / weights.sum()


@cache
def _centre() -> Array:
    """Where the weighted mean of the canonical rigid points is."""
    return rigid_weights() @ canonical().vertices[_RIGID].astype(np.float64)


@cache
def canonical_model() -> Model:
    return Model(canonical().vertices[_RIGID].astype(np.float64))


def turn(points: Array, model: Model, begin: Array) -> tuple[Array, float]:
    """3×3 rotation and size of `model` by x and y (n, 2) of the rigid points, about of its size.

    `begin` is a rotation near by: which way round a face is turned, x and y don't tell.
    """
    met = np.zeros((3, 3))
    met[:2] = points.T @ model.meets[:, :3]
    rows, size = _turned(model, met, _rows(begin), 1.0)
    return np.array(rows), size


def _turned(model: Model, met: Array, start: Rows, begin: float) -> tuple[Rows, float]:
    """Rows of the rotation, and the size, from where to start; `met` (3, …) is the landmarks'
    x, y, z · `meets`."""
    begin = max(poses.LEAST_SCALE, begin)
    # Least squares need only sums over the points, and few enough to go through them by hand:
    # NumPy takes a microsecond for each of its calls, however small the matrices.
    c0, c1, c2 = model.spread
    (mx0, mx1, mx2, *_), (my0, my1, my2, *_), _ = met.tolist()
    whole = c0[0] + c1[1] + c2[2]
    rows, size = start, begin
    for _ in range(STEPS):
        (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = rows
        # The spread of the turned points: xx, xy, … are sums over them.
        a = c0[0] * x0 + c0[1] * x1 + c0[2] * x2
        b = c1[0] * x0 + c1[1] * x1 + c1[2] * x2
        c = c2[0] * x0 + c2[1] * x1 + c2[2] * x2
        xx, xz = x0 * a + x1 * b + x2 * c, z0 * a + z1 * b + z2 * c
        a = c0[0] * z0 + c0[1] * z1 + c0[2] * z2
        b = c1[0] * z0 + c1[1] * z1 + c1[2] * z2
        c = c2[0] * z0 + c2[1] * z1 + c2[2] * z2
        yz, zz = y0 * a + y1 * b + y2 * c, z0 * a + z1 * b + z2 * c
        yy = whole - xx - zz
        # The unknown are a turn about each axis and the size, and x and y change with them by
        # (0, -size·z), (size·z, 0), (-size·y, size·x), (x, y). What is off, against these:
        by_x = size * (size * yz - (my0 * z0 + my1 * z1 + my2 * z2))
        by_y = size * (mx0 * z0 + mx1 * z1 + mx2 * z2 - size * xz)
        by_z = size * (my0 * x0 + my1 * x1 + my2 * x2 - (mx0 * y0 + mx1 * y1 + mx2 * y2))
        grow = mx0 * x0 + mx1 * x1 + mx2 * x2 + my0 * y0 + my1 * y1 + my2 * y2
        grow -= size * (xx + yy)
        # The normal equations, x and y eliminated; what is left is diagonal.
        square, both = size * size, xx + yy
        damp = 1e-9 * (2 * square * zz + square * both + both + 1e-12)
        deep = square * zz + damp
        lean = square * both + damp - square * square * (xz * xz + yz * yz) / deep
        wide = both + damp - square * (xz * xz + yz * yz) / deep
        if not (deep > 0.0 and lean > 0.0 and wide > 0.0):
            return start, begin
        about_z = (by_z + square * (xz * by_x + yz * by_y) / deep) / lean
        larger = (grow + size * (yz * by_x - xz * by_y) / deep) / wide
        about_x = (by_x + square * xz * about_z + size * yz * larger) / deep
        about_y = (by_y + square * yz * about_z - size * xz * larger) / deep
        longest = max(abs(about_x), abs(about_y), abs(about_z))
        if not (longest <= FARTHEST and math.isfinite(larger)):
            return start, begin
        rows = _turn_by(about_x, about_y, about_z, rows)
        size = max(poses.LEAST_SCALE, size + larger)
        if longest < SURE:
            break
    trace = sum(a[k] * b[k] for a, b in zip(rows, start, strict=True) for k in range(3))
    return (rows, size) if trace > 1 + 2 * math.cos(FARTHEST) else (start, begin)


def agreeing(landmarks: Landmarks) -> Landmarks:
    """Landmarks (478, 3) in pixels, x and y as they are, z as the turn they show asks for.

    z becomes the mix of x, y and z that lies nearest to the turned canonical face on the
    rigid points: whatever shape FaceMesh saw stays, turned a little farther. Points that are not
    finite, or all on one spot, come back unchanged.
    """
    return laid(landmarks, canonical_model())[0]


def laid(landmarks: Landmarks, model: Model) -> tuple[Landmarks, poses.Matrix | None]:
    """The same by another shape, and the pose that lays it there; None where there is none."""
    rigid = landmarks[_RIGID].astype(np.float64)
    met = rigid.T @ model.meets
    if not math.isfinite(sum(map(sum, met.tolist()))):
        return landmarks, None
    rows, size = _turned(model, met, *poses.nearest(met[:, 4:7]))
    r0, r1, r2 = rows[2]
    means = [row[3] for row in met.tolist()]
    second = ((rigid.T * rigid_weights()) @ rigid).tolist()
    square = size * size
    system: list[list[float]] = []
    for i, row in enumerate(second):
        spread = [(row[k] - means[i] * means[k]) / square for k in range(3)]
        m0, m1, m2 = met[i, :3].tolist()
        wanted = (m0 * r0 + m1 * r1 + m2 * r2) / size
        system.append([*spread, wanted - spread[2]])
        system[i][i] += OWN
    bend = _solved(system)
    if not math.isfinite(sum(bend)):
        return landmarks, None
    level = sum(b * mean for b, mean in zip(bend, means, strict=True))
    result = landmarks.copy()
    result[:, 2] += landmarks @ np.float32(bend) - np.float32(level)
    pose = np.eye(4, dtype=np.float32)
    linear = np.array(rows) * size
    pose[:3, :3] = linear
    pose[:3, 3] = met[:, 3] - linear @ _centre()
    return result, pose


def _rows(matrix: Array) -> Rows:
    a, b, c = matrix.tolist()
    return tuple(a), tuple(b), tuple(c)


def _turn_by(x: float, y: float, z: float, rows: Rows) -> Rows:
    """The rotation `rows`, turned on by a rotation vector in radians (Rodrigues)."""
    square = x * x + y * y + z * z
    angle = math.sqrt(square)
    if angle < 1e-7:
        a, b = 1.0, 0.5
    else:
        a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / square
    by = (
        (1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y),
        (b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x),
        (b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)),
    )
    (a0, a1, a2), (b0, b1, b2), (c0, c1, c2) = rows
    turned = [
        (u * a0 + v * b0 + w * c0, u * a1 + v * b1 + w * c1, u * a2 + v * b2 + w * c2)
        for u, v, w in by
    ]
    return turned[0], turned[1], turned[2]


def _solved(rows: list[list[float]]) -> list[float]:
    """x of A · x = b, rows (A | b), A small and positive definite; NaN where it isn't.

    Changes `rows`.
    """
    # By hand, as in `poses.to_canonical`: LAPACK may take a millisecond while other threads work.
    count = len(rows)
    for i, pivot in enumerate(rows):
        if not pivot[i] > 0.0:
            return [math.nan] * count
        for row in rows[i + 1 :]:
            share = row[i] / pivot[i]
            for k in range(i + 1, count + 1):
                row[k] -= share * pivot[k]
    found = [0.0] * count
    for i in reversed(range(count)):
        known = sum(rows[i][k] * found[k] for k in range(i + 1, count))
        found[i] = (rows[i][count] - known) / rows[i][i]
    return found
