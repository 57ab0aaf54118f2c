"""A song clock that knows its readings beforehand, those to come too: timecode of a recording.

A follower of a live source must not look ahead and needs some readings to lock. Here a position
lies between the readings around it, from the first frame on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from kfx.sync.follow import FREE_RUN_S, Fix, Lock
from kfx.sync.grid import Grid
from kfx.sync.song import SongClock, SongTime

GAP_S = 0.25  # between two readings: more is a drop-out
OFF_S = 0.02  # of the song between a reading and the line to it: more is a jump
NEAR = 0.25  # of the speed told, within which two readings belong to one line


class Traced(SongClock):
    """`fixes` rise in time; `start_s` is added to their times. Before the first and after the last
    the song goes on at their speed.
    """

    def __init__(
        self, grid: Grid, fixes: Sequence[Fix], *, start_s: float = 0.0, name: str = "ltc"
    ) -> None:
        super().__init__(grid)
        self._name, self._start_s = name, start_s
        rising = [fix for i, fix in enumerate(fixes) if not i or fix.at > fixes[i - 1].at]
        self._fixes = rising
        self._ats = [fix.at for fix in rising]
        self._jumps = [0]  # up to each reading
        for before, after in pairwise(rising):
            self._jumps.append(self._jumps[-1] + (not _joined(before, after)))

    def now(self, at: float) -> SongTime:
        at -= self._start_s
        i = bisect_right(self._ats, at)
        before = self._fixes[i - 1] if i else None
        after = self._fixes[i] if i < len(self._fixes) else None
        if before is not None and after is not None and _joined(before, after):
            speed = (after.value - before.value) / (after.at - before.at)
            lock: Lock = "locked" if after.at - before.at < GAP_S else "freerun"
            return self._told(before.value + speed * (at - before.at), speed, lock, i)
        near = before
        if after is not None and (before is None or after.at - at < _length(after)):
            near = after  # the frame that ends there has begun
        assert near is not None
        speed = 1.0 if near.speed is None else near.speed
        silent = abs(at - near.at)
        if silent > FREE_RUN_S and near is before:
            at, speed = near.at + FREE_RUN_S, 0.0
        lock = "locked" if silent < GAP_S else "freerun" if silent < FREE_RUN_S else "held"
        value = near.value + (near.speed or 1.0) * (at - near.at)
        return self._told(value, speed, lock, i + (near is after))

    def _told(self, time_s: float, speed: float, lock: Lock, count: int) -> SongTime:
        beat = self.grid.beat_at(time_s)
        seeks = self._jumps[min(max(count - 1, 0), len(self._jumps) - 1)]
        bar = self.grid.bar_of(beat)
        return SongTime(time_s, speed, bar, beat, beat % 1.0, lock, self._name, seeks)


def _joined(before: Fix, after: Fix) -> bool:
    """Whether the song went straight from one reading to the next."""
    if after.seek:
        return False
    span = after.at - before.at
    speeds = [fix.speed for fix in (before, after) if fix.speed is not None]
    if not speeds:
        return True
    speed = (after.value - before.value) / span
    told = sum(speeds) / len(speeds)
    return abs((speed - told) * span) < max(OFF_S, NEAR * abs(told) * span)


def _length(fix: Fix) -> float:
    """How long before a reading its frame has begun, at 24 to 30 frames a second."""
    return min(0.2, 1 / 30 / max(0.1, abs(fix.speed or 1.0)))
