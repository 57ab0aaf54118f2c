"""A preset as a value: links of a chain, their knobs, what moves the knobs, whom they draw."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from kfx.effects import EffectSpec
from kfx.errors import UsageError
from kfx.params import File, Value
from kfx.presets.modulation import Condition, Source

BUSES = ("a", "b", "c", "d")


@dataclass(frozen=True, slots=True)
class Link:
    """One effect of a chain with the values of all its knobs."""

    effect: EffectSpec
    values: Mapping[str, Value]
    modulation: Mapping[str, tuple[Source, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Knob → what moves it about its value."""
    slots: tuple[int | str, ...] = ()
    """The slots, or the performers by name, that it draws; none means everybody."""
    when: Condition | None = None
    """Whether it is drawn at a moment; None means always."""
    bus: str = ""
    """The small picture it is drawn onto, for a later effect to show; "" is the frame itself."""

    @property
    def idle(self) -> bool:
        """Whether it never shows: its mix is 0 and nothing raises it."""
        return self.values["mix"] == 0.0 and "mix" not in self.modulation

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that it follows, in its knobs and its condition."""
        moved = tuple(source for sources in self.modulation.values() for source in sources)
        return (*moved, *(self.when.sources if self.when else ()))


@dataclass(frozen=True, slots=True)
class Preset:
    """A look: a chain of effects. It names no hardware and runs no code."""

    name: str
    doc: str
    chain: tuple[Link, ...]
    seed: int = 0
    path: str = ""

    @property
    def file_name(self) -> str:
        """The name that its file has where it is kept with all its others."""
        return (re.sub(r"[^\w-]+", "_", self.name) or "preset") + ".toml"

    def checked(self, place: int, knob: str, value: object) -> Value:
        """`value` as the knob of a link wants it; a file must lie where presets may read.

        Raises `UsageError` for a place, knob or value there isn't.
        """
        if not 0 <= place < len(self.chain):
            raise UsageError(f"chain[{place}]: {self.name} has {len(self.chain)} effects")
        effect = self.chain[place].effect
        one = effect.knobs.get(knob)
        if one is None:
            known = ", ".join(effect.knobs)
            raise UsageError(f"chain[{place}] ({effect.name}): {knob!r} is none of {known}")
        try:
            checked = one.check(value)
            if isinstance(one, File):
                folders = (Path(self.path).parent,) if self.path else ()
                return one.find(str(checked), *folders)
            return checked
        except (ValueError, OverflowError, TypeError) as error:
            raise UsageError(f"chain[{place}] ({effect.name}): {knob}: {error}") from error

    def with_value(self, place: int, knob: str, value: Value) -> Preset:
        """A copy in which one knob of one link has another value."""
        link = self.chain[place]
        changed = replace(link, values={**link.values, knob: value})
        return replace(self, chain=(*self.chain[:place], changed, *self.chain[place + 1 :]))
