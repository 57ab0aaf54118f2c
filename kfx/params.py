"""Knobs: declared once with range, unit and a doc line; checks, uniforms and panels read that.

On a class a knob is a descriptor::

    class DeadpanStep(Motion):
        hz = Float(12.0, 4.0, 24.0, unit="Hz", doc="how often the held face is renewed")

so ``effect.hz`` is the value of the moment, and ``knobs_of(DeadpanStep)`` the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = float | int | bool | str | tuple[float, ...]


@dataclass(frozen=True)
class Knob:
    """What every kind of knob shares. `check` returns the value as the effect wants it."""

    default: Any
    doc: str = field(default="", kw_only=True)
    unit: str = field(default="", kw_only=True)

    def check(self, value: Any) -> Value:
        """`value` in the knob's own type; raises `ValueError` saying what it should be."""
        raise NotImplementedError

    @property
    def range_text(self) -> str:
        return ""

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return instance.__dict__.get(self._name, self.default)  # type: ignore[attr-defined]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = self.check(value)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Float(Knob):
    """A number between `min` and `max`, both included."""

    default: float = 0.0
    min: float = 0.0
    max: float = 1.0

    def __init__(
        self, default: float, min: float = 0.0, max: float = 1.0, *, unit: str = "", doc: str = ""
    ) -> None:
        for name, value in (
            ("default", float(default)),
            ("min", float(min)),
            ("max", float(max)),
            ("unit", unit),
            ("doc", doc),
        ):
            object.__setattr__(self, name, value)

    def check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{value!r} is no number; use {self.range_text}")
        if not self.min <= value <= self.max:  # also refuses nan
            raise ValueError(f"{value:g} is outside {self.range_text}")
        return float(value)

    @property
    def range_text(self) -> str:
        return f"{self.min:g}..{self.max:g}"


@dataclass(frozen=True, init=False)
class Int(Float):
    """A whole number between `min` and `max`."""

    def __init__(
        self, default: int, min: int = 0, max: int = 1, *, unit: str = "", doc: str = ""
    ) -> None:
        super().__init__(default, min, max, unit=unit, doc=doc)
        object.__setattr__(self, "default", default)

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
            raise ValueError(f"{value!r} is no whole number; use {self.range_text}")
        return int(super().check(value))


@dataclass(frozen=True)
class Bool(Knob):
    """True or false."""

    default: bool = False

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        return value

    @property
    def range_text(self) -> str:
        return "true, false"


@dataclass(frozen=True)
class Choice(Knob):
    """One of `options`; `labels` pairs each option with a text for people."""

    default: Any = ""
    options: tuple[Any, ...] = ()
    labels: tuple[str, ...] = ()

    def check(self, value: Any) -> Value:
        if value in self.options and not isinstance(value, bool):
            return self.options[self.options.index(value)]  # type: ignore[no-any-return]
        if value in self.labels:
            return self.options[self.labels.index(value)]  # type: ignore[no-any-return]
        raise ValueError(f"{value!r} is none of {self.range_text}")

    @property
    def range_text(self) -> str:
        return ", ".join(self.labels or map(str, self.options))


@dataclass(frozen=True)
class Text(Choice):
    """A line of at most `longest` characters, "" for none. No signal moves it, as any choice."""

    default: str = ""
    longest: int = field(default=64, kw_only=True)

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text; use {self.range_text}")
        if len(value) > self.longest or not value.isprintable():
            raise ValueError(f"{value[:60]!r} is no line of {self.range_text}")
        return value.strip()

    @property
    def range_text(self) -> str:
        return f"text, at most {self.longest} characters"


@dataclass(frozen=True)
class Listed(Text):
    """Up to `most` items with commas or blanks between them, "" for none.

    Each is a number `min`..`max`; with `words` it is one of those, or some of them joined by
    ``+``. A list of TOML is taken too.
    """

    longest: int = field(default=400, kw_only=True)
    words: tuple[str, ...] = field(default=(), kw_only=True)
    most: int = field(default=16, kw_only=True)
    min: float = field(default=0.0, kw_only=True)
    max: float = field(default=1.0, kw_only=True)

    def check(self, value: Any) -> str:
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value:g}"
        text = super().check(value)
        self.numbers(text)
        return text

    def numbers(self, value: str) -> tuple[float, ...]:
        """The items: numbers as they are, of words the sum of 2 to the power of their places."""
        items = value.replace(",", " ").split()
        if len(items) > self.most:
            raise ValueError(f"{len(items)} items are too many; use {self.range_text}")
        return tuple(self._bits(one) if self.words else self._number(one) for one in items)

    def _bits(self, item: str) -> float:
        bits = 0
        for word in item.split("+"):
            if word not in self.words:
                raise ValueError(f"{word[:60]!r} is none of {', '.join(self.words)}")
            bits |= 1 << self.words.index(word)
        return float(bits)

    def _number(self, item: str) -> float:
        number = float(_number(item))
        if not self.min <= number <= self.max:
            raise ValueError(f"{item[:60]} is outside {self.min:g}..{self.max:g}")
        return number

    @property
    def range_text(self) -> str:
        items = ", ".join(self.words) if self.words else f"{self.min:g}..{self.max:g}"
        return f"at most {self.most} of {items}"


@dataclass(frozen=True)
class Performer(Text):
    """Whom: the number of a slot or the name it is pinned by, as text; "" for nobody.

    Which names there are only the show knows.
    """

    def check(self, value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value not in range(8):
                raise ValueError(f"{value:g} is no slot; use {self.range_text}")
            value = f"{value:g}"
        if not isinstance(value, str) or len(value) > 64:
            raise ValueError(f"{str(value)[:60]!r} is no performer; use {self.range_text}")
        name = str(value).strip()
        if name.lstrip("-").replace(".", "", 1).isdigit() and name not in map(str, range(8)):
            raise ValueError(f"{name} is no slot; use {self.range_text}")
        return name

    @property
    def range_text(self) -> str:
        return '0..7 or a name such as "lead"'


@dataclass(frozen=True)
class Vector(Knob):
    """`len(default)` numbers, each within `min`..`max`: a colour (RGBA 0..1) or a point."""

    default: tuple[float, ...] = ()
    min: tuple[float, ...] = ()
    max: tuple[float, ...] = ()

    def check(self, value: Any) -> tuple[float, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(self.default):
            raise ValueError(f"{value!r} is no list of {len(self.default)} numbers")
        for one, low, high in zip(value, self.min, self.max, strict=True):
            if isinstance(one, bool) or not isinstance(one, int | float) or not low <= one <= high:
                raise ValueError(f"{one!r} is no number within {low:g}..{high:g}")
        return tuple(float(one) for one in value)

    @property
    def range_text(self) -> str:
        low, high = min(self.min, default=0.0), max(self.max, default=1.0)
        return f"{len(self.default)} numbers {low:g}..{high:g}"


@dataclass(frozen=True)
class File(Knob):
    """The path of a file, "" for none; `folder` is where the effect's own files lie."""

    default: str = ""
    suffixes: tuple[str, ...] = ()
    folder: str = ""

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no path; write it as text")
        if value and self.suffixes and Path(value).suffix.lower() not in self.suffixes:
            raise ValueError(f"{value!r} is none of {self.range_text}")
        return value

    def find(self, value: str, *folders: Path) -> str:
        """The full path of `value`, which must lie in one of `folders` or in the knob's own.

        Raises `ValueError` when it is missing or outside all of them.
        """
        if not value:
            return ""
        places = [Path(one or ".") for one in dict.fromkeys([*map(str, folders), self.folder])]
        outside = False
        for place in places:
            try:
                path = (place / value).resolve()
                there = path.is_file()
            except (OSError, ValueError):
                raise ValueError(f"{value[:60]!r} is no path") from None
            if there:
                if path.is_relative_to(place.resolve()):
                    return str(path)
                outside = True
        looked = " or ".join(map(str, places))
        if outside:
            raise ValueError(f"{value!r} lies outside {looked}; copy it there")
        raise ValueError(f"{value!r} is missing; put it in {looked}")

    @property
    def range_text(self) -> str:
        return "a file " + ", ".join(self.suffixes) if self.suffixes else "a file"


MIX = Float(1.0, doc="how much of the effect is seen: 0 leaves the picture as it was")
SEED = Int(0, 0, 65535, doc="another number, another take of everything random")


def knobs_of(cls: type) -> Mapping[str, Knob]:
    """The knobs a class declares, base classes first, in the order they are written."""
    found: dict[str, Knob] = {}
    for base in reversed(cls.__mro__):
        found.update({name: knob for name, knob in vars(base).items() if isinstance(knob, Knob)})
    return found


def parse(knob: Knob, text: str) -> Value:
    """The value that `text` of a command line means for a knob; raises `ValueError`."""
    text = text.strip()
    if isinstance(knob, Bool):
        words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
        if text.lower() not in words:
            raise ValueError(f"{text!r} is neither true nor false")
        return words[text.lower()]
    if isinstance(knob, Vector):
        return knob.check([_number(part) for part in text.strip("[]()").split(",")])
    if isinstance(knob, File) or (isinstance(knob, Text) and not isinstance(knob, Performer)):
        return knob.check(text)
    if isinstance(knob, Choice) and (text in knob.labels or text in knob.options):
        return knob.check(text)
    try:
        number = _number(text)
    except ValueError:
        return knob.check(text)  # which says what it could be
    return knob.check(number)


def _number(text: str) -> float:
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
