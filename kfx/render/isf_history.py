"""The last pictures that went into an effect, small, side by side in one texture."""

from __future__ import annotations

import math

import moderngl

from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from kfx.render.stretch import Stretch

# Bilinear reads at four places stand for the area of a pixel that covers up to 4×4.
_SHRINK = """
in vec2 isf_FragNormCoord;
out vec4 colour;
uniform sampler2D source;
uniform vec2 reach;
void main() {
    vec2 p = isf_FragNormCoord;
    vec2 other = vec2(reach.x, -reach.y);
    colour = 0.25 * (texture(source, p + reach) + texture(source, p - reach)
        + texture(source, p + other) + texture(source, p - other));
}
"""


class History:
    """A ring of tiles: `add` a picture each frame, read `texture` with the uniform `grid`."""

    def __init__(self, gpu: Gpu, frames: int, height: int, size: tuple[int, int]) -> None:
        self._gpu = gpu
        height = min(height, size[1])
        width = max(1, round(height * size[0] / size[1]))
        columns = max(1, min(math.ceil(math.sqrt(frames * height / width)), gpu.largest // width))
        rows = math.ceil(frames / columns)
        if rows * height > gpu.largest:
            raise KfxError(
                f"KFX history: {frames} frames of {width}×{height} don't fit this GPU's largest "
                f"texture, {gpu.largest}; ask for fewer or smaller ones"
            )
        self._frames = frames
        self._tile = (width, height)
        self._cells = (columns, rows)
        self._added = 0
        self.texture: moderngl.Texture = gpu.acquire((columns * width, rows * height))
        program = gpu.program(_SHRINK)
        scale = (size[0] / width, size[1] / height)
        reach = tuple(max(0.0, one / 2 - 1) / full for one, full in zip(scale, size, strict=True))
        uniform = program["reach"]
        assert isinstance(uniform, moderngl.Uniform)
        uniform.value = reach
        self._array = gpu.ctx.vertex_array(program, [])

    @property
    def grid(self) -> tuple[float, float, float, float]:
        """Columns, rows, the newest one's place, and how many can be read."""
        cells = self._cells[0] * self._cells[1]
        newest, count = (self._added - 1) % cells, min(self._added, self._frames)
        return float(self._cells[0]), float(self._cells[1]), float(newest), float(count)

    def add(self, picture: moderngl.Texture) -> None:
        """Make `picture` the newest one."""
        row, column = divmod(self._added % (self._cells[0] * self._cells[1]), self._cells[0])
        width, height = self._tile
        picture.use(0)
        (self._gpu.nearest if picture.size == self._tile else self._gpu.linear).use(0)
        self._gpu.fill(
            self._array,
            self._gpu.target(self.texture),
            viewport=(column * width, row * height, width, height),
        )
        self._added += 1

    def inherit(self, old: History) -> None:
        """Show the pictures of a ring of the same shader at another size."""
        if self._cells == old._cells:
            stretch = Stretch(self._gpu)
            stretch(old.texture, self.texture)
            stretch.release()
            self._added = old._added

    def reset(self) -> None:
        """Forget all of them."""
        self._added = 0

    def release(self) -> None:
        self._gpu.release(self.texture)
        self._array.program.release()
        self._array.release()
