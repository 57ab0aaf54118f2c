"""Draws what was computed from an earlier frame onto the present one: faces through their mesh.

A `Result` keeps what a net made of a crop, with the face it was made from. Each frame it is drawn
through the mesh onto where that face is now. Where an eye or the mouth has opened or closed since,
the plate shows; so it does where the surface wasn't seen then. Low frequencies of the crop then and
now tell how the light has changed, and the result follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import moderngl
import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.render import facemesh
from kfx.render import gbuffer_mesh as mesh
from kfx.render.gpu import Gpu
from kfx.render.reproject_glsl import FRAGMENT, SKIN_AT, VERTEX
from kfx.types import Face

Affine = npt.NDArray[np.float64]
Shift = npt.NDArray[np.float32]  # (478, 2) pixels
Rings = tuple[tuple[float, float], ...]  # distance from the oval in iod, coverage

LOW = (24, 24)  # a crop so small holds the light and no features
SKIN_RINGS = ((0.1, 1.0), (0.25, 1.0), (0.42, 1.0), (0.62, 0.0))  # as far as skin may go on
HEAD_RINGS = ((0.15, 1.0), (0.4, 1.0), (0.7, 0.7), (1.0, 0.0))  # distance from the oval, coverage
EYE_CHANGE = (0.15, 0.5)  # of openness 0..1: between these the result gives way to the plate
MOUTH_CHANGE_IOD = (0.03, 0.10)  # of the inner lips' distance
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


@dataclass(frozen=True, slots=True)
class Vertices:
    """A face's mesh for drawing: positions (n, 3), coverage, openness, triangles far to near."""

    points: facemesh.Array
    coverage: facemesh.Array
    openness: facemesh.Array
    inner: facemesh.Array  # coverage of the mesh alone, 0 on rings
    triangles: facemesh.Triangles


def vertices(face: Face, around: Rings = ()) -> Vertices:
    """The vertices of a face, with rings around it for what goes on beyond."""
    table, skin = mesh.drawn(face, np.zeros((478, 2), np.float32), bend=False)
    points, coverage, opened = table[:, :3], table[:, 8], table[:, 10]
    if around:  # what faces away, under what doesn't: or there are holes before the ears
        skin = facemesh.skin_triangles()
    skin = skin[np.argsort(-points[skin, 2].sum(axis=1), kind="stable")]
    triangles = np.concatenate([skin, mesh.layout().overlay])
    if not around:
        return Vertices(points, coverage, opened, coverage, triangles)
    rings = _rings(face, around)
    nothing = np.zeros(len(rings), np.float32)
    shares = np.repeat([share for _, share in around], len(_OVAL)).astype(np.float32)
    return Vertices(
        np.concatenate([points, rings]),
        np.concatenate([np.ones_like(coverage), shares]),
        np.concatenate([opened, nothing]),
        np.concatenate([coverage, nothing]),
        np.concatenate([_ring_triangles(len(points)), triangles]),
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


def _lost(result: Result, eyes: facemesh.Array, mouth: float) -> tuple[float, float]:
    """How much eyes and mouth have changed since: 0..1 each."""
    low, high = EYE_CHANGE
    eye = np.clip((np.abs(eyes - result.eyes).max() - low) / (high - low), 0.0, 1.0)
    low, high = MOUTH_CHANGE_IOD
    lips = np.clip((abs(mouth - result.mouth_iod) - low) / (high - low), 0.0, 1.0)
    return float(eye), float(lips)


class Reprojector:
    """Draws results of face crops into pictures of one size."""

    def __init__(self, gpu: Gpu, size: tuple[int, int], region: str, *, edge: str = "soft") -> None:
        self._gpu, self._size = gpu, size
        self._skin = edge == "skin" and region == "face"
        self._around: Rings = HEAD_RINGS if region == "head" else SKIN_RINGS if self._skin else ()
        self._program = gpu.program(FRAGMENT, vertex=VERTEX)
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
        self._array = gpu.ctx.vertex_array(
            self._program,
            [
                (self._moving, "2f 2f 3f 3f 3f", *_FIELDS),
                (self._fixed, "4f 4f", "shut", "open"),
            ],
            index_buffer=self._indices,
        )
        self._program["size"].value = size
        names = ("plate", "old_result", "new_result", "old_low", "new_low", "low")
        for i, name in enumerate(names):
            self._program[name].value = i

    def release(self) -> None:
        """Give program and buffers back."""
        for thing in (self._array, self._program, self._moving, self._fixed, self._indices):
            thing.release()

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
        then = vertices(face, self._around)
        return Result(
            image,
            low,
            to_crop,
            then.points,
            then.coverage,
            mesh.openness(face.landmarks)[2:],
            mouth_iod(face),
            change,
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
        now = vertices(face, self._around)
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
        self._indices.write(np.ascontiguousarray(now.triangles, np.uint32))
        eyes, mouth = mesh.openness(face.landmarks)[2:], mouth_iod(face)
        soft = self._skin or not self._around
        seen = face.landmarks[list(SKIN_AT), :2] @ to_crop[:, :2].T + to_crop[:, 2]
        skin_at = tuple(map(tuple, seen.tolist()))
        for name, value in (
            ("to_crop", tuple(to_crop.T.ravel().tolist())),
            ("old_lost", _lost(older, eyes, mouth)),
            ("new_lost", _lost(newer, eyes, mouth)),
            ("fade", fade),
            ("keep", float(newer.change)),
            ("light", light),
            ("feather", mesh.FEATHER_IOD / max(feather_iod, 0.01) if soft else 1.0),
            ("skin", float(self._skin)),
            ("skin_at", skin_at),
            ("iod", max(float(face.iod), 1.0)),
            ("amount", amount),
        ):
            self._program[name].value = value
        textures = (plate, older.image, newer.image, older.low, newer.low, low)
        for i, texture in enumerate(textures):
            texture.use(i)
            (self._gpu.linear if i else self._gpu.nearest).use(i)
        target = self._gpu.target(canvas)
        target.use()
        target.viewport = (0, 0, *self._size)
        target.scissor = box
        self._array.render(moderngl.TRIANGLES, vertices=now.triangles.size)
        target.scissor = None
