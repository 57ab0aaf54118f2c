"""The addresses of a chain's knobs: from an address to a knob, and all of them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kfx.engine.desk import tree
from kfx.engine.desk.tree import CHAIN, PREFIX, Parameter
from kfx.errors import UsageError
from kfx.params import Value
from kfx.presets import Preset


def parameters(preset: Preset, bypassed: frozenset[int], solo: int | None) -> list[Parameter]:
    """Every knob of every link, its ``bypass`` and its ``solo``."""
    found: list[Parameter] = []
    for place, link in enumerate(preset.chain):
        here = tree.link_address(place, link)
        found += [tree.of_knob(place, link, knob) for knob in link.effect.knobs]
        for name, value, doc in (
            ("bypass", place in bypassed, "out of the picture"),
            ("solo", place == solo, "nothing else is shown"),
        ):
            found.append(Parameter(f"{here}/{name}", "bool", value, False, doc=doc))
    return found


def find(preset: Preset, address: str) -> tuple[int, str] | None:
    """Place and name of the knob at an address, long or short; None where it is no knob's.

    Raises `UsageError` for the short form of an effect that is there more than once.
    """
    if not address.startswith(f"{PREFIX}/"):
        return None
    parts = address.removeprefix(f"{PREFIX}/").split("/")
    if len(parts) == 4 and parts[0] == "chain":
        place = link_place(preset, parts[1], parts[2])
        return None if place is None else _knob(preset, place, parts[3])
    if len(parts) != 2:
        return None
    places = [i for i, link in enumerate(preset.chain) if tree.safe(link.effect.name) == parts[0]]
    found = [knob for place in places if (knob := _knob(preset, place, parts[1]))]
    if len(found) > 1:
        long = " or ".join(f"{CHAIN}/{place}/{parts[0]}/{parts[1]}" for place, _ in found)
        raise UsageError(f"{address}: {parts[0]} is there more than once; use {long}")
    return found[0] if found else None


def moved(preset: Preset, values: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    """Address → value of each knob that signals move; `values` are those of the links."""
    return {
        f"{tree.link_address(place, link)}/{tree.safe(knob)}": tree.shown(
            link.effect.knobs[knob], now[knob]
        )
        for place, (link, now) in enumerate(zip(preset.chain, values, strict=False))
        for knob in link.modulation
    }


def link_place(preset: Preset, number: str, effect: str) -> int | None:
    """The place that ``chain/NUMBER/EFFECT`` means; None where another effect stands there."""
    if not (number.isascii() and number.isdecimal() and len(number) < 4):
        return None
    place = int(number)
    if place >= len(preset.chain) or tree.safe(preset.chain[place].effect.name) != effect:
        return None
    return place


def _knob(preset: Preset, place: int, name: str) -> tuple[int, str] | None:
    knobs = preset.chain[place].effect.knobs
    return next(((place, knob) for knob in knobs if tree.safe(knob) == name), None)
