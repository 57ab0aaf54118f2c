"""The one warp: draws each face's mesh from where it is to where motion effects drive it."""

from __future__ import annotations

import moderngl
import numpy as np

from kfx.render import facemesh
from kfx.render.gpu import Box, Gpu
from kfx.types import Face, Landmarks

_VERTEX = """
in vec3 position;  // driven, pixels with y down, z away
in vec2 source;
uniform vec2 size;
uniform vec2 depth;  // nearest z, 1 / range
out vec2 from;
void main() {
    from = vec2(source.x, size.y - source.y) / size;
    vec2 p = position.xy / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, (position.z - depth.x) * depth.y * 1.8 - 0.9, 1.0);
}
"""
# Catmull-Rom in five bilinear reads: a moved face keeps its pores. (Corner terms left out and
# the rest renormalised, the usual shortcut.)
_FRAGMENT = """
in vec2 from;
uniform sampler2D plate;
uniform vec2 size;
out vec4 colour;
void main() {
    vec2 p = from * size;
    vec2 mid = floor(p - 0.5) + 0.5;
    vec2 f = p - mid;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f));
    vec2 w1 = 1.0 + f * f * (-2.5 + 1.5 * f);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f));
    vec2 w3 = f * f * (-0.5 + 0.5 * f);
    vec2 w12 = w1 + w2;
    vec2 t12 = (mid + w2 / w12) / size;
    vec2 t0 = (mid - 1.0) / size;
    vec2 t3 = (mid + 2.0) / size;
    vec4 sum = texture(plate, t12) * (w12.x * w12.y)
        + texture(plate, vec2(t12.x, t0.y)) * (w12.x * w0.y)
        + texture(plate, vec2(t0.x, t12.y)) * (w0.x * w12.y)
        + texture(plate, vec2(t3.x, t12.y)) * (w3.x * w12.y)
        + texture(plate, vec2(t12.x, t3.y)) * (w12.x * w3.y);
    float weight = w12.x * w12.y + w12.x * w0.y + w0.x * w12.y + w3.x * w12.y + w12.x * w3.y;
    colour = clamp(sum / weight, 0.0, 1.0);
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
        self._vertices = gpu.ctx.buffer(reserve=(478 + 36 * len(facemesh.RINGS)) * 20)
        self._indices = gpu.ctx.buffer(reserve=triangles.nbytes)
        self._program = gpu.program(_FRAGMENT, vertex=_VERTEX)
        self._array = gpu.ctx.vertex_array(
            self._program,
            [(self._vertices, "3f 2f", "position", "source")],
            index_buffer=self._indices,
        )
        self._program["size"].value = size
        self._depth = gpu.ctx.depth_renderbuffer(size)
        self._depth_only = gpu.ctx.framebuffer(depth_attachment=self._depth)
        self._targets: dict[int, moderngl.Framebuffer] = {}

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
        # What faces away in the plate isn't seen there: drawing it would smear.
        facing = facemesh.signed_areas(source, self._triangles) > 0
        facing[len(facemesh.skin_triangles()) :] = True
        triangles = np.ascontiguousarray(self._triangles[facing])
        self._vertices.write(np.hstack([moved, source[:, :2]]).astype(np.float32))
        self._indices.write(triangles)
        near, far = float(moved[:, 2].min()), float(moved[:, 2].max())
        self._program["depth"].value = (near, 1.0 / max(1.0, far - near))
        if canvas.glo not in self._targets:
            self._targets[canvas.glo] = self._gpu.ctx.framebuffer([canvas], self._depth)
        self._depth_only.clear(depth=1.0, viewport=box)
        target = self._targets[canvas.glo]
        target.use()
        target.viewport = (0, 0, *self._size)
        target.scissor = box
        self._gpu.ctx.enable_only(moderngl.DEPTH_TEST)
        plate.use(0)
        self._gpu.linear.use(0)
        self._array.render(moderngl.TRIANGLES, vertices=triangles.size)
        self._gpu.ctx.enable_only(moderngl.NOTHING)
        target.scissor = None
