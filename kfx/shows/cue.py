"""A show as a value: its song, its cues in order of time, its envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from kfx import timecode
from kfx.sync.grid import Grid

Slots = tuple[int | str, ...]
MODES: dict[str, str] = {"freeze": "freeze", "black": "black", "clean": "clean", "panic": "clean"}
"""What a cue may do to the whole output → the mode of the output."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A knob on its way `to` a value, over `seconds` of the song; 0 sets it at once."""

    knob: str  # film.grain, film[1].grain
    to: Any
    start: Any = None  # None: from where it is
    seconds: float = 0.0
    curve: str = "linear"


@dataclass(frozen=True, slots=True)
class Hold:
    """A mode of the whole output for `seconds` of the song; None until the next one."""

    kind: str  # of `MODES`, or "live", which ends it
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signal that a cue sends up and down again: `attack`, `hold` and `decay` in seconds."""

    attack_s: float = 0.0
    hold_s: float = 0.0
    decay_s: float = 0.2
    curve: str = "ease_out"

    @property
    def length_s(self) -> float:
        return self.attack_s + self.hold_s + self.decay_s


@dataclass(frozen=True, slots=True)
class Flash:
    """Light over the whole frame; `level` 0..1 is how far it goes, `tint` what colour it has."""

    level: float = 0.85
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shape: Envelope = Envelope(0.0, 0.04, 0.2)


@dataclass(frozen=True, slots=True)
class Cue:
    """What happens at `time_s` of the song. `place` says where it is written."""

    place: str
    time_s: float
    name: str = ""
    preset: str | None = None
    fade_s: float = 0.0
    fade_beats: float = 0.0
    slots: Slots = ()
    ramps: tuple[Ramp, ...] = ()
    flash: Flash | None = None
    hold: Hold | None = None
    envelopes: tuple[str, ...] = ()
    notes: str = ""

    @property
    def text(self) -> str:
        """What it does, for people: ``supernova over 2 beats, flash``."""
        said = []
        if self.preset is not None:
            fade = f" over {self.fade_beats:g} beats" if self.fade_beats else ""
            fade = f" over {self.fade_s:g} s" if self.fade_s else fade
            said.append(f"{self.preset}{fade}")
        for one in self.ramps:
            start = "" if one.start is None else f" from {one.start}"
            over = f" over {one.seconds:.3g} s" if one.seconds else ""
            said.append(f"{one.knob}{start} to {one.to}{over}")
        if self.flash:
            said.append("flash")
        if self.hold:
            over = "" if self.hold.seconds is None else f" for {self.hold.seconds:.3g} s"
            said.append(f"{self.hold.kind}{over}")
        said += [f"cue.{one}" for one in self.envelopes]
        whom = f" ({', '.join(map(str, self.slots))})" if self.slots else ""
        return ", ".join(said) + whom


@dataclass(frozen=True, slots=True)
class Show:
    """All of a ``show.toml``, its times in seconds of the song.

    `offset_s` is the timecode of the song's start in seconds since midnight; None where timecodes
    don't concern it. `length_s` is None where neither song nor file say it.
    """

    name: str
    grid: Grid
    cues: tuple[Cue, ...]
    envelopes: Mapping[str, Envelope] = field(default_factory=lambda: MappingProxyType({}))
    preset: str = "none"
    doc: str = ""
    song: str = ""
    length_s: float | None = None
    offset: str | None = None
    fps: Fraction | None = None
    lead_s: float = 0.0
    path: str = ""

    @property
    def offset_s(self) -> float | None:
        if self.offset is None or self.fps is None:
            return None
        return float(timecode.parse(self.offset, self.fps) / self.fps)

    def timecode_at(self, time_s: float) -> str | None:
        """The timecode of the frame nearest to a time of the song."""
        if self.offset is None or self.fps is None:
            return None
        return timecode.advance(self.offset, round(time_s * self.fps), self.fps)
