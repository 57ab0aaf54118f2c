"""MIDI timecode: quarter frames and full frames become readings of a position in seconds."""

from __future__ import annotations

from fractions import Fraction

from kfx import timecode
from kfx.sync.follow import Fix

RATES = (Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
PULLED = Fraction(1000, 1001)
_LIMITS = (30, 60, 60, 24)  # frames, seconds, minutes, hours


class Mtc:
    """Bytes of single MIDI messages in, readings out; anything else is ignored.

    Eight quarter frames carry one timecode, that of the first of them; forwards it is two frames
    old when the next set begins. Each piece after a whole set is a reading, a quarter of a frame
    apart. `fps` corrects what MTC can't say: 23.976 for its 24, 29.97 without drop for its 30.
    """

    def __init__(self, *, offset: str | None = None, fps: Fraction | None = None) -> None:
        self._offset = offset
        self._fps = fps
        self._pieces: dict[int, int] = {}
        self._last: int | None = None
        self._direction = 0
        self._set: tuple[int, Fraction] | None = None  # frames of the set under way, its rate

    def message(self, data: bytes, at: float) -> Fix | None:
        """The reading that one MIDI message (``F1 …`` or ``F0 7F …``) gives."""
        if len(data) == 2 and data[0] == 0xF1 and data[1] < 0x80:
            return self._quarter(data[1] >> 4, data[1] & 15, at)
        if len(data) == 10 and data[:2] == b"\xf0\x7f" and data[3:5] == b"\x01\x01":
            return self._full(data[5:9], at)
        return None

    def _full(self, fields: bytes, at: float) -> Fix | None:
        """A full frame: the tape has been wound to there and stands."""
        self._pieces.clear()
        self._set, self._last, self._direction = None, None, 0
        hours, minutes, seconds, frames = fields
        found = self._count(hours >> 5 & 3, hours & 31, minutes, seconds, frames)
        return None if found is None else Fix(at, self._seconds(*found), 0.0)

    def _quarter(self, piece: int, nibble: int, at: float) -> Fix | None:
        step = 0 if self._last is None else (piece - self._last + 4) % 8 - 4
        self._last = piece
        if abs(step) != 1 or (self._direction and step != self._direction):
            self._pieces.clear()
            self._set = None
        self._direction = step if abs(step) == 1 else 0
        self._pieces[piece] = nibble
        first = 0 if self._direction >= 0 else 7
        if piece == first and self._set is not None:
            self._set = (self._set[0] + 2 * self._direction, self._set[1])
        if piece == 7 - first and len(self._pieces) == 8:
            whole = self._whole()
            if whole is None or (self._set is not None and whole != self._set):
                self._set = None  # a locate or a broken set: the next whole one counts
            if whole is not None:
                self._set = whole
            self._pieces.clear()
        if self._set is None or not self._direction:
            return None
        frames, rate = self._set
        return Fix(at, self._seconds(frames, rate) + float(piece / 4 / rate))

    def _whole(self) -> tuple[int, Fraction] | None:
        p = self._pieces
        frames, seconds, minutes = (p[i] | p[i + 1] << 4 for i in (0, 2, 4))
        return self._count(p[7] >> 1 & 3, p[6] | (p[7] & 1) << 4, minutes, seconds, frames & 31)

    def _count(
        self, code: int, hours: int, minutes: int, seconds: int, frames: int
    ) -> tuple[int, Fraction] | None:
        said = (frames, seconds, minutes, hours)
        rate = RATES[code]
        if frames >= timecode.nominal(rate) or any(
            one >= limit for one, limit in zip(said, _LIMITS, strict=True)
        ):
            return None
        drop = code == 2
        if not drop and self._fps is not None and self._fps == rate * PULLED:
            rate = self._fps
        return timecode.count(hours, minutes, seconds, frames, rate, drop=drop), rate

    def _seconds(self, frames: int, rate: Fraction) -> float:
        zero = 0 if self._offset is None else timecode.parse(self._offset, rate)
        return float((frames - zero) / rate)
