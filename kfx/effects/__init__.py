"""The catalogue of effects: a name finds a motion class or a shader file.

The file name is the registry: ``kfx/motion/NAME.py`` with ``MOTION = Class``, or
``shaders/NAME.fs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from kfx import assets
from kfx.errors import KfxError
from kfx.params import Knob, knobs_of

_NO_EFFECTS = {"__init__", "base", "chance", "guard", "neutral", "regions", "sing", "still_choice"}


@dataclass(frozen=True, slots=True)
class EffectSpec:
    """What is known of an effect without running it."""

    name: str
    kind: Literal["motion", "shader"]
    doc: str
    knobs: Mapping[str, Knob]
    source: Any  # the Motion class, or the parsed isf.Shader
    where: str  # the file, for people


def names() -> list[str]:
    """All effects there are, sorted."""
    return sorted({*_motion_names(), *assets.names("shaders", ".fs")})


def find(name: str) -> EffectSpec:
    """The effect called `name`, or the shader file at a path that ends in ``.fs``.

    Raises `KfxError` with the nearest names if there is none.
    """
    if name.endswith(".fs"):
        return _shader(Path(name))
    if name in _motion_names():
        module = import_module(f"kfx.motion.{name}")
        doc = (module.__doc__ or "").strip().splitlines()[0]
        cls = module.MOTION
        return EffectSpec(name, "motion", doc, knobs_of(cls), cls, f"kfx/motion/{name}.py")
    if name in assets.names("shaders", ".fs"):
        return _shader(assets.folder("shaders") / f"{name}.fs")
    raise KfxError(f"effect {name!r} is unknown; {_nearest(name)}")


def _motion_names() -> list[str]:
    folder = Path(__file__).resolve().parent.parent / "motion"
    return [p.stem for p in folder.glob("*.py") if p.stem not in _NO_EFFECTS]


def _shader(path: Path) -> EffectSpec:
    from kfx.render import isf

    shader = isf.load(path)
    return EffectSpec(path.stem, "shader", shader.doc, shader.knobs, shader, str(path))


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "see: kfx list effects"
