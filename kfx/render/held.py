"""Draws held pictures: the still, its faces as driven now, a live mouth between their lips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import moderngl
import numpy as np

from kfx import canonical as c
from kfx.render import facemesh, gaze, held_glsl, held_mesh
from kfx.render.gpu import Gpu
from kfx.render.still import AS_TAKEN, Mouth, Scene, Still, View
from kfx.render.warp import NO_LIGHTS, STILL_PX
from kfx.types import Face, Landmarks, Pixels

_FIELDS = ("position", "source", "alpha", "tint", "lift")
_OVER = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ZERO, moderngl.ONE)
_INNER = np.array(c.INNER_LIPS)
FAINT = 0.7  # cover
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
        position, mesh = held_mesh.grid(size)
        self._vertices = gpu.ctx.buffer(reserve=max(count, len(position)) * 44)
        self._indices = gpu.ctx.buffer(reserve=max(self._whole.nbytes, mesh.nbytes))
        self._program = gpu.program(held_glsl.FRAGMENT, vertex=held_glsl.VERTEX)
        self._program["frame"].value = size
        # Twelve reads over a whole frame cost llvmpipe 18 ms at 720p, one of a finer copy 6 ms.
        self._fine = gpu.software and 2 * max(size) <= gpu.largest
        self._fine_program = gpu.program(held_glsl.FINE, vertex=held_glsl.FINE_VERTEX)
        self._fine_program["frame"].value = size
        self._fine_program["size"].value = size
        self._soft_program = gpu.program(held_glsl.SOFT, vertex=held_glsl.VERTEX)
        self._soft_program["frame"].value = size
        self._array, self._soft_array, self._fine_array = (
            gpu.ctx.vertex_array(program, [(self._vertices, *fields)], index_buffer=self._indices)
            for program, fields in (
                (self._program, ("2f 2f 1f 3f 3f", *_FIELDS)),
                (self._soft_program, ("2f 2f 1f 3f 3f", *_FIELDS)),
                (self._fine_program, ("2f 2f 28x", "position", "source")),
            )
        )
        self._mix = gpu.program(held_glsl.MIX)
        self._mix_array = gpu.ctx.vertex_array(self._mix, [])
        self._kept: list[tuple[Pixels, bool, moderngl.Texture]] = []
        self._plate: tuple[Pixels, moderngl.Texture] | None = None
        self._hidden: dict[int, tuple[Face, facemesh.Array | np.float32]] = {}

    def release(self) -> None:
        """Give textures and programs back."""
        for _, _, texture in self._kept:
            self._gpu.release(texture)
        self._kept = []
        arrays = (self._array, self._soft_array, self._fine_array, self._mix_array)
        programs = (self._program, self._soft_program, self._fine_program, self._mix)
        for thing in (*arrays, *programs, self._vertices, self._indices):
            thing.release()

    def draw(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        scene: Scene,
        driven: list[tuple[Face, Landmarks]],
        mix: float,
        *,
        plate: Pixels | None = None,
        lights: Mapping[int, facemesh.Array] = NO_LIGHTS,
    ) -> bool:
        """Draw `scene` into `spare`, each (placed face, driven landmarks) moved, far ones first.

        `canvas` holds the live frame, untouched if `plate` names it: then stills of the moment
        are read there. `lights` (478,) by slot are factors on what is drawn. True: `spare` is the
        result. False, if `mix` is below 1: the result has been mixed into `canvas`.
        """
        self._plate = None if plate is None else (plate, canvas)
        self._hidden.clear()
        target = self._gpu.target(spare)
        if not scene.whole or not scene.stills:
            self._gpu.copy(canvas, spare)
        else:
            pixels = next(iter(scene.stills.values())).pixels
            if scene.flow is not None:
                position, mesh = held_mesh.grid(self._size)
                source = held_mesh.taken(position, scene.view, scene.flow, self._size)
                picture, mesh = self._texture(pixels), held_mesh.flowing(position, source, mesh)
                self._gpu.copy(picture, spare)  # most of a picture stands
                if mesh.size:
                    self._gpu.linear.use(0)
                    self._triangles(target, picture, position, source, mesh, fine=True)
            elif scene.view == AS_TAKEN:
                self._gpu.copy(self._texture(pixels), spare)
            else:
                corners = np.float32([[0, 0], [1, 0], [0, 1], [1, 1]]) * np.float32(self._size)
                mesh = np.uint32([[0, 1, 2], [1, 3, 2]])
                picture = self._texture(pixels, fine=self._fine)
                source = held_mesh.taken(corners, scene.view)
                self._triangles(target, picture, corners, source, mesh, fine=self._fine)
        for placed, points in sorted(driven, key=lambda one: one[0].iod):
            still, light = scene.stills[placed.slot], lights.get(placed.slot)
            view = scene.view if scene.whole else None
            lies = float(np.abs(points[:, :2] - placed.landmarks[:, :2]).max()) < STILL_PX
            plain = view == AS_TAKEN and light is None and still.tint is None
            if plain and lies and placed.slot not in scene.mouths:
                continue  # the picture shows this face as it is
            soft = False
            if placed.slot in scene.under and still.cover is not None:
                # Of two halves of a morph llvmpipe draws the one that shows less with one read.
                most = float(np.median(still.cover)) > 0.5
                soft = self._gpu.software and not most
                under = scene.under[placed.slot]
                blurs = self._gpu.software and most
                self._face(target, under, placed, points, view, light, over=still.cover, soft=blurs)
            self._face(target, still, placed, points, view, light, flow=scene.flow, soft=soft)
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

    def lay_over(
        self, canvas: moderngl.Texture, layers: Sequence[tuple[Still, Face, Landmarks]]
    ) -> None:
        """Draw stills over faces of `canvas`: each with the face as shown, and where it lies."""
        self._plate = None
        self._hidden.clear()
        for still, placed, points in layers:
            self._face(self._gpu.target(canvas), still, placed, points)

    def _face(
        self,
        target: moderngl.Framebuffer,
        still: Still,
        placed: Face,
        points: Landmarks,
        view: View | None = None,
        light: facemesh.Array | None = None,
        *,
        over: facemesh.Array | None = None,
        flow: facemesh.Array | None = None,
        soft: bool = False,
    ) -> None:
        """One face; with `view` that of a whole still, `over` is the cover of what comes later."""
        picture = self._texture(still.pixels)
        if still.around > 0.0 and view is None:
            self._surround(target, picture, still, placed, points)
        if view is not None:
            base, moved = facemesh.with_rings(placed.landmarks, points, placed.iod)
            source = held_mesh.taken(base[:, :2], view, flow, self._size)
            alpha, mesh = None, self._whole
        else:
            base, moved, source = still.face.landmarks, points, still.face.landmarks[:, :2]
            cover = held_mesh.feather() if still.cover is None else still.cover
            alpha, mesh = cover * np.float32(placed.presence), self._skin
            for face in (still.face, placed):
                alpha = alpha * self._unhidden(face)
        tint = held_mesh.toned(still.tint, light, len(base))
        # Slivers in the corners of a shut mouth may be turned over, and open up later.
        sliver = SLIVER_IOD2 * placed.iod**2
        still_iod2 = sliver if view is not None else SLIVER_IOD2 * still.face.iod**2
        facing = facemesh.signed_areas(base, mesh) > -still_iod2
        area = facemesh.signed_areas(moved, mesh)
        if alpha is not None:
            facing &= area > -sliver
            facing &= held_mesh.seen(mesh, alpha)
        if over is not None:
            facing &= held_mesh.bared(mesh, over * np.float32(placed.presence))
        facing[len(self._skin) :] = True
        skin = len(c.canonical().triangles)
        eyes = slice(skin, skin + len(c.canonical().eye_triangles))
        facing[eyes] &= area[eyes] > 0  # a shut eye isn't seen
        # A jaw that drops takes the lip along behind the chin, which must not cover it.
        near = moved[mesh, 2].sum(axis=1) - np.float32(LIP_NEARER_IOD * placed.iod) * held_mesh.lip(
            len(mesh)
        )
        mesh = mesh[facing]
        mesh = mesh[np.argsort(-near[facing], kind="stable")]
        self._triangles(target, picture, moved[:, :2], source, mesh, alpha, tint, soft=soft)
        if alpha is not None and alpha.max() < FAINT:
            return  # a hint of a face: whose looks and lashes nobody sees
        for lids, iris in gaze.EYES:
            index = np.array(lids)
            if over is not None and over[index].min() > 1.0 - held_mesh.SEEN:
                continue  # nothing is left of this eye
            looks = gaze.look(base, moved, source, lids, iris, placed.iod)
            if looks is not None:
                eye = np.ones(33, np.float32) if alpha is None else np.repeat(alpha[iris], 33)
                tone = None if tint is None else tint[index].mean(axis=0)
                self._triangles(target, picture, *looks, gaze.mesh(), eye, tone)
            self._lashes(target, picture, index, placed, moved, source, alpha, tint)

    def _surround(
        self,
        target: moderngl.Framebuffer,
        picture: moderngl.Texture,
        still: Still,
        placed: Face,
        points: Landmarks,
    ) -> None:
        """Hair and neck of a face that is set in, before the face itself."""
        source = held_mesh.surround(still.face.landmarks, still.face.iod)
        moved = held_mesh.surround(points, placed.iod)
        cover, mesh = held_mesh.surround_cover()
        alpha = cover * np.float32(min(1.0, still.around) * placed.presence)
        tint = still.tint
        tone = None if tint is None else np.tile(tint[list(c.OVAL)], (len(cover) // 36, 1))
        self._triangles(target, picture, moved, source, mesh, alpha, tone, soft=True, matted=True)

    def _unhidden(self, face: Face) -> facemesh.Array | np.float32:
        """`held_mesh.unhidden`, once a picture for each face."""
        if id(face) not in self._hidden:
            self._hidden[id(face)] = (face, held_mesh.unhidden(face))
        return self._hidden[id(face)][1]

    def _lashes(
        self,
        target: moderngl.Framebuffer,
        picture: moderngl.Texture,
        lids: facemesh.Array,
        placed: Face,
        moved: facemesh.Array,
        source: facemesh.Array,
        cover: facemesh.Array | None,
        tint: facemesh.Array | None,
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
        fade = np.sin(np.linspace(0.0, np.pi, 9)) ** 0.5 * shut
        fade *= placed.presence if cover is None else cover[upper]
        alpha = np.concatenate([np.zeros(9), fade, np.zeros(9)]).astype(np.float32)
        tone = None if tint is None else tint[upper].mean(axis=0)
        self._triangles(target, picture, position, from_, held_mesh.strip_mesh(), alpha, tone)

    def _mouth(
        self, target: moderngl.Framebuffer, mouth: Mouth, points: Landmarks, placed: Face
    ) -> None:
        """The live mouth, shaped to the driven lips, which it meets softly.

        Where lips are shut it is the live seam that is laid over the still's.
        """
        lips = points[_INNER, :2]
        gap = np.linalg.norm(lips[held_mesh.ACROSS] - lips, axis=1)
        soft = np.float32(LIP_IOD * placed.iod)
        inwards = np.minimum(soft / np.maximum(gap, 1e-6), 0.3)[:, None]
        wide = soft / max(float(np.linalg.norm(lips[10] - lips[0])), 1e-6)
        moved, source = (held_mesh.band(one, inwards, wide) for one in (lips, mouth.lips))
        alpha = np.float32(placed.presence * mouth.opacity) * held_mesh.mouth_cover()
        texture = self._texture(mouth.pixels)
        self._triangles(target, texture, moved, source, held_mesh.mouth_mesh(), alpha, mouth.tone)

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
        soft: bool = False,
        matted: bool = False,
    ) -> None:
        """Draw `picture` from `source` to `position`; without `alpha` it covers."""
        soft = soft and alpha is not None
        cover = np.ones(len(position), np.float32) if alpha is None else alpha
        light = np.repeat(np.float32([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]), len(position), axis=0)
        if tone is not None:
            light[:, : tone.shape[-1]] = tone
        self._vertices.write(np.column_stack([position, source, cover, light]).astype(np.float32))
        self._indices.write(np.ascontiguousarray(mesh, np.uint32))
        program = self._soft_program if soft else self._program
        program["size"].value = picture.size
        program["matted"].value = float(matted)
        self._program["opaque"].value = 1.0 if alpha is None else 0.0
        target.use()
        target.viewport = (0, 0, *self._size)
        picture.use(0)
        (self._gpu.linear if fine or soft else self._gpu.nearest).use(0)
        ctx = self._gpu.ctx
        if fine:
            self._fine_array.render(moderngl.TRIANGLES, vertices=mesh.size)
            return
        if alpha is not None:
            ctx.enable(moderngl.BLEND)
            ctx.blend_func = _OVER
        (self._soft_array if soft else self._array).render(moderngl.TRIANGLES, vertices=mesh.size)
        if alpha is not None:
            ctx.disable(moderngl.BLEND)

    def _texture(self, pixels: Pixels, *, fine: bool = False) -> moderngl.Texture:
        """The picture on the GPU, or a copy of twice its size; kept while a scene shows it."""
        if self._plate is not None and self._plate[0] is pixels and not fine:
            return self._plate[1]
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

    def forget(self, scene: Scene | None = None, layers: Iterable[Still] = ()) -> None:
        """Textures that neither the scene nor a layer shows go back to the pool."""
        scenes = [] if scene is None else [scene.stills, scene.under, scene.mouths]
        shown = [one.pixels for kind in scenes for one in kind.values()]  # type: ignore[attr-defined]
        shown += [one.pixels for one in layers]
        stay = []
        for kept in self._kept:
            if any(kept[0] is one for one in shown):
                stay.append(kept)
            else:
                self._gpu.release(kept[2])
        self._kept = stay
