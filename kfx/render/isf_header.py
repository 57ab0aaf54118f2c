"""Finds the JSON header of an ISF file, forgiving what editors and people do to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfx.errors import KfxError

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
# Strings are matched first, so that nothing inside them is touched.
_SLIPS = re.compile(
    r'(?P<string>"(?:\\.|[^"\\])*")'
    r"|(?P<comment>//[^\n]*)"
    r"|(?P<comma>,(?=(?:\s|//[^\n]*)*[}\]]))"
    r"|(?P<bare>(?<![\w.])[+-]?\.\d)"  # .5
    r"|(?P<open>\d\.(?![\d]))"  # 1.
)


@dataclass(frozen=True, slots=True)
class File:
    """A file in two parts; `body` begins in line `first_line`."""

    header: dict[str, Any]
    body: str
    first_line: int


def read_text(path: Path) -> str:
    """The text of a shader file: UTF-8 or, failing that, Latin-1; any kind of line ends."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")


def read(path: Path) -> File:
    """Split a file. Raises `KfxError` naming the file, the line and the fault."""
    text = read_text(path)
    comments = [one for one in _COMMENT.finditer(text) if one[0].endswith("*/")]
    found = next((c for c in comments if c[0][2:].lstrip().startswith("{")), None)
    if found is None:
        raise KfxError(f"{path}: no ISF header; the file must begin with /*{{ … }}*/")
    before = text[: found.start()].count("\n")
    try:
        header = json.loads(_SLIPS.sub(_mended, found[0][2:-2]), strict=False)
    except json.JSONDecodeError as error:
        line = before + error.lineno
        raise KfxError(f"{path}:{line}: the ISF header is no JSON: {error.msg}") from error
    except RecursionError:
        raise KfxError(f"{path}: the ISF header is nested too deeply") from None
    if not isinstance(header, dict):
        raise KfxError(f"{path}: the ISF header must be a JSON object")
    return File(header, text[found.end() :], text[: found.end()].count("\n") + 1)


def _mended(found: re.Match[str]) -> str:
    if found["string"]:
        return found[0]
    if found["bare"]:
        sign = "-" if found[0].startswith("-") else ""
        return f"{sign}0{found[0].lstrip('+-')}"
    if found["open"]:
        return found[0] + "0"
    return ""
