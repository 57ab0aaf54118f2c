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
from kfx.tracking.pose import Rigid
from kfx.types import Landmarks

Array = npt.NDArray[np.float64]
STEPS = 4
SURE = 1e-3  # rad: a smaller step ends the search, what is left is its square
FARTHEST = math.radians(30.0)  # from the turn that z suggests
OWN = 0.003  # iod²: how strongly z keeps to what it was where the picture doesn't say
_RIGID = np.array(RIGID)
# Foreheads differ most from face to face and the nose stands out most: it tells a turn best.
_FOREHEAD, _NOSE = (10, 151, 9, 109, 338, 67, 297, 54, 284, 21, 251), (4, 1, 5, 2, 195, 197)


@cache
def _model() -> tuple[Array, Array]:
    """The canonical rigid points (n, 3), about their mean by weight, and their weights (n,)."""
    weights = np.array([0.3 if i in _FOREHEAD else 2.0 if i in _NOSE else 1.0 for i in RIGID])
    weights /= weights.sum()
    points = canonical().vertices[_RIGID].astype(np.float64)
    return points - weights @ points, weights


def turn(landmarks: Landmarks) -> tuple[Array, float]:
    """3×3 rotation and pixels per iod of the canonical face, by x and y of (478, 3) pixels."""
    model, weights = _model()
    start = Rigid.of(poses.fit(landmarks))
    rotation, size = start.turn, start.size
    seen = landmarks[_RIGID, :2].T.astype(np.float64)
    seen -= (seen @ weights)[:, None]
    both = np.concatenate([weights, weights])
    slope = np.zeros((4, 2, len(weights)))  # of x and y: a turn about each axis, and the size
    for _ in range(STEPS):
        x, y, z = turned = rotation @ model.T
        slope[0, 1], slope[1, 0] = -size * z, size * z
        slope[2, 0], slope[2, 1] = -size * y, size * x
        slope[3] = turned[:2]
        flat = slope.reshape(4, -1)
        normal = (flat * both) @ flat.T
        off = (flat * both) @ (seen - size * turned[:2]).ravel()
        step = _solved(normal + 1e-9 * (normal.trace() + 1e-12) * np.eye(4), off)
        if not np.isfinite(step).all() or abs(step[:3]).max() > FARTHEST:
            return start.turn, start.size
        rotation = poses.rotation(step[:3]) @ rotation
        size = max(poses.LEAST_SCALE, size + float(step[3]))
        if abs(step[:3]).max() < SURE:
            break
    away = np.linalg.norm(poses.rotation_vector(rotation @ start.turn.T))
    return (rotation, size) if away < FARTHEST else (start.turn, start.size)


def agreeing(landmarks: Landmarks) -> Landmarks:
    """Landmarks (478, 3) in pixels, x and y as they are, z as the turn they show asks for.

    z becomes the mix of x, y and z that lies nearest to the turned canonical face on the rigid
    points: whatever shape FaceMesh saw stays, turned a little farther. Points that are not
    finite, or all on one spot, come back unchanged.
    """
    if not np.isfinite(landmarks).all():
        return landmarks
    model, weights = _model()
    rotation, size = turn(landmarks)
    points = landmarks.astype(np.float64)
    rigid = points[_RIGID]
    middle = weights @ rigid
    rigid = (rigid - middle) / size
    wanted = model @ rotation[2] - rigid[:, 2]
    normal = (rigid * weights[:, None]).T @ rigid + OWN * np.eye(3)
    bend = _solved(normal, (rigid * weights[:, None]).T @ wanted)
    if not np.isfinite(bend).all():
        return landmarks
    result = landmarks.copy()
    result[:, 2] += ((points - middle) @ bend).astype(np.float32)
    return result


def _solved(normal: Array, right: Array) -> Array:
    """x of normal · x = right, for a small positive definite matrix; NaN where it is none."""
    # By hand, as in `poses.to_canonical`: LAPACK may take a millisecond while other threads work.
    rows = [[*row, value] for row, value in zip(normal.tolist(), right.tolist(), strict=True)]
    count = len(rows)
    for i, pivot in enumerate(rows):
        if not pivot[i] > 0.0:
            return np.full(count, np.nan)
        for row in rows[i + 1 :]:
            share = row[i] / pivot[i]
            for k in range(i + 1, count + 1):
                row[k] -= share * pivot[k]
    for i in reversed(range(count)):
        known = sum(rows[i][k] * rows[k][count] for k in range(i + 1, count))
        rows[i][count] = (rows[i][count] - known) / rows[i][i]
    return np.array([row[count] for row in rows])
