"""Durations of one stage in bounded memory: the newest exactly, all of them within 1 %."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

RECENT = 512
_LEAST_S, _STEP = 1e-6, math.log(1.01)
_BINS = 1900  # 1 µs … 160 s
PERCENTS = (50, 95, 99)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in ms, nearest rank; zeros without samples."""
    ranked = sorted(seconds)
    if not ranked:
        return {f"p{p}": 0.0 for p in PERCENTS}
    last = len(ranked) - 1
    return {
        f"p{p}": round(1000.0 * ranked[min(last, int(p / 100 * len(ranked)))], 3) for p in PERCENTS
    }


class Times:
    """`append` seconds from any thread; a show of twelve hours takes no more room than one of ten.

    Up to `RECENT` samples `percentiles` is exact; beyond that it counts in bins of 1 %.
    """

    def __init__(self) -> None:
        self._count = 0
        self._longest = 0.0
        self._ring = [0.0] * RECENT
        self._bins = np.zeros(_BINS, np.int64)
        self._lock = threading.Lock()

    def append(self, seconds: float) -> None:
        """One sample more."""
        place = int(math.log(max(seconds, _LEAST_S) / _LEAST_S) / _STEP)
        with self._lock:
            self._ring[self._count % RECENT] = seconds
            self._count += 1
            self._longest = max(self._longest, seconds)
            self._bins[min(place, _BINS - 1)] += 1

    def __len__(self) -> int:
        return self._count

    @property
    def longest(self) -> float:
        """The longest sample in seconds; 0 without any."""
        return self._longest

    def newest(self, count: int = 90) -> list[float]:
        """Up to `count` (at most `RECENT`) of the last samples, oldest first."""
        with self._lock:
            end = self._count
            return [self._ring[i % RECENT] for i in range(max(0, end - min(count, RECENT)), end)]

    def percentiles(self) -> dict[str, float]:
        """p50, p95 and p99 in ms of all samples; zeros without any."""
        if self._count <= RECENT:
            return percentiles(self.newest(RECENT))
        with self._lock:
            total, below = self._count, np.cumsum(self._bins)
        ranks = [min(total - 1, int(p / 100 * total)) for p in PERCENTS]
        places = np.searchsorted(below, ranks, side="right")
        middles = _LEAST_S * np.exp(_STEP * (places + 0.5))
        return {
            f"p{p}": round(1000.0 * float(m), 3) for p, m in zip(PERCENTS, middles, strict=True)
        }
