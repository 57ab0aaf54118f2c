"""Looks of a show: presets, laid over one another by performer, with knobs that ramps move."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kfx import effects, presets
from kfx.errors import KfxError
from kfx.params import Choice, File, Knob, Value, Vector
from kfx.presets import Link, Preset, Source
from kfx.presets.reading import routable
from kfx.shows.cue import Flash, Ramp, Slots

FLASH = Path(__file__).with_name("flash.fs")
_TARGET = re.compile(r"(.+?)(?:\[(\d{1,2})\])?\.([\w-]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """A knob of a look: the place of its link and its name."""

    place: int
    knob: str


def loaded(name: str, folder: Path) -> Preset:
    """A preset of kfx, or a file beside the show. Raises `KfxError`."""
    if name.endswith((".toml", ".fs", ".onnx")):
        return presets.load(str(folder / name))
    return presets.load(name)


def layered(base: Preset, layers: Mapping[Slots, Preset]) -> tuple[Preset, list[str]]:
    """`base` with presets laid over it for some performers each, and what had to be left out."""
    if not layers:
        return base, []
    chain, left = list(base.chain), []
    for slots, preset in layers.items():
        chain += [replace(link, slots=slots) for link in preset.chain if routable(link.effect)]
        wide = [link.effect.name for link in preset.chain if not routable(link.effect)]
        if wide:
            left.append(f"{', '.join(wide)} of {preset.name} left out: not of one face")
    names = "+".join((base.name, *(preset.name for preset in layers.values())))
    return Preset(names, base.doc, tuple(chain), base.seed, base.path), left


def find(preset: Preset, name: str, slots: Slots = ()) -> Target:
    """The knob that ``film.grain`` or ``film[1].grain`` means. Raises `ValueError`."""
    match = _TARGET.fullmatch(name)
    if not match:
        raise ValueError(f'{name[:60]!r} is no knob; write "film.grain"')
    wanted, number, knob = match[1], int(match[2] or 0), match[3]
    places = [
        i
        for i, link in enumerate(preset.chain)
        if link.effect.name == wanted and (not slots or link.slots == slots)
    ]
    if number >= len(places):
        there = ", ".join(dict.fromkeys(link.effect.name for link in preset.chain)) or "no effect"
        whom = f" for {', '.join(map(str, slots))}" if slots else ""
        raise ValueError(f"the look has no {wanted[:60]}{whom} here ({preset.name} has {there})")
    place = places[number]
    knobs = preset.chain[place].effect.knobs
    if knob not in knobs:
        near = get_close_matches(knob, knobs, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(knobs)}"
        raise ValueError(f"{wanted} has no knob {knob[:60]!r}; {remedy}")
    return Target(place, knob)


def checked(preset: Preset, target: Target, value: Any) -> Value:
    """`value` as the knob wants it. Raises `ValueError`."""
    try:
        return preset.checked(target.place, target.knob, value)
    except KfxError as error:
        raise ValueError(str(error)) from None


def jumps(preset: Preset, target: Target) -> bool:
    """Whether a knob can only be set, not moved on the way."""
    knob = preset.chain[target.place].effect.knobs[target.knob]
    return isinstance(knob, Choice | File) or target.knob == "seed"


def amount(knob: Knob, before: Value, after: Value) -> float | tuple[float, ...]:
    """How far a signal at 1 moves a knob from one value to another."""
    if isinstance(knob, Vector):
        assert isinstance(before, tuple)
        assert isinstance(after, tuple)
        return tuple(b - a for a, b in zip(before, after, strict=True))
    return float(after) - float(before)  # type: ignore[arg-type]


def moved(preset: Preset, moves: Sequence[tuple[Target, Source]]) -> Preset:
    """A preset some of whose knobs also follow the sources given."""
    chain = list(preset.chain)
    for target, source in moves:
        link = chain[target.place]
        sources = (*link.modulation.get(target.knob, ()), source)
        modulation = MappingProxyType({**link.modulation, target.knob: sources})
        chain[target.place] = replace(link, modulation=modulation)
    return replace(preset, chain=tuple(chain))


def flashing(preset: Preset, flashes: Sequence[tuple[str, Flash]]) -> Preset:
    """A preset that also flashes, as far as the signals named say."""
    spec = effects.find(str(FLASH))
    values = {name: knob.default for name, knob in spec.knobs.items()}
    links = [
        Link(
            spec,
            {**values, "level": 0.0, "tint": (*flash.tint, 1.0)},
            MappingProxyType({"level": (Source(signal, flash.level),)}),
        )
        for signal, flash in flashes
    ]
    return replace(preset, chain=(*preset.chain, *links))


Problem = Callable[[str], None]


def value_before(preset: Preset, target: Target, ramp: Ramp, now: Value) -> Value:
    """Where a ramp starts."""
    return now if ramp.start is None else checked(preset, target, ramp.start)
