"""Draws what the motion effects of a chain have driven: the warp, and pictures that are held."""

from __future__ import annotations

import moderngl

from kfx.engine.look.motions import Motions
from kfx.render.gpu import Gpu
from kfx.render.held import Held
from kfx.render.warp import Warp
from kfx.types import Face, Landmarks, Pixels


class Warping:
    """Empty where there is no motion effect."""

    def __init__(self, gpu: Gpu, size: tuple[int, int], motions: Motions) -> None:
        self._motions = motions
        self._warp = Warp(gpu, size) if motions else None
        self._held = Held(gpu, size) if motions.pictures else None

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
        scene, lights = self._motions.scene, self._motions.lights
        held = {} if scene is None else scene.placed
        live = [one for one in driven if one[0].slot not in held]
        plate: Pixels | None = self._motions.plate
        if live and self._warp.draw(canvas, spare, live, lights):
            plate = None  # isn't on the canvas any more
        if self._held is None:
            return False
        layers = self._motions.layers(driven)
        self._held.forget(scene, [one for one, _, _ in layers])
        done = False
        if scene is not None:
            still = [one for one in driven if one[0].slot in held]
            mix = self._motions.scene_mix
            done = self._held.draw(canvas, spare, scene, still, mix, plate=plate, lights=lights)
        if layers:
            self._held.lay_over(spare if done else canvas, layers)
        return done
