"""The shape of a performer's own head, learned while it turns.

One picture doesn't tell how deep a head is: a deeper one, turned less, looks the same. A head that
turns tells it, because its width shrinks with the cosine of the turn. So the views of a face are
kept, one for every few degrees, and the shape that agrees with all of them is found: bundle
adjustment by Gauss and Newton, each view's own turn and size eliminated (Schur complement), from
the canonical face, whose symmetric bends the shape may differ by. One view is gone over at a
time, so it costs a frame little; the same frames give the same shape.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from kfx.canonical import RIGID
from kfx.tracking import pose as poses
from kfx.tracking.depth import Array, Model, canonical_model, rigid_weights, turn
from kfx.tracking.pose import Matrix
from kfx.types import Landmarks

APART_DEG = 6.0  # between two views
FARTHEST_DEG = 42.0  # yaw and pitch beyond which landmarks bend with the turn
LOOKS = 5.0  # frames that a view remembers
SOON, LATER, FIRST = 3, 10, 30  # frames from one step to the next; after so many steps it is later
NOISE, UNLIKE = 0.008, 0.12  # iod: misses of landmarks; how far a head is from the canonical one
MOST = 0.3  # iod: a shape that is bent more isn't believed
REACH = 4.0  # iod: no head is so large
DOUBT = 0.15  # iod: a view that misses the shape by more says nothing
CALM = 0.4  # share of the way to a new shape
_RIGID = np.array(RIGID)


@cache
def bends() -> Array:
    """(modes, n, 3) by which a head's rigid points may differ from the canonical ones, in iod.

    Symmetric polynomials of second degree, less what a turn, a shift and a size would do as well;
    orthonormal by the points' weights.
    """
    weights = rigid_weights()
    points = canonical_model().points
    x, y, z = points.T
    none = 0 * x
    across = [np.stack([x * f, none, none], 1) for f in (1 + none, y, z)]
    along = [np.stack([none, f, none], 1) for f in (y, z, x * x, y * y, z * z, y * z)]
    away = [np.stack([none, none, f], 1) for f in (y, z, x * x, y * y, z * z, y * z)]
    turned = [np.cross(axis, points) for axis in np.eye(3)]
    known = np.array([points, *turned, *across, *along, *away])
    known -= (weights @ known)[:, None]
    root = np.sqrt(weights)[:, None]
    found: list[Array] = []
    for i, mode in enumerate((known * root).reshape(len(known), -1)):
        for _ in range(2):  # Gram and Schmidt, twice for the sake of precision
            for other in found:
                mode = mode - (mode @ other) * other
        if (length := float(np.linalg.norm(mode))) > 1e-3 or i < 4:
            found.append(mode / length)
    return np.array(found[4:]).reshape(-1, len(RIGID), 3) / root


class _View:
    """What was seen from one side: points (n, 2) in iod about their mean, and what they ask for."""

    def __init__(self, points: Array, rotation: Array) -> None:
        self.points, self.rotation, self.count = points, rotation, 1.0
        count = len(bends())
        self.normal, self.right = np.zeros((count, count)), np.zeros(count)

    def add(self, points: Array) -> None:
        self.count = min(LOOKS, self.count + 1.0)
        self.points = self.points + (points - self.points) / self.count

    def ask(self, model: Model, bent: Array) -> None:
        """The normal equations for the bends, this view's own pose eliminated."""
        weights = rigid_weights()
        root = np.sqrt(weights)
        self.rotation, size = turn(self.points, model, self.rotation)
        turned = model.points @ self.rotation.T
        slopes = np.empty((len(bent) + 5, len(weights), 2))
        x, y, z = turned.T
        slopes[0, :, 0], slopes[0, :, 1] = 0.0, -size * z
        slopes[1, :, 0], slopes[1, :, 1] = size * z, 0.0
        slopes[2, :, 0], slopes[2, :, 1] = -size * y, size * x
        slopes[3] = turned[:, :2]
        slopes[4:-1] = size * (bends() @ self.rotation[:2].T)
        slopes[-1] = self.points - size * turned[:, :2]
        rows = (slopes * root[:, None]).reshape(len(slopes), -1)
        gram = rows @ rows.T
        if not gram[-1, -1] < DOUBT**2:  # no such head: a hand, a wrong find
            self.normal, self.right = np.zeros_like(self.normal), np.zeros_like(self.right)
            return
        for i in range(4):  # the turn and the size are whatever suits the bends best
            gram -= np.outer(gram[:, i], gram[i] / max(float(gram[i, i]), 1e-9))
        rest = gram[4:, 4:]
        share = self.count / LOOKS
        self.normal = share * rest[:-1, :-1]
        self.right = share * rest[:-1, -1] + self.normal @ bent


def _solved(normal: Array, right: Array) -> Array:
    """x of normal · x = right, for a positive definite matrix."""
    # By hand: LAPACK may take milliseconds while other threads work.
    rows = np.concatenate([normal, right[:, None]], axis=1)
    for i in range(len(rows)):
        pivot = rows[i] / rows[i, i]
        rows -= np.outer(rows[:, i], pivot)
        rows[i] = pivot
    return rows[:, -1]


class Shape:
    """One performer's: show it every frame, and `model` comes to be theirs."""

    def __init__(self) -> None:
        self.model = canonical_model()
        self._bent = np.zeros(len(bends()))
        self._views: dict[tuple[int, int], _View] = {}
        # Without views the canonical shape is the likeliest.
        self._normal = (NOISE / UNLIKE) ** 2 * np.eye(len(self._bent))
        self._right = np.zeros(len(self._bent))
        self._steps = self._wait = 0

    def see(self, landmarks: Landmarks, pose: Matrix) -> None:
        """Landmarks (478, 3) in pixels and their pose by the canonical face."""
        self._wait -= 1
        if self._wait > 0:
            return
        self._wait = SOON if self._steps < FIRST else LATER
        yaw, pitch, _ = poses.yaw_pitch_roll(pose)
        if not max(abs(yaw), abs(pitch)) <= FARTHEST_DEG:
            return
        size = poses.scale(pose)
        turn = pose[:3, :3].astype(np.float64) / size
        points = landmarks[_RIGID, :2].astype(np.float64) / size
        points -= rigid_weights() @ points
        if not np.abs(points).max() < REACH:
            return
        # Upright, so that a head that leans looks like itself.
        roll = math.atan2(turn[1, 0], turn[0, 0])
        level = np.array([
            [math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]
        ])  # fmt: skip
        points = points @ level.T
        turn[:2] = level @ turn[:2]
        place = round(yaw / APART_DEG), round(pitch / APART_DEG)
        view = self._views.get(place)
        if view is None:
            view = self._views[place] = _View(points, turn)
        else:
            view.add(points)
        self._learn(view)

    def _learn(self, view: _View) -> None:
        # The view just seen and by turns the others: what they ask for changes with the shape.
        self._steps += 1
        if self._steps % 2 == 0:
            others = list(self._views.values())
            view = others[self._steps // 2 % len(others)]
        self._normal -= view.normal
        self._right -= view.right
        view.ask(self.model, self._bent)
        self._normal += view.normal
        self._right += view.right
        bent = _solved(self._normal, self._right)
        if np.isfinite(bent).all() and np.abs(bent).max() < MOST:
            self._bent += CALM * (bent - self._bent)
            self.model = Model(canonical_model().points + np.tensordot(self._bent, bends(), 1))
