"""Makes shaders/textures/glyphs.png: sixteen hangul letters by growing weight, as distance fields.

Each is a few strokes on a square, drawn here from scratch. Red holds 0.5 on the outline and rises
to 1 inside, over a quarter of a letter either side.

    .venv/bin/python models/training/glyph_tile.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = 32
HALF_STROKE = 0.068
OUT = Path(__file__).resolve().parents[2] / "shaders" / "textures" / "glyphs.png"

L, R, T, B, M = 0.20, 0.80, 0.20, 0.80, 0.50  # left, right, top, bottom, middle
BIEUP = [(L, T, L, B), (R, T, R, B), (L, M, R, M), (L, B, R, B)]
# Strokes x0, y0, x1, y1 with y down; a ring is (x, y, radius).
LETTERS: list[list[tuple[float, ...]]] = [
    [],
    [(M, M, M, M)],
    [(0.34, M, 0.66, M)],
    [(M, T, M, B)],
    [(L, 0.26, 0.74, 0.26), (0.74, 0.26, 0.66, B)],
    [(0.26, T, 0.26, 0.74), (0.26, 0.74, R, 0.74)],
    [(M, T, L, B), (M, 0.38, R, B)],
    [(M, M, 0.29)],
    [(L, 0.22, R, 0.22), (M, 0.22, L, B), (M, 0.46, R, B)],
    [(L, T, R, T), (L, T, L, B), (L, B, R, B)],
    [(L, T, R, T), (R, T, R, B), (R, B, L, B), (L, B, L, T)],
    [(0.38, 0.12, 0.62, 0.12), (L, 0.29, R, 0.29), (M, 0.64, 0.22)],
    [(L, T, R, T), (R, T, R, M), (R, M, L, M), (L, M, L, B), (L, B, R, B)],
    BIEUP,
    [(L, T, R, T), (L, B, R, B), (0.38, T, 0.38, B), (0.62, T, 0.62, B)],
    [*BIEUP, (L, T, R, T), (M, T, M, B)],
]


def distance(stroke: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """From each point to the line of a stroke, in letters."""
    if len(stroke) == 3:
        return np.abs(np.hypot(x - stroke[0], y - stroke[1]) - stroke[2])
    x0, y0, x1, y1 = stroke
    dx, dy = x1 - x0, y1 - y0
    t = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    return np.hypot(x - x0 - t * dx, y - y0 - t * dy)


def letter(strokes: list[tuple[float, ...]]) -> np.ndarray:
    """(32, 32) distance field in 0..1."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    away = np.full((SIZE, SIZE), 1.0)
    for stroke in strokes:
        thick = 0.11 if len(stroke) == 4 and stroke[:2] == stroke[2:] else HALF_STROKE
        away = np.minimum(away, distance(stroke, x, y) - thick)
    return np.clip(0.5 - away / 0.5, 0, 1)


def main() -> None:
    letters = sorted((letter(strokes) for strokes in LETTERS), key=lambda one: (one > 0.5).sum())
    grey = np.rint(np.hstack(letters) * 255).astype(np.uint8)
    cv2.imwrite(str(OUT), np.dstack([grey] * 3))
    print(OUT, [round(float((one > 0.5).mean()), 3) for one in letters])


if __name__ == "__main__":
    main()
