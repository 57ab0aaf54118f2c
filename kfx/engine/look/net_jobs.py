"""What a net is asked at a tick: the crops of its faces, or the whole frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import moderngl
import numpy as np
import numpy.typing as npt

from kfx.engine.look.net_inputs import Inputs
from kfx.neural import aligned, flow, refine, session
from kfx.neural.aligned import Affine
from kfx.neural.card import Card
from kfx.params import Value
from kfx.render.crop import Crop
from kfx.render.gpu import Gpu
from kfx.render.reproject import LOW
from kfx.types import Face, Matte, Tick

FRAME = -1  # the slot of a net that sees whole frames


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One run of the net: what it is given, and from which face in which crop."""

    slot: int
    face: Face | None
    to_crop: Affine
    given: session.Given


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What is computed at once: all faces of a tick, or its frame."""

    time: float
    asks: tuple[Ask, ...]
    knobs: Mapping[str, Value]
    cut: bool  # states start anew
    epoch: int
    lows: Mapping[int, moderngl.Texture] = field(default_factory=dict)
    views: Mapping[int, refine.View] = field(default_factory=dict)
    grey: npt.NDArray[np.uint8] | None = None
    person: Matte | None = None

    def scaled(self, x: float, y: float, small: tuple[int, int]) -> Job:
        """As seen at another size of frames, whose small copies are of the size `small`."""
        views = {slot: view.scaled(x, y) for slot, view in self.views.items()}
        grey = None if self.grey is None else np.asarray(cv2.resize(self.grey, small), np.uint8)
        return replace(self, views=views, grey=grey)


class Asking:
    """Makes jobs. With `exact` they hold only what the net wants, nothing to carry it on by."""

    def __init__(
        self, gpu: Gpu, card: Card, frame: tuple[int, int], size: tuple[int, int], *, exact: bool
    ) -> None:
        self._gpu, self._card, self._frame, self._size = gpu, card, frame, size
        self._exact = exact
        self._inputs = Inputs(card, frame, size, crop := Crop(gpu, frame))
        self._crop = crop
        self._small = flow.small_size(frame)
        self._viewed: Tick | None = None
        self._views: dict[int, refine.View] = {}

    def release(self) -> None:
        self._crop.release()

    def job(
        self,
        canvas: moderngl.Texture,
        tick: Tick,
        faces: Sequence[Face],
        values: Mapping[str, Value],
        *,
        cut: bool,
        epoch: int,
    ) -> Job:
        """What the net is given of `canvas`. Its `lows` go back to the pool when it is dropped."""
        card, whole = self._card, self._card.region == "frame"
        lows: dict[int, moderngl.Texture] = {}
        views: dict[int, refine.View] = {}
        crops: list[tuple[int, Face | None, Affine]]
        if whole:
            largest = max(faces, key=lambda f: f.iod, default=None)
            crops = [(FRAME, largest, aligned.whole(self._frame, self._size))]
        else:
            crops = [
                (face.slot, face, aligned.crop(face, card.region, self._size, card.margin))
                for face in faces
            ]
        if not self._exact:
            for slot, face, _ in crops:
                lows[slot] = self._gpu.acquire(LOW)
                self.low(canvas, None if whole else face, lows[slot])
                if face is not None and not whole:
                    views[slot] = self.view(canvas, face, tick)
        grey = self.grey(canvas) if whole and not self._exact else None
        asks = tuple(
            Ask(slot, face, to_crop, self._inputs.of(canvas, tick, face, to_crop, values))
            for slot, face, to_crop in crops
        )
        return Job(tick.time, asks, dict(values), cut, epoch, lows, views, grey, tick.matte)

    def low(
        self, canvas: moderngl.Texture, face: Face | None, into: moderngl.Texture | None
    ) -> Affine:
        """The light of a face's crop, or of the frame; frame pixels → its pixels."""
        if face is None:
            to_crop = aligned.whole(self._frame, LOW)
        else:
            to_crop = aligned.crop(face, self._card.region, LOW, self._card.margin)
        if into is not None:
            self._crop.draw(canvas, aligned.inverse(to_crop), into)
        return to_crop

    def view(self, canvas: moderngl.Texture, face: Face, tick: Tick) -> refine.View:
        """A face as flow sees it, once a tick."""
        if self._viewed is not tick:
            self._viewed, self._views = tick, {}
        if face.slot not in self._views:
            self._views[face.slot] = self._view(canvas, face, tick)
        return self._views[face.slot]

    def _view(self, canvas: moderngl.Texture, face: Face, tick: Tick) -> refine.View:
        to_crop = aligned.crop(face, "face", refine.SIZE, refine.MARGIN)
        if any(face.landmarks is one.landmarks for one in tick.faces):
            # Where no effect has moved it a face lies in the plate, as the tracker saw it: no
            # reading back from the GPU, and no look's flashes and grain.
            grey = flow.cut(tick.frame.pixels, to_crop, refine.SIZE)
        else:
            grey = flow.grey(self._crop.read(canvas, aligned.inverse(to_crop), refine.SIZE))
        return refine.View.of(face, grey, to_crop)

    def grey(self, canvas: moderngl.Texture) -> npt.NDArray[np.uint8]:
        """The frame as flow sees it."""
        to_small = aligned.inverse(aligned.whole(self._frame, self._small))
        return flow.grey(self._crop.read(canvas, to_small, self._small))
