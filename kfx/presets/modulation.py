"""What moves a knob, and when a link is drawn, as data read from a preset.

::

    amount = { base = 0.3, "beat.decay" = 0.6, "face.jawOpen" = 0.2, release_ms = 120 }
    glow = { base = 0.1, "lfo.sine" = { amount = 0.4, rate_beats = 8, curve = "ease" } }
    when = "bar.phase >= 0.5 and audio.low > 0.2"
    when = { signal = "face.jawOpen", above = 0.3 }
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from kfx.params import Bool, Choice, File, Float, Knob, Value, Vector
from kfx.presets import signals

CURVES: tuple[str, ...] = ("linear", "ease", "ease_in", "ease_out", "step")
OPTIONS: dict[str, tuple[float, float, str]] = {
    # what a source may say beside its amount: least, most, doc
    "attack_ms": (0.0, 60000.0, "a rise has come to 95 % after so long"),
    "release_ms": (0.0, 60000.0, "a fall has come to 95 % after so long"),
    "rate_beats": (1 / 64, 1024.0, "the length of a cycle of an lfo"),
    "rate_hz": (0.001, 100.0, "cycles a second of an lfo, in place of rate_beats"),
    "phase": (0.0, 1.0, "where an lfo's cycle stands at beat 0"),
}
COMPARISONS: tuple[str, ...] = ("<", "<=", ">", ">=")
MOST_AMOUNT = 1e6
MOST_SOURCES = 32  # of one knob or condition
MOST_LETTERS = 1000  # of a condition
_WORD = re.compile(r"\s*(<=|>=|<|>|[^\s<>]+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A signal, how it is followed, and how far it moves the knob: `amount` at 1."""

    signal: str
    amount: float | tuple[float, ...] = 1.0
    curve: str = "linear"
    attack_ms: float = 0.0
    release_ms: float = 0.0
    rate_beats: float = 1.0
    rate_hz: float = 0.0  # 0: `rate_beats` counts
    phase: float = 0.0

    @property
    def text(self) -> str:
        """For people: ``0.6 beat.decay (release 120 ms)``."""
        many = isinstance(self.amount, tuple)
        amount = f"{list(self.amount)}" if many else f"{self.amount:g}"  # type: ignore[arg-type]
        said = [self.curve] if self.curve != "linear" else []
        said += [f"attack {self.attack_ms:g} ms"] if self.attack_ms else []
        said += [f"release {self.release_ms:g} ms"] if self.release_ms else []
        if self.signal.startswith("lfo."):
            beats = f"every {self.rate_beats:g} beats"
            said.append(f"{self.rate_hz:g} Hz" if self.rate_hz else beats)
            said += [f"from {self.phase:g}"] if self.phase else []
        return f"{amount} {self.signal}" + (f" ({', '.join(said)})" if said else "")


@dataclass(frozen=True, slots=True)
class Comparison:
    source: Source
    sign: str
    value: float

    @property
    def text(self) -> str:
        return f"{self.source.signal} {self.sign} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Condition:
    """True where every comparison of any of the groups is."""

    groups: tuple[tuple[Comparison, ...], ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(one.source for group in self.groups for one in group)

    @property
    def text(self) -> str:
        return " or ".join(" and ".join(one.text for one in group) for group in self.groups)


def read_modulation(knob: Knob, table: Mapping[str, Any]) -> tuple[Any, tuple[Source, ...]]:
    """The base (None if the table has none) and the sources of a knob's table.

    Raises `ValueError`.
    """
    if isinstance(knob, Choice | File):
        raise ValueError("a choice can't be moved by signals; give it one value")
    rest = dict(table)
    base = rest.pop("base", None)
    common = {key: rest.pop(key) for key in ("curve", *OPTIONS) if key in rest}
    found = [_source(name, value, common, knob) for name, value in _flat(rest, "", 0)]
    if not found:
        raise ValueError('name what moves it, e.g. { base = 0.3, "beat.decay" = 0.6 }')
    if len(found) > MOST_SOURCES:
        raise ValueError(f"{len(found)} sources are more than {MOST_SOURCES}")
    if {"rate_beats", "rate_hz", "phase"} & common.keys() and not any(
        one.signal.startswith("lfo.") for one in found
    ):
        raise ValueError("rate_beats, rate_hz and phase belong to an lfo; name lfo.sine")
    return base, tuple(found)


def read_condition(value: Any) -> Condition:
    """A condition from its text, table, or list of tables of which all must hold."""
    if isinstance(value, str):
        return _spoken(value)
    tables = value if isinstance(value, list) else [value]
    if not tables or len(tables) > MOST_SOURCES or not all(isinstance(t, dict) for t in tables):
        raise ValueError(
            'write it as "beat.phase < 0.5" or { signal = "face.jawOpen", above = 0.3 }'
        )
    return Condition((tuple(one for table in tables for one in _compared(table)),))


def write_source(source: Source) -> float | list[float] | dict[str, Any]:
    """A source as a preset writes it: its amount, or a table with what else it says."""
    amount = list(source.amount) if isinstance(source.amount, tuple) else source.amount
    plain = Source(source.signal)
    said = {
        one.name: getattr(source, one.name)
        for one in fields(Source)
        if one.name not in ("signal", "amount")
        and getattr(source, one.name) != getattr(plain, one.name)
    }
    return {"amount": amount, **said} if said else amount


def moved(knob: Knob, base: Value, change: float | tuple[float, ...]) -> Value:
    """`base` moved by `change` and kept within the knob's range."""
    if isinstance(knob, Bool):
        assert not isinstance(change, tuple)
        return float(base) + change > 0.5  # type: ignore[arg-type]
    if isinstance(knob, Vector):
        by = change if isinstance(change, tuple) else (change,) * len(knob.default)
        start: tuple[float, ...] = base  # type: ignore[assignment]
        parts = zip(start, by, knob.min, knob.max, strict=True)
        return tuple(min(max(value + d, low), high) for value, d, low, high in parts)
    assert isinstance(knob, Float)
    assert not isinstance(change, tuple)
    value = min(max(float(base) + change, knob.min), knob.max)  # type: ignore[arg-type]
    return round(value) if isinstance(knob.default, int) else value


def _flat(table: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Names with what is said of them; ``beat.decay = 1`` without quotes is a table in TOML."""
    for key, value in table.items():
        name = prefix + key
        inner = isinstance(value, dict) and "amount" not in value
        if inner and depth < 6 and (prefix or key in signals.FAMILIES):
            yield from _flat(value, f"{name}.", depth + 1)
        else:
            yield name, value


def _source(name: str, value: Any, common: Mapping[str, Any], knob: Knob) -> Source:
    signals.check(name)
    own = dict(value) if isinstance(value, dict) else {"amount": value}
    amount = own.pop("amount", None)
    lfo = name.startswith("lfo.")
    said = {k: v for k, v in common.items() if lfo or not k.startswith(("rate", "phase"))}
    if "rate_hz" in own:
        said.pop("rate_beats", None)
    if "rate_beats" in own:
        said.pop("rate_hz", None)
    if not lfo and any(key.startswith(("rate", "phase")) for key in own):
        raise ValueError(f"{name}: rate_beats, rate_hz and phase belong to an lfo")
    options = _options({**said, **own}, name)
    if isinstance(amount, list) and isinstance(knob, Vector):
        if len(amount) != len(knob.default):
            raise ValueError(f"{name}: {len(knob.default)} numbers are needed")
        return Source(name, tuple(_number(one, f"{name}") for one in amount), **options)
    return Source(name, _number(amount, name), **options)


def _options(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "rate_beats" in said and "rate_hz" in said:
        raise ValueError(f"{name}: give rate_beats or rate_hz, not both")
    for key, value in said.items():
        if key == "curve":
            if value not in CURVES:
                raise ValueError(f"{name}: curve: {value!r} is none of {', '.join(CURVES)}")
            options[key] = value
            continue
        if key not in OPTIONS:
            near = get_close_matches(key, ("amount", "curve", *OPTIONS), n=1, cutoff=0.5)
            remedy = (
                f"did you mean {near[0]}?" if near else f"there are curve, {', '.join(OPTIONS)}"
            )
            raise ValueError(f"{name}: {key[:60]!r} is unknown; {remedy}")
        low, high, _ = OPTIONS[key]
        options[key] = _number(value, f"{name}: {key}")
        if not low <= options[key] <= high:
            raise ValueError(f"{name}: {key}: {options[key]:g} is outside {low:g}..{high:g}")
    return options


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{place}: {str(value)[:60]!r} is no number")
    if not abs(value) <= MOST_AMOUNT or math.isnan(value):
        raise ValueError(f"{place}: {str(value)[:60]} is outside ±{MOST_AMOUNT:g}")
    return float(value)


def _spoken(text: str) -> Condition:
    if len(text) > MOST_LETTERS:
        raise ValueError(f"it is longer than {MOST_LETTERS} letters")
    words = _WORD.findall(text)
    groups: list[list[Comparison]] = [[]]
    for i in range(0, max(len(words), 1), 4):
        part = words[i : i + 3]
        if len(part) < 3 or part[1] not in COMPARISONS:
            raise ValueError(
                f"{text[:60]!r}: compare a signal, as in beat.phase < 0.5 and bar.phase > 0"
            )
        try:
            value = _number(float(part[2]), "")
        except ValueError:
            raise ValueError(f"{text[:60]!r}: {part[2][:60]!r} is no number") from None
        groups[-1].append(Comparison(Source(signals.check(part[0])), part[1], value))
        joint = words[i + 3 : i + 4]
        if joint and joint[0] not in ("and", "or"):
            raise ValueError(f"{text[:60]!r}: {joint[0][:60]!r} is neither and nor or")
        if joint == ["or"]:
            groups.append([])
        if joint and len(words) == i + 4:
            raise ValueError(f"{text[:60]!r}: nothing follows {joint[0]!r}")
    if sum(map(len, groups)) > MOST_SOURCES:
        raise ValueError(f"it compares more than {MOST_SOURCES} signals")
    return Condition(tuple(map(tuple, groups)))


def _compared(table: Mapping[str, Any]) -> list[Comparison]:
    rest = dict(table)
    name = signals.check(rest.pop("signal", "(none)"))
    limits = [
        (sign, rest.pop(key)) for key, sign in (("above", ">"), ("below", "<")) if key in rest
    ]
    if not limits:
        raise ValueError(f"{name}: say above = or below =")
    source = replace(Source(name), **_options(rest, name))
    return [Comparison(source, sign, _number(value, name)) for sign, value in limits]
