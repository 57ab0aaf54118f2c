"""Whom a link draws: slots and names of performers, and the face G-buffers that show only them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kfx.motion.cast import slot_of
from kfx.presets import Link
from kfx.render import facemesh
from kfx.render.gbuffer import GBuffer
from kfx.render.gpu import Box, Gpu
from kfx.render.isf import Shader
from kfx.types import Face, Tick

Slots = tuple[int | str, ...]
"""As a preset names them; empty for everybody."""
Key = tuple[Slots, str, bool]
"""Whom a face G-buffer shows, where their faces end (see `kfx.render.isf.EDGES`), and whether it
may be coarse."""
EVERYBODY: Key = (), "mesh", False


def routed(faces: Iterable[Face], slots: Slots, names: Mapping[int, str]) -> tuple[Face, ...]:
    """The faces that `slots` mean; `names` are those of pinned slots. An unknown name is nobody."""
    if not slots:
        return tuple(faces)
    wanted = resolved(slots, names)
    return tuple(face for face in faces if face.slot in wanted)


def resolved(slots: Slots, names: Mapping[int, str]) -> frozenset[int]:
    """The numbers of `slots`."""
    found = (slot_of(one, names) for one in slots)
    return frozenset(one for one in found if one is not None)


def boxes_of(shader: Shader, faces: Iterable[Face], size: tuple[int, int]) -> list[Box]:
    """Where a shader of faces or eyes draws, nowhere twice."""
    return facemesh.apart(
        [
            box
            for face in faces
            for box in facemesh.region_boxes(
                face, shader.region, shader.margin_iod, size, shader.eyes_iod
            )
        ]
    )


class Buffers:
    """The face G-buffer of each routing that a chain's shaders ask for."""

    def __init__(
        self,
        gpu: Gpu,
        size: tuple[int, int],
        links: Sequence[Link],
        aov: tuple[str, ...] = (),
        *,
        occluded: bool = False,
    ) -> None:
        """`links` are the shaders to draw; `aov` images are drawn whole, of everybody."""
        self._size = size
        self._aov = aov
        self._boxes: dict[Key, list[tuple[str, float, float]]] = {}
        wanted: dict[Key, dict[str, None]] = {EVERYBODY: dict.fromkeys(aov)} if aov else {}
        for link in links:
            shader = link.effect.source
            if shader.face_images:
                key = link.slots, shader.edge, shader.coarse
                wanted.setdefault(key, {}).update(dict.fromkeys(shader.face_images))
                region = "face" if shader.region == "frame" else shader.region
                where = region, shader.margin_iod, shader.eyes_iod
                self._boxes.setdefault(key, []).append(where)
        self._all = {
            key: GBuffer(gpu, size, images, occluded=occluded, edge=key[1], coarse=key[2])
            for key, images in wanted.items()
        }

    def images(self, key: Key = EVERYBODY) -> Mapping[str, Any]:
        """The textures by name."""
        found = self._all.get(key)
        return found.images if found is not None else {}

    def scale(self, key: Key) -> float:
        """How wide the images are, as a share of the picture's width."""
        found = self._all.get(key)
        return found.scale if found is not None else 1.0

    def draw(
        self,
        faces: Sequence[Face],
        tick: Tick,
        names: Mapping[int, str],
        occlusion: Any,
        picture: Any,
    ) -> None:
        """Draw each G-buffer from the `faces` as they are shown, in this `picture`.

        Who isn't meant is drawn with presence 0: a face behind them stays hidden.
        """
        for key, buffer in self._all.items():
            meant = routed(faces, key[0], names)
            here = {face.slot for face in meant}
            drawn = [face if face.slot in here else replace(face, presence=0.0) for face in faces]
            box = facemesh.union(self._read(meant, key))
            cut = tick.dt == 0.0
            buffer.draw(drawn, box, cut=cut, occlusion=occlusion, picture=picture)

    def reset(self) -> None:
        for buffer in self._all.values():
            buffer.reset()

    def release(self) -> None:
        for buffer in self._all.values():
            buffer.release()
        self._all.clear()

    def _read(self, faces: Sequence[Face], key: Key) -> list[Box]:
        """Where the shaders of a G-buffer read."""
        asked = list(self._boxes.get(key, ()))
        if self._aov and key == EVERYBODY:
            asked.append(("face", 0.0, 0.0))
        return [
            box
            for face in faces
            for region, margin, eyes in asked
            for box in facemesh.region_boxes(face, region, margin, self._size, eyes)
        ]
