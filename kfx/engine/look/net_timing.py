"""How late a net's results are, and how much of them is shown for it."""

from __future__ import annotations

from dataclasses import dataclass

from kfx.types import Tick

STALE_S = 1.0  # an older result isn't shown, unless the net always takes so long
STALE_PERIODS = 3.0
STALE_RUNS = 5.0  # times what a run takes: it may rest between two
FADE_OUT_S = 0.25
FADE_IN_S = 0.15
REST_S = 0.1  # a shorter time between two ticks is a dropped frame


@dataclass(slots=True)
class Timing:
    """Of a net that runs beside the picture. All times are those of ticks, in seconds."""

    taken: float | None = None  # when the newest result came
    newest: float | None = None  # when the frame was shown that it is of
    first: float | None = None  # when results began to be shown
    drawn: float | None = None  # the last tick
    rested_s: float = 0.0  # since `taken`
    period_s: float = 0.0  # between two results
    run_s: float = 0.0

    @property
    def limit_s(self) -> float:
        """An older result isn't shown."""
        return max(STALE_S, STALE_PERIODS * self.period_s, STALE_RUNS * self.run_s)

    def restart(self) -> None:
        """Nothing is shown any more."""
        self.taken = self.first = None

    def rest(self, tick: Tick, *, idle: bool) -> None:
        """Count how long nothing was asked of the net: no face, `when` unmet or a mix of 0."""
        if self.drawn is not None:
            away = tick.time - tick.dt - self.drawn
            self.rested_s += (away if away > REST_S else 0.0) + (tick.dt if idle else 0.0)
        self.drawn = tick.time

    def came(self, time: float, of: float) -> bool:
        """A result of the frame shown at `of` comes; False after a pause that ended all before."""
        goes_on = True
        if self.taken is not None:
            gap = time - self.taken
            goes_on = gap <= self.limit_s
            if not goes_on:
                self.first = time
            # A rest is no slowness: results after one cross-fade as fast as before it.
            if self.rested_s <= 0.0 or self.period_s <= 0.0:
                self.period_s = min(max(0.0, gap - self.rested_s), self.limit_s)
        self.taken, self.newest, self.rested_s = time, of, 0.0
        self.first = time if self.first is None else self.first
        return goes_on

    def fade(self, time: float, since: float) -> float:
        """How far a result that came at `since` has replaced the older: over one period."""
        return 1.0 if self.period_s <= 0.0 else min(1.0, (time - since) / self.period_s)

    def amount(self, time: float) -> float:
        """1 while results are fresh, falling to 0 where the net is far too late."""
        if self.first is None or self.newest is None:
            return 0.0
        late = time - self.newest - self.limit_s
        shown = min(1.0, (time - self.first) / FADE_IN_S)
        return shown * max(0.0, 1.0 - max(0.0, late) / FADE_OUT_S)
