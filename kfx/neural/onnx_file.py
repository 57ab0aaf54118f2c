"""Reads what an ONNX file says of itself, without running or even decoding the net.

Model files are data from anywhere. So this walks the protobuf by hand (field numbers: onnx.proto)
and refuses what isn't a whole net on its own: pointers of Git LFS, operators that need a library,
weights that lie elsewhere, files beyond `LARGEST`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from kfx.errors import KfxError

LARGEST = 1 << 30  # bytes of a net with its external weights
MOST_VALUES = 1 << 27  # of one input or output: half a GB of floats
DOMAINS = frozenset({
    *("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"),
    *("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "com.microsoft.experimental"),
})  # fmt: skip
TYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
         9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64"}  # fmt: skip
_BYTES = {1: 4, 4: 2, 5: 2, 6: 4, 7: 8, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Of one value of a type, where that is more than a byte."""
FREE = ("?", "?", "?", "?")  # the sides of an input that the file says nothing of

Bytes = memoryview


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output: a side of `shape` is a number, or a name (or "?") where it is free."""

    name: str
    type: str  # NumPy's name, or "" for what kfx can't hand over
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What an ONNX file says of itself; weights that are listed as inputs are left out."""

    path: Path
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    notes: Mapping[str, str]  # metadata_props
    doc: str
    last_ops: Mapping[str, str]  # output → the operator it comes from
    bytes: int
    weights: tuple[Path, ...] = ()  # that lie beside it


def read(path: Path) -> OnnxFile:
    """Read and check; raises `KfxError` that says what is wrong with the file and what to do."""
    data = _content(path)
    try:
        return _model(path, memoryview(data))
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise KfxError(
            f"{path}: this is no ONNX net, or only a part of one; get the file again"
        ) from error


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise KfxError(f"{path}: {size / 1e6:.0f} MB; kfx loads nets up to 1 GB")
        data = path.read_bytes()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    if data.startswith(b"version https://git-lfs"):
        raise KfxError(
            f"{path}: only a Git LFS pointer, not the net itself; run: git lfs pull, "
            "or download the file from the project's page"
        )
    if len(data) < 16:
        raise KfxError(f"{path}: this is no ONNX net, it has {len(data)} bytes; get the file again")
    return data


def _fields(data: Bytes) -> Iterator[tuple[int, int | Bytes]]:
    """The fields of a protobuf message: number and a whole number, or the bytes of the rest."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("wire type")
        if number == 0 or at + size > end:
            raise ValueError("truncated")
        yield number, data[at : at + size]
        at += size


def _varint(data: Bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint")


def _text(value: int | Bytes) -> str:
    return str(_bytes(value), "utf-8")


def _bytes(value: int | Bytes) -> Bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


@dataclass
class _Graph:
    inputs: list[Value]
    outputs: list[Value]
    weights: set[str]
    ops: set[tuple[str, str]]  # domain, operator
    makers: dict[str, str]
    files: dict[str, int]  # of weights that lie elsewhere: the bytes that each has at least
    open: set[str]  # inputs and outputs of which the file doesn't even say how many sides


def _model(path: Path, data: Bytes) -> OnnxFile:
    graph: _Graph | None = None
    notes: dict[str, str] = {}
    doc = ""
    own: set[tuple[str, str]] = set()  # functions that the file brings itself
    bodies: list[Bytes] = []  # the nodes of those
    for number, value in _fields(data):
        if number == 7:
            graph = _Graph([], [], set(), set(), {}, {}, set())
            _walk(_bytes(value), graph, top=True)
        elif number == 14:
            pair = {n: _text(v) for n, v in _fields(_bytes(value))}
            notes[pair.get(1, "")] = pair.get(2, "")
        elif number == 6:
            doc = _text(value)
        elif number == 25:
            named = {n: _text(v) for n, v in _fields(_bytes(value)) if n in (1, 10)}
            own.add((named.get(10, ""), named.get(1, "")))
            bodies += [_bytes(v) for n, v in _fields(_bytes(value)) if n == 7]
    if graph is None or not graph.outputs:
        raise ValueError("no graph")
    for body in bodies:
        _node(body, graph, top=False)
    _refuse_custom(path, graph.ops - own)
    weights = _external(path, graph.files)
    size = len(data) + sum(one.stat().st_size for one in weights)
    if size > LARGEST:
        raise KfxError(f"{path}: {size / 1e6:.0f} MB with its weights; kfx loads nets up to 1 GB")
    inputs = _shaped([one for one in graph.inputs if one.name not in graph.weights], graph.open)
    _refuse_inputs(path, inputs)
    for one in (*inputs, *graph.outputs):
        _check_size(path, one)
    makers = {one.name: graph.makers.get(one.name, "") for one in graph.outputs}
    return OnnxFile(path, inputs, tuple(graph.outputs), notes, doc, makers, size, weights)


def _walk(data: Bytes, graph: _Graph, *, top: bool) -> None:
    for number, value in _fields(data):
        if number == 1:
            _node(_bytes(value), graph, top=top)
        elif number == 5:
            name = _tensor(_bytes(value), graph)
            if top:
                graph.weights.add(name)
        elif number == 15:
            _sparse(_bytes(value), graph)
        elif top and number in (11, 12):
            (graph.inputs if number == 11 else graph.outputs).append(_value(_bytes(value), graph))


def _node(data: Bytes, graph: _Graph, *, top: bool) -> None:
    outputs, kind, domain = [], "", ""
    for number, value in _fields(data):
        if number == 2:
            outputs.append(_text(value))
        elif number == 4:
            kind = _text(value)
        elif number == 7:
            domain = _text(value)
        elif number == 5:
            for n, part in _fields(_bytes(value)):
                if n in (6, 11):
                    _walk(_bytes(part), graph, top=False)
                elif n in (5, 10):
                    _tensor(_bytes(part), graph)
                elif n in (22, 23):
                    _sparse(_bytes(part), graph)
    graph.ops.add((domain, kind))
    if top:
        graph.makers.update(dict.fromkeys(outputs, kind))


def _tensor(data: Bytes, graph: _Graph) -> str:
    name, count, kind = "", 1, 0
    elsewhere: dict[str, str] = {}
    for number, value in _fields(data):
        if number == 1:
            count *= value if isinstance(value, int) else prod(_packed(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = _text(value)
        elif number == 13:
            pair = {n: _text(v) for n, v in _fields(_bytes(value))}
            elsewhere[pair.get(1, "")] = pair.get(2, "")
    if "location" in elsewhere:
        file = elsewhere["location"]
        length = int(elsewhere.get("length") or count * _BYTES.get(kind, 0))
        end = int(elsewhere.get("offset") or 0) + length
        graph.files[file] = max(end, graph.files.get(file, 0))
    return name


def _sparse(data: Bytes, graph: _Graph) -> None:
    for number, value in _fields(data):
        if number in (1, 2):
            _tensor(_bytes(value), graph)


def _packed(data: Bytes) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def _value(data: Bytes, graph: _Graph) -> Value:
    name, kind, told = "", "", False
    shape: list[int | str] = []
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for what, of in _fields(_bytes(value)):
                if what != 1:
                    continue  # a sequence, a map: nothing that kfx can hand over
                for n, part in _fields(_bytes(of)):
                    if n == 1:
                        kind = TYPES.get(int(part) if isinstance(part, int) else 0, "")
                    elif n == 2:
                        told = True
                        shape = [_side(_bytes(v)) for _, v in _fields(_bytes(part))]
    if kind and not told:
        graph.open.add(name)
    return Value(name, kind, tuple(shape))


def _shaped(inputs: list[Value], unsaid: set[str]) -> tuple[Value, ...]:
    """The first input that the file says nothing of is taken for a picture of any size."""
    first = next((one.name for one in inputs if one.name in unsaid), None)
    return tuple(Value(one.name, one.type, FREE) if one.name == first else one for one in inputs)


def _refuse_inputs(path: Path, inputs: tuple[Value, ...]) -> None:
    if not inputs:
        raise KfxError(f"{path}: it has no inputs: there is nothing that a picture could change")
    for one in inputs:
        if not one.type:
            raise KfxError(
                f"{path}: its input {one.name} is text, a list or of a type that kfx can't hand "
                f"over; it can: {', '.join(TYPES.values())}; export the net without that input"
            )


def _side(data: Bytes) -> int | str:
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int) and 0 <= value < 1 << 62:
            return value
        if number == 2:
            return _text(value) or "?"
    return "?"


def _refuse_custom(path: Path, ops: set[tuple[str, str]]) -> None:
    custom = sorted(f"{domain}.{kind}" for domain, kind in ops if domain not in DOMAINS)
    if custom:
        raise KfxError(
            f"{path}: needs operators that no ONNX Runtime has by itself: {', '.join(custom[:4])}; "
            "export the net without them (pre- and post-processing belong into its card)"
        )


def _external(path: Path, files: Mapping[str, int]) -> tuple[Path, ...]:
    """The weights that lie beside the net, all of which must be in its own folder, and whole."""
    folder = path.resolve().parent
    found = []
    for name, least in sorted(files.items()):
        place = (folder / name).resolve()
        if Path(name).is_absolute() or not place.is_relative_to(folder) or place == folder:
            raise KfxError(
                f"{path}: its weights point outside its folder, to {name!r}; kfx doesn't follow "
                "that: put the file beside the net and save it again"
            )
        if not place.is_file():
            raise KfxError(f"{path}: its weights are missing: put {name} into {folder}")
        size = place.stat().st_size
        if size < least:
            raise KfxError(
                f"{path}: its weights are cut short: {name} has {size} bytes of {least}; "
                "get that file again"
            )
        found.append(place)
    return tuple(found)


def _check_size(path: Path, value: Value) -> None:
    count = 1
    for side in value.shape:
        count *= side if isinstance(side, int) else 1
    if count > MOST_VALUES:
        sides = "×".join(map(str, value.shape))
        raise KfxError(f"{path}: {value.name} is {sides} values large; kfx has no memory for that")
