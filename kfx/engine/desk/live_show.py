"""A show in a live session: its conductor on the desk, its cues in the control tree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from kfx import shows, timecode
from kfx.engine.desk.conductor import Conductor
from kfx.engine.desk.cue_edits import CueEdits
from kfx.engine.desk.session import Session
from kfx.engine.desk.tree import PREFIX, Parameter
from kfx.engine.loop.switches import Switches
from kfx.errors import UsageError
from kfx.shows import Cue, Show, Timeline
from kfx.shows.moment import bar_beat
from kfx.shows.reading import MOST_CUES
from kfx.sync.ltc_time import rate_of
from kfx.sync.song import SongTime

CUE = f"{PREFIX}/cue"
ONE = 'at = "9:1", preset = "supernova", fade_beats = 2'
FIRED = "where timecode leads the song the cue is fired by hand, until the song's next one"
LEADING = ("ltc", "mtc", "midi", "link")  # clocks that nobody here can move


class LiveShow:
    """`extra` is what a `Session` wants; a show is opened with the look `first`."""

    def __init__(self, path: str | Path, switches: Switches, *, frame_s: float) -> None:
        """Raises `KfxError` for a show with a problem."""
        self._lock = threading.Lock()
        self._fired: list[Cue] = []
        timeline = shows.build(shows.load(path))
        self.show: Show = timeline.show
        self.notes = timeline.notes
        self.conductor = Conductor(timeline, switches, frame_s=frame_s, on_fired=self._note)
        self._session: Session | None = None
        self.edits = CueEdits(self.show.path, self._edited)
        self.heard: list[Callable[[LiveShow], None]] = []
        """Who is told whenever its cues have been edited."""

    def sync_of(self, specs: tuple[str, ...]) -> tuple[str, ...]:
        """Sources of the song's clock that also know where in the timecode the song starts."""
        offset, fps = self.show.offset, self.show.fps
        if offset is None or fps is None:
            return specs
        rate = rate_of(fps)
        count = round(Fraction(timecode.parse(offset, fps)) / fps * rate)
        code = timecode.text(count, rate, drop=";" in offset)
        said = f"offset={code.replace(';', '%3B')}&fps={rate.numerator}/{rate.denominator}"
        return tuple(
            f"{spec}{'&' if '?' in spec else '?'}{said}"
            if spec.partition(":")[0].partition("?")[0] in ("ltc", "mtc") and "offset=" not in spec
            else spec
            for spec in specs
        )

    def extra(self, session: Session) -> Callable[[], None]:
        """Begin to play; returns what ends it."""
        desk, look = session.desk, session.look
        assert desk is not None
        assert look is not None
        self._session = session
        prepares: Any = look
        self.conductor.play_on(desk, prepares)
        session.ticks.cues = self._hear
        for note in self.notes:
            session.fault(note)
        rows: tuple[tuple[Parameter, Callable[[Any], object] | None], ...] = (
            (Parameter(f"{CUE}/go", "event", doc=f"go to the next cue; {FIRED}"), self._go),
            (
                Parameter(f"{CUE}/goto", "text", "", "", doc=f"a cue, by name or 9:1; {FIRED}"),
                self._to,
            ),
            (Parameter(f"{CUE}/by_hand", "text", "", "", doc="the cue that stands by hand"), None),
            (Parameter(f"{CUE}/add", "text", doc=f"a cue more: {ONE}"), self.edits.add),
            (
                Parameter(f"{CUE}/change", "text", doc='a cue by its number: 3 at = "10:1"'),
                self.edits.change,
            ),
            (
                Parameter(
                    f"{CUE}/remove",
                    "int",
                    range=(0, MOST_CUES),
                    doc="a cue less, by its number in the file",
                ),
                self.edits.remove,
            ),
            (Parameter(f"{CUE}/undo", "event", doc="take back an edit of cues"), self.edits.undo),
            (Parameter(f"{CUE}/redo", "event", doc="do it again"), self.edits.redo),
            (Parameter(f"{CUE}/last", "text", "", "", doc="the cue that fired last"), None),
            (Parameter(f"{CUE}/next", "text", "", "", doc="the cue that comes next"), None),
        )
        for parameter, setter in rows:
            desk.register(parameter, setter)
        return self._end

    def _hear(self, song: SongTime) -> Mapping[str, float]:
        before = self.conductor.by_hand
        signals = self.conductor.hear(song)
        if before is not None and self.conductor.by_hand is None:
            self._tell()  # the show is with the song again
        return signals

    def news(self) -> dict[str, str]:
        """What the tree is to be told of cues."""
        session = self._session
        now = session.ticks.now if session is not None else None
        if now is None:
            return {}
        with self._lock:
            last = self._fired[-1] if self._fired else None
        coming = next((cue for cue in self.show.cues if cue.time_s > now.time_s), None)
        return {
            f"{CUE}/last": self._said(last),
            f"{CUE}/next": self._said(coming),
            f"{CUE}/by_hand": self._said(self.conductor.by_hand),
        }

    def _edited(self, timeline: Timeline) -> None:
        self.show, self.notes = timeline.show, timeline.notes
        self.conductor.play(timeline)
        for heard in self.heard:
            heard(self)

    def _note(self, cue: Cue) -> None:
        with self._lock:
            self._fired = [*self._fired[-15:], cue]
        self._tell()

    def _tell(self) -> None:
        if self._session is not None and self._session.desk is not None:
            for address, value in self.news().items():
                self._session.desk.tell(address, value, "show")

    def _said(self, cue: Cue | None) -> str:
        if cue is None:
            return ""
        name = f"{cue.name}: " if cue.name else ""
        return f"{bar_beat(self.show.grid, cue.time_s)} {name}{cue.text}"

    def _go(self, value: Any) -> None:
        now = self._session.ticks.now if self._session is not None else None
        time_s = now.time_s if now is not None else 0.0
        if (hand := self.conductor.by_hand) is not None:
            time_s = hand.time_s
        coming = next((cue for cue in self.show.cues if cue.time_s > time_s + 1e-3), None)
        if coming is None:
            raise UsageError(f"{CUE}/go: there is no cue after this one")
        self._jump(coming)

    def _to(self, name: str) -> None:
        for cue in self.show.cues:
            if name in (cue.name, bar_beat(self.show.grid, cue.time_s)):
                self._jump(cue)
                return
        known = ", ".join(dict.fromkeys(cue.name for cue in self.show.cues if cue.name)) or "none"
        raise UsageError(f"{CUE}/goto: no cue is called {name[:40]!r} (there are: {known})")

    def _jump(self, cue: Cue) -> None:
        session = self._session
        assert session is not None
        assert session.desk is not None
        now = session.ticks.now
        if now is not None and now.source in LEADING and now.lock in ("locked", "freerun"):
            self.conductor.fire(cue)
            coming = next((one for one in self.show.cues if one.time_s > now.time_s), None)
            until = f", until {self._said(coming)}" if coming is not None else ""
            session.fault(
                f"cue {self._said(cue)}: fired by hand, since the song follows {now.source}{until}"
            )
            return
        session.desk.set(f"{PREFIX}/transport/time", cue.time_s, "show")

    def _end(self) -> None:
        if self._session is not None:
            self._session.ticks.cues = None
