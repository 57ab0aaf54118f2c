"""The song clock: whatever clock the playback brings, turned into the place in the song.

Sources are asked in the order of their priority; the first that is running wins, one that fell
silent counts for its free run. Where none runs, the song stands where the last one left it, or,
if there never was one, goes on by the beat grid from time 0. No clock is read here: `at` is a
monotonic time live and the media time offline, and the same calls give the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kfx.sync.follow import FREE_RUN_S, Fix, Follower, Lock, Where
from kfx.sync.grid import Grid

Unit = Literal["seconds", "beats"]


class Source(Protocol):
    """Something that tells the position of the playback.

    Must: never block in `read`. Guaranteed: `read` is called from one thread, with rising times,
    and `close` once. `unit` says what the values of its readings are: seconds of the song (its
    offset taken off) or beats since the first downbeat. `free_run_s` is how long it is believed
    in silence.
    """

    name: str
    unit: Unit
    free_run_s: float

    def read(self, at: float) -> Iterable[Fix]:
        """The readings that came since the last call, at `at` or before, oldest first."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SongTime:
    """Where the song is.

    `rate` is its speed (1 is normal, negative backwards, 0 stands). `beat` and `bar` count from 0
    at the first downbeat, `phase` is the part of the beat that is over, 0..1. `seeks` rises with
    every jump: of the playback, or to another source.
    """

    time_s: float
    rate: float
    bar: float
    beat: float
    phase: float
    lock: Lock
    source: str
    seeks: int = 0


class SongClock:
    """Asks its sources and answers `now`. With none it is the grid running from time 0."""

    def __init__(
        self, grid: Grid, sources: Sequence[Source] = (), *, frame_s: float = 1 / 24
    ) -> None:
        self.grid = grid
        self.sources = tuple(sources)
        self._frame_s = frame_s
        self._followers = {id(one): self._follower(one) for one in self.sources}
        self._current: Source | None = None
        self._switches = 0
        self._start: float | None = None

    def now(self, at: float) -> SongTime:
        """Where the song is at `at`; readings that came later are left for the next call."""
        if self._start is None:
            self._start = at if self.sources else 0.0
        for source in self.sources:
            for fix in source.read(at):
                self._followers[id(source)].feed(fix)
        return self._tell(at)

    def begun(self, at: float) -> None:
        """The song began at `at` where no source says otherwise; before the first `now`."""
        self._start = at

    def position(self, at: float) -> tuple[int, float]:
        """Bar and beat as people count them, from 1."""
        return self.grid.position(self.now(at).time_s)

    def close(self) -> None:
        for source in self.sources:
            source.close()

    def _tell(self, at: float) -> SongTime:
        answers = [(one, self._followers[id(one)].where(at)) for one in self.sources]
        heard = [(one, where) for one, where in answers if where.lock != "none"]
        if not heard:
            assert self._start is not None
            lock: Lock = "none" if self.sources else "locked"
            return self._song(at - self._start, 1.0, lock, "grid", 0)
        running = [pair for pair in heard if pair[1].lock != "held"]
        standing = [pair for pair in heard if pair[0] is self._current] or heard
        source, where = (running or standing)[0]
        if source is not self._current:
            self._switches += self._current is not None
            self._current = source
        seeks = self._switches + sum(one.seeks for _, one in answers)
        time_s, rate = self._in_song(source, where)
        return self._song(time_s, rate, where.lock, source.name, seeks)

    def _in_song(self, source: Source, where: Where) -> tuple[float, float]:
        if source.unit == "seconds":
            return where.value, where.speed
        time_s = self.grid.time_at(where.value)
        return time_s, where.speed * 60.0 / self.grid.tempo_at(time_s)

    def _song(self, time_s: float, rate: float, lock: Lock, source: str, seeks: int) -> SongTime:
        beat = self.grid.beat_at(time_s)
        return SongTime(time_s, rate, self.grid.bar_of(beat), beat, beat % 1.0, lock, source, seeks)

    def _follower(self, source: Source) -> Follower:
        unit_s = 1.0 if source.unit == "seconds" else 60.0 / self.grid.bpm
        return Follower(unit_s=unit_s, frame_s=self._frame_s, free_run_s=source.free_run_s)


class Recorded:
    """A source whose readings are known beforehand: a track of timecode, a test."""

    def __init__(
        self,
        fixes: Iterable[Fix],
        *,
        name: str = "recorded",
        unit: Unit = "seconds",
        free_run_s: float = FREE_RUN_S,
    ) -> None:
        self.name, self.unit, self.free_run_s = name, unit, free_run_s
        self._fixes = list(fixes)
        self._next = 0

    def read(self, at: float) -> list[Fix]:
        first = self._next
        while self._next < len(self._fixes) and self._fixes[self._next].at <= at:
            self._next += 1
        return self._fixes[first : self._next]

    def close(self) -> None:
        return
