"""Runs a net that nobody has told of on a portrait, to see what it makes of it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural import layout, providers
from kfx.neural.card import Card
from kfx.neural.ports import Port
from kfx.neural.roles import WHOLE_RANGES

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

OWN = "own"  # the scale of a net whose type of picture has one range only
FREE = (320, 256)  # the probe's picture for a net that takes any size
FREES = (FREE, (336, 252), (256, 256), (512, 512))  # tried in turn: some want 14, some squares
MULTIPLES = (1, 2, 4, 8, 14, 16, 32, 64)  # of which a net may want its sides to be
SCALES: dict[str, dict[str, Any]] = {
    "0..1": {"range": (0.0, 1.0)},
    "-1..1": {"range": (-1.0, 1.0)},
    "0..255": {"range": (0.0, 255.0)},
    "ImageNet": {
        "range": (0.0, 1.0),
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
    "BGR": {"colour": "BGR", "range": (0.0, 255.0), "mean": (103.939, 116.779, 123.68)},
    # ExtremeC3Net and SINet divide what is standardised by 255 once more
    "SINet": {
        "colour": "BGR",
        "range": (0.0, 255.0),
        "mean": (102.89, 111.25, 126.91),
        "std": (16048.0, 16020.0, 16921.0),
    },
}


def open_session(path: Path) -> Any:
    try:
        chosen = providers.options(providers.threads())
        return providers.runtime().InferenceSession(str(path), chosen, providers=[providers.CPU])
    except KfxError:
        raise
    except Exception as error:  # onnxruntime's own kinds
        raise KfxError(f"{path}: the net can't be opened: {providers.said(error)}") from error


class Probe:
    """Runs a net on the portrait, its picture in one scale or another."""

    def __init__(self, card: Card, session: Any) -> None:
        self._card, self._session = card, session
        self.size = card.picture.size or self._free()
        self.portrait = portrait(self.size)

    def _free(self) -> tuple[int, int]:
        """The first size of `FREES` that the net takes."""
        return next((size for size in FREES if self._takes(size)), FREE)

    def multiple(self) -> int:
        """Of what the sides of pictures must be multiples, as far as runs tell."""
        width, height = self.size
        beyond = ((one, (width // one * one + one, height // one * one + one)) for one in MULTIPLES)
        return next((one for one, size in beyond if self._takes(size)), 1)

    def _takes(self, size: tuple[int, int]) -> bool:
        """Whether the net answers a picture of a size; one that never does is an error."""
        try:
            self.run("0..1", size)
        except providers.TooLong:
            raise
        except KfxError:
            return False
        return True

    @property
    def scales(self) -> list[str]:
        """Those that fit the net's colours."""
        port = self._card.picture
        if port.type in WHOLE_RANGES:
            return [OWN]
        grey = port.colour == "L"
        return [name for name, one in SCALES.items() if not grey or not {"colour", "mean"} & {*one}]

    def scaled(self, port: Port, scale: str) -> Port:
        """An input as a scale has it; a mask and a type with one range are as they are."""
        if scale == OWN or port.role not in ("picture", "picture2") or port.type in WHOLE_RANGES:
            return port
        return replace(port, **SCALES[scale])

    def run(self, scale: str, size: tuple[int, int] | None = None) -> dict[str, Array]:
        """Its answers to the portrait, at the probe's own size by default."""
        feeds = {}
        size = size or self.size
        for port in self._card.inputs:
            if port.role in ("picture", "picture2", "mask"):
                picture = portrait(size) if port.role != "mask" else middle(size)
                scaled = self.scaled(port, scale)
                out = np.zeros(layout.shape_of(port, port.size or size), port.type)
                layout.to_tensor(layout.sized(picture, port), scaled, out)
                feeds[port.name] = out
            else:
                feeds[port.name] = np.full(port.shape, port.default, port.type)
        names = [port.name for port in self._card.outputs]
        try:
            with providers.ending() as how:
                return dict(zip(names, self._session.run(names, feeds, how), strict=True))
        except providers.TooLong as error:
            raise providers.TooLong(f"{self._card.path}: {error}") from error
        except Exception as error:  # onnxruntime's own kinds
            told = providers.said(error)
            raise KfxError(f"{self._card.path}: the net fails on a picture: {told}") from error


@lru_cache(maxsize=8)
def portrait(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The performer's portrait cut to the shape of `size` (width, height): (h, w, 4) uint8."""
    import cv2
    import matplotlib

    path = os.path.join(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    picture = cv2.imread(path)
    width, height = size
    h, w = picture.shape[:2]
    wide = min(w, round(h * width / height))
    tall = min(h, round(w * height / width))
    top = min(h - tall, round(0.04 * h))
    cut = picture[top : top + tall, (w - wide) // 2 : (w - wide) // 2 + wide]
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGBA), np.uint8)


def middle(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A mask for a picture of `size`: 255 in a disc in its middle."""
    y, x = np.mgrid[: size[1], : size[0]]
    inside = (x / size[0] - 0.5) ** 2 + (y / size[1] - 0.45) ** 2 < 0.3**2
    return (inside * 255).astype(np.uint8)


def luma_of(picture: Array, shape: tuple[int, int]) -> Floats:
    import cv2

    luma = picture[..., :3].astype(np.float32) @ layout.LUMA
    return np.asarray(cv2.resize(luma, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-9 else 0.0


def finite(array: Array) -> Floats:
    """What a net answers to a scale that isn't its own may be anything."""
    return np.asarray(np.clip(np.nan_to_num(array.astype(np.float32)), -1e6, 1e6), np.float32)
