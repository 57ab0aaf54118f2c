"""A show worked out: which look, mode and signals belong to any moment of the song.

Everything is a function of the song's time, so that a jump in the song is no special case. A ramp
becomes a signal that moves its knob; a look is compiled once for all ramps it will see.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kfx.errors import KfxError
from kfx.params import Value
from kfx.presets import Preset, Source
from kfx.shows import looks
from kfx.shows.cue import MODES, Cue, Flash, Ramp, Show, Slots
from kfx.shows.envelope import Pulses, Rise
from kfx.shows.looks import Target
from kfx.shows.moment import bar_beat

MOST_FLASHES_S = 3  # WCAG 2.3.1: in any one second


@dataclass(frozen=True)
class Look:
    """A look and the moment it comes, with the signals that only it follows."""

    start_s: float
    preset: Preset
    fade_s: float = 0.0
    fade_beats: float = 0.0
    cue: Cue | None = None
    signals: Mapping[str, Rise | Pulses] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A mode of the output from one moment to another."""

    start_s: float
    end_s: float
    mode: str
    cue: Cue


@dataclass(frozen=True)
class Timeline:
    """`problems` is what a rehearsal finds wrong, `notes` what it wants to have said."""

    show: Show
    looks: tuple[Look, ...]  # rising; the first begins before everything
    held: tuple[Held, ...]
    envelopes: Mapping[str, Pulses]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def look_at(self, time_s: float) -> int:
        """The number of the look at a moment."""
        return max(0, bisect_right(self.looks, time_s, key=lambda one: one.start_s) - 1)

    def mode_at(self, time_s: float) -> str:
        """The mode of the output that the show asks for."""
        last = bisect_right(self.held, time_s, key=lambda one: one.start_s) - 1
        if last < 0 or time_s >= self.held[last].end_s:
            return "live"
        return self.held[last].mode

    def unseen(self, cue: Cue) -> str:
        """The mode of an earlier cue that hides what this one does; "" if it is seen."""
        mode = self.mode_at(cue.time_s)
        return mode if mode != "live" and cue.hold is None else ""

    def cues_between(self, after_s: float, until_s: float) -> tuple[Cue, ...]:
        """The cues in a stretch, its end included."""
        cues = self.show.cues
        first = bisect_right(cues, after_s, key=lambda cue: cue.time_s)
        return cues[first : bisect_right(cues, until_s, key=lambda cue: cue.time_s)]

    def signals_at(self, time_s: float, slack_s: float = 0.0) -> dict[str, float]:
        """All signals at a moment: ``cue.NAME`` of the show, and those of the looks around it."""
        found = {name: one.at(time_s, slack_s) for name, one in self.envelopes.items()}
        now = self.look_at(time_s + slack_s)
        for look in self.looks[max(0, now - 1) : now + 1]:  # the one before may still be fading
            found.update({name: one.at(time_s, slack_s) for name, one in look.signals.items()})
        return found

    def coming(self, time_s: float, within_s: float, most: int = 2) -> list[Preset]:
        """The looks that come next, for whoever gets them ready."""
        first = self.look_at(time_s) + 1
        soon = [one for one in self.looks[first:] if one.start_s <= time_s + within_s]
        return [one.preset for one in soon[:most]]


def build(show: Show, *, strict: bool = True) -> Timeline:
    """Work a show out. With `strict` the first problem is raised as `KfxError`."""
    builder = _Builder(show)
    builder.run()
    if strict and builder.problems:
        more = len(builder.problems) - 1
        also = f" (and {more} more; see: kfx show check)" if more else ""
        raise KfxError(f"{show.path}: {builder.problems[0]}{also}")
    starts: dict[str, list[float]] = {name: [] for name in show.envelopes}
    for cue in show.cues:
        for name in cue.envelopes:
            starts[name].append(cue.time_s)
    envelopes = {
        f"cue.{name}": Pulses(show.envelopes[name], tuple(starts[name])) for name in starts
    }
    return Timeline(
        show,
        tuple(builder.looks),
        tuple(builder.held),
        envelopes,
        tuple(dict.fromkeys(builder.problems)),
        tuple(dict.fromkeys(builder.notes)),
    )


@dataclass
class _Part:
    """The time between two presets: ramps act within it."""

    start_s: float
    base: Preset
    cue: Cue | None
    ramps: list[tuple[Cue, Ramp]] = field(default_factory=list)
    flashes: list[Cue] = field(default_factory=list)


class _Builder:
    def __init__(self, show: Show) -> None:
        self.show = show
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.looks: list[Look] = []
        self.held: list[Held] = []
        self._known: dict[str, Preset | None] = {}
        self._numbers = 0

    def run(self) -> None:
        first = self._preset(self.show.preset, "preset")
        base = first or Preset("none", "", ())
        layers: dict[Slots, Preset] = {}
        parts = [_Part(-math.inf, base, None)]
        self._check_places()
        for cue in self.show.cues:
            if cue.preset is not None:
                found = self._preset(cue.preset, cue.place)
                if found is not None:
                    if not cue.slots:
                        base, layers = found, {}
                    else:
                        layers.pop(cue.slots, None)
                        if found.chain:
                            layers[cue.slots] = found
                    look, left = looks.layered(base, layers)
                    self.notes += [f"{cue.place}: {text}" for text in left]
                    parts.append(_Part(cue.time_s, look, cue))
            parts[-1].ramps += [(cue, ramp) for ramp in cue.ramps]
            if cue.flash:
                parts[-1].flashes.append(cue)
        ends = [part.start_s for part in parts[1:]] + [math.inf]
        for part, end_s in zip(parts, ends, strict=True):
            self._part(part, end_s)
        self._modes()
        self._unseen()
        self._flashes()

    def _preset(self, name: str, place: str) -> Preset | None:
        if name not in self._known:
            try:
                self._known[name] = looks.loaded(name, Path(self.show.path).parent)
            except KfxError as error:
                self._known[name] = None
                self.problems.append(f"{place}: {error}")
        elif self._known[name] is None:
            self.problems.append(f"{place}: preset {name!r} can't be used, see above")
        return self._known[name]

    def _check_places(self) -> None:
        length = self.show.length_s
        for cue in self.show.cues:
            if cue.time_s < 0.0 or (length is not None and cue.time_s > length):
                where = bar_beat(self.show.grid, cue.time_s)
                song = "" if length is None else f", which is {length:.1f} s long"
                self.problems.append(
                    f"{cue.place}: {where} ({cue.time_s:.2f} s) lies outside the song{song}"
                )

    def _part(self, part: _Part, end_s: float) -> None:
        """The looks of one part: several where a knob jumps that signals can't move."""
        moves: list[tuple[Target, Source]] = []
        signals: dict[str, Rise | Pulses] = {}
        busy: dict[Target, tuple[float, str]] = {}  # until when, by whom
        now: dict[Target, Value] = {}
        jumps: list[tuple[Cue, Target, Value]] = []
        for cue, ramp in part.ramps:
            try:
                target = looks.find(part.base, ramp.knob, cue.slots)
                to = looks.checked(part.base, target, ramp.to)
                held = now.get(target, part.base.chain[target.place].values[target.knob])
                start = looks.value_before(part.base, target, ramp, held)
            except ValueError as error:
                self.problems.append(f"{cue.place}: {ramp.knob}: {error}")
                continue
            end = cue.time_s + ramp.seconds
            until, other = busy.get(target, (-math.inf, ""))
            if cue.time_s < until - 1e-6:
                self.problems.append(
                    f"{cue.place}: {ramp.knob} is still on its way from {other}; "
                    "end that ramp before, or start this one later"
                )
                continue
            busy[target], now[target] = (end, cue.place), to
            if end > end_s + 1e-6:
                self.notes.append(
                    f"{cue.place}: the ramp of {ramp.knob} is cut off by the next preset at "
                    f"{bar_beat(self.show.grid, end_s)}"
                )
            if looks.jumps(part.base, target):
                if ramp.seconds or ramp.start is not None:
                    self.problems.append(
                        f"{cue.place}: {ramp.knob}: it can't be ramped, it has no values in "
                        "between; use set"
                    )
                else:
                    jumps.append((cue, target, to))
                continue
            knob = part.base.chain[target.place].effect.knobs[target.knob]
            rise = Rise(cue.time_s, end, ramp.curve)
            for before, after, one in (
                (held, start, Rise(cue.time_s, cue.time_s)),
                (start, to, rise),
            ):
                if before != after:
                    signal = self._signal("move")
                    signals[signal] = one
                    moves.append((target, Source(signal, looks.amount(knob, before, after))))
        lit = self._lit(part, signals)
        self._place(part, moves, signals, jumps, lit)

    def _lit(self, part: _Part, signals: dict[str, Rise | Pulses]) -> list[tuple[str, Flash]]:
        """The flashes of a part: one light for each kind there is."""
        kinds: dict[Flash, list[float]] = {}
        for cue in part.flashes:
            assert cue.flash is not None
            kinds.setdefault(cue.flash, []).append(cue.time_s)
        lit = []
        for flash, starts in kinds.items():
            signal = self._signal("flash")
            signals[signal] = Pulses(flash.shape, tuple(starts))
            lit.append((signal, flash))
        return lit

    def _place(
        self,
        part: _Part,
        moves: list[tuple[Target, Source]],
        signals: dict[str, Rise | Pulses],
        jumps: list[tuple[Cue, Target, Value]],
        lit: list[tuple[str, Flash]],
    ) -> None:
        base, cue = part.base, part.cue
        finished = looks.flashing(looks.moved(base, moves), lit) if moves or lit else base
        fade_s, fade_beats = (cue.fade_s, cue.fade_beats) if cue else (0.0, 0.0)
        self.looks.append(Look(part.start_s, finished, fade_s, fade_beats, cue, signals))
        for by, target, value in jumps:
            finished = finished.with_value(target.place, target.knob, value)
            last = self.looks[-1]
            if last.start_s == by.time_s:  # comes with the preset
                self.looks[-1] = Look(
                    last.start_s, finished, last.fade_s, last.fade_beats, last.cue, signals
                )
            else:
                self.looks.append(Look(by.time_s, finished, cue=by, signals=signals))

    def _modes(self) -> None:
        for cue in self.show.cues:
            if cue.hold is None:
                continue
            mode = MODES.get(cue.hold.kind, "live")
            length = cue.hold.seconds
            end_s = math.inf if length is None else cue.time_s + length
            self.held.append(Held(cue.time_s, end_s, mode, cue))

    def _unseen(self) -> None:
        """Cues under a mode that nobody ended: black in the last chorus, forgotten."""
        grid = self.show.grid
        for i, held in enumerate(self.held):
            coming = self.held[i + 1].start_s if i + 1 < len(self.held) else math.inf
            end_s = min(held.end_s, coming)
            hidden = [
                cue
                for cue in self.show.cues
                if held.start_s < cue.time_s < end_s and cue.hold is None
            ]
            if held.mode == "live" or not hidden:
                continue
            count = f"{len(hidden)} cues" if len(hidden) > 1 else "1 cue"
            first = f"{hidden[0].place}, {hidden[0].text}"
            until = "to the end" if end_s == math.inf else f"until {bar_beat(grid, end_s)}"
            remedy = "add live = true to see " + ("them" if len(hidden) > 1 else "it")
            self.notes.append(
                f"{held.cue.place}: {held.mode} hides {count} {until} ({first}); {remedy}"
            )

    def _flashes(self) -> None:
        """What would be unsafe to look at."""
        times = [cue.time_s for cue in self.show.cues if cue.flash]
        for i, first in enumerate(times[: -MOST_FLASHES_S or None]):
            if i + MOST_FLASHES_S < len(times) and times[i + MOST_FLASHES_S] - first < 1.0 - 1e-6:
                where = bar_beat(self.show.grid, first)
                self.problems.append(
                    f"flash: more than {MOST_FLASHES_S} within a second from {where} on, which "
                    "can cause seizures (WCAG 2.3.1); put them farther apart"
                )
                return

    def _signal(self, kind: str) -> str:
        self._numbers += 1
        return f"cue.{kind}.{self._numbers}"
