"""From LTC frames to song time: the frame rate, which LTC doesn't carry, and the offset."""

from __future__ import annotations

from fractions import Fraction

from kfx import timecode
from kfx.errors import UsageError
from kfx.sync.follow import Fix
from kfx.sync.ltc import Heard

PULLED = Fraction(1000, 1001)
BASES = (24, 25, 30)
SURE_S = 10.0  # of steady play tell 24 from 23.976
NEAR = 0.004  # of normal speed: nearer than this it isn't varispeed


def rate_of(fps: Fraction) -> Fraction:
    """The rate LTC counts at in a project of `fps`: half of it from 48 on."""
    while timecode.nominal(fps) > 30:
        fps /= 2
    return fps


def seconds_of(text: str, rate: Fraction) -> float:
    """A timecode as seconds since 00:00:00:00 at `rate`. Raises `UsageError`."""
    try:
        return float(timecode.parse(text, rate) / rate)
    except ValueError as error:
        raise UsageError(f"offset: {error}") from None


class Rate:
    """What rate the frames seen so far have: drop-frame and the highest frame number tell the
    base, ten seconds at normal speed tell 24 from 23.976. `fixed` is the user's word for it.
    """

    def __init__(self, fixed: Fraction | None = None) -> None:
        self.fixed = None if fixed is None else rate_of(fixed)
        self._base = 0  # frames a second, once a second's end was seen
        self._last = self._highest = 0
        self._drop = self._pulled = False
        self._frames, self._seconds = 0, 0.0  # of steady play at normal speed

    def see(self, heard: Heard, sample_rate: int) -> Fraction:
        """Learn from a frame; returns the rate as far as it is known."""
        if self.fixed is not None:
            return self.fixed
        number, length = heard.label.frames, (heard.end - heard.start) / sample_rate
        self._drop |= heard.label.drop
        if min(number, self._last) == 0 and max(number, self._last) + 1 in BASES:
            self._base = max(number, self._last) + 1
        self._last, self._highest = number, max(self._highest, number)
        self._measure(length)
        return self._guess(1.0 / length)

    def _guess(self, fps: float) -> Fraction:
        """The rate, for frames that now come at `fps`."""
        if self._drop:
            return Fraction(30000, 1001)
        if self._base:
            return self._base * PULLED if self._pulled else Fraction(self._base)
        possible = [base for base in BASES if base > self._highest] or [BASES[-1]]
        return Fraction(min(possible, key=lambda base: abs(fps - base)))

    def _measure(self, length: float) -> None:
        """Count frames at normal speed until they tell a pulled-down rate from a whole one."""
        if not self._base or abs(length * self._base - 1) > NEAR:
            self._frames, self._seconds = 0, 0.0
            return
        self._frames, self._seconds = self._frames + 1, self._seconds + length
        if self._seconds >= SURE_S:
            measured = self._frames / self._seconds / self._base
            self._pulled = abs(measured - float(PULLED)) < abs(measured - 1.0)


def fix(heard: Heard, rate: Fraction, sample_rate: int, zero: float, offset_s: float) -> Fix:
    """The reading a frame gives: `zero` is the time of sample 0, `offset_s` the song's start."""
    count = heard.label.count(rate) + (0 if heard.reverse else 1)
    length = (heard.end - heard.start) / sample_rate
    speed = float(1 / rate) / length
    return Fix(
        zero + heard.end / sample_rate,
        float(count / rate) - offset_s,
        -speed if heard.reverse else speed,
    )
