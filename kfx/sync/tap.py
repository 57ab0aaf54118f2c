"""Tap tempo: taps on the beat become a tempo and a place in the bar."""

from __future__ import annotations

import math
import threading
from collections import deque

from kfx.sync.follow import Fix
from kfx.sync.song import Unit

PAUSE_S = 2.0  # a longer pause begins a new row of taps
FEWEST = 3
MOST = 16
RANGE_S = (60 / 300, PAUSE_S)


class Tap:
    """A source that people tap: call `tap` at each beat, the first on a downbeat.

    From the third tap on it gives beats, and goes on at that tempo until somebody taps again;
    `bpm` is None before the third.
    """

    name = "tap"
    unit: Unit = "beats"
    free_run_s = math.inf

    def __init__(self) -> None:
        self.bpm: float | None = None
        self._taps: deque[float] = deque(maxlen=MOST)
        self._beat = 0  # of the last tap
        self._new = True
        self._fixes: list[Fix] = []
        self._lock = threading.Lock()

    def tap(self, at: float) -> None:
        """Somebody tapped at the monotonic time `at`; from any thread."""
        with self._lock:
            if self._taps and at <= self._taps[-1]:
                return
            if self._taps and at - self._taps[-1] > PAUSE_S:
                self._taps.clear()
                self._beat, self._new = 0, True
            elif self._taps:
                self._beat += 1
            self._taps.append(at)
            if len(self._taps) < FEWEST:
                return
            start, period = _line(list(self._taps))
            period = min(max(period, RANGE_S[0]), RANGE_S[1])
            self.bpm = 60.0 / period
            last = start + period * (len(self._taps) - 1)
            # The line through all taps: a person is some 20 ms off, their mean is not.
            self._fixes.append(Fix(at, self._beat + (at - last) / period, 1 / period, self._new))
            self._new = False

    def tempo(self, bpm: float, at: float, beat: float) -> None:
        """Go on at `bpm` from the place `beat` at the monotonic time `at`, without taps."""
        with self._lock:
            self._taps.clear()
            self.bpm, self._new = bpm, True
            self._fixes.append(Fix(at, beat, bpm / 60.0, True))

    def read(self, at: float) -> list[Fix]:
        with self._lock:
            fixes, self._fixes = self._fixes, []
        return fixes

    def close(self) -> None:
        return


def _line(taps: list[float]) -> tuple[float, float]:
    """When the first tap should have been, and the period, by least squares."""
    count = len(taps)
    middle = (count - 1) / 2
    mean = sum(taps) / count
    spread = sum((i - middle) ** 2 for i in range(count))
    period = sum((i - middle) * (one - mean) for i, one in enumerate(taps)) / spread
    return mean - period * middle, period
