"""The results of a net that are on show: an older and a newer one for each face, as textures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import moderngl
import numpy as np
import numpy.typing as npt

from kfx.neural import flow
from kfx.neural.aligned import Affine
from kfx.neural.card import Card
from kfx.render.gpu import Gpu
from kfx.render.reflow import Flow, Reflow, Whole
from kfx.render.reproject import LOW, Reprojector, Result, Shift
from kfx.types import Face


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Two results of one slot, and the jobs they are of; `since` is when the newer one came.

    `step` corrects the older one's landmarks as seen from the newer one, see `kfx.neural.refine`;
    of whole frames it is the flow from the newer one back to the older.
    """

    older: Result | Whole
    newer: Result | Whole
    older_of: Any
    newer_of: Any
    since: float
    step: npt.NDArray[np.float32] | None = None

    def scaled(self, x: float, y: float, frame: tuple[int, int]) -> Shown:
        """As of the same frames at another size, `frame`; it takes over the textures."""
        small, step = flow.small_size(frame), self.step
        older, newer = self.older, self.newer
        if isinstance(older, Result) and isinstance(newer, Result):
            alone = older is newer
            newer = newer.scaled(x, y)
            older = newer if alone else older.scaled(x, y)
            step = None if step is None else step * np.array((x, y), np.float32)
        elif step is not None:
            step = np.asarray(cv2.resize(step, small), np.float32)
        older_of, newer_of = (one.scaled(x, y, small) for one in (self.older_of, self.newer_of))
        return Shown(older, newer, older_of, newer_of, self.since, step)


class Slots:
    """Owns the textures of all results. `low` is a scratch texture for the light of now."""

    def __init__(self, gpu: Gpu, frame: tuple[int, int], card: Card) -> None:
        self._gpu, self._frame = gpu, frame
        self._whole = card.region == "frame"
        self._faces = None if self._whole else Reprojector(gpu, frame, card.region, edge=card.edge)
        self._frames = Reflow(gpu) if self._whole else None
        self._change = card.stick == "change" and card.kind != "matte"
        self._shown: dict[int, Shown] = {}
        self.low = gpu.acquire(LOW)

    def release(self) -> None:
        """Give everything back."""
        self.forget()
        self._gpu.release(self.low)
        for thing in (self._faces, self._frames):
            if thing is not None:
                thing.release()

    def inherit(self, old: Slots) -> None:
        """Take over the results of the same net for the same frames at another size."""
        self.forget()
        (width, height), (old_width, old_height) = self._frame, old._frame
        x, y = width / old_width, height / old_height
        self._shown = {slot: one.scaled(x, y, self._frame) for slot, one in old._shown.items()}
        old._shown.clear()

    def shown(self, slot: int) -> Shown | None:
        """What there is for a slot."""
        return self._shown.get(slot)

    def forget(self) -> None:
        """Nothing is shown any more."""
        for slot in list(self._shown):
            self._drop(slot)

    def keep(self, slots: set[int]) -> None:
        """Forget all other slots."""
        for slot in self._shown.keys() - slots:
            self._drop(slot)

    def add(
        self,
        slot: int,
        ask: Any,
        job: Any,
        picture: npt.NDArray[Any],
        time: float,
        step: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """A new result of a slot; the newer one becomes the older."""
        height, width = picture.shape[:2]
        halves = picture.dtype == np.float16
        image = self._gpu.acquire((width, height), dtype="f2" if halves else "f1")
        image.write(np.ascontiguousarray(picture))
        low = job.lows.get(slot) or self._gpu.acquire(LOW)
        new: Result | Whole
        if self._faces is not None:
            to_crop = ask.to_crop / np.array(ask.given.picture.shape[1::-1], np.float64)[:, None]
            new = self._faces.keep(ask.face, to_crop, image, low, change=self._change)
        else:
            new = Whole(image, low, self._change)
        before = self._shown.get(slot)
        if before is None:
            self._shown[slot] = Shown(new, new, job, job, time)
            return
        if before.older is not before.newer:
            self._give_back(before.older)
        self._shown[slot] = Shown(before.newer, new, before.newer_of, job, time, step)

    def _drop(self, slot: int) -> None:
        one = self._shown.pop(slot)
        self._give_back(one.newer)
        if one.older is not one.newer:
            self._give_back(one.older)

    def _give_back(self, result: Result | Whole) -> None:
        self._gpu.release(result.image)
        self._gpu.release(result.low)

    def draw_face(
        self,
        canvas: moderngl.Texture,
        plate: moderngl.Texture,
        face: Face,
        one: Shown,
        *,
        fade: float,
        to_crop: Affine,
        shifts: tuple[Shift | None, Shift | None],
        amount: float,
        light: float,
        feather_iod: float,
    ) -> None:
        """Draw a face's results over `canvas`, see `Reprojector.draw`."""
        assert self._faces is not None
        assert isinstance(one.older, Result)
        assert isinstance(one.newer, Result)
        self._faces.draw(
            canvas,
            plate,
            face,
            one.older,
            one.newer,
            fade=fade,
            low=self.low,
            to_crop=to_crop,
            shifts=shifts,
            amount=amount,
            light=light,
            feather_iod=feather_iod,
        )

    def draw_frame(
        self,
        target: moderngl.Texture,
        plate: moderngl.Texture,
        one: Shown,
        *,
        flows: tuple[Flow | None, Flow | None],
        fade: float,
        amount: float,
        light: float,
    ) -> None:
        """Draw a frame's results, see `Reflow.draw`."""
        assert self._frames is not None
        assert isinstance(one.older, Whole)
        assert isinstance(one.newer, Whole)
        self._frames.draw(
            target,
            plate,
            one.older,
            one.newer,
            flows=flows,
            low=self.low,
            fade=fade,
            amount=amount,
            light=light,
        )
