"""The picture a camera shows while no picture comes: dark, calm, and it says so."""

from __future__ import annotations

import os
from importlib.util import find_spec

import numpy as np

from kfx.types import Pixels

BACKGROUND = (22, 22, 26)
_NAME, _TEXT, _LINE = (236, 236, 240), (150, 150, 158), (72, 72, 80)


def slate(width: int, height: int, text: str = "no signal") -> Pixels:
    """(h, w, 4): ``kfx`` over `text`. Without a font a plain dark picture."""
    picture = np.full((height, width, 4), (*BACKGROUND, 255), np.uint8)
    try:
        return _lettered(width, height, text)
    except (ImportError, OSError):  # a slate must never be the second thing that fails
        return picture


def _lettered(width: int, height: int, text: str) -> Pixels:
    from PIL import Image, ImageDraw, ImageFont

    # Finding matplotlib is quick, importing it isn't.
    package = find_spec("matplotlib")
    if package is None or package.origin is None:
        raise ImportError("matplotlib")
    fonts = os.path.join(os.path.dirname(package.origin), "mpl-data", "fonts", "ttf")
    image = Image.new("RGBA", (width, height), (*BACKGROUND, 255))
    draw = ImageDraw.Draw(image)
    unit = min(height, width * 9 / 16)
    rows = (
        ("kfx", "DejaVuSans-Bold.ttf", 0.150, -0.075, _NAME),
        (text, "DejaVuSans.ttf", 0.055, 0.105, _TEXT),
    )
    for words, font, share, down, colour in rows:
        letters = ImageFont.truetype(os.path.join(fonts, font), max(8, round(unit * share)))
        at = (width / 2, height / 2 + unit * down)
        draw.text(at, words, font=letters, fill=(*colour, 255), anchor="mm")
    half, y, thick = unit * 0.11, height / 2 + unit * 0.035, max(1, round(unit / 240))
    draw.line((width / 2 - half, y, width / 2 + half, y), fill=(*_LINE, 255), width=thick)
    return np.array(image)
