"""The catalogue of effects: a name finds a motion class, a shader file or a net's card.

The file name is the registry: ``kfx/motion/NAME.py`` with ``MOTION = Class``, ``shaders/NAME.fs``,
or ``models/NAME.toml`` beside ``NAME.onnx``.
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

_NO_EFFECTS = set(  # of the files in kfx/motion
    "__init__ base cast chance cued full_lips guard lent motion_net net_player neutral of_net"
    " painted_mouth patch reenact regions sing smooth still_choice worn".split()
)


@dataclass(frozen=True, slots=True)
class EffectSpec:
    """What is known of an effect without running it."""

    name: str
    kind: Literal["motion", "shader", "net"]
    doc: str
    knobs: Mapping[str, Knob]
    source: Any  # the Motion class, the parsed isf.Shader, or the neural.card.Card
    where: str  # the file, for people


def names() -> list[str]:
    """All effects there are, sorted."""
    from kfx.effects import onnx

    return sorted({*_motion_names(), *assets.names("shaders", ".fs"), *onnx.names()})


def find(name: str) -> EffectSpec:
    """The effect called `name`, or the file at a path: a shader (``.fs``), a net (``.onnx``) or
    its card (``.toml``).

    Raises `KfxError` with the nearest names if there is none.
    """
    if name.endswith(".fs"):
        return _shader(Path(name))
    if name.endswith((".onnx", ".toml")):
        return _net(Path(name))
    if name in _motion_names():
        module = import_module(f"kfx.motion.{name}")
        doc = (module.__doc__ or "").strip().splitlines()[0]
        cls = module.MOTION
        return EffectSpec(name, "motion", doc, knobs_of(cls), cls, f"kfx/motion/{name}.py")
    if name in assets.names("shaders", ".fs"):
        return _shader(assets.folder("shaders") / f"{name}.fs")
    if (card := assets.folder("models") / f"{name}.toml").is_file():
        return _net(card)
    raise KfxError(f"effect {name!r} is unknown; {_nearest(name)}")


def _motion_names() -> list[str]:
    folder = Path(__file__).resolve().parent.parent / "motion"
    return [p.stem for p in folder.glob("*.py") if p.stem not in _NO_EFFECTS]


def _shader(path: Path) -> EffectSpec:
    from kfx.render import isf

    shader = isf.load(path)
    return EffectSpec(path.stem, "shader", shader.doc, shader.knobs, shader, str(path))


def _net(path: Path) -> EffectSpec:
    from kfx.effects import onnx

    card = onnx.find(path)
    return EffectSpec(card.name, "net", card.doc, card.knobs, card, str(path))


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "see: kfx list effects"
