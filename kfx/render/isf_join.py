"""Joins shaders that read only their own pixel into the one before them: one pass for several.

The result is an ordinary `Shader`, so `Program` draws it like any other. Each shader becomes a
stage: its globals, knobs and images get a prefix, its ``main`` a name, and "this pixel of
inputImage" becomes the colour that the stage before has left, rounded to 8 bits as a texture
between two passes would round it (not its alpha, which most stages hand on).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kfx.render.isf import HOST_FLOATS, Imported, Pass, Shader
from kfx.render.isf_builtins import NAMES, functions
from kfx.render.isf_reads import (
    MOVES,
    own_pixel_pattern,
    reads_own_pixel,
    size_pattern,
    without_comments,
)

_TOKEN = re.compile(r"[A-Za-z_]\w*|#|\d[\w.]*|\S|\n")
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
# What can't be renamed safely, or what only makes sense in a program of its own.
_APART = re.compile(
    r"\b(?:struct|discard|varying|layout|gl_FragData|gl_FragDepth|isf_FragColor)\b"
    r"|#[ \t]*(?:version|extension|pragma|include|undef)|\\\n"
)
_QUALIFIERS = set(
    "const uniform highp mediump lowp precision in out inout varying flat smooth"
    " noperspective centroid".split()
)


def can_follow(shader: Shader) -> bool:
    """Whether `shader` can be joined to the one before it."""
    return (
        shader.pointwise
        and shader.history is None
        and shader.buses is None
        and shader.vertex is None
        and reads_own_pixel(shader.body, "inputImage")
        and can_lead(shader)
    )


def can_lead(shader: Shader) -> bool:
    """Whether others can be joined to `shader`; its own reads don't matter.

    It may have a vertex shader, if that doesn't move the corners.
    """
    return (
        shader.kind == "filter"
        and not (shader.events or shader.audio or shader.cubes or shader.knob_names)
        and shader.passes[-1].target is None
        and shader.passes[-1].where is None
        and "gl_Position" not in shader.vertex_text
        and _can_be_renamed(shader)
    )


def join(shaders: Sequence[Shader]) -> Shader:
    """One shader that draws what `shaders` draw one after the other.

    The first one must satisfy `can_lead`, the others `can_follow`.
    """
    first = shaders[0]
    types: dict[str, str] = {}
    images: dict[str, None] = {}
    imported: dict[str, Imported] = {}
    files: list[str] = []
    choices: list[str] = []
    passes: list[Pass] = []
    bodies, early, late = [], [], []
    corners = ""
    last = sum(len(shader.passes) - 1 for shader in shaders)
    for n, shader in enumerate(shaders):
        prefix, before = _prefix(n), len(passes)
        body = without_comments(shader.body)
        if n:
            body = size_pattern("inputImage").sub("RENDERSIZE", body)
            body = own_pixel_pattern("inputImage").sub("kfx_picture", body)
        targets = [one.target for one in shader.passes if one.target]
        own = (*shader.imported, *shader.files, *targets, "main", "kfx_seed", "PASSINDEX")
        names = {name: prefix + name for name in (*_globals(body), *own)}
        for name, kind in shader.types.items():
            if name not in HOST_FLOATS:
                names[name] = prefix + name
            types[names.get(name, name)] = kind
        types |= {prefix + name: "float" for name in ("kfx_mix", "kfx_seed")}
        images.update(dict.fromkeys(shader.images))
        imported |= {prefix + name: one for name, one in shader.imported.items()}
        files += [prefix + name for name in shader.files]
        choices += [prefix + name for name in shader.choices]
        passes += [_renamed(one, names) for one in shader.passes[:-1]]
        number = (
            f"const int {prefix}PASSINDEX ="
            f" PASSINDEX < {last} ? PASSINDEX - {before} : {len(shader.passes) - 1};\n"
        )
        bodies.append(number + _put(names, body))
        if n == 0 and shader.vertex is not None:
            vertex = without_comments(shader.vertex_text)
            names = {**dict.fromkeys(_globals(vertex)), **names, "main": "main"}
            corners = number + _put({k: v or prefix + k for k, v in names.items()}, vertex)
        if before < len(passes):
            early.append(f"    if (PASSINDEX < {len(passes)}) {{ {prefix}main(); return; }}\n")
        plate = "kfx_picture" if n else "IMG_THIS_PIXEL(inputImage)"
        late.append(
            ("    kfx_picture = kfx_stored(gl_FragColor);\n" if n else "")
            + f"    {prefix}main();\n    if ({prefix}kfx_mix < 1.0)"
            f" gl_FragColor = mix({plate}, gl_FragColor, {prefix}kfx_mix);\n"
        )
    body = (
        "vec4 kfx_picture;\n"
        "vec4 kfx_stored(vec4 c) {\n"
        "    c = clamp(c, 0.0, 1.0);\n"
        "    return vec4(roundEven(c.rgb * 255.0) * (1.0 / 255.0), c.a);\n}\n"
        + "\n".join(bodies)
        + "\nvoid main() {\n"
        + "".join([*early, *late])
        + "}\n"
    )
    return replace(
        first,
        name=" + ".join(shader.name for shader in shaders),
        body=body,
        first_line=1,
        knobs={},
        types=types,
        images=tuple(images),
        imported=imported,
        files=tuple(files),
        choices=frozenset(choices),
        mixes=("kfx_mix", *(f"{_prefix(n)}kfx_mix" for n in range(len(shaders)))),
        passes=(*passes, first.passes[-1]),
        vertex_text=corners,
        margin_iod=max(shader.margin_iod for shader in shaders),
        eyes_iod=max(shader.eyes_iod for shader in shaders),
    )


def joined_values(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The knobs of a joined shader from those of its stages, in their order."""
    together: dict[str, Any] = {"kfx_mix": 1.0}
    for n, one in enumerate(values):
        together |= {_prefix(n) + name: value for name, value in one.items()}
    return together


def _put(names: Mapping[str, str], text: str) -> str:
    return _WORD.sub(lambda word: names.get(word[0], word[0]), text)


def _can_be_renamed(shader: Shader) -> bool:
    """Whether each name in a shader means one thing, and none of GLSL's own is given anew."""
    body = without_comments(f"{shader.vertex_text}\n{shader.body}")
    defined = functions(body).keys()
    plain = re.sub(r"\bvarying\b", "", body) if shader.vertex else body
    return (
        _APART.search(plain) is None
        and MOVES.search(body) is None
        and not NAMES & {*defined, *shader.types}
        and not defined & shader.types.keys()
    )


def _renamed(one: Pass, names: Mapping[str, str]) -> Pass:
    """A pass whose target and size expressions use the new names."""

    def size(text: str | None) -> str | None:
        return text and re.sub(r"\$(\w+)", lambda word: "$" + names.get(word[1], word[1]), text)

    target = one.target and names[one.target]
    return replace(one, target=target, width=size(one.width), height=size(one.height))


def _prefix(n: int) -> str:
    return f"k{n}_"


def _globals(body: str) -> set[str]:
    """The names that a body declares outside of any function, its macros included."""
    found = set(_DEFINE.findall(body))
    code = re.sub(r"^[ \t]*#[^\n]*", "", body, flags=re.M)
    depth = 0
    statement: list[str] = []
    for token in _TOKEN.findall(code):
        if token == "\n":
            continue
        if token in "{(":
            if depth == 0:
                statement.append(token)
                if token == "{":
                    found |= _declared(statement)
                    statement = []
            depth += 1
        elif token in "})":
            depth -= 1
            if depth == 0 and token == "}":
                statement = []
        elif depth == 0 and token == ";":
            found |= _declared(statement)
            statement = []
        elif depth == 0:
            statement.append(token)
    return found


def _declared(statement: list[str]) -> set[str]:
    """The function or the variables that one file-scope statement declares."""
    words = [token for token in statement if token not in _QUALIFIERS]
    found = {
        after
        for before, after in itertools.pairwise(words)
        if before == "," and _NAME.fullmatch(after)
    }
    if len(words) > 1 and _NAME.fullmatch(words[1]):
        found.add(words[1])
    return found
