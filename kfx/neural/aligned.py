"""Crops that follow a face's pose: where they lie, and what lies in them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.types import Face, Landmarks

Affine = npt.NDArray[np.float64]
"""(2, 3): frame pixels, y down → crop pixels, y down. Centres lie at half-integers in both."""

HEAD = 1.75  # a head's crop is so much larger than a face's
HEAD_UP_IOD = 0.35  # and lies so much higher: hair counts, shoulders don't


@cache
def _side() -> float:
    """The canonical face's longer side, in iod."""
    return float(np.ptp(c.canonical().vertices[list(c.OVAL), :2], axis=0).max())


def crop(face: Face, region: str, size: tuple[int, int], margin: float) -> Affine:
    """The similarity that sets a face upright in a crop of `size` (width, height).

    It turns with the head's roll and scales with its iod. The crop's shorter side holds the face
    and `margin` of its length on either side; a head's crop is `HEAD` times as large.
    """
    side = _side() * (1 + 2 * margin) * (HEAD if region == "head" else 1.0)
    right = face.pose[:2, 0].astype(np.float64)
    down = face.pose[:2, 1].astype(np.float64)
    # Both axes are foreshortened, each by another turn: the sum of their directions holds roll.
    turned = _unit(right) + _unit(np.array([down[1], -down[0]]))
    right = _unit(turned)
    down = np.array([-right[1], right[0]])
    # The middle follows the oval as it is seen: a turned face moves against its own axis.
    points = face.landmarks[list(c.OVAL), :2].astype(np.float64)
    along = np.stack([points @ right, points @ down], axis=1)
    middle = (along.min(axis=0) + along.max(axis=0)) / 2
    if region == "head":
        middle[1] -= HEAD_UP_IOD * face.iod
    scale = min(size) / max(side * float(face.iod), 1e-3)
    turn = np.stack([right, down]) * scale
    shift = np.array(size) / 2 - middle * scale
    return np.hstack([turn, shift[:, None]])


def whole(frame: tuple[int, int], size: tuple[int, int]) -> Affine:
    """The whole frame in a crop of `size`."""
    return np.array([[size[0] / frame[0], 0.0, 0.0], [0.0, size[1] / frame[1], 0.0]])


def inverse(affine: Affine) -> Affine:
    """Crop pixels → frame pixels."""
    (a, b, x), (c, d, y) = affine.tolist()  # by hand: LAPACK wakes its threads for two by two
    size = a * d - b * c
    a, b, c, d = d / size, -b / size, -c / size, a / size
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def apply(affine: Affine, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Points (n, 2 or more) moved by an affine map: (n, 2)."""
    moved = points[:, :2].astype(np.float64) @ affine[:, :2].T + affine[:, 2]
    return np.asarray(moved, np.float32)


def landmarks(face: Face, to_crop: Affine, size: tuple[int, int]) -> Landmarks:
    """A face's landmarks as a net is given them: (478, 3), x and y in 0..1 of a crop of `size`."""
    flat = apply(to_crop, face.landmarks) / np.array(size, np.float32)
    per = np.float32(np.linalg.norm(to_crop[0, :2]) / size[0])
    return np.hstack([flat, face.landmarks[:, 2:] * per]).astype(np.float32)


def ovals(faces: Iterable[Face], to_crop: Affine, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """(h, w): 255 inside the ovals of faces as they lie in a crop of `size`."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for face in faces:
        oval = apply(to_crop, face.landmarks[list(c.OVAL)])
        cv2.fillPoly(mask, [np.rint(oval).astype(np.int32)], (255,))
    return mask


def similarity(source: Landmarks, target: Landmarks) -> Affine:
    """The 2-D similarity that brings `source` closest to `target` (least squares)."""
    a, b = source[:, :2].astype(np.float64), target[:, :2].astype(np.float64)
    ca, cb = a.mean(axis=0), b.mean(axis=0)
    za = (a - ca) @ np.array([1, 1j])
    zb = (b - cb) @ np.array([1, 1j])
    turn = complex((za.conj() * zb).sum() / max(float((abs(za) ** 2).sum()), 1e-12))
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.hstack([linear, (cb - linear @ ca)[:, None]])


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.array([1.0, 0.0])
