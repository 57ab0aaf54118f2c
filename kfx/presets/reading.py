"""Reads TOML into a preset, knob by knob, with errors that say where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kfx import assets, effects
from kfx.effects import EffectSpec
from kfx.errors import KfxError
from kfx.params import File, Knob, Value
from kfx.presets import modulation
from kfx.presets.modulation import Source
from kfx.presets.preset import BUSES, Link, Preset
from kfx.presets.versions import migrated
from kfx.types import MAX_FACES

MOST_BYTES = 256 * 1024
MOST_LINKS = 64
MOST_TEXT_BYTES = 4 * 1024 * 1024  # of a shader, or a net's card
MOST_NAME = 40  # letters of a performer's name
_DEEP = re.compile(r"(?:\.[^.\n]+){200}")  # tables in tables on a line: tomllib takes minutes
KEYS = ("version", "doc", "seed", "chain")
LINK_KEYS = ("effect", "slots", "when", "bus")  # beside the knobs
_FILES = {".fs": "shaders", ".onnx": "models", ".toml": "models"}  # → kfx's own folder of such


def read(text: str, place: str, name: str) -> Preset:
    """A preset from TOML text; `place` names it in errors and its folder.

    Raises `KfxError`, whatever the text is.
    """
    data = parse(text, place)
    for key in data:
        if key not in KEYS:
            raise KfxError(f"{place}: {key[:60]!r} is unknown; {nearest(key, KEYS)}")
    seed, doc, chain = data.get("seed", 0), data.get("doc", ""), data.get("chain", [])
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= 65535:
        raise KfxError(f"{place}: seed: {_short(seed)} is no whole number within 0..65535")
    if not isinstance(doc, str):
        raise KfxError(f"{place}: doc: {_short(doc)} is no text")
    if not isinstance(chain, list) or not all(isinstance(entry, dict) for entry in chain):
        raise KfxError(f"{place}: chain: write every effect as its own [[chain]] table")
    if len(chain) > MOST_LINKS:
        raise KfxError(f"{place}: chain: {len(chain)} effects are more than {MOST_LINKS}")
    folder = Path(place).parent
    links = tuple(_link(entry, f"{place}: chain[{i}]", folder) for i, entry in enumerate(chain))
    return Preset(name, doc, links, seed, place)


def parse(text: str, place: str) -> dict[str, Any]:
    """The data of a preset's text, in the newest version of the format."""
    try:
        return migrated(tables(text, place, "preset", MOST_BYTES))
    except ValueError as error:
        raise KfxError(f"{place}: version: {error}") from error


def read_text(path: Path, kind: str, most_bytes: int) -> str:
    """The text of a file from anybody, a preset or a show as `kind` says.

    A mark of the byte order in front, as Windows puts it, is left out. Raises `KfxError` where it
    is too large or no text, and `OSError` or `ValueError` where it can't be read.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise KfxError(f"{path}: this is no file; name a {kind} file")
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    _check_size(len(data), str(path), kind, most_bytes)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KfxError(f"{path}: this is no UTF-8 text; save it as UTF-8") from error


def tables(text: str, place: str, kind: str, most_bytes: int) -> dict[str, Any]:
    """The data of a TOML text from anybody. Raises `KfxError`, whatever the text is."""
    _check_size(len(text), place, kind, most_bytes)
    try:
        if _DEEP.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KfxError(f"{place}: {error}") from error
    except ValueError as error:
        raise KfxError(f"{place}: a number in it is too long") from error
    except RecursionError:
        raise KfxError(f"{place}: its tables are nested too deep") from None


def _check_size(size: int, place: str, kind: str, most_bytes: int) -> None:
    if size > most_bytes:
        raise KfxError(f"{place}: it is larger than {most_bytes // 1024} KiB; no {kind} is")


def _link(entry: Mapping[str, Any], place: str, folder: Path) -> Link:
    name = entry.get("effect")
    if not isinstance(name, str):
        raise KfxError(f'{place}: effect is missing; write effect = "film", see: kfx list effects')
    spec = _effect(name, place, folder)
    values: dict[str, Value] = {knob: one.default for knob, one in spec.knobs.items()}
    moves: dict[str, tuple[Source, ...]] = {}
    slots: tuple[int | str, ...] = ()
    when, bus = None, ""
    for key, value in entry.items():
        if key == "effect":
            continue
        try:
            if key in spec.knobs:
                value, moves_it = _moved(spec.knobs[key], key, value)
                moves |= {key: moves_it} if moves_it else {}
                if value is not None:
                    values[key] = _value(spec.knobs[key], value, folder)
            elif key == "slots":
                slots = checked_slots(value, spec)
            elif key == "when":
                when = modulation.read_condition(value)
            elif key == "bus":
                bus = checked_bus(value, spec)
            else:
                near = nearest(key, (*spec.knobs, *LINK_KEYS[1:]))
                raise KfxError(f"{place} ({name}): {key[:60]!r} is no knob of it; {near}")
        except (ValueError, OverflowError, TypeError) as error:
            raise KfxError(f"{place} ({name}): {key}: {error}") from error
    return Link(spec, values, moves, slots, when, bus)


def _effect(name: str, place: str, folder: Path) -> EffectSpec:
    """The effect called `name`, or a shader or net in the preset's folder or kfx's own."""
    kind = next((_FILES[end] for end in _FILES if name.endswith(end)), None)
    try:
        if kind is None:
            return effects.find(name)
        path = Path(File(folder=str(assets.folder(kind))).find(name, folder))
        if path.suffix != ".onnx" and path.stat().st_size > MOST_TEXT_BYTES:
            raise KfxError(f"{name}: it is too large for a shader or a card")
        if path.suffix == ".onnx" and not path.with_suffix(".toml").is_file():
            # A card can be guessed, but that runs the net, and loading a preset runs nothing.
            raise KfxError(f"{name}: has no card beside it; see: kfx model inspect {name}")
        return effects.find(str(path))
    except (KfxError, ValueError, OSError, RecursionError) as error:
        raise KfxError(f"{place}: {error}") from error


def _moved(knob: Knob, name: str, value: Any) -> tuple[Any, tuple[Source, ...]]:
    """What a knob's entry says: a value, or the base (None: as it comes) and what moves it."""
    if not isinstance(value, dict):
        return value, ()
    if name == "seed":
        raise ValueError("the seed can't be moved by signals")
    return modulation.read_modulation(knob, value)


def _value(knob: Knob, value: Any, folder: Path) -> Value:
    checked = knob.check(value)
    return knob.find(str(checked), folder) if isinstance(knob, File) else checked


def checked_slots(value: Any, spec: EffectSpec) -> tuple[int | str, ...]:
    """Whom an effect draws, as a preset names them. Raises `ValueError`."""
    last = MAX_FACES - 1
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FACES:
        raise ValueError(f'write slots (0..{last}) or names as a list: slots = ["lead"], [1, 3]')
    for one in value:
        number = isinstance(one, int) and not isinstance(one, bool)
        if number and not 0 <= one <= last:
            raise ValueError(f"{one} is outside 0..{last}")
        if not number and not (isinstance(one, str) and one.strip() and len(one) <= MOST_NAME):
            raise ValueError(f"{_short(one)} is neither a slot 0..{last} nor a name")
    if len({repr(one) for one in value}) < len(value):
        raise ValueError("one is named twice")
    if not routable(spec):
        raise ValueError(f"{spec.name} doesn't look at faces; leave slots out")
    return tuple(value)


def checked_bus(value: Any, spec: EffectSpec) -> str:
    """The small picture that an effect is drawn onto. Raises `ValueError`."""
    if not isinstance(value, str) or value not in BUSES:
        raise ValueError(f"{_short(value)} is none of {', '.join(BUSES)}")
    if not bussed(spec):
        raise ValueError(f"{spec.name} can't be drawn on a bus: nets can't, nor what shows buses")
    return value


def bussed(spec: EffectSpec) -> bool:
    """Whether an effect may be drawn on a bus."""
    return spec.kind != "net" and getattr(spec.source, "buses", None) is None


def routable(spec: EffectSpec) -> bool:
    """Whether it makes sense to say whose face an effect draws."""
    if spec.kind == "motion":
        return True
    shader = spec.source
    return bool(getattr(shader, "region", "face") != "frame" or getattr(shader, "face_images", ()))


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The remedy for an unknown word."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return "it"
    return text if len(text) <= 60 else text[:57] + "…"
