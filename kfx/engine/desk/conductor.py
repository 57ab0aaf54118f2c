"""Plays a show on a running look and its switches, live and offline alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kfx.engine.look.plan import compile_plan
from kfx.engine.loop.switches import Switches
from kfx.presets import Preset
from kfx.shows import Cue, Fired, Mode, Moment, Player, Timeline, To
from kfx.shows.player import SEEK_S
from kfx.sync.song import SongTime

PREPARE_S = 8.0  # of the song: how long before its cue a look begins to be compiled
HELD_S = 0.1  # of the song: a cue fired by hand ends so long before the one after it


class Changes(Protocol):
    """What is needed of a `Look`, or of a `Desk` in front of it."""

    def change(self, preset: Preset, *, seconds: float = 0.0, beats: float = 0.0) -> None: ...


class Prepares(Protocol):
    """What is needed of a `Look`."""

    def prepare(self, preset: Preset) -> None: ...


@dataclass
class _Hand:
    """A cue that was fired by hand: the show goes on from it until the song brings another one."""

    cue: Cue
    begun_s: float  # of the song
    last_s: float
    seeks: int

    def at(self, song: SongTime, timeline: Timeline) -> float:
        """Where the show is: as long after its cue as the song has gone on since, and no further
        than to the cue after it."""
        time_s = self.cue.time_s + max(song.time_s - self.begun_s, 0.0)
        coming = next((one for one in timeline.show.cues if one.time_s > self.cue.time_s), None)
        if coming is None:
            return time_s
        return max(self.cue.time_s, min(time_s, coming.time_s - HELD_S))

    def over(self, song: SongTime, timeline: Timeline, slack_s: float) -> bool:
        """Whether the song has come to a cue of its own, or was wound."""
        last, self.last_s = self.last_s, song.time_s
        wound = song.seeks != self.seeks or song.time_s < last - SEEK_S
        return wound or bool(timeline.cues_between(last + slack_s, song.time_s + slack_s))


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
        self._next: Timeline | None = None
        self._frame_s = frame_s
        self._asked: Cue | None = None
        self._hand: _Hand | None = None
        self.switches = switches
        self._on_fired = on_fired or (lambda cue: None)
        self._changes: Changes | None = None
        self._prepares: Prepares | None = None
        self._prepared: Preset | None = None
        self._shown: Preset | None = self.first  # a show is opened with it
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

    def play(self, timeline: Timeline) -> None:
        """The show has been edited: play it like this from the next frame on. From any thread."""
        self._next = timeline

    def fire(self, cue: Cue) -> None:
        """Fire a cue by hand with the next frame, wherever the song is. From any thread.

        The song goes on meanwhile; at its next cue, or when it is wound, the show is with it again.
        """
        self._asked = cue

    @property
    def by_hand(self) -> Cue | None:
        """The cue that was fired by hand last, while it stands."""
        hand = self._hand
        return self._asked or (hand.cue if hand is not None else None)

    def hear(self, song: SongTime) -> Mapping[str, float]:
        """The show's signals at a moment of the song; called once a frame."""
        if (timeline := self._next) is not None:
            self._next = None
            self.timeline = timeline
            self._player = self._player.with_timeline(timeline)
        moment = self._moment(song)
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

    def _moment(self, song: SongTime) -> Moment:
        """What is due by the song, or by a cue that was fired by hand."""
        player, slack_s = self._player, self._frame_s * min(abs(song.rate), 4.0) / 2.0
        if (cue := self._asked) is not None:
            self._asked = None
            self._hand = _Hand(cue, song.time_s, song.time_s, song.seeks)
            found = player.at(cue.time_s, song.rate)
            look = self.timeline.looks[self.timeline.look_at(cue.time_s + slack_s)]
            faded = (look.fade_s, look.fade_beats) if look.start_s == cue.time_s else (0.0, 0.0)
            others = [one for one in found.actions if not isinstance(one, To | Fired)]
            self._shown = None  # whatever the operator has loaded since: this is meant
            return Moment((To(look.preset, *faded), *others, Fired(cue)), found.signals)
        hand = self._hand
        if hand is None:
            return player.at(song.time_s, song.rate)
        before_s = hand.last_s
        if not hand.over(song, self.timeline, slack_s):
            return player.at(hand.at(song, self.timeline), song.rate)
        self._hand = None
        back = player.at(before_s, song.rate)  # so that the cue that comes has its fade
        found = player.at(song.time_s, song.rate)
        comes = any(isinstance(one, To) for one in found.actions)
        kept = [one for one in back.actions if isinstance(one, Mode) or not comes]
        kept = [one for one in kept if not isinstance(one, Fired)]
        return Moment((*kept, *found.actions), found.signals)

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
