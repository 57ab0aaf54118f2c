"""What happens to a look while it is drawn, so that a take can do it again at the same frames.

What counts is when a change is seen, not when it was asked for: live, a look is compiled for some
frames before it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfx.params import Value
from kfx.presets import Preset


@dataclass(frozen=True, slots=True)
class Seen:
    """Another preset is on its way into the picture, or has taken over; `anew`: in a new chain,
    which remembers nothing."""

    preset: Preset
    bypassed: frozenset[int] = frozenset()
    seconds: float = 0.0
    beats: float = 0.0
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """A knob has another value."""

    place: int
    knob: str
    value: Value


@dataclass(frozen=True, slots=True)
class Bypassed:
    """A link was taken out of the picture, or put back."""

    place: int
    on: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was fading in can't be drawn: the look before it stays."""


Entry = Seen | Turned | Bypassed | Dropped


@dataclass(frozen=True, slots=True)
class State:
    """A look between two pictures; with `coming` it is on its way to another one."""

    preset: Preset
    bypassed: frozenset[int] = frozenset()
    since: int | None = None  # index of the first tick that it drew, None before it
    coming: Seen | None = None
    done: float = 0.0  # of the fade, 0..1
    beat: float | None = None  # of the fade's last picture


@dataclass(frozen=True, slots=True)
class Page:
    """What is to be known of one picture: how the look stood before it, and what was done to it
    before it was drawn. Without `drawn` it failed as a whole, and the plate was shown."""

    index: int  # of its tick
    before: State
    entries: Sequence[Entry]
    drawn: bool
    left_out: frozenset[tuple[int, ...]] = frozenset()  # places of links that weren't drawn
    lost: int = 0  # pictures since the one before that were drawn, and came too late to be sent


class Journal:
    """Kept by a look in the drawing thread, once somebody has it `on`.

    Of a picture that nobody got the entries are kept for the next one.
    """

    def __init__(self) -> None:
        self.on = False
        self._before: State | None = None
        self._now: list[Entry] = []
        self._next: list[Entry] = []  # seen from the next picture on
        self._after = False  # whether the picture is drawn
        self._drawn: int | None = None  # index of the last tick that was
        self._lost = 0
        self._waits = False  # whether nobody has got the last picture

    def begin(self, state: State) -> None:
        """A picture is begun with the look in this state."""
        if not self._now:
            self._before = state
        self._lost += self._waits
        self._waits = True
        self._now += self._next
        self._next, self._after = [], False

    def add(self, entry: Entry) -> None:
        if self.on:
            (self._next if self._after else self._now).append(entry)

    def end(self, index: int) -> None:
        """The picture of the tick with this index is drawn; what comes now is seen in the next."""
        self._after, self._drawn = True, index

    def take(self, index: int, left_out: frozenset[tuple[int, ...]]) -> Page | None:
        """What is to be known of the tick with this index, as it is sent; None before the first."""
        if self._before is None:
            return None
        drawn = self._drawn == index
        page = Page(index, self._before, tuple(self._now), drawn, left_out, self._lost)
        self._now, self._lost, self._waits = [], 0, False
        return page
