"""The images that shaders of a chain read beside the picture: face G-buffers, mattes, sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from kfx.engine.look.routing import EVERYBODY, Buffers, Key
from kfx.presets import Link
from kfx.render.gpu import Gpu
from kfx.render.hand_matte import HandMatte
from kfx.render.isf_program import automatic_values
from kfx.render.person_matte import PersonMatte
from kfx.render.still import Scene
from kfx.tracking.hands import MOST
from kfx.types import Face, Hand, Sound, Tick

HAND_POINTS = 21
_UP = np.array((1.0, -1.0), np.float32)


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
        self._gpu = gpu
        self._sound: Sound | None = None
        reads = any("handData" in link.effect.source.images for link in shaders)
        self._hand_data = gpu.acquire((HAND_POINTS, MOST), dtype="f4") if reads else None
        self._hands = HandMatte(gpu, size) if hands else None
        self._person = PersonMatte(gpu, size) if person else None
        self._buffers = Buffers(gpu, size, shaders, aov, occluded=hands) if faces else None

    def release(self) -> None:
        for thing in (self._buffers, self._person, self._hands):
            if thing is not None:
                thing.release()
        if self._hand_data is not None:
            self._gpu.release(self._hand_data)
        self._hand_data = None
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
        if self._hand_data is not None:
            self._hand_data.write(_table(tick.hands, canvas.size[1]))
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
            **automatic_values(tick.index, tick.time, tick.dt, tick.date),
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
        hands = {} if self._hand_data is None else {"handData": self._hand_data}
        return {"inputImage": canvas, **faces, **person, **sound, **hands}


def _table(hands: Sequence[Hand], height: int) -> npt.NDArray[np.float32]:
    """(MOST, 21, 4): x and y of each point in pixels, y up, and 1 where there is a hand."""
    table = np.zeros((MOST, HAND_POINTS, 4), np.float32)
    for row, hand in zip(table, hands, strict=False):
        row[:, :2] = hand * _UP + np.array((0.0, height), np.float32)
        row[:, 3] = 1.0
    return table
