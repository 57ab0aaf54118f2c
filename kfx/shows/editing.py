"""Adds, changes and removes cues in the text of a ``show.toml``; the rest stays as it was written.

A cue is known by its number in the file, counted from 0, as errors name it: ``cue[3]``. What is
said of one is a line of TOML: ``at = "9:1", preset = "supernova", fade_beats = 2``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfx.errors import UsageError
from kfx.shows import moment
from kfx.shows.cue import Show
from kfx.shows.reading import CUE_KEYS, read

MOST_LETTERS = 1000  # of what is said of a cue
_HEAD = re.compile(r"\s*\[")
_CUE = re.compile(r"\s*\[\[\s*cue\s*\]\]")
_OF_CUE = re.compile(r"\s*\[\[?\s*cue\s*\.")
_NUMBER = re.compile(r"cue\[(\d+)\]")
_SECONDS = re.compile(r"-?[\d.]+ ?s")


def number_of(place: str) -> int:
    """The number of a cue in its file, from `Cue.place`."""
    match = _NUMBER.match(place)
    assert match, place
    return int(match[1])


def fields_of(text: str) -> dict[str, Any]:
    """What a line says of a cue. Raises `UsageError`."""
    if len(text) > MOST_LETTERS or "\n" in text or "\r" in text:
        raise UsageError(f"a cue is said in one line of {MOST_LETTERS} letters at most")
    try:
        found: dict[str, Any] = tomllib.loads(f"cue = {{ {text} }}")["cue"]
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{text[:60]!r}: {error}; write at = "9:1", preset = "…"') from None
    if unknown := [key for key in found if key not in CUE_KEYS]:
        raise UsageError(f"{unknown[0][:40]!r} is none of {', '.join(CUE_KEYS)}")
    return found


def added(text: str, place: str, said: Mapping[str, Any]) -> str:
    """With one more cue, before those that come later. Raises `KfxError`."""
    if "at" not in said:
        raise UsageError('a cue needs its place: at = "9:1"')
    show, blocks = read(text, place), _blocks(text)
    time_s = moment.seconds(said["at"], show.grid, offset=show.offset, fps=show.fps)
    starts: dict[int, float] = {}
    for cue in show.cues:
        starts.setdefault(number_of(cue.place), cue.time_s)
    number = next((i for i in range(len(blocks)) if starts[i] > time_s + 1e-6), len(blocks))
    lines = text.splitlines(keepends=True)
    new = ["[[cue]]\n", *_written(said), "\n"]
    if number < len(blocks):
        at = blocks[number].first
    else:
        at = blocks[-1].end if blocks else len(lines)
        if at and lines[at - 1].strip():
            new.insert(0, "\n" if lines[at - 1].endswith("\n") else "\n\n")
        if at == len(lines):
            new.pop()
    data = tomllib.loads(text)
    wanted = [*data.get("cue", [])]
    wanted.insert(number, dict(said))
    return _proved("".join((*lines[:at], *new, *lines[at:])), {**data, "cue": wanted}, place)


def changed(text: str, place: str, number: int, said: Mapping[str, Any]) -> str:
    """With other values of one cue; an empty text or ``false`` takes a value away.

    A new place is spelled as the old one was, in bars, seconds or timecode; where the cue repeats,
    its end goes along. Raises `KfxError`.
    """
    import tomlkit

    show, block = read(text, place), _block(text, number)
    lines = text.splitlines(keepends=True)
    data = tomllib.loads(text)
    entry = data["cue"][number]
    values = _shifted(entry, said, show)
    document = tomlkit.parse("".join(lines[block.head : block.end]))
    array: Any = document["cue"]
    table = array[0]
    fresh = {}
    for key, value in values.items():
        if _is_gone(value):
            table.pop(key, None)
            entry.pop(key, None)
            continue
        if key in table:
            item = tomlkit.item(value)
            item.trivia.comment_ws = getattr(table[key], "trivia", item.trivia).comment_ws
            item.trivia.comment = getattr(table[key], "trivia", item.trivia).comment
            table[key] = item
        else:
            fresh[key] = value
        entry[key] = value
    # tomlkit would put what is new behind the blank lines that end a table.
    own = tomlkit.dumps(document).splitlines(keepends=True)
    at = next((i for i, line in enumerate(own) if re.match(r"\s*at\s*=", line)), 0) + 1
    own[at:at] = _written(fresh)
    return _proved("".join((*lines[: block.head], *own, *lines[block.end :])), data, place)


def removed(text: str, place: str, number: int) -> str:
    """Without one cue and the comment right above it. Raises `KfxError`."""
    read(text, place)
    block = _block(text, number)
    lines = text.splitlines(keepends=True)
    before, after = lines[: block.first], lines[block.end :]
    while before and not before[-1].strip() and (not after or not after[0].strip()):
        before.pop()
    data = tomllib.loads(text)
    del data["cue"][number]
    if not data["cue"]:
        del data["cue"]
    return _proved("".join((*before, *after)), data, place)


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of a cue: `first` with its comment, its `head` ``[[cue]]``, `end` behind its last."""

    first: int
    head: int
    end: int


def _blocks(text: str) -> list[_Block]:
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if _HEAD.match(line)]
    starts = {i: _with_comment(lines, i) for i in heads}
    found = []
    for i in heads:
        if _CUE.match(lines[i]):
            others = (j for j in heads if j > i and not _OF_CUE.match(lines[j]))
            follows = next(others, None)
            found.append(_Block(starts[i], i, len(lines) if follows is None else starts[follows]))
    if len(found) != len(tomllib.loads(text).get("cue", [])):
        raise UsageError("its cues aren't all written as [[cue]] tables; change it in an editor")
    return found


def _block(text: str, number: int) -> _Block:
    blocks = _blocks(text)
    if not 0 <= number < len(blocks):
        raise UsageError(f"cue[{number}]: there are {len(blocks)} cues in the file")
    return blocks[number]


def _with_comment(lines: list[str], at: int) -> int:
    while at and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _shifted(entry: Mapping[str, Any], said: Mapping[str, Any], show: Show) -> dict[str, Any]:
    if "at" not in said:
        return dict(said)
    grid = show.grid

    def seconds(value: Any) -> float:
        return moment.seconds(value, grid, offset=show.offset, fps=show.fps)

    old, new = seconds(entry["at"]), seconds(said["at"])
    values = {**said, "at": _spelled(new, entry["at"], show)}
    if "until" in entry and "until" not in said:
        beats = grid.beat_at(seconds(entry["until"])) + grid.beat_at(new) - grid.beat_at(old)
        values["until"] = _spelled(grid.time_at(beats), entry["until"], show)
    return values


def _spelled(time_s: float, like: Any, show: Show) -> Any:
    """A moment as `like` says one."""
    if isinstance(like, int | float):
        return round(time_s, 3)
    if _SECONDS.fullmatch(like.strip()):
        return f"{time_s:.3f} s"
    if like.count(":") > 1 and (code := show.timecode_at(time_s)) is not None:
        return code
    return moment.bar_beat(show.grid, time_s)


def _is_gone(value: Any) -> bool:
    return value is False or value == ""


def _written(said: Mapping[str, Any]) -> list[str]:
    """Lines of TOML, in the order in which people write them."""
    import tomlkit

    lines = []
    for key in (key for key in CUE_KEYS if key in said and not _is_gone(said[key])):
        value = said[key]
        if isinstance(value, dict):
            inline = tomlkit.inline_table()
            inline.update(value)
            value = inline
        lines.append(f"{key} = {tomlkit.item(value).as_string()}\n")
    return lines


def _proved(text: str, wanted: Mapping[str, Any], place: str) -> str:
    """`text`, once it has been read back and says what was meant."""
    shown = read(text, place)  # raises with the place of what is wrong
    given = tomllib.loads(text)
    cues = [{k: v for k, v in one.items() if not _is_gone(v)} for one in wanted.get("cue", [])]
    same = [{k: v for k, v in one.items() if not _is_gone(v)} for one in given.get("cue", [])]
    rest = {k: v for k, v in given.items() if k != "cue"}
    if cues != same or rest != {k: v for k, v in wanted.items() if k != "cue"}:
        raise UsageError(f"{shown.path}: can't be changed from here; change it in an editor")
    return text
