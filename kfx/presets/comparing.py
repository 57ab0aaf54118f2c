"""Says what a preset's links do beyond their effects as they come, and what tells two apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from kfx.params import Knob, Value
from kfx.presets.preset import Link, Preset


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `before` or `after` is None where there is none."""

    place: str  # "seed", "chain[2]" or "chain[2] (film): grain"
    before: str | None
    after: str | None


def described(link: Link) -> Mapping[str, str]:
    """Knob, ``slots``, ``when`` or ``bus`` → its text, of all that isn't as the effect comes."""
    said: dict[str, str] = {}
    for knob, one in link.effect.knobs.items():
        sources = link.modulation.get(knob, ())
        if sources or link.values[knob] != one.default:
            text = value_text(link.values[knob], one)
            said[knob] = " + ".join([text, *(source.text for source in sources)])
    if link.slots:
        said["slots"] = ", ".join(map(str, link.slots))
    if link.when:
        said["when"] = link.when.text
    if link.bus:
        said["bus"] = link.bus
    return said


def value_text(value: Value, knob: Knob) -> str:
    """A value as a preset would write it."""
    labels, options = getattr(knob, "labels", ()), getattr(knob, "options", ())
    if labels and value in options:
        return str(labels[options.index(value)])
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{one:g}" for one in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def differences(one: Preset, other: Preset) -> list[Difference]:
    """What makes `other` of `one`. Links are paired by their effects, in order."""
    found = [
        Difference(name, str(a), str(b))
        for name, a, b in (("doc", one.doc, other.doc), ("seed", one.seed, other.seed))
        if a != b
    ]
    before, after = ([link.effect.name for link in preset.chain] for preset in (one, other))
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, before, after, False).get_opcodes():
        if tag == "equal":
            for i in range(a1 - a0):
                found += _link_differences(b0 + i, one.chain[a0 + i], other.chain[b0 + i])
            continue
        gone = [(i, _link_text(one.chain[i])) for i in range(a0, a1)]
        come = [(i, _link_text(other.chain[i])) for i in range(b0, b1)]
        found += [Difference(f"chain[{i}]", text, None) for i, text in gone]
        found += [Difference(f"chain[{i}]", None, text) for i, text in come]
    return found


def _link_differences(place: int, one: Link, other: Link) -> list[Difference]:
    where = f"chain[{place}] ({other.effect.name})"
    before, after = described(one), described(other)
    found: list[Difference] = []
    if one.effect != other.effect:
        found.append(Difference(f"{where}: effect", one.effect.where, other.effect.where))
    found += [
        Difference(f"{where}: {key}", _text(key, before, one), _text(key, after, other))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]
    return found


def _text(key: str, said: Mapping[str, str], link: Link) -> str | None:
    if key in said or key not in link.effect.knobs:
        return said.get(key)
    return value_text(link.values[key], link.effect.knobs[key])


def _link_text(link: Link) -> str:
    said = ", ".join(f"{key}={text}" for key, text in described(link).items())
    return f"{link.effect.name} {said}".rstrip()
