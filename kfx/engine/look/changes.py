"""What a look is asked for, and a chain that is on its way to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from kfx.engine.look.chain import Chain
from kfx.engine.look.crossfade import Progress
from kfx.engine.look.modulate import Knobs
from kfx.presets import Preset


@dataclass(frozen=True, slots=True)
class Change:
    """Another preset, or the same one compiled anew."""

    preset: Preset
    seconds: float = 0.0
    beats: float = 0.0
    rebuild: bool = False  # a file that the preset uses has changed
    bypassed: frozenset[int] = frozenset()
    size: tuple[int, int] | None = None  # where it is another one


@dataclass
class Coming:
    """A chain on its way: compiled step by step, then warmed up, then faded in."""

    change: Change
    chain: Chain
    steps: Iterator[None]
    warmed: bool = False
    progress: Progress | None = None  # once it is seen


@dataclass
class Wanted:
    """What was asked for last, before it is drawn."""

    preset: Preset
    bypassed: frozenset[int] = frozenset()
    change: Change | None = None
    requests: deque[Callable[[], None]] = field(default_factory=deque)


def knobs_of(change: Change, names: Mapping[int, str]) -> Knobs:
    knobs = Knobs(change.preset)
    knobs.names = names
    for place in change.bypassed:
        knobs.bypass(place, True)
    return knobs


def resizes(preset: Preset) -> bool:
    """Whether a look can be drawn at another size without losing what it holds.

    A still would be taken anew, and another session of a net may take hundreds of megabytes.
    """
    return not any(
        link.effect.kind == "net" or getattr(link.effect.source, "holds", False)
        for link in preset.chain
    )
