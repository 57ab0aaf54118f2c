"""Places in a song as people write them: ``9:1``, ``01:00:12:00`` or seconds."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from kfx import timecode
from kfx.sync.grid import Grid

_BAR = re.compile(r"(-?\d{1,5}):(\d{1,4}(?:\.\d{1,6})?)")
_SECONDS = re.compile(r"(-?\d{1,6}(?:\.\d{1,9})?) ?s")
_CODE = re.compile(r"\d{1,2}:\d{2}:\d{2}[:;.]\d{2,3}")
LONGEST_S = 4 * 3600.0


def seconds(
    value: Any, grid: Grid, *, offset: str | None = None, fps: Fraction | None = None
) -> float:
    """The second of the song that `value` means. Raises `ValueError` with the remedy."""
    found = _seconds(value, grid, offset, fps)
    if not -60.0 <= found <= LONGEST_S:
        raise ValueError(f"{str(value)[:40]!r} lies at {found:g} s, which no song has")
    return found


def _seconds(value: Any, grid: Grid, offset: str | None, fps: Fraction | None) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise ValueError("it is no number of seconds")
        return number
    text = value.strip() if isinstance(value, str) else ""
    if match := _BAR.fullmatch(text):
        beat = float(match[2])
        if beat < 1.0:
            raise ValueError(f"{text!r}: beats count from 1")
        return grid.time_of(int(match[1]), beat)
    if match := _SECONDS.fullmatch(text):
        return float(match[1])
    if _CODE.fullmatch(text):
        if offset is None or fps is None:
            raise ValueError(
                f"{text!r} is a timecode; say at which one the song starts: "
                f'offset = "01:00:00:00", and fps = "23.976"'
            )
        return float((timecode.parse(text, fps) - timecode.parse(offset, fps)) / fps)
    shown = str(value)[:40] if isinstance(value, str) else type(value).__name__
    raise ValueError(f'{shown!r} is no place; write "9:1" (bar:beat), 12.5 or "01:00:12:00"')


def bar_beat(grid: Grid, time_s: float) -> str:
    """``9:1`` or ``9:2.50``: bar and beat as people count them, to a hundredth of a beat."""
    bar, beat = grid.position(time_s)
    beat = round(beat, 2)
    inside = grid.position(grid.time_of(bar, beat))
    if inside[0] != bar and abs(grid.time_of(inside[0]) - time_s) < 0.01:
        bar, beat = inside[0], 1.0  # 8:4.999 is 9:1
    return f"{bar}:{beat:g}"
