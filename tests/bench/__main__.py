"""``make bench``: tracking, drawing and the whole loop on 720p performer frames.

Every figure stands beside a bare baseline that was measured in turn with it, frame by frame, so
that a noisy machine disturbs both alike:

* track  – kfx's tracker, beside a bare FaceMesh call on the same RGB picture
* render – the preset's whole chain, beside one full-frame GL copy with upload and read-back
* loop   – track and render as the live loop does them, beside their sum
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from fractions import Fraction

import cv2
import mediapipe
import numpy as np

from kfx import clock, presets, sources
from kfx.cli.common import quiet_libraries
from kfx.engine.look.chain import Chain
from kfx.engine.ticks import Ticks
from kfx.render.gpu import Gpu
from kfx.tracking.tracker import Tracker
from kfx.types import Frame

_COPY = """
uniform sampler2D image;
out vec4 colour;
in vec2 isf_FragNormCoord;
void main() { colour = texture(image, isf_FragNormCoord); }
"""


class BareCopy:
    """One full-frame GL pass with upload and read-back: what any GL program pays at least."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._from, self._to = gpu.ctx.texture(size, 4), gpu.ctx.texture(size, 4)
        self._target = gpu.ctx.framebuffer([self._to])
        self._array = gpu.ctx.vertex_array(gpu.program(_COPY), [])
        self._out = np.empty((size[1], size[0], 4), np.uint8)

    def __call__(self, frame: Frame) -> None:
        self._from.write(np.ascontiguousarray(frame.pixels))
        self._from.use(0)
        self._gpu.nearest.use(0)
        self._gpu.fill(self._array, self._target)
        self._target.read_into(self._out, components=4)


def measure(preset_name: str, size: tuple[int, int], frames: int, rounds: int) -> dict:
    """Medians in ms over `rounds` times `frames` frames, and their ratios."""
    rate = Fraction(30)
    with sources.open("performer", size=size, rate=rate, stop_s=frames / rate) as source:
        plates = list(source.frames())
    preset = presets.load(preset_name)
    times: dict[str, list[float]] = {
        name: [] for name in ("bare_track", "track", "bare_copy", "render", "loop")
    }

    def timed(name: str, work, *arguments):
        start = clock.now()
        result = work(*arguments)
        times[name].append(clock.now() - start)
        return result

    mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
    with (
        mesh,
        Gpu() as gpu,
        Chain(gpu, preset, size) as apart,
        Chain(gpu, preset, size) as together,
        Tracker() as tracker,
        Tracker() as loop_tracker,
    ):
        copy = BareCopy(gpu, size)
        ticks, loop_ticks = Ticks(), Ticks()

        def loop(frame: Frame) -> None:
            together.render(loop_ticks.tick(frame, loop_tracker.track(frame)))

        for turn in range(rounds + 1):
            if turn == 1:  # the first round warmed everything up
                for samples in times.values():
                    samples.clear()
            for i, plate in enumerate(plates):
                index = turn * len(plates) + i
                frame = Frame(plate.pixels, index, Fraction(index) / rate, 0.0)
                rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
                timed("bare_track", mesh.process, rgb)
                faces = timed("track", tracker.track, frame)
                timed("bare_copy", copy, frame)
                timed("render", apart.render, ticks.tick(frame, faces))
                timed("loop", loop, frame)
        median = {name: 1000 * statistics.median(samples) for name, samples in times.items()}
        return {
            "renderer": gpu.renderer,
            "preset": preset_name,
            "size": list(size),
            "frames": frames * rounds,
            **{f"{name}_ms": round(value, 3) for name, value in median.items()},
            "track_ratio": round(median["track"] / median["bare_track"], 3),
            "render_copies": round(median["render"] / median["bare_copy"], 3),
            "loop_ratio": round(median["loop"] / (median["track"] + median["render"]), 3),
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--preset", default="supernova")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size = sources.parse_size(options.size, "--size")
    with quiet_libraries():
        result = measure(options.preset, size, options.frames, options.rounds)
    if options.json:
        print(json.dumps(result))
        return 0
    print(
        f"{result['preset']} on the performer, {options.size}, {result['renderer']}\n"
        f"  track   {result['track_ms']:7.2f} ms   bare FaceMesh call      "
        f"{result['bare_track_ms']:7.2f} ms   ratio {result['track_ratio']:.2f}\n"
        f"  render  {result['render_ms']:7.2f} ms   bare copy up, draw, down "
        f"{result['bare_copy_ms']:6.2f} ms   ratio {result['render_copies']:.2f}\n"
        f"  loop    {result['loop_ms']:7.2f} ms   track + render          "
        f"{result['track_ms'] + result['render_ms']:7.2f} ms   ratio {result['loop_ratio']:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
