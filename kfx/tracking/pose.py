"""Head pose: the similarity that lays the canonical face on tracked landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.canonical import LEFT_IRIS, RIGHT_IRIS, RIGID, canonical
from kfx.types import Landmarks

Matrix = npt.NDArray[np.float32]
LEAST_SCALE = 1e-3  # pixels for one iod
_RIGID = np.array(RIGID)
_EYES = np.array([(RIGHT_IRIS, 33, 133), (LEFT_IRIS, 362, 263)])  # with the eye's corners


def fit(landmarks: Landmarks) -> Matrix:
    """4×4 scale·rotation|translation, canonical iod units → pixels of `landmarks`.

    Least squares over the points that expression moves least (Umeyama 1991).
    """
    a = canonical().vertices[_RIGID].astype(np.float64)
    b = landmarks[_RIGID].astype(np.float64)
    ca, cb = a.mean(axis=0), b.mean(axis=0)
    a, b = a - ca, b - cb
    u, s, vt = np.linalg.svd(b.T @ a)
    if np.linalg.det(u @ vt) < 0:
        u[:, 2] = -u[:, 2]
        s[2] = -s[2]
    # Points on one spot have no pose, but it must stay invertible: `scale` ends there as well.
    linear = (u @ vt) * max(LEAST_SCALE, s.sum() / (a * a).sum())
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = linear
    pose[:3, 3] = cb - linear @ ca
    return pose


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
        step = np.empty(7, np.float32)
        step[:3] = (other.centre - self.centre) / self.size
        step[3:6] = rotation_vector(other.turn @ self.turn.T)
        step[6] = math.log(max(other.size, 1e-6) / max(self.size, 1e-6))
        return step

    def moved(self, step: npt.NDArray[np.float32]) -> Rigid:
        """This pose after a step as `step_to` gives it."""
        return Rigid(
            self.centre + step[:3].astype(np.float64) * self.size,
            rotation(step[3:6]) @ self.turn,
            self.size * math.exp(float(step[6])),
        )


def rotation(vector: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """3×3 of a rotation vector in radians (Rodrigues)."""
    x, y, z = (float(v) for v in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    if angle < 1e-7:
        return np.eye(3) + cross
    a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / (angle * angle)
    return np.eye(3) + a * cross + b * (cross @ cross)


def rotation_vector(turn: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The rotation vector, in radians, of a 3×3 rotation."""
    axis = 0.5 * np.array(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )
    sine, cosine = math.sqrt(axis @ axis), 0.5 * (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1)
    return axis * (math.atan2(sine, cosine) / sine) if sine > 1e-7 else axis


@cache
def _middle() -> npt.NDArray[np.float64]:
    """Centre of the canonical rigid points."""
    return canonical().vertices[_RIGID].mean(axis=0).astype(np.float64)


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
