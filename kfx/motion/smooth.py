"""Skin without pores or blotches, as a portrait is retouched; eyes, brows and lips stay sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.patch import Patch
from kfx.types import Face, Pixels, freeze

SMALL_IOD = 26.0  # px: the skin is evened out in a picture where faces are about so large
BARE_IOD = 16.0  # px: the same for skin with nothing on it
BARE_SOFT_IOD = 0.26
MOST = 0.8  # of the skin's grain is lost at 1: none at all looks like wax
EDGE_IOD = 0.07  # over which features and the oval come back
STEP = 28.0  # 0..255: a larger step of colour is an edge, not a blotch
_SHARP = ((c.RIGHT_LIDS, 0.05), (c.LEFT_LIDS, 0.05), (c.OUTER_LIPS, 0.02))
_SHARP_LINES = (c.BROWS[:10], c.BROWS[10:])


def smoothed(pixels: Pixels, faces: Sequence[Face], amount: float) -> Pixels:
    """`pixels` with the skin of `faces` evened out by `amount` 0..1."""
    import cv2

    result: Pixels | None = None
    height, width = pixels.shape[:2]
    for face in faces if amount > 0.0 else ():
        shrink = max(2, round(face.iod / SMALL_IOD))
        reach = 4 * shrink
        x0, y0, x1, y1 = face.box
        if not np.isfinite([x0, y0, x1, y1]).all():
            continue
        x0, x1 = (int(np.clip(one, 0, width)) for one in (x0 - reach, x1 + reach))
        y0, y1 = (int(np.clip(one, 0, height)) for one in (y0 - reach, y1 + reach))
        if x1 - x0 < 2 * reach or y1 - y0 < 2 * reach:
            continue
        if result is None:
            result = np.array(pixels)
        crop = np.ascontiguousarray(result[y0:y1, x0:x1, :3])
        size = ((x1 - x0) // shrink, (y1 - y0) // shrink)
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        across = 0.14 * face.iod / shrink
        even = cv2.bilateralFilter(small, int(2 * min(across, 6) + 1), STEP, max(across, 1.0))
        full = (x1 - x0, y1 - y0)
        even = cv2.resize(even, full, interpolation=cv2.INTER_CUBIC)
        share = cv2.resize(
            _skin(face, (x0, y0), size, shrink), full, interpolation=cv2.INTER_LINEAR
        )
        share *= np.float32(MOST * min(amount, 1.0))
        result[y0:y1, x0:x1, :3] = cv2.blendLinear(crop, even, np.float32(1.0) - share, share)
    return pixels if result is None else freeze(result)


def bare(pixels: Pixels, face: Face) -> Patch | None:
    """The face with nothing on it: its skin's colours, without eyes, brows, nose or lips."""
    import cv2

    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = face.box
    if not np.isfinite([x0, y0, x1, y1]).all():
        return None
    x0, x1 = (int(np.clip(one, 0, width)) for one in (x0, x1))
    y0, y1 = (int(np.clip(one, 0, height)) for one in (y0, y1))
    shrink = max(1, round(face.iod / BARE_IOD))
    size = ((x1 - x0) // shrink, (y1 - y0) // shrink)
    if min(size) < 4:
        return None
    crop = np.ascontiguousarray(pixels[y0:y1, x0:x1, :3])
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = _skin(face, (x0, y0), size, shrink)[..., None] + np.float32(1e-3)
    soft = BARE_SOFT_IOD * face.iod / shrink
    weight = cv2.GaussianBlur(share, (0, 0), soft)[..., None]
    even = cv2.GaussianBlur(small * share, (0, 0), soft) / weight
    room = np.full((-(-size[1] // 64) * 64, -(-size[0] // 64) * 64, 4), 255, np.uint8)
    room[: size[1], : size[0], :3] = np.clip(even, 0, 255)
    points = (face.landmarks - np.float32([x0, y0, 0])) * np.float32(
        [size[0] / (x1 - x0), size[1] / (y1 - y0), 1.0 / shrink]
    )
    points[:, :2] = np.clip(points[:, :2], 1.0, np.float32(size) - 2.0)
    placed = replace(face, landmarks=freeze(points.astype(np.float32)), iod=face.iod / shrink)
    return Patch(freeze(room), placed)


def _skin(
    face: Face, corner: tuple[int, int], size: tuple[int, int], shrink: int
) -> npt.NDArray[np.float32]:
    """Where skin is, 0..1, of a crop of `size` at the `shrink`th part of the frame."""
    import cv2

    points = (face.landmarks[:, :2] - np.float32(corner)) / np.float32(shrink)
    iod = face.iod / shrink
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [_whole(points[list(c.OVAL)])], 255)
    for ring, wider in _SHARP:
        around = points[list(ring)]
        middle = around.mean(axis=0)
        away = around - middle
        length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-3)
        cv2.fillPoly(mask, [_whole(middle + away * (1.0 + wider * iod / length))], 0)
    for line in _SHARP_LINES:
        cv2.polylines(mask, [_whole(points[list(line)])], True, 0, max(1, round(0.05 * iod)))
    soft = max(EDGE_IOD * iod, 0.8)
    inside = cv2.erode(mask, None, iterations=max(1, round(soft)))
    skin = cv2.GaussianBlur(inside, (0, 0), soft).astype(np.float32)
    return skin / np.float32(255.0)


def _whole(points: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    return np.clip(np.round(points), -32000, 32000).astype(np.int32)
