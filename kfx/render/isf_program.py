"""Compiles a parsed ISF shader and draws its passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import moderngl

from kfx.errors import KfxError
from kfx.render import isf_faults, isf_glsl, isf_tidy
from kfx.render.gpu import Box, Gpu
from kfx.render.isf import Shader
from kfx.render.isf_areas import leaves_gaps, scaled
from kfx.render.isf_history import History
from kfx.render.isf_images import Images, Loaded
from kfx.render.isf_reads import reads_own_pixel
from kfx.render.isf_targets import Targets
from kfx.types import Date

MOST_VARIANTS = 24  # of one shader with its choices compiled in
_OWN = ("RENDERSIZE", "FRAMEINDEX", "TIMEDELTA", "kfx_history_grid")  # not the caller's to say


@dataclass(slots=True)
class _Run:
    """One pass on the GPU: what its program reads, found out once."""

    array: moderngl.VertexArray
    target: str | None
    quad: bool
    images: list[tuple[int, str, bool]]  # unit, name, whether at the pixel being drawn
    uniforms: list[tuple[str, moderngl.Uniform]]  # key of the value
    own: dict[str, moderngl.Uniform]
    boxed: bool = False
    reach_iod: float = 0.0  # how far beyond the boxes it is read
    still: bool = False  # draws the same as long as its uniforms and files stay the same
    drawn: tuple[Any, ...] | None = None  # what it was drawn from last
    in_place: bool = False  # reads the picture by drawing over it
    where: str | None = None  # the target that tells in which tiles it draws
    known: dict[str, Any] = field(default_factory=dict)  # the uniforms' values on the GPU

    def set(self, key: str, uniform: moderngl.Uniform, value: Any) -> None:
        if self.known.get(key) != value:
            uniform.value = value
            self.known[key] = value


class Program:
    """One shader on the GPU: a GL program for each of its passes, and what it remembers.

    Make it once, `draw` every frame, `reset` at a cut, `release` at the end.
    """

    def __init__(
        self,
        gpu: Gpu,
        shader: Shader,
        size: tuple[int, int],
        values: Mapping[str, Any] | None = None,
        *,
        in_place: bool = False,
    ) -> None:
        """`values` are those of the first frame, if they are known.

        `in_place` lets a pass that reads the picture at its own pixel draw over it, where the
        driver can: that costs llvmpipe half of what reading a texture does.
        """
        self.shader = shader
        in_place = in_place and gpu.software
        self._whole = in_place and shader.region == "frame"  # the picture is as large as all drawn
        self._fetches = in_place and isf_glsl.FETCH in gpu.ctx.extensions
        self._gpu = gpu
        self._size = size
        self.first_index: int | None = None  # of the first tick since a cut: frames count from it
        self._fired: set[str] = set()
        self._show: _Run | None = None
        self._stage: moderngl.Texture | None = None  # where a last pass draws that can't blend
        self._targets = Targets(gpu, shader, size)
        self._images = Images(gpu, shader)
        self._lookups: dict[str, Callable[..., Loaded]] = {}
        spec = shader.history
        self._history = History(gpu, spec.frames, spec.height, size) if spec else None
        self._below = isf_glsl.below_of(shader)
        self._keys = {name: key for key, name in shader.knob_names.items()}
        self._event_keys = [self._keys.get(name, name) for name in shader.events]
        self._nearest = {one.target for one in shader.passes if one.nearest}
        self._gaps = leaves_gaps(shader)
        self._apart = bool(shader.passes[-1].target) or self._gaps
        self._choices = [(name, self._keys.get(name, name)) for name in sorted(shader.choices)]
        self._variants: dict[tuple[Any, ...], list[_Run]] = {}
        self._runs = self._variant(values or {})
        if self._apart:
            source = isf_glsl.show(shader)
            self._show = self._run(gpu.program(source), None, {"kfx_top": "kfx_top"})
            if not shader.passes[-1].target:
                self._stage = gpu.acquire(size)

    @property
    def remembers(self) -> bool:
        """Whether frames that show nothing of it must be drawn all the same."""
        persistent = any(one.persistent for one in self.shader.passes)
        return persistent or self._history is not None

    def draws_over(self, values: Mapping[str, Any]) -> bool:
        """Whether `draw` with `values` is best given ``inputImage`` itself as its target."""
        return all(run.in_place for run in self._variant(values) if run.target is None)

    def reads_of(self, boxes: Sequence[Box], values: Mapping[str, Any]) -> Sequence[Box] | None:
        """Where the picture is read if it is drawn within `boxes`; None: perhaps anywhere."""
        shader = self.shader
        own = reads_own_pixel(shader.body, "inputImage")
        reach = 0.0 if own and shader.kind == "filter" else shader.reach_iod
        if reach is None or not shader.pointwise or self._history is not None or self._apart:
            return None
        return scaled(boxes, self._size, self._size, reach * values.get("iod", 0.0))

    def reset(self) -> None:
        """A cut: the next frame is drawn as if it were the first."""
        self.first_index = None
        self._fired.clear()
        self._targets.reset()
        if self._history is not None:
            self._history.reset()

    def inherit(self, old: Program) -> None:
        """Remember what the same shader does that has been drawn at another size."""
        self.first_index, self._fired = old.first_index, set(old._fired)
        self._targets.inherit(old._targets)
        if self._history is not None and old._history is not None:
            self._history.inherit(old._history)

    def release(self) -> None:
        runs = [run for variant in self._variants.values() for run in variant]
        for run in (*runs, *([self._show] if self._show else [])):
            run.array.program.release()
            run.array.release()
        self._targets.release()
        self._images.release()
        if self._history is not None:
            self._history.release()
        if self._stage is not None:
            self._gpu.release(self._stage)

    def draw(
        self,
        target: moderngl.Texture,
        images: Mapping[str, Any],
        values: Mapping[str, Any],
        boxes: Sequence[Box] | None = None,
    ) -> None:
        """Draw a frame into `target`, over the whole of it or within the `boxes` only.

        Once per frame: what the shader remembers moves on by one. `images` gives the declared
        images by name as textures (sound as arrays (channels, columns)); ``inputImage`` is what
        the picture is mixed with. `values` are the knobs and the automatic uniforms.
        """
        index = values.get("FRAMEINDEX", 0)
        if self.first_index is None:
            self.first_index = index
        frame = max(0, index - self.first_index)
        own: dict[str, Any] = {
            "FRAMEINDEX": frame,
            "TIMEDELTA": values.get("TIMEDELTA", 0.0) if frame else 0.0,
        }
        if self._event_keys:
            values = self._with_events(values)
        if self._history is not None:
            self._history.add(images["inputImage"])
            images = {**images, "history": self._history.texture}
            own["kfx_history_grid"] = self._history.grid
        self._runs = self._variant(values)
        keeps = any(run.in_place or run.where for run in self._runs if run.target is None)
        if keeps and boxes is None and images["inputImage"] is not target:
            self._gpu.copy(images["inputImage"], target)
        self._targets.fit(values)
        self._targets.begin()
        for run in self._runs:
            picture = self._targets.write(run.target) if run.target else self._stage or target
            if run.still and not _changed(run, picture, values):
                continue
            if self._gaps or (run.where and run.target):
                self._gpu.target(picture).clear(0.0, 0.0, 0.0, 0.0)
            reach = run.reach_iod * values.get("iod", 0.0)
            within = scaled(boxes, self._size, picture.size, reach) if run.boxed else None
            self._draw_run(run, picture, images, values, own, within)
            if run.target:
                self._targets.wrote(run.target)
        if self._show is not None:
            name = self.shader.passes[-1].target
            top = self._targets.textures[name] if name else self._stage
            self._draw_run(self._show, target, {**images, "kfx_top": top}, values, own, boxes)

    def _draw_run(
        self,
        run: _Run,
        target: moderngl.Texture,
        images: Mapping[str, Any],
        values: Mapping[str, Any],
        own: Mapping[str, Any],
        boxes: Sequence[Box] | None,
    ) -> None:
        if boxes is not None and not boxes:
            return
        gpu, size = self._gpu, target.size
        for unit, name, here in run.images:
            sampler = None
            texture: Any = self._targets.textures.get(name)
            if texture is None:
                texture, sampler = self._lookups[name](images, values)
            texture.use(unit)
            if sampler is None:
                exact = name in self._nearest or (here and texture.size == size)
                sampler = gpu.nearest if exact else gpu.linear
            sampler.use(unit)
        for key, uniform in run.uniforms:
            value = values.get(key)
            if value is not None:
                run.set(key, uniform, value)
        for key, uniform in run.own.items():
            run.set(key, uniform, size if key == "RENDERSIZE" else own[key])
        framebuffer = gpu.target(target)
        for box in boxes if boxes is not None else (None,):
            if run.where:
                width, height = self._targets.textures[run.where].size
                gpu.fill(run.array, framebuffer, box, triangles=2 * width * height)
            else:
                gpu.fill(run.array, framebuffer, box, quad=run.quad)

    def _with_events(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """An event that stays true is true for one frame: it must fall before it fires again."""
        now = {key for key in self._event_keys if values.get(key)}
        fresh = now - self._fired
        self._fired = now
        return {**values, **{key: key in fresh for key in self._event_keys}}

    def _variant(self, values: Mapping[str, Any]) -> list[_Run]:
        """The passes as they are compiled for `values`.

        llvmpipe works out both sides of every `if`: designs that aren't chosen, and the mix with
        the plate at mix 1, cost as much as what is seen. So there the choices are compiled in.
        A graphics card skips them, and a new program would cost it a late frame.
        """
        fixed: dict[str, str] = {}
        if self._gpu.software and values:
            for name, key in self._choices:
                if (value := values.get(key)) is not None:
                    fixed[name] = str(value).lower()
            fixed.update((name, "1.0") for name in self.shader.mixes if values.get(name) == 1.0)
        key = tuple(sorted(fixed.items()))
        if key not in self._variants and len(self._variants) >= MOST_VARIANTS:
            fixed, key = {}, ()
        if key in self._variants:
            return self._variants[key]
        shader = replace(self.shader, fixed=fixed)
        last = len(shader.passes) - 1
        runs: list[_Run] = []
        self._variants[key] = runs
        try:
            for i, one in enumerate(shader.passes):
                # An earlier pass without a target would only be drawn over by the last one.
                if one.target or one.where or i == last:
                    runs.append(self._compile(shader, i, last=not one.target or i == last))
        except KfxError:
            self.release()
            raise
        self._plan_targets(runs)
        return runs

    def _compile(self, shader: Shader, index: int, *, last: bool) -> _Run:
        blended = last and not self._apart
        run = self._compile_as(shader, index, blended=blended)
        own = {name for _, name, here in run.images if here}
        elsewhere = {name for _, name, here in run.images if not here}
        other = {self._below, "startImage", "endImage"}  # names that may mean the same picture
        if blended and self._fetches and self._below in own and not other & elsewhere:
            run.array.program.release()
            run.array.release()
            run = self._compile_as(shader, index, blended=True, in_place=True)
        return run

    def _compile_as(
        self, shader: Shader, index: int, *, blended: bool, in_place: bool = False
    ) -> _Run:
        source, vertex = isf_glsl.stages(
            shader, index, blended=blended, in_place=in_place, whole=self._whole
        )
        try:
            program = self._gpu.program(source, vertex=vertex)
        except Exception as error:  # moderngl raises its own Error, drivers word it freely
            raise KfxError(isf_faults.readable(shader, str(error))) from error
        names = {isf_tidy.name(name): name for name in shader.samplers}
        where = shader.passes[index].where
        if where:
            names["kfx_where"] = where = where.partition(".")[0]
        run = self._run(program, shader.passes[index].target, names)
        run.where = where
        run.quad = shader.vertex is not None
        run.in_place = in_place
        return run

    def _run(
        self, program: moderngl.Program, target: str | None, samplers: Mapping[str, str]
    ) -> _Run:
        images: list[tuple[int, str, bool]] = []
        uniforms: list[tuple[str, moderngl.Uniform]] = []
        own: dict[str, moderngl.Uniform] = {}
        samplers = {**samplers, self._below: self._below}
        inputs = {isf_tidy.name(name): name for name in self.shader.types}
        for member in sorted(program):
            uniform = program[member]
            if not isinstance(uniform, moderngl.Uniform):
                continue
            image = member.removeprefix(isf_glsl.HERE)
            if image in samplers:
                name = samplers[image]
                uniform.value = len(images)
                here = member != image or name in ("kfx_top", "kfx_below")
                images.append((len(images), name, here))
                self._lookups.setdefault(name, self._images.lookup(name))
            elif member in _OWN:
                own[member] = uniform
            else:
                name = inputs.get(member, member)
                uniforms.append((self._keys.get(name, name), uniform))
        array = self._gpu.ctx.vertex_array(program, [])
        return _Run(array, target, False, images, uniforms, own)

    def _plan_targets(self, runs: list[_Run]) -> None:
        """Which targets need two textures, which must be emptied, which need only the boxes."""
        written: set[str] = set()
        doubled, emptied = set(), set()
        persistent = {one.target for one in self.shader.passes if one.persistent}
        for run in runs:
            read = {name for _, name, _ in run.images if name in self._targets.names}
            emptied |= read - written - persistent
            if run.target:
                if run.target in read:
                    doubled.add(run.target)
                written.add(run.target)
        self._targets.plan(doubled, emptied)
        for run in reversed(runs):
            if run.target is None or run is runs[-1]:
                run.boxed = not self._apart
                continue
            readers = [one for one in runs if run.target in {name for _, name, _ in one.images}]
            shader = self.shader
            reach = next(p.reach_iod for p in shader.passes if p.target == run.target)
            own = reads_own_pixel(shader.body, run.target or "") and all(
                one.boxed for one in readers
            )
            run.boxed = (
                run.target not in persistent | doubled | emptied
                and [one.target for one in runs].count(run.target) == 1
                and (own or reach is not None)
                and not self._gaps
            )
            run.reach_iod = reach or 0.0
            run.still = (
                not run.boxed
                and run.own.keys() <= {"RENDERSIZE"}
                and {name for _, name, _ in run.images} <= {*shader.imported, *shader.files}
                and "endImage" not in shader.files
                and run.target not in persistent | doubled | emptied
                and [one.target for one in runs].count(run.target) == 1
            )


def automatic_values(
    index: int, time: float, dt: float, date: Date | None = None
) -> dict[str, Any]:
    """The automatic uniforms of one tick, as `Program.draw` takes them.

    Without a `date` a day begins with the clip, so that it looks the same whenever it is drawn.
    """
    return {
        "TIME": time,
        "TIMEDELTA": dt,
        "FRAMEINDEX": index,
        "DATE": date or (2000.0, 1.0, 1.0, time % 86400.0),
    }


def _changed(run: _Run, target: moderngl.Texture, values: Mapping[str, Any]) -> bool:
    """Whether a pass would draw anything new into `target`, and note that it does."""
    keys = (*(key for key, _ in run.uniforms), *(name for _, name, _ in run.images))
    now = (target.glo, *(values.get(key) for key in keys))
    changed = run.drawn != now
    run.drawn = now
    return changed
