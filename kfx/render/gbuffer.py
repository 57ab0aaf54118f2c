"""The face G-buffer: UV, normals, motion, part masks and landmarks of all faces as textures.

* ``faceUV``     rg canonical UV · b (slot + 0.5) / 8 · a coverage, feathered at the oval
* ``faceNormal`` rgb normal in camera space, x right, y up, z to the camera · a coverage
* ``faceMotion`` rg how far the surface has moved since the frame before, px, y up · a coverage
* ``faceParts``  r skin · g lips · b eye opening · a inner mouth, edges one pixel soft
* ``faceData``   478×8 floats: landmark i of slot s at (i, s): x, y in pixels (y up), z, presence

Only what the shaders of a chain ask for is drawn, and only inside the box they will read. For those
that read it by position, not by pixel, it is smaller where all faces are large.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np

from kfx.render import facemesh
from kfx.render import gbuffer_mesh as mesh
from kfx.render import gbuffer_skin as skin
from kfx.render.gpu import Box, Gpu
from kfx.render.isf_areas import scaled
from kfx.render.skin_glsl import SKIN_AT, put
from kfx.types import LANDMARK_COUNT, MAX_FACES, Face, Landmarks

JUMP_IOD = 1.0  # what moves further within a frame has not moved: it is another face
COARSE_IOD_PX = ((100.0, 0.4), (80.0, 0.5))
"""Where all faces have so many pixels between the eyes they lose nothing at that scale."""
NAMES = ("faceUV", "faceNormal", "faceMotion", "faceParts")
_DTYPES = {"faceParts": "f1"}

_VERTEX = """
in vec3 position;
in vec3 bend;
in vec2 motion;
in vec2 edges;
in float openness;
in vec2 uv;
in vec4 shut;
in vec4 open;
uniform vec2 size;
uniform vec3 depth;  // nearest z, scale, where this face's share of the depth begins
out vec2 v_uv;
out vec3 v_bend;
out vec2 v_motion;
out vec4 v_parts;
out float v_coverage;
DECLARED
void main() {
    v_uv = uv;
    v_bend = bend;
    v_motion = motion;
    v_parts = mix(shut, open, openness) * vec4(edges.y, 1.0, 1.0, 1.0);
    v_coverage = edges.x;
    SET
    vec2 p = position.xy / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, (position.z - depth.x) * depth.y + depth.z, 1.0);
}
"""
_FRAGMENT = """
in vec2 v_uv;
in vec3 v_bend;
in vec2 v_motion;
in vec4 v_parts;
in float v_coverage;
uniform float slot;
uniform float presence;
uniform mat3 turn;
uniform sampler2D normals;
uniform sampler2D occlusion;
uniform vec2 size;
uniform vec2 texel;  // pixels of the picture to one of these
"""
_WRITE = {
    "faceUV": "vec4(v_uv, slot, coverage)",
    "faceNormal": "vec4(normalize(turn * texture(normals, v_uv).xyz + v_bend), own)",
    "faceMotion": "vec4(v_motion, 0.0, coverage)",
    "faceParts": "v_parts * shown",
}
_MOVING = (("position", 3), ("bend", 3), ("motion", 2), ("edges", 2), ("openness", 1))
_FIXED = (("uv", 2), ("shut", 4), ("open", 4))
_RIM = (("rim", 3),)
WHOLE = 0.999  # coverage from which a triangle needs no look at the picture


@dataclass(slots=True)
class _Program:
    uniforms: dict[str, Any]
    array: moderngl.VertexArray


@dataclass(slots=True)
class _Target:
    """The images at one size."""

    scale: float
    images: dict[str, moderngl.Texture]
    framebuffer: moderngl.Framebuffer | None
    depth: moderngl.Renderbuffer | None
    dirty: Box | None  # where something is drawn


class GBuffer:
    """Textures of the face G-buffer, drawn by `draw` and read by name from `images`."""

    def __init__(
        self,
        gpu: Gpu,
        size: tuple[int, int],
        wanted: Iterable[str],
        *,
        occluded: bool = False,
        edge: str = "mesh",
        coarse: bool = False,
    ) -> None:
        """`occluded` faces lie behind what `draw` is told hides them.

        `coarse` lets the images be smaller while all faces are large and apart.

        With `edge` "skin" coverage goes on over forehead, ears and throat, as far as `draw`'s
        picture shows skin; only ``faceNormal`` keeps that of the mesh.
        """
        self._gpu = gpu
        self._skin = edge == "skin"
        self._occluded = occluded
        self._size = size
        wanted = set(wanted)
        self._names = [name for name in NAMES if name in wanted]
        self._coarse = coarse
        self._targets: dict[float, _Target] = {}
        self._target = self._at(self._scale_for([]))
        self._data = np.zeros((MAX_FACES, LANDMARK_COUNT, 4), np.float32)
        self._landmarks = gpu.acquire((LANDMARK_COUNT, MAX_FACES), dtype="f4")
        self._before: dict[int, Landmarks] = {}  # of each slot, in the frame before
        self._owned: list[Any] = []
        self._programs: list[_Program] = []  # of the mesh, and of where it goes over into skin
        if self._names:
            self._make_program()

    def _make_program(self) -> None:
        ctx = self._gpu.ctx
        outs = "".join(
            f"layout(location = {i}) out vec4 out_{name};\n" for i, name in enumerate(self._names)
        )
        writes = "".join(f"    out_{name} = {_WRITE[name]};\n" for name in self._names)
        seen = ""
        if self._occluded:
            seen = " * (1.0 - texture(occlusion, gl_FragCoord.xy * texel / size).r)"
        body = (
            f"void main() {{\n    float shown = presence{seen};\n"
            f"    float own = v_coverage * shown;\n"
            f"    float coverage = COVERAGE;\n{writes}}}\n"
        )
        layout, triangles = mesh.layout(), facemesh.skin_triangles()
        vertex = put(_VERTEX, DECLARED="", SET="")
        fragment = _FRAGMENT + outs + put(body, COVERAGE="own")
        program = self._gpu.program(fragment, vertex=vertex)
        programs = [program]
        if self._skin:
            layout, triangles = skin.layout(), skin.triangles()
            vertex = put(_VERTEX, DECLARED=skin.VERTEX, SET="go_on();")
            fragment = _FRAGMENT + skin.FRAGMENT + outs + put(body, COVERAGE="covered() * shown")
            programs.append(self._gpu.program(fragment, vertex=vertex))
        self._vertices = ctx.buffer(reserve=len(layout.landmark) * mesh.FLOATS * 4)
        self._indices = ctx.buffer(reserve=triangles.nbytes + layout.overlay.nbytes)
        self._indices.write(layout.overlay)  # never changes; the skin's follow it
        fixed = ctx.buffer(layout.fixed.tobytes())
        buffers: list[tuple[moderngl.Buffer, tuple[tuple[str, int], ...]]]
        buffers = [(self._vertices, _MOVING), (fixed, _FIXED)]
        if self._skin:
            self._rims = ctx.buffer(reserve=len(layout.landmark) * 12)
            self._owned.append(self._rims)
            buffers.append((self._rims, _RIM))
        for one in programs:
            content = [_attributes(one, buffer, fields) for buffer, fields in buffers]
            array = ctx.vertex_array(
                one,
                [some for some in content if len(some) > 2],  # not a buffer that isn't read
                index_buffer=self._indices,
            )
            uniforms = {name: one[name] for name in one}
            self._programs.append(_Program(uniforms, array))
            self._owned += [array, one]
        self._normals: moderngl.Texture | None = None
        if "faceNormal" in self._names:
            texels = mesh.normal_map()
            side = mesh.NORMAL_MAP_PX
            self._normals = ctx.texture((side, side), 4, texels.tobytes(), dtype="f4")
            self._owned.append(self._normals)
        self._owned += [self._vertices, self._indices, fixed]

    @property
    def images(self) -> Mapping[str, moderngl.Texture]:
        """The textures by name, as the last `draw` left them."""
        return {**self._target.images, "faceData": self._landmarks}

    @property
    def scale(self) -> float:
        """How wide the images of the last `draw` are, as a share of the picture's width."""
        return self._target.scale

    def _at(self, scale: float) -> _Target:
        """The images at that share of the picture's size, made when they are first needed."""
        if scale not in self._targets:
            gpu = self._gpu
            size = (math.ceil(self._size[0] * scale), math.ceil(self._size[1] * scale))
            images = {
                name: gpu.acquire(size, dtype=_DTYPES.get(name, "f4")) for name in self._names
            }
            framebuffer, depth = None, None
            if images:
                depth = gpu.ctx.depth_renderbuffer(size)
                framebuffer = gpu.ctx.framebuffer(list(images.values()), depth)
            self._targets[scale] = _Target(scale, images, framebuffer, depth, (0, 0, *size))
        return self._targets[scale]

    def release(self) -> None:
        """Give all textures and programs back."""
        for target in self._targets.values():
            for texture in target.images.values():
                self._gpu.release(texture)
            self._owned += [one for one in (target.framebuffer, target.depth) if one is not None]
        self._targets = {}
        self._gpu.release(self._landmarks)
        for thing in self._owned:
            thing.release()
        self._owned = []

    def reset(self) -> None:
        """A cut, or a frame without faces: nothing has moved since."""
        self._before.clear()

    def draw(
        self,
        faces: Iterable[Face],
        box: Box | None,
        *,
        cut: bool = False,
        occlusion: moderngl.Texture | None = None,
        picture: moderngl.Texture | None = None,
    ) -> Mapping[str, moderngl.Texture]:
        """Draw all faces as they are shown (after the warp), where `box` will be read.

        `faceMotion` is measured from the call before, unless a `cut` lies between. `occlusion`
        is 1 where something hides the faces; it is needed if they can be `occluded`. `picture` is
        where skin is looked for; it is needed if that is their `edge`.
        """
        faces = list(faces)
        if cut:
            self.reset()
        self._write_data(faces)
        if self._names:
            if self._skin:
                assert picture is not None
                self._programs[1].uniforms["plate"].value = 2
                picture.use(2)
                self._gpu.nearest.use(2)
            if self._occluded:
                assert occlusion is not None
                for one in self._programs:
                    one.uniforms["occlusion"].value = 1
                occlusion.use(1)
                self._gpu.nearest.use(1)
            self._target = target = self._at(self._scale_for(faces))
            assert target.framebuffer is not None
            if box is not None and target.scale < 1.0:
                (box,) = scaled([box], self._size, target.framebuffer.size) or [box]
            stale = facemesh.union([b for b in (target.dirty, box) if b is not None])
            if stale is not None:
                target.framebuffer.clear(0.0, 0.0, 0.0, 0.0, depth=1.0, viewport=stale)
            target.dirty = box
            if box is not None:
                # Each face has its share of the depth: the larger one is in front altogether.
                share = 1.9 / max(1, len(faces))
                for i, face in enumerate(sorted(faces, key=lambda f: f.iod)):
                    self._draw_face(face, box, 0.95 - (i + 1) * share, share)
            self._gpu.flush()
        self._before = {face.slot: face.landmarks for face in faces}
        return self.images

    def _scale_for(self, faces: list[Face]) -> float:
        """A smaller size is enough where no face is small, and none covers another: between two
        there is nothing to blend."""
        if not self._coarse:
            return 1.0
        fitting = (scale for iod, scale in COARSE_IOD_PX if all(face.iod >= iod for face in faces))
        scale = next(fitting, 1.0)
        if scale == 1.0 or len(faces) < 2:
            return scale
        margin = skin.RINGS[-1][0] if self._skin else 0.0
        boxes = [facemesh.region_boxes(face, "face", margin, self._size) for face in faces]
        apart = not any(
            facemesh.overlap(a, b)
            for i, some in enumerate(boxes)
            for others in boxes[:i]
            for a in some
            for b in others
        )
        return scale if apart else 1.0

    def _write_data(self, faces: list[Face]) -> None:
        self._data[:] = 0.0
        for face in faces:
            row = self._data[face.slot]
            row[:, :3] = face.landmarks
            row[:, 1] = self._size[1] - row[:, 1]
            row[:, 3] = face.presence
        self._landmarks.write(self._data)

    def _draw_face(self, face: Face, box: Box, depth: float, share: float) -> None:
        points = face.landmarks
        if not np.isfinite(points).all():
            return
        motion = None
        if "faceMotion" in self._names:
            motion = mesh.motion_of(face, self._before.get(face.slot), JUMP_IOD)
        framebuffer = self._target.framebuffer
        assert framebuffer is not None
        vertices, triangles = mesh.drawn(
            face,
            motion,
            bend="faceNormal" in self._names,
            edge_px=mesh.EDGE_PX_AT[self._target.scale],
            covered=True,
        )
        overlay = mesh.layout().overlay
        # How many triangles each program draws, one's after the other's; which one the overlay.
        counts, over = [triangles.size], 0
        if self._skin:
            whole = vertices[:, 8] >= WHOLE
            over = 0 if whole[LANDMARK_COUNT:].all() else 1
            vertices, rim = skin.with_rings(face, vertices)
            triangles, inside = skin.split(whole)
            counts = [inside, triangles.size - inside]
            self._rims.write(rim)
            edge = self._programs[1].uniforms
            edge["iod"].value = max(float(face.iod), 1.0)
            edge["centre"].value = points[:LANDMARK_COUNT, :2].mean(axis=0).tolist()
            edge["skin_at"].value = points[list(SKIN_AT), :2].tolist()
        self._vertices.write(vertices)
        if triangles.size:
            self._indices.write(triangles, offset=overlay.nbytes)
        near, far = float(vertices[:, 2].min()), float(vertices[:, 2].max())
        for name, value in (
            ("size", self._size),
            ("texel", tuple(a / b for a, b in zip(self._size, framebuffer.size, strict=True))),
            ("depth", (near, share / max(1.0, far - near), depth)),
            ("slot", (face.slot + 0.5) / MAX_FACES),
            ("presence", face.presence),
            ("turn", tuple(mesh.turn(face).T.ravel().tolist())),
        ):
            for program in self._programs:
                if name in program.uniforms:
                    program.uniforms[name].value = value
        if self._normals is not None:
            self._normals.use(0)
            self._gpu.linear.use(0)
        framebuffer.use()
        framebuffer.viewport = (0, 0, *framebuffer.size)
        framebuffer.scissor = box
        ctx = self._gpu.ctx
        ctx.enable_only(moderngl.DEPTH_TEST)
        ctx.depth_func = "<="
        first = overlay.size
        for program, count in zip(self._programs, counts, strict=True):
            program.array.render(moderngl.TRIANGLES, vertices=count, first=first)
            first += count
        # Lips, eyes and mouth lie in the skin: drawn over it wherever they face the camera.
        ctx.enable_only(moderngl.NOTHING)
        self._programs[over].array.render(moderngl.TRIANGLES, vertices=overlay.size)
        ctx.depth_func = "<"
        framebuffer.scissor = None


def _attributes(
    program: moderngl.Program, buffer: moderngl.Buffer, fields: tuple[tuple[str, int], ...]
) -> tuple[object, ...]:
    """A buffer's fields, those that the program doesn't use skipped."""
    total = mesh.FLOATS if fields is _MOVING else sum(width for _, width in fields)
    spare = total - sum(width for _, width in fields)
    words = [f"{w}f" if name in program else f"{4 * w}x" for name, w in fields]
    words += [f"{4 * spare}x"] if spare else []
    return (buffer, " ".join(words), *(name for name, _ in fields if name in program))
