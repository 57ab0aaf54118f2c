"""Reads small pictures that belong to shaders: noise tiles, matcaps, ramps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels

_TO_RGBA = {1: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}


def load_picture(path: Path) -> Pixels:
    """(h, w, 4) uint8 RGBA, straight alpha. Raises `KfxError` for a file that is no picture."""
    try:
        data = np.fromfile(path, np.uint8)  # imread can't open every path on Windows
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}") from error
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except cv2.error:
        picture = None
    if picture is None or picture.size == 0:
        raise KfxError(f"{path}: no picture that can be read (PNG and JPEG can)")
    if picture.dtype == np.uint16:
        picture = (picture // 257).astype(np.uint8)
    elif picture.dtype != np.uint8:  # light values: 1 is white
        picture = np.clip(np.nan_to_num(picture) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    rgba: Pixels = cv2.cvtColor(picture, _TO_RGBA[channels]).astype(np.uint8, copy=False)
    return rgba
