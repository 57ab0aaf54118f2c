"""Absolute deadlines of an output rate: late ones are skipped, never owed."""

from __future__ import annotations

from fractions import Fraction


class Pace:
    """Deadline n lies at `start` + n / `rate`, exactly; it never drifts and never hurries."""

    def __init__(self, rate: Fraction, start: float) -> None:
        self.rate = rate
        self._start = start
        self._next = 0

    def wait_s(self, now: float) -> float:
        """Seconds until the next deadline; 0 if it has passed."""
        return max(0.0, self._start + float(self._next / self.rate) - now)

    def take(self, now: float) -> tuple[int, int]:
        """The deadline that counts at `now` and how many before it were missed."""
        passed = int((now - self._start) * self.rate + Fraction(1, 1_000_000))
        due = max(self._next, passed)
        missed = due - self._next
        self._next = due + 1
        return due, missed

    def time_s(self, number: int) -> float:
        """Seconds from the first deadline to deadline `number`."""
        return float(number / self.rate)
