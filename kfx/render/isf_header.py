"""Finds the JSON header of an ISF file, forgiving what editors and people do to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfx.errors import KfxError

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
_TOKEN = re.compile(
    r'(?P<string>"(?:\\.|[^"\\])*")|(?P<single>\'[^\'\n]*\'|[“”][^“”\n]*[“”])'
    r"|(?P<space>\s+|//[^\n]*)|(?P<sign>[{}\[\]:,])|(?P<word>(?:(?!//)[^\s{}\[\]:,\"\'“”])+)|(?P<other>.)",
    re.S,
)
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_KEY = re.compile(r"(?a:[A-Za-z_]\w*)\Z")
_NUMBER = re.compile(r"([+-]?)(\d*)\.?(\d*)([eE][+-]?\d+)?f?")


@dataclass(frozen=True, slots=True)
class File:
    """A file in two parts; `body` begins in line `first_line`."""

    header: dict[str, Any]
    body: str
    first_line: int


def read_text(path: Path) -> str:
    """The text of a shader file: UTF-8, UTF-16 if it says so, or Latin-1; any kind of line ends."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if wide else "utf-8-sig")
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
        header = json.loads(_mended(found[0][2:-2]), strict=False)
    except json.JSONDecodeError as error:
        line = before + error.lineno
        raise KfxError(f"{path}:{line}: the ISF header is no JSON: {error.msg}") from error
    except RecursionError:
        raise KfxError(f"{path}: the ISF header is nested too deeply") from None
    if not isinstance(header, dict):
        raise KfxError(f"{path}: the ISF header must be a JSON object")
    return File(header, text[found.end() :], text[: found.end()].count("\n") + 1)


def _mended(text: str) -> str:
    """The JSON object that `text` begins with, without the slips of a pen; lines stay lines.

    Commas that are missing or too many, comments, numbers such as ``.5``, ``1.``, ``+2`` and
    ``0xff``, single and curly quotes, keys without any, lone backslashes, and remarks after the
    last brace are forgiven.
    """
    tokens: list[str] = []
    depth, comma, ended = 0, -1, False  # where the last comma stands; whether a value has ended
    for found in _TOKEN.finditer(text):
        kind, token = found.lastgroup, found[0]
        if kind == "space":
            tokens.append("\n" * token.count("\n") or " ")
            continue
        if token == ",":
            if comma < 0 and ended:
                comma, ended = len(tokens), False
                tokens.append(token)
            continue
        if token in ("}", "]"):
            if comma >= 0:
                tokens[comma] = ""
            depth -= 1
        elif token != ":" and ended:
            tokens.append(",")
        elif token == ":":
            key = next((i for i in reversed(range(len(tokens))) if tokens[i].strip()), 0)
            tokens[key:] = [_KEY.sub(r'"\g<0>"', one) for one in tokens[key:]]
        ended = token not in ("{", "[", ":")
        depth += token in ("{", "[")
        comma = -1
        tokens.append(_value(kind, token))
        if depth <= 0:
            break
    return "".join(tokens)


def _value(kind: str | None, token: str) -> str:
    if kind == "string":
        return _ESCAPE.sub(lambda one: one[0] if one[1] else "\\\\", token)
    if kind == "single":
        return json.dumps(token[1:-1], ensure_ascii=False)
    if kind == "word" and _HEX.fullmatch(token):
        return str(int(token, 16))
    number = _NUMBER.fullmatch(token) if kind == "word" else None
    if number and (number[2] or number[3]):
        whole = number[2].lstrip("0") or "0"
        decimals = f".{number[3]}" if number[3] else ".0" * ("." in token)
        return f"{number[1].strip('+')}{whole}{decimals}{number[4] or ''}"
    return {"True": "true", "False": "false", "TRUE": "true", "FALSE": "false"}.get(token, token)
