"""All that surrounds a live picture: the desk, its inputs, the song clock and hot reload."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from kfx import presets, sync
from kfx.engine import song_ticks
from kfx.engine.desk.desk import Desk
from kfx.engine.desk.edits import Looks
from kfx.engine.desk.learning import Learning
from kfx.engine.desk.song_controls import SongControls, SongPlace
from kfx.engine.desk.tree import CHAIN, PREFIX, Change, Parameter
from kfx.engine.look.reload import Reload
from kfx.engine.loop.switches import Switches
from kfx.engine.stats import Stats
from kfx.engine.ticks import Moment, Ticks
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.sync import audio_live, midi_map
from kfx.sync.controls import AllowList, Signals
from kfx.sync.face_in import FaceIn
from kfx.sync.grid import Grid
from kfx.sync.midi_controls import MidiControls
from kfx.sync.osc_controls import OscControls
from kfx.sync.osc_in import Inbox, OscIn
from kfx.sync.osc_transport import OscTransport
from kfx.sync.song import SongClock
from kfx.sync.tap import Tap
from kfx.types import Sound

PORT_TRIES = 20  # ports after the wanted one, where nobody asked for that very port
Extra = Callable[["Session"], Callable[[], None]]
"""Adds something to a session that has its desk: a panel, a show. Returns what closes it."""


@dataclass(frozen=True)
class Inputs:
    """Where control and time come from, as the command line says it."""

    osc_in: tuple[str, int] | None = None  # host, port
    exact_port: bool = True  # False: the next free one after it will do
    allow: tuple[str, ...] = ()
    midi: str | None = None
    midi_map: str | None = None
    osc_map: str | None = None
    sync: tuple[str, ...] = ()
    bpm: float = 120.0
    grid: str | None = None
    beats: Grid | None = None  # in place of `grid` and `bpm`: a show's
    song: str | None = None  # its sound gives the audio signals, at the place where the song is
    audio: str | None = None  # a sound input that gives them
    lead_s: float = 0.0


class Session:
    """``with Session(inputs, switches) as session: live.run(…, ticks=session.ticks,
    on_look=session.begin, ready=session.ready)``.

    Opens the song's sources when it is made and the controllers once there is a look; raises
    `KfxError` where one can't be had.
    """

    def __init__(
        self,
        inputs: Inputs,
        switches: Switches,
        *,
        frame_s: float = 1 / 30,
        extras: Sequence[Extra] = (),
    ) -> None:
        self.inputs, self.switches = inputs, switches
        self.signals = Signals()
        self.faces = FaceIn()  # expressions that come in as numbers
        self.desk: Desk | None = None
        self.look: Looks | None = None
        self.url = ""  # of OSCQuery
        self._extras = tuple(extras)
        self._stats: Stats | None = None
        self._early: list[str] = []  # faults before there are stats
        self._counts: dict[str, Callable[[], dict[str, int]]] = {}
        self._song_controls: SongControls | None = None
        self._reload: Reload | None = None
        self._lock = threading.Lock()
        self._open = ExitStack()
        try:
            self._tap, self._transport = Tap(), OscTransport()
            self.ticks = self._ticks(frame_s)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close everything, the newest first."""
        if self._stats is not None:
            self._stats.show["control"] = self.counts()
        self._open.close()
        with self._lock:
            reload, self._reload = self._reload, None
        if reload is not None:
            reload.close()

    def begin(self, look: Looks) -> None:
        """There is a look: open the desk and everything that plays on it."""
        self.look = look
        self.desk = desk = Desk(look, self.switches, on_fault=self.fault)
        self._open.callback(desk.close)
        self._song_controls = SongControls(desk, self.ticks, self._tap, self._transport)
        learning = Learning(desk)
        if self.inputs.midi is not None:
            self._open_midi(desk, learning, self.inputs.midi)
        if self.inputs.osc_in is not None:
            self._open_osc(desk, learning, *self.inputs.osc_in)
        self._signals_of(desk)
        self._watch(desk.get(f"{PREFIX}/preset"))
        self._open.callback(desk.subscribe(self._heard))
        for extra in self._extras:
            self._open.callback(extra(self))

    def ready(self, stats: Stats) -> None:
        """The show starts: faults go to its news from here on, counts into its report."""
        self._stats = stats
        for text in self._early:
            stats.warn(text)
        if self.url:
            stats.show["control_url"] = self.url

    def command(self, verb: str, value: str) -> bool:
        """What a sink's reader asks of the show, OBS for one; False if it can't be done."""
        if self.desk is None or verb not in ("mode", "preset"):
            return False
        try:
            self.desk.set(f"{PREFIX}/{verb}", value, by="obs")
        except KfxError as error:
            self.fault(f"obs: {error}")
            return False
        return True

    def fault(self, text: str) -> None:
        """Something that a controller or a file has wrong; from any thread."""
        (self._stats.warn if self._stats is not None else self._early.append)(text)

    @property
    def stats(self) -> Stats | None:
        """What the show has measured; None before it starts."""
        return self._stats

    @property
    def song(self) -> SongPlace | None:
        """Where the song is, by a clock of kfx's own."""
        return self._song_controls.place if self._song_controls is not None else None

    def resume(self, song: SongPlace) -> None:
        """Go on where another engine left off; once there is a look."""
        if self._song_controls is not None:
            self._song_controls.resume(song)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many messages each input has taken, and what became of the others."""
        return {name: count() for name, count in self._counts.items()}

    # Inside.

    def _ticks(self, frame_s: float) -> Ticks:
        inputs = self.inputs
        grid = inputs.beats or song_ticks.grid_of(inputs.grid, inputs.bpm)
        opened = sync.open(inputs.sync, grid, frame_s=frame_s, on_fault=self.fault)
        self._open.callback(opened.close)
        listeners: list[Callable[[float], Mapping[str, float]]] = [self._frame, self.faces.at]
        hear_song, sound = song_ticks.heard(inputs.song)
        if inputs.audio is not None:
            heard = audio_live.listen(inputs.audio, self.fault)
            self._open.callback(heard.close)
            listeners.append(heard.signals)
            sound = partial(_at_clock, heard)
        # Whoever taps or sends a transport is heard where no better clock runs.
        song = SongClock(grid, [*opened.sources, self._transport, self._tap], frame_s=frame_s)
        return Ticks(
            song,
            live=True,
            lead_s=inputs.lead_s,
            hear_song=hear_song,
            listeners=listeners,
            sound=sound,
        )

    def _frame(self, at: float) -> Mapping[str, float]:
        """Asked by the drawing thread at each tick; what controllers sent are its signals."""
        if self.desk is not None and self._song_controls is not None:
            self.desk.drawn(self._song_controls.news(at))
        return self.signals.at(at)

    def _open_midi(self, desk: Desk, learning: Learning, port: str) -> None:
        path = self.inputs.midi_map
        controls = MidiControls(
            desk,
            midi_map.load(path) if path else (),
            path=path,
            signals=self.signals,
            on_fault=self.fault,
            on_learned=lambda mapping: learning.learned(mapping.control),
        )
        from kfx.sync.midi_controls import open_port

        self._open.callback(controls.close)
        self._open.callback(open_port(port, controls, self.fault).close)
        self._counts["midi"] = controls.counts.as_dict
        learning.add(controls.learn, controls.forget)

    def _open_osc(self, desk: Desk, learning: Learning, host: str, port: int) -> None:
        allow = AllowList(self.inputs.allow)
        controls = OscControls(
            desk, path=self.inputs.osc_map, on_learned=learning.learned, on_fault=self.fault
        )
        self._open.callback(controls.close)
        learning.add(controls.learn, controls.forget)
        others = (self._transport.message, self.signals.message, controls.message)
        inbox = Inbox(desk, others=others, faces=self.faces, on_fault=self.fault)
        tries = 1 if self.inputs.exact_port or port == 0 else PORT_TRIES
        for wanted in range(port, min(port + tries, 65536)):
            try:
                self._open_ports(desk, inbox, host, wanted, allow)
                break
            except KfxError as error:
                if wanted == port + tries - 1:
                    raise KfxError(f"{error}") from None
        self._counts["osc"] = inbox.counts.as_dict
        local = host in ("127.0.0.1", "::1")
        if not local and not self.inputs.allow:
            self.fault(f"osc-in {host}: only this machine is let in; name others by --allow HOST")

    def _open_ports(self, desk: Desk, inbox: Inbox, host: str, port: int, allow: AllowList) -> None:
        from kfx.sync.announce import Announce
        from kfx.sync.oscquery import OscQuery

        osc = OscIn(inbox, host, port, allow=allow)
        try:
            query = OscQuery(desk, inbox, host, osc.port, allow=allow)
        except BaseException:
            osc.close()
            raise
        self._open.callback(osc.close)
        self._open.callback(query.close)
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        self.url = f"http://{shown}:{osc.port}/"
        self._open.callback(Announce("kfx", host, osc.port).close)

    def _heard(self, change: Change) -> None:
        assert self.desk is not None
        if change.address == f"{PREFIX}/preset":
            self._watch(str(change.value))
        elif change.address == CHAIN:
            self._signals_of(self.desk)

    def _signals_of(self, desk: Desk) -> None:
        """What controllers may send for this look is seen in the tree."""
        for link in desk.preset.chain:
            for source in link.sources:
                family, _, name = source.signal.partition(".")
                address = f"{PREFIX}/{family}/{name}"
                if family not in ("osc", "midi") or desk.has(address):
                    continue
                doc = f"a signal that {link.effect.name} follows"
                put = partial(self.signals.put, source.signal)
                desk.register(Parameter(address, "float", 0.0, 0.0, (0.0, 1.0), doc=doc), put)

    def _reloaded(self, preset: Preset, rebuild: bool) -> None:
        assert self.desk is not None
        try:
            self.desk.reloaded(preset, rebuild)
        except KfxError as error:
            self.fault(f"{error}; the old look stays")

    def _broken(self, why: str) -> None:
        self.fault(f"{why}; the old look stays until it is saved without the fault")

    def _watch(self, name: str) -> None:
        """Look at the files of the preset `name`, so that what an editor saves is shown."""
        with self._lock:
            old, self._reload = self._reload, None
        if old is not None:
            old.close()
        desk = self.desk
        if name == "none" or desk is None or not _has_file(name):
            return
        try:
            new = Reload(name, self._reloaded, self._broken)
        except Exception as error:  # the look that runs is of no file any more
            self.fault(f"{name}: isn't watched for changes ({error})")
            return
        new.__enter__()
        with self._lock:
            self._reload = new


def _at_clock(heard: audio_live.AudioLive, moment: Moment) -> Sound | None:
    return heard.sound(moment.clock_s)


def _has_file(name: str) -> bool:
    return (Path(name) if name.endswith(".fs") else presets.path_of(name)).is_file()
