"""Which part of its target a pass of an ISF shader draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kfx.render import isf_tidy
from kfx.render.gpu import Box
from kfx.render.isf import Shader


def leaves_gaps(shader: Shader) -> bool:
    """Whether the last pass may leave pixels undrawn, which then have nothing to be mixed."""
    moves = shader.vertex is not None and "gl_Position" in isf_tidy.words(shader.vertex_text)
    return moves or "discard" in isf_tidy.words(shader.body)


def scaled(
    boxes: Sequence[Box] | None,
    frame: tuple[int, int],
    size: tuple[int, int],
    reach_px: float = 0.0,
) -> Sequence[Box] | None:
    """The boxes of the frame in the pixels of another target, with what is read around them."""
    if boxes is None or (size == frame and not reach_px):
        return boxes
    found, more = [], math.ceil(reach_px)
    for x, y, width, height in boxes:
        x, y, width, height = x - more, y - more, width + 2 * more, height + 2 * more
        left, low = x * size[0] // frame[0] - 1, y * size[1] // frame[1] - 1
        right = -(-(x + width) * size[0] // frame[0]) + 1
        top = -(-(y + height) * size[1] // frame[1]) + 1
        left, low = max(0, left), max(0, low)
        found.append((left, low, min(right, size[0]) - left, min(top, size[1]) - low))
    return found
