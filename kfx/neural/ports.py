"""What a card says of one input or output of a net, checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from kfx.errors import KfxError

INPUTS = {
    "picture": "the picture",
    "picture2": "a second picture, from the knob `image2`; the same one without a file",
    "mask": "1 inside the face (from = \"person\": where a person is)",
    "knob": "a number that becomes a knob, with min, max and default",
    "time": "seconds",
    "beat": "beats since the start of the song",
    "landmarks": "the face's landmarks, x and y (and z); `space` and `points` say which",
    "state": "what the output named by `from` said for the frame before; zeros at first",
    "constant": "always `default`",
}  # fmt: skip
OUTPUTS = {
    "picture": "a picture",
    "matte": "one channel: how much of each pixel is meant (a person, near things)",
    "classes": "a channel per class; `class` names the ones meant",
    "flow": "two channels: how far each pixel is taken from, x and y",
    "landmarks": "landmarks, as they went in",
    "coefficients": "numbers; `names` that are ARKit's move a face, all are signals net.NAME",
    "heatmaps": "a map per point, drawn as dots of light; `channels` are the maps, not offsets",
    "boxes": "detections; no effect draws them",
    "state": "goes back in for the next frame",
    "unused": "nothing that is needed",
}
LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC", "NHW", "HW")
COLOURS = ("RGB", "BGR", "L", "RGBA", "BGRA", "LAB-L", "LAB-AB")
"""The last two are CIE L* of what goes in, 0..100, and a*, b* that are answered to it."""
ACTIVATIONS = ("", "sigmoid", "softmax", "tanh")
SPACES = ("crop", "frame", "pixels", "canonical")
"""0..1 of the face's crop or of the frame, pixels of the frame, or head-fixed in iod units."""
PICTURES = frozenset({"picture", "picture2", "mask", "matte", "classes", "flow", "heatmaps"})


@dataclass(frozen=True, slots=True)
class Port:
    """One tensor. A picture's 0..1 becomes `range`, then (x - mean) / std; outputs the other way.

    `size` is (width, height), None where the net takes any. `channels` picks from an output that
    has more. `normalise` stretches an output that knows no scale, such as depth, to 0..1.
    `scale` is how many times larger than the picture an answer is: an upscaler is fed less.
    `points` are the numbers of landmarks among kfx's 478, empty where their count tells.
    """

    name: str
    role: str
    doc: str = ""
    type: str = "float32"
    layout: str = "NCHW"
    size: tuple[int, int] | None = None
    multiple: int = 1
    colour: str = "RGB"
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    classes: tuple[int, ...] = (1,)
    activation: str = ""
    normalise: bool = False
    invert: bool = False
    source: str = ""
    default: float = 0.0
    min: float = 0.0
    max: float = 1.0
    names: tuple[Any, ...] = field(default=())
    points: tuple[int, ...] = ()
    space: str = "crop"
    scale: float = 1.0


_KEYS = {
    "is": "role",
    "class": "classes",
    "from": "source",
    **{key: key for key in (
        *("doc", "type", "layout", "size", "multiple", "colour", "range", "mean", "std", "shape"),
        *("channels", "activation", "normalise", "invert", "default", "min", "max", "names"),
        *("points", "space", "scale"),
    )},
}  # fmt: skip
_WORDS = {"layout": LAYOUTS, "colour": COLOURS, "activation": ACTIVATIONS, "space": SPACES}
_TYPES = (
    *("float32", "float16", "float64", "bool"),
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
)


def read(name: str, table: Any, place: str, *, output: bool, usual: str) -> Port:
    """The port that a card's table describes; `usual` is its role where ``is`` is left out.

    Raises `KfxError` that starts with `place` and names the key.
    """
    if not isinstance(table, Mapping):
        raise KfxError(f"{place}: write it as a table with is = …")
    values: dict[str, Any] = {"role": table.get("is", usual)}
    roles = OUTPUTS if output else INPUTS
    if values["role"] not in roles:
        raise KfxError(f"{place}: is: {values['role']!r} is none of {', '.join(roles)}")
    for key, value in table.items():
        if key not in _KEYS:
            raise KfxError(f"{place}: {key!r} is unknown; {nearest(key, tuple(_KEYS))}")
        try:
            values[_KEYS[key]] = _checked(key, value)
        except (TypeError, ValueError) as error:
            raise KfxError(f"{place}: {key}: {error}") from error
    port = Port(name, **values)
    if port.role == "knob" and not port.min <= port.default <= port.max:
        raise KfxError(f"{place}: default: {port.default:g} is outside {port.min:g}..{port.max:g}")
    if port.role == "state" and not output and not port.source:
        raise KfxError(f'{place}: a state needs from = "NAME", the output that it comes from')
    return port


def _checked(key: str, value: Any) -> Any:
    if key in _WORDS:
        if value not in _WORDS[key]:
            raise ValueError(f"{value!r} is none of {', '.join(filter(None, _WORDS[key]))}")
        return value
    if key == "type":
        if value not in _TYPES:
            raise ValueError(f"{value!r} is none of {', '.join(_TYPES)}")
        return value
    if key == "size":
        sides = _numbers(value, 2)
        if any(side != int(side) or not 1 <= side <= 8192 for side in sides):
            raise ValueError(f"{value!r} is no [width, height] within 1..8192")
        return (int(sides[0]), int(sides[1]))
    if key == "range":
        low, high = _numbers(value, 2)
        if low == high:
            raise ValueError(f"{value!r} has no width")
        return (low, high)
    if key in ("mean", "std"):
        numbers = tuple(_numbers(value if isinstance(value, list) else [value], None))
        if key == "std" and any(number == 0 for number in numbers):
            raise ValueError("0 can't be divided by")
        return numbers
    if key in ("channels", "class"):
        numbers = _numbers(value if isinstance(value, list) else [value], None)
        if any(number != int(number) or number < 0 for number in numbers):
            raise ValueError(f"{value!r} must be whole numbers from 0")
        return tuple(int(number) for number in numbers)
    if key == "scale":
        number = _numbers([value], 1)[0]
        if not 1.0 <= number <= 16.0:
            raise ValueError(f"{value!r} is outside 1..16")
        return number
    if key == "points":
        numbers = _numbers(value, None)
        if not numbers or any(one != int(one) or not 0 <= one < 478 for one in numbers):
            raise ValueError(f"{value!r} must be numbers of landmarks, 0..477")
        return tuple(int(one) for one in numbers)
    if key == "shape":
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no list")
        return tuple(side if isinstance(side, int) and side >= 0 else 1 for side in value)
    if key == "multiple":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 256:
            raise ValueError(f"{value!r} is no whole number within 1..256")
        return value
    if key in ("normalise", "invert"):
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        return value
    if key in ("default", "min", "max"):
        return _numbers([value], 1)[0]
    if key == "names":
        if not isinstance(value, list) or not all(isinstance(one, str | dict) for one in value):
            raise ValueError(f"{value!r} is no list of names")
        return tuple(value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _numbers(value: Any, count: int | None) -> list[float]:
    good = isinstance(value, list) and all(
        isinstance(one, int | float) and abs(one) < 1e12 for one in value
    )
    if not good or (count is not None and len(value) != count):
        wanted = "numbers" if count is None else f"{count} number{'s' * (count != 1)}"
        raise ValueError(f"{value!r} must be {wanted}")
    return [float(one) for one in value]


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The remedy for a word that isn't known."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)
