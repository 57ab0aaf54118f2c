"""Gives a held face the lips and jaw of a live one, and blinks for it; all in canonical space."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.regions import masks
from kfx.render.still import Mouth
from kfx.types import Landmarks, Pixels, freeze

Array = npt.NDArray[np.float32]

WIDEST_IOD = 0.55  # no mouth is opened farther
OVERLAP = 1.12  # a shut upper lid hides what is left of the eye above the lower one's edge
LID_IOD = 0.05  # so much nearer it is drawn
_INNER, _OUTER = np.array(c.INNER_LIPS), np.array(c.OUTER_LIPS)
_UPPER, _LOWER = _INNER[1:10], _INNER[19:10:-1]
_ANCHORS = np.array([*c.RIGHT_LIDS, *c.LEFT_LIDS, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358])
_STEADY = np.array([2, 98, 327, 97, 326, 5, 4])  # the nose above the lips
_SKIN = np.array([164, 167, 393, 165, 391, 92, 322, 18, 83, 313, 200, 201, 421, 57, 287, 43, 273])
_LIDS = (c.RIGHT_LIDS, c.LEFT_LIDS)
PATCH_PX = 64  # mouths are cut out in multiples of this, or each would need its own texture


def sing(still: Landmarks, live: Landmarks, rest: Landmarks, gain: float) -> Landmarks:
    """`still` with lips and jaw as in `live`, their distance from `rest` times `gain`.

    The opening of the lips is taken from `live` itself, not from what the still's was: lips that
    meet in the song meet in the picture.
    """
    slip = (live[_STEADY] - rest[_STEADY]).mean(axis=0)  # what the pose has missed
    target = rest + np.float32(gain) * (live - slip - rest)
    shape = still + _weights() * (target - still)
    wish = np.float32(gain) * (live[_LOWER] - live[_UPPER])
    length = np.linalg.norm(wish, axis=1, keepdims=True)
    wish *= WIDEST_IOD * np.tanh(length / WIDEST_IOD) / np.maximum(length, 1e-6)
    apart = (wish - (shape[_LOWER] - shape[_UPPER])) / 2
    push = np.zeros((20, 3), np.float32)
    push[1:10], push[19:10:-1] = -apart, apart
    return (shape + _lip_spread() @ push).astype(np.float32)


def area(lips: Array) -> float:
    """What the contour `lips` (n, 2) encloses."""
    x, y = lips.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def blink(shape: Landmarks, amount: float) -> Landmarks:
    """The lids closed by `amount` 0..1: the upper one comes down before the lower one."""
    if amount <= 0.0:
        return shape
    result = shape.copy()
    for upper, lower, weights in _lid_spread():
        down = shape[lower] - shape[upper]
        push = np.zeros((16, 3), np.float32)
        push[1:8], push[15:8:-1] = OVERLAP * down, -0.05 * down
        push[1:8, 2] -= LID_IOD
        result += np.float32(amount) * (weights @ push)
    return result


def cut_mouth(pixels: Pixels, landmarks: Landmarks, tone: Array) -> Mouth | None:
    """The mouth of a live frame, copied out of it; None if it lies outside."""
    lips = landmarks[_INNER, :2]
    around = landmarks[_OUTER, :2]
    height, width = pixels.shape[:2]
    low = np.maximum(np.floor(around.min(axis=0)) - 4, 0).astype(int)
    high = np.minimum(np.ceil(around.max(axis=0)) + 4, [width, height]).astype(int)
    if (high - low < 4).any():
        return None
    x, y = high - low
    patch = np.zeros((-(-y // PATCH_PX) * PATCH_PX, -(-x // PATCH_PX) * PATCH_PX, 4), np.uint8)
    patch[:y, :x] = pixels[low[1] : high[1], low[0] : high[0]]
    return Mouth(freeze(patch), (lips - low).astype(np.float32), tone)


def light(pixels: Pixels, landmarks: Landmarks) -> Array:
    """(3,) mean RGB of the skin around the mouth, 1..256."""
    height, width = pixels.shape[:2]
    x = np.clip(landmarks[_SKIN, 0], 0, width - 1).astype(int)
    y = np.clip(landmarks[_SKIN, 1], 0, height - 1).astype(int)
    return np.asarray(pixels[y, x, :3].mean(axis=0) + 1.0, np.float32)


@cache
def _free() -> Array:
    """(478,) 0 on eyes and nose, 1 from a little off them."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, _ANCHORS], axis=2).min(axis=1)
    return freeze(np.clip(away / 0.16, 0.0, 1.0).astype(np.float32))


@cache
def _weights() -> Array:
    """(478, 1): 1 on the lips, fading over cheeks and jaw, 0 on eyes and nose."""
    share = np.clip(masks()["mouth"] + masks()["jaw"], 0.0, 1.0) * _free()[:, None]
    share[np.concatenate([_INNER, _OUTER])] = 1.0
    return freeze(share.astype(np.float32))


@cache
def _lip_spread() -> Array:
    """(478, 20): how a push of each inner lip point carries the lip behind it along."""
    shape = c.canonical().vertices
    ring = np.concatenate([_INNER, _OUTER])
    away = np.linalg.norm(shape[:, None] - shape[None, ring], axis=2)
    nearest, distance = away.argmin(axis=1), away.min(axis=1)
    weights = np.zeros((478, 20), np.float32)
    weights[np.arange(478), nearest % 20] = np.exp(-((distance / 0.11) ** 2)) * _free()
    weights[_INNER] = np.eye(20)
    weights[_OUTER] = np.eye(20)
    return freeze(weights)


@cache
def _lid_spread() -> tuple[tuple[Array, Array, Array], ...]:
    """For each eye: upper and lower lid from corner to corner, (478, 16) weights of a push."""
    shape = c.canonical().vertices
    brows = shape[list(c.BROWS)]
    found = []
    for lids in _LIDS:
        index = np.array(lids)
        away = np.linalg.norm(shape[:, None] - shape[None, index], axis=2)
        nearest, distance = away.argmin(axis=1), away.min(axis=1)
        free = np.linalg.norm(shape[:, None] - brows[None], axis=2).min(axis=1)
        weights = np.zeros((478, 16), np.float32)
        reach = np.exp(-((distance / 0.10) ** 2)) * np.clip(free / 0.1, 0.0, 1.0)
        weights[np.arange(478), nearest] = reach
        weights[468:] = 0.0
        weights[index] = np.eye(16)
        found.append((index[1:8], index[15:8:-1], freeze(weights)))
    return tuple(found)
