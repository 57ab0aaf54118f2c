"""Plays a show on a running look and its switches, live and offline alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kfx.engine.look.plan import compile_plan
from kfx.engine.loop.switches import Switches
from kfx.presets import Preset
from kfx.shows import Cue, Fired, Mode, Player, Timeline, To
from kfx.sync.song import SongTime

PREPARE_S = 8.0  # of the song: how long before its cue a look begins to be compiled


class Changes(Protocol):
    """What is needed of a `Look`, or of a `Desk` in front of it."""

    def change(self, preset: Preset, *, seconds: float = 0.0, beats: float = 0.0) -> None: ...


class Prepares(Protocol):
    """What is needed of a `Look`."""

    def prepare(self, preset: Preset) -> None: ...


class Conductor:
    """`hear` is what `Ticks.cues` wants: it does what is due before the frame is drawn.

    What the operator does counts more: a mode that isn't the show's own stays until the operator
    goes back to ``live``, and a look loaded by hand until the next cue with a preset.
    """

    def __init__(
        self,
        timeline: Timeline,
        switches: Switches,
        *,
        frame_s: float = 1 / 24,
        on_fired: Callable[[Cue], None] | None = None,
    ) -> None:
        self.timeline = timeline
        self.fired: list[Cue] = []  # the last ones, the newest at the end
        self._player = Player(timeline, frame_s=frame_s)
        self.switches = switches
        self._on_fired = on_fired or (lambda cue: None)
        self._changes: Changes | None = None
        self._prepares: Prepares | None = None
        self._prepared: Preset | None = None
        self._shown = self.first  # a show is opened with it
        self._mode = "live"  # that the show asked for last

    @property
    def first(self) -> Preset:
        """The look at the start, to open the show with."""
        return self.timeline.looks[0].preset

    @property
    def needs_person(self) -> bool:
        """Whether any of the looks needs a person matte."""
        return any(compile_plan(one.preset).needs_person for one in self.timeline.looks)

    def play_on(self, changes: Changes, prepares: Prepares | None = None) -> None:
        """There is a look."""
        self._changes, self._prepares = changes, prepares

    def hear(self, song: SongTime) -> Mapping[str, float]:
        """The show's signals at a moment of the song; called once a frame."""
        moment = self._player.at(song.time_s, song.rate)
        for action in moment.actions:
            if isinstance(action, To):
                self._to(action)
            elif isinstance(action, Mode):
                self._set(action.mode)
            elif isinstance(action, Fired):
                self.fired = [*self.fired[-31:], action.cue]
                self._on_fired(action.cue)
        self._prepare(song)
        return moment.signals

    def _to(self, action: To) -> None:
        if action.preset is self._shown:
            return
        self._shown = action.preset
        if self._changes is not None:
            self._changes.change(action.preset, seconds=action.seconds, beats=action.beats)

    def _set(self, mode: str) -> None:
        mine, self._mode = self._mode, mode
        if self.switches.mode in ("live", mine):
            self.switches.set(mode)

    def _prepare(self, song: SongTime) -> None:
        if self._prepares is None:
            return
        for preset in self.timeline.coming(song.time_s, PREPARE_S, 1):
            if preset is not self._prepared:
                self._prepared = preset
                self._prepares.prepare(preset)
