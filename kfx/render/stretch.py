"""Copies a texture into one of another size."""

from __future__ import annotations

import moderngl

from kfx.render.gpu import Box, Gpu

_FRAGMENT = """
in vec2 isf_FragNormCoord;
out vec4 colour;
uniform sampler2D source;
void main() { colour = texture(source, isf_FragNormCoord); }
"""


class Stretch:
    """``stretch(old, new)``. It is compiled when it is first wanted, which is seldom."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._array: moderngl.VertexArray | None = None

    def __call__(
        self, old: moderngl.Texture, new: moderngl.Texture, into: Box | None = None
    ) -> None:
        """Fill `new`, or a box of it, with `old`."""
        if self._array is None:
            self._array = self._gpu.ctx.vertex_array(self._gpu.program(_FRAGMENT), [])
        old.use(0)
        same = old.size == (into[2:] if into else new.size)
        (self._gpu.nearest if same else self._gpu.linear).use(0)
        self._gpu.fill(self._array, self._gpu.target(new), viewport=into)

    def release(self) -> None:
        if self._array is not None:
            self._array.program.release()
            self._array.release()
            self._array = None
