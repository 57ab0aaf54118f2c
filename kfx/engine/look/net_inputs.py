"""What a net is given of a tick: its crop, and the further inputs that its card names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import moderngl
import numpy as np
import numpy.typing as npt

from kfx.neural import aligned
from kfx.neural.aligned import Affine
from kfx.neural.card import Card, knob_name
from kfx.neural.session import Given
from kfx.params import Value
from kfx.render.crop import Crop
from kfx.render.pictures import load_picture
from kfx.types import Face, Tick

Grey = npt.NDArray[np.uint8]


class Inputs:
    """``of`` makes what one run is given, for a net whose pictures are of `size`."""

    def __init__(
        self, card: Card, frame: tuple[int, int], size: tuple[int, int], crop: Crop
    ) -> None:
        self._card, self._frame, self._size, self._crop = card, frame, size, crop
        self._person = any(port.source == "person" for port in card.role("mask"))
        self._second: tuple[Value, npt.NDArray[np.uint8] | None] = ("", None)

    def of(
        self,
        canvas: moderngl.Texture,
        tick: Tick,
        face: Face | None,
        to_crop: Affine,
        values: Mapping[str, Value],
    ) -> Given:
        """The crop of `canvas` at `to_crop` and the rest. Raises `KfxError` for a bad picture."""
        card = self._card
        return Given(
            self._crop.read(canvas, aligned.inverse(to_crop), self._size),
            self._picture2(values.get("image2", "")) if card.role("picture2") else None,
            self._mask(tick, face, to_crop) if card.role("mask") else None,
            aligned.landmarks(face, to_crop, self._size)
            if card.role("landmarks") and face
            else None,
            tick.time,
            tick.beat,
            {
                port.name: float(values[knob_name(port.name)])  # type: ignore[arg-type]
                for port in card.role("knob")
            },
        )

    def _mask(self, tick: Tick, face: Face | None, to_crop: Affine) -> Grey:
        if self._person:
            return self._person_mask(tick, to_crop)
        faces = tick.faces if self._card.region == "frame" else (face,)
        return aligned.ovals([one for one in faces if one is not None], to_crop, self._size)

    def _person_mask(self, tick: Tick, to_crop: Affine) -> Grey:
        if tick.matte is None:
            return np.zeros((self._size[1], self._size[0]), np.uint8)
        high, wide = tick.matte.shape
        to_matte = np.array([[wide / self._frame[0]], [high / self._frame[1]]])
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        back = aligned.inverse(to_crop) * to_matte
        return np.asarray(cv2.warpAffine(tick.matte, back, self._size, flags=way), np.uint8)

    def _picture2(self, path: Value) -> npt.NDArray[np.uint8] | None:
        """The second picture at the net's size; None, the picture itself, without a file."""
        if not path:
            return None
        if self._second[0] != path:
            small = cv2.resize(load_picture(Path(str(path))), self._size)
            self._second = (path, np.asarray(small, np.uint8))
        return self._second[1]
