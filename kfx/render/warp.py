"""The one warp: draws each face's mesh from where it is to where motion effects drive it."""

from __future__ import annotations

import moderngl
import numpy as np

from kfx.render import facemesh
from kfx.render.gpu import Box, Gpu
from kfx.types import Face, Landmarks

_VERTEX = """
in vec2 position;  // driven, pixels with y down
in vec2 source;
uniform vec2 size;
out vec2 from;
void main() {
    from = vec2(source.x, size.y - source.y) / size;
    vec2 p = position / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
"""
# Catmull-Rom, corner terms left out and the rest renormalised: a moved face keeps its pores.
# Twelve exact reads cost llvmpipe a quarter less than the usual five bilinear ones.
SHARP = """
in vec2 from;
uniform sampler2D plate;
uniform vec2 size;
out vec4 colour;
ivec2 corner;
vec4 at(int x, int y) { return texelFetch(plate, corner + ivec2(x, y), 0); }
void main() {
    vec2 p = from * size - 0.5;
    vec2 whole = clamp(floor(p), vec2(1.0), max(size - 3.0, 1.0));
    vec2 f = clamp(p - whole, 0.0, 1.0);
    corner = ivec2(whole);
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
STILL_PX = 0.02  # a face that moves less is left alone, to the bit


class Warp:
    """Draws driven faces over a picture in place; only their boxes are touched."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        triangles = np.concatenate([facemesh.skin_triangles(), facemesh.ring_triangles()])
        self._triangles = triangles
        self._vertices = gpu.ctx.buffer(reserve=(478 + 36 * len(facemesh.RINGS)) * 16)
        self._indices = gpu.ctx.buffer(reserve=triangles.nbytes)
        self._program = gpu.program(SHARP.replace("COLOUR", "sharp"), vertex=_VERTEX)
        self._array = gpu.ctx.vertex_array(
            self._program,
            [(self._vertices, "2f 2f", "position", "source")],
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
    ) -> list[Box]:
        """Draw each (face, driven landmarks) from `plate` into `canvas`, far faces first.

        `plate` holds the same picture as `canvas`. Returns the boxes that changed.
        """
        boxes: list[Box] = []
        for face, driven in sorted(faces, key=lambda one: one[0].iod):
            if float(np.abs(driven[:468, :2] - face.landmarks[:468, :2]).max()) < STILL_PX:
                continue
            source, moved = facemesh.with_rings(face.landmarks, driven, face.iod)
            box = facemesh.box_of(np.concatenate([source, moved]), 1.0, self._size)
            if box is None:
                continue
            if any(facemesh.overlap(box, other) for other in boxes):
                self._gpu.copy(canvas, plate)  # the face behind has moved: draw from that
            self._draw_face(canvas, plate, source, moved, box)
            boxes.append(box)
        return boxes

    def _draw_face(
        self,
        canvas: moderngl.Texture,
        plate: moderngl.Texture,
        source: facemesh.Array,
        moved: facemesh.Array,
        box: Box,
    ) -> None:
        # What faces away in the plate isn't seen there: drawing it would smear. The rest is
        # drawn from far to near, which costs less than clearing and testing a depth buffer.
        facing = facemesh.signed_areas(source, self._triangles) > 0
        facing[len(facemesh.skin_triangles()) :] = True
        triangles = self._triangles[facing]
        triangles = triangles[np.argsort(-moved[triangles, 2].sum(axis=1), kind="stable")]
        self._vertices.write(np.hstack([moved[:, :2], source[:, :2]]).astype(np.float32))
        self._indices.write(triangles)
        target = self._gpu.target(canvas)
        target.use()
        target.viewport = (0, 0, *self._size)
        target.scissor = box
        plate.use(0)
        self._array.render(moderngl.TRIANGLES, vertices=triangles.size)
        target.scissor = None
