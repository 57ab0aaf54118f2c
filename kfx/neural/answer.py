"""What a net answers to a picture, as the picture that is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.neural import layout
from kfx.neural.card import Card

Array = npt.NDArray[Any]
Drawn = npt.NDArray[Any]
"""(h, w, 4): uint8 RGBA, or float16 where it is what is added to the plate, with alpha 1."""


def drawn(
    card: Card, answers: Mapping[str, Array], given: Array, knobs: Mapping[str, Any]
) -> Drawn:
    """The picture to draw, for what the net was `given`, (h, w, 4) uint8.

    Raises `KfxError` for NaN, and for an answer of another shape than the card tells.
    """
    port = card.answer
    answer = answers[port.name]
    if card.kind == "matte":
        return _matte(layout.to_matte(answer, port), knobs)
    if card.kind == "flow":
        seen = _moved(given, layout.to_flow(answer, port))
    elif port.colour == "LAB-AB":
        seen = layout.coloured_in(answer, port, given)
    else:
        seen = layout.to_picture(answer, port)
    if card.stick == "change":
        grey = card.picture.colour == "L"  # only the plate's luma is changed
        return _change(seen, given[..., :3] @ layout.LUMA if grey else given)
    out = np.full((*seen.shape[:2], 4), 255, np.uint8)
    out[..., :3] = np.rint(seen * 255.0)
    return out


def _change(seen: npt.NDArray[np.float32], given: Array) -> Drawn:
    height, width = given.shape[:2]
    if seen.shape[:2] != (height, width):
        way = cv2.INTER_AREA if seen.shape[1] > width else cv2.INTER_LINEAR
        seen = cv2.resize(seen, (width, height), interpolation=way)
    out = np.ones((height, width, 4), np.float16)
    before = given[..., None] if given.ndim == 2 else given[..., :3]
    out[..., :3] = seen - before.astype(np.float32) / 255.0
    return out


def _moved(given: Array, flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    height, width = given.shape[:2]
    if flow.shape[:2] != (height, width):
        scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        flow = cv2.resize(flow, (width, height)) * scale
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([x, y], axis=2) + flow
    moved = cv2.remap(
        np.ascontiguousarray(given[..., :3]),
        places.astype(np.float32),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32) / 255.0


def _matte(matte: npt.NDArray[np.float32], knobs: Mapping[str, Any]) -> Drawn:
    level = np.rint(matte * 255.0).astype(np.uint8)
    show = knobs.get("show", "matte")
    out = np.empty((*matte.shape, 4), np.uint8)
    if show == "matte":
        out[..., :3] = level[..., None]
        out[..., 3] = 255
        return out
    colour = np.array(knobs.get("colour", (0.0, 0.0, 0.0, 1.0)), np.float32)
    out[..., :3] = np.rint(colour[:3] * 255.0)
    hidden = 255 - level if show == "background" else level
    out[..., 3] = np.rint(hidden * float(np.clip(colour[3], 0.0, 1.0)))
    return out
