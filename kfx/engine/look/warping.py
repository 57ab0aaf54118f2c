"""Draws what the motion effects of a chain have driven: the warp, and pictures that are held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import moderngl

from kfx.engine.look.motions import Motions
from kfx.render.gpu import Gpu
from kfx.render.held import Held
from kfx.render.warp import Warp
from kfx.types import Face, Landmarks


class Warping:
    """Empty where there is no motion effect."""

    def __init__(self, gpu: Gpu, size: tuple[int, int], motions: Motions) -> None:
        self._gpu, self._motions = gpu, motions
        self._warp = Warp(gpu, size) if motions else None
        self._held = Held(gpu, size) if motions.hold else None

    def release(self) -> None:
        for thing in (self._warp, self._held):
            if thing is not None:
                thing.release()
        self._warp = self._held = None

    def draw(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        driven: list[tuple[Face, Landmarks]],
    ) -> bool:
        """Warp `canvas`; True if the result is in `spare` instead."""
        assert self._warp is not None
        scene = self._motions.scene
        held = {} if scene is None else scene.placed
        live = [one for one in driven if one[0].slot not in held]
        if live:
            with undone(self._gpu, canvas, spare):
                self._warp.draw(canvas, spare, live)
        if self._held is None:
            return False
        if scene is None:
            self._held.forget()
            return False
        still = [one for one in driven if one[0].slot in held]
        return self._held.draw(canvas, spare, scene, still, self._motions.scene_mix)


@contextmanager
def undone(gpu: Gpu, canvas: moderngl.Texture, spare: moderngl.Texture) -> Iterator[None]:
    """Copies `canvas` to `spare`, to be read while it is drawn over, and back if that fails."""
    gpu.copy(canvas, spare)
    try:
        yield
    except BaseException:
        gpu.copy(spare, canvas)
        raise
