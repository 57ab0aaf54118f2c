"""Turns a preset's chain into passes, before any GL exists.

All motion effects compose into one warp, which comes first. A shader that changes only faces or
eyes is drawn over their boxes in place; any other shader is one pass over the full frame. A
shader that reads the picture only at its own pixel is joined with the one before it, so that
both are one pass. Effects whose `mix` is 0 aren't planned at all: the picture passes untouched,
to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kfx.presets import Link, Preset
from kfx.render import isf_join

Kind = Literal["warp", "boxes", "frame"]


@dataclass(frozen=True, slots=True)
class Step:
    """One drawing: the links it draws and where."""

    kind: Kind
    links: tuple[tuple[int, Link], ...]  # with their place in the preset's chain

    @property
    def text(self) -> str:
        """The step for people: ``film + lut_grade: one pass over the full frame``."""
        names = " + ".join(link.effect.name for _, link in self.links)
        first = self.links[0][1].effect.source
        if self.kind == "warp":
            whole = any(link.values.get("mode") == "full" for _, link in self.links if _holds(link))
            return f"{names}: one warp of the {'full frame' if whole else 'face boxes'}"
        region = {"face": "faces", "eyes": "eyes"}.get(first.region, "")
        where = "over the full frame" if self.kind == "frame" else f"in place, {region} only"
        before = [f"{p.target} {_size_text(p)}" for p in first.passes[:-1]]
        small = f", after {', '.join(before)}" if before else ""
        joined = "one pass" if len(self.links) > 1 else "a pass"
        return f"{names}: {joined} {where}{small}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a preset and the parts of the face G-buffer that they read."""

    steps: tuple[Step, ...]
    face_images: tuple[str, ...]

    @property
    def full_frame_passes(self) -> int:
        return sum(step.kind == "frame" for step in self.steps)

    @property
    def needs_person(self) -> bool:
        """Whether a shader reads ``personMatte``."""
        links = [link for step in self.steps if step.kind != "warp" for _, link in step.links]
        return any("personMatte" in link.effect.source.images for link in links)

    @property
    def needs_faces(self) -> bool:
        """Whether a tracker has anything to do."""
        return bool(self.face_images) or any(step.kind != "frame" for step in self.steps)


def compile_plan(preset: Preset, *, join: bool = True) -> Plan:
    """The plan of a preset. Never fails: `presets.load` has checked everything.

    `join=False` gives every shader its own pass: slower, and the same picture.
    """
    active = [(i, link) for i, link in enumerate(preset.chain) if link.values["mix"] != 0.0]
    motions = tuple((i, link) for i, link in active if link.effect.kind == "motion")
    steps = [Step("warp", motions)] if motions else []
    images: dict[str, None] = {}
    for i, link in active:
        if link.effect.kind != "shader":
            continue
        shader = link.effect.source
        images.update(dict.fromkeys(shader.face_images))
        kind: Kind = "frame" if shader.region == "frame" else "boxes"
        if join and steps and _joins(steps[-1], link):
            steps[-1] = Step(kind, (*steps[-1].links, (i, link)))
        else:
            steps.append(Step(kind, ((i, link),)))
    return Plan(tuple(steps), tuple(images))


def _holds(link: Link) -> bool:
    return bool(getattr(link.effect.source, "holds", False))


def _joins(step: Step, link: Link) -> bool:
    """Whether `link` can be drawn in the same pass as `step`."""
    if step.kind == "warp":
        return False
    first, shader = step.links[0][1].effect.source, link.effect.source
    return (
        first.region == shader.region and isf_join.can_lead(first) and isf_join.can_follow(shader)
    )


def _size_text(one: object) -> str:
    width = getattr(one, "width", None)
    return f"({width.replace('$', '').lower()} wide)" if width else "(full size)"
