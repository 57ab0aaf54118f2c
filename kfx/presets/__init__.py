"""Presets: TOML files that chain effects, checked knob by knob before anything runs.

::

    version = 1
    doc = "a held face with a star in each eye"

    [[chain]]
    effect = "deadpan_step"
    slots = ["lead"]
    mix = { base = 0.4, "beat.decay" = 0.6, release_ms = 120 }
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kfx import assets, effects
from kfx.effects import EffectSpec
from kfx.errors import KfxError, UsageError
from kfx.params import File, parse
from kfx.presets.modulation import Condition, Source
from kfx.presets.preset import Link, Preset
from kfx.presets.reading import MOST_BYTES, nearest, read, read_text, tables
from kfx.presets.versions import VERSION

__all__ = [
    "VERSION",
    "Condition",
    "Link",
    "Preset",
    "Source",
    "alone",
    "load",
    "names",
    "read",
    "read_text",
    "save",
    "tables",
    "with_settings",
]


def names() -> list[str]:
    """The presets that come with kfx."""
    return assets.names("presets", ".toml")


def load(name: str) -> Preset:
    """The preset called `name`, or the file at a path (``.toml``), a bare effect, shader or net.

    Raises `KfxError` that says where the fault is:
    ``x.toml: chain[0] (film): grain: 9 is outside 0..0.2``.
    """
    if name == "none":
        return Preset("none", "the clean plate", ())
    if name.endswith((".fs", ".onnx")):
        return replace(alone(effects.find(name)), path=name)
    path = path_of(name)
    if name in effects.names() and not path.exists():
        return alone(effects.find(name))
    try:
        text = read_text(path, "preset", MOST_BYTES)
    except (OSError, ValueError) as error:
        raise KfxError(f"preset {name!r}: {_missing(name, error)}") from error
    return read(text, str(path), path.stem)


def path_of(name: str) -> Path:
    """The file of the preset called `name`, or `name` itself where it is a path."""
    return Path(name) if name.endswith(".toml") else assets.folder("presets") / f"{name}.toml"


def alone(effect: EffectSpec) -> Preset:
    """A preset of this one effect as it comes."""
    link = Link(effect, {knob: one.default for knob, one in effect.knobs.items()})
    return Preset(effect.name, effect.doc, (link,))


def with_settings(preset: Preset, settings: list[str]) -> Preset:
    """The preset with ``effect.knob=value`` applied; ``film[1].grain=…`` means the second film.

    What moves a knob keeps moving it, about the new value. Raises `UsageError` that names the
    setting.
    """
    for setting in settings:
        target, equals, text = setting.partition("=")
        name, dot, knob = target.strip().rpartition(".")
        if not equals or not dot:
            raise UsageError(f"--set {setting}: write it as effect.knob=value, e.g. film.grain=0.1")
        wanted, _, count = name.partition("[")
        places = [i for i, link in enumerate(preset.chain) if link.effect.name == wanted]
        number = int(count.rstrip("]")) if count.rstrip("]").isdigit() else 0
        if number >= len(places):
            there = ", ".join(dict.fromkeys(link.effect.name for link in preset.chain))
            remedy = f"it has {there or 'no effect'}"
            raise UsageError(f"--set {setting}: {preset.name} has no {name}; {remedy}")
        knobs = preset.chain[places[number]].effect.knobs
        if knob not in knobs:
            near = nearest(knob, tuple(knobs))
            raise UsageError(f"--set {setting}: {wanted} has no knob {knob!r}; {near}")
        try:
            one = knobs[knob]
            value = parse(one, text)
            if isinstance(one, File) and value:  # typed by hand, so it may lie anywhere
                here = Path(str(value)).expanduser().resolve()
                value = str(here) if here.is_file() else one.find(str(value), *_folders(preset))
        except ValueError as error:
            raise UsageError(f"--set {setting}: {error}") from error
        preset = preset.with_value(places[number], knob, value)
    return preset


def save(preset: Preset, path: str | Path) -> None:
    """Write a preset to a file, keeping the comments and the order there: see `saving.save`."""
    from kfx.presets import saving  # tomlkit takes a while to load

    saving.save(preset, path)


def _folders(preset: Preset) -> tuple[Path, ...]:
    return (Path(preset.path).parent,) if preset.path else ()


def _missing(name: str, error: Exception) -> str:
    if name.endswith(".toml"):
        return f"{getattr(error, 'strerror', None) or error}; is the path right?"
    return f"there is none; {nearest(name, tuple(names()))}"
