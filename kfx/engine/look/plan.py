"""Turns a preset's chain into passes, before any GL exists.

All motion effects compose into one warp, which comes first. A shader that changes only faces or
eyes is drawn over their boxes in place; any other shader is one pass over the full frame. A
shader that reads the picture only at its own pixel is joined with the one before it, so that
both are one pass. Effects whose `mix` is 0, and which no signal raises, aren't planned at all: the
picture passes untouched, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kfx.params import Value
from kfx.presets import Link, Preset
from kfx.render import isf_join
from kfx.render.isf import Shader
from kfx.render.isf_own import Buses, History
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
    buses: Mapping[str, Plan] = field(default_factory=dict)
    """What is drawn onto each bus in use; shown where a shader has `buses`."""

    @property
    def places(self) -> frozenset[int]:
        """The places in the chain of all that is planned."""
        own = (n for step in self.steps for n, _ in step.links)
        return frozenset(own).union(*(one.places for one in self.buses.values()))

    @property
    def shows_buses(self) -> Buses | None:
        """What the first shader that shows buses wants of them."""
        links = [link for step in self.steps for _, link in step.links]
        shaders = [link.effect.source for link in links if link.effect.kind == "shader"]
        return next((one.buses for one in shaders if one.buses), None)

    @property
    def bus_history(self) -> History | None:
        """What a shader remembers of the buses."""
        links = [link for step in self.steps for _, link in step.links]
        shaders = [link.effect.source for link in links if link.effect.kind == "shader"]
        return next((one.history for one in shaders if one.buses and one.history), None)

    @property
    def reads_hands(self) -> bool:
        """Whether a shader looks at hands."""
        links = [link for step in self.steps for _, link in step.links]
        return any("handData" in getattr(link.effect.source, "images", ()) for link in links)

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
        if any(one.needs_person for one in self.buses.values()):
            return True
        return self.draws_person

    @property
    def draws_person(self) -> bool:
        """The same of what isn't on a bus."""
        links = [link for step in self.steps for _, link in step.links]
        if any(reads_matte(link) for link in links):
            return True
        drawn = [step for step in self.steps if step.kind in ("boxes", "frame")]
        links = [link for step in drawn for _, link in step.links]
        return any("personMatte" in link.effect.source.images for link in links)

    @property
    def needs_blendshapes(self) -> bool:
        """Whether a knob follows an expression: faces should come with their coefficients."""
        if any(one.needs_blendshapes for one in self.buses.values()):
            return True
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
        return drawn or follows or any(one.needs_faces for one in self.buses.values())


def reads_matte(link: Link) -> bool:
    """Whether a motion reads the person matte with its knobs as they are, or as they move."""
    knob = link.effect.kind == "motion" and link.effect.source.matte_knob
    if not knob or link.idle:
        return False
    return bool(link.values[knob]) or knob in link.modulation


def compile_plan(preset: Preset, *, join: bool = True, bus: str = "") -> Plan:
    """The plan of a preset, or of one bus of it. Never fails: `presets.load` has checked it.

    `join=False` gives every shader its own pass: slower, and the same picture.
    """
    active = [(i, link) for i, link in enumerate(preset.chain) if not link.idle and link.bus == bus]
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
    used = sorted({link.bus for link in preset.chain if link.bus and not link.idle} - {bus})
    buses = {one: compile_plan(preset, join=join, bus=one) for one in used if not bus}
    return Plan(tuple(steps), tuple(images), buses)


def uniforms(step: Step, values: Sequence[Mapping[str, Value]], seed: int) -> dict[str, Any]:
    """What a step's program is told of its links' knobs; `values` are those of the whole chain."""
    each = []
    for place, _ in step.links:
        knobs: dict[str, Any] = dict(values[place])
        mix, own = knobs.pop("mix"), seed + knobs.pop("seed")
        each.append({**knobs, "kfx_mix": mix, "kfx_seed": float(own)})
    return isf_join.joined_values(each) if len(each) > 1 else each[0]


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
