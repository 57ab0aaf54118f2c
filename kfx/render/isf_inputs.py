"""Turns the INPUTS of an ISF header into knobs, images and GLSL types.

A third-party file is never refused over a bad default: it is mended, with a warning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfx.params import MIX, SEED, Bool, Choice, File, Float, Int, Knob, Listed, Text, Vector

FACE_IMAGES = ("faceUV", "faceNormal", "faceMotion", "faceParts", "faceData")
HOST_IMAGES = ("inputImage", "startImage", *FACE_IMAGES, "personMatte", "handData")
HOST_FLOATS = ("beat", "bar", "energy", "iod", "kfx_quality", "kfx_scale")
AUTOMATIC = ("RENDERSIZE", "TIME", "TIMEDELTA", "FRAMEINDEX", "DATE", "PASSINDEX")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".cube")
FONTS = (".ttf", ".otf", ".ttc")
MOST_PIXELS = 16384.0  # of a version 1 point, which counts in pixels
NATIVE_COLUMNS = 512  # of sound, where no MAX says how many

# Many a generator leaves its alpha at 0, for hosts that don't look at it.
OPAQUE = Bool(default=False, doc="cover the picture wholly, whatever alpha the shader gives")

Entry = Mapping[str, Any]


@dataclass(slots=True)
class Inputs:
    """What a shader asks for. Names are the author's unless said otherwise."""

    knobs: dict[str, Knob] = field(default_factory=lambda: {"mix": MIX, "seed": SEED})
    inputs: dict[str, str] = field(default_factory=dict)  # input name → its ISF type
    types: dict[str, str] = field(default_factory=dict)  # numbers → GLSL type
    knob_names: dict[str, str] = field(default_factory=dict)  # knob → input, where they differ
    images: list[str] = field(default_factory=list)  # that the host gives
    files: list[str] = field(default_factory=list)  # that a File knob chooses
    cubes: list[str] = field(default_factory=list)
    audio: dict[str, tuple[float, int]] = field(default_factory=dict)  # → silence, columns
    events: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(entries: Any, folder: Path, *, version: str, own: Collection[str] = ()) -> Inputs:
    """All entries of the header's INPUTS; `own` are kfx's images that the file asks for."""
    found = Inputs()
    if not isinstance(entries, list):
        found.warnings.append("INPUTS is no list and is left out")
        return found
    for raw in entries:
        if not isinstance(raw, dict):
            found.warnings.append(f"input {raw!r} is no object and is left out")
            continue
        entry = {**{str(key).upper(): value for key, value in raw.items()}, **raw}
        name, kind = str(entry.get("NAME", "")).strip(), str(entry.get("TYPE", "")).strip()
        kind = kind if kind in _KINDS else _SPELLINGS.get(kind.lower(), kind)
        if not re.fullmatch(r"(?!gl_)[A-Za-z_]\w*", name, re.ASCII):
            found.warnings.append(f"input {name!r} has no usable NAME and is left out")
        elif name in found.inputs:
            found.warnings.append(f"input {name} is declared twice; the first one counts")
        elif name in AUTOMATIC:
            found.warnings.append(f"input {name} is left out: every shader has it from the host")
        elif kind not in _KINDS:
            found.warnings.append(f"input {name}: type {kind!r} is left out")
        else:
            entry.update(NAME=name, TYPE=kind)
            found.inputs[name] = kind
            _KINDS[kind](_Reader(entry, found, folder, version, own))
    return found


@dataclass(slots=True)
class _Reader:
    """One entry on its way into `found`."""

    entry: Entry
    found: Inputs
    folder: Path
    version: str
    own: Collection[str]

    @property
    def name(self) -> str:
        return str(self.entry["NAME"])

    @property
    def doc(self) -> str:
        return str(self.entry.get("DOC") or self.entry.get("LABEL") or "")

    def warn(self, text: str) -> None:
        self.found.warnings.append(f"input {self.name}: {text}")

    def knob(self, knob: Knob, glsl: str) -> None:
        self.found.types[self.name] = glsl
        self.found.knobs[self.key()] = knob

    def key(self) -> str:
        """The knob's name: the input's own, unless kfx has a knob of that name."""
        if self.name not in ("mix", "seed"):
            return self.name
        key = f"{self.name}_input"
        self.found.knob_names[key] = self.name
        return key

    def number(self, key: str, fallback: float) -> float:
        return self.finite(self.entry.get(key), key, fallback)

    def finite(self, value: Any, key: str, fallback: float) -> float:
        if value is None:
            return fallback
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
        self.warn(f"{key} {value!r} is no number; {fallback:g} is taken")
        return fallback

    def numbers(self, key: str, fallback: tuple[float, ...]) -> tuple[float, ...]:
        value = self.entry.get(key)
        if value is None:
            return fallback
        if not isinstance(value, list):
            value = [value] * len(fallback)
        parts = zip(value, fallback, strict=False)
        read = tuple(self.finite(one, key, other) for one, other in parts)
        return read + fallback[len(read) :]

    def clamped(self, value: float, low: float, high: float) -> float:
        if not low <= value <= high:
            self.warn(f"default {value:g} is outside {low:g}..{high:g}")
        return min(max(value, low), high)


def _float(one: _Reader) -> None:
    if one.name in HOST_FLOATS and not one.entry.keys() & {"DEFAULT", "MIN", "MAX"}:
        one.found.types[one.name] = "float"  # the host sets it
        return
    low, high = one.number("MIN", 0.0), one.number("MAX", 1.0)
    if one.entry.get("MIN") is None or one.entry.get("MAX") is None:
        low, high = 0.0, 1.0
    low, high = min(low, high), max(low, high)
    default = one.clamped(one.number("DEFAULT", (low + high) / 2), low, high)
    unit = str(one.entry.get("UNIT", ""))
    one.knob(Float(default, low, high, unit=unit, doc=one.doc), "float")


def _bool(one: _Reader) -> None:
    value = one.entry.get("DEFAULT", True)
    one.knob(Bool(default=is_true(value), doc=one.doc), "bool")


def _event(one: _Reader) -> None:
    one.found.events.append(one.name)
    one.knob(Bool(default=False, doc=one.doc), "bool")


def _long(one: _Reader) -> None:
    values, labels = one.entry.get("VALUES"), one.entry.get("LABELS")
    values = values if isinstance(values, list) else []
    labels = labels if isinstance(labels, list) else []
    has_range = one.entry.get("MIN") is not None and one.entry.get("MAX") is not None
    if len(values) != len(labels) and not has_range:
        if values and labels:
            one.warn(f"{len(values)} VALUES, but {len(labels)} LABELS")
        values = values or list(range(len(labels)))
        labels = [*labels[: len(values)], *values[len(labels) :]]
    if values and len(values) == len(labels):
        options = tuple(int(one.finite(value, "VALUES", 0.0)) for value in values)
        default = int(one.number("DEFAULT", options[0]))
        if default not in options:
            one.warn(f"default {default} is none of its VALUES")
            default = options[0]
        texts = tuple(str(label) for label in labels)
        one.knob(Choice(default=default, options=options, labels=texts, doc=one.doc), "int")
        return
    low, high = int(one.number("MIN", 0.0)), int(one.number("MAX", 100.0))
    low, high = min(low, high), max(low, high)
    default = int(one.clamped(one.number("DEFAULT", low), low, high))
    one.knob(Int(default, low, high, doc=one.doc), "int")


def _point(one: _Reader) -> None:
    low, high = one.numbers("MIN", (0.0, 0.0)), one.numbers("MAX", (1.0, 1.0))
    given = one.entry.get("MIN") is not None and one.entry.get("MAX") is not None
    middle = tuple((a + b) / 2 for a, b in zip(low, high, strict=True)) if given else (0.0, 0.0)
    default = one.numbers("DEFAULT", middle)
    if not given and (max(default) > 1.0 or (not one.version and max(default) == 0.0)):
        high = (MOST_PIXELS, MOST_PIXELS)
    _vector(one, default, low, high, "vec2")


def _point3(one: _Reader) -> None:
    low, high = one.numbers("MIN", (0.0,) * 3), one.numbers("MAX", (1.0,) * 3)
    middle = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
    _vector(one, one.numbers("DEFAULT", middle), low, high, "vec3")


def _color(one: _Reader) -> None:
    low, high = one.numbers("MIN", (0.0,) * 4), one.numbers("MAX", (1.0,) * 4)
    _vector(one, one.numbers("DEFAULT", (1.0,) * 4), low, high, "vec4")


def _vector(
    one: _Reader,
    default: tuple[float, ...],
    low: tuple[float, ...],
    high: tuple[float, ...],
    glsl: str,
) -> None:
    pairs = list(zip(low, high, strict=True))
    low, high = tuple(min(pair) for pair in pairs), tuple(max(pair) for pair in pairs)
    values = tuple(one.clamped(v, a, b) for v, a, b in zip(default, low, high, strict=True))
    one.knob(Vector(default=values, min=low, max=high, doc=one.doc), glsl)


def _image(one: _Reader) -> None:
    if one.name in HOST_IMAGES or one.name in one.own:
        one.found.images.append(one.name)
        return
    one.found.files.append(one.name)
    if (kind := one.entry.get("TEXT")) is not None:
        one.found.knobs[one.key()] = _written(one, kind)
        return
    knob = File(suffixes=PICTURES, folder=str(one.folder), doc=one.doc or "a picture")
    default = str(one.entry.get("DEFAULT") or "")
    if default:
        try:
            default = knob.find(knob.check(default))
        except ValueError as error:
            one.warn(f"default {error}")
            default = ""
    one.found.knobs[one.key()] = File(default, knob.suffixes, knob.folder, doc=knob.doc)


def _written(one: _Reader, kind: Any) -> Knob:
    """The knob of an image that is made of what is written: ``line``, ``list`` or ``font``."""
    if kind == "font":
        return File(suffixes=FONTS, folder=str(one.folder), doc=one.doc)
    default = str(one.entry.get("DEFAULT") or "")
    if kind == "list":
        words = tuple(map(str, one.entry.get("WORDS") or ()))
        low, high = one.number("MIN", 0.0), one.number("MAX", 1.0)
        most = int(one.number("ITEMS", 16))
        return Listed(default, words=words, most=most, min=low, max=high, doc=one.doc)
    if kind != "line":
        one.warn(f"TEXT {kind!r} is none of line, list, font; a line is taken")
    return Text(default, longest=int(one.number("MAX", 40)), doc=one.doc)


def _cube(one: _Reader) -> None:
    one.found.cubes.append(one.name)


def _audio(one: _Reader) -> None:
    silence = 0.5 if one.entry["TYPE"] == "audio" else 0.0
    columns = int(min(max(one.number("MAX", NATIVE_COLUMNS), 1.0), MOST_PIXELS))
    one.found.audio[one.name] = (silence, columns)


def is_true(value: Any) -> bool:
    """What ISF files mean by a truth: true, a number above 0, "true", "1"."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "on", "1", "1.0")
    return isinstance(value, int | float) and value > 0


_KINDS = {
    "float": _float,
    "bool": _bool,
    "event": _event,
    "long": _long,
    "int": _long,  # MadMapper's
    "point2D": _point,
    "point3D": _point3,  # ossia's and Synesthesia's
    "color": _color,
    "image": _image,
    "cube": _cube,
    "audio": _audio,
    "audioFFT": _audio,
}
_SPELLINGS = {kind.lower(): kind for kind in _KINDS}
