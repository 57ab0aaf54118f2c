"""Turns a preset's chain into passes, before any GL exists.

All motion effects compose into one warp, which comes first. A shader that changes only faces or
eyes is drawn over their boxes in place; any other shader is one pass over the full frame.
Effects whose `mix` is 0 aren't planned at all: the picture passes untouched, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kfx.presets import Link, Preset


@dataclass(frozen=True, slots=True)
class Step:
    """One pass: the links it draws and where."""

    kind: Literal["warp", "boxes", "frame"]
    links: tuple[tuple[int, Link], ...]  # with their place in the preset's chain

    @property
    def text(self) -> str:
        names = " + ".join(link.effect.name for _, link in self.links)
        where = {"warp": "one warp of the face boxes", "boxes": "in place", "frame": "full frame"}
        return f"{names}: {where[self.kind]}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a preset and the parts of the face G-buffer that they read."""

    steps: tuple[Step, ...]
    face_images: tuple[str, ...]

    @property
    def full_frame_passes(self) -> int:
        return sum(step.kind == "frame" for step in self.steps)

    @property
    def needs_faces(self) -> bool:
        """Whether a tracker has anything to do."""
        return bool(self.face_images) or any(step.kind != "frame" for step in self.steps)


def compile_plan(preset: Preset) -> Plan:
    """The plan of a preset. Never fails: `presets.load` has checked everything."""
    active = [(i, link) for i, link in enumerate(preset.chain) if link.values["mix"] != 0.0]
    motions = tuple((i, link) for i, link in active if link.effect.kind == "motion")
    steps = [Step("warp", motions)] if motions else []
    images: dict[str, None] = {}
    for i, link in active:
        if link.effect.kind == "shader":
            shader = link.effect.source
            kind: Literal["boxes", "frame"] = "frame" if shader.region == "frame" else "boxes"
            steps.append(Step(kind, ((i, link),)))
            images.update(dict.fromkeys(shader.face_images))
    return Plan(tuple(steps), tuple(images))
