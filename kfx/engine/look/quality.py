"""How finely costly looks are drawn: the governor's effect quality."""

from __future__ import annotations

from kfx.presets import Preset

STEPS = ("full", "two thirds", "half")
VALUES = (1.0, 2 / 3, 0.5)


class Quality:
    """Called, it tells `kfx_quality`, by which shaders draw their inner pictures smaller."""

    def __init__(self) -> None:
        self.level = 0

    def __call__(self) -> float:
        return VALUES[self.level]


def full() -> float:
    """Nothing is given up."""
    return VALUES[0]


def matters_to(preset: Preset) -> bool:
    """Whether any shader of a look can be drawn less finely."""
    return any(
        link.effect.kind == "shader" and "kfx_quality" in link.effect.source.types
        for link in preset.chain
        if not link.idle
    )
