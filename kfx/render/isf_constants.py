"""Reads the texels that a whole pass shares once, in its vertex shader, not in every pixel.

Shaders keep what a frame has in common in a texel of a small target. On llvmpipe reading it in
each pixel costs half a copy of the picture.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MOST = 8  # values of four numbers that every driver passes on to the pixels

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_PLACE = rf"{_NUMBER}\s*(?:,\s*{_NUMBER}\s*)?"
_READ = re.compile(
    r"\b(?:(?P<texel>texelFetch)\s*\(\s*(?P<a>\w+)\s*,\s*ivec2\s*\(\s*(?P<at>\d+\s*(?:,\s*\d+\s*)?)\)"
    r"\s*,\s*0\s*\)"
    rf"|(?P<pixel>IMG_(?:NORM_)?PIXEL)\s*\(\s*(?P<b>\w+)\s*,\s*vec2\s*\(\s*(?P<p>{_PLACE})\)\s*\))"
)


def hoist(body: str, plain: str, samplers: Collection[str]) -> tuple[str, dict[str, str]]:
    """The body with a name in place of each of those reads, and the GLSL of each by its name.

    `plain` is the body without comments; `samplers` are the two-dimensional ones as they are
    called there.
    """
    found: dict[str, str] = {}  # GLSL of the read → name of its value

    def value(read: re.Match[str]) -> str:
        name = read["a"] or read["b"]
        if name not in samplers or re.search(rf"(?:\bsampler2D|#\s*define)\s+{name}\b", plain):
            return read[0]
        if read["texel"]:
            glsl = f"texelFetch({name}, ivec2({''.join(read['at'].split())}), 0)"
        else:
            scale = f" / vec2(textureSize({name}, 0))" if read["pixel"] == "IMG_PIXEL" else ""
            glsl = f"textureLod({name}, vec2({''.join(read['p'].split())}){scale}, 0.0)"
        if glsl not in found and len(found) == MOST:
            return read[0]
        return found.setdefault(glsl, f"kfx_flat{len(found)}") + "\n" * read[0].count("\n")

    body = _READ.sub(value, body)
    return body, {name: glsl for glsl, name in found.items()}
