"""The one warp: draws each face's mesh from where it is to where motion effects drive it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import moderngl
import numpy as np

from kfx.render import facemesh
from kfx.render.gpu import Box, Gpu
from kfx.types import Face, Landmarks

NO_LIGHTS: Mapping[int, facemesh.Array] = MappingProxyType({})
_VERTEX = """
in vec2 position;  // driven, pixels with y down
in vec2 source;
in float light;
uniform vec2 size;
out vec2 from;
out float lit;
void main() {
    lit = light;
    from = vec2(source.x, size.y - source.y) / size;
    vec2 p = position / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
"""
# Catmull-Rom, corner terms left out and the rest renormalised: a moved face keeps its pores.
# Twelve exact reads cost llvmpipe a quarter less than the usual five bilinear ones, and a sixth
# less through a sampler than by texelFetch.
SHARP = """
in vec2 from;
uniform sampler2D plate;
uniform vec2 size;
out vec4 colour;
vec2 corner, texel;
vec4 at(int x, int y) { return texture(plate, corner + texel * vec2(x, y)); }
void main() {
    vec2 p = from * size - 0.5;
    vec2 whole = clamp(floor(p), vec2(1.0), max(size - 3.0, 1.0));
    vec2 f = clamp(p - whole, 0.0, 1.0);
    texel = 1.0 / size;
    corner = (whole + 0.5) * texel;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f));
    vec2 w1 = 1.0 + f * f * (-2.5 + 1.5 * f);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f));
    vec2 w3 = f * f * (-0.5 + 0.5 * f);
    vec4 sum = (at(0, -1) * w1.x + at(1, -1) * w2.x) * w0.y
        + (at(-1, 0) * w0.x + at(0, 0) * w1.x + at(1, 0) * w2.x + at(2, 0) * w3.x) * w1.y
        + (at(-1, 1) * w0.x + at(0, 1) * w1.x + at(1, 1) * w2.x + at(2, 1) * w3.x) * w2.y
        + (at(0, 2) * w1.x + at(1, 2) * w2.x) * w3.y;
    vec4 sharp = clamp(sum / ((w1.x + w2.x) * (w0.y + w3.y) + w1.y + w2.y), 0.0, 1.0);
    colour = COLOUR;
}
"""
_FRAGMENT = "in float lit;\n" + SHARP.replace("COLOUR", "vec4(sharp.rgb * lit, sharp.a)")
READ_PX = 3  # how far round a place the plate is read
STILL_PX = 0.02  # a face that moves less is left alone, to the bit


class Warp:
    """Draws driven faces over a picture in place; only their boxes are touched."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        triangles = np.concatenate([facemesh.skin_triangles(), facemesh.ring_triangles()])
        self._triangles = triangles
        self._corners = triangles.T.astype(np.intp)
        # Each vertex: where it is driven, where it is in the plate, its light.
        self._table = np.ones((478 + 36 * len(facemesh.RINGS), 5), np.float32)
        self._vertices = gpu.ctx.buffer(reserve=self._table.nbytes)
        self._indices = gpu.ctx.buffer(reserve=triangles.nbytes)
        self._program = gpu.program(_FRAGMENT, vertex=_VERTEX)
        self._array = gpu.ctx.vertex_array(
            self._program,
            [(self._vertices, "2f 2f 1f", "position", "source", "light")],
            index_buffer=self._indices,
        )
        self._program["size"].value = size

    def release(self) -> None:
        """Give program and buffers back."""
        for thing in (self._array, self._program, self._vertices, self._indices):
            thing.release()

    def draw(
        self,
        canvas: moderngl.Texture,
        plate: moderngl.Texture,
        faces: list[tuple[Face, Landmarks]],
        lights: Mapping[int, facemesh.Array] = NO_LIGHTS,
    ) -> list[Box]:
        """Draw each (face, driven landmarks) into `canvas` as it is there, far faces first.

        `plate` is written over: what is drawn from is kept in it. `lights` (478,) by slot are
        factors on the colours of a face, 1 on its oval. Returns the boxes that changed.
        """
        moves: list[tuple[facemesh.Array, Box, facemesh.Array | None]] = []
        kept: list[Box] = []  # of the plate, with what is read round each box
        for face, driven in sorted(faces, key=lambda one: one[0].iod):
            light = lights.get(face.slot)
            still = float(np.abs(driven[:468, :2] - face.landmarks[:468, :2]).max()) < STILL_PX
            if still and light is None:
                continue
            both = facemesh.with_rings(face.landmarks, driven, face.iod)
            box = facemesh.box_of(both.reshape(-1, 3), 1.0, self._size)
            if box is not None:
                moves.append((both, box, light))
                kept.append(facemesh.wider(box, READ_PX, self._size))
        if not moves:
            return []
        with self._gpu.undone(canvas, plate, kept):
            for i, (both, box, light) in enumerate(moves):
                if any(facemesh.overlap(kept[i], before[1]) for before in moves[:i]):
                    self._gpu.copy(canvas, plate, kept[i])  # the face behind has moved
                self._draw_face(canvas, plate, both, box, light)
        self._gpu.flush()
        return [box for _, box, _ in moves]

    def _draw_face(
        self,
        canvas: moderngl.Texture,
        plate: moderngl.Texture,
        both: facemesh.Array,
        box: Box,
        light: facemesh.Array | None,
    ) -> None:
        source, moved = both
        # What faces away in the plate isn't seen there: drawing it would smear. The rest is
        # drawn from far to near, which costs less than clearing and testing a depth buffer.
        skin = facemesh.skin_triangles()
        facing = np.ones(len(self._triangles), np.bool_)
        facing[: len(skin)] = facemesh.signed_areas(source, skin) > 0
        drawn = np.flatnonzero(facing)
        away = moved[:, 2].take(self._corners, mode="clip").sum(axis=0).take(drawn, mode="clip")
        far_first = drawn.take(np.argsort(-away, kind="stable"), mode="clip")
        triangles = self._triangles.take(far_first, axis=0, mode="clip")
        table = self._table
        table[:, :2], table[:, 2:4] = moved[:, :2], source[:, :2]
        table[:, 4] = 1.0
        if light is not None:
            table[: len(light), 4] = light
        self._vertices.write(table)
        self._indices.write(triangles)
        target = self._gpu.target(canvas)
        target.use()
        target.viewport = (0, 0, *self._size)
        target.scissor = box
        plate.use(0)
        self._gpu.nearest.use(0)
        self._array.render(moderngl.TRIANGLES, vertices=triangles.size)
        target.scissor = None
