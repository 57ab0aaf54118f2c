"""A painted mouth for lips that nobody opened: upper teeth, tongue, darkness behind them.

The teeth belong to the skull. So the picture stays where it is in the face, and the driven lips
are a window on it: a wide smile shows more teeth, a dropped jaw more tongue.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion import sing
from kfx.render.still import Mouth
from kfx.types import Landmarks, Pixels, freeze

Array = npt.NDArray[np.float32]

WIDTH, HEIGHT = 384, 320  # pixels, multiples of sing.PATCH_PX
PER_IOD = 330.0
SMALLER = (1, 2, 4)  # what it is kept at: a mouth far smaller than its picture would glitter
SEAM = 108.0  # the row on which lips at rest meet
LEAST_SHARP = 0.8  # so many pixels of the picture to one of the frame, or it is too small
LIT = np.float32([196.0, 150.0, 132.0])  # the skin beside which the colours were chosen
TONE = (0.1, 1.2)
DULL = 0.75
INNER = np.array(c.INNER_LIPS)
_TEETH = (0.118, 0.093, 0.094, 0.072, 0.055)  # iod, from the middle outwards


def mouth(lips: Array, rest: Landmarks, skin: Array, iod: float = PER_IOD) -> Mouth:
    """The mouth behind `lips` (20, 2), canonical iod, of a face whose shape at rest is `rest`.

    `skin` (3,) is the mean RGB around the mouth: it says how much light there is. `iod` is that
    of the face in the frame, pixels.
    """
    middle = rest[INNER[[0, 10]], 0].mean()
    seam = (rest[INNER[5], 1] + rest[INNER[15], 1]) / 2
    place = (lips - np.float32([middle, seam])) * np.float32(PER_IOD)
    place += np.float32([WIDTH / 2, SEAM])
    light = skin / LIT
    light = light.mean() + np.float32(0.65) * (light - light.mean())  # teeth aren't skin
    tone = np.clip(light**DULL, *TONE).astype(np.float32)  # teeth shine more than skin does
    place = np.clip(place, SMALLER[-1], [WIDTH - SMALLER[-1], HEIGHT - SMALLER[-1]])
    by = next((one for one in reversed(SMALLER) if PER_IOD / one > LEAST_SHARP * iod), 1)
    return Mouth(_smaller(by), (place / by).astype(np.float32), tone)


def skin(pixels: Pixels, landmarks: Landmarks) -> Array:
    """(3,) mean RGB of the skin around the mouth; a face outside the frame has its edge."""
    return sing.light(pixels, landmarks)


@cache
def _smaller(by: int) -> Pixels:
    """The painting at the `by`th part of its size."""
    import cv2

    if by == 1:
        return _picture()
    size = (WIDTH // by, HEIGHT // by)
    return freeze(
        np.asarray(cv2.resize(np.array(_picture()), size, interpolation=cv2.INTER_AREA), np.uint8)
    )


@cache
def _picture() -> Pixels:
    """The painting, (HEIGHT, WIDTH, 4)."""
    row, column = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5
    x, y = (column - WIDTH / 2) / PER_IOD, (row - SEAM) / PER_IOD
    depth = np.exp(-((x / 0.42) ** 2))[..., None]
    rgb = np.float32([52, 16, 16]) * depth + np.float32([14, 4, 5]) * (1 - depth)
    # The tongue lies low and is lit from the front.
    tongue = np.clip(1.0 - (x / 0.34) ** 2 - ((y - 0.46) / 0.30) ** 2, 0.0, 1.0)[..., None]
    lit = np.float32([150, 66, 66]) * (0.8 + 0.2 * np.exp(-((x / 0.12) ** 2)))[..., None]
    rgb += np.clip(1.6 * tongue, 0, 1) * (lit - rgb) * 0.85
    # The row of teeth curves up towards its ends and turns away from the light.
    outer = np.concatenate([[0.0], np.cumsum(_TEETH)])
    away = np.abs(x)
    number = np.clip(np.searchsorted(outer, away, side="right") - 1, 0, len(_TEETH) - 1)
    low, high = outer[number], outer[np.minimum(number + 1, len(outer) - 1)]
    within = np.clip((away - low) / np.maximum(high - low, 1e-6), 0.0, 1.0)
    lengths = np.float32([0.052, 0.038, 0.046, 0.030, 0.022])[number]
    rounding = 0.014 * (2.0 * within - 1.0) ** 4
    tip = lengths - rounding - 0.20 * x**2
    soft = 2.0 / PER_IOD
    tooth = np.clip((tip - y) / soft, 0.0, 1.0) * np.clip((outer[-1] - away) / 0.05, 0.0, 1.0)
    gap = np.minimum(within * (high - low), (1.0 - within) * (high - low))
    seam = 1.0 - 0.24 * np.exp(-((gap / 0.005) ** 2))
    turned = np.clip(np.cos(away * 2.9), 0.0, 1.0) ** 1.3
    shade = (0.35 + 0.65 * turned) * seam * np.clip(0.80 + 1.6 * (y + 0.10), 0.55, 1.0)
    gums = np.clip((-0.095 + 0.02 * (2.0 * within - 1.0) ** 2 - y) / 0.02, 0.0, 1.0)[..., None]
    enamel = np.float32([206, 191, 174]) * (1 - gums) + np.float32([150, 78, 76]) * gums
    rgb += tooth[..., None] * (enamel * shade[..., None] - rgb)
    # What the teeth throw on the tongue.
    under = np.exp(-np.clip(y - tip, 0.0, None) / 0.05) * (1.0 - tooth)
    rgb *= (1.0 - 0.55 * under)[..., None]
    picture = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    picture[..., :3], picture[..., 3] = np.clip(rgb, 0, 255), 255
    return freeze(picture)
