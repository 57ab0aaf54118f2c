"""Draws what was computed from an earlier frame onto the present one: faces through their mesh.

A `Result` keeps what a net made of a crop, with the face it was made from. Each frame it is drawn
through the mesh onto where that face is now. Where an eye or the mouth has opened or closed since,
the plate shows; so it does where the surface wasn't seen then. Low frequencies of the crop then and
now tell how the light has changed, and the result follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.render import facemesh
from kfx.render import gbuffer_mesh as mesh
from kfx.render.gpu import Gpu
from kfx.render.reproject_glsl import (
    FRAGMENT,
    SKIN_FRAGMENT,
    SKIN_VERTEX,
    VERTEX,
    WELL_INSIDE,
)
from kfx.render.skin_glsl import SKIN_AT
from kfx.types import Face

Affine = npt.NDArray[np.float64]
Shift = npt.NDArray[np.float32]  # (478, 2) pixels
Rings = tuple[tuple[float, float], ...]  # distance from the oval in iod, coverage

LOW = (24, 24)  # a crop so small holds the light and no features
SKIN_RINGS = ((0.1, 1.0), (0.25, 1.0), (0.42, 1.0), (0.62, 0.0))  # as far as skin may go on
HEAD_RINGS = ((0.15, 1.0), (0.4, 1.0), (0.7, 0.7), (1.0, 0.0))  # distance from the oval, coverage
EYE_CHANGE = (0.15, 0.5)  # of openness 0..1: between these the result gives way to the plate
MOUTH_CHANGE_IOD = (0.03, 0.10)  # of the inner lips' distance
SEEN = 32  # faces whose vertices are remembered
_OVAL = np.array(c.OVAL)

_FIELDS = ("position", "shown", "before", "after", "inner")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a net made of a crop: `image` fills its 0..1, and `to_crop` maps frame pixels there.

    `points` and `coverage` are of the mesh's vertices then. With `change` the image is what is
    added to the plate.
    """

    image: moderngl.Texture
    low: moderngl.Texture
    to_crop: Affine
    points: facemesh.Array
    coverage: facemesh.Array
    eyes: facemesh.Array
    mouth_iod: float
    change: bool

    def scaled(self, x: float, y: float) -> Result:
        """As of the same frame at another size; it takes over the textures."""
        points = self.points * np.array((x, y, (x + y) / 2), np.float32)
        return replace(self, points=points, to_crop=self.to_crop / (x, y, 1.0))


@dataclass(frozen=True, slots=True)
class Vertices:
    """A face's mesh for drawing: positions (n, 3), coverage, openness, triangles far to near."""

    points: facemesh.Array
    coverage: facemesh.Array
    openness: facemesh.Array
    inner: facemesh.Array  # coverage of the mesh alone, 0 on rings
    triangles: facemesh.Triangles
    eyes: facemesh.Array  # openness of the right and the left one
    mouth_iod: float


def vertices(face: Face, around: Rings = ()) -> Vertices:
    """The vertices of a face, with rings around it for what goes on beyond."""
    table, skin = mesh.drawn(face, bend=False)
    points, coverage, opened = table[:, :3], table[:, 8], table[:, 10]
    if around:  # what faces away, under what doesn't: or there are holes before the ears
        skin = facemesh.skin_triangles()
    skin = skin[np.argsort(-points[skin, 2].sum(axis=1), kind="stable")]
    triangles = np.concatenate([skin, mesh.layout().overlay])
    eyes, mouth = mesh.openness(face.landmarks)[2:], mouth_iod(face)
    if not around:
        return Vertices(points, coverage, opened, coverage, triangles, eyes, mouth)
    rings = _rings(face, around)
    nothing = np.zeros(len(rings), np.float32)
    shares = np.repeat([share for _, share in around], len(_OVAL)).astype(np.float32)
    return Vertices(
        np.concatenate([points, rings]),
        np.concatenate([np.ones_like(coverage), shares]),
        np.concatenate([opened, nothing]),
        np.concatenate([coverage, nothing]),
        np.concatenate([_ring_triangles(len(points)), triangles]),
        eyes,
        mouth,
    )


def _rings(face: Face, around: Rings) -> facemesh.Array:
    oval = face.landmarks[_OVAL]
    out = oval[:, :2] - face.landmarks[:468, :2].mean(axis=0)
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    rings = []
    for distance, _ in around:
        ring = oval.copy()
        ring[:, :2] += out * np.float32(distance * face.iod)
        rings.append(ring)
    return np.concatenate(rings)


@cache
def _ring_triangles(first: int) -> facemesh.Triangles:
    """Triangles of the oval and the rings, the rings' vertices numbered from `first` on."""
    ring = facemesh.ring_triangles().astype(np.int64)
    return np.where(ring >= 478, ring - 478 + first, ring).astype(np.uint32)


def mouth_iod(face: Face) -> float:
    """How far the inner lips are apart."""
    apart = face.landmarks[13, :2] - face.landmarks[14, :2]
    return float(np.linalg.norm(apart)) / max(float(face.iod), 1e-6)


def _lost(result: Result, now: Vertices) -> tuple[float, float]:
    """How much eyes and mouth have changed since: 0..1 each."""
    low, high = EYE_CHANGE
    eye = min(1.0, max(0.0, (float(np.abs(now.eyes - result.eyes).max()) - low) / (high - low)))
    low, high = MOUTH_CHANGE_IOD
    lips = (abs(now.mouth_iod - result.mouth_iod) - low) / (high - low)
    return eye, min(1.0, max(0.0, lips))


class Reprojector:
    """Draws results of face crops into pictures of one size.

    Where results go on over skin, that is looked for at the mesh's edge and beyond alone: well
    inside a program draws that asks nothing, several times faster.
    """

    def __init__(self, gpu: Gpu, size: tuple[int, int], region: str, *, edge: str = "soft") -> None:
        self._gpu, self._size = gpu, size
        self._skin = edge == "skin" and region == "face"
        self._around: Rings = HEAD_RINGS if region == "head" else SKIN_RINGS if self._skin else ()
        self._seen: deque[tuple[Face, Vertices]] = deque(maxlen=SEEN)
        layout = mesh.layout()
        extra = len(self._around) * len(_OVAL)
        count = len(layout.landmark) + extra
        parts = np.zeros((count, 8), np.float32)
        parts[: len(layout.landmark)] = layout.fixed[:, 2:]
        parts[len(layout.landmark) :, (0, 4)] = 1.0
        self._moving = gpu.ctx.buffer(reserve=count * 13 * 4)
        self._fixed = gpu.ctx.buffer(parts.tobytes())
        triangles = len(facemesh.skin_triangles()) + len(layout.overlay)
        triangles += len(facemesh.ring_triangles()) if self._around else 0
        self._indices = gpu.ctx.buffer(reserve=triangles * 12)
        shaders = [(SKIN_VERTEX, SKIN_FRAGMENT), (VERTEX, WELL_INSIDE)]
        shaders = shaders if self._skin else [(VERTEX, FRAGMENT)]
        self._programs = [gpu.program(fragment, vertex=vertex) for vertex, fragment in shaders]
        self._uniforms = [{name: one[name] for name in one} for one in self._programs]
        self._arrays = [self._array(program) for program in self._programs]
        names = ("plate", "old_result", "new_result", "old_low", "new_low", "low")
        self._set({"size": size} | {name: i for i, name in enumerate(names)})

    def _array(self, program: moderngl.Program) -> moderngl.VertexArray:
        fields = _FIELDS if "inner" in program else (*_FIELDS[:-1], None)
        names = [name for name in fields if name]
        form = "2f 2f 3f 3f 3f" if "inner" in program else "2f 2f 3f 3f 12x"
        return self._gpu.ctx.vertex_array(
            program,
            [(self._moving, form, *names), (self._fixed, "4f 4f", "shut", "open")],
            index_buffer=self._indices,
        )

    def _set(self, values: Mapping[str, Any]) -> None:
        """The uniforms of all programs; none wants all of them."""
        for uniforms in self._uniforms:
            for name in uniforms.keys() & values.keys():
                uniforms[name].value = values[name]

    def release(self) -> None:
        """Give programs and buffers back."""
        self._seen.clear()
        for thing in (*self._arrays, *self._programs, self._moving, self._fixed, self._indices):
            thing.release()

    def _vertices(self, face: Face) -> Vertices:
        """`vertices`; a face that is drawn is often one whose result will be kept."""
        for one, known in self._seen:
            if one.landmarks is face.landmarks and one.pose is face.pose:
                return known
        known = vertices(face, self._around)
        self._seen.append((face, known))
        return known

    def keep(
        self,
        face: Face,
        to_crop: Affine,
        image: moderngl.Texture,
        low: moderngl.Texture,
        *,
        change: bool,
    ) -> Result:
        """A result as it will be drawn, with all that is to be known of the face it came from."""
        then = self._vertices(face)
        return Result(
            image, low, to_crop, then.points, then.coverage, then.eyes, then.mouth_iod, change
        )

    def _all(self, shift: Shift) -> facemesh.Array:
        """The shift of each vertex; rings move with the oval."""
        each = shift[mesh.layout().landmark]
        if not self._around:
            return np.asarray(each, np.float32)
        return np.concatenate([each, np.tile(shift[_OVAL], (len(self._around), 1))])

    def draw(
        self,
        canvas: moderngl.Texture,
        plate: moderngl.Texture,
        face: Face,
        older: Result,
        newer: Result,
        *,
        fade: float,
        low: moderngl.Texture,
        to_crop: Affine,
        shifts: tuple[Shift | None, Shift | None],
        amount: float,
        light: float,
        feather_iod: float,
    ) -> None:
        """Draw over `canvas`, which holds the same picture as `plate`, in the face's box only.

        `fade` goes from the older result to the newer one; `low` and `to_crop` are of this frame.
        `shifts` correct where the landmarks of each result were.
        """
        now = self._vertices(face)
        box = facemesh.box_of(now.points, 1.0, self._size)
        if box is None or not np.isfinite(now.points).all():
            return
        table = np.empty((len(now.points), 13), np.float32)
        table[:, 10], table[:, 11:] = now.inner, now.points[:, :2]
        if self._around:
            count = len(self._around) * len(_OVAL)
            table[-count:, 11:] = np.tile(face.landmarks[_OVAL, :2], (len(self._around), 1))
        table[:, :2] = now.points[:, :2]
        table[:, 2], table[:, 3] = now.coverage, now.openness
        for at, one, shift in ((4, older, shifts[0]), (7, newer, shifts[1])):
            places = one.points[:, :2] if shift is None else one.points[:, :2] + self._all(shift)
            table[:, at : at + 2] = places @ one.to_crop[:, :2].T + one.to_crop[:, 2]
            table[:, at + 2] = one.coverage
        self._moving.write(table)
        soft = self._skin or not self._around
        seen = face.landmarks[list(SKIN_AT), :2] @ to_crop[:, :2].T + to_crop[:, 2]
        softness = mesh.FEATHER_IOD / max(feather_iod, 0.01) if soft else 1.0
        self._set(
            {
                "to_crop": tuple(to_crop.T.ravel().tolist()),
                "old_lost": _lost(older, now),
                "new_lost": _lost(newer, now),
                "fade": fade,
                "keep": float(newer.change),
                "light": light,
                "feather": softness,
                "skin_at": tuple(map(tuple, seen.tolist())),
                "iod": max(float(face.iod), 1.0),
                "amount": amount,
            }
        )
        textures = (plate, older.image, newer.image, older.low, newer.low, low)
        for i, texture in enumerate(textures):
            texture.use(i)
            (self._gpu.linear if i else self._gpu.nearest).use(i)
        target = self._gpu.target(canvas)
        target.use()
        target.viewport = (0, 0, *self._size)
        target.scissor = box
        triangles, first = now.triangles, 0
        counts = [len(triangles)]
        if self._skin:
            deep = (now.inner * np.float32(softness) >= 1.0)[triangles].all(axis=1)
            triangles = np.concatenate([triangles[~deep], triangles[deep]])
            counts = [len(triangles) - int(deep.sum()), int(deep.sum())]
        self._indices.write(np.ascontiguousarray(triangles, np.uint32))
        for array, count in zip(self._arrays, counts, strict=True):
            if count:
                array.render(moderngl.TRIANGLES, vertices=3 * count, first=3 * first)
            first += count
        target.scissor = None
