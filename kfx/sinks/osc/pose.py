"""Head and eyes of a face as other programs want them: quaternions, Euler angles, metres.

kfx's axes, of the frame and of the canonical face alike: x to the subject's left (right on the
screen), y down, z away from the camera; a face looks along -z. Three systems are served:

* **ARKit**, right-handed: x as kfx, y up, z towards the camera, so (x, -y, -z) of kfx. A rotation
  x y z w of kfx is x -y -z w there.
* **Unity**, left-handed: x to the subject's right, y up, z forward out of the face: all three axes
  of kfx turned over, which leaves the numbers of a rotation as they are.
* **FaceTracker** (FaceOSC): kfx's own axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.canonical import LEFT_IRIS, RIGHT_IRIS, canonical
from kfx.types import Face

Quaternion = tuple[float, float, float, float]
"""x y z w, w >= 0."""

IOD_M = 0.063  # distance between an adult's eyes, in metres
EYEBALL_IOD = 12.0 / 63.0  # radius of an eyeball over the distance between the eyes
FARTHEST_DEG = 45.0  # eyes turn no farther; an iris behind closing lids would say so
VIEW_DEG = 63.0  # vertical field of view taken for granted, as MediaPipe does

_FARTHEST = math.radians(FARTHEST_DEG)
_EYES = ((LEFT_IRIS, 362, 263), (RIGHT_IRIS, 33, 133))  # iris, corners from the subject's right
_EYE_POINTS = np.array(_EYES).ravel()


def decompose(
    pose: npt.NDArray[Any],
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Quaternion (x y z w, w >= 0), translation and scale of a 4×4 similarity.

    The quaternion is the dominant eigenvector of Bar-Itzhack's symmetric matrix ("New method for
    extracting the quaternion from a rotation matrix", 2000): the best fit where the matrix is
    not quite a rotation. A pose that has none (zero, mirrored, NaN) gives identity and scale 0.
    """
    linear = np.asarray(pose[:3, :3], np.float64)
    translation = tuple(float(v) if math.isfinite(v) else 0.0 for v in pose[:3, 3])
    determinant = float(np.linalg.det(linear)) if np.isfinite(linear).all() else 0.0
    if determinant <= 1e-12:
        return (0.0, 0.0, 0.0, 1.0), translation, 0.0
    scale = determinant ** (1 / 3)
    r = linear / scale
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], 0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    q = np.linalg.eigh(k)[1][:, -1]  # reads the lower triangle
    q = q if q[3] >= 0 else -q
    return tuple(float(v) for v in q), translation, scale


def to_arkit(q: Sequence[float]) -> Quaternion:
    """A rotation of kfx in ARKit's axes."""
    x, y, z, w = q
    return x, -y, -z, w


def arkit_angles(q: Sequence[float]) -> tuple[float, float, float]:
    """Pitch, yaw and roll in radians about ARKit's x, y and z of a rotation `q` of kfx.

    Pitch > 0 looks down, yaw > 0 turns to the subject's left, roll > 0 leans to the subject's
    right shoulder. The rotation is yaw · pitch · roll, as Unity's Euler angles and Godot's.
    """
    x, y, z, w = to_arkit(q)
    r02, r12, r22 = 2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)
    r10, r11 = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z)
    return math.asin(max(-1.0, min(1.0, -r12))), math.atan2(r02, r22), math.atan2(r10, r11)


def tracker_angles(q: Sequence[float]) -> tuple[float, float, float]:
    """Pitch, yaw and roll in radians of FaceTracker: kfx's axes, pitch · yaw · roll.

    Pitch > 0 looks down, yaw > 0 turns to the subject's right, roll > 0 leans to the subject's
    left shoulder.
    """
    x, y, z, w = q
    r00, r01, r02 = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    r12, r22 = 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)
    return math.atan2(-r12, r22), math.asin(max(-1.0, min(1.0, r02))), math.atan2(-r01, r00)


def share(q: Sequence[float], part: float) -> Quaternion:
    """The rotation about the same axis by `part` of the angle: `share(q, a) · share(q, 1 - a)` is
    `q`."""
    x, y, z, w = q
    sine = math.sqrt(x * x + y * y + z * z)
    if sine < 1e-9:
        return 0.0, 0.0, 0.0, 1.0
    half = math.atan2(sine, w) * part
    s = math.sin(half) / sine
    return x * s, y * s, z * s, math.cos(half)


def unity_eye(yaw: float, pitch: float) -> Quaternion:
    """The rotation in Unity of an eye turned by radians of `gaze`: yaw · pitch."""
    # Unity's yaw > 0 turns to the right.
    cy, sy = math.cos(yaw / 2), -math.sin(yaw / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    return cy * sp, sy * cp, -sy * sp, cy * cp


def gaze(face: Face) -> tuple[float, float, float, float]:
    """Yaw and pitch of the left, then of the right eye in the head, in radians, from the irises.

    Yaw > 0 to the subject's left, pitch > 0 down. Where an iris lies is measured against the line
    between the corners of its eye, which a wrong depth or a narrow face doesn't disturb. Zero is
    the canonical face's: iris in the middle.
    """
    linear = face.pose[:3, :3].astype(np.float64)
    square = float((linear * linear).sum()) / 3  # of the scale
    if not 1e-6 < square < math.inf:
        return 0.0, 0.0, 0.0, 0.0  # no face but a spot
    points = (face.landmarks[_EYE_POINTS] - face.pose[:3, 3]) @ linear / square
    found: list[float] = []
    for eye, (width, along, below) in zip(points[:, :2].reshape(2, 3, 2), _rest(), strict=True):
        x, y = _in_eye(eye.tolist())
        for off in ((x - along) * width, (y - below) * width):
            angle = math.asin(max(-1.0, min(1.0, off / EYEBALL_IOD)))
            found.append(max(-_FARTHEST, min(_FARTHEST, angle)))
    return found[0], found[1], found[2], found[3]


def position_m(face: Face, size: tuple[int, int]) -> tuple[float, float, float]:
    """Where the face is seen from the camera, in metres in ARKit's axes: z is negative.

    As far as the distance between the eyes of an adult and a camera of `VIEW_DEG` tell.
    """
    width, height = size
    metre = IOD_M / max(float(face.iod), 1e-3)  # of one pixel, at the face
    x, y = float(face.pose[0, 3]) - width / 2, float(face.pose[1, 3]) - height / 2
    depth = height / 2 / math.tan(math.radians(VIEW_DEG / 2))
    return x * metre, -y * metre, -depth * metre


def _in_eye(points: list[list[float]]) -> tuple[float, float]:
    """The iris (along, below) the line between two corners, both towards positive x, in its
    length."""
    (px, py), (ax, ay), (bx, by) = points
    lx, ly, tx, ty = bx - ax, by - ay, px - ax, py - ay
    square = max(lx * lx + ly * ly, 1e-12)
    along, below = (tx * lx + ty * ly) / square, (lx * ty - ly * tx) / square
    return (along, below) if math.isfinite(along + below) else (0.5, 0.0)


@cache
def _rest() -> tuple[tuple[float, float, float], ...]:
    """Per eye of the canonical face: its width in iod, where its iris lies."""
    vertices = canonical().vertices[:, :2].astype(np.float64)
    return tuple(
        (math.dist(vertices[a], vertices[b]), *_in_eye(vertices[[iris, a, b]].tolist()))
        for iris, a, b in _EYES
    )
