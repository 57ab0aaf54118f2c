"""Tries an ISF shader: reads it, compiles it and draws two small frames."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kfx.errors import KfxError
from kfx.params import Knob
from kfx.render import isf
from kfx.render.gpu import Gpu
from kfx.render.isf_program import Program, automatic_values

SIZE = (320, 180)


@dataclass(slots=True)
class Verdict:
    """What became of one file; `passes` counts, `inputs` are ``{"name", "type"}``."""

    file: str
    ok: bool = False
    kind: str | None = None
    passes: int = 0
    inputs: list[dict[str, str]] = field(default_factory=list)
    error: str | None = None
    warnings: list[str] = field(default_factory=list)


def check(gpu: Gpu, path: Path, size: tuple[int, int] = SIZE) -> Verdict:
    """Never raises for a bad file: the verdict says what is wrong with it."""
    verdict = Verdict(str(path))
    try:
        shader = isf.load(path)
        verdict.kind = shader.kind
        verdict.passes = len(shader.passes)
        verdict.inputs = [{"name": name, "type": kind} for name, kind in shader.inputs.items()]
        verdict.warnings = list(shader.warnings)
        draw(gpu, shader, size)
    except KfxError as error:
        verdict.error = str(error)
    verdict.ok = verdict.error is None
    return verdict


def serve(glsl: int | None) -> None:
    """Answer every path on standard input, a JSON string a line, with its verdict as JSON."""
    with Gpu(glsl=glsl) as gpu:
        for line in sys.stdin:
            verdict = check(gpu, Path(json.loads(line)))
            print(json.dumps(asdict(verdict), ensure_ascii=False), flush=True)


def defaults(knobs: dict[str, Knob]) -> dict[str, Any]:
    """Every knob's default, as the uniforms of a program."""
    return {name: one.default for name, one in knobs.items() if name not in ("mix", "seed")}


def draw(
    gpu: Gpu, shader: isf.Shader, size: tuple[int, int], values: Mapping[str, Any] | None = None
) -> None:
    """Compile it and draw two frames, its knobs at `values` or their defaults.

    Raises `KfxError`.
    """
    knobs = {**defaults(dict(shader.knobs)), **(values or {})}
    program = Program(gpu, shader, size)
    plate, canvas = gpu.acquire(size), gpu.acquire(size)
    try:
        gpu.upload(plate, _ramp(size), np.empty((size[1], size[0], 4), np.uint8))
        for i in range(2):  # the second one reads what the first has left
            now = {**automatic_values(i, i / 30, 1 / 30), **knobs}
            program.draw(canvas, {"inputImage": plate}, {**now, "kfx_mix": 1.0})
        gpu.finish()
    finally:
        program.release()
        gpu.release(plate)
        gpu.release(canvas)
    fault = gpu.ctx.error
    if fault != "GL_NO_ERROR":
        raise KfxError(f"{shader.path}: drawing it makes {fault}")


def _ramp(size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A plate with every brightness in it."""
    pixels = np.full((size[1], size[0], 4), 255, np.uint8)
    pixels[..., 0] = np.linspace(0, 255, size[0])[None, :]
    pixels[..., 1] = np.linspace(0, 255, size[1])[:, None]
    return pixels
