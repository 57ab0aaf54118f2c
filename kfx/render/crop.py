"""Cuts small pictures out of a texture, turned and scaled, and brings them to the CPU."""

from __future__ import annotations

from math import ceil

import moderngl
import numpy as np
import numpy.typing as npt

from kfx.render.gpu import Gpu

MOST_TAPS = 5  # along each axis; bilinear reads, so a tap covers two pixels
_FRAGMENT = """
uniform sampler2D picture;
uniform mat3x2 to_frame;  // crop pixels to frame pixels, y down in both
uniform vec2 frame;
uniform int taps;
out vec4 colour;
void main() {
    vec4 sum = vec4(0.0);
    for (int j = 0; j < taps; j++)
        for (int i = 0; i < taps; i++) {
            vec2 at = floor(gl_FragCoord.xy) + (vec2(i, j) + 0.5) / float(taps);
            vec2 p = to_frame * vec3(at, 1.0);
            sum += texture(picture, vec2(p.x, frame.y - p.y) / frame);
        }
    colour = sum / float(taps * taps);
}
"""


class Crop:
    """Draws crops of pictures of one size. Crops lie top row first in their textures."""

    def __init__(self, gpu: Gpu, frame: tuple[int, int]) -> None:
        self._gpu = gpu
        self._program = gpu.program(_FRAGMENT)
        self._array = gpu.ctx.vertex_array(self._program, [])
        self._program["frame"].value = frame
        self._scratch: dict[tuple[int, int], moderngl.Texture] = {}

    def release(self) -> None:
        """Give textures and program back."""
        for texture in self._scratch.values():
            self._gpu.release(texture)
        self._scratch.clear()
        self._array.release()
        self._program.release()

    def draw(
        self,
        picture: moderngl.Texture,
        to_frame: npt.NDArray[np.float64],
        into: moderngl.Texture,
    ) -> None:
        """Fill `into` with what lies at `to_frame`, (2, 3), its pixels → frame pixels."""
        scale = float(np.sqrt(abs(np.linalg.det(to_frame[:, :2]))))
        self._program["to_frame"].value = tuple(to_frame.T.ravel().tolist())
        self._program["taps"].value = int(min(MOST_TAPS, max(1, ceil(scale / 2 + 0.49))))
        picture.use(0)
        self._gpu.linear.use(0)
        self._gpu.fill(self._array, self._gpu.target(into))

    def read(
        self,
        picture: moderngl.Texture,
        to_frame: npt.NDArray[np.float64],
        size: tuple[int, int],
    ) -> npt.NDArray[np.uint8]:
        """The same as an array (h, w, 4), top row first."""
        if size not in self._scratch:
            self._scratch[size] = self._gpu.acquire(size)
        texture = self._scratch[size]
        self.draw(picture, to_frame, texture)
        self._gpu.finish()
        out = np.empty((size[1], size[0], 4), np.uint8)
        self._gpu.target(texture).read_into(out, components=4)
        return out
