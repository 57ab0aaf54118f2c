"""Draws what was computed from an earlier frame over the whole present one, by optical flow."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np
import numpy.typing as npt

from kfx.render.gpu import Gpu
from kfx.render.reproject_glsl import LOWEST_LIGHT

Flow = npt.NDArray[np.float32]
"""(h, w, 3), top row first: where each point was then less where it is now, in shares of the
picture's width and height, y down; and how sure that is, 0..1.
"""

GRID = (32, 18)  # cells: how light has changed is told at their corners, as coarsely as it is known
_VERTEX = """
uniform sampler2D old_low;
uniform sampler2D new_low;
uniform sampler2D low;
uniform sampler2D old_flow;
uniform sampler2D new_flow;
uniform float light;
out vec2 v_at;    // shares of the picture, y down
out vec3 v_old;   // how the light has changed since
out vec3 v_new;
vec3 shone(sampler2D low_then, sampler2D flow) {
    vec2 then = v_at + textureLod(flow, v_at, 0.0).rg;
    vec3 now = textureLod(low, v_at, 0.0).rgb;
    vec3 gain = (now + FLOOR) / (textureLod(low_then, then, 0.0).rgb + FLOOR);
    return mix(vec3(1.0), clamp(gain, 0.4, 2.5), light);
}
void main() {
    int cell = gl_VertexID / 6, corner = gl_VertexID % 6;
    bool right = corner == 1 || corner == 3 || corner == 4, below = corner == 2 || corner > 3;
    vec2 place = vec2(cell % COLUMNS, cell / COLUMNS) + vec2(right, below);
    v_at = place / vec2(COLUMNS, ROWS);
    v_old = shone(old_low, old_flow);
    v_new = shone(new_low, new_flow);
    gl_Position = vec4(v_at.x * 2.0 - 1.0, 1.0 - v_at.y * 2.0, 0.0, 1.0);
}
""".replace("FLOOR", str(LOWEST_LIGHT))
_VERTEX = _VERTEX.replace("COLUMNS", str(GRID[0])).replace("ROWS", str(GRID[1]))
_FRAGMENT = """
in vec2 v_at;
in vec3 v_old;
in vec3 v_new;
uniform sampler2D plate;
uniform sampler2D old_result;
uniform sampler2D new_result;
uniform sampler2D old_flow;
uniform sampler2D new_flow;
uniform float fade;
uniform float keep;
uniform float amount;
out vec4 colour;
vec4 taken(sampler2D result, sampler2D flow, vec3 gain) {
    vec3 f = texture(flow, v_at).rgb;
    return texture(result, v_at + f.xy) * vec4(gain, f.z);
}
void main() {
    vec4 under = texelFetch(plate, ivec2(gl_FragCoord.xy), 0);
    vec4 newer = taken(new_result, new_flow, v_new);
    if (fade < 1.0) newer = mix(taken(old_result, old_flow, v_old), newer, fade);
    vec3 over = clamp(under.rgb * keep + newer.rgb, 0.0, 1.0);
    colour = vec4(mix(under.rgb, over, newer.a * amount), under.a);
}
"""
_NAMES = (
    *("plate", "old_result", "new_result", "old_low", "new_low", "low", "old_flow", "new_flow"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What a net made of a whole frame. With `change` the image is what is added to the plate."""

    image: moderngl.Texture
    low: moderngl.Texture
    change: bool


class Reflow:
    """Draws results of whole frames into pictures of one size."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._program = gpu.program(_FRAGMENT, vertex=_VERTEX)
        self._array = gpu.ctx.vertex_array(self._program, [])
        for i, name in enumerate(_NAMES):
            self._program[name].value = i
        self._flows: list[moderngl.Texture | None] = [None, None]
        self._tables: list[Flow | None] = [None, None]
        still = np.array([0.0, 0.0, 1.0, 1.0], np.float32)
        self._still = gpu.ctx.texture((1, 1), 4, still.tobytes(), dtype="f4")

    def release(self) -> None:
        """Give everything back."""
        for flow in self._flows:
            if flow is not None:
                self._gpu.release(flow)
        self._flows = [None, None]
        for thing in (self._array, self._program, self._still):
            thing.release()

    def draw(
        self,
        target: moderngl.Texture,
        plate: moderngl.Texture,
        older: Whole,
        newer: Whole,
        *,
        flows: tuple[Flow | None, Flow | None],
        low: moderngl.Texture,
        fade: float,
        amount: float,
        light: float,
    ) -> None:
        """Draw the whole of `target` from `plate`; None for a flow means that nothing has moved."""
        moved = [self._flow(i, flow) for i, flow in enumerate(flows)]
        for name, value in (
            ("fade", fade),
            ("keep", float(newer.change)),
            ("light", light),
            ("amount", amount),
        ):
            self._program[name].value = value
        textures = (plate, older.image, newer.image, older.low, newer.low, low, *moved)
        for i, texture in enumerate(textures):
            texture.use(i)
            (self._gpu.linear if i else self._gpu.nearest).use(i)
        framebuffer = self._gpu.target(target)
        framebuffer.use()
        framebuffer.viewport = (0, 0, *framebuffer.size)
        framebuffer.scissor = None
        self._array.render(moderngl.TRIANGLES, vertices=6 * GRID[0] * GRID[1])

    def _flow(self, place: int, flow: Flow | None) -> moderngl.Texture:
        if flow is None:
            return self._still
        height, width = flow.shape[:2]
        texture = self._flows[place]
        if texture is None or texture.size != (width, height):
            if texture is not None:
                self._gpu.release(texture)
            texture = self._flows[place] = self._gpu.acquire((width, height), dtype="f4")
        table = self._tables[place]
        if table is None or table.shape[:2] != (height, width):
            table = self._tables[place] = np.ones((height, width, 4), np.float32)
        table[..., :3] = flow
        texture.write(table)
        return texture
