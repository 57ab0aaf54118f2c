"""The textures of an ISF shader that no pass draws: imported pictures, chosen files, sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import moderngl
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.params import Listed, Text
from kfx.render import lettering
from kfx.render.gpu import Gpu
from kfx.render.isf import Imported, Shader
from kfx.render.pictures import load_picture
from kfx.render.sound import spectrum, waveform
from kfx.types import Pixels, Sound

Texture = moderngl.Texture | moderngl.TextureCube
TEXEL_IMAGES = frozenset({"faceData", "handData"})  # tables of numbers, read texel by texel


class Loaded(NamedTuple):
    texture: Texture
    sampler: moderngl.Sampler | None = None  # None: the program chooses


class Images:
    """Looks an image up by name; everything that is missing is transparent black, or silence."""

    def __init__(self, gpu: Gpu, shader: Shader) -> None:
        self._gpu = gpu
        self._shader = shader
        self._files: dict[str, tuple[str, Loaded]] = {}
        self._sounds: dict[str, moderngl.Texture] = {}
        self._drawn: dict[str, Sound] = {}  # what those show
        self._black: Loaded | None = None
        self._dark_cube: Loaded | None = None
        self._imported: dict[str, Loaded] = {}
        for name, one in shader.imported.items():
            self._imported[name] = self._import(one) if one.paths else self._missing(one.cube)

    def release(self) -> None:
        owned = [self._black, self._dark_cube, *self._imported.values()]
        owned += [loaded for _, loaded in self._files.values()]
        textures = {id(one.texture): one.texture for one in owned if one is not None}
        for texture in (*textures.values(), *self._sounds.values()):
            texture.release()

    def lookup(self, name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Loaded]:
        """A function of the given images and the values of the moment that finds `name`."""
        if name in self._imported:
            imported = self._imported[name]
            return lambda images, values: imported
        if name in self._shader.audio:
            return lambda images, values: self._heard(name, images)
        if name in self._shader.files:
            if isinstance(knob := self._shader.knobs.get(name), Text):
                return lambda images, values: self._written(name, knob, values)
            return lambda images, values: self._file(name, values.get(name, ""), images)
        if name in self._shader.cube_inputs:
            return lambda images, values: self._given(images.get(name), cube=True)
        if name in ("startImage", "kfx_below"):
            return lambda images, values: self._given(images.get(name) or images.get("inputImage"))
        sampler = self._gpu.nearest if name in TEXEL_IMAGES else None
        return lambda images, values: self._given(images.get(name), sampler)

    def _given(
        self, texture: Any, sampler: moderngl.Sampler | None = None, *, cube: bool = False
    ) -> Loaded:
        return self._missing(cube) if texture is None else Loaded(texture, sampler)

    def _missing(self, cube: bool = False) -> Loaded:
        if cube:
            if self._dark_cube is None:
                texture = self._gpu.ctx.texture_cube((1, 1), 4, bytes(24))
                self._dark_cube = Loaded(texture, self._gpu.linear)
            return self._dark_cube
        if self._black is None:
            self._black = Loaded(self._gpu.ctx.texture((1, 1), 4, bytes(4)), self._gpu.nearest)
        return self._black

    def _import(self, one: Imported) -> Loaded:
        gpu = self._gpu
        if one.cube:
            faces = [load_picture(path) for path in one.paths]
            if len({face.shape for face in faces}) > 1:
                raise KfxError(f"{one.paths[0]}: the six pictures of a cube differ in size")
            height, width = faces[0].shape[:2]
            data = b"".join(face.tobytes() for face in faces)
            return Loaded(gpu.ctx.texture_cube((width, height), 4, data), gpu.linear)
        picture = _picture(gpu, one.paths[0])
        if one.repeat:
            return Loaded(picture, gpu.nearest_repeat if one.nearest else gpu.linear_repeat)
        return Loaded(picture, gpu.nearest if one.nearest else None)

    def _file(self, name: str, path: str, images: Mapping[str, Any]) -> Loaded:
        """What a File knob chose. An endImage that nobody chose is the effect's own input."""
        known = self._files.get(name)
        if known is not None and known[0] == path and path:
            return known[1]
        if known is not None:
            known[1].texture.release()
            del self._files[name]
        if not path:
            if name in images or name == "endImage":
                return self._given(images.get(name) or images.get("inputImage"))
            return self._missing()
        if path.lower().endswith(".cube"):
            from kfx.render.cube import load_cube

            table = load_cube(Path(path))
            height, width = table.shape[:2]
            texture = self._gpu.ctx.texture((width, height), 4, table.tobytes(), dtype="f4")
            loaded = Loaded(texture, self._gpu.nearest)
        else:
            loaded = Loaded(_picture(self._gpu, Path(path)))
        self._files[name] = (path, loaded)
        return loaded

    def _written(self, name: str, knob: Text, values: Mapping[str, Any]) -> Loaded:
        """What a Text knob says, as a picture; transparent black for nothing."""
        text = values.get(name, "")
        font = "" if isinstance(knob, Listed) else values.get("font", "")
        key = f"{font}\n{text}"
        known = self._files.get(name)
        if known is not None and known[0] == key:
            return known[1]
        if known is not None:
            known[1].texture.release()
            del self._files[name]
        if not text:
            return self._missing()
        listed = isinstance(knob, Listed)
        pixels = lettering.listed(knob.numbers(text)) if listed else lettering.drawn(text, font)
        loaded = Loaded(_uploaded(self._gpu, pixels), self._gpu.nearest if listed else None)
        self._files[name] = (key, loaded)
        return loaded

    def _heard(self, name: str, images: Mapping[str, Any]) -> Loaded:
        """What is given for one input, else the picture of what is heard, made once a tick."""
        given, sound = images.get(name), images.get("kfx_sound")
        if given is not None or sound is None:
            self._drawn.pop(name, None)
            return self._sound(name, given)
        if self._drawn.get(name) is sound:
            return Loaded(self._sounds[name])
        of = waveform if self._shader.inputs[name] == "audio" else spectrum
        loaded = self._sound(name, of(sound, self._shader.audio[name][1]))
        self._drawn[name] = sound
        return loaded

    def _sound(
        self, name: str, samples: npt.NDArray[np.float32] | moderngl.Texture | None
    ) -> Loaded:
        """`samples` (channels, columns) as a picture with a row per channel; None is silence."""
        if samples is not None and not isinstance(samples, np.ndarray):
            return Loaded(samples)
        silence, columns = self._shader.audio[name]
        known = self._sounds.get(name)
        if samples is None:
            if known is not None and known.extra == "silence":
                return Loaded(known)
            data = np.full((1, columns), silence, np.float32)
        else:
            data = np.ascontiguousarray(np.atleast_2d(samples), np.float32)
        size = (data.shape[1], data.shape[0])
        if known is None or known.size != size:
            if known is not None:
                known.release()
            known = self._gpu.ctx.texture(size, 1, dtype="f4", alignment=4)
            known.swizzle = "RRR1"
            self._sounds[name] = known
        known.write(data)
        known.extra = "silence" if samples is None else None
        return Loaded(known)


def _picture(gpu: Gpu, path: Path) -> moderngl.Texture:
    return _uploaded(gpu, load_picture(path))


def _uploaded(gpu: Gpu, pixels: Pixels) -> moderngl.Texture:
    height, width = pixels.shape[:2]
    return gpu.ctx.texture((width, height), 4, pixels[::-1].tobytes())
