"""Brings pictures to the size of a run, keeping their shape: bars instead of distortion."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from kfx.types import Frame, freeze


def fitted(frame: Frame, size: tuple[int, int]) -> Frame:
    """`frame` scaled to fit (width, height) and centred on black; itself where it fits already."""
    height, width = frame.pixels.shape[:2]
    if (width, height) == size:
        return frame
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(np.ascontiguousarray(frame.pixels), inner, interpolation=how)
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    canvas[..., 3] = 255
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas[y : y + inner[1], x : x + inner[0]] = picture
    # The faces a source knows by itself would need the same move; nothing reads them then.
    return replace(frame, pixels=freeze(canvas), truth=None)
