"""Reads small pictures that belong to shaders: noise tiles, matcaps, ramps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels


def load_picture(path: Path) -> Pixels:
    """(h, w, 4) uint8 RGBA. Raises `KfxError` for a file that is no picture."""
    try:
        data = np.fromfile(path, np.uint8)  # imread can't open every path on Windows
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}") from error
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise KfxError(f"{path}: no picture that can be read (PNG and JPEG can)")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)
