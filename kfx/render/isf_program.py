"""Compiles a parsed ISF shader and draws its passes."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import moderngl

from kfx.errors import KfxError
from kfx.render.gpu import Box, Gpu
from kfx.render.isf import Pass, Shader
from kfx.render.pictures import load_picture

_AUTOMATIC = """
uniform vec2 RENDERSIZE;
uniform float TIME;
uniform float TIMEDELTA;
uniform int FRAMEINDEX;
uniform vec4 DATE;
uniform float kfx_mix;
uniform float kfx_seed;
out vec4 isf_FragColor;
#define gl_FragColor isf_FragColor
in vec2 isf_FragNormCoord;
#define vv_FragNormCoord isf_FragNormCoord
#define varying in
#define texture2D texture
vec2 IMG_SIZE(sampler2D s) { return vec2(textureSize(s, 0)); }
vec4 IMG_NORM_PIXEL(sampler2D s, vec2 p) { return texture(s, p); }
vec4 IMG_NORM_PIXEL(sampler2D s, vec2 p, float bias) { return texture(s, p, bias); }
vec4 IMG_PIXEL(sampler2D s, vec2 p) { return texture(s, p / vec2(textureSize(s, 0))); }
vec4 IMG_PIXEL(sampler2D s, vec2 p, float bias) {
    return texture(s, p / vec2(textureSize(s, 0)), bias);
}
"""
_THIS_PIXEL = re.compile(r"\bIMG_(?:THIS_PIXEL|THIS_NORM_PIXEL|NORM_THIS_PIXEL)\s*\(\s*(\w+)\s*\)")
_MAIN = re.compile(r"\bvoid\s+main\s*\(\s*(?:void)?\s*\)")


class Program:
    """One shader on the GPU: a GL program for each of its passes, and its intermediate targets.

    Make it once, `draw` every frame, `release` it at the end.
    """

    def __init__(self, gpu: Gpu, shader: Shader, size: tuple[int, int]) -> None:
        self.shader = shader
        self._gpu = gpu
        self._size = size
        self._imported = {name: _texture_of(gpu, path) for name, path in shader.imported.items()}
        self._targets: dict[str, moderngl.Texture] = {}
        for one in shader.passes:
            if one.target:
                wanted = _pass_size(one, size, shader)
                dtype = "f2" if one.is_float else "f1"
                self._targets[one.target] = gpu.acquire(wanted, dtype=dtype)
        self._programs = [self._compile(i) for i in range(len(shader.passes))]
        self._arrays = [gpu.ctx.vertex_array(p, []) for p in self._programs]

    def release(self) -> None:
        for texture in self._targets.values():
            self._gpu.release(texture)
        for thing in (*self._arrays, *self._programs, *self._imported.values()):
            thing.release()

    def draw(
        self,
        target: moderngl.Texture,
        images: Mapping[str, moderngl.Texture],
        values: Mapping[str, Any],
        box: Box | None = None,
    ) -> None:
        """Draw into `target`, over the whole of it or the `box` only.

        `images` gives the declared inputs by name, `values` the knobs and automatic uniforms.
        """
        available = {**images, **self._imported, **self._targets}
        unfiltered = self.shader.unfiltered
        for i, (one, program) in enumerate(zip(self.shader.passes, self._programs, strict=True)):
            last = i == len(self._programs) - 1
            texture = self._targets[one.target] if one.target and not last else target
            for unit, name in enumerate(sorted(available)):
                if name in program:
                    program[name].value = unit
                    available[name].use(unit)
                    exact = available[name].size == texture.size or name in unfiltered
                    (self._gpu.nearest if exact else self._gpu.linear).use(unit)
            for name, value in values.items():
                if name in program:
                    program[name].value = value
            if "RENDERSIZE" in program:
                program["RENDERSIZE"].value = texture.size
            whole = texture.size == self._size
            self._gpu.fill(self._arrays[i], self._gpu.target(texture), box if whole else None)

    def _compile(self, index: int) -> moderngl.Program:
        shader = self.shader
        last = index == len(shader.passes) - 1
        samplers = [*shader.images, *shader.imported, *self._targets]
        lines = [_AUTOMATIC, f"const int PASSINDEX = {index};"]
        lines += [f"uniform sampler2D {name};" for name in samplers]
        lines += [f"uniform {kind} {name};" for name, kind in shader.types.items()]
        body = _THIS_PIXEL.sub(r"texture(\1, isf_FragNormCoord)", shader.body)
        tail = ""
        if last and "inputImage" in shader.images:
            body = _MAIN.sub("void kfx_effect()", body)
            tail = (
                "\nvoid main() {\n    kfx_effect();\n    if (kfx_mix < 1.0)\n"
                "        gl_FragColor = mix(texture(inputImage, isf_FragNormCoord),"
                " gl_FragColor, kfx_mix);\n}\n"
            )
        head = "\n".join(lines)
        source = f"{head}\n#line {shader.first_line}\n{body}{tail}"
        try:
            return self._gpu.program(source)
        except Exception as error:  # moderngl raises its own Error, drivers word it freely
            raise KfxError(f"{shader.path}: {_compile_error(str(error))}") from error


def automatic_values(index: int, time: float, dt: float, seed: int) -> dict[str, Any]:
    """The automatic uniforms of one tick, as `Program.draw` takes them."""
    return {
        "TIME": time,
        "TIMEDELTA": dt,
        "FRAMEINDEX": index,
        "DATE": (2000.0, 1.0, 1.0, time % 86400.0),
        "kfx_seed": float(seed),
    }


def _compile_error(text: str) -> str:
    """The compiler's own lines, with the author's line numbers first."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"error", line, re.I)]
    useful = [line for line in lines if re.search(r"\d", line)] or lines or [text.strip()]
    found = re.search(r"\d+[:(](\d+)", useful[0])
    place = f"line {found[1]}: " if found else ""
    return place + "; ".join(dict.fromkeys(useful[:4]))


def _texture_of(gpu: Gpu, path: Path) -> moderngl.Texture:
    pixels = load_picture(path)
    height, width = pixels.shape[:2]
    return gpu.ctx.texture((width, height), 4, pixels[::-1].tobytes())


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: dict[str, Any] = {
    "floor": lambda x: float(x // 1),
    "ceil": lambda x: -float(-x // 1),
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
}


def _pass_size(one: Pass, size: tuple[int, int], shader: Shader) -> tuple[int, int]:
    names: dict[str, float] = {"WIDTH": size[0], "HEIGHT": size[1]}
    for name, knob in shader.knobs.items():
        if isinstance(knob.default, int | float):
            names[name] = float(knob.default)
    wanted = []
    for text, whole in ((one.width, size[0]), (one.height, size[1])):
        try:
            value = whole if text is None else evaluate(text, names)
        except (ValueError, ZeroDivisionError) as error:
            raise KfxError(f"{shader.path}: PASSES {one.target}: {text!r}: {error}") from error
        wanted.append(int(min(max(value, 1), 16384)))
    return wanted[0], wanted[1]


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """A size expression such as ``floor($WIDTH/4.0)``; raises `ValueError` for anything else."""

    def walk(node: ast.AST) -> float:
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name(id=name) if name in names:
                return names[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return float(_OPERATORS[type(op)](walk(left), walk(right)))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return float(_OPERATORS[type(op)](walk(operand)))
            case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
                return float(_FUNCTIONS[name](*map(walk, args)))
        raise ValueError("only numbers, + - * / ( ), floor, ceil, min, max and $names are known")

    try:
        return walk(ast.parse(text.replace("$", ""), mode="eval").body)
    except SyntaxError:
        raise ValueError("this is no expression") from None
