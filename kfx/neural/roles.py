"""Guesses what a net's inputs and outputs are from their names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kfx.neural import points
from kfx.neural.onnx_file import OnnxFile, Value
from kfx.neural.ports import Port

LANDMARKS = (468, 478, 68, 66, 106, 98, 146)
"""Counts of points that face nets have; those of `points.USUAL` kfx can hand over by itself."""
LEAST_SIDE = 4  # of a picture: what is smaller holds numbers
# What a scalar of that name usually is: min, max, default.
_SCALARS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("downsample_ratio", (0.05, 1.0, 0.5)),
    ("exposure_ratio", (1.0, 10.0, 3.0)),
    ("ratio", (0.1, 4.0, 1.0)),
    ("gamma", (0.1, 5.0, 1.0)),
    ("thresh", (0.0, 1.0, 0.5)),
    ("sigma", (0.1, 10.0, 1.0)),
    ("level", (2.0, 32.0, 6.0)),
    ("bright", (-1.0, 1.0, 0.0)),
    ("temperature", (-1.0, 1.0, 0.0)),
    ("bias", (-1.0, 1.0, 0.0)),
    ("offset", (-1.0, 1.0, 0.0)),
    ("hue", (-1.0, 1.0, 0.0)),
    ("angle", (-180.0, 180.0, 0.0)),
    ("gain", (0.0, 3.0, 1.0)),
    ("contrast", (0.0, 3.0, 1.0)),
    ("saturation", (0.0, 3.0, 1.0)),
    ("exposure", (0.0, 4.0, 1.0)),
    ("scale", (0.0, 2.0, 1.0)),
    ("noise", (0.0, 1.0, 0.0)),
)
UNKNOWN = (0.0, 1.0, 0.5)
_BEFORE = re.compile(r"(^|_)(prev|previous|last|past)(_|$)", re.IGNORECASE)
_STATE_PAIRS = (("i", "o"), ("_in", "_out"), ("in", "out"), ("input", "output"), ("prev", "next"))


WHOLE_RANGES = {
    "uint8": (0.0, 255.0),
    "int8": (-128.0, 127.0),
    "uint16": (0.0, 65535.0),
}
"""Of pictures whose type has no other."""


def channel_axis(shape: tuple[int | str, ...]) -> int | None:
    """Where the channels of a picture-like shape of 3 or 4 axes are; None where there are none."""
    start = 1 if len(shape) == 4 else 0
    first, last = shape[start], shape[-1]
    if first in (1, 3, 4) and last not in (1, 3, 4):
        return start
    if last in (1, 3, 4) and first not in (1, 3, 4):
        return len(shape) - 1
    if first in (1, 3, 4):
        return start
    if not isinstance(first, int) and not isinstance(last, int):
        return start  # all are free: most exporters write channels first
    return None


def layout_of(shape: tuple[int | str, ...]) -> str | None:
    """The layout of a picture of such a shape; None where it can't be one."""
    if len(shape) == 2 and all(isinstance(one, int) and one >= LEAST_SIDE for one in shape):
        return "HW"
    if len(shape) not in (3, 4):
        return None
    if len(shape) == 4 and isinstance(shape[0], int) and shape[0] != 1:
        return None
    axis = channel_axis(shape)
    if axis is None:
        return None
    first = axis == len(shape) - 3
    sides = shape[-2:] if first else shape[-3:-1]
    if any(isinstance(one, int) and 0 < one < LEAST_SIDE for one in sides):
        return None
    return ("N" if len(shape) == 4 else "") + ("CHW" if first else "HWC")


def inputs_of(file: OnnxFile) -> list[Port]:
    """A port for every input of a file."""
    states = _states(file)
    ports: list[Port] = []
    pictures = 0
    for value in file.inputs:
        shape = tuple(side if isinstance(side, int) else 1 for side in value.shape)
        if value.name in states:
            ports.append(
                Port(value.name, "state", type=value.type, source=states[value.name], shape=shape)
            )
            continue
        layout = layout_of(value.shape)
        if layout is not None and not _is_landmarks(value):
            port = _picture(value, layout, pictures)
            pictures += port.role != "mask"
            ports.append(port)
            continue
        ports.append(_number(value, shape, file.notes))
    if ports and not any(port.role == "picture" for port in ports):
        ports = _first_mask_as_picture(ports)
    return ports


def _picture(value: Value, layout: str, before: int) -> Port:
    sides = dict(zip(layout, value.shape, strict=True))
    channels = sides.get("C", 1)
    channels = channels if isinstance(channels, int) else 3
    width, height = sides["W"], sides["H"]
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    role = "picture" if before == 0 else "picture2"
    if channels == 1 and (before or "mask" in value.name.lower()):
        role = "mask"
    colour = {1: "L", 4: "RGBA"}.get(channels, "RGB")
    if colour == "RGB" and re.search(r"(^|[^a-z])bgr", value.name.lower()):
        colour = "BGR"
    whole = WHOLE_RANGES.get(value.type, (0.0, 1.0))
    return Port(
        value.name, role, type=value.type, layout=layout, size=size, colour=colour, range=whole
    )


def _first_mask_as_picture(ports: list[Port]) -> list[Port]:
    for i, port in enumerate(ports):
        if port.role == "mask":
            picture = Port(
                port.name, "picture", type=port.type, layout=port.layout, size=port.size, colour="L"
            )
            return [*ports[:i], picture, *ports[i + 1 :]]
    return ports


def _number(value: Value, shape: tuple[int, ...], notes: Mapping[str, str]) -> Port:
    name = value.name.lower()
    count = 1
    for side in shape:
        count *= side
    if _is_landmarks(value):
        return Port(value.name, "landmarks", type=value.type, shape=shape)
    if count != 1:
        return Port(value.name, "constant", type=value.type, shape=shape)
    if re.search(r"(^|_)(time|t|seconds|frame)$", name):
        return Port(value.name, "time", type=value.type, shape=shape)
    if re.search(r"(^|_)(beat|beats|phase)$", name):
        return Port(value.name, "beat", type=value.type, shape=shape)
    low, high, usual = _scalar(value.name, notes)
    if (low, high, usual) == UNKNOWN and value.type != "bool" and "int" in value.type:
        low, high, usual = 0.0, 10.0, 1.0  # a count: none at all is what breaks most
    elif value.type == "bool":
        low, high, usual = 0.0, 1.0, 0.0
    return Port(value.name, "knob", type=value.type, min=low, max=high, default=usual, shape=shape)


def _scalar(name: str, notes: Mapping[str, str]) -> tuple[float, float, float]:
    """Range and default: from the file's own notes (``param:gamma = 0.1,5.0,1.0``) or the name."""
    for key in (f"param:{name}", name):
        try:
            low, high, usual = (float(part) for part in notes.get(key, "").split(","))
        except ValueError:
            continue
        if low <= usual <= high and low < high:
            return low, high, usual
    for word, values in _SCALARS:
        if word in name.lower():
            return values
    return UNKNOWN


def _is_landmarks(value: Value) -> bool:
    sides = [side for side in value.shape if isinstance(side, int) and side != 1]
    if len(sides) == 2 and max(sides) in LANDMARKS and min(sides) in (2, 3):
        return True
    named = re.search(r"landmark|points|lmk|lm\d*$|mesh|vert", value.name.lower())
    if len(sides) == 1 and len(value.shape) <= 3 and points.count(tuple(sides)):
        return bool(named) or len(value.shape) <= 2  # all in one row
    return bool(named) and len(sides) in (1, 2) and len(value.shape) <= 3


def _states(file: OnnxFile) -> dict[str, str]:
    """Inputs that take what an output said before: paired by name, then by shape."""
    outputs = {value.name: value for value in file.outputs}
    pairs: dict[str, str] = {}
    for value in file.inputs:
        for end, other in _STATE_PAIRS:
            for wanted in _swapped(value.name, end, other):
                same = wanted in outputs and len(outputs[wanted].shape) == len(value.shape)
                if same and wanted != value.name and _may_be_state(value):
                    pairs.setdefault(value.name, wanted)
    for value in file.inputs:
        now = _BEFORE.sub("", value.name)
        if now != value.name and now in outputs and len(file.inputs) > 1:
            pairs.setdefault(value.name, now)
    words = re.compile(r"state|hidden|memory|(^|_)(h|c|prev|past)\d*($|_)|cache", re.IGNORECASE)
    for value in file.inputs:
        if value.name in pairs or not words.search(value.name):
            continue
        free = [o for o in file.outputs if o.shape == value.shape and o.name not in pairs.values()]
        if free and len(file.outputs) > 1:
            pairs[value.name] = free[-1].name
    return pairs


def _may_be_state(value: Value) -> bool:
    """Pictures go in under the name ``input`` and come out as ``output``: no states."""
    return value.name.lower() not in ("input", "in", "i") and 3 not in value.shape[1:2]


def _swapped(name: str, end: str, other: str) -> list[str]:
    found = []
    if name.endswith(end):
        found.append(name[: -len(end)] + other)
    if len(end) > 2 and end in name:
        found.append(name.replace(end, other))
    return found
