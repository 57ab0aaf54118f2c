"""Which of the 478 landmarks a net is given, and how they lie in its tensors."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.arkit import POINTS
from kfx.errors import KfxError
from kfx.neural.ports import Port

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# fmt: off
_OF_68 = (  # the 68 points of iBUG 300-W: jaw, brows, nose, eyes, outer and inner lips
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
# fmt: on
USUAL: dict[int, tuple[int, ...]] = {
    478: tuple(range(478)),
    468: tuple(range(468)),
    len(POINTS): POINTS,  # MediaPipe's own blendshape net takes these
    len(_OF_68): _OF_68,
}
"""What a count of landmarks means."""


def indices(port: Port, values: int) -> tuple[int, ...]:
    """The landmarks of a port whose tensor holds so many numbers.

    Raises `KfxError` where the count tells nothing and the card neither.
    """
    counts = [len(port.points)] if port.points else list(USUAL)
    for count in counts:
        if values in (2 * count, 3 * count):
            return port.points or USUAL[count]
    if port.points:
        raise KfxError(f"{port.name}: points names {len(port.points)}, the net has {values} values")
    known = ", ".join(map(str, USUAL))
    raise KfxError(
        f"{port.name}: {values} values are no landmarks that kfx knows ({known} points of 2 or 3); "
        "name them: points = [33, 263, …]"
    )


def pack(landmarks: Floats, port: Port, out: Array) -> None:
    """Write landmarks (478, 3) into a tensor, whatever way it lies."""
    chosen = landmarks[list(indices(port, out.size))]
    flat = chosen[:, : out.size // len(chosen)]
    out[...] = (flat.T if _turned(out.shape) else flat).reshape(out.shape)


def unpack(answer: Array, port: Port) -> tuple[tuple[int, ...], Floats]:
    """The landmarks an answer is of, and where they are, (n, 2 or 3); finite or `KfxError`."""
    there = indices(port, answer.size)
    values = np.asarray(answer, np.float32)
    if not np.isfinite(values).all():
        raise KfxError(f"its output {port.name} holds NaN or infinite numbers")
    if _turned(values.shape):
        return there, values.reshape(-1, len(there)).T
    return there, values.reshape(len(there), -1)


def count(shape: tuple[int, ...]) -> int:
    """How many landmarks a shape holds as far as its numbers alone tell; 0 for none."""
    values = math.prod(shape)
    return next((n for n in USUAL if values in (2 * n, 3 * n)), 0)


def _turned(shape: tuple[int, ...]) -> bool:
    """Whether x, y and z come in rows: (1, 3, 478)."""
    return len(shape) >= 2 and shape[-2] in (2, 3) and shape[-1] not in (2, 3)


@cache
def spread(there: tuple[int, ...], reach: float = 0.12) -> Floats:
    """(478, n): what the motion of some landmarks means for all, `reach` in iod.

    A landmark that is named moves as told, its surroundings softly with it.
    """
    from kfx.canonical import canonical

    shape = canonical().vertices
    named = np.array(there)
    away = np.linalg.norm(shape[:, None] - shape[None, named], axis=2)
    kernel = np.exp(-((away / reach) ** 2))
    near = np.exp(-((away.min(axis=1, keepdims=True) / reach) ** 2))
    weights = kernel / np.maximum(kernel.sum(axis=1, keepdims=True), 1e-9) * near
    weights[named] = 0.0
    weights[named, np.arange(len(named))] = 1.0
    return weights.astype(np.float32)
