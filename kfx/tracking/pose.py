"""Head pose: the similarity that lays the canonical face on tracked landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.canonical import LEFT_IRIS, RIGHT_IRIS, RIGID, canonical
from kfx.types import Landmarks

Matrix = npt.NDArray[np.float32]
Row = tuple[float, float, float]
Rows = tuple[Row, Row, Row]
"""A 3×3 matrix for arithmetic by hand: NumPy takes a microsecond a call, however small it is."""
LEAST_SCALE = 1e-3  # pixels for one iod
_RIGID = np.array(RIGID)
_EYES = np.array([(RIGHT_IRIS, 33, 133), (LEFT_IRIS, 362, 263)])  # with the eye's corners


def fit(landmarks: Landmarks) -> Matrix:
    """4×4 scale·rotation|translation, canonical iod units → pixels of `landmarks`.

    Least squares over the points that expression moves least (Umeyama 1991).
    """
    met = landmarks[_RIGID].astype(np.float64).T @ meets()
    turn, grown = nearest(met[:, :3])
    # Points on one spot have no pose, but it must stay invertible: `scale` ends there as well.
    linear = np.array(turn) * max(LEAST_SCALE, grown)
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = linear
    pose[:3, 3] = met[:, 3] - linear @ _middle()
    return pose


@cache
def _middle() -> npt.NDArray[np.float64]:
    """Centre of the canonical rigid points."""
    return canonical().vertices[_RIGID].astype(np.float64).mean(axis=0)


@cache
def meets() -> npt.NDArray[np.float64]:
    """(n, 4): the canonical rigid points about their centre, over their squared spread; and a mean.

    (3, n) pixels times this are the matrix that `nearest` wants, whatever the mean, and the mean.
    """
    points = canonical().vertices[_RIGID].astype(np.float64) - _middle()
    mean = np.full((len(points), 1), 1 / len(points))
    return np.concatenate([points / (points * points).sum(), mean], axis=1)


def nearest(met: npt.NDArray[np.float64]) -> tuple[Rows, float]:
    """The rotation R that turns most of a 3×3 matrix H into R·P, P symmetric; and P's trace σ.

    σ is the largest root of Horn's quartic (1987), and R follows from the Cayley–Hamilton theorem
    for P: (σ·II − III)·R = σ·cof H + (σ² − II)·H − H·Hᵀ·H, with P's other invariants II and III.
    """
    (a, b, c), (d, e, f), (g, h, i) = met.tolist()
    length = math.sqrt(a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i)
    if not 1e-12 < length < 1e12:
        return _nearest_by_svd(met)
    a, b, c, d, e, f, g, h, i = (v / length for v in (a, b, c, d, e, f, g, h, i))
    ca, cb, cc = e * i - f * h, f * g - d * i, d * h - e * g  # cofactors
    cd, ce, cf = c * h - b * i, a * i - c * g, b * g - a * h
    cg, ch, ci = b * f - c * e, c * d - a * f, a * e - b * d
    third = a * ca + b * cb + c * cc
    free = 1 - 4 * (
        ca * ca + cb * cb + cc * cc + cd * cd + ce * ce + cf * cf + cg * cg + ch * ch + ci * ci
    )
    sum_ = 1.7320508075688774  # never less than the root
    for _ in range(50):
        square = sum_ * sum_
        slope = 4 * sum_ * (square - 1) - 8 * third
        step = ((square - 2) * square - 8 * third * sum_ + free) / slope if slope > 0 else 0.0
        sum_ -= step
        if step < 1e-13:
            break
    second = (sum_ * sum_ - 1) / 2
    share = sum_ * second - third
    if not share > 1e-4:  # nearly a line, or the mirror image of a turned disc: R isn't one
        return _nearest_by_svd(met)
    k, m = sum_ / share, (sum_ * sum_ - second) / share
    xx = m - (a * a + b * b + c * c) / share
    yy = m - (d * d + e * e + f * f) / share
    zz = m - (g * g + h * h + i * i) / share
    xy = -(a * d + b * e + c * f) / share
    xz = -(a * g + b * h + c * i) / share
    yz = -(d * g + e * h + f * i) / share
    turn = (
        (
            k * ca + xx * a + xy * d + xz * g,
            k * cb + xx * b + xy * e + xz * h,
            k * cc + xx * c + xy * f + xz * i,
        ),
        (
            k * cd + xy * a + yy * d + yz * g,
            k * ce + xy * b + yy * e + yz * h,
            k * cf + xy * c + yy * f + yz * i,
        ),
        (
            k * cg + xz * a + yz * d + zz * g,
            k * ch + xz * b + yz * e + zz * h,
            k * ci + xz * c + yz * f + zz * i,
        ),
    )
    return turn, sum_ * length


def _nearest_by_svd(met: npt.NDArray[np.float64]) -> tuple[Rows, float]:
    u, s, vt = np.linalg.svd(met)
    if np.linalg.det(u @ vt) < 0:
        u[:, 2], s[2] = -u[:, 2], -s[2]
    a, b, c = (u @ vt).tolist()
    return (tuple(a), tuple(b), tuple(c)), float(s.sum())


@dataclass(frozen=True, slots=True)
class Rigid:
    """A pose as what can be filtered: where the rigid points' centre is, turn and size.

    About that centre, which lies inside the head, turn and place disturb one another least.
    """

    centre: npt.NDArray[np.float64]  # (3,) pixels
    turn: npt.NDArray[np.float64]  # 3×3 rotation
    size: float  # pixels per iod

    @classmethod
    def of(cls, pose: Matrix) -> Rigid:
        size = scale(pose)
        linear = pose[:3, :3].astype(np.float64)
        return cls(linear @ _middle() + pose[:3, 3], linear / size, size)

    def matrix(self) -> Matrix:
        pose = np.eye(4, dtype=np.float32)
        linear = self.turn * self.size
        pose[:3, :3] = linear
        pose[:3, 3] = self.centre - linear @ _middle()
        return pose

    def step_to(self, other: Rigid) -> npt.NDArray[np.float32]:
        """(7,): shift in iod, rotation vector in radians, log of size: 0 is the same pose."""
        shift = ((other.centre - self.centre) / self.size).tolist()
        turn = rotation_vector(other.turn @ self.turn.T).tolist()
        grown = math.log(max(other.size, 1e-6) / max(self.size, 1e-6))
        return np.array([*shift, *turn, grown], np.float32)

    def moved(self, step: Sequence[float] | npt.NDArray[np.float32]) -> Rigid:
        """This pose after a step as `step_to` gives it."""
        x, y, z = (float(v) * self.size for v in step[:3])
        return Rigid(
            self.centre + (x, y, z),
            rotation(step[3:6]) @ self.turn,
            self.size * math.exp(float(step[6])),
        )


def rotation(vector: Sequence[float] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """3×3 of a rotation vector in radians (Rodrigues)."""
    x, y, z = (float(v) for v in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-7:
        a, b = 1.0, 0.5
    else:
        a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / (angle * angle)
    return np.array([
        [1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y],
        [b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x],
        [b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)],
    ])  # fmt: skip


def rotation_vector(turn: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The rotation vector, in radians, of a 3×3 rotation."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn.tolist()
    x, y, z = 0.5 * (zy - yz), 0.5 * (xz - zx), 0.5 * (yx - xy)
    sine, cosine = math.sqrt(x * x + y * y + z * z), 0.5 * (xx + yy + zz - 1)
    share = math.atan2(sine, cosine) / sine if sine > 1e-7 else 1.0
    return np.array([x * share, y * share, z * share])


def is_finite(points: npt.NDArray[np.float32]) -> bool:
    """Whether all are numbers, and none so large that its square isn't one."""
    flat = points.ravel()
    return math.isfinite(float(flat @ flat))  # a tenth of what isfinite and all take


def scale(pose: Matrix) -> float:
    """Pixels for one canonical iod: the inter-ocular distance without foreshortening."""
    a, b, c = pose[:3, :3].astype(np.float64).tolist()
    determinant = _dot(a, _cross(b, c))
    return max(LEAST_SCALE, max(0.0, determinant) ** (1 / 3))


def to_canonical(pose: Matrix, points: Landmarks) -> Landmarks:
    """Points in pixels → canonical iod units (pose taken out)."""
    # By hand: LAPACK takes 50 times as long for it, a millisecond while other threads work.
    a, b, c = pose[:3, :3].astype(np.float64).tolist()
    adjoint = np.array([_cross(b, c), _cross(c, a), _cross(a, b)])
    determinant = _dot(a, adjoint[0].tolist())
    inverse = adjoint / (determinant if abs(determinant) > 1e-12 else 1e-12)
    return ((points - pose[:3, 3]) @ inverse.astype(np.float32)).astype(np.float32)


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _dot(a: list[float], b: list[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def to_pixels(pose: Matrix, points: Landmarks) -> Landmarks:
    """Points in canonical iod units → pixels."""
    return (points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)


def gaze(pose: Matrix, landmarks: Landmarks) -> tuple[float, float]:
    """Where the irises stand in the eyes, mean of both: x to the subject's left, y down.

    In half widths of an eye from the middle between its corners, whatever the head does: about
    -0.5..0.5 across. Level eyes lie a little above 0.
    """
    eyes = to_canonical(pose, landmarks[_EYES.ravel()])[:, :2].reshape(2, 3, 2)
    centre, corners = eyes[:, 0], eyes[:, 1:]
    half = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1, keepdims=True) / 2
    x, y = ((centre - corners.mean(axis=1)) / np.maximum(half, 1e-3)).mean(axis=0)
    return float(x), float(y)


def yaw_pitch_roll(pose: Matrix) -> tuple[float, float, float]:
    """Degrees: yaw > 0 turns to the subject's left, pitch > 0 looks down, roll > 0 leans to the
    subject's left shoulder (clockwise on screen)."""
    # Rotation about z (roll), then x (pitch), then y (yaw), seen from the frame.
    r = pose[:3, :3] / scale(pose)
    yaw = np.arctan2(r[2, 0], r[2, 2])
    pitch = np.arcsin(np.clip(r[2, 1], -1, 1))
    roll = np.arctan2(-r[0, 1], r[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
