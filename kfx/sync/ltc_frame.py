"""The 80 bits of one LTC frame: fields ↔ bits, after SMPTE ST 12-1.

A frame is one integer here; bit 0 is the bit sent first. Digits are BCD, the lowest bit first.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kfx import timecode

BITS = 80
SYNC = 0xBFFC  # bits 64–79
_USER = (4, 12, 20, 28, 36, 44, 52, 60)  # first bits of the eight user nibbles
_FIELDS = {  # name: (bit, width) of the units, then of the tens
    "frames": ((0, 4), (8, 2)),
    "seconds": ((16, 4), (24, 3)),
    "minutes": ((32, 4), (40, 3)),
    "hours": ((48, 4), (56, 2)),
}
_LIMITS = {"frames": 30, "seconds": 60, "minutes": 60, "hours": 24}
_DROP, _COLOUR = 10, 11
_POLARITY, _POLARITY_25 = 27, 59  # 25 frames a second has the correction bit elsewhere
_MIRROR = [int(f"{byte:08b}"[::-1], 2) for byte in range(256)]


@dataclass(frozen=True, slots=True)
class Label:
    """What one LTC frame says. `user` are the 32 user bits, group 1 in the lowest nibble."""

    hours: int
    minutes: int
    seconds: int
    frames: int
    drop: bool = False
    user: int = 0
    colour: bool = False

    @property
    def text(self) -> str:
        mark = ";" if self.drop else ":"
        return f"{self.hours:02d}:{self.minutes:02d}:{self.seconds:02d}{mark}{self.frames:02d}"

    def count(self, rate: Fraction) -> int:
        """Frames since midnight at `rate`. A frame number the rate hasn't counts on."""
        return timecode.count(
            self.hours, self.minutes, self.seconds, self.frames, rate, drop=self.drop
        )


def label(frame: int, rate: Fraction, *, drop: bool = False, user: int = 0) -> Label:
    """The label of a frame count. Raises `ValueError` for a rate that LTC can't number."""
    if timecode.nominal(rate) > 30:
        raise ValueError(
            f"LTC counts at most 30 frames a second, not {float(rate):g}; "
            "at 50 and above every second frame carries a label"
        )
    text = timecode.text(frame, rate, drop=drop)
    hours, minutes, seconds, frames = (int(text[i : i + 2]) for i in (0, 3, 6, 9))
    return Label(hours, minutes, seconds, frames, ";" in text, user)


def pack(said: Label, *, base: int = 30) -> int:
    """The 80 bits; the polarity bit makes every frame start in the same direction."""
    bits = SYNC << 64 | said.drop << _DROP | said.colour << _COLOUR
    for name, ((unit, _), (ten, _)) in _FIELDS.items():
        tens, units = divmod(getattr(said, name), 10)
        bits |= units << unit | tens << ten
    for group, first in enumerate(_USER):
        bits |= (said.user >> 4 * group & 15) << first
    zeros = BITS - bits.bit_count()
    if zeros % 2:
        bits |= 1 << (_POLARITY_25 if base == 25 else _POLARITY)
    return bits


def unpack(bits: int) -> Label | None:
    """The label in 80 bits, or None where they hold no valid digits or no sync word."""
    if bits >> 64 != SYNC:
        return None
    values = {}
    for name, ((unit, unit_width), (ten, ten_width)) in _FIELDS.items():
        units = bits >> unit & (1 << unit_width) - 1
        value = (bits >> ten & (1 << ten_width) - 1) * 10 + units
        if units > 9 or value >= _LIMITS[name]:
            return None
        values[name] = value
    user = sum((bits >> first & 15) << 4 * group for group, first in enumerate(_USER))
    drop, colour = bool(bits >> _DROP & 1), bool(bits >> _COLOUR & 1)
    return Label(**values, drop=drop, user=user, colour=colour)


def mirrored(bits: int) -> int:
    """The bits in the opposite order: what tape played backwards gives."""
    return int.from_bytes(bytes(_MIRROR[b] for b in bits.to_bytes(10, "little")), "big")


def follows(before: Label, after: Label) -> bool:
    """Whether `after` is the frame behind `before`, at whatever rate LTC may have."""
    one, two = _seconds(before), _seconds(after)
    if one == two:
        return after.frames == before.frames + 1
    if (one + 1) % 86400 != two or before.frames not in (23, 24, 29):
        return False
    skips = after.drop and after.seconds == 0 and after.minutes % 10 != 0
    return after.frames == (2 if skips else 0)


def _seconds(said: Label) -> int:
    return (said.hours * 60 + said.minutes) * 60 + said.seconds
