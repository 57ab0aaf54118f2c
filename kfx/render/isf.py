"""Reads ISF 2.0 shader files without GL: the inputs of the JSON header become knobs.

kfx's own additions stand under the header's key ``KFX``: ``region`` ("frame", "face" or "eyes":
where the shader changes the picture at most) and ``margin_iod`` around it. An IMPORTED image
with ``"FILTER": "nearest"`` is read without interpolation, which is cheaper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfx import params
from kfx.errors import KfxError
from kfx.params import Bool, Choice, Float, Int, Knob, Vector

FACE_IMAGES = ("faceUV", "faceNormal", "faceParts", "faceData")
HOST_FLOATS = ("beat", "bar", "energy", "iod")
REGIONS = ("frame", "face", "eyes")


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the shader. Without a `target` it draws the output."""

    target: str | None = None
    width: str | None = None
    height: str | None = None
    is_float: bool = False


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
    images: tuple[str, ...]  # inputImage and the face images it declares
    imported: Mapping[str, Path] = field(default_factory=dict)
    unfiltered: frozenset[str] = frozenset()  # imported images that are read texel by texel
    passes: tuple[Pass, ...] = (Pass(),)
    region: str = "frame"
    margin_iod: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def face_images(self) -> tuple[str, ...]:
        """The parts of the face G-buffer that it asks for."""
        return tuple(name for name in self.images if name in FACE_IMAGES)


def load(path: Path) -> Shader:
    """Parse a file. Raises `KfxError` naming the file, the line where known, and the fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    opening, closing = text.find("/*"), text.find("*/")
    if opening < 0 or closing < opening:
        raise KfxError(f"{path}: no ISF header; the file must begin with /*{{ … }}*/")
    header = _json(path, text[opening + 2 : closing], text[:opening].count("\n"))
    body = text[closing + 2 :]
    first_line = text[: closing + 2].count("\n") + 1
    warnings: list[str] = []
    knobs: dict[str, Knob] = {}
    types: dict[str, str] = {}
    images: list[str] = []
    for entry in header.get("INPUTS", []):
        name, kind = str(entry.get("NAME", "")), str(entry.get("TYPE", ""))
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            warnings.append(f"input {name!r} has no usable NAME and is left out")
        elif kind == "image":
            images.append(name)
        elif kind in _INPUTS:
            types[name], make = _INPUTS[kind]
            if name in HOST_FLOATS:
                continue  # the host sets these
            try:
                knobs[name] = make(entry, warnings)
            except (TypeError, ValueError, IndexError) as error:
                raise KfxError(f"{path}: INPUTS {name}: {error}") from error
        else:
            warnings.append(f"input {name}: type {kind!r} is left out")
    known = ("inputImage", *FACE_IMAGES)
    for name in images:
        if name not in known:
            raise KfxError(f"{path}: INPUTS {name}: only the images {', '.join(known)} are given")
    own = header.get("KFX", {})
    region = own.get("region", "frame")
    if region not in REGIONS:
        raise KfxError(f"{path}: KFX region: {region!r} is none of {', '.join(REGIONS)}")
    return Shader(
        name=path.stem,
        path=path,
        body=body,
        first_line=first_line,
        doc=str(header.get("DESCRIPTION", "")),
        knobs={"mix": params.MIX, "seed": params.SEED, **knobs},
        types=types,
        images=tuple(images),
        imported=_imported(path, header.get("IMPORTED", {})),
        unfiltered=_unfiltered(header.get("IMPORTED", {})),
        passes=tuple(_pass(p) for p in header.get("PASSES", [])) or (Pass(),),
        region=region,
        margin_iod=float(own.get("margin_iod", 0.0)),
        warnings=tuple(warnings),
    )


def _json(path: Path, text: str, lines_before: int) -> dict[str, Any]:
    clean = re.sub(r",(\s*[}\]])", r"\1", text)  # stray commas are common in the wild
    try:
        header = json.loads(clean, strict=False)
    except json.JSONDecodeError as error:
        line = lines_before + error.lineno
        raise KfxError(f"{path}:{line}: the ISF header is no JSON: {error.msg}") from error
    if not isinstance(header, dict):
        raise KfxError(f"{path}: the ISF header must be a JSON object")
    return header


def _imported(path: Path, entries: Any) -> dict[str, Path]:
    found = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        target = (path.parent / str(entry["PATH"])).resolve()
        if not target.is_relative_to(path.parent.resolve()):
            raise KfxError(f"{path}: IMPORTED {name}: {entry['PATH']} leaves the shader's folder")
        if not target.is_file():
            raise KfxError(f"{path}: IMPORTED {name}: {target.name} is missing")
        found[name] = target
    return found


def _unfiltered(entries: Any) -> frozenset[str]:
    pairs = entries.items() if isinstance(entries, dict) else ()
    return frozenset(name for name, entry in pairs if entry.get("FILTER") == "nearest")


def _pass(entry: Mapping[str, Any]) -> Pass:
    def text(key: str) -> str | None:
        return None if entry.get(key) is None else str(entry[key])

    return Pass(text("TARGET"), text("WIDTH"), text("HEIGHT"), bool(entry.get("FLOAT")))


def _float(entry: Mapping[str, Any], warnings: list[str]) -> Float:
    low, high = entry.get("MIN"), entry.get("MAX")
    if low is None or high is None:
        low, high = 0.0, 1.0
    low, high = min(float(low), float(high)), max(float(low), float(high))
    default = float(entry.get("DEFAULT", (low + high) / 2))
    if not low <= default <= high:
        warnings.append(f"input {entry['NAME']}: default {default:g} is outside {low:g}..{high:g}")
        default = min(max(default, low), high)
    return Float(default, low, high, unit=str(entry.get("UNIT", "")), doc=_doc(entry))


def _bool(entry: Mapping[str, Any], warnings: list[str]) -> Bool:
    return Bool(default=bool(entry.get("DEFAULT", True)), doc=_doc(entry))


def _event(entry: Mapping[str, Any], warnings: list[str]) -> Bool:
    return Bool(default=False, doc=_doc(entry))


def _long(entry: Mapping[str, Any], warnings: list[str]) -> Knob:
    values, labels = entry.get("VALUES"), entry.get("LABELS")
    if values and labels and len(values) == len(labels):
        default = entry.get("DEFAULT", values[0])
        if default not in values:
            warnings.append(f"input {entry['NAME']}: default {default} is none of its VALUES")
            default = values[0]
        texts = tuple(str(label) for label in labels)
        return Choice(default=default, options=tuple(values), labels=texts, doc=_doc(entry))
    low, high = int(entry.get("MIN", 0)), int(entry.get("MAX", 100))
    return Int(min(max(int(entry.get("DEFAULT", low)), low), high), low, high, doc=_doc(entry))


def _vector(entry: Mapping[str, Any], size: int) -> Vector:
    low = tuple(float(v) for v in entry.get("MIN", [0.0] * size))[:size]
    high = tuple(float(v) for v in entry.get("MAX", [1.0] * size))[:size]
    raw = entry.get("DEFAULT", [1.0] * size if size == 4 else [0.0] * size)
    default = tuple(min(max(float(v), a), b) for v, a, b in zip(raw, low, high, strict=True))
    return Vector(default=default, min=low, max=high, doc=_doc(entry))


def _doc(entry: Mapping[str, Any]) -> str:
    return str(entry.get("DOC") or entry.get("LABEL") or "")


_INPUTS = {
    "float": ("float", _float),
    "bool": ("bool", _bool),
    "event": ("bool", _event),
    "long": ("int", _long),
    "point2D": ("vec2", lambda entry, warnings: _vector(entry, 2)),
    "color": ("vec4", lambda entry, warnings: _vector(entry, 4)),
}
