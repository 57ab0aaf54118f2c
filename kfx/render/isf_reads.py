"""Finds out from a shader's text where it reads an image: only at its own pixel, or anywhere."""

from __future__ import annotations

import re
from functools import lru_cache

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_HERE = r"(?:isf_FragNormCoord|vv_FragNormCoord)(?:\s*\.\s*(?:xy|st))?"
# Every spelling of "this pixel of the image", %s being its name.
_OWN_PIXEL = (
    r"\b(?:IMG_THIS_PIXEL|IMG_THIS_NORM_PIXEL|IMG_NORM_THIS_PIXEL)\s*\(\s*%s\s*\)"
    rf"|\b(?:IMG_NORM_PIXEL|texture2D|texture)\s*\(\s*%s\s*,\s*{_HERE}\s*\)"
    r"|\bIMG_PIXEL\s*\(\s*%s\s*,\s*gl_FragCoord\s*\.\s*xy\s*\)"
)
MOVES = re.compile(r"\bgl_FragCoord(?:\s*\.\s*\w+)?\s*(?:[-+*/]?=(?!=)|\+\+|--)")
"""Where a body writes its own position, which old compilers let it do."""

_SIZE = r"\bIMG_SIZE\s*\(\s*%s\s*\)|\btextureSize\s*\(\s*%s\s*,\s*0\s*\)"


def without_comments(body: str) -> str:
    """`body` with every comment blanked out; lines keep their numbers."""
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n") or " ", body)


@lru_cache(maxsize=1024)
def reads_own_pixel(body: str, name: str) -> bool:
    """Whether `body` reads the image `name` nowhere but at the pixel that it draws.

    Such a read needs no filter, and the shader can be joined with the one before it. Doubtful
    uses (the image handed to a function, a macro of its name) count as reads from anywhere.
    """
    rest = own_pixel_pattern(name).sub("", without_comments(body))
    rest = size_pattern(name).sub("", rest)
    return re.search(rf"\b{re.escape(name)}\b", rest) is None


@lru_cache(maxsize=1024)
def own_pixel_pattern(name: str) -> re.Pattern[str]:
    """Matches each call that reads the image `name` at the pixel being drawn."""
    return re.compile(_OWN_PIXEL.replace("%s", re.escape(name)))


@lru_cache(maxsize=1024)
def size_pattern(name: str) -> re.Pattern[str]:
    """Matches each call that asks for the size of the image `name` in pixels."""
    return re.compile(_SIZE.replace("%s", re.escape(name)))
