"""The pictures between the passes of an ISF shader, kept over frames where it asks for that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import moderngl

from kfx.render import isf_size
from kfx.render.gpu import Gpu
from kfx.render.isf import Shader, Target
from kfx.render.stretch import Stretch


class Targets:
    """One texture per target, two where a pass reads the target that it writes.

    Must: `fit` and then `begin` at the start of a frame; `write` before a pass, `wrote` after it.
    Guaranteed: the contents are the same whatever was drawn with the GPU before.
    """

    def __init__(self, gpu: Gpu, shader: Shader, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        self._sizes: dict[str, tuple[int, int]] = {}
        self._inputs: dict[str, tuple[Any, ...]] = {}
        self._targets = shader.targets
        self._doubled: dict[str, moderngl.Texture] = {}
        self._doubling: frozenset[str] = frozenset()
        self._emptied: frozenset[str] = frozenset()
        self._stretch = Stretch(gpu)
        self.textures: dict[str, moderngl.Texture] = {}

    @property
    def names(self) -> Collection[str]:
        return self._targets.keys()

    def plan(self, doubled: Collection[str], emptied: Collection[str]) -> None:
        """Say which targets a pass reads while it writes them, and which are read empty.

        It may be said again as passes change: what once was needed is kept.
        """
        self._emptied |= frozenset(emptied)
        self._doubling |= frozenset(doubled)
        for name in self._doubling & self.textures.keys() - self._doubled.keys():
            self._doubled[name] = self._new(name)

    def fit(self, values: Mapping[str, Any]) -> None:
        """Give every target the size that its expressions have with the knobs' `values`."""
        for name, target in self._targets.items():
            inputs = tuple(values.get(key, 0.0) for key in target.reads.values())
            if self._inputs.get(name) == inputs:
                continue
            self._inputs[name] = inputs
            size = self._wanted(target, values)
            if self._sizes.get(name) != size:
                self._sizes[name] = size
                self._resize(name, target)

    def begin(self) -> None:
        for name in self._emptied:
            self._clear(self.textures[name])

    def write(self, name: str) -> moderngl.Texture:
        """The texture to draw the target into; reading `textures` gives what it was before."""
        return self._doubled.get(name) or self.textures[name]

    def wrote(self, name: str) -> None:
        if name in self._doubled:
            self.textures[name], self._doubled[name] = self._doubled[name], self.textures[name]

    def reset(self) -> None:
        """Forget everything: the next frame is like the first one."""
        for name, target in self._targets.items():
            if target.persistent and name in self.textures:
                self._clear(self.textures[name])

    def inherit(self, old: Targets) -> None:
        """Show what the same shader's targets hold that it keeps, stretched to these sizes."""
        for name, target in self._targets.items():
            if target.persistent and name in self.textures and name in old.textures:
                self._stretch(old.textures[name], self.textures[name])

    def release(self) -> None:
        for texture in (*self.textures.values(), *self._doubled.values()):
            self._gpu.release(texture)
        self.textures.clear()
        self._doubled.clear()
        self._stretch.release()

    def _wanted(self, target: Target, values: Mapping[str, Any]) -> tuple[int, int]:
        names = {"WIDTH": self._size[0], "HEIGHT": self._size[1]}
        names.update((name, values.get(key, 0.0)) for name, key in target.reads.items())
        width, height = (
            isf_size.pixels(one.value(names), self._gpu.largest) if one else full
            for one, full in zip((target.width, target.height), self._size, strict=True)
        )
        return width, height

    def _resize(self, name: str, target: Target) -> None:
        old = self.textures.get(name)
        new = self._new(name)
        self._clear(new)
        if old is not None:
            if target.persistent:
                self._stretch(old, new)
            self._gpu.discard(old)
        self.textures[name] = new
        if name in self._doubled:
            self._gpu.discard(self._doubled.pop(name))
        if name in self._doubling:
            self._doubled[name] = self._new(name)

    def _new(self, name: str) -> moderngl.Texture:
        dtype = "f4" if self._targets[name].is_float else "f1"
        return self._gpu.acquire(self._sizes[name], dtype=dtype)

    def _clear(self, texture: moderngl.Texture) -> None:
        self._gpu.target(texture).clear(0.0, 0.0, 0.0, 0.0)
