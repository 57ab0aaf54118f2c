"""Small ISF files for tests, and a player that draws them frame by frame."""

import json

import numpy as np

from kfx.render import isf
from kfx.render.isf_program import Program, automatic_values
from tests.faces import picture

SIZE = (320, 180)
PIXELS = picture(*SIZE)
INPUT = {"NAME": "inputImage", "TYPE": "image"}
GREEN = (0, 255, 0, 255)


def write(folder, body, *inputs, name="test.fs", plate=True, **header):
    """A filter (or, without the plate, a generator) with these inputs and header keys."""
    header["INPUTS"] = [INPUT, *inputs] if plate else list(inputs)
    path = folder / name
    path.write_text(f"/*{json.dumps(header)}*/\n{body}", encoding="utf-8")
    return path


class Player:
    """Draws a shader over `PIXELS`, one frame after the other, as a chain would."""

    def __init__(self, gpu, path, size=SIZE):
        self.gpu = gpu
        self.size = size
        self.shader = isf.load(path) if not isinstance(path, isf.Shader) else path
        self.program = Program(gpu, self.shader, size)
        self.canvas = gpu.acquire(size)
        self.plate = gpu.acquire(size)
        self.index = 0
        self.show(PIXELS if size == SIZE else picture(*size))

    def show(self, pixels):
        """The picture that goes in from now on: an array, or one colour."""
        if isinstance(pixels, tuple):
            pixels = np.full((self.size[1], self.size[0], 4), pixels, np.uint8)
        self.gpu.upload(self.plate, pixels, np.empty_like(pixels))

    def frame(self, boxes=None, images=None, **values):
        knobs = {k: v.default for k, v in self.shader.knobs.items() if k not in ("mix", "seed")}
        automatic = automatic_values(self.index, self.index / 30, 1 / 30)
        self.gpu.copy(self.plate, self.canvas)
        self.program.draw(
            self.canvas,
            {"inputImage": self.plate, **(images or {})},
            {**automatic, **knobs, "kfx_mix": 1.0, **values},
            boxes,
        )
        self.index += 1
        data = self.gpu.target(self.canvas).read(components=4)
        return np.frombuffer(data, np.uint8).reshape(self.size[1], self.size[0], 4)[::-1]

    def colour(self, x=0.5, y=0.5, **values):
        """The next frame's colour at x, y (0..1, y up)."""
        shown = self.frame(**values)
        column, row = int(x * self.size[0]), self.size[1] - 1 - int(y * self.size[1])
        return tuple(int(one) for one in shown[row, column])
