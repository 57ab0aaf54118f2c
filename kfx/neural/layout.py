"""Brings pictures into the layout a net wants, and its answers back into pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural.ports import Port

Array = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]  # (h, w, 3 or 4) RGB(A), top row first
Floats = npt.NDArray[np.float32]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709
DOTS_SIDE, DOT = 224, 0.006  # pixels; how wide a dot is, of the side
_TOO_FAR = 1e30


def channels_of(port: Port) -> int:
    """How many channels a port's pictures have; 1 for masks."""
    return 1 if port.role == "mask" or port.colour in ("L", "LAB-L") else len(port.colour)


def shape_of(port: Port, size: tuple[int, int]) -> tuple[int, ...]:
    """The tensor's shape for pictures of `size` (width, height)."""
    sides = {"N": 1, "C": channels_of(port), "H": size[1], "W": size[0]}
    return tuple(sides[axis] for axis in port.layout)


def to_tensor(picture: Array, port: Port, out: Array) -> None:
    """Write a picture ((h, w, 3 or 4) uint8, or (h, w) for masks) into `out` as `port` wants it.

    0..255 becomes `port.range`, then (x - mean) / std.
    """
    if picture.ndim == 2:
        coloured = picture[..., None]
    elif port.colour == "LAB-L":
        coloured = lab(picture[..., :3])[..., :1] * np.float32(2.55)
    elif port.colour == "L" or port.role == "mask":
        coloured = (picture[..., :3].astype(np.float32) @ LUMA)[..., None]
    elif port.colour in ("BGR", "BGRA"):
        coloured = picture[..., [2, 1, 0, 3][: len(port.colour)]]
    else:
        coloured = picture[..., : len(port.colour)]
    low, high = port.range
    count = coloured.shape[2]
    mean, std = _per_channel(port.mean, 0.0, count), _per_channel(port.std, 1.0, count)
    scale = ((high - low) / 255.0 / std).astype(np.float32)
    shift = ((low - mean) / std).astype(np.float32)
    values = coloured * scale + shift
    if not np.issubdtype(out.dtype, np.floating):
        values = np.rint(values)
    view = out[0] if port.layout.startswith("N") else out
    if "C" not in port.layout:
        view[...] = values[..., 0]
    elif port.layout.endswith("CHW"):
        view[...] = values.transpose(2, 0, 1)
    else:
        view[...] = values


def sized(picture: Array, port: Port) -> Array:
    """A picture at the size of a port that has one of its own."""
    if port.size is None or picture.shape[1::-1] == port.size:
        return picture
    import cv2

    way = cv2.INTER_AREA if port.size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, port.size, interpolation=way))


def _per_channel(values: tuple[float, ...], usual: float, count: int) -> Floats:
    """One number for each channel; one number stands for all."""
    if not values:
        return np.full(count, usual, np.float32)
    return np.resize(np.array(values, np.float32), count)


def planes(answer: Array, port: Port) -> Floats:
    """(h, w, channels) float32 of a net's answer, whatever its layout; finite.

    Raises `KfxError` for NaN and for shapes that the layout doesn't fit.
    """
    array = np.asarray(answer)
    layout = port.layout
    if array.ndim == len(layout) + 1 and array.shape[0] == 1:
        array = array[0]  # an axis of the batch that the card doesn't tell of
    if array.ndim == len(layout) - 1 and layout[0] == "N":
        layout = layout[1:]
    if array.ndim != len(layout):
        raise KfxError(f"its output {port.name} has the shape {array.shape}, not {port.layout}")
    if layout[0] == "N":
        array, layout = array[0], layout[1:]
    if layout == "CHW":
        array = array.transpose(1, 2, 0)
    elif layout == "HW":
        array = array[..., None]
    values = np.ascontiguousarray(array, np.float32)
    if values.size == 0:
        raise KfxError(f"its output {port.name} is empty")
    # One pass without a mask: the extremes are NaN if anything is.
    low, high = float(values.min()), float(values.max())
    if not (-_TOO_FAR < low <= high < _TOO_FAR):
        raise KfxError(f"its output {port.name} holds NaN or infinite numbers")
    return values


def to_picture(answer: Array, port: Port) -> Floats:
    """(h, w, 3) RGB in 0..1, float32, of an answer that is a picture."""
    values = _picked(planes(answer, port), port)
    if port.colour in ("BGR", "BGRA") and values.shape[2] >= 3:
        values = values[..., [2, 1, 0]]
    values = _back(values, port)
    if values.shape[2] in (1, 2):
        values = np.repeat(values[..., :1], 3, axis=2)
    return np.clip(values[..., :3], 0.0, 1.0)


def lab(rgb: Array) -> Floats:
    """(h, w, 3) uint8 sRGB → CIE L*a*b* (D65), L* in 0..100."""
    import cv2

    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)


def coloured_in(answer: Array, port: Port, given: Array) -> Floats:
    """(h, w, 3) RGB 0..1: the given picture's L* with the a*, b* of an answer."""
    import cv2

    values = _back(_picked(planes(answer, port), port), port)
    if values.shape[2] != 2:
        raise KfxError(f"its output {port.name} has {values.shape[2]} channels; a*, b* are two")
    height, width = given.shape[:2]
    whole = lab(given[..., :3])
    whole[..., 1:] = np.clip(cv2.resize(values, (width, height)), -127.0, 127.0)
    return np.clip(np.asarray(cv2.cvtColor(whole, cv2.COLOR_LAB2RGB), np.float32), 0.0, 1.0)


def to_matte(answer: Array, port: Port) -> Floats:
    """(h, w) in 0..1 of an answer that is a matte or a map of classes."""
    values = planes(answer, port)
    if port.role == "heatmaps":
        return dots(_picked(values, port))
    if port.role == "classes":
        if port.activation == "softmax":
            values = np.exp(values - values.max(axis=2, keepdims=True))
            values = values / values.sum(axis=2, keepdims=True)
        elif port.activation == "sigmoid":
            values = 1.0 / (1.0 + np.exp(-np.clip(values, -60, 60)))
        if values.shape[2] == 1:  # the class's number itself
            matte = np.isin(np.rint(values[..., 0]), port.classes).astype(np.float32)
        else:
            known = [one for one in port.classes if one < values.shape[2]]
            if not known:
                count = values.shape[2]
                raise KfxError(f"its output {port.name} has {count} classes; class is too high")
            matte = values[..., known].sum(axis=2)
    else:
        matte = _back(_picked(values, port)[..., :1], port)[..., 0]
    matte = np.clip(matte, 0.0, 1.0)
    return 1.0 - matte if port.invert else matte


def dots(maps: Floats) -> Floats:
    """A dot of light (h', w') in 0..1 at the peak of each of (h, w, n) maps, as bright as it is."""
    import cv2

    height, width, _ = maps.shape
    up = max(1, round(DOTS_SIDE / max(height, width)))
    canvas = np.zeros((height * up, width * up), np.float32)
    flat = maps.reshape(-1, maps.shape[2])
    at, sure = flat.argmax(axis=0), np.clip(flat.max(axis=0), 0.0, 1.0)
    rows, columns = np.divmod(at, width)
    for k, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        # A peak lies between cells: the middle of its neighbours' weight.
        y0, x0 = max(0, row - 1), max(0, column - 1)
        near = np.clip(maps[y0 : row + 2, x0 : column + 2, k], 0.0, None) ** 2 + 1e-9
        y = float((near.sum(axis=1) * np.arange(near.shape[0])).sum() / near.sum()) + y0
        x = float((near.sum(axis=0) * np.arange(near.shape[1])).sum() / near.sum()) + x0
        place = (int((y + 0.5) * up), int((x + 0.5) * up))
        canvas[place] = max(canvas[place], sure[k])
    size = max(canvas.shape) * DOT
    soft = cv2.GaussianBlur(canvas, (0, 0), size) * np.float32(2.0 * np.pi * size * size)
    return np.clip(np.asarray(soft, np.float32), 0.0, 1.0)


def _picked(values: Floats, port: Port) -> Floats:
    if not port.channels:
        return values
    if max(port.channels) >= values.shape[2]:
        raise KfxError(f"its output {port.name} has {values.shape[2]} channels; channels is wrong")
    return values[..., list(port.channels)]


def _back(values: Floats, port: Port) -> Floats:
    """From the net's scale to 0..1."""
    if port.activation == "sigmoid":
        values = 1.0 / (1.0 + np.exp(-np.clip(values, -60, 60)))
    elif port.activation == "tanh":
        values = np.tanh(values)
    if port.mean or port.std:
        count = values.shape[2]
        values = values * _per_channel(port.std, 1.0, count)
        values = values + _per_channel(port.mean, 0.0, count)
    if port.normalise:
        low, high = (float(np.percentile(values, p)) for p in (1, 99))
        return (values - low) / max(high - low, 1e-6)
    low, high = port.range
    if (low, high) == (0.0, 1.0):
        return values
    return (values - np.float32(low)) / np.float32(high - low)


def to_flow(answer: Array, port: Port) -> Floats:
    """(h, w, 2): how far away each pixel is taken from, in pixels, x right and y down.

    `port.range` is what a shift of [-1, 1] picture widths is called: [-W, W] for pixels, [-1, 1]
    for shares of the picture.
    """
    values = _picked(planes(answer, port), port)
    if values.shape[2] != 2:
        raise KfxError(f"its output {port.name} has {values.shape[2]} channels; a flow has two")
    height, width = values.shape[:2]
    return values * np.array([width, height], np.float32) / np.float32(port.range[1])
