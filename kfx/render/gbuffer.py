"""The face G-buffer: UV, normals, part masks and landmarks of all faces as textures.

* ``faceUV``     r, g canonical UV · b (slot + 0.5) / 8 · a coverage, feathered at the oval
* ``faceNormal`` rgb normal in camera space, x right, y up, z to the camera · a coverage
* ``faceParts``  r skin · g lips · b eye opening · a inner mouth, edges one pixel soft
* ``faceData``   478×8 floats: landmark i of slot s at (i, s): x, y in pixels (y up), z, presence

Only what the shaders of a chain ask for is drawn, and only inside the box they will read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import moderngl
import numpy as np

from kfx import canonical as c
from kfx.render import facemesh
from kfx.render.gpu import Box, Gpu
from kfx.types import LANDMARK_COUNT, MAX_FACES, Face, freeze

FEATHER_IOD = 0.16  # coverage rises from 0 at the oval to 1 so far inside
EDGE_PX = 1.5  # width over which a part mask fades
_DRAWN = ("faceUV", "faceNormal", "faceParts")

_VERTEX = """
in vec3 position;
in vec2 uv;
in vec3 normal;
in vec4 parts;
in float coverage;
uniform vec2 size;
uniform vec2 depth;
out vec2 v_uv;
out vec3 v_normal;
out vec4 v_parts;
out float v_coverage;
void main() {
    v_uv = uv;
    v_normal = normal;
    v_parts = parts;
    v_coverage = coverage;
    vec2 p = position.xy / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, (position.z - depth.x) * depth.y * 1.8 - 0.9, 1.0);
}
"""
_WRITE = {
    "faceUV": "vec4(v_uv, slot, coverage)",
    "faceNormal": "vec4(normalize(v_normal), coverage)",
    "faceParts": "v_parts * presence",
}
_VERTEX_FLOATS = 13


@cache
def _coverage() -> facemesh.Array:
    """(478,) 0 on the oval, 1 from `FEATHER_IOD` inside it."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, list(c.OVAL)], axis=2).min(axis=1)
    t = np.clip(away / FEATHER_IOD, 0.0, 1.0)
    return freeze((t * t * (3 - 2 * t)).astype(np.float32))


@cache
def _normals() -> facemesh.Array:
    """(478, 3) smooth normals of the canonical face: the areas of its triangles add up."""
    shape = c.canonical().vertices
    triangles = facemesh.skin_triangles()
    a, b, d = (shape[triangles[:, i]] for i in range(3))
    normals = np.zeros_like(shape)
    for i in range(3):
        np.add.at(normals, triangles[:, i], np.cross(b - a, d - a))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 0, normals / np.maximum(length, 1e-9), (0, 0, -1))
    if normals[4, 2] > 0:  # the nose tip points to the camera, towards -z
        normals = -normals
    return freeze(normals.astype(np.float32))


class GBuffer:
    """Textures of the face G-buffer, drawn by `draw` and read by name from `images`."""

    def __init__(self, gpu: Gpu, size: tuple[int, int], wanted: Iterable[str]) -> None:
        self._gpu = gpu
        self._size = size
        self._names = [name for name in _DRAWN if name in set(wanted)]
        self.images: dict[str, moderngl.Texture] = {
            name: gpu.acquire(size, dtype="f1" if name == "faceParts" else "f2")
            for name in self._names
        }
        self._data = np.zeros((MAX_FACES, LANDMARK_COUNT, 4), np.float32)
        self.images["faceData"] = gpu.acquire((LANDMARK_COUNT, MAX_FACES), dtype="f4")
        self._dirty: Box | None = (0, 0, *size)
        if not self._names:
            return
        outs = "".join(
            f"layout(location = {i}) out vec4 out_{name};\n" for i, name in enumerate(self._names)
        )
        writes = "".join(f"    out_{name} = {_WRITE[name]};\n" for name in self._names)
        program = gpu.program(
            "in vec2 v_uv; in vec3 v_normal; in vec4 v_parts; in float v_coverage;\n"
            "uniform float slot; uniform float presence;\n"
            + outs
            + "void main() {\n    float coverage = v_coverage * presence;\n"
            + writes
            + "}\n",
            vertex=_VERTEX,
        )
        self._program = program
        self._vertices = gpu.ctx.buffer(reserve=2048 * _VERTEX_FLOATS * 4)
        self._indices = gpu.ctx.buffer(reserve=4096 * 12)
        layout = [
            (name, width)
            for name, width in (
                ("position", 3),
                ("uv", 2),
                ("normal", 3),
                ("parts", 4),
                ("coverage", 1),
            )
        ]
        fields = " ".join(
            f"{width}f" if name in program else f"{4 * width}x" for name, width in layout
        )
        used = [name for name, _ in layout if name in program]
        self._array = gpu.ctx.vertex_array(
            program, [(self._vertices, fields, *used)], index_buffer=self._indices
        )
        textures = [self.images[name] for name in self._names]
        self._target = gpu.ctx.framebuffer(textures, gpu.ctx.depth_renderbuffer(size))

    def draw(self, faces: Iterable[Face], box: Box | None) -> Mapping[str, moderngl.Texture]:
        """Draw all faces as they are shown (after the warp), where `box` will be read."""
        faces = list(faces)
        self._write_data(faces)
        if self._names:
            stale = facemesh.union([b for b in (self._dirty, box) if b is not None])
            if stale is not None:
                self._target.clear(0.0, 0.0, 0.0, 0.0, depth=1.0, viewport=stale)
            self._dirty = box
            if box is not None:
                for face in sorted(faces, key=lambda f: f.iod):
                    self._draw_face(face, box)
        return self.images

    def _write_data(self, faces: list[Face]) -> None:
        self._data[:] = 0.0
        for face in faces:
            row = self._data[face.slot]
            row[:, :3] = face.landmarks
            row[:, 1] = self._size[1] - row[:, 1]
            row[:, 3] = face.presence
        self.images["faceData"].write(self._data)

    def _draw_face(self, face: Face, box: Box) -> None:
        vertices, triangles, overlay = _mesh(face)
        self._vertices.write(vertices)
        self._indices.write(np.concatenate([triangles, overlay]))
        near, far = float(vertices[:, 2].min()), float(vertices[:, 2].max())
        for name, value in (
            ("size", self._size),
            ("depth", (near, 1.0 / max(1.0, far - near))),
            ("slot", (face.slot + 0.5) / MAX_FACES),
            ("presence", face.presence),
        ):
            if name in self._program:
                self._program[name].value = value
        self._target.use()
        self._target.viewport = (0, 0, *self._size)
        self._target.scissor = box
        ctx = self._gpu.ctx
        ctx.enable_only(moderngl.DEPTH_TEST)
        ctx.depth_func = "<="
        self._array.render(moderngl.TRIANGLES, vertices=triangles.size)
        # Lips, eyes and mouth lie in the skin: drawn over it wherever they face the camera.
        ctx.enable_only(moderngl.NOTHING)
        self._array.render(moderngl.TRIANGLES, vertices=overlay.size, first=triangles.size)
        ctx.depth_func = "<"
        self._target.scissor = None


_CONTOURS: tuple[tuple[tuple[int, ...], str, tuple[int, ...], tuple[int, ...]], ...] = (
    # contour, filled by, parts outside the edge, parts inside
    (c.OUTER_LIPS, "lips", (1, 0, 0, 0), (0, 1, 0, 0)),
    (c.INNER_LIPS, "mouth", (0, 1, 0, 0), (0, 0, 0, 1)),
    (c.RIGHT_LIDS, "eye", (1, 0, 0, 0), (0, 0, 1, 0)),
    (c.LEFT_LIDS, "eye", (1, 0, 0, 0), (0, 0, 1, 0)),
)


@cache
def _lip_triangles() -> facemesh.Triangles:
    """The mesh triangles all of whose corners are lip landmarks between the two contours."""
    triangles = c.canonical().triangles
    shape = c.canonical().vertices
    outer = shape[list(c.OUTER_LIPS), :2]
    centres = shape[triangles].mean(axis=1)[:, :2]
    inside = np.array([_inside(point, outer) for point in centres])
    return freeze(triangles[inside].astype(np.uint32))


def _inside(point: facemesh.Array, polygon: facemesh.Array) -> bool:
    """Even-odd rule."""
    a, b = polygon, np.roll(polygon, -1, 0)
    crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        x = a[:, 0] + (point[1] - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return bool((crosses & (point[0] < x)).sum() % 2)


def _mesh(face: Face) -> tuple[facemesh.Array, facemesh.Triangles, facemesh.Triangles]:
    """Vertices (n, 13), the skin's triangles, and those of the parts drawn over it."""
    mesh = c.canonical()
    points = face.landmarks
    linear = face.pose[:3, :3] / max(face.iod, 1e-6)
    normals = (_normals() @ linear.T) * (1, -1, -1)
    # Coverage also fades where the skin turns away: a profile's edge isn't a cut-out.
    coverage = _coverage() * np.clip((normals[:, 2] - 0.05) / 0.35, 0.0, 1.0)
    skin = np.tile(np.float32([1, 0, 0, 0]), (LANDMARK_COUNT, 1))
    base = np.hstack([points, mesh.uv, normals, skin, coverage[:, None]])
    vertices = [base]
    overlay = []
    count = len(base)
    for contour, fill, outside, inside in _CONTOURS:
        index = np.array(contour)
        n = len(index)
        band = facemesh.contour_band(points, contour, EDGE_PX)
        rim = np.tile(base[index], (2, 1))
        rim[:, :3] = band
        rim[:n, 8:12] = outside
        rim[n:, 8:12] = np.array(inside, np.float32) * _openness(points[index], fill)
        if fill == "lips":
            core = base.copy()
            core[:, 8:12] = inside
            vertices.append(core)
            overlay.append(_lip_triangles() + np.uint32(count))
            count += len(core)
        vertices.append(rim)
        i = np.arange(n)
        j = (i + 1) % n
        strip = np.concatenate([np.stack([i, n + i, n + j], 1), np.stack([i, n + j, j], 1)]).astype(
            np.uint32
        )
        if fill != "lips":
            overlay.append(_fan(n) + np.uint32(count))
        overlay.append(strip + np.uint32(count))
        count += 2 * n
    facing = facemesh.signed_areas(points, facemesh.skin_triangles()) > 0
    return (
        np.concatenate(vertices).astype(np.float32),
        facemesh.skin_triangles()[facing],
        np.concatenate(overlay),
    )


def _openness(rim: facemesh.Array, fill: str) -> float:
    """0 when the lids or lips of a contour touch, 1 from a mean gap of two pixels on."""
    if fill == "lips":
        return 1.0
    x, y = rim[:, 0], rim[:, 1]
    area = 0.5 * abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()))
    return float(np.clip(area / max(1.0, float(np.ptp(x))) / 2.0, 0.0, 1.0))


@cache
def _fan(n: int) -> facemesh.Triangles:
    """Fills the inner rim of a contour band (vertices n..2n-1) between its two chains."""
    half = n // 2
    triangles = []
    for k in range(half):
        a, b = k, k + 1
        d, e = (n - k) % n, n - k - 1
        triangles += [(a, b, e)] if a == d else [(a, b, e), (a, e, d)]
    return freeze((np.array(triangles) + n).astype(np.uint32))
