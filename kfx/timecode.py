"""SMPTE timecode: text ↔ frame count, drop-frame included (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from fractions import Fraction

_TEXT = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")


def nominal(rate: Fraction) -> int:
    """Frames that one timecode second counts: 24 for 24000/1001, 30 for 30000/1001."""
    return max(1, round(rate))


def can_drop(rate: Fraction) -> bool:
    """Drop-frame exists for 30000/1001 and its multiples only."""
    return rate.denominator == 1001 and nominal(rate) % 30 == 0


def parse(text: str, rate: Fraction) -> int:
    """Frame count since 00:00:00:00. A ``;`` before the frames means drop-frame.

    Raises `ValueError` for text that is no timecode or whose frame number the rate hasn't.
    """
    match = _TEXT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no timecode (HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame)")
    hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
    base = nominal(rate)
    if minutes > 59 or seconds > 59 or frames >= base:
        raise ValueError(f"{text!r} is outside a day of {base} frames a second")
    return count(hours, minutes, seconds, frames, rate, drop=match[4] != ":")


def count(
    hours: int, minutes: int, seconds: int, frames: int, rate: Fraction, *, drop: bool = False
) -> int:
    """Frames since midnight of the four fields, which aren't checked."""
    base, all_minutes = nominal(rate), hours * 60 + minutes
    total = (all_minutes * 60 + seconds) * base + frames
    if not drop or not can_drop(rate):
        return total
    return total - (base // 15) * (all_minutes - all_minutes // 10)


def text(frame: int, rate: Fraction, *, drop: bool = False) -> str:
    """The timecode of a frame count, wrapping after 24 hours."""
    base = nominal(rate)
    drop = drop and can_drop(rate)
    if drop:
        skip = base // 15  # 2 at 29.97, 4 at 59.94
        ten_minutes = base * 600 - skip * 9
        minute = base * 60 - skip
        tens, rest = divmod(frame % (ten_minutes * 144), ten_minutes)
        frame = frame % (ten_minutes * 144) + skip * 9 * tens
        if rest >= skip:
            frame += skip * ((rest - skip) // minute)
    frame %= base * 86400
    seconds, frames = divmod(frame, base)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{';' if drop else ':'}{frames:02d}"


def advance(start: str, frames: int, rate: Fraction) -> str:
    """The timecode `frames` after `start`, keeping its drop-frame mark."""
    return text(parse(start, rate) + frames, rate, drop=";" in start)
