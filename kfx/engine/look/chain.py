"""Draws a preset over frames: the one place where plan, motion, warp and shaders meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any

import moderngl
import numpy as np

from kfx.engine.look.autobypass import Care, Strict
from kfx.engine.look.buses import Buses, Told
from kfx.engine.look.modulate import Knobbed, Knobs, Values
from kfx.engine.look.motions import Motions, moved
from kfx.engine.look.nets import NetLayer, wants_person
from kfx.engine.look.plan import (
    Plan,
    Step,
    compile_plan,
    shader_of,
    uniforms,
)
from kfx.engine.look.quality import full
from kfx.engine.look.routing import boxes_of, routed
from kfx.engine.look.step_images import StepImages
from kfx.engine.look.turned import Turned
from kfx.engine.look.warping import Warping
from kfx.neural.opening import opened
from kfx.neural.worker import Inline, Pace
from kfx.presets import Preset
from kfx.render.gbuffer import NAMES as DRAWN
from kfx.render.gpu import Gpu, PixelPool
from kfx.render.isf_program import Program
from kfx.types import Face, Landmarks, Pixels, Tick, freeze


class Chain(Turned):
    """``with Chain(gpu, preset, size) as chain: pixels = chain.render(tick)``.

    The result is exact where nothing is drawn. It is a view of a pooled array, which is used
    again only when nobody holds the view any more.
    """

    def __init__(
        self,
        gpu: Gpu,
        preset: Preset,
        size: tuple[int, int],
        *,
        join: bool = True,
        aov: tuple[str, ...] = (),
        hands: bool = False,
        later: bool = False,
        pace: Pace = Inline,
        care: Callable[[Preset], Care] = Strict,
        quality: Callable[[], float] = full,
        whole: Chain | None = None,
        bus: str = "",
    ) -> None:
        """`aov` names images that are drawn whole for others to read, whoever asks or not.

        With `hands` those of a tick hide the faces behind them. With `later` nothing is compiled
        yet: `build` does it, step by step. `pace` says when nets run: with every frame, or beside;
        `care` what becomes of faults, `quality` how finely costly looks are drawn (0..1). It may
        draw a `bus` of a `whole`, whose knobs and programs it shares.
        """
        self.plan: Plan = compile_plan(preset, join=join, bus=bus)
        self.care: Care = whole.care if whole else care(preset)
        self.knobs = Knobs(preset)
        self.told: Knobbed = self.knobs  # by whom the values of a tick are told
        if whole is not None:
            self.told = Told(lambda: whole._values)
        self.size = size
        self.shown: tuple[Face, ...] = ()  # the faces of the last tick as drawn
        self._gpu = gpu
        self._pool = PixelPool(size)
        self._staging: Pixels = np.empty((size[1], size[0], 4), np.uint8)
        self._canvas = gpu.acquire(size)
        self._spare = gpu.acquire(size)
        steps = self.plan.steps
        moving = steps[0].links if steps and steps[0].kind == "warp" else ()
        self._motions = Motions(moving, self.care)
        # By the place of a step's first link.
        self.programs: dict[int, Program] = whole.programs if whole else {}
        self._nets: dict[int, NetLayer] = {}
        self._pace = pace
        self._quality = quality
        self._uniforms: dict[int, dict[str, Any]] = {}
        self._values: list[Values] = [link.values for link in preset.chain]
        self._warping: Warping | None = None
        self._aov = aov
        nets = [step.links[0][1].effect.source for step in steps if step.kind == "net"]
        self._draws_person = self.plan.draws_person or "personMatte" in aov  # fitted, for shaders
        asked = self._draws_person or self.plan.needs_person
        self.needs_person = asked or wants_person(nets, exact=pace is Inline)
        images = (*self.plan.face_images, *aov)
        self._hides = hands and any(name in DRAWN for name in images)
        self.needs_hands = self._hides or self.plan.reads_hands
        self._beside: StepImages | None = None
        make = partial(Chain, gpu, preset, join=join, later=True, quality=quality, whole=self)
        self._buses = Buses(gpu, self.plan, size, make)
        if not later:
            try:
                for _ in self.build():
                    pass
            except BaseException:
                self.close()
                raise

    def build(self) -> Iterator[None]:
        """Compile everything, one program at each step. Raises `KfxError`; `close` even then."""
        gpu, size = self._gpu, self.size
        for motion in self._motions.nets:
            motion.open((yield from opened(motion.card, size)), self._pace)
        self._warping = Warping(gpu, size, self._motions)
        yield
        self._beside = StepImages(
            gpu,
            size,
            [link for step in self._shader_steps() for _, link in step.links],
            self._aov,
            faces=bool(self._aov or self.plan.face_images),
            person=self._draws_person,
            hands=self._hides,
        )
        yield from self._buses.build()
        for place, link in [step.links[0] for step in self.plan.steps if step.kind == "net"]:
            net = yield from opened(link.effect.source, size)
            layer = self._nets[place] = NetLayer(gpu, net, size, self._pace)
            yield from layer.rehearsed()
        for step in self._shader_steps():
            yield
            place = step.links[0][0]
            uniforms = self._uniforms[place] = self._uniforms_of(step)
            self.programs[place] = Program(gpu, shader_of(step), size, uniforms, in_place=True)

    def warm(self, tick: Tick) -> Iterator[None]:
        """Draw each program once where nobody sees it: drivers do half their work only then."""
        self.upload(tick)
        self.shown = tick.faces
        if self._motions:
            self._draw_warp([(face, face.landmarks + np.float32(1.0)) for face in tick.faces])
        self._draw_beside(tick)
        yield from self._buses.warm(tick)
        self._buses.draw(tick, self.knobs)
        for step in self._shader_steps():
            yield
            program = self.programs[step.links[0][0]]
            faces = routed(self.shown, step.slots, self.knobs.names)
            values = self._moment(tick, faces, step) | self._uniforms[step.links[0][0]]
            program.draw(self._spare, self._images(self._canvas, step), values)
        self.reset()

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the textures and programs back."""
        for program in self.programs.values():
            program.release()
        self.programs.clear()
        for net in self._nets.values():
            net.release()
        self._nets.clear()
        self._motions.close()
        for thing in (self._buses, self._beside, self._warping):
            if thing is not None:
                thing.release()
        self._beside = self._warping = None
        for texture in (self._canvas, self._spare):
            self._gpu.release(texture)

    def inherit(self, old: Chain) -> None:
        """Go on where a chain of the same look stands that is drawn at another size."""
        self._motions.inherit(old._motions, self._values)
        self._buses.inherit(old._buses)
        for place in self.programs.keys() & old.programs.keys():
            self.programs[place].inherit(old.programs[place])
        for place in self._nets.keys() & old._nets.keys():
            self._nets[place].inherit(old._nets[place])

    def reset(self) -> None:
        """A cut: no effect remembers anything."""
        self.told.reset()
        self._motions.reset()
        self._buses.reset()
        for program in self.programs.values():
            program.reset()
        for net in self._nets.values():
            net.reset()
        if self._beside is not None:
            self._beside.reset()

    def render(self, tick: Tick) -> Pixels:
        """The finished picture of a tick, (h, w, 4) uint8, read-only."""
        if not self.draws(tick) and not self._aov:
            self.shown = tick.faces
            self.told.at(tick)
            if self._beside is not None:
                self._beside.reset()
            return tick.frame.pixels
        self.upload(tick)
        self.draw(tick)
        return self.read() if self.plan.steps else tick.frame.pixels

    def draws(self, tick: Tick) -> bool:
        """Whether anything can be seen or remembered of this tick."""
        remembers = self._motions.hold or any(one.remembers for one in self.programs.values())
        return bool(self.plan.steps) and bool(
            tick.faces or self.plan.full_frame_passes or remembers
        )

    def upload(self, tick: Tick) -> None:
        """The first third of `render`: the plate goes to the GPU."""
        self._gpu.upload(self._canvas, tick.frame.pixels, self._staging)

    def draw(self, tick: Tick) -> None:
        """The second third of `render`: everything is drawn, nothing read back."""
        self._turn(self.told.at(self._motions.heard(tick, self.knobs.names)))
        self._buses.draw(tick, self.knobs)
        driven = self._motions.drive(tick, self.knobs.names)
        self.shown = tuple(moved(face, points) for face, points in driven)
        beside = False  # whether what the shaders read is drawn
        for step in self.plan.steps:
            if step.kind == "warp":
                self._draw_warp(driven)
                continue
            place = step.links[0][0]
            if step.kind == "net":
                self._draw_net(step, tick)
                continue
            program, unit = self.programs[place], tuple(n for n, _ in step.links)
            if not (program.remembers or any(self._values[n]["mix"] != 0.0 for n in unit)):
                continue
            if not self.care.allows(unit, program.reset):
                continue
            if not beside:
                self._draw_beside(tick)
                beside = True
            with self.care.trying(unit, self._settle):
                faces = routed(self.shown, step.slots, self.knobs.names)
                values = self._moment(tick, faces, step) | self._uniforms[place]
                if step.kind == "boxes":
                    self._draw_boxes(program, step, faces, values)
                elif program.draws_over(values):
                    program.draw(self._canvas, self._images(self._canvas, step), values)
                else:
                    program.draw(self._spare, self._images(self._canvas, step), values)
                    self._canvas, self._spare = self._spare, self._canvas
        if self._aov and not beside:
            self._draw_beside(tick)

    def _draw_net(self, step: Step, tick: Tick) -> None:
        place = step.links[0][0]
        net = self._nets[place]
        if self._values[place]["mix"] == 0.0 or not self.care.allows((place,), net.reset):
            return
        with self.care.trying((place,), self._settle):
            faces = routed(self.shown, step.slots, self.knobs.names)
            if net.draw(self._canvas, self._spare, tick, faces, self._values[place]):
                self._canvas, self._spare = self._spare, self._canvas

    def _settle(self) -> None:
        """Wait until all is drawn."""
        self._gpu.finish()
        self._gpu.ctx.finish()

    @property
    def compiled(self) -> int:
        """Programs that were ever compiled; it rises in a picture that took longer for it."""
        return self._gpu.compiled

    @property
    def preset(self) -> Preset:
        """The look with the values its knobs have, before anything moves them."""
        return self.knobs.preset

    @property
    def nets(self) -> list[dict[str, Any]]:
        """What a report says of each net; renewed while it runs."""
        return [*(net.facts for net in self._nets.values()), *self._motions.facts]

    def said(self, tick: Tick) -> dict[str, float]:
        """What nets say of the tick that was drawn last, by the names of their numbers."""
        heard = self._motions.heard(tick, self.knobs.names).signals
        return {name[4:]: value for name, value in heard.items() if name.startswith("net.")}

    def news(self) -> list[str]:
        """What nets have to tell since the last call, each thing once."""
        drawn = [text for net in self._nets.values() for text in net.news()]
        return drawn + self._motions.news()

    def image(self, name: str) -> moderngl.Texture:
        """An image that was asked for as `aov`, as the last tick drew it."""
        return self._images(self._canvas)[name]

    def draw_over(self, paint: Callable[[moderngl.Texture, moderngl.Texture], None]) -> None:
        """After `draw`: let `paint` make another picture, in its first texture, of its second."""
        paint(self._spare, self._canvas)
        self._canvas, self._spare = self._spare, self._canvas

    @property
    def canvas(self) -> moderngl.Texture:
        """The picture as the last `draw` left it, bottom row first."""
        return self._canvas

    def _shader_steps(self) -> list[Step]:
        return [step for step in self.plan.steps if step.kind in ("boxes", "frame")]

    def _turn(self, values: list[Values]) -> None:
        """Hand the values of a tick to the effects; most are those of the tick before."""
        changed = {n for n, one in enumerate(values) if one is not self._values[n]}
        if not changed:
            return
        before, self._values = self._values, values
        self._motions.turn(changed, before, values)
        for step in self._shader_steps():
            if changed.intersection(n for n, _ in step.links):
                self._uniforms[step.links[0][0]] = self._uniforms_of(step)

    def _uniforms_of(self, step: Step) -> dict[str, Any]:
        """The uniforms of a step's knobs."""
        return uniforms(step, self._values, self.knobs.preset.seed)

    def _draw_beside(self, tick: Tick) -> None:
        assert self._beside is not None
        self._beside.draw(tick, self.shown, self._canvas, self.knobs.names, self._motions.scene)

    def _draw_warp(self, driven: list[tuple[Face, Landmarks]]) -> None:
        assert self._warping is not None
        unit = self._motions.unit
        if self._motions.still or not self.care.allows(unit, self._motions.reset):
            return
        with self.care.trying(unit, self._settle):
            if self._warping.draw(self._canvas, self._spare, driven):
                self._canvas, self._spare = self._spare, self._canvas

    def _draw_boxes(
        self, program: Program, step: Step, faces: tuple[Face, ...], values: dict[str, Any]
    ) -> None:
        boxes = boxes_of(program.shader, faces, self.size)
        if not (boxes or program.remembers):
            return
        if program.draws_over(values):
            program.draw(self._canvas, self._images(self._canvas, step), values, boxes)
            return
        with self._gpu.undone(self._canvas, self._spare, program.reads_of(boxes, values)):
            program.draw(self._canvas, self._images(self._spare, step), values, boxes)

    def _images(
        self, canvas: moderngl.Texture, step: Step | None = None
    ) -> dict[str, moderngl.Texture]:
        assert self._beside is not None
        return self._beside.of(canvas, *([step.buffer] if step else [])) | self._buses.images

    def _moment(self, tick: Tick, faces: tuple[Face, ...], step: Step) -> dict[str, Any]:
        """The uniforms that no knob gives."""
        assert self._beside is not None
        own = {"kfx_quality": self._quality(), **self._buses.values}
        return own | self._beside.moment(tick, faces, step.buffer)

    def read(self) -> Pixels:
        """The last third of `render`: the picture comes back from the GPU."""
        self._gpu.finish()
        buffer = self._pool.take()
        self._gpu.target(self._canvas).read_into(buffer, components=4)
        return freeze(buffer[::-1])
