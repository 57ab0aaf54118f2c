"""Model cards: ``name.toml`` beside ``name.onnx`` says what the net is, wants and answers.

::

    name = "candy"
    kind = "image"              # image, matte, flow; landmarks: in, they or numbers out;
                                # detector, other: told, not played
    doc = "candy colours"
    region = "face"             # face and head: crops that follow the pose; frame: the picture
    stick = "result"            # or "change": the plate plus what the net has changed
    edge = "soft"               # or "skin": on over forehead, ears and neck, where skin is
    class = "generative"        # or "procedural"
    licence = "Apache-2.0"
    source = "where it was found"
    sha256 = "…"                # of the net and, where weights lie beside it, of those after it

    [input."input.1"]
    is = "picture"
    layout = "NCHW"
    size = [256, 256]
    range = [0.0, 255.0]

    [output.433]
    is = "picture"
    layout = "NCHW"
    range = [0.0, 255.0]

A net that is given landmarks (``kind = "landmarks"``) moves them, or says numbers of a face. Those
by ARKit's names move the face, and all of them are signals ``net.NAME`` for the other links::

    [input.points]
    is = "landmarks"
    space = "crop"              # 0..1 of the face's crop; frame, pixels, canonical (head-fixed)

    [output.says]
    is = "coefficients"         # or "landmarks"; with stick = "change" what is added to them
    names = ["jawOpen", "calm"]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kfx.arkit import NAMES
from kfx.errors import KfxError
from kfx.neural.ports import PICTURES, Port, nearest, read
from kfx.params import MIX, SEED, Choice, File, Float, Knob, Vector

KINDS = {
    "image": "picture",
    "matte": "matte",
    "flow": "flow",
    "landmarks": "landmarks",
    "detector": "boxes",
    "other": "unused",
}
"""Each kind with the role an output has where the card doesn't say."""

DRAWN = frozenset({"image", "matte", "flow"})
PLAYED = DRAWN | {"landmarks"}
REGIONS = ("face", "head", "frame")
STICKS = ("result", "change")
EDGES = ("soft", "skin")
CLASSES = ("procedural", "generative")
_WORDS: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "region": REGIONS,
    "stick": STICKS,
    "edge": EDGES,
    "class": CLASSES,
}
_TEXTS = ("name", "doc", "licence", "source", "sha256", "file")
_FREE = ("data", "result")  # tables for people
_KEYS = (*_WORDS, *_TEXTS, "margin", "rate_hz", "input", "output", *_FREE)
_FEATHER = Float(0.16, 0.02, 0.5, unit="iod", doc="how soft the edge of the face is")
_LIGHT = Float(1.0, doc="how much a result follows light that has changed since it was computed")


@dataclass(frozen=True, slots=True)
class Card:
    """What a net is. `margin` widens a face's crop, `rate_hz` 0 means as often as it can."""

    name: str
    kind: str
    path: Path  # of the net
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    doc: str = ""
    region: str = "frame"
    stick: str = "result"
    edge: str = "soft"
    training: str = "generative"
    licence: str = ""
    source: str = ""
    sha256: str = ""
    margin: float = 0.1
    rate_hz: float = 0.0
    where: str = ""  # the card's own file, "" for one that was guessed
    notes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def picture(self) -> Port:
        """The input that the picture goes into."""
        return next(port for port in self.inputs if port.role == "picture")

    @property
    def answer(self) -> Port:
        """The output that is played."""
        return next(port for port in self.outputs if port.role in _answers(self.kind))

    def role(self, role: str) -> tuple[Port, ...]:
        """The inputs of a role."""
        return tuple(port for port in self.inputs if port.role == role)

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """The effect's knobs: the net's own scalars first, then those of every net."""
        own: dict[str, Knob] = {}
        for port in self.role("knob"):
            own[knob_name(port.name)] = Float(port.default, port.min, port.max, doc=port.doc)
        if self.role("picture2"):
            own["image2"] = File("", (".png", ".jpg", ".jpeg"), doc="the second picture")
        if self.kind == "landmarks":
            own |= _acting(self)
        if self.kind == "matte":
            doc = "what is drawn: the background replaced, the person, or the matte itself"
            dots = self.answer.role == "heatmaps"  # light on the face, else a new background
            usual = "person" if dots else "background"
            own["show"] = Choice(usual, ("background", "person", "matte"), doc=doc)
            light = float(dots)
            colour, low, high = (light, light, light, 1.0), (0.0,) * 4, (1.0,) * 4
            own["colour"] = Vector(colour, low, high, doc="what is put there")
        if self.region != "frame" and self.kind in DRAWN:
            own["feather"] = _FEATHER
        if self.kind in ("image", "flow"):
            own["light"] = _LIGHT
        rate = Float(
            self.rate_hz,
            0.0,
            120.0,
            unit="Hz",
            doc="how often the net runs live, at most; 0: as it can",
        )
        return {**own, "rate_hz": rate, "mix": MIX, "seed": SEED}


def _answers(kind: str) -> set[str]:
    """The roles that the output which is played may have."""
    more = {"matte": {"classes", "heatmaps"}, "landmarks": {"coefficients"}}
    return {KINDS[kind], *more.get(kind, ())}


def _acting(card: Card) -> dict[str, Knob]:
    """The knobs of what a net makes of landmarks."""
    if card.answer.role == "landmarks":
        return {"gain": Float(1.0, 0.0, 3.0, doc="how far the net's changes go")}
    if not set(coefficients_of(card)) & set(NAMES):
        return {}
    return {
        "gain": Float(1.0, 0.0, 2.0, doc="size of the expression the net says"),
        "mouth": Float(1.0, doc="0 = the performer's lips and jaw, 1 = the net's"),
        "eyes": Float(1.0, doc="0 = the performer's lids and looks, 1 = the net's"),
        "brows": Float(1.0, doc="0 = the performer's brows, 1 = the net's"),
    }


def coefficients_of(card: Card) -> tuple[str, ...]:
    """The names of the numbers that a net answers, () where it answers none."""
    if card.kind != "landmarks" or card.answer.role != "coefficients":
        return ()
    return tuple(str(one["name"] if isinstance(one, dict) else one) for one in card.answer.names)


def rests_of(card: Card) -> tuple[float, ...]:
    """What the net answers to a resting face, 0 where the card doesn't say."""
    return tuple(
        float(one.get("rest", 0.0)) if isinstance(one, dict) else 0.0 for one in card.answer.names
    )


def knob_name(name: str) -> str:
    """The knob that an input is turned by."""
    word = re.sub(r"\W+", "_", name).strip("_").lower() or "value"
    taken = {"mix", "seed", "feather", "light", "rate_hz", "image2", "show", "colour", "effect"}
    taken |= {"gain", "mouth", "eyes", "brows"}
    return f"{word}_in" if word in taken or word[0].isdigit() else word


def load(path: Path) -> Card:
    """The card at `path`. Raises `KfxError` that names the file and the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    except UnicodeDecodeError as error:
        raise KfxError(f"{path}: this is no UTF-8 text; save it as UTF-8") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Card:
    """A card from TOML text; `path` is where it lies or would lie, for the net and for errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KfxError(f"{path}: {error}") from error
    for key in table:
        if key not in _KEYS:
            raise KfxError(f"{path}: {key!r} is unknown; {nearest(key, _KEYS)}")
    for key in _TEXTS:
        if not isinstance(table.get(key, ""), str):
            raise KfxError(f"{path}: {key}: {table[key]!r} is no text")
    region = "face" if table.get("kind") == "landmarks" else "frame"
    words = {"region": region, "stick": "result", "edge": "soft", "class": "generative", **table}
    for key, known in _WORDS.items():
        if words.get(key) not in known:
            wrong = f": {words[key]!r} is none of" if key in words else " is missing; it is one of"
            raise KfxError(f"{path}: {key}{wrong} {', '.join(known)}")
    kind = words["kind"]
    usual = "landmarks" if kind == "landmarks" else "picture"
    inputs = _ports(table, "input", usual, path)
    outputs = _ports(table, "output", KINDS[kind], path)
    if kind in DRAWN and sum(port.role == "picture" for port in inputs) != 1:
        raise KfxError(f'{path}: input: one of them must have is = "picture"')
    if kind in PLAYED and sum(port.role in _answers(kind) for port in outputs) != 1:
        roles = " or ".join(f'"{one}"' for one in sorted(_answers(kind)))
        raise KfxError(f"{path}: output: exactly one must have is = {roles}")
    if kind == "landmarks":
        _check_points(inputs, outputs, path)
    states = {port.name for port in outputs if port.role in ("state", KINDS[kind])}
    for port in inputs:
        if port.role == "state" and port.source not in states:
            raise KfxError(
                f'{path}: input.{port.name}: from: no output {port.source!r} has is = "state"'
            )
    return Card(
        name=table.get("name", path.stem),
        kind=kind,
        path=path.parent / _file(table, path),
        inputs=inputs,
        outputs=outputs,
        doc=table.get("doc", ""),
        region=words["region"],
        stick=words["stick"],
        edge=words["edge"],
        training=words["class"],
        licence=table.get("licence", ""),
        source=table.get("source", ""),
        sha256=table.get("sha256", "").lower(),
        margin=_number(table, "margin", 0.1, 0.0, 2.0, path),
        rate_hz=_number(table, "rate_hz", 0.0, 0.0, 120.0, path),
        where=str(path),
        notes=MappingProxyType({key: table[key] for key in _FREE if key in table}),
    )


def _check_points(inputs: tuple[Port, ...], outputs: tuple[Port, ...], path: Path) -> None:
    given = [port for port in inputs if port.role == "landmarks"]
    if len(given) != 1 or any(port.role in PICTURES for port in inputs):
        raise KfxError(
            f'{path}: input: a net for landmarks has one input with is = "landmarks", and none '
            "for pictures: they are drawn only after faces have moved"
        )
    for port in outputs:
        for one in port.names:
            if isinstance(one, dict) and not isinstance(one.get("name"), str):
                raise KfxError(f"{path}: output.{port.name}: names: {one!r} has no name")
            rest = one.get("rest", 0.0) if isinstance(one, dict) else 0.0
            if isinstance(rest, bool) or not isinstance(rest, int | float):
                raise KfxError(f"{path}: output.{port.name}: names: rest: {rest!r} is no number")


def _ports(table: Mapping[str, Any], key: str, usual: str, path: Path) -> tuple[Port, ...]:
    entries = table.get(key)
    if not isinstance(entries, dict) or not entries:
        raise KfxError(f"{path}: {key} is missing; write a table [{key}.NAME] for each tensor")
    output = key == "output"
    ports = []
    for name, entry in entries.items():
        role = usual
        if isinstance(entry, dict) and output and "names" in entry:
            role = "coefficients"
        ports.append(read(name, entry, f"{path}: {key}.{name}", output=output, usual=role))
    return tuple(ports)


def _file(table: Mapping[str, Any], path: Path) -> str:
    name = str(table.get("file", f"{path.stem}.onnx"))
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise KfxError(f"{path}: file: {name!r} lies outside the card's folder; put it beside it")
    return name


def _number(
    table: Mapping[str, Any], key: str, usual: float, low: float, high: float, path: Path
) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise KfxError(f"{path}: {key}: {value!r} is no number within {low:g}..{high:g}")
    return float(value)


def dumps(card: Card) -> str:
    """The card as TOML, as `parse` reads it."""
    head: dict[str, Any] = {"name": card.name, "kind": card.kind, "doc": card.doc}
    if card.kind in PLAYED:
        head |= {"region": card.region, "stick": card.stick}
    if card.edge != "soft":
        head["edge"] = card.edge
    head |= {"class": card.training, "licence": card.licence, "source": card.source}
    head |= {"sha256": card.sha256, "margin": card.margin, "rate_hz": card.rate_hz}
    if card.path.stem != card.name or not card.where:
        head["file"] = card.path.name
    lines = [f"{key} = {_toml(value)}" for key, value in head.items() if _said(key, value)]
    for key, ports in (("input", card.inputs), ("output", card.outputs)):
        for port in ports:
            lines += ["", f"[{key}.{_key(port.name)}]", *_port_lines(port)]
    return "\n".join(lines) + "\n"


def _said(key: str, value: Any) -> bool:
    if key in ("margin", "rate_hz"):
        return bool(value != {"margin": 0.1, "rate_hz": 0.0}[key])
    return key in ("licence", "source") or value != ""


def _port_lines(port: Port) -> list[str]:
    usual = Port(port.name, port.role)
    keys = ["role", "doc", "type"]
    if port.role in PICTURES:
        keys += ["layout", "size", "multiple", "colour", "range", "mean", "std", "channels"]
        keys += ["activation", "normalise", "invert", "scale"]
    if port.role == "classes":
        keys += ["classes"]
    if port.role in ("knob", "constant"):
        keys += ["default"]
    if port.role == "knob":
        keys += ["min", "max"]
    if port.role in ("state", "mask"):
        keys += ["source"]
    if port.role == "landmarks":
        keys += ["space", "points"]
    if port.role == "coefficients":
        keys += ["activation", "names"]
    if port.role not in PICTURES:
        keys += ["shape"]
    always = {"role", "layout", "range", "default", "min", "max", "classes"}
    words = {"role": "is", "classes": "class", "source": "from"}
    lines = []
    for key in keys:
        value = getattr(port, key)
        if key in always or value != getattr(usual, key):
            lines.append(f"{words.get(key, key)} = {_toml(value)}")
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[\x00-\x1f\x7f]", " ", escaped) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return repr(value)
