"""The tree of all that can be set while a show runs: addresses, values, ranges.

Every parameter has one address, the same for panel, OSC, OSCQuery, MIDI maps and ``kfx ctl``::

    /kfx/v1/preset                    the look
    /kfx/v1/chain/0/film/grain        a knob, raw
    /kfx/v1/chain/0/film/grain/norm   the same as 0..1 of its range
    /kfx/v1/chain/0/film/bypass       the effect taken out of the picture
    /kfx/v1/film/grain                the same knob, where the effect is there once
    /kfx/v1/panic                     the clean plate, now
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from kfx.params import Bool, Choice, File, Float, Int, Knob, Text, Value, Vector, parse
from kfx.presets import Link

PREFIX = "/kfx/v1"
CHAIN = f"{PREFIX}/chain"
NORM = "/norm"
Kind = Literal["float", "int", "bool", "choice", "vector", "file", "event", "text"]
LONGEST = 1024  # letters of a text value
RELEASED = (0, "0", "false")  # what doesn't fire an event: a button that is let go


@dataclass(frozen=True)
class Parameter:
    """One thing that can be seen, and set where `writable`.

    `range` is (min, max) of numbers, (mins, maxs) of a vector, the options of a choice, the
    suffixes of a file, and empty otherwise. An event has no value; any but 0 fires it, since a
    button of a controller sends 0 when it is let go.
    """

    address: str
    kind: Kind
    value: Any = None
    default: Any = None
    range: tuple[Any, ...] = ()
    unit: str = ""
    doc: str = ""
    writable: bool = True
    label: str = ""

    @property
    def scales(self) -> bool:
        """Whether 0..1 means anything for it."""
        return self.kind in ("float", "int", "bool", "vector", "choice") and (
            self.kind == "bool" or len(self.range) > 1
        )

    @property
    def range_text(self) -> str:
        """What it takes, for people."""
        if self.kind in ("float", "int") and self.range:
            return f"{self.range[0]:g}..{self.range[1]:g}"
        if self.kind == "vector":
            low, high = min(self.range[0]), max(self.range[1])
            return f"{len(self.range[0])} numbers {low:g}..{high:g}"
        if self.kind == "bool":
            return "true, false"
        if self.kind == "event":
            return "anything"
        if self.kind == "choice":
            return ", ".join(map(str, self.range))
        return "a file " + ", ".join(self.range) if self.kind == "file" else "text"


@dataclass(frozen=True)
class Change:
    """A value that was set: by whom, and its running number over the whole show.

    At the address `CHAIN` the value is the effects' names in order: links came, went or moved,
    and the tree below is another one.
    """

    address: str
    value: Any
    by: str
    number: int


@lru_cache(maxsize=4096)
def safe(name: str) -> str:
    """A name as a part of an address: what OSC keeps for itself becomes ``_``."""
    return re.sub(r"[^\w.+:~-]", "_", name, flags=re.ASCII) or "_"


def link_address(place: int, link: Link) -> str:
    return f"{CHAIN}/{place}/{safe(link.effect.name)}"


def of_knob(place: int, link: Link, name: str) -> Parameter:
    """The parameter of one knob of a link, with the value it has."""
    knob = link.effect.knobs[name]
    kind = kind_of(knob)
    if kind == "bool" and name in getattr(link.effect.source, "events", ()):
        kind = "event"
    value = None if kind == "event" else shown(knob, link.values[name])
    return Parameter(
        f"{link_address(place, link)}/{safe(name)}",
        kind,
        value,
        None if kind == "event" else shown(knob, knob.default),
        range_of(knob),
        knob.unit,
        knob.doc,
        label=name,
    )


def kind_of(knob: Knob) -> Kind:
    table: tuple[tuple[type[Knob], Kind], ...] = (
        (Text, "text"),
        (Int, "int"),
        (Float, "float"),
        (Bool, "bool"),
        (Choice, "choice"),
        (Vector, "vector"),
        (File, "file"),
    )
    return next((kind for cls, kind in table if isinstance(knob, cls)), "text")


def range_of(knob: Knob) -> tuple[Any, ...]:
    if isinstance(knob, Float | Vector):
        return (knob.min, knob.max)
    if isinstance(knob, Choice):
        return tuple(knob.labels or knob.options)
    return knob.suffixes if isinstance(knob, File) else ()


def shown(knob: Knob, value: Value) -> Value:
    """A value as people read it: a choice by its label."""
    if isinstance(knob, Choice) and knob.labels and value in knob.options:
        return knob.labels[knob.options.index(value)]
    return value


def knob_value(knob: Knob, value: Any) -> Value:
    """What came over a wire as the knob wants it. Raises `ValueError`."""
    try:
        if isinstance(knob, Bool) and not isinstance(value, bool) and value in (0, 1):
            return bool(value)  # OSC 1.0 has no booleans
        if isinstance(value, str) and not isinstance(knob, Choice | File):
            return parse(knob, value[:LONGEST])
        if isinstance(knob, Choice) and isinstance(value, float) and value.is_integer():
            value = int(value) if int(value) in knob.options else value
        return knob.check(value)
    except (TypeError, OverflowError):
        raise ValueError(f"{str(value)[:60]!r} is none of {knob.range_text}") from None


def check(one: Parameter, value: Any) -> Any:
    """`value` as the parameter wants it; raises `ValueError` saying what it should be."""
    if one.kind == "event":
        return value not in RELEASED
    if one.kind in ("text", "file"):
        if not isinstance(value, str):
            raise ValueError(f"{str(value)[:60]!r} is no text")
        return value[:LONGEST]
    if one.kind == "choice":
        if value in one.range:
            return one.range[one.range.index(value)]
        raise ValueError(f"{str(value)[:60]!r} is none of {one.range_text}")
    return knob_value(_as_knob(one), value)


def from_unit(one: Parameter, unit: Any) -> Any:
    """The value at 0..1 of its range; numbers outside are brought inside. Raises `ValueError`."""
    if one.kind == "event":
        return check(one, unit)
    if one.kind == "vector" and isinstance(unit, list | tuple):
        if len(unit) != len(one.range[0]):
            raise ValueError(f"{len(unit)} numbers, there are {len(one.range[0])}")
        parts = zip(unit, one.range[0], one.range[1], strict=True)
        return tuple(low + _unit(u) * (high - low) for u, low, high in parts)
    number = _unit(unit)
    if not one.scales:
        raise ValueError(f"a {one.kind} has no 0..1; set it raw")
    if one.kind == "bool":
        return number >= 0.5
    if one.kind == "choice":
        return one.range[min(int(number * len(one.range)), len(one.range) - 1)]
    low, high = one.range
    if one.kind == "vector":
        return tuple(a + number * (b - a) for a, b in zip(low, high, strict=True))
    value = low + number * (high - low)
    return round(value) if one.kind == "int" else min(max(value, low), high)


def to_unit(one: Parameter, value: Any = None) -> Any:
    """The place of a value (its own by default) in its range, 0..1; None where there is none."""
    value = one.value if value is None else value
    if not one.scales or value is None:
        return None
    if one.kind == "bool":
        return float(bool(value))
    if one.kind == "choice":
        last = len(one.range) - 1
        return one.range.index(value) / last if value in one.range else None
    if one.kind == "vector":
        parts = zip(value, one.range[0], one.range[1], strict=True)
        return tuple((v - low) / (high - low) if high > low else 0.0 for v, low, high in parts)
    low, high = one.range
    return (value - low) / (high - low) if high > low else 0.0


def _unit(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"{value[:60]!r} is no number within 0..1") from None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:60]!r} is no number within 0..1")
    return min(max(float(value), 0.0), 1.0)


def _as_knob(one: Parameter) -> Knob:
    if one.kind == "bool":
        return Bool()
    low, high = one.range or (-1e9, 1e9)
    if one.kind == "vector":
        return Vector(tuple(low), tuple(low), tuple(high))
    return Int(int(low), int(low), int(high)) if one.kind == "int" else Float(low, low, high)
