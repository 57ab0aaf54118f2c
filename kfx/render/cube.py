"""Reads colour tables, .cube files as Adobe/Iridas and Resolve write them, into one texture.

1-D, 3-D, and a 1-D shaper in front of a 3-D table. The text is read tolerantly: comments and
keywords anywhere, any line ends, a byte order mark, unknown keywords. Format: Adobe, *Cube LUT
Specification 1.0* (2013), and the README of DaVinci Resolve's LUT folder.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError

Table = npt.NDArray[np.float32]

LARGEST_1D = 65536
LARGEST_3D = 120  # a texture has 16384 rows at most
LARGEST_FILE = 80_000_000  # bytes
CURVE_WIDTH = 33  # columns where there is no 3-D table
HEADER_TEXELS = 4
_ROWS = 16384
_KEYWORD = re.compile(r"^[ \t]*([A-Za-z_]\w*)(.*)$", re.M)
_COMMENT = re.compile(r"#.*$", re.M)
_VIDEO = (219.0 / 255.0, 16.0 / 255.0)


def load_cube(path: Path) -> Table:
    """A file as one picture of numbers, (h, w, 4) float32, to be read texel by texel.

    Texel k is ``picture[k // w, k % w]``. ``w`` is the size n of the 3-D table, or 33 if there
    is none.

    * texels 0–3: scale and size of the 1-D table (0: none), its offset and the size of the 3-D
      table (0: none), scale of the 3-D table and the row at which it begins, its offset and 0.
      A colour c stands at ``c * scale + offset`` in units of entries; beyond the ends, clamp.
    * from the next whole row on: the entries of the 1-D table
    * from the row given in texel 2 on: the 3-D table, entry (r, g, b) at column r of row g + n·b

    Read linearly (1-D) and tetrahedrally (3-D). Raises `KfxError` naming the line.
    """
    text = _read(path)
    sizes, ranges, video, data = _keywords(path, text)
    n1, n3 = sizes.get("LUT_1D_SIZE", 0), sizes.get("LUT_3D_SIZE", 0)
    if not n1 and not n3:
        raise KfxError(f"{path}: neither LUT_1D_SIZE nor LUT_3D_SIZE; is it a .cube file?")
    values = _values(path, data, n1 + n3**3)
    if "LUT_OUT_VIDEO_RANGE" in video:
        last = slice(n1, None) if n3 else slice(None)
        values[last] = (values[last] - _VIDEO[1]) / _VIDEO[0]
    width = n3 or CURVE_WIDTH
    first, rows1 = -(-HEADER_TEXELS // width), -(-n1 // width)
    height = first + rows1 + n3 * n3
    if height > _ROWS:
        raise KfxError(f"{path}: LUT_1D_SIZE {n1} is too large beside a cube of {n3}; try 4096")
    picture = np.zeros((height, width, 4), np.float32)
    flat = picture.reshape(-1, 4)
    flat[:, 3] = 1.0
    for k, (size, key) in enumerate(((n1, "1D"), (n3, "3D"))):
        low, high = ranges[key]
        scale, offset = np.ones(3), np.zeros(3)
        if size:
            scale = (size - 1) / (high - low)
            offset = -low * scale
            if "LUT_IN_VIDEO_RANGE" in video and (key == "1D" or not n1):
                scale, offset = scale * _VIDEO[0], offset + scale * _VIDEO[1]
        flat[2 * k, :3], flat[2 * k + 1, :3] = scale, offset
    flat[:HEADER_TEXELS, 3] = n1, n3, first + rows1, 0.0
    flat[first * width : first * width + n1, :3] = values[:n1]
    if n3:
        picture[first + rows1 :, :, :3] = values[n1:].reshape(n3 * n3, n3, 3)
    return picture


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise KfxError(
                f"{path}: larger than {LARGEST_FILE // 1_000_000} MB; is it a .cube file?"
            )
        data = path.read_bytes()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _keywords(
    path: Path, text: str
) -> tuple[dict[str, int], dict[str, npt.NDArray[np.float64]], set[str], str]:
    """Sizes, input ranges (low, high) of both tables, flags, and the text of numbers only."""
    sizes: dict[str, int] = {}
    ranges = {key: np.array([[0.0] * 3, [1.0] * 3]) for key in ("1D", "3D")}
    domain = ranges["1D"].copy()
    has_domain = False
    video: set[str] = set()
    text = _COMMENT.sub(lambda found: " " if '"' not in _line_head(text, found) else found[0], text)
    for found in _KEYWORD.finditer(text):
        word, rest = found[1].upper(), found[2]
        place = f"{path}:{text.count(chr(10), 0, found.start(1)) + 1}"
        if word in ("NAN", "INF", "INFINITY"):
            continue  # a bad number, told with its line below
        if word in ("LUT_1D_SIZE", "LUT_3D_SIZE"):
            most = LARGEST_1D if word == "LUT_1D_SIZE" else LARGEST_3D
            if not rest.strip().isdecimal() or not 2 <= int(rest) <= most:
                raise KfxError(f"{place}: {word} {rest.strip()!r} is no size within 2..{most}")
            sizes[word] = int(rest)
        elif word in ("DOMAIN_MIN", "DOMAIN_MAX"):
            domain[int(word == "DOMAIN_MAX")] = _numbers(place, word, rest, 3)
            has_domain = True
        elif word in ("LUT_1D_INPUT_RANGE", "LUT_3D_INPUT_RANGE"):
            ranges[word[4:6]] = np.repeat(_numbers(place, word, rest, 2)[:, None], 3, axis=1)
        elif word in ("LUT_IN_VIDEO_RANGE", "LUT_OUT_VIDEO_RANGE"):
            video.add(word)
    if has_domain:
        ranges["1D" if "LUT_1D_SIZE" in sizes else "3D"] = domain
    for low, high in ranges.values():
        if (high - low <= 1e-9).any():
            raise KfxError(f"{path}: the input range {low[0]:g}..{high[0]:g} is empty")
    bad = r"(?i:nan|inf|infinity)\b"
    data = re.sub(rf"^[ \t]*(?!{bad})[A-Za-z_].*$", "", text, flags=re.M)
    return sizes, ranges, video, data


def _line_head(text: str, found: re.Match[str]) -> str:
    """The line before a #, which may stand in a quoted title."""
    return text[text.rfind("\n", 0, found.start()) + 1 : found.start()]


def _numbers(place: str, word: str, rest: str, count: int) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(one) for one in rest.split()])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all():
        raise KfxError(f"{place}: {word} {rest.strip()!r} is no list of {count} numbers")
    return values


def _values(path: Path, data: str, expected: int) -> Table:
    """(expected, 3); any fault is looked for line by line, to name it."""
    try:
        values = np.array(data.split(), np.float32)
        rows = sum(1 for line in data.split("\n") if line and not line.isspace())
    except (ValueError, OverflowError):
        values, rows = np.zeros(0, np.float32), -1
    # A sound file never gets here line by line: 65³ rows would take a second.
    if len(values) != 3 * rows or not np.isfinite(values).all():
        _name_the_fault(path, data)
    if rows != expected:
        raise KfxError(f"{path}: {rows} rows of numbers where {expected} are due; is it cut short?")
    return values.reshape(-1, 3)


def _name_the_fault(path: Path, data: str) -> None:
    for number, line in enumerate(data.split("\n"), 1):
        parts = line.split()
        try:
            sound = bool(np.isfinite([float(one) for one in parts]).all())
        except ValueError:
            sound = False
        if parts and (len(parts) != 3 or not sound):
            raise KfxError(f"{path}:{number}: {line.strip()[:60]!r} is no row of three numbers")
    raise KfxError(f"{path}: numbers that can't be read")
