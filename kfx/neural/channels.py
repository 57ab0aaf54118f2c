"""Finds the portrait again in what a net answers to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.neural import layout
from kfx.neural.card import Card
from kfx.neural.portrait import FREE, correlation, finite, luma_of, portrait
from kfx.neural.ports import Port

Array = npt.NDArray[Any]


def alike(card: Card, array: Array, port: Port) -> bool:
    """Whether an answer of one channel is the picture again: finer, brighter, without noise."""
    values = layout.planes(finite(array), port)[..., 0]
    picture = portrait(card.picture.size or FREE)
    like = correlation(values, luma_of(picture, values.shape))
    return like > 0.7 or like < -0.95  # a negative


def picture_in(card: Card, array: Array, port: Port) -> tuple[int, ...] | None:
    """Which three neighbouring channels of many look most like the portrait, if any do.

    Of those that show what it shows it is those that are as bright: steps on the way to a result
    show it as well.
    """
    values = layout.planes(finite(array), port)
    picture = portrait(card.picture.size or FREE)
    shape = (values.shape[0], values.shape[1])
    wanted = [luma_of(np.repeat(picture[..., c : c + 1], 3, axis=2), shape) for c in range(3)]
    scale = 255.0 if float(np.percentile(np.abs(values), 99)) <= 3.0 else 1.0
    best, most = None, 0.0
    for k in range(values.shape[2] - 2):
        three = [values[..., k + c] for c in range(3)]
        like = min(correlation(one, wanted[c]) for c, one in enumerate(three))
        level = sum(abs(float((scale * three[c] - wanted[c]).mean())) for c in range(3)) / 765.0
        if like > 0.7 and (best is None or like - level > most):
            best, most = (k, k + 1, k + 2), like - level
    return best
