"""Holds the frame rate by giving things up in a declared order, and takes them back later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

WINDOW = 24  # frames that are judged for lowering
CALM = 90  # frames that are judged for raising
LOOK = 10  # frames between two looks whether something can be raised
SETTLE = 6  # frames after a change that say nothing: first draws are slow
LATE_SHARE = 0.25  # so many of a window over their period, and something must go
ROOM = 0.85  # of a period may be in use after something was taken back
EASIEST, HARDEST = 0.7, 0.1  # bounds of the load under which something is taken back
FORGET_S = 300.0  # a level that didn't hold is tried again at an easier load after so long
HOLD_S = 120.0  # a level lowered again sooner than this after a raise did not hold


@dataclass(frozen=True, slots=True)
class Lever:
    """One thing that may be given up: `steps` words its levels, the first being all of it."""

    name: str
    steps: tuple[str, ...]
    apply: Callable[[int], None]
    able: Callable[[], bool] = lambda: True  # whether it makes any difference at the moment


@dataclass(slots=True)
class _Step:
    """What is known of going from one level to the next lower one."""

    ceiling: float = EASIEST  # load below which it is undone
    failures: int = 0
    since: float = 0.0


class Governor:
    """`feed` it the work of each frame; it applies levers in their order, one step at a time.

    Something is lowered when a quarter of the last `WINDOW` frames took longer than `period_s`.
    The last thing lowered is raised again once the load (p95 of `CALM` frames, in periods) is so
    low that what the step had saved fits in again. A raise that didn't hold lowers that bar, so
    under a steady load the levels come to rest.
    """

    def __init__(self, period_s: float, levers: Sequence[Lever]) -> None:
        self.levers = tuple(levers)
        self._period_s = period_s
        self._levels = [0] * len(self.levers)
        self._loads: deque[float] = deque(maxlen=CALM)
        self._skip = self._count = 0
        self._steps: dict[tuple[int, int], _Step] = {}
        self._path: list[tuple[int, int]] = []  # what was lowered, in order
        self._before: float | None = None  # load when the last step was lowered
        self._raised: tuple[tuple[int, int], float, float] | None = None  # step, when, load then

    @property
    def levels(self) -> dict[str, int]:
        """Lever → level, 0 being all of it."""
        return {lever.name: n for lever, n in zip(self.levers, self._levels, strict=True)}

    @property
    def gave_up(self) -> tuple[str, ...]:
        """What is given up at the moment, in words."""
        pairs = zip(self.levers, self._levels, strict=True)
        return tuple(
            f"{lever.name}: {lever.steps[level]}"
            for lever, level in pairs
            if level and lever.able()
        )

    def feed(self, busy_s: float, now: float) -> str | None:
        """The seconds of work of one frame, ended at `now`; what was changed, in words."""
        if self._skip:
            self._skip -= 1
            return None
        load = busy_s / self._period_s
        self._loads.append(load)
        self._count += 1
        if len(self._loads) < WINDOW:
            return None
        # Only a late frame can be the one too many.
        if load > 1.0 and sum(n > 1.0 for n in self._newest()) > LATE_SHARE * WINDOW:
            return self._lower(now)
        if self._before is not None:
            self._learn()
        if self._path and len(self._loads) == CALM and self._count % LOOK == 0:
            return self._raise(now)
        return None

    def _newest(self) -> list[float]:
        return list(islice(reversed(self._loads), WINDOW))

    def _learn(self) -> None:
        """What the last step saved tells how low the load must be to undo it."""
        assert self._before is not None
        step = self._steps[self._path[-1]]
        saved = _typical(self._loads) / max(self._before, 1e-9)
        if not step.failures:
            step.ceiling = min(EASIEST, max(0.25, ROOM * saved))
        self._before = None

    def _lower(self, now: float) -> str | None:
        able = [
            i
            for i, lever in enumerate(self.levers)
            if self._levels[i] + 1 < len(lever.steps) and lever.able()
        ]
        if not able:
            return None
        which = able[0]
        place = (which, self._levels[which])
        step = self._steps.setdefault(place, _Step())
        if self._raised and self._raised[0] == place and now - self._raised[1] < HOLD_S:
            step.ceiling = max(HARDEST, 0.8 * min(step.ceiling, self._raised[2]))
            step.failures += 1
        self._raised = None
        step.since = now
        self._before = _typical(self._newest())
        self._path.append(place)
        return self._set(which, self._levels[which] + 1)

    def _raise(self, now: float) -> str | None:
        place = self._path[-1]
        step = self._steps[place]
        if now - step.since > FORGET_S * 2**step.failures:
            step.since, step.ceiling = now, min(EASIEST, 1.25 * step.ceiling)
        ranked = sorted(self._loads)
        load = ranked[int(0.95 * len(ranked))]
        if load > step.ceiling:
            return None
        self._path.pop()
        self._raised = (place, now, load)
        self._before = None
        return self._set(place[0], place[1])

    def _set(self, which: int, level: int) -> str:
        self._levels[which] = level
        self._loads.clear()
        self._skip = SETTLE
        lever = self.levers[which]
        lever.apply(level)
        return f"{lever.name}: {lever.steps[level]}"


def _typical(loads: Sequence[float] | deque[float]) -> float:
    return sorted(loads)[len(loads) // 2]
