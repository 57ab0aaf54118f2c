"""The JSON Schema of preset files, for editors: made of the knobs that every effect declares."""

from __future__ import annotations

import re
from typing import Any

from kfx import effects
from kfx.effects import EffectSpec
from kfx.params import Bool, Choice, File, Float, Int, Knob, Listed, Performer, Text, Vector
from kfx.presets import signals
from kfx.presets.modulation import COMPARISONS, CURVES, MOST_AMOUNT, MOST_LETTERS, OPTIONS
from kfx.presets.preset import BUSES
from kfx.presets.reading import MOST_LINKS, MOST_NAME, bussed, routable
from kfx.presets.versions import VERSION
from kfx.types import MAX_FACES

Schema = dict[str, Any]
OF_LFOS = ("rate_beats", "rate_hz", "phase")
_TWO_RATES: Schema = {"required": ["rate_beats", "rate_hz"]}

DIALECT = "http://json-schema.org/draft-07/schema#"  # what TOML editors know


def schema() -> Schema:
    """The schema of ``version = 1`` presets, with the effects that are there now."""
    specs = [effects.find(name) for name in effects.names()]
    return {
        "$schema": DIALECT,
        "title": f"kfx preset, version {VERSION}",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": VERSION, "description": "of the file format"},
            "doc": {"type": "string", "description": "one line: what is seen"},
            "seed": {
                "type": "integer",
                "minimum": 0,
                "maximum": 65535,
                "default": 0,
                "description": "another number, another take of everything random",
            },
            "chain": {
                "type": "array",
                "maxItems": MOST_LINKS,
                "items": {
                    "oneOf": [
                        *({"$ref": f"#/definitions/effect.{spec.name}"} for spec in specs),
                        {"$ref": "#/definitions/shader file"},
                    ]
                },
            },
        },
        "definitions": {
            **_modulations(
                sorted({_width(knob) for spec in specs for knob in spec.knobs.values()})
            ),
            "slots": _slots(),
            "when": _when(),
            "bus": {"enum": list(BUSES), "description": "the small picture it is drawn onto"},
            "shader file": {
                "type": "object",
                "required": ["effect"],
                "properties": {
                    "effect": {
                        "type": "string",
                        "pattern": r"\.(fs|onnx|toml)$",
                        "description": "a shader, or a net with its card, in the preset's folder",
                    },
                    "slots": {"$ref": "#/definitions/slots"},
                    "when": {"$ref": "#/definitions/when"},
                    "bus": {"$ref": "#/definitions/bus"},
                },
            },
            **{f"effect.{spec.name}": _effect(spec) for spec in specs},
        },
    }


def _effect(spec: EffectSpec) -> Schema:
    properties: Schema = {"effect": {"const": spec.name, "description": spec.doc}}
    for name, knob in spec.knobs.items():
        properties[name] = _knob(name, knob)
    if routable(spec):
        properties["slots"] = {"$ref": "#/definitions/slots"}
    properties["when"] = {"$ref": "#/definitions/when"}
    if bussed(spec):
        properties["bus"] = {"$ref": "#/definitions/bus"}
    return {
        "type": "object",
        "description": spec.doc,
        "required": ["effect"],
        "additionalProperties": False,
        "properties": properties,
    }


def _knob(name: str, knob: Knob) -> Schema:
    unit = f" ({knob.unit})" if knob.unit else ""
    value = _value(knob)
    told = {"description": knob.doc + unit}
    if not isinstance(knob, File):
        told["default"] = _default(knob)
    if name == "seed" or isinstance(knob, Choice | File):
        return {**value, **told}
    modulation = {"$ref": f"#/definitions/modulation{_width(knob)}"}
    moved = {"allOf": [modulation, {"properties": {"base": value}}]}
    return {"anyOf": [value, moved], **told}


def _value(knob: Knob) -> Schema:
    if isinstance(knob, Float):
        kind = "integer" if isinstance(knob, Int) else "number"
        return {"type": kind, "minimum": knob.min, "maximum": knob.max}
    if isinstance(knob, Bool):
        return {"type": "boolean"}
    if isinstance(knob, Performer):
        slot = {"type": "integer", "minimum": 0, "maximum": 7}
        return {"anyOf": [slot, {"type": "string", "maxLength": 64}]}
    if isinstance(knob, Listed):
        kinds: list[Schema] = [{"type": "string"}, {"type": "number"}]
        return {"anyOf": [*kinds, {"type": "array", "maxItems": knob.most}]}
    if isinstance(knob, Text):
        return {"type": "string", "maxLength": knob.longest}
    if isinstance(knob, Choice):
        return {"enum": list(dict.fromkeys([*knob.labels, *knob.options]))}
    if isinstance(knob, Vector):
        ranges = zip(knob.min, knob.max, strict=True)
        items = [{"type": "number", "minimum": low, "maximum": high} for low, high in ranges]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}
    return {"type": "string"}


def _default(knob: Knob) -> Any:
    if isinstance(knob, Choice) and knob.labels and knob.default in knob.options:
        return knob.labels[knob.options.index(knob.default)]
    return list(knob.default) if isinstance(knob.default, tuple) else knob.default


def _number(low: float = -MOST_AMOUNT, high: float = MOST_AMOUNT, doc: str = "") -> Schema:
    return {"type": "number", "minimum": low, "maximum": high, "description": doc}


def _width(knob: Knob) -> str:
    """What an amount may be, by the numbers that the knob has: "" where it is one."""
    return str(len(knob.default)) if isinstance(knob, Vector) else ""


def _modulations(widths: list[str]) -> Schema:
    """The definitions of amounts, sources and modulations, for each width of knobs."""
    made: Schema = {}
    for width in widths:
        made[f"amount{width}"] = _amount(int(width or 0))
        made[f"source{width}"] = _source(width, lfo=False)
        made[f"lfo{width}"] = _source(width, lfo=True)
        made[f"modulation{width}"] = _modulation(width)
    return made


def _amount(width: int) -> Schema:
    one = _number(doc="how far the knob moves where the signal is 1")
    each = {"type": "array", "items": _number(), "minItems": width, "maxItems": width}
    return {"anyOf": [one, {**each, "description": "of a colour or point, each"}]} if width else one


def _following(*, lfo: bool = True) -> Schema:
    """How a signal is followed."""
    curve = {"enum": list(CURVES), "default": "linear", "description": "bends 0..1"}
    said = {key: _number(*told) for key, told in OPTIONS.items() if lfo or key not in OF_LFOS}
    return {"curve": curve, **said}


def _source(width: str, *, lfo: bool) -> Schema:
    amount = {"$ref": f"#/definitions/amount{width}"}
    table = {
        "type": "object",
        "required": ["amount"],
        "additionalProperties": False,
        "properties": {"amount": amount, **_following(lfo=lfo)},
        "not": _TWO_RATES,
    }
    return {"anyOf": [amount, table]}


def _modulation(width: str) -> Schema:
    # Without quotes beat.decay is a table in TOML, which is read as well.
    families: Schema = {
        family: {
            "type": "object",
            "additionalProperties": family in signals.FREE,
            "properties": {name: _source_of(family, width) for name in names},
        }
        for family, names in signals.FAMILIES.items()
    }
    lfos = [{"required": [name]} for name in signals.NAMES if name.startswith("lfo.")]
    no_signal = {"propertyNames": {"enum": ["base", *_following()]}}
    return {
        "type": "object",
        "description": "a value that signals move",
        "not": {"anyOf": [no_signal, _TWO_RATES]},
        "dependencies": {key: {"anyOf": [{"required": ["lfo"]}, *lfos]} for key in OF_LFOS},
        "additionalProperties": False,
        "properties": {
            "base": {"description": "the value they move it from"},
            **_following(),
            **{name: _source_of(name.partition(".")[0], width) for name in signals.NAMES},
            **families,
        },
        "patternProperties": {f"^{signals.FREE_NAME}$": _source_of("", width)},
    }


def _source_of(family: str, width: str) -> Schema:
    return {"$ref": f"#/definitions/{'lfo' if family == 'lfo' else 'source'}{width}"}


def _slots() -> Schema:
    slot = {"type": "integer", "minimum": 0, "maximum": MAX_FACES - 1}
    name = {"type": "string", "minLength": 1, "maxLength": MOST_NAME}
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_FACES,
        "uniqueItems": True,
        "items": {"anyOf": [slot, name]},
        "description": "the performers it draws, by slot or name; without it everybody",
    }


def _when() -> Schema:
    signal = {
        "anyOf": [
            {"enum": list(signals.NAMES)},
            {"type": "string", "pattern": f"^{signals.FREE_NAME}$"},
        ]
    }
    following = _following()
    del following["curve"]
    table = {
        "type": "object",
        "required": ["signal"],
        "anyOf": [{"required": ["above"]}, {"required": ["below"]}],
        "additionalProperties": False,
        "properties": {
            "signal": signal,
            "above": _number(),
            "below": _number(),
            "curve": {"enum": list(CURVES)},
            **following,
        },
    }
    names = "|".join([*map(re.escape, signals.NAMES), signals.FREE_NAME])
    signs = "|".join(sorted(COMPARISONS, key=len, reverse=True))
    number = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
    compared = rf"(?:{names})\s*(?:{signs})\s*{number}"
    text = {
        "type": "string",
        "maxLength": MOST_LETTERS,
        "pattern": rf"^\s*{compared}(?:\s+(?:and|or)\s+{compared})*\s*$",
        "description": "as in: beat.phase < 0.5 and audio.low > 0.2",
    }
    return {
        "anyOf": [text, table, {"type": "array", "minItems": 1, "items": table}],
        "description": "when it is drawn; without it always",
    }
