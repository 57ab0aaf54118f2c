"""Plays a show: told where the song is, says what has to be done since it was told last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kfx.presets import Preset
from kfx.shows.cue import Cue
from kfx.shows.timeline import Timeline

SEEK_S = 0.5  # of the song; a longer step is a jump, and what lies between isn't played


@dataclass(frozen=True, slots=True)
class To:
    """Go over to a look, over seconds or beats."""

    preset: Preset
    seconds: float = 0.0
    beats: float = 0.0


@dataclass(frozen=True, slots=True)
class Mode:
    """What the output shows: a mode of the switches."""

    mode: str


@dataclass(frozen=True, slots=True)
class Fired:
    """A cue's moment has come, for whoever logs or shows it."""

    cue: Cue


Acted = To | Mode | Fired


class Moment(NamedTuple):
    """What to do before a frame is drawn, and the show's signals for it."""

    actions: tuple[Acted, ...]
    signals: Mapping[str, float]


class Player:
    """`at` is a function of the song's time; only what has changed is said again.

    A cue belongs to the frame nearest to it. Wherever the song jumps, the look, mode and knobs
    are those that the show has there, without the fades and cues in between.
    """

    def __init__(self, timeline: Timeline, *, frame_s: float = 1 / 24) -> None:
        self.timeline = timeline
        self._frame_s = frame_s
        self._last: float | None = None  # half a frame later than it was
        self._look = -1
        self._mode = "live"

    def at(self, time_s: float, rate: float = 1.0) -> Moment:
        """`rate` is the song's speed: how much of it one frame lasts."""
        slack_s = self._frame_s * min(max(abs(rate), 0.0), 4.0) / 2.0
        now = time_s + slack_s
        last, self._last = self._last, now
        sought = last is None or not -1e-9 <= now - last <= max(SEEK_S, 8.0 * slack_s)
        actions: list[Acted] = []
        look = self.timeline.look_at(now)
        if look != self._look:
            self._look = look
            one = self.timeline.looks[look]
            fade = (0.0, 0.0) if sought else (one.fade_s, one.fade_beats)
            actions.append(To(one.preset, *fade))
        mode = self.timeline.mode_at(now)
        if mode != self._mode:
            self._mode = mode
            actions.append(Mode(mode))
        if last is not None and not sought:
            actions += [Fired(cue) for cue in self.timeline.cues_between(last, now)]
        elif last is None:
            actions += [Fired(cue) for cue in self.timeline.cues_between(time_s - slack_s, now)]
        return Moment(tuple(actions), self.timeline.signals_at(time_s, slack_s))

    def with_timeline(self, timeline: Timeline) -> Player:
        """A player of the edited show that goes on from here; a look that stayed isn't told."""
        new = Player(timeline, frame_s=self._frame_s)
        new._last, new._mode = self._last, self._mode
        if self._last is not None and self._look >= 0:
            look = timeline.look_at(self._last)
            mine, now = self.timeline.looks[self._look], timeline.looks[look]
            if (mine.preset, mine.signals) == (now.preset, now.signals):
                new._look = look
        return new

    def reset(self) -> None:
        """The next `at` tells everything anew."""
        self._last, self._look, self._mode = None, -1, "live"
