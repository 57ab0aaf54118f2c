"""Time codes in pixels: a strip of blocks that survives any camera and tells a picture's age."""

from __future__ import annotations

import numpy as np

BITS = 24  # of the milliseconds of a clock that both sides share
BLOCK = 12  # pixels: larger than what chroma and codecs blur
WIDTH = (BITS + 3) * BLOCK  # with a light block first, parity and a dark block last


def stamp(pixels: np.ndarray, at_s: float) -> None:
    """Draw the time into the top rows of (h, w, 3 or 4) uint8, which is written to."""
    number = int(at_s * 1000) % (1 << BITS)
    bits = [number >> place & 1 for place in reversed(range(BITS))]
    blocks = [1, *bits, sum(bits) % 2, 0]
    row = np.repeat(np.array(blocks, np.uint8) * 255, BLOCK)
    pixels[: 2 * BLOCK, : len(row), :3] = row[None, :, None]


def age_s(pixels: np.ndarray, now_s: float) -> float | None:
    """How long ago the picture was stamped; None for one without a whole stamp."""
    row = pixels[BLOCK, BLOCK // 2 : WIDTH : BLOCK, 1] > 128
    first, bits, parity, last = row[0], row[1:-2], row[-2], row[-1]
    if not first or last or bits.sum() % 2 != parity:
        return None
    number = int("".join("1" if bit else "0" for bit in bits), 2)
    return ((int(now_s * 1000) - number) % (1 << BITS)) / 1000
