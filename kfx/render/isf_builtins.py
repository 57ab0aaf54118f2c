"""Lets shaders use the names of GLSL's own functions for their inputs and functions.

Old compilers keep functions and variables apart, and add a function of a known name to the ones
they have. Modern ones let the newcomer hide all of them.
"""

from __future__ import annotations

import re

NAMES = frozenset(
    "radians degrees sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh pow exp log exp2 "
    "log2 sqrt inversesqrt abs sign floor trunc round roundEven ceil fract mod modf min max clamp "
    "mix step smoothstep isnan isinf length distance dot cross normalize faceforward reflect "
    "refract matrixCompMult outerProduct transpose determinant inverse lessThan lessThanEqual "
    "greaterThan greaterThanEqual equal notEqual any all not textureSize texture textureLod dFdx "
    "dFdy fwidth".split()
)
"""Functions whose name an input may have: it is told from them by what follows."""

_FLOATS = ("float", "vec2", "vec3", "vec4")
_INTS = ("int", "ivec2", "ivec3", "ivec4")
# What a function takes and gives: T is any of the types, the others are themselves.
_ONE = ("T:T",)
_FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        "radians degrees sin cos tan asin acos sinh cosh tanh exp log exp2 log2 sqrt inversesqrt "
        "floor trunc round ceil fract normalize".split(),
        _ONE,
    ),
    "abs": ("T:T", "I:I"),
    "sign": ("T:T", "I:I"),
    "atan": ("T:T", "T:T,T"),
    "pow": ("T:T,T",),
    "mod": ("T:T,T", "T:T,float"),
    "min": ("T:T,T", "T:T,float", "I:I,I", "I:I,int"),
    "max": ("T:T,T", "T:T,float", "I:I,I", "I:I,int"),
    "clamp": ("T:T,T,T", "T:T,float,float", "I:I,I,I", "I:I,int,int"),
    "mix": ("T:T,T,T", "T:T,T,float"),
    "step": ("T:T,T", "T:float,T"),
    "smoothstep": ("T:T,T,T", "T:float,float,T"),
    "length": ("float:T",),
    "distance": ("float:T,T",),
    "dot": ("float:T,T",),
    "reflect": ("T:T,T",),
    "cross": ("vec3:vec3,vec3",),
}
_FUNCTION = re.compile(r"\b[A-Za-z]\w*\s+([A-Za-z]\w*)\s*\(([^(){};]*)\)\s*\{")
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|endif)\b[^\n]*", re.M)
_QUALIFIER = re.compile(r"\b(?:const|in|out|inout|highp|mediump|lowp)\b")


def functions(plain: str) -> dict[str, list[tuple[str, ...]]]:
    """The functions that a text without comments defines, each with its lists of types."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for one in _FUNCTION.finditer(plain):
        words = [_QUALIFIER.sub("", part).split() for part in one[2].split(",")]
        found.setdefault(one[1], []).append(tuple(word[0] for word in words if word))
    return found


def beside(plain: str) -> str:
    """GLSL that keeps the known functions callable beside those of their names in `plain`.

    It goes before the text. Nothing is kept of a function that stands in an ``#if``: whether it
    is there at all is the compiler's to say.
    """
    keep, forward = [], []
    hidden = functions(_conditional(plain)).keys()
    for name, given in functions(plain).items():
        if name not in _FORMS or name in hidden:
            continue
        for number, (result, types) in enumerate(_signatures(name)):
            if types in given:
                continue
            letters = [chr(ord("a") + i) for i in range(len(types))]
            takes = ", ".join(f"{kind} {one}" for kind, one in zip(types, letters, strict=True))
            gives, own = ", ".join(letters), f"kfx_own{number}_{name}"
            keep.append(f"{result} {own}({takes}) {{ return {name}({gives}); }}")
            forward.append(f"{result} {name}({takes}) {{ return {own}({gives}); }}")
    return "\n".join([*keep, *forward])


def _signatures(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every result with its types, each list of types once."""
    found: dict[tuple[str, ...], str] = {}
    for form in _FORMS[name]:
        result, _, takes = form.partition(":")
        letter, family = ("I", _INTS) if "I" in takes else ("T", _FLOATS)
        for kind in family if letter in takes.split(",") else (letter,):
            types = tuple(kind if one == letter else one for one in takes.split(","))
            found.setdefault(types, kind if result == letter else result)
    return [(result, types) for types, result in found.items()]


def _conditional(plain: str) -> str:
    """The parts of a text that stand within ``#if`` and ``#endif``."""
    depth, start, parts = 0, 0, []
    for found in _CONDITION.finditer(plain):
        if depth == 0:
            start = found.end()
        depth += -1 if found[1] == "endif" else 1
        if depth == 0:
            parts.append(plain[start : found.start()])
    return "\n".join(parts) if depth == 0 else plain
