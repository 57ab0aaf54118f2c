"""Builds ticks from frames and faces: time, dt, beat and signals of each moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from kfx.sync import grid
from kfx.sync.song import SongClock, SongTime
from kfx.types import Face, Frame, Tick

BEATS_PER_BAR = 4  # where no grid says otherwise
CUT_S = 1.0  # a longer jump between two frames counts as a cut

Listener = Callable[[float], Mapping[str, float]]
"""Gives signals at a time: of the song for what is made from the song, else of the clock."""


class Ticks:
    """Numbers the moments of one take and asks the song clock for each.

    `song` is a tempo, steady from time 0, or a clock. Live, the clock is asked for the monotonic
    time at which the frame was captured plus `lead_s` (so that the beat is on the glass when it
    is heard); else for the frame's own time. `hear_song` is asked for signals at the song's time,
    `listeners` at the clock's; both end in `Tick.signals`, later ones winning.
    """

    def __init__(
        self,
        song: SongClock | float = 120.0,
        *,
        live: bool = False,
        lead_s: float = 0.0,
        hear_song: Listener | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.song = song if isinstance(song, SongClock) else SongClock(grid.Grid(float(song)))
        self.now: SongTime | None = None  # of the last tick
        self._live, self._lead_s = live, lead_s
        self._hear_song, self._listeners = hear_song, tuple(listeners)
        self._last: float | None = None

    def tick(self, frame: Frame, faces: tuple[Face, ...], time_s: float | None = None) -> Tick:
        """The tick of a frame; `dt` is 0 for the first one and after a jump.

        `time_s` is the tick's time where it isn't the frame's own: a frame shown a second time.
        """
        time = float(frame.time) if time_s is None else time_s
        dt = 0.0 if self._last is None else time - self._last
        self._last = time
        at = time + self._lead_s
        if self._live:  # as much after the frame's capture as the tick is after the frame
            at += frame.captured - float(frame.time)
        self.now = now = self.song.now(at)
        signals = self._signals(at, now)
        return Tick(
            index=frame.index,
            time=time,
            dt=dt if 0.0 < dt <= CUT_S else 0.0,
            frame=frame,
            faces=faces,
            beat=now.beat,
            bar=now.bar,
            energy=signals.get("audio.level", 0.0),
            signals=MappingProxyType(signals),
        )

    def _signals(self, at: float, now: SongTime) -> dict[str, float]:
        signals = {
            "song.time": now.time_s,
            "song.rate": now.rate,
            "song.locked": float(now.lock in ("locked", "freerun")),
        }
        if self._hear_song:
            signals.update(self._hear_song(now.time_s))
        for listener in self._listeners:
            signals.update(listener(at))
        return signals
