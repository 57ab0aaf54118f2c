"""Leaves single links of a look out of the picture while they fail or are too slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from kfx.engine.loop.watch import PATIENCE, Watch
from kfx.errors import KfxError
from kfx.presets import Preset

Unit = tuple[int, ...]
"""Places in the chain of links that are drawn together: they are left out together."""
Settle = Callable[[], None]
TOGETHER = (
    60  # slow pictures running with no link over the budget by itself: a governor comes first
)


class Care(Protocol):
    """What becomes of a fault in one link: `allows` before it runs, `trying` while it does."""

    def allows(self, unit: Unit, reset: Callable[[], None]) -> bool: ...

    def trying(self, unit: Unit, settle: Settle | None = None) -> AbstractContextManager[None]: ...


class Strict:
    """A fault ends the rendering, with the name of the link it happened in."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset

    def allows(self, unit: Unit, reset: Callable[[], None]) -> bool:
        return True

    @contextmanager
    def trying(self, unit: Unit, settle: Settle | None = None) -> Iterator[None]:
        try:
            yield
        except KfxError as error:
            raise KfxError(f"{named(self._preset, unit)}: {error}") from error
        except Exception as error:
            error.add_note(f"in {named(self._preset, unit)}")
            raise


class AutoBypass:
    """A fault costs a frame its link, five running the link its place for a while.

    Time is measured only when it is short: calls that draw return long before they are done, and
    waiting for each of them costs time itself. So a picture over `budget_s` has the next ones
    timed link by link, the GPU's queue emptied in between. A link that takes more than that by
    itself is to blame; where they do only together, the costliest is, after `TOGETHER` pictures.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        budget_s: float,
        tell: Callable[[str], None],
        drop: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        """`tell` hears news, `drop` counts pictures without one of their links."""
        self._preset, self._budget_s = preset, budget_s
        self._tell, self._drop, self._now = tell, drop, now
        self._watches: dict[Unit, Watch] = {}  # of those that were ever at fault
        self._stale: set[Unit] = set()  # what they remember is of no use any more
        self._away: set[Unit] = set()
        self._why: dict[Unit, str] = {}  # that those were left out, as it was told
        self._ran: set[Unit] = set()  # in this picture, without a fault
        self._failed: set[Unit] = set()  # in this picture: nothing more of them is drawn in it
        self._refused: set[Unit] = set()  # in this picture, as they pause
        self.missing: frozenset[Unit] = frozenset()  # from the last picture that was judged
        self._took: dict[Unit, float] = {}  # s in this picture, as far as it is timed
        self._timing = False
        self._crowded = 0  # slow pictures running in which most of the time went to links
        self._heavy: set[Unit] = set()  # left out though within the budget by themselves
        self._owed = 0  # slow pictures before this one that nobody was blamed for yet

    @property
    def left_out(self) -> tuple[str, ...]:
        """The links that are left out for a while, by place and name."""
        return tuple(named(self._preset, unit) for unit in sorted(self._away))

    def allows(self, unit: Unit, reset: Callable[[], None]) -> bool:
        """Whether to draw a unit in this picture; one that was at fault is `reset` before it."""
        watch = self._watches.get(unit)
        if watch is None:
            return True
        if unit in self._failed:
            return False
        if not watch.allows(self._now()):
            self._refused.add(unit)
            return False
        if unit in self._stale:
            self._stale.discard(unit)
            reset()
        return True

    @contextmanager
    def trying(self, unit: Unit, settle: Settle | None = None) -> Iterator[None]:
        """Around its drawing: nothing that it raises gets out. `settle` waits for the GPU."""
        timing = self._timing
        if timing and settle:
            settle()
        started = self._now() if timing else 0.0
        try:
            yield
            if timing and settle:
                settle()
        except Exception as error:  # whatever it is, the others go on
            self._fault(unit, str(error) or repr(error))
            return
        if timing:
            self._took[unit] = self._took.get(unit, 0.0) + self._now() - started
        self._ran.add(unit)

    def judge(self, took_s: float | None) -> bool:
        """After each picture: whether its slowness is taken care of here.

        `took_s` is what all of it took, None where that says nothing of the links.
        """
        self.missing, self._refused = frozenset(self._refused | self._failed), set()
        took, ran, timed = self._took, self._ran - self._failed, self._timing
        self._took, self._ran, self._failed, self._timing = {}, set(), set(), False
        if took_s is None:
            return False
        slow = took_s > self._budget_s
        costliest = None
        if slow and timed and sum(took.values()) > took_s / 2:
            costliest = max(took, key=lambda unit: took[unit])
        blames = 0 if costliest is None else self._blames(costliest, took[costliest])
        now = self._now()
        for unit in () if slow else ran & self._watches.keys():
            self._watches[unit].took(0.0, now)
            if unit in self._away:
                self._away.discard(unit)
                self._why.pop(unit, None)
                self._tell(f"{named(self._preset, unit)} is back")
        if costliest is not None:
            alone = took[costliest] > self._budget_s
            over = f"{1000 * self._budget_s:.0f} ms a picture"
            why = (
                f"takes over {over}" if alone else f"the costliest of a look that takes over {over}"
            )
            for _ in range(blames):
                if self._bad(costliest, why, now):
                    break
        if costliest is not None:
            self._crowded += 1
        elif not slow:
            self._crowded = 0
        self._owed = int(slow and not timed)
        self._timing = slow
        return slow and (costliest is not None or not timed)

    def _blames(self, unit: Unit, took_s: float) -> int:
        """How many bad pictures the costliest link of a slow one is charged with."""
        if took_s > self._budget_s:
            self._heavy.discard(unit)
            return 1 + self._owed
        watch = self._watches.get(unit)
        if unit in self._heavy and watch is not None and watch.on_trial:
            return 1
        if self._crowded < TOGETHER:
            return 0
        self._crowded = 0
        self._heavy.add(unit)
        return PATIENCE

    def _fault(self, unit: Unit, why: str) -> None:
        """It raised: this picture goes without it."""
        if unit in self._failed:
            return  # of several faces one is enough
        self._failed.add(unit)
        self._say(unit, why)
        self._drop()
        self._stale.add(unit)
        self._bad(unit, "", self._now())

    def _say(self, unit: Unit, why: str) -> None:
        """Tell it; not of a trial that ends as the one before did."""
        if unit in self._away and self._why.get(unit) == why:
            return
        self._why[unit] = why
        self._tell(f"{named(self._preset, unit)}: {why}; left out")

    def _bad(self, unit: Unit, why: str, now: float) -> bool:
        watch = self._watches.setdefault(unit, Watch(self._budget_s))
        if not watch.bad(now):
            return False
        if why:
            self._say(unit, why)
            self._drop()
        self._away.add(unit)
        self._stale.add(unit)
        return True


def named(preset: Preset, unit: Unit) -> str:
    """``chain[2] (shatter)``: a unit as errors name it."""
    return " + ".join(f"chain[{n}] ({preset.chain[n].effect.name})" for n in unit)
