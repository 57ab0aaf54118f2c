"""Head pose: the similarity that lays the canonical face on tracked landmarks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kfx.canonical import RIGID, canonical
from kfx.types import Landmarks

Matrix = npt.NDArray[np.float32]
_RIGID = np.array(RIGID)


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
    linear = (u @ vt) * (s.sum() / (a * a).sum())
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = linear
    pose[:3, 3] = cb - linear @ ca
    return pose


def scale(pose: Matrix) -> float:
    """Pixels for one canonical iod: the inter-ocular distance without foreshortening."""
    return float(np.cbrt(max(1e-9, float(np.linalg.det(pose[:3, :3].astype(np.float64))))))


def to_canonical(pose: Matrix, points: Landmarks) -> Landmarks:
    """Points in pixels → canonical iod units (pose taken out)."""
    inverse = np.linalg.inv(pose[:3, :3])
    return ((points - pose[:3, 3]) @ inverse.T).astype(np.float32)


def to_pixels(pose: Matrix, points: Landmarks) -> Landmarks:
    """Points in canonical iod units → pixels."""
    return (points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)


def yaw_pitch_roll(pose: Matrix) -> tuple[float, float, float]:
    """Degrees: yaw > 0 turns to the subject's left, pitch > 0 looks down, roll > 0 leans to the
    subject's left shoulder (clockwise on screen)."""
    # Rotation about z (roll), then x (pitch), then y (yaw), seen from the frame.
    r = pose[:3, :3] / scale(pose)
    yaw = np.arctan2(r[2, 0], r[2, 2])
    pitch = np.arcsin(np.clip(r[2, 1], -1, 1))
    roll = np.arctan2(-r[0, 1], r[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
