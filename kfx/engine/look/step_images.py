"""The images that shaders of a chain read beside the picture: face G-buffers, mattes, sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import moderngl

from kfx.engine.look.routing import EVERYBODY, Buffers, Key
from kfx.presets import Link
from kfx.render.gpu import Gpu
from kfx.render.hand_matte import HandMatte
from kfx.render.isf_program import automatic_values
from kfx.render.person_matte import PersonMatte
from kfx.render.still import Scene
from kfx.types import Face, Sound, Tick


class StepImages:
    """Draws, of the plate as the warp has left it, what the shaders of a chain ask for."""

    def __init__(
        self,
        gpu: Gpu,
        size: tuple[int, int],
        shaders: Sequence[Link],
        aov: tuple[str, ...],
        *,
        faces: bool,
        person: bool,
        hands: bool,
    ) -> None:
        """`faces`: something reads a face G-buffer; `hands` cuts them out of it."""
        self._sound: Sound | None = None
        self._hands = HandMatte(gpu, size) if hands else None
        self._person = PersonMatte(gpu, size) if person else None
        self._buffers = Buffers(gpu, size, shaders, aov, occluded=hands) if faces else None

    def release(self) -> None:
        for thing in (self._buffers, self._person, self._hands):
            if thing is not None:
                thing.release()
        self._buffers = self._person = self._hands = None

    def reset(self) -> None:
        """A cut, or nothing was drawn of a frame: no motion is known."""
        if self._buffers is not None:
            self._buffers.reset()

    def draw(
        self,
        tick: Tick,
        shown: tuple[Face, ...],
        canvas: moderngl.Texture,
        names: Mapping[int, str],
        scene: Scene | None,
    ) -> None:
        """`shown` are the faces as the warp has driven them, `scene` what is held."""
        self._sound = tick.sound
        still = scene is not None and scene.whole
        if self._buffers is not None:
            hidden = None
            if self._hands is not None and not still:
                hidden = self._hands.draw(tick.hands, shown, canvas)
            self._buffers.draw(shown, tick, names, hidden, canvas)
        if self._person is not None:
            matte = scene.matte if scene is not None and scene.whole else tick.matte
            self._person.draw(matte, shown, canvas)

    def moment(self, tick: Tick, faces: Sequence[Face], key: Key) -> dict[str, Any]:
        """The uniforms that tell a step, whose G-buffer is `key`, of the tick and its `faces`."""
        return {
            **automatic_values(tick.index, tick.time, tick.dt),
            "beat": tick.beat,
            "bar": tick.bar,
            "energy": tick.energy,
            "kfx_scale": 1.0 if self._buffers is None else self._buffers.scale(key),
            "iod": max((face.iod for face in faces), default=0.0),
        }

    def of(self, canvas: moderngl.Texture, key: Key = EVERYBODY) -> dict[str, Any]:
        """Textures by name, for a step whose G-buffer is `key`; ``inputImage`` is `canvas`.

        ``kfx_sound`` is what is heard, if anything: each shader makes its own pictures of it.
        """
        faces = self._buffers.images(key) if self._buffers is not None else {}
        person = {} if self._person is None else {"personMatte": self._person.image}
        sound = {} if self._sound is None else {"kfx_sound": self._sound}
        return {"inputImage": canvas, **faces, **person, **sound}
