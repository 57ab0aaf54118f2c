"""Turns a preset's chain into passes, before any GL exists.

All motion effects compose into one warp, which comes first. A shader that changes only faces or
eyes is drawn over their boxes in place; any other shader is one pass over the full frame. A
shader that reads the picture only at its own pixel is joined with the one before it, so that
both are one pass. Effects whose `mix` is 0, and which no signal raises, aren't planned at all: the
picture passes untouched, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from kfx.presets import Link, Preset
from kfx.render import isf_join
from kfx.render.isf import Shader
from kfx.tracking.arkit import NAMES as EXPRESSIONS

Kind = Literal["warp", "boxes", "frame", "net"]
Moving = Mapping[int, set[str]]
"""The knobs of links, by their place in the chain, that move while they are drawn."""


@dataclass(frozen=True, slots=True)
class Step:
    """One drawing: the links it draws and where."""

    kind: Kind
    links: tuple[tuple[int, Link], ...]  # with their place in the preset's chain

    @property
    def slots(self) -> tuple[int | str, ...]:
        """Whom a shader step draws; a warp asks each of its links."""
        return self.links[0][1].slots

    @property
    def buffer(self) -> tuple[tuple[int | str, ...], str, bool]:
        """The face G-buffer that a shader step reads, see `kfx.engine.look.routing.Key`."""
        first = self.links[0][1].effect.source
        return self.slots, first.edge, first.coarse

    @property
    def text(self) -> str:
        """The step for people: ``film + lut_grade: one pass over the full frame``."""
        names = " + ".join(_named(link) for _, link in self.links)
        first = self.links[0][1].effect.source
        if self.kind == "warp":
            whole = any(link.values.get("mode") == "full" for _, link in self.links if _holds(link))
            return f"{names}: one warp of the {'full frame' if whole else 'face boxes'}"
        if self.kind == "net":
            where = "the full frame" if first.region == "frame" else f"{first.region} crops"
            return f"{names}: a net on {where}, {first.path.name}"
        region = {"face": "faces", "eyes": "eyes"}.get(first.region, "")
        where = "over the full frame" if self.kind == "frame" else f"in place, {region} only"
        if first.passes[-1].where:
            where = where.replace("full frame", "frame") + ", in the tiles where it shows"
        before = [f"{p.target} {_size_text(p)}" for p in first.passes[:-1] if p.target]
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
        """Steps that draw where there is no face; those of nets count."""
        return sum(
            step.kind == "frame"
            or (step.kind == "net" and step.links[0][1].effect.source.region == "frame")
            for step in self.steps
        )

    @property
    def needs_person(self) -> bool:
        """Whether a shader reads ``personMatte``, or a motion the matte of the tick."""
        links = [link for step in self.steps for _, link in step.links]
        if any(reads_matte(link) for link in links):
            return True
        drawn = [step for step in self.steps if step.kind in ("boxes", "frame")]
        links = [link for step in drawn for _, link in step.links]
        return any("personMatte" in link.effect.source.images for link in links)

    @property
    def needs_blendshapes(self) -> bool:
        """Whether a knob follows an expression: faces should come with their coefficients."""
        links = [link for step in self.steps for _, link in step.links]
        told = {source.signal for link in links for source in link.sources}
        return any(f"face.{name}" in told for name in EXPRESSIONS)

    @property
    def needs_faces(self) -> bool:
        """Whether a tracker has anything to do."""
        links = [link for step in self.steps for _, link in step.links]
        follows = any(
            source.signal.startswith(("face.", "head."))
            for link in links
            for source in link.sources
        )
        drawn = bool(self.face_images) or any(step.kind != "frame" for step in self.steps)
        return drawn or follows


def reads_matte(link: Link) -> bool:
    """Whether a motion reads the person matte with its knobs as they are, or as they move."""
    knob = link.effect.kind == "motion" and link.effect.source.matte_knob
    if not knob or link.idle:
        return False
    return bool(link.values[knob]) or knob in link.modulation


def compile_plan(preset: Preset, *, join: bool = True) -> Plan:
    """The plan of a preset. Never fails: `presets.load` has checked everything.

    `join=False` gives every shader its own pass: slower, and the same picture.
    """
    active = [(i, link) for i, link in enumerate(preset.chain) if not link.idle]
    motions = tuple((i, link) for i, link in active if _moves(link))
    steps = [Step("warp", motions)] if motions else []
    images: dict[str, None] = {}
    for i, link in active:
        if link.effect.kind == "net" and not _moves(link):
            steps.append(Step("net", ((i, link),)))
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


def shader_of(step: Step) -> Shader:
    """What a step draws: its one shader, or its shaders joined; what moves isn't compiled in."""
    shaders = [link.effect.source for _, link in step.links]
    shader = isf_join.join(shaders) if len(shaders) > 1 else shaders[0]
    remembers = shader.history is not None or any(one.persistent for one in shader.passes)
    moving = {}
    for place, link in step.links:
        # What draws at mix 0 as well would be compiled twice over, at the worst moment.
        flips = link.when is not None and (len(shaders) > 1 or remembers)
        moving[place] = {*link.modulation, *(["mix"] if flips else [])}
    return loosened(shader, step, moving)


def loosened(shader: Shader, step: Step, knobs: Moving) -> Shader:
    """The shader of a step with the `knobs` of its links, by their place, left as uniforms."""
    each = []
    for place, link in step.links:
        names = {"mix": "kfx_mix", **link.effect.source.knob_names}
        each.append({names.get(knob, knob): True for knob in knobs.get(place, ())})
    free = {name for name, is_free in isf_join.joined_values(each).items() if is_free is True}
    if len(each) == 1:
        free = set(each[0])
    return replace(
        shader,
        choices=shader.choices - free,
        mixes=tuple(name for name in shader.mixes if name not in free),
    )


def _named(link: Link) -> str:
    """A link's name with whom and when it draws."""
    said = [", ".join(map(str, link.slots))] if link.slots else []
    said += [f"when {link.when.text}"] if link.when else []
    return link.effect.name + (f" ({'; '.join(said)})" if said else "")


def _moves(link: Link) -> bool:
    """Whether a link moves landmarks and draws nothing itself."""
    net = link.effect.kind == "net" and link.effect.source.kind == "landmarks"
    return net or link.effect.kind == "motion"


def _holds(link: Link) -> bool:
    return bool(getattr(link.effect.source, "holds", False))


def _joins(step: Step, link: Link) -> bool:
    """Whether `link` can be drawn in the same pass as `step`."""
    if step.kind in ("warp", "net") or step.slots != link.slots:
        return False
    first, shader = step.links[0][1].effect.source, link.effect.source
    return (
        (first.region, first.edge, first.coarse) == (shader.region, shader.edge, shader.coarse)
        and isf_join.can_lead(first)
        and isf_join.can_follow(shader)
    )


def _size_text(one: object) -> str:
    width = getattr(one, "width", None)
    return f"({width.replace('$', '').lower()} wide)" if width else "(full size)"
