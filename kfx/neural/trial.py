"""Runs a net once on a picture: before and after, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural import answer, portrait
from kfx.neural.card import Card, knob_name
from kfx.neural.providers import short
from kfx.neural.session import Given, Net

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """`picture` (h, 2 w, 4) is before and after; `size` is what the net was given."""

    picture: Pixels
    size: tuple[int, int]
    provider: str
    ms: float


def run(card: Card, picture: Pixels, knobs: Mapping[str, Any]) -> Trial:
    """What a net makes of the whole of a picture (h, w, 4), whatever its region.

    Raises `KfxError` where card, net and picture don't go together.
    """
    height, width = picture.shape[:2]
    with Net(card, (width, height)) as net:
        small = cv2.resize(picture, net.size, interpolation=_way(net.size[0] < width))
        second = None
        if knobs.get("image2"):
            second = cv2.resize(load(Path(str(knobs["image2"]))), net.size)
        given = Given(
            np.ascontiguousarray(small, np.uint8),
            second,
            portrait.middle(net.size) if card.role("mask") else None,
            knobs={
                port.name: float(knobs.get(knob_name(port.name), port.default))
                for port in card.role("knob")
            },
        )
        answers = net.run(given, net.fresh_state())
        drawn = answer.drawn(card, answers, given.picture, knobs).astype(np.float32)
        size, provider, ms = net.size, short(net.provider), net.ms
    if card.stick == "change" and card.kind != "matte":
        drawn[..., :3] *= 255.0
    large = cv2.resize(drawn, (width, height), interpolation=_way(drawn.shape[1] > width))
    before = picture[..., :3].astype(np.float32)
    if card.stick == "change" and card.kind != "matte":
        after = before + large[..., :3]
    else:
        share = large[..., 3:] / 255.0
        after = before + share * (large[..., :3] - before)
    both = np.full((height, 2 * width, 4), 255, np.uint8)
    both[:, :width] = picture
    both[:, width:, :3] = np.clip(np.rint(after), 0, 255)
    return Trial(both, size, provider, ms)


def _way(smaller: bool) -> int:
    return cv2.INTER_AREA if smaller else cv2.INTER_LINEAR


def load(path: Path) -> Pixels:
    """A picture file as (h, w, 4) RGBA."""
    data = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if data is None:
        raise KfxError(f"{path}: no picture that can be read (PNG and JPEG can)")
    return np.asarray(cv2.cvtColor(data, cv2.COLOR_BGR2RGBA), np.uint8)


def encoded(picture: Pixels, path: Path) -> bytes:
    """The bytes of a picture file of the kind that `path` names."""
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise KfxError(f"{path}: pictures are written as .png or .jpg")
    good, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGBA2BGR))
    if not good:
        raise KfxError(f"{path}: the picture can't be encoded")
    return bytes(data)
