"""Draws held pictures: the still, its faces as driven now, a live mouth between their lips."""

from __future__ import annotations

from functools import cache

import cv2
import moderngl
import numpy as np

from kfx import canonical as c
from kfx.render import facemesh, gaze
from kfx.render.gpu import Gpu
from kfx.render.still import AS_TAKEN, Mouth, Scene, Still, View
from kfx.render.warp import SHARP
from kfx.types import Face, Landmarks, Pixels

_VERTEX = """
in vec2 position;  // pixels of the frame, y down
in vec2 source;    // pixels of the picture, y down
in float alpha;
in vec3 tint;
in vec3 lift;
uniform vec2 frame;
uniform vec2 size;  // of the picture
out vec2 from;
out float cover;
out vec3 light;
out vec3 plus;
void main() {
    cover = alpha;
    light = tint;
    plus = lift;
    from = vec2(source.x, size.y - source.y) / size;
    vec2 p = position / frame * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
"""
_FINE_VERTEX = (
    _VERTEX.replace("in float alpha;", "const float alpha = 1.0;")
    .replace("in vec3 tint;", "const vec3 tint = vec3(1.0);")
    .replace("in vec3 lift;", "const vec3 lift = vec3(0.0);")
)
_FRAGMENT = """
in float cover;
in vec3 light;
in vec3 plus;
uniform float opaque;  // 1: the picture's own alpha is written; 0: cover is, to blend with
""" + SHARP.replace(
    "COLOUR", "vec4(clamp(sharp.rgb * light + plus, 0.0, 1.0), mix(cover, sharp.a, opaque))"
)
_FINE = """
in vec2 from;
uniform sampler2D plate;
out vec4 colour;
void main() { colour = texture(plate, from); }
"""
_MIX = """
uniform sampler2D scene;
uniform float amount;
out vec4 colour;
void main() { colour = vec4(texelFetch(scene, ivec2(gl_FragCoord.xy), 0).rgb, amount); }
"""
_FIELDS = ("position", "source", "alpha", "tint", "lift")
_OVER = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ZERO, moderngl.ONE)
_INNER = np.array(c.INNER_LIPS)
_ACROSS = np.array([0, *range(19, 10, -1), 10, *range(9, 0, -1)])  # the point on the other lip
_UPPER = np.arange(20) < 10
FEATHER_IOD = 0.16  # a face set into a live frame comes in over so much inside its oval
SLIVER_IOD2 = 0.004  # a triangle of so little area is drawn though it faces away
LASH_IOD = 0.03  # half the height of the soft edge of a shut lid
LIP_NEARER_IOD = 0.6  # three times how much nearer lips are drawn than they are
LIP_IOD = 0.022  # half the width over which lips turn into mouth


class Held:
    """Keeps the pictures of a `Scene` on the GPU and draws it."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        self._skin = facemesh.skin_triangles()
        self._whole = np.concatenate([self._skin, facemesh.ring_triangles()])
        count = 478 + 36 * len(facemesh.RINGS)
        self._vertices = gpu.ctx.buffer(reserve=count * 44)
        self._indices = gpu.ctx.buffer(reserve=self._whole.nbytes)
        self._program = gpu.program(_FRAGMENT, vertex=_VERTEX)
        self._program["frame"].value = size
        # Twelve reads over a whole frame cost llvmpipe 18 ms at 720p, one of a finer copy 6 ms.
        self._fine = gpu.software and 2 * max(size) <= gpu.largest
        self._fine_program = gpu.program(_FINE, vertex=_FINE_VERTEX)
        self._fine_program["frame"].value = size
        self._fine_program["size"].value = size
        self._array, self._fine_array = (
            gpu.ctx.vertex_array(program, [(self._vertices, *fields)], index_buffer=self._indices)
            for program, fields in (
                (self._program, ("2f 2f 1f 3f 3f", *_FIELDS)),
                (self._fine_program, ("2f 2f 28x", "position", "source")),
            )
        )
        self._mix = gpu.program(_MIX)
        self._mix_array = gpu.ctx.vertex_array(self._mix, [])
        self._kept: list[tuple[Pixels, bool, moderngl.Texture]] = []

    def release(self) -> None:
        """Give textures and programs back."""
        for _, _, texture in self._kept:
            self._gpu.release(texture)
        self._kept = []
        arrays = (self._array, self._fine_array, self._mix_array)
        programs = (self._program, self._fine_program, self._mix)
        for thing in (*arrays, *programs, self._vertices, self._indices):
            thing.release()

    def draw(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        scene: Scene,
        driven: list[tuple[Face, Landmarks]],
        mix: float,
    ) -> bool:
        """Draw `scene` into `spare`, each (placed face, driven landmarks) moved, far ones first.

        `canvas` holds the live frame. True: `spare` is the result. False, if `mix` is below 1:
        the result has been mixed into `canvas`.
        """
        self.forget(scene)
        target = self._gpu.target(spare)
        if not scene.whole or not scene.stills:
            self._gpu.copy(canvas, spare)
        else:
            pixels = next(iter(scene.stills.values())).pixels
            if scene.view == AS_TAKEN:
                self._gpu.copy(self._texture(pixels), spare)
            else:
                corners = np.float32([[0, 0], [1, 0], [0, 1], [1, 1]]) * np.float32(self._size)
                mesh = np.uint32([[0, 1, 2], [1, 3, 2]])
                picture = self._texture(pixels, fine=self._fine)
                source = _taken(corners, scene.view)
                self._triangles(target, picture, corners, source, mesh, fine=self._fine)
        for placed, points in sorted(driven, key=lambda one: one[0].iod):
            if placed.slot in scene.under:
                self._face(target, scene, scene.under[placed.slot], placed, points)
            self._face(target, scene, scene.stills[placed.slot], placed, points)
            mouth = scene.mouths.get(placed.slot)
            if mouth is not None:
                self._mouth(target, mouth, points, placed)
        if mix >= 1.0:
            return True
        self._mix["amount"].value = mix
        spare.use(0)
        ctx = self._gpu.ctx
        ctx.enable(moderngl.BLEND)
        ctx.blend_func = _OVER
        self._gpu.fill(self._mix_array, self._gpu.target(canvas))
        ctx.disable(moderngl.BLEND)
        return False

    def _face(
        self,
        target: moderngl.Framebuffer,
        scene: Scene,
        still: Still,
        placed: Face,
        points: Landmarks,
    ) -> None:
        picture = self._texture(still.pixels)
        if scene.whole:
            base, moved = facemesh.with_rings(placed.landmarks, points, placed.iod)
            source, alpha, mesh = _taken(base[:, :2], scene.view), None, self._whole
        else:
            base, moved, source = still.face.landmarks, points, still.face.landmarks[:, :2]
            cover = _feather() if still.cover is None else still.cover
            alpha, mesh = cover * np.float32(placed.presence), self._skin
        # Slivers in the corners of a shut mouth may be turned over, and open up later.
        sliver = SLIVER_IOD2 * placed.iod**2
        still_iod2 = sliver if scene.whole else SLIVER_IOD2 * still.face.iod**2
        facing = facemesh.signed_areas(base, mesh) > -still_iod2
        if not scene.whole:
            facing &= facemesh.signed_areas(moved, mesh) > -sliver
        facing[len(self._skin) :] = True
        skin = len(c.canonical().triangles)
        eyes = slice(skin, skin + len(c.canonical().eye_triangles))
        facing[eyes] &= facemesh.signed_areas(moved, mesh[eyes]) > 0  # a shut eye isn't seen
        # A jaw that drops takes the lip along behind the chin, which must not cover it.
        near = moved[mesh, 2].sum(axis=1) - np.float32(LIP_NEARER_IOD * placed.iod) * _lip(
            len(mesh)
        )
        mesh = mesh[facing]
        mesh = mesh[np.argsort(-near[facing], kind="stable")]
        self._triangles(target, picture, moved[:, :2], source, mesh, alpha, still.tint)
        for lids, iris in gaze.EYES:
            index = np.array(lids)
            looks = gaze.look(base, moved, source, lids, iris, placed.iod)
            if looks is not None:
                over = np.ones(33, np.float32) if alpha is None else np.repeat(alpha[iris], 33)
                tone = None if still.tint is None else still.tint[index].mean(axis=0)
                self._triangles(target, picture, *looks, gaze.mesh(), over, tone)
            self._lashes(target, picture, index, placed, moved, source, still)

    def _lashes(
        self,
        target: moderngl.Framebuffer,
        picture: moderngl.Texture,
        lids: facemesh.Array,
        placed: Face,
        moved: facemesh.Array,
        source: facemesh.Array,
        still: Still,
    ) -> None:
        """The upper lid's edge drawn softly over the seam of an eye that shuts."""
        upper, lower = lids[:9], lids[[0, *range(15, 7, -1)]]
        gap, was = (
            np.linalg.norm(p[lower, :2] - p[upper, :2], axis=1).sum()
            for p in (moved, placed.landmarks)
        )
        shut = float(np.clip((0.55 - gap / max(was, 1e-6)) / 0.4, 0.0, 1.0))
        if shut <= 0.0:
            return
        edge, taken = moved[upper, :2], source[upper]
        away = placed.landmarks[upper[4], :2] - placed.landmarks[lower[4], :2]
        up = away * np.float32(LASH_IOD * placed.iod / max(float(np.hypot(*away)), 1e-6))
        up_taken = source[upper[4]] - source[lower[4]]
        up_taken = up_taken * np.float32(np.hypot(*up) / max(float(np.hypot(*up_taken)), 1e-6))
        position = np.concatenate([edge + up, edge, edge - up])
        from_ = np.concatenate([taken + up_taken, taken, taken + 0.2 * up_taken])
        fade = np.sin(np.linspace(0.0, np.pi, 9)) ** 0.5 * shut * placed.presence
        fade *= 1.0 if still.cover is None else still.cover[upper]
        alpha = np.concatenate([np.zeros(9), fade, np.zeros(9)]).astype(np.float32)
        tone = None if still.tint is None else still.tint[upper].mean(axis=0)
        self._triangles(target, picture, position, from_, _strip_mesh(), alpha, tone)

    def _mouth(
        self, target: moderngl.Framebuffer, mouth: Mouth, points: Landmarks, placed: Face
    ) -> None:
        """The live mouth, shaped to the driven lips, which it meets softly.

        Where lips are shut it is the live seam that is laid over the still's.
        """
        lips = points[_INNER, :2]
        gap = np.linalg.norm(lips[_ACROSS] - lips, axis=1)
        soft = np.float32(LIP_IOD * placed.iod)
        inwards = np.minimum(soft / np.maximum(gap, 1e-6), 0.3)[:, None]
        wide = soft / max(float(np.linalg.norm(lips[10] - lips[0])), 1e-6)
        moved, source = (_band(one, inwards, wide) for one in (lips, mouth.lips))
        alpha = np.float32(placed.presence * mouth.opacity) * _mouth_cover()
        texture = self._texture(mouth.pixels)
        self._triangles(target, texture, moved, source, _mouth_mesh(), alpha, mouth.tone)

    def _triangles(
        self,
        target: moderngl.Framebuffer,
        picture: moderngl.Texture,
        position: facemesh.Array,
        source: facemesh.Array,
        mesh: facemesh.Triangles,
        alpha: facemesh.Array | None = None,
        tone: facemesh.Array | None = None,
        *,
        fine: bool = False,
    ) -> None:
        """Draw `picture` from `source` to `position`; without `alpha` it covers."""
        cover = np.ones(len(position), np.float32) if alpha is None else alpha
        light = np.repeat(np.float32([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]), len(position), axis=0)
        if tone is not None:
            light[:, : tone.shape[-1]] = tone
        self._vertices.write(np.column_stack([position, source, cover, light]).astype(np.float32))
        self._indices.write(np.ascontiguousarray(mesh, np.uint32))
        self._program["size"].value = picture.size
        self._program["opaque"].value = 1.0 if alpha is None else 0.0
        target.use()
        target.viewport = (0, 0, *self._size)
        picture.use(0)
        ctx = self._gpu.ctx
        if fine:
            self._fine_array.render(moderngl.TRIANGLES, vertices=mesh.size)
            return
        if alpha is not None:
            ctx.enable(moderngl.BLEND)
            ctx.blend_func = _OVER
        self._array.render(moderngl.TRIANGLES, vertices=mesh.size)
        if alpha is not None:
            ctx.disable(moderngl.BLEND)

    def _texture(self, pixels: Pixels, *, fine: bool = False) -> moderngl.Texture:
        """The picture on the GPU, or a copy of twice its size; kept while a scene shows it."""
        for kept, twice, texture in self._kept:
            if kept is pixels and twice == fine:
                return texture
        shown = pixels
        if fine:
            shown = cv2.resize(
                np.ascontiguousarray(pixels), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC
            )
        height, width = shown.shape[:2]
        texture = self._gpu.acquire((width, height))
        self._gpu.upload(texture, shown, np.empty((height, width, 4), np.uint8))
        self._kept.append((pixels, fine, texture))
        return texture

    def forget(self, scene: Scene | None = None) -> None:
        """Textures that the scene doesn't show go back to the pool."""
        scenes = [] if scene is None else [scene.stills, scene.under, scene.mouths]
        shown = [one.pixels for kind in scenes for one in kind.values()]  # type: ignore[attr-defined]
        stay = []
        for kept in self._kept:
            if any(kept[0] is one for one in shown):
                stay.append(kept)
            else:
                self._gpu.release(kept[2])
        self._kept = stay


def _taken(points: facemesh.Array, view: View) -> facemesh.Array:
    """Points of the frame, in pixels of the still that `view` shows."""
    scale, x, y = view
    return ((points - np.float32([x, y])) / np.float32(scale)).astype(np.float32)


def _band(lips: facemesh.Array, inwards: facemesh.Array, wide: float) -> facemesh.Array:
    """(40, 2): the contour moved out into the lips, then in by a share of the opening.

    `wide` is the softness as a share of the mouth's width.
    """
    across = (lips[_ACROSS] - lips) * inwards
    along = (lips[10] - lips[0]) * np.float32(wide)
    up = np.float32([along[1], -along[0]])
    out = np.where(_UPPER[:, None], up, -up) * np.float32(0.6)
    across[0], across[10] = 1.5 * along, -1.5 * along
    out[0], out[10] = -0.6 * along, 0.6 * along
    return np.concatenate([lips + out, lips + across]).astype(np.float32)


@cache
def _mouth_cover() -> facemesh.Array:
    """(40,) nothing outside, all inside, little in the corners."""
    inner = np.ones(20, np.float32)
    inner[[0, 10]] = 0.0
    inner[[1, 9, 11, 19]] = 0.7
    return np.concatenate([np.zeros(20, np.float32), inner])


@cache
def _strip_mesh() -> facemesh.Triangles:
    """Two rows of quads between three rows of nine vertices."""
    first = [9 * row + k for row in (0, 1) for k in range(8)]
    return np.array([t for i in first for t in ((i, i + 1, i + 10), (i, i + 10, i + 9))], np.uint32)


@cache
def _mouth_mesh() -> facemesh.Triangles:
    """A soft rim of 20 quads and the filling between upper and lower lip."""
    triangles = []
    for i in range(20):
        j = (i + 1) % 20
        triangles += [(i, 20 + i, 20 + j), (i, 20 + j, j)]
    for k in range(10):
        a, b, d, e = k, k + 1, (20 - k) % 20, 19 - k
        triangles += [(20 + a, 20 + b, 20 + e)]
        triangles += [(20 + a, 20 + e, 20 + d)] if d != a else []
    return np.array(triangles, np.uint32)


@cache
def _lip(count: int) -> facemesh.Array:
    """(count,) 1 for triangles of the lips, 0 for others, in the order of the skin's."""
    shape = c.canonical().vertices[:, :2]
    middle = shape[c.canonical().triangles].mean(axis=1)
    inside = [_encloses(shape[list(ring)], middle) for ring in (c.OUTER_LIPS, c.INNER_LIPS)]
    result = np.zeros(count, np.float32)
    result[: len(middle)] = inside[0] & ~inside[1]
    return result


def _encloses(ring: facemesh.Array, points: facemesh.Array) -> facemesh.Array:
    """(n,) whether the closed `ring` (m, 2) goes round each point: even-odd rule."""
    a, b = ring[None], np.roll(ring, -1, axis=0)[None]
    x, y = points[:, None, 0], points[:, None, 1]
    spans = (a[..., 1] > y) != (b[..., 1] > y)
    rise = np.where(spans, b[..., 1] - a[..., 1], 1.0)
    at = a[..., 0] + (y - a[..., 1]) * (b[..., 0] - a[..., 0]) / rise
    return np.asarray((spans & (x < at)).sum(axis=1) % 2 == 1)


@cache
def _feather() -> facemesh.Array:
    """(478,) 0 on the oval, 1 from `FEATHER_IOD` inside."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, list(c.OVAL)], axis=2).min(axis=1)
    t = np.clip(away / FEATHER_IOD, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
