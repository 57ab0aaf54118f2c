"""Measures what effects and presets cost to draw, beside a bare copy pass of the same run.

An effect's time is that of its own drawing: motion, G-buffer and passes, without upload and
read-back, which every chain pays once. A preset's time is all of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from kfx import clock, effects, presets, sources
from kfx.engine.look.chain import Chain
from kfx.engine.ticks import Ticks
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.types import Pixels, Tick

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
_COPY = """
uniform sampler2D image;
in vec2 isf_FragNormCoord;
out vec4 colour;
void main() { colour = texture(image, isf_FragNormCoord); }
"""


class CopyPass:
    """One bare full-frame pass: a bilinear read and a write of every pixel."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._textures = [gpu.acquire(size), gpu.acquire(size)]
        self._program = gpu.program(_COPY)
        self._array = gpu.ctx.vertex_array(self._program, [])

    def __call__(self) -> None:
        self._textures[0].use(0)
        self._gpu.linear.use(0)
        self._gpu.fill(self._array, self._gpu.target(self._textures[1]))
        self._gpu.finish()

    def upload(self, pixels: Pixels) -> None:
        """Give it a picture to copy."""
        self._textures[0].write(np.ascontiguousarray(pixels))

    def read_into(self, out: Pixels) -> None:
        """Read the copy back."""
        self._gpu.target(self._textures[1]).read_into(out, components=4)

    def release(self) -> None:
        """Give everything back."""
        for texture in self._textures:
            self._gpu.release(texture)
        self._array.release()
        self._program.release()


def measure(
    size: tuple[int, int],
    *,
    effect_names: Iterable[str],
    preset_names: Iterable[str],
    frames: int,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Median ms of each effect and preset on the performer, and its ratio to a copy pass.

    The copies are measured in turn with what they are compared to, frame by frame, so that a
    noisy machine disturbs both alike. `frames` are drawn after a warm-up of five.
    """
    rate = Fraction(30)
    with sources.open("performer", size=size, stop_s=(frames + 5) / rate) as source:
        plates = list(source.frames())
    ticks = Ticks()
    shown = [ticks.tick(plate, plate.truth or ()) for plate in plates]
    result: dict[str, Any] = {"effects": {}, "presets": {}}
    with Gpu() as gpu:
        result["renderer"] = gpu.renderer
        result["copy_ms"] = {name: round(_copy_ms(gpu, SIZES[name]), 3) for name in SIZES}
        for name in effect_names:
            progress(name)
            preset = presets.alone(effects.find(name))
            result["effects"][name] = _timed(gpu, preset, size, shown, whole=False)
        for name in preset_names:
            progress(name)
            result["presets"][name] = _timed(gpu, presets.load(name), size, shown, whole=True)
    return result


def _copy_ms(gpu: Gpu, size: tuple[int, int], rounds: int = 40) -> float:
    copy = CopyPass(gpu, size)
    samples = [_seconds(copy) for _ in range(rounds)]
    copy.release()
    return 1000 * statistics.median(samples[5:])


def _timed(
    gpu: Gpu, preset: Preset, size: tuple[int, int], ticks: list[Tick], *, whole: bool
) -> dict[str, float]:
    copy = CopyPass(gpu, size)
    own, copies = [], []
    with Chain(gpu, preset, size) as chain:

        def draw(tick: Tick) -> None:
            chain.draw(tick)
            gpu.finish()

        for tick in ticks:
            copies.append(_seconds(copy))
            if whole:
                own.append(_seconds(chain.render, tick))
            else:
                chain.upload(tick)
                gpu.finish()
                own.append(_seconds(draw, tick))
    copy.release()
    ms, copy_ms = (1000 * statistics.median(samples[5:]) for samples in (own, copies))
    return {"ms": round(ms, 3), "copies": round(ms / copy_ms, 3)}


def _seconds(work: Callable[..., Any], *arguments: Any) -> float:
    start = clock.now()
    work(*arguments)
    return clock.now() - start
