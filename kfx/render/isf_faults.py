"""Says what is wrong with a shader, at the author's own file and line, whatever a compiler says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kfx.render import isf_tidy

if TYPE_CHECKING:
    from kfx.render.isf import Shader

OURS = 90_000  # lines from here on are kfx's own, not the author's

_PLACE = re.compile(r"^(?:ERROR:\s*)?\d+[:(](\d+)\)?(?:\(\d+\))?\s*:?\s*(.*)$")
_KIND = re.compile(r"^(?:error\s*(?:C\d+)?\s*:\s*)", re.I)
# How Mesa names a function where it names no line.
_NAMED = re.compile(r"(?:reference to function `|static recursion.*?`|function `\w+ )(\w+)")


def readable(shader: Shader, message: str) -> str:
    """A compiler's message as ``path:line: text``, with the author's own file and line."""
    in_vertex = "vertex_shader" in message and shader.vertex is not None
    path = shader.vertex if in_vertex else shader.path
    text, first = (shader.vertex_text, 1) if in_vertex else (shader.body, shader.first_line)
    faults: dict[str, str] = {}  # place → what is wrong there
    rest = []
    for line in map(str.strip, message.splitlines()):
        place = _PLACE.match(line)
        if place and not place[2].lower().startswith("warning"):
            number, fault = int(place[1]), _KIND.sub("", place[2])
            ends = first + text.count("\n")
            if not first <= number <= ends or "end of file" in fault:
                number, fault = _meant(text, first, number, fault)
            where = f"{path}: at its end" if number >= OURS else f"{path}:{number}"
            faults.setdefault(where, fault)
        elif not place and re.search(r"\berror\b", line, re.I):
            rest.append(_KIND.sub("", line))
    if shader.vertex is None and "no matching output" in message:
        rest = [f"{one}; is {shader.path.stem}.vs missing?" for one in rest[:1]]
    if not faults and rest and (line := _line_of(text, first, rest[0])):
        faults[f"{path}:{line}"] = rest[0]
    if not faults:
        lines = [line for line in message.splitlines() if line.strip(" =")]
        return f"{shader.path}: {'; '.join(dict.fromkeys(rest or lines[-3:]))}"
    (where, fault), *others = list(faults.items())[:3]
    return "; ".join([f"{where}: {fault}", *(f"line {w.split(':')[-1]}: {t}" for w, t in others)])


def _meant(text: str, first: int, number: int, fault: str) -> tuple[int, str]:
    """A better place than behind the author's last line, and what is wrong there if that shows."""
    plain = isf_tidy.blank(text)
    odd = re.search(r"[^\x00-\x7f]", plain)
    if odd and (number >= OURS or plain.count("\n", 0, odd.start()) + first == number):
        line = first + plain.count("\n", 0, odd.start())
        return line, f"{odd[0]!r} (U+{ord(odd[0]):04X}) is no character of GLSL"
    if "comment" in fault and (found := list(re.finditer(r"/\*", text))):
        return first + text.count("\n", 0, found[-1].start()), f"{fault}: this /* is never closed"
    if line := _line_of(text, first, fault):
        return line, fault
    if number >= OURS and (start := _left_open(plain)) is not None:
        line = first + plain.count("\n", 0, start)
        return line, f"this {plain[start]} is never closed ({fault})"
    return number, fault


def _left_open(plain: str) -> int | None:
    """Where the innermost bracket stands that nothing closes."""
    opened: list[int] = []
    for found in re.finditer(r"[(){}\[\]]", plain):
        if found[0] in "({[":
            opened.append(found.start())
        elif opened:
            opened.pop()
    return opened[-1] if opened else None


def _line_of(text: str, first: int, fault: str) -> int | None:
    """The line of the function that a message without a line names."""
    named = _NAMED.search(fault)
    found = named and re.search(rf"\b{named[1]}\s*\(", isf_tidy.blank(text))
    return first + text.count("\n", 0, found.start()) if found else None
