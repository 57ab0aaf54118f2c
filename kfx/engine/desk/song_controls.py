"""The song in the control tree: tap, tempo, transport, and where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kfx import clock
from kfx.engine.desk.desk import Desk
from kfx.engine.desk.tree import PREFIX, Parameter
from kfx.engine.ticks import Ticks
from kfx.sync.osc_transport import MAX_S, OscTransport
from kfx.sync.tap import Tap

SONG, TRANSPORT = f"{PREFIX}/song", f"{PREFIX}/transport"
SLOWEST, FASTEST = 30.0, 300.0  # beats a minute
MOST_RATE = 8.0
TELL_S = 0.1  # how often the position is told


class SongPlace(NamedTuple):
    """Where the song was at the clock's time `at`, by a clock of kfx's own."""

    at: float
    time_s: float
    beat: float
    rate: float
    bpm: float
    source: str


class SongControls:
    """Registers the song's parameters with a desk; `news` gives what is to be told of it."""

    def __init__(
        self,
        desk: Desk,
        ticks: Ticks,
        tap: Tap,
        transport: OscTransport,
        *,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._desk, self._ticks, self._tap = desk, ticks, tap
        self._transport, self._now = transport, now
        self._told = 0.0
        bpm = ticks.song.grid.bpm
        rows: tuple[tuple[Parameter, Callable[[Any], object] | None], ...] = (
            (Parameter(f"{SONG}/tap", "event", doc="tap each beat, first a downbeat"), self._beat),
            (
                Parameter(
                    f"{SONG}/bpm",
                    "float",
                    bpm,
                    bpm,
                    (SLOWEST, FASTEST),
                    "bpm",
                    "the tempo; setting it goes on from this beat",
                ),
                self._tempo,
            ),
            (_shown("time", 0.0, "s", "where the song is"), None),
            (_shown("bar", 1, "", "the bar, counted from 1"), None),
            (_shown("beat", 1.0, "", "the beat in the bar, counted from 1"), None),
            (_shown("rate", 1.0, "", "its speed: 1 is normal, 0 stands"), None),
            (_shown("source", "grid", "", "whose clock is followed"), None),
            (_shown("lock", "none", "", "locked, freerun, held or none"), None),
            (
                Parameter(
                    f"{TRANSPORT}/time",
                    "float",
                    0.0,
                    0.0,
                    (-MAX_S, MAX_S),
                    "s",
                    "the song is at this second, playing on",
                ),
                self._play_at,
            ),
            (Parameter(f"{TRANSPORT}/play", "event", doc="go on from here"), self._play),
            (Parameter(f"{TRANSPORT}/stop", "event", doc="stand still"), self._stop),
            (
                Parameter(
                    f"{TRANSPORT}/rate",
                    "float",
                    1.0,
                    1.0,
                    (-MOST_RATE, MOST_RATE),
                    doc="speed of the transport, 1 is normal",
                ),
                self._rate,
            ),
        )
        for parameter, setter in rows:
            desk.register(parameter, setter)

    def news(self, at: float) -> Mapping[str, Any]:
        """Address → value of what is to be told at a monotonic time; in the drawing thread."""
        now = self._ticks.now
        if now is None or 0.0 <= at - self._told < TELL_S:
            return {}
        self._told = at
        grid = self._ticks.song.grid
        bar, beat = grid.position(now.time_s)
        tempo = grid.tempo_at(now.time_s) * (now.rate or 1.0)
        return {
            f"{SONG}/time": round(now.time_s, 3),
            f"{SONG}/bar": bar,
            f"{SONG}/beat": round(beat, 3),
            f"{SONG}/rate": round(now.rate, 3),
            f"{SONG}/source": now.source,
            f"{SONG}/lock": now.lock,
            f"{SONG}/bpm": round(min(max(abs(tempo), SLOWEST), FASTEST), 2),
        }

    @property
    def place(self) -> SongPlace | None:
        """Where the song is, where no clock outside kfx says so; from any thread."""
        now, at = self._ticks.now, self._ticks.asked
        if now is None or now.source not in ("grid", self._tap.name, self._transport.name):
            return None
        tempo = self._ticks.song.grid.tempo_at(now.time_s) * now.rate
        return SongPlace(at, now.time_s, now.beat, now.rate, tempo, now.source)

    def resume(self, place: SongPlace) -> None:
        """Go on as if kfx had never been away; before the first tick."""
        at = self._now()
        gone_s = at - place.at
        if place.source == self._tap.name:
            self._tap.tempo(place.bpm, at, place.beat + gone_s * place.bpm / 60.0)
        elif place.source == self._transport.name:
            self._send("rate", place.rate or 1.0)
            self._send("time", place.time_s + gone_s * place.rate)
            if not place.rate:
                self._send("stop")
        else:
            self._ticks.song.begun(place.at - place.time_s)

    def _beat(self, value: Any) -> None:
        self._tap.tap(self._now())

    def _tempo(self, bpm: float) -> None:
        now = self._ticks.now
        self._tap.tempo(bpm, self._now(), now.beat if now else 0.0)

    def _play_at(self, time_s: float) -> None:
        self._send("time", time_s)

    def _play(self, value: Any) -> None:
        self._send("play")

    def _stop(self, value: Any) -> None:
        self._send("stop")

    def _rate(self, rate: float) -> None:
        self._send("rate", rate)

    def _send(self, name: str, *values: float) -> None:
        self._transport.message(f"{TRANSPORT}/{name}", values, self._now())


def _shown(name: str, value: Any, unit: str, doc: str) -> Parameter:
    kind = "text" if isinstance(value, str) else "int" if isinstance(value, int) else "float"
    return Parameter(f"{SONG}/{name}", kind, value, value, (), unit, doc)  # type: ignore[arg-type]
