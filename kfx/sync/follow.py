"""Follows one source: jittery readings of its position become a steady position at any time.

A phase-locked loop in three parts: a straight line through the last readings (the loop's filter),
a shown position that glides onto it and so never runs backwards (its oscillator), and a detector
that tells jitter from a change of speed and a change of speed from a seek.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

Lock = Literal["none", "locking", "locked", "freerun", "held"]

WINDOW_S = 4.0  # readings the line goes through: jitter must not tilt it in a drop-out
JITTER_S = 0.03  # readings may come this much early or late
QUIET_S = 0.008  # differences that are always jitter, however steady a source was
OTHER_SPEED = 0.08  # wow and flutter stay below
AGREE = 3  # readings in a row off the line on one side: it isn't jitter
SEEK_S = 0.08  # farther off the shown position it jumps instead of gliding
GLIDE_S = 0.06  # time constant of gliding
LEAN_S = 0.12  # over which errors are averaged to see whether the line lags
LEANING = 0.9  # of the jitter, averaged so: no chance any more
SETTLED, SETTLED_S = 6, 0.3  # readings, and the time they span, after which it is locked
PRIOR_S2 = 2.5e-3  # jitter² over the spread of likely speeds²: few readings change little
TOLD_S2 = 0.1  # the same for a speed that the source itself tells
FREE_RUN_S = 5.0


@dataclass(frozen=True, slots=True)
class Fix:
    """One reading of a source: at the monotonic time `at` its position was `value`.

    `speed`, where the source tells it, is in units of `value` a second; 0 is a stop. `seek` says
    that this reading has nothing to do with the ones before.
    """

    at: float
    value: float
    speed: float | None = None
    seek: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """A position at some time: `speed` per second; `seeks` counts the jumps so far.

    `lock`: none (nothing heard yet), locking, locked, freerun (silent, going on), held (stopped,
    or silent for too long).
    """

    value: float
    speed: float
    lock: Lock
    seeks: int


class _Readings:
    """The readings of the last seconds and the straight line through them, by running sums."""

    def __init__(self) -> None:
        self.fixes: deque[Fix] = deque()
        self._zero = Fix(0.0, 0.0)
        self._sums = [0.0] * 4  # of t, v, t·t and t·v, from the oldest reading on

    def restart(self, fixes: list[Fix]) -> None:
        self.fixes.clear()
        self._zero = fixes[0]
        self._sums = [0.0] * 4
        for fix in fixes:
            self.append(fix)

    def append(self, fix: Fix) -> None:
        self.fixes.append(fix)
        self._count(fix, 1.0)
        while len(self.fixes) > 2 and fix.at - self.fixes[0].at > WINDOW_S:
            self.pop()

    def pop(self) -> None:
        self._count(self.fixes.popleft(), -1.0)

    def _count(self, fix: Fix, sign: float) -> None:
        t, v = fix.at - self._zero.at, fix.value - self._zero.value
        for i, one in enumerate((t, v, t * t, t * v)):
            self._sums[i] += sign * one

    def line(self, prior: float, weight: float) -> tuple[float, float, float]:
        """A point of the line and its slope; `prior` is believed while there are few readings."""
        n = len(self.fixes)
        t, v, tt, tv = self._sums
        slope = (tv - t * v / n + prior * weight) / (max(0.0, tt - t * t / n) + weight)
        return self._zero.at + t / n, self._zero.value + v / n, slope


class Follower:
    """Feed it readings in the order they come, ask it for any later time.

    `unit_s` is how many seconds one unit of the position lasts at normal speed: 1 for seconds,
    0.5 for beats at 120. `frame_s` is the length of the frame that an error has to stay below.
    """

    def __init__(
        self, *, unit_s: float = 1.0, frame_s: float = 1 / 24, free_run_s: float = FREE_RUN_S
    ) -> None:
        self._unit_s, self._frame_s, self._free_run_s = unit_s, frame_s, free_run_s
        self._readings = _Readings()
        self._fixes = self._readings.fixes
        self._odd: list[Fix] = []  # readings in a row off the line, all on one side
        self._jitter = JITTER_S / 3  # mean distance of readings from the line, in seconds
        self._lean = 0.0  # mean of the last errors, signed
        self._at, self._value, self._speed = 0.0, 0.0, 1.0 / unit_s  # the line
        self._offset, self._since, self._glide_s = 0.0, 0.0, GLIDE_S  # of the shown position
        self._heard: float | None = None
        self._asked = -math.inf
        self._stopped = False
        self._seeks = 0

    def feed(self, fix: Fix) -> None:
        """Take a reading in; one out of order or with a number that isn't finite is ignored."""
        numbers = (fix.at, fix.value, fix.speed or 0.0)
        if not all(map(math.isfinite, numbers)) or (self._heard or fix.at) > fix.at:
            return
        before, self._heard = self._heard, fix.at
        stopped, self._stopped = self._stopped, fix.speed == 0.0
        silent = before is None or fix.at - before > self._free_run_s
        if silent or stopped or self._stopped or fix.seek:
            self._restart([fix], first=before is None)
            return
        error_s = self._seconds(fix.value - self._line(fix.at))
        off = abs(error_s) > self._tolerance_s() or self._other_speed(fix)
        weight = 1.0 - math.exp(-(fix.at - (before or fix.at)) / LEAN_S)
        self._jitter += 0.1 * (min(abs(error_s - self._lean), JITTER_S) - self._jitter)
        self._lean += weight * (max(-JITTER_S, min(error_s, JITTER_S)) - self._lean)
        if not off:
            self._odd.clear()
            self._readings.append(fix)
            if abs(self._lean) > max(LEANING * self._jitter, 1e-3):
                self._shorten()
            self._refit()
            return
        if self._odd and not self._agrees(fix, self._odd[-1]):
            self._odd.clear()
        self._odd.append(fix)
        if len(self._odd) >= AGREE:
            self._restart(self._odd)

    def where(self, at: float) -> Where:
        """The position at `at`. For rising times it only turns or jumps when the source did."""
        if self._heard is None:
            return Where(0.0, 0.0, "none", 0)
        silent = at - self._heard
        if self._stopped or silent > self._free_run_s:
            end = self._heard if self._stopped else self._heard + self._free_run_s
            return Where(self._shown(max(end, self._asked)), 0.0, "held", self._seeks)
        self._asked = max(self._asked, at)
        lock: Lock = "locked" if self._settled(self._asked) else "locking"
        if silent > self._gap_s():
            lock = "freerun"
        return Where(self._shown(self._asked), self._speed, lock, self._seeks)

    def _line(self, at: float) -> float:
        return self._value + self._speed * (at - self._at)

    def _shown(self, at: float) -> float:
        fade = math.exp(-max(0.0, at - self._since) / self._glide_s)
        return self._line(at) + self._offset * fade

    def _seconds(self, difference: float) -> float:
        """How long a difference of positions lasts at the speed of the moment, at 1x or above."""
        return difference * self._unit_s / max(1.0, abs(self._speed) * self._unit_s)

    def _tolerance_s(self) -> float:
        """How far off the line a reading may lie and still be jitter."""
        widest = max(self._frame_s, JITTER_S * 1.2)
        return min(widest, max(QUIET_S, 4.0 * self._jitter))

    def _agrees(self, fix: Fix, before: Fix) -> bool:
        """Whether two readings off the line may belong to one new line."""
        told = self._speed if fix.speed is None else fix.speed
        apart = fix.value - before.value - told * (fix.at - before.at)
        return abs(self._seconds(apart)) < 3.0 * max(self._tolerance_s(), self._frame_s)

    def _other_speed(self, fix: Fix) -> bool:
        """Whether the source itself says that its speed isn't the line's any more."""
        if fix.speed is None or len(self._fixes) < SETTLED:
            return False
        return abs(fix.speed - self._speed) > OTHER_SPEED * abs(self._speed)

    def _settled(self, at: float) -> bool:
        """Whether the shown position is known to half a frame."""
        half = self._frame_s / 2
        gliding = self._seconds(self._shown(at) - self._line(at))
        if self._odd or abs(gliding) > half or abs(self._lean) > half:
            return False
        if len(self._fixes) < SETTLED:
            return len(self._fixes) >= AGREE and self._fixes[-1].speed is not None
        return self._fixes[-1].at - self._fixes[0].at >= SETTLED_S

    def _gap_s(self) -> float:
        """A silence that is no ordinary gap between two readings."""
        if len(self._fixes) < 2:
            return 0.5
        span = self._fixes[-1].at - self._fixes[0].at
        return max(0.1, 4.0 * span / (len(self._fixes) - 1))

    def _shorten(self) -> None:
        """Forget the older half: the line lags behind a speed that changes."""
        for _ in range((len(self._fixes) - AGREE) // 2):
            self._readings.pop()
        self._lean *= 0.7

    def _restart(self, fixes: list[Fix], *, first: bool = False) -> None:
        """Forget all readings but these, and jump if the shown position is far from them."""
        at = max(fixes[-1].at, self._asked)
        shown = self._shown(at)
        self._readings.restart(fixes)
        self._odd, self._lean = [], 0.0
        self._fit()
        off_s = abs(shown - self._line(at)) * self._unit_s
        if first or off_s > SEEK_S:
            self._offset = 0.0
            self._seeks += not first
        else:
            self._glide(shown, at)

    def _refit(self) -> None:
        at = max(self._fixes[-1].at, self._asked)
        shown = self._shown(at)
        self._fit()
        self._glide(shown, at)

    def _fit(self) -> None:
        newest = self._fixes[-1]
        if self._stopped:
            self._at, self._value, self._speed = newest.at, newest.value, 0.0
            return
        prior, weight = self._speed or 1.0 / self._unit_s, PRIOR_S2
        if newest.speed is not None:
            prior, weight = newest.speed, TOLD_S2
        self._at, self._value, self._speed = self._readings.line(prior, weight)

    def _glide(self, shown: float, at: float) -> None:
        """Go on from `shown` onto the line, so slowly that the direction stays."""
        self._offset, self._since = shown - self._line(at), at
        if self._speed == 0.0:
            self._glide_s = math.inf  # stopped a little late: it stands where it was seen
            return
        self._glide_s = max(GLIDE_S, 1.2 * abs(self._offset / self._speed))
