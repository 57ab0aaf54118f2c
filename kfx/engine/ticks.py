"""Builds ticks from frames and faces: time, dt, beat and signals of each moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kfx import clock
from kfx.sync import grid
from kfx.sync.song import SongClock, SongTime
from kfx.types import Face, Frame, Sound, Tick

BEATS_PER_BAR = 4  # where no grid says otherwise
CUT_S = 1.0  # a longer jump between two frames counts as a cut

Listener = Callable[[float], Mapping[str, float]]
"""Gives signals at a time: of the song for what is made from the song, else of the clock."""


Cues = Callable[[SongTime], Mapping[str, float]]
"""Told where the song is before a frame is drawn; does what is due, and gives signals."""


class Moment(NamedTuple):
    """One moment as everybody counts it, in seconds."""

    frame_s: float  # on the source's timeline
    clock_s: float
    song_s: float


Sounding = Callable[[Moment], Sound | None]
"""Gives what is heard at a moment, for those who draw samples."""


class Ticks:
    """Numbers the moments of one take and asks the song clock for each.

    `song` is a tempo, steady from time 0, or a clock. Live, the clock is asked for the monotonic
    time at which the frame was captured plus `lead_s` (so that the beat is on the glass when it
    is heard); else for the frame's own time. `hear_song` is asked for signals at the song's time,
    `listeners` at the clock's; both end in `Tick.signals`, later ones winning. `cues` may be set
    to a show that is told once a frame where the song is; `sound` ends in `Tick.sound`.
    """

    def __init__(
        self,
        song: SongClock | float = 120.0,
        *,
        live: bool = False,
        lead_s: float = 0.0,
        hear_song: Listener | None = None,
        listeners: Sequence[Listener] = (),
        sound: Sounding | None = None,
    ) -> None:
        self.song = song if isinstance(song, SongClock) else SongClock(grid.Grid(float(song)))
        self.now: SongTime | None = None  # of the last tick
        self.asked = 0.0  # the clock's time for which that is so
        self.cues: Cues | None = None
        self.sound = sound
        self._heard: tuple[Frame, float, SongTime, Mapping[str, float]] | None = None
        self._live, self.lead_s = live, lead_s
        self._hear_song, self._listeners = hear_song, tuple(listeners)
        self._last: float | None = None

    def tick(self, frame: Frame, faces: tuple[Face, ...], time_s: float | None = None) -> Tick:
        """The tick of a frame; `dt` is 0 for the first one and after a jump.

        `time_s` is the tick's time where it isn't the frame's own: a frame shown a second time.
        """
        time = float(frame.time) if time_s is None else time_s
        dt = 0.0 if self._last is None else time - self._last
        self._last = time
        at, now, cued = self._where(frame, time)
        signals = self._signals(at, now) | dict(cued)
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
            sound=self.sound(Moment(time, at, now.time_s)) if self.sound is not None else None,
            date=clock.local_date(frame.captured) if self._live else None,
        )

    def hear(self, frame: Frame) -> None:
        """Play the cues of a frame before its tick is asked for: they may change the mode."""
        if self.cues is not None:
            self._heard = (frame, *self._where(frame, float(frame.time)))

    def _where(self, frame: Frame, time: float) -> tuple[float, SongTime, Mapping[str, float]]:
        if self._heard is not None and self._heard[0] is frame:
            return self._heard[1:]
        at = time + self.lead_s
        if self._live:  # as much after the frame's capture as the tick is after the frame
            at += frame.captured - float(frame.time)
        self.now = now = self.song.now(at)
        self.asked = at
        return at, now, self.cues(now) if self.cues is not None else {}

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
