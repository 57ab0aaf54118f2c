"""Reads presets: TOML files that chain effects, checked knob by knob before anything runs.

::

    version = 1
    doc = "a held face with a star in each eye"

    [[chain]]
    effect = "deadpan_step"
    hz = 12
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kfx import assets, effects
from kfx.effects import EffectSpec
from kfx.errors import KfxError, UsageError
from kfx.params import File, Value, parse

VERSION = 1
_KEYS = ("version", "doc", "seed", "chain")


@dataclass(frozen=True, slots=True)
class Link:
    """One effect of a chain with the values of all its knobs."""

    effect: EffectSpec
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Preset:
    """A look: a chain of effects. It names no hardware and runs no code."""

    name: str
    doc: str
    chain: tuple[Link, ...]
    seed: int = 0
    path: str = ""


def names() -> list[str]:
    """The presets that come with kfx."""
    return assets.names("presets", ".toml")


def load(name: str) -> Preset:
    """The preset called `name`, or the file at a path (``.toml``), or a bare shader (``.fs``).

    Raises `KfxError` that says where the fault is:
    ``x.toml: chain[0] (film): grain: 9 is outside 0..0.2``.
    """
    if name == "none":
        return Preset("none", "the clean plate", ())
    if name.endswith(".fs"):
        return replace(alone(effects.find(name)), path=name)
    path = Path(name) if name.endswith(".toml") else assets.folder("presets") / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KfxError(f"preset {name!r}: {_missing(name, error)}") from error
    except UnicodeDecodeError as error:
        raise KfxError(f"{path}: this is no UTF-8 text; save it as UTF-8") from error
    return read(text, str(path), path.stem)


def alone(effect: EffectSpec) -> Preset:
    """A preset of this one effect as it comes."""
    link = Link(effect, {knob: one.default for knob, one in effect.knobs.items()})
    return Preset(effect.name, effect.doc, (link,))


def read(text: str, place: str, name: str) -> Preset:
    """A preset from TOML text; `place` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KfxError(f"{place}: {error}") from error
    for key in data:
        if key not in _KEYS:
            raise KfxError(f"{place}: {key!r} is unknown; {_nearest(key, _KEYS)}")
    if data.get("version") != VERSION:
        raise KfxError(
            f"{place}: version: {data.get('version', 'missing')} can't be read; "
            f"this kfx reads version = {VERSION}"
        )
    seed, doc, chain = data.get("seed", 0), data.get("doc", ""), data.get("chain", [])
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= 65535:
        raise KfxError(f"{place}: seed: {seed!r} is no whole number within 0..65535")
    if not isinstance(doc, str):
        raise KfxError(f"{place}: doc: {doc!r} is no text")
    if not isinstance(chain, list) or not all(isinstance(entry, dict) for entry in chain):
        raise KfxError(f"{place}: chain: write every effect as its own [[chain]] table")
    folder = Path(place).parent
    links = tuple(_link(entry, f"{place}: chain[{i}]", folder) for i, entry in enumerate(chain))
    return Preset(name, doc, links, seed, place)


def with_settings(preset: Preset, settings: list[str]) -> Preset:
    """The preset with ``effect.knob=value`` applied; ``film[1].grain=…`` means the second film.

    Raises `UsageError` that names the setting.
    """
    chain = list(preset.chain)
    for setting in settings:
        target, equals, text = setting.partition("=")
        name, dot, knob = target.strip().rpartition(".")
        if not equals or not dot:
            raise UsageError(f"--set {setting}: write it as effect.knob=value, e.g. film.grain=0.1")
        wanted, _, count = name.partition("[")
        places = [i for i, link in enumerate(chain) if link.effect.name == wanted]
        number = int(count.rstrip("]")) if count.rstrip("]").isdigit() else 0
        if number >= len(places):
            there = ", ".join(dict.fromkeys(link.effect.name for link in chain)) or "no effect"
            raise UsageError(f"--set {setting}: {preset.name} has no {name}; it has {there}")
        link = chain[places[number]]
        if knob not in link.effect.knobs:
            near = _nearest(knob, tuple(link.effect.knobs))
            raise UsageError(f"--set {setting}: {wanted} has no knob {knob!r}; {near}")
        try:
            one = link.effect.knobs[knob]
            value = parse(one, text)
            if isinstance(one, File) and value:  # typed by hand, so it may lie anywhere
                here = Path(str(value)).expanduser().resolve()
                value = str(here) if here.is_file() else one.find(str(value), *_folders(preset))
        except ValueError as error:
            raise UsageError(f"--set {setting}: {error}") from error
        chain[places[number]] = Link(link.effect, {**link.values, knob: value})
    return replace(preset, chain=tuple(chain))


def _folders(preset: Preset) -> tuple[Path, ...]:
    return (Path(preset.path).parent,) if preset.path else ()


def _link(entry: Mapping[str, Any], place: str, folder: Path) -> Link:
    name = entry.get("effect")
    if not isinstance(name, str):
        raise KfxError(f'{place}: effect is missing; write effect = "film", see: kfx list effects')
    try:
        spec = effects.find(name)
    except KfxError as error:
        raise KfxError(f"{place}: {error}") from error
    values: dict[str, Value] = {knob: one.default for knob, one in spec.knobs.items()}
    for key, value in entry.items():
        if key == "effect":
            continue
        if key not in spec.knobs:
            near = _nearest(key, tuple(spec.knobs))
            raise KfxError(f"{place} ({name}): {key!r} is no knob of it; {near}")
        try:
            one = spec.knobs[key]
            values[key] = one.check(value)
            if isinstance(one, File):
                values[key] = one.find(value, folder)
        except ValueError as error:
            raise KfxError(f"{place} ({name}): {key}: {error}") from error
    return Link(spec, values)


def _missing(name: str, error: OSError) -> str:
    if name.endswith(".toml"):
        return f"{error.strerror}; is the path right?"
    return f"there is none; {_nearest(name, tuple(names()))}"


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)
