"""A preset with a link moved, added or removed, and where the other links have gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kfx import effects
from kfx.errors import KfxError, UsageError
from kfx.presets import Link, Preset
from kfx.presets.modulation import (
    Condition,
    read_condition,
    read_modulation,
    write_source,
)
from kfx.presets.reading import checked_slots

MOST_LINKS = 64
_RATES = {"rate_beats", "rate_hz"}
Went = Callable[[int], int | None]
"""Old place → new place, None for a link that is gone."""


def moved(preset: Preset, place: int, to: int) -> tuple[Preset, Went]:
    """The link at `place` stands at `to` afterwards. Raises `UsageError`."""
    need(preset, place)
    need(preset, to)
    order = list(range(len(preset.chain)))
    order.insert(to, order.pop(place))
    chain = tuple(preset.chain[i] for i in order)
    return replace(preset, chain=chain), order.index


def added(preset: Preset, effect: str, place: int) -> tuple[Preset, Went]:
    """The effect called `effect`, as it comes, stands at `place` afterwards; -1 is the end.

    Raises `KfxError` for an effect that isn't in kfx's libraries.
    """
    if effect.endswith((".fs", ".onnx", ".toml")):
        raise UsageError(f"{effect[:80]}: name an effect of the library; see: kfx list effects")
    count = len(preset.chain)
    place = count if place == -1 else place
    if not 0 <= place <= count:
        raise UsageError(f"chain[{place}]: this look has {count} effects; use 0..{count}")
    if count >= MOST_LINKS:
        raise UsageError(f"chain: it has {count} effects; remove one first")
    spec = effects.find(effect)
    link = Link(spec, {knob: one.default for knob, one in spec.knobs.items()})
    chain = (*preset.chain[:place], link, *preset.chain[place:])
    return replace(preset, chain=chain), lambda i: i + (i >= place)


def removed(preset: Preset, place: int) -> tuple[Preset, Went]:
    """Without the link at `place`. Raises `UsageError`."""
    need(preset, place)
    chain = preset.chain[:place] + preset.chain[place + 1 :]
    return replace(preset, chain=chain), lambda i: None if i == place else i - (i > place)


def routed(preset: Preset, place: int, slots: Sequence[int | str]) -> tuple[Preset, Went]:
    """The link at `place` draws these slots and names; none is everybody. Raises `UsageError`."""
    need(preset, place)
    link = preset.chain[place]
    try:
        meant = checked_slots(list(slots), link.effect) if slots else ()
    except ValueError as error:
        raise UsageError(f"chain[{place}] ({link.effect.name}): slots: {error}") from error
    return _with(preset, place, replace(link, slots=meant))


def followed(
    preset: Preset,
    place: int,
    knob: str,
    signal: str,
    amount: float | None,
    how: Mapping[str, Any],
) -> tuple[Preset, Went]:
    """A signal moves a knob by `amount` at 1; None: no longer. `how` is said beside it.

    What it says else and isn't in `how` stays. Raises `UsageError`.
    """
    need(preset, place)
    link = preset.chain[place]
    where = f"chain[{place}] ({link.effect.name})"
    one = link.effect.knobs.get(knob)
    if one is None or knob == "seed" or knob in getattr(link.effect.source, "events", ()):
        raise UsageError(f"{where}: {knob[:60]!r} is no knob that signals can move")
    table: dict[str, Any] = {by.signal: write_source(by) for by in link.modulation.get(knob, ())}
    if amount is None:
        table.pop(signal, None)
    else:
        said = table.get(signal)
        kept = {**said} if isinstance(said, dict) else {}
        if set(how) & _RATES:  # beats or Hz, not both
            kept = {key: value for key, value in kept.items() if key not in _RATES}
        table[signal] = {**kept, **how, "amount": amount}
    others = {name: by for name, by in link.modulation.items() if name != knob}
    try:
        moves = {knob: read_modulation(one, table)[1]} if table else {}
    except ValueError as error:
        raise UsageError(f"{where}: {knob}: {error}") from error
    return _with(preset, place, replace(link, modulation={**others, **moves}))


def conditioned(preset: Preset, place: int, condition: str) -> tuple[Preset, Went]:
    """The link at `place` is drawn while `condition` holds; empty: always. Raises `UsageError`.

    What a signal of the old one is followed with (its attack, its release) it keeps.
    """
    need(preset, place)
    link = preset.chain[place]
    try:
        when = read_condition(condition) if condition.strip() else None
    except ValueError as error:
        raise UsageError(f"chain[{place}] ({link.effect.name}): when: {error}") from error
    if when is not None and link.when is not None and len(when.groups) == 1:
        known = {one.signal: one for one in link.when.sources}
        (group,) = when.groups
        if all(one.sign in "<>" for one in group):  # else a preset couldn't say it
            kept = (replace(one, source=known.get(one.source.signal, one.source)) for one in group)
            when = Condition((tuple(kept),))
    return _with(preset, place, replace(link, when=when))


def _with(preset: Preset, place: int, link: Link) -> tuple[Preset, Went]:
    chain = (*preset.chain[:place], link, *preset.chain[place + 1 :])
    return replace(preset, chain=chain), lambda i: i


def need(preset: Preset, place: int) -> None:
    """Raise `UsageError` where there is no such place."""
    if not 0 <= place < len(preset.chain):
        count = len(preset.chain)
        said = f"use 0..{count - 1}" if count else "it is empty"
        raise UsageError(f"chain[{place}]: this look has {count} effects; {said}")


def load_for(preset: Preset) -> str:
    """What `presets.load` takes to read a preset again. Raises `KfxError` where it has no file."""
    name = preset.path or (preset.name if preset.name == "none" else "")
    if not name:
        raise KfxError(f"{preset.name}: this look has no file; save it under a name first")
    return name
