"""Draws a preset over frames: the one place where plan, motion, warp and shaders meet."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Any

import moderngl
import numpy as np

from kfx.engine.plan import Plan, Step, compile_plan
from kfx.motion.base import Motion
from kfx.motion.guard import believable
from kfx.presets import Preset
from kfx.render import facemesh, isf_join
from kfx.render.gbuffer import NAMES as DRAWN
from kfx.render.gbuffer import GBuffer
from kfx.render.gpu import Box, Gpu, PixelPool
from kfx.render.hand_matte import HandMatte
from kfx.render.held import Held
from kfx.render.isf import Shader
from kfx.render.isf_program import Program, automatic_values
from kfx.render.person_matte import PersonMatte
from kfx.render.still import Scene
from kfx.render.warp import Warp
from kfx.types import Face, Landmarks, Pixels, Tick, freeze


class Chain:
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
    ) -> None:
        """`aov` names images that are drawn whole for others to read, whoever asks or not.

        With `hands` those of a tick hide the faces behind them.
        """
        self.plan: Plan = compile_plan(preset, join=join)
        self.size = size
        self.shown: tuple[Face, ...] = ()  # the faces of the last tick as drawn
        self._gpu = gpu
        self._pool = PixelPool(size)
        self._staging: Pixels = np.empty((size[1], size[0], 4), np.uint8)
        self._canvas = gpu.acquire(size)
        self._spare = gpu.acquire(size)
        self._motions: list[Motion] = []
        self._programs: dict[int, Program] = {}  # by the place of a step's first link
        self._knobs: dict[int, dict[str, Any]] = {}
        for step in self.plan.steps:
            if step.kind == "warp":
                self._motions += [link.effect.source(link.values) for _, link in step.links]
            else:
                place = step.links[0][0]
                knobs = self._knobs[place] = _knobs_of(step, preset.seed)
                self._programs[place] = Program(gpu, _shader_of(step), size, knobs)
        holds = any(motion.holds for motion in self._motions)
        self._remembers = holds or any(program.remembers for program in self._programs.values())
        self._warp = Warp(gpu, size) if self._motions else None
        self._held = Held(gpu, size) if holds else None
        self._scene: Scene | None = None  # what is held at this tick, and how opaque it is
        self._scene_mix = 1.0
        self._aov = aov
        self.needs_person = self.plan.needs_person or "personMatte" in aov
        images = (*self.plan.face_images, *aov)
        self.needs_hands = hands and any(name in DRAWN for name in images)
        self._hands = HandMatte(gpu, size) if self.needs_hands else None
        self._gbuffer = GBuffer(gpu, size, images, occluded=self.needs_hands) if images else None
        self._person = PersonMatte(gpu, size) if self.needs_person else None

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the textures and programs back."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
        for buffer in (self._gbuffer, self._person, self._hands, self._held):
            if buffer is not None:
                buffer.release()
        self._gbuffer = self._person = self._hands = self._held = None
        for texture in (self._canvas, self._spare):
            self._gpu.release(texture)

    def reset(self) -> None:
        """A cut: no effect remembers anything."""
        for motion in self._motions:
            motion.reset()
        for program in self._programs.values():
            program.reset()
        if self._gbuffer is not None:
            self._gbuffer.reset()

    def render(self, tick: Tick) -> Pixels:
        """The finished picture of a tick, (h, w, 4) uint8, read-only."""
        needed = tick.faces or self.plan.full_frame_passes or self._remembers
        if not self._aov and (not self.plan.steps or not needed):
            self.shown = tick.faces
            if self._gbuffer is not None:
                self._gbuffer.reset()
            return tick.frame.pixels
        self.upload(tick)
        self.draw(tick)
        return self._read() if self.plan.steps else tick.frame.pixels

    def upload(self, tick: Tick) -> None:
        """The first third of `render`: the plate goes to the GPU."""
        self._gpu.upload(self._canvas, tick.frame.pixels, self._staging)

    def draw(self, tick: Tick) -> None:
        """The second third of `render`: everything is drawn, nothing read back."""
        driven = self._drive(tick)
        self.shown = tuple(_moved(face, points) for face, points in driven)
        moment = self._moment(tick)
        buffered = False
        for step in self.plan.steps:
            if step.kind == "warp":
                self._draw_warp(driven)
                continue
            if not buffered:
                self._draw_buffers(tick)
                buffered = True
            program = self._programs[step.links[0][0]]
            values = moment | self._knobs[step.links[0][0]]
            if step.kind == "boxes":
                self._draw_boxes(program, program.shader, values)
            else:
                program.draw(self._spare, self._images(self._canvas), values)
                self._canvas, self._spare = self._spare, self._canvas
        if self._aov and not buffered:
            self._draw_buffers(tick)

    def image(self, name: str) -> moderngl.Texture:
        """An image that was asked for as `aov`, as the last tick drew it."""
        return self._images(self._canvas)[name]

    def _drive(self, tick: Tick) -> list[tuple[Face, Landmarks]]:
        """Each face with the landmarks that all motion effects together drive it to.

        A face that is held stands where its still is shown, not where the performer is.
        """
        scenes = [motion.hold(tick) for motion in self._motions]
        holder = max((i for i, scene in enumerate(scenes) if scene is not None), default=-1)
        scene = self._scene = scenes[holder] if holder >= 0 else None
        faces = {face.slot: face for face in tick.faces}
        if scene is not None:
            self._scene_mix = self._motions[holder].mix
            if scene.whole:  # a still stays when its performer leaves
                lost = {n: replace(one, found=False) for n, one in scene.placed.items()}
                faces = {slot: faces.get(slot, face) for slot, face in lost.items()}
        driven = []
        for slot, face in sorted(faces.items()):
            held = None if scene is None else scene.placed.get(slot)
            moving = face
            for i, motion in enumerate(self._motions):
                points = motion.drive(moving, tick)
                if held is not None and i == holder:
                    moving = replace(moving, landmarks=points, pose=held.pose, iod=held.iod)
                    continue
                if scenes[i] is not None:  # of several stills the last is shown
                    continue
                mixed = moving.landmarks + np.float32(motion.mix) * (points - moving.landmarks)
                moving = replace(moving, landmarks=mixed)
            points = moving.landmarks
            if held is not None:
                points = believable(held.landmarks, points, held.iod, filled=True)
                face = held
            elif self._motions:
                points = face.landmarks + np.float32(face.presence) * (points - face.landmarks)
                points = believable(face.landmarks, points, face.iod)
            driven.append((face, points))
        return driven

    def _draw_buffers(self, tick: Tick) -> None:
        """The face G-buffer and the person matte of the plate as the warp has left it."""
        still = self._scene is not None and self._scene.whole
        if self._gbuffer is not None:
            box = facemesh.union(self._face_boxes())
            hidden = None
            if self._hands is not None and not still:
                hidden = self._hands.draw(tick.hands, self.shown, self._canvas)
            self._gbuffer.draw(self.shown, box, cut=tick.dt == 0.0, occlusion=hidden)
        if self._person is not None:
            matte = self._scene.matte if self._scene is not None and still else tick.matte
            self._person.draw(matte, self.shown, self._canvas)

    def _draw_warp(self, driven: list[tuple[Face, Landmarks]]) -> None:
        assert self._warp is not None
        scene = self._scene
        held = {} if scene is None else scene.placed
        live = [one for one in driven if one[0].slot not in held]
        if live:
            self._gpu.copy(self._canvas, self._spare)
            self._warp.draw(self._canvas, self._spare, live)
        if self._held is None:
            return
        if scene is None:
            self._held.forget()
        else:
            still = [one for one in driven if one[0].slot in held]
            if self._held.draw(self._canvas, self._spare, scene, still, self._scene_mix):
                self._canvas, self._spare = self._spare, self._canvas

    def _draw_boxes(self, program: Program, shader: Any, values: dict[str, Any]) -> None:
        boxes = [
            box
            for face in self.shown
            for box in facemesh.region_boxes(face, shader.region, shader.margin_iod, self.size)
        ]
        if boxes or program.remembers:
            self._gpu.copy(self._canvas, self._spare)
        images = self._images(self._spare)
        if boxes or program.remembers:
            program.draw(self._canvas, images, values, boxes)

    def _face_boxes(self) -> list[Box]:
        """Where the planned shaders read the G-buffer."""
        boxes = []
        if self._aov:
            boxes += [b for f in self.shown for b in facemesh.region_boxes(f, "face", 0, self.size)]
        for step in self.plan.steps:
            for _, link in step.links:
                if link.effect.kind != "shader" or not link.effect.source.face_images:
                    continue
                shader = link.effect.source
                region = "face" if shader.region == "frame" else shader.region
                for face in self.shown:
                    boxes += facemesh.region_boxes(face, region, shader.margin_iod, self.size)
        return boxes

    def _images(self, canvas: moderngl.Texture) -> dict[str, moderngl.Texture]:
        faces = self._gbuffer.images if self._gbuffer is not None else {}
        person = {} if self._person is None else {"personMatte": self._person.image}
        return {"inputImage": canvas, **faces, **person}

    def _moment(self, tick: Tick) -> dict[str, Any]:
        """The uniforms that no knob gives."""
        return {
            **automatic_values(tick.index, tick.time, tick.dt),
            "beat": tick.beat,
            "bar": tick.bar,
            "energy": tick.energy,
            "iod": max((face.iod for face in self.shown), default=0.0),
        }

    def _read(self) -> Pixels:
        self._gpu.finish()
        buffer = self._pool.take()
        self._gpu.target(self._canvas).read_into(buffer, components=4)
        return freeze(buffer[::-1])


def _shader_of(step: Step) -> Shader:
    """What a step draws: its one shader, or its shaders joined."""
    shaders = [link.effect.source for _, link in step.links]
    return isf_join.join(shaders) if len(shaders) > 1 else shaders[0]


def _knobs_of(step: Step, seed: int) -> dict[str, Any]:
    """The uniforms of a step's knobs."""
    each = []
    for _, link in step.links:
        knobs = dict(link.values)
        mix, own_seed = knobs.pop("mix"), knobs.pop("seed")
        each.append({**knobs, "kfx_mix": mix, "kfx_seed": float(seed + own_seed)})  # type: ignore[operator]
    return isf_join.joined_values(each) if len(each) > 1 else each[0]


def _moved(face: Face, points: Landmarks) -> Face:
    """The face as it is shown after the warp; its pose is that of the performer."""
    if points is face.landmarks:
        return face
    return replace(face, landmarks=freeze(points.astype(np.float32)))
