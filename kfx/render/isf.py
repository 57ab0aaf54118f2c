"""Reads ISF shader files without GL: what they ask for, in which passes, with what knobs.

kfx's own additions stand under the header's key ``KFX``: ``region`` ("frame", "face" or "eyes":
where the shader changes the picture at most) with ``margin_iod`` around it and, for a face,
``eyes_iod`` around its eyes (where a profile's light goes on), ``reach_iod`` (it reads
inputImage no further than that from where it may draw, so the rest needn't be kept), ``edge``
("skin": its face images go on over forehead, ears and throat, see `gbuffer_skin`), ``pointwise``
(true: its earlier passes don't read inputImage, so that it may be joined to the pass before),
``history`` (``frames``, ``height``: the last pictures, for `kfx_history`) and ``buses`` (``crop``,
``height``: see `Buses`; the image of that name is read by `kfx_bus`). A pass of a face's
shader may have a ``REACH_IOD``: nothing of its target is read further than that from where the
shader may draw, so the rest of it needn't be drawn. An image input may have a ``DEFAULT`` file, or
a ``TEXT`` which it is made of (`lettering`): ``line`` (a line of at most ``MAX`` letters as a
distance field), ``list`` (at most ``ITEMS`` of ``WORDS``, or numbers ``MIN`` to ``MAX``), ``font``
(the file that lines are set in); a float input of the name ``kfx_quality`` (0.5..1) says how finely
to draw, so that inner passes can be smaller (``floor($WIDTH/2.0*$kfx_quality)``) and loops shorter
where the machine is too slow; one of the name ``kfx_scale`` says that the face images are read by
position, not by pixel: they and inner passes (``floor($WIDTH*$kfx_scale)``) are smaller (0.5, 0.4)
where all faces are large, else as large as the picture (1); an IMPORTED image may have
``"FILTER": "nearest"`` or ``"WRAP": "repeat"``, a pass the former: its target is read so. A pass
may have a ``WHERE``, a channel of an earlier target whose texels stand for tiles of the picture
(``"zones.g"``): where it is 0 the pass draws nothing. The picture stays as it was there, and what
other passes draw, as one file may have several such passes without a target for different tiles;
a target is empty. Software renderers, which can't skip a branch, gain most by it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kfx.errors import KfxError
from kfx.params import Bool, Choice, Knob
from kfx.render import isf_header, isf_inputs, isf_own, isf_size, isf_tidy
from kfx.render.isf_inputs import FACE_IMAGES, HOST_FLOATS, is_true
from kfx.render.isf_own import Buses, History

__all__ = ["FACE_IMAGES", "HOST_FLOATS", "Imported", "Pass", "Shader", "Target", "load"]

REGIONS = ("frame", "face", "eyes")
EDGES = ("mesh", "skin")
_BUFFERS = "PERSISTENT_BUFFERS"  # version 1
_CHANNEL = re.compile(r"\biChannel[0-3]\b")


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the shader. Without a `target` it draws the output."""

    target: str | None = None
    width: str | None = None
    height: str | None = None
    is_float: bool = False
    persistent: bool = False
    nearest: bool = False
    reach_iod: float | None = None
    where: str | None = None  # "target.channel" that tells in which tiles it draws


@dataclass(frozen=True, slots=True)
class Target:
    """A picture that passes write; its size expressions read the values `reads` names."""

    width: isf_size.Expression | None
    height: isf_size.Expression | None
    is_float: bool
    persistent: bool
    reads: Mapping[str, str]  # name in the expression → key of the value


@dataclass(frozen=True, slots=True)
class Imported:
    """A picture that came with the shader: one path, six of a cube, none if it is missing."""

    paths: tuple[Path, ...] = ()
    nearest: bool = False
    repeat: bool = False
    cube: bool = False


@dataclass(frozen=True, slots=True)
class Shader:
    """A parsed file; `body` keeps the author's line numbers from `first_line` on."""

    name: str
    path: Path
    body: str
    first_line: int
    doc: str
    knobs: Mapping[str, Knob]
    types: Mapping[str, str]  # name of every float, bool, long, point2D and color → GLSL type
    images: tuple[str, ...]  # the declared images that the host gives
    imported: Mapping[str, Imported] = field(default_factory=dict)
    passes: tuple[Pass, ...] = (Pass(),)
    region: str = "frame"
    margin_iod: float = 0.0
    eyes_iod: float = 0.0
    reach_iod: float | None = None  # how far round where it draws it reads the picture, if told
    edge: str = EDGES[0]
    pointwise: bool = False  # the passes before the last one don't read inputImage
    choices: frozenset[str] = frozenset()  # inputs with few values, which may be compiled in
    mixes: tuple[str, ...] = ("kfx_mix",)  # one for each stage of a joined shader, and the whole
    fixed: Mapping[str, str] = field(default_factory=dict)  # inputs compiled in as constants
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # the declared images that a File knob chooses
    cube_inputs: tuple[str, ...] = ()
    audio: Mapping[str, tuple[float, int]] = field(default_factory=dict)  # silence, columns
    events: frozenset[str] = frozenset()
    knob_names: Mapping[str, str] = field(default_factory=dict)  # knob → input, where they differ
    history: History | None = None
    buses: Buses | None = None
    vertex: Path | None = None
    vertex_text: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)  # every input's name → ISF type

    @property
    def kind(self) -> Literal["filter", "generator", "transition"]:
        if "startImage" in self.images and "endImage" in self.files and "progress" in self.types:
            return "transition"
        return "filter" if "inputImage" in self.images else "generator"

    @property
    def face_images(self) -> tuple[str, ...]:
        """The parts of the face G-buffer that it asks for."""
        return tuple(name for name in self.images if name in FACE_IMAGES)

    @property
    def coarse(self) -> bool:
        """Whether its face images may be smaller than the picture."""
        return "kfx_scale" in self.types

    @property
    def cubes(self) -> tuple[str, ...]:
        """Everything that is read through a samplerCube."""
        return (*self.cube_inputs, *(name for name, one in self.imported.items() if one.cube))

    @property
    def samplers(self) -> tuple[str, ...]:
        """Every name that is read as an image."""
        targets = (one.target for one in self.passes if one.target)
        inputs = (*self.images, *self.files, *self.cube_inputs, *self.audio)
        past = ["kfx_bus_past"] if self.buses and self.history else []
        return tuple(dict.fromkeys((*inputs, *past, *self.imported, *targets)))

    @property
    def targets(self) -> dict[str, Target]:
        """The pictures between the passes; the first pass that gives a size decides it."""
        keys = {name: key for key, name in self.knob_names.items()}
        found = {}
        for name in dict.fromkeys(one.target for one in self.passes if one.target):
            same = [one for one in self.passes if one.target == name]
            sides = [
                next((isf_size.parse(text) for text in texts if text), None)
                for texts in ([one.width for one in same], [one.height for one in same])
            ]
            reads = {word for side in sides if side for word in side.names} - {"WIDTH", "HEIGHT"}
            found[name] = Target(
                sides[0],
                sides[1],
                is_float=any(one.is_float for one in same),
                persistent=any(one.persistent for one in same),
                reads={word: keys.get(word, word) for word in sorted(reads)},
            )
        return found


def load(path: Path) -> Shader:
    """Parse a file. Raises `KfxError` naming the file, the line where known, and the fault."""
    file = isf_header.read(path)
    header = {**{key.upper(): value for key, value in file.header.items()}, **file.header}
    own = header.get("KFX", {})
    if not isinstance(own, dict):
        raise KfxError(f"{path}: KFX: {own!r} is no object")
    region = own.get("region", "frame")
    if region not in REGIONS:
        raise KfxError(f"{path}: KFX region: {region!r} is none of {', '.join(REGIONS)}")
    margin, eyes, reach = (own.get(f"{key}_iod") for key in ("margin", "eyes", "reach"))
    for key, value in (("margin_iod", margin), ("eyes_iod", eyes), ("reach_iod", reach)):
        value = 0.0 if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise KfxError(f"{path}: KFX {key}: {value!r} is no number")
    edge = own.get("edge", EDGES[0])
    if edge not in EDGES:
        raise KfxError(f"{path}: KFX edge: {edge!r} is none of {', '.join(EDGES)}")
    history = isf_own.history(path, own["history"]) if "history" in own else None
    buses = isf_own.buses(path, own["buses"]) if "buses" in own else None
    version = str(header.get("ISFVSN", ""))
    entries = header.get("INPUTS") or []
    channels = _forgotten(file.body, header)
    if channels and isinstance(entries, list):
        entries = [*entries, *({"NAME": name, "TYPE": "image"} for name in channels)]
    asked = [name for name in ("history", "buses") if name in own]
    found = isf_inputs.read(entries, path.parent, version=version, own=asked)
    found.warnings += [f"{name} is declared nowhere: an image input" for name in channels]
    passes = _passes(path, header, found)
    vertex = path.with_suffix(".vs")
    keys = found.knob_names
    shader = Shader(
        name=path.stem,
        path=path,
        body=file.body,
        first_line=file.first_line,
        doc=str(header.get("DESCRIPTION", "")),
        knobs=found.knobs,
        types=found.types,
        images=tuple(found.images),
        imported=_imported(path, header.get("IMPORTED") or {}, found.warnings),
        passes=passes,
        region=region,
        margin_iod=float(margin or 0.0),
        eyes_iod=float(eyes or 0.0),
        edge=edge,
        reach_iod=None if reach is None else float(reach),
        pointwise=len(passes) == 1 or is_true(own.get("pointwise")),
        choices=frozenset(
            keys.get(knob, knob)
            for knob, one in found.knobs.items()
            if isinstance(one, Bool | Choice)
            and keys.get(knob, knob) not in {*found.events, *found.files}
        ),
        warnings=tuple(found.warnings),
        files=tuple(found.files),
        cube_inputs=tuple(found.cubes),
        audio=found.audio,
        events=frozenset(found.events),
        knob_names=found.knob_names,
        history=history if "history" in found.images else None,
        buses=buses if "buses" in found.images else None,
        vertex=vertex if vertex.is_file() else None,
        vertex_text=isf_header.read_text(vertex) if vertex.is_file() else "",
        inputs=found.inputs,
    )
    if shader.kind != "generator" or "opaque" in shader.knobs:
        return shader
    return replace(
        shader,
        knobs={**shader.knobs, "opaque": isf_inputs.OPAQUE},
        knob_names={**shader.knob_names, "opaque": "kfx_opaque"},
    )


def _forgotten(body: str, header: Mapping[str, Any]) -> list[str]:
    """Shadertoy's channels that a body reads and nobody has declared."""
    plain = isf_tidy.blank(body)
    said = json.dumps([header.get(key) for key in ("INPUTS", "IMPORTED", "PASSES", _BUFFERS)])
    return [
        name
        for name in sorted(set(_CHANNEL.findall(plain)))
        if f'"{name}"' not in said
        and not re.search(rf"(?:#\s*define|\bsampler2D|\bsamplerCube)\s+{name}\b", plain)
    ]


def _passes(path: Path, header: Mapping[str, Any], found: isf_inputs.Inputs) -> tuple[Pass, ...]:
    entries = header.get("PASSES") or []
    if not isinstance(entries, list):
        entries = [entries]
    passes = []
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            found.warnings.append(f"PASSES[{i}] is no object and is left out")
            continue
        one = _pass(entry)
        for side in ("width", "height"):
            text = getattr(one, side)
            try:
                names = isf_size.parse(text).names if text else frozenset()
            except ValueError as error:
                raise KfxError(f"{path}: PASSES[{i}] {side.upper()}: {error}") from error
            unknown = names - found.types.keys() - {"WIDTH", "HEIGHT"}
            if unknown:
                raise KfxError(f"{path}: PASSES[{i}] {side.upper()}: no input ${min(unknown)}")
        passes.append(one)
    for i, one in enumerate(passes):
        known = {before.target for before in passes[:i]}
        name, _, channel = (one.where or "").partition(".")
        if one.where and (name not in known or channel not in tuple("rgba")):
            raise KfxError(
                f"{path}: PASSES[{i}] WHERE: {one.where!r} is no TARGET of a pass before with one"
                " of .r .g .b .a"
            )
    return _with_buffers(tuple(passes) or (Pass(),), header.get(_BUFFERS))


def _pass(entry: Mapping[str, Any]) -> Pass:
    def text(key: str) -> str | None:
        value = entry.get(key)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None
        return str(value).strip() or None

    reach = entry.get("REACH_IOD")
    if isinstance(reach, bool) or not isinstance(reach, int | float) or not 0.0 <= reach <= 99.0:
        reach = None
    target = entry.get("TARGET")
    name = target if isinstance(target, str) and re.fullmatch(r"[A-Za-z_]\w*", target) else None
    return Pass(
        name,
        text("WIDTH"),
        text("HEIGHT"),
        is_float=is_true(entry.get("FLOAT")),
        persistent=is_true(entry.get("PERSISTENT")),
        nearest=entry.get("FILTER") == "nearest",
        reach_iod=reach,
        where=text("WHERE"),
    )


def _with_buffers(passes: tuple[Pass, ...], buffers: Any) -> tuple[Pass, ...]:
    """The passes with what version 1 says of their targets: a list of names, or an object."""
    if isinstance(buffers, list):
        buffers = {str(one): {} for one in buffers}
    if not isinstance(buffers, dict):
        return passes
    merged = []
    for one in passes:
        entry = buffers.get(one.target) if one.target else None
        if entry is not None:
            kept = _pass(entry if isinstance(entry, dict) else {})
            one = Pass(
                one.target,
                one.width or kept.width,
                one.height or kept.height,
                is_float=one.is_float or kept.is_float,
                persistent=True,
                reach_iod=one.reach_iod,
            )
        merged.append(one)
    return tuple(merged)


def _imported(path: Path, entries: Any, warnings: list[str]) -> dict[str, Imported]:
    if isinstance(entries, list):  # version 1
        named = [one for one in entries if isinstance(one, dict) and "NAME" in one]
        entries = {str(one["NAME"]): one for one in named}
    found = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or not isinstance(entry, dict):
            warnings.append(f"IMPORTED {name!r} is left out")
            continue
        given = entry.get("PATH", "")
        texts = [str(one) for one in given] if isinstance(given, list) else [str(given)]
        cube = entry.get("TYPE") == "cube" or len(texts) == 6
        paths = tuple(_inside(path, name, text) for text in texts)
        missing = [text for text, one in zip(texts, paths, strict=True) if not one.is_file()]
        if missing or len(paths) != (6 if cube else 1):
            what = f"{', '.join(missing)} is missing" if missing else "a cube has six files"
            warnings.append(f"IMPORTED {name}: {what}; it is black")
            paths = ()
        nearest, repeat = entry.get("FILTER") == "nearest", entry.get("WRAP") == "repeat"
        found[name] = Imported(paths, nearest=nearest, repeat=repeat, cube=cube)
    return found


def _inside(path: Path, name: str, text: str) -> Path:
    """The file that `text` means; it must lie in the shader's folder or below it."""
    folder = path.parent.resolve()
    try:
        target = (folder / text).resolve()
        target.is_file()
    except (OSError, ValueError):
        raise KfxError(f"{path}: IMPORTED {name}: {text[:60]!r} is no path") from None
    if not target.is_relative_to(folder):
        raise KfxError(
            f"{path}: IMPORTED {name}: {text} leaves the shader's folder; copy it beside the shader"
        )
    return target
