"""Makes shaders/textures/captcha_text.png: the words of captcha_grid, as distance fields.

Latin letters come from DejaVu Sans, which matplotlib brings along; hangul and katakana are
strokes drawn here from scratch. Each line of text has a row of 64 pixels; 0.5 lies on the
outline. Prints the widths of the rows for the shader.

    .venv/bin/python models/training/captcha_text.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).resolve().parents[2] / "shaders" / "textures" / "captcha_text.png"
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
WIDTH, ROW, FINE = 640, 64, 4
REACH = 7.0  # pixels from the outline to 0 or 1
STROKE = 5.2
ROWS = (
    "Select all images with",
    "AI",
    "AI가 있는 사진을",
    "모두 고르세요",
    "AIヲ",
    "スベテ エラベ",
    "VERIFY",
    "확인",
    "カクニン",
)

# Lines through points of a unit square, y down; an "o" is a ring that fills the square.
Lines = list[list[tuple[float, float]] | str]
JAMO: dict[str, Lines] = {
    "ㄱ": [[(0.05, 0.1), (0.92, 0.1), (0.8, 1.0)]],
    "ㄴ": [[(0.08, 0.0), (0.08, 0.9), (1.0, 0.9)]],
    "ㄷ": [[(0.95, 0.08), (0.08, 0.08), (0.08, 0.92), (1.0, 0.92)]],
    "ㄹ": [[(0.05, 0.05), (0.92, 0.05), (0.92, 0.5), (0.08, 0.5), (0.08, 0.95), (0.98, 0.95)]],
    "ㅁ": [[(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92), (0.08, 0.08)]],
    "ㅅ": [[(0.5, 0.0), (0.45, 0.35), (0.02, 1.0)], [(0.47, 0.4), (0.98, 1.0)]],
    "ㅆ": [
        *([(0.28, 0.0), (0.0, 1.0)], [(0.25, 0.35), (0.48, 1.0)]),
        *([(0.74, 0.0), (0.54, 1.0)], [(0.72, 0.35), (1.0, 1.0)]),
    ],
    "ㅇ": ["o"],
    "ㅈ": [[(0.05, 0.05), (0.95, 0.05)], [(0.52, 0.05), (0.02, 1.0)], [(0.47, 0.45), (0.98, 1.0)]],
    "ㅎ": [[(0.35, 0.0), (0.65, 0.0)], [(0.05, 0.24), (0.95, 0.24)], "o:0.18,0.42,0.82,1.0"],
    "ㅏ": [[(0.3, 0.0), (0.3, 1.0)], [(0.3, 0.45), (0.95, 0.45)]],
    "ㅣ": [[(0.6, 0.0), (0.6, 1.0)]],
    "ㅔ": [[(0.45, 0.05), (0.45, 0.95)], [(0.95, 0.0), (0.95, 1.0)], [(0.0, 0.42), (0.45, 0.42)]],
    "ㅗ": [[(0.0, 0.95), (1.0, 0.95)], [(0.5, 0.1), (0.5, 0.95)]],
    "ㅛ": [[(0.0, 0.95), (1.0, 0.95)], [(0.33, 0.1), (0.33, 0.95)], [(0.67, 0.1), (0.67, 0.95)]],
    "ㅜ": [[(0.0, 0.1), (1.0, 0.1)], [(0.5, 0.1), (0.5, 1.0)]],
    "ㅡ": [[(0.0, 0.5), (1.0, 0.5)]],
}
KATAKANA: dict[str, Lines] = {
    "ヲ": [
        *([(0.1, 0.1), (0.88, 0.1), (0.8, 0.45), (0.6, 0.78), (0.3, 1.0)],),
        [(0.14, 0.44), (0.8, 0.44)],
    ],
    "ス": [[(0.12, 0.1), (0.82, 0.1), (0.6, 0.55), (0.08, 0.98)], [(0.55, 0.58), (0.95, 0.98)]],
    "ベ": [
        *([(0.0, 0.66), (0.34, 0.3), (1.0, 0.84)],),
        *([(0.62, 0.14), (0.74, 0.32)], [(0.82, 0.04), (0.94, 0.22)]),
    ],
    "テ": [
        *([(0.2, 0.08), (0.8, 0.08)], [(0.05, 0.4), (0.95, 0.4)]),
        [(0.52, 0.4), (0.46, 0.75), (0.24, 1.0)],
    ],
    "エ": [[(0.12, 0.12), (0.88, 0.12)], [(0.5, 0.12), (0.5, 0.9)], [(0.02, 0.9), (0.98, 0.9)]],
    "ラ": [
        *([(0.2, 0.06), (0.8, 0.06)],),
        [(0.1, 0.38), (0.88, 0.38), (0.78, 0.7), (0.36, 1.0)],
    ],
    "カ": [
        *([(0.08, 0.3), (0.88, 0.3), (0.8, 0.94), (0.62, 0.86)],),
        [(0.48, 0.02), (0.42, 0.55), (0.08, 0.98)],
    ],
    "ク": [
        [(0.38, 0.02), (0.3, 0.26), (0.05, 0.52)],
        [(0.32, 0.22), (0.88, 0.22), (0.74, 0.62), (0.3, 1.0)],
    ],
    "ニ": [[(0.16, 0.22), (0.84, 0.22)], [(0.04, 0.86), (0.96, 0.86)]],
    "ン": [[(0.1, 0.14), (0.36, 0.32)], [(0.08, 0.94), (0.5, 0.78), (0.94, 0.28)]],
}
Box = tuple[float, float, float, float]
# Where initial, vowel and final stand in a syllable: vowel upright or lying, with a final or not.
PLACES: dict[tuple[bool, bool], tuple[Box, Box, Box]] = {
    (True, False): ((0.04, 0.16, 0.52, 0.84), (0.6, 0.02, 0.98, 0.98), (0, 0, 0, 0)),
    (True, True): ((0.06, 0.04, 0.52, 0.46), (0.6, 0.0, 0.96, 0.52), (0.14, 0.62, 0.88, 0.98)),
    (False, False): ((0.16, 0.04, 0.84, 0.46), (0.02, 0.54, 0.98, 0.92), (0, 0, 0, 0)),
    (False, True): ((0.18, 0.0, 0.82, 0.3), (0.02, 0.36, 0.98, 0.54), (0.18, 0.64, 0.84, 1.0)),
}
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def parts_of(letter: str) -> list[tuple[Lines, Box]]:
    """The strokes of a letter and the boxes they fill."""
    if letter in KATAKANA:
        return [(KATAKANA[letter], (0.04, 0.06, 0.96, 0.96))]
    code = ord(letter) - 0xAC00
    initial, vowel, final = INITIALS[code // 588], VOWELS[code % 588 // 28], FINALS[code % 28]
    if vowel == "ㅘ":  # lies and stands
        boxes: list[tuple[str, Box]] = [(initial, (0.08, 0.0, 0.56, 0.34))]
        boxes += [("ㅗ", (0.0, 0.38, 0.62, 0.56)), ("ㅏ", (0.64, 0.0, 0.98, 0.6))]
        return [(JAMO[one], box) for one, box in [*boxes, (final, (0.14, 0.66, 0.88, 1.0))]]
    places = PLACES[vowel not in "ㅗㅛㅜㅡ", final != " "]
    trio = zip((initial, vowel, final), places, strict=True)
    return [(JAMO[one], box) for one, box in trio if one != " "]


def draw(pen: ImageDraw.ImageDraw, lines: Lines, box: Box) -> None:
    """Strokes with round ends into `box`, in fine pixels."""
    x0, y0, x1, y1 = box
    thick = STROKE * FINE
    for line in lines:
        if isinstance(line, str):
            a, b, c, d = (float(v) for v in line[2:].split(",")) if ":" in line else (0, 0, 1, 1)
            wide, high = (c - a) * (x1 - x0), (d - b) * (y1 - y0)
            wide = min(wide, 1.25 * high)
            middle = x0 + (a + c) / 2 * (x1 - x0)
            ring = (middle - wide / 2, y0 + b * (y1 - y0), middle + wide / 2, y0 + d * (y1 - y0))
            pen.ellipse(ring, outline=255, width=round(thick))
            continue
        points = [(x0 + u * (x1 - x0), y0 + v * (y1 - y0)) for u, v in line]
        pen.line(points, fill=255, width=round(thick), joint="curve")
        for x, y in points:
            r = thick / 2
            pen.ellipse((x - r, y - r, x + r, y + r), fill=255)


def row_of(text: str) -> tuple[np.ndarray, float]:
    """(64, WIDTH) distance field of a line of text, and its width in pixels."""
    canvas = Image.new("L", (WIDTH * FINE, ROW * FINE))
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(str(FONT), 44 * FINE)
    x, cell = 10.0 * FINE, 46.0 * FINE
    for letter in text:
        if ord(letter) < 0x3000:
            pen.text((x, 48 * FINE), letter, font=font, fill=255, anchor="ls")
            x += font.getlength(letter) if letter != " " else 14 * FINE
            continue
        x += 2 * FINE
        for lines, (a, b, c, d) in parts_of(letter):
            top, high = 10.0 * FINE, 43.0 * FINE
            draw(
                pen, lines, (x + a * cell * 0.9, top + b * high, x + c * cell * 0.9, top + d * high)
            )
        x += cell
    ink = (np.asarray(canvas) > 127).astype(np.uint8)
    inside = cv2.distanceTransform(ink, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - ink, cv2.DIST_L2, 5)
    away = cv2.resize((inside - outside) / FINE, (WIDTH, ROW), interpolation=cv2.INTER_AREA)
    return np.clip(0.5 + away / (2 * REACH), 0, 1), x / FINE + 10.0


def main() -> None:
    rows, widths = zip(*(row_of(text) for text in ROWS), strict=True)
    grey = np.rint(np.vstack(rows) * 255).astype(np.uint8)
    cv2.imwrite(str(OUT), grey)
    print(OUT, grey.shape, [round(width) for width in widths])


if __name__ == "__main__":
    main()
