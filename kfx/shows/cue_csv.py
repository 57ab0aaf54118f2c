"""Cues as a spreadsheet: CSV of a show, and a show of CSV.

Columns ``bar,beat,len_beats,action,target,value,curve,slots,name,notes``, a row per action. The
shorter sheet ``bar,beat,preset,env,notes`` is read too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from kfx.errors import KfxError
from kfx.shows.cue import MODES, Cue, Flash, Show
from kfx.shows.moment import bar_beat

COLUMNS = (
    *("bar", "beat", "len_beats", "action", "target", "value", "curve"),
    *("slots", "name", "notes"),
)
SHORT = ("bar", "beat", "preset", "env", "notes")
ACTIONS = ("preset", "ramp", "set", "flash", "envelope", *MODES, "live", "note")
MOST_ROWS = 10_000


def write(show: Show) -> str:
    """All cues, repeated ones one by one."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for cue in show.cues:
        bar, _, beat = bar_beat_exact(show, cue.time_s).partition(":")
        slots = " ".join(map(str, cue.slots))
        for length, action, target, value, curve in _actions(show, cue):
            rows.writerow(
                (bar, beat, length, action, target, value, curve, slots, cue.name, cue.notes)
            )
    return out.getvalue()


def bar_beat_exact(show: Show, time_s: float) -> str:
    """``9:2.123456``: exact to a microbeat."""
    short = bar_beat(show.grid, time_s)
    bar, _, beat = short.partition(":")
    if abs(show.grid.time_of(int(bar), float(beat)) - time_s) < 1e-6:
        return short
    whole, exact = show.grid.position(time_s)
    return f"{whole}:{max(1.0, exact):.6f}".rstrip("0")


def _actions(show: Show, cue: Cue) -> Iterator[tuple[str, str, str, str, str]]:
    """len_beats, action, target, value and curve of each thing a cue does."""
    beats = partial(_beats, show, cue.time_s)
    if cue.preset is not None:
        fade = f"{cue.fade_beats:g}" if cue.fade_beats else beats(cue.fade_s) if cue.fade_s else ""
        yield fade, "preset", cue.preset, "", ""
    for ramp in cue.ramps:
        value = json.dumps(ramp.to)
        if ramp.start is not None:
            value = f"{json.dumps(ramp.start)}..{value}"
        if ramp.seconds:
            yield beats(ramp.seconds), "ramp", ramp.knob, value, ramp.curve
        else:
            yield "", "set", ramp.knob, value, ""
    if cue.flash:
        yield "", "flash", "", json.dumps(_flash(cue.flash)), ""
    if cue.hold:
        length = "" if cue.hold.seconds is None else beats(cue.hold.seconds)
        yield length, cue.hold.kind, "", "", ""
    for name in cue.envelopes:
        yield "", "envelope", name, "", ""
    if not cue.text:
        yield "", "note", "", "", ""


def _flash(flash: Flash) -> dict[str, Any]:
    shape = flash.shape
    return {
        "level": flash.level,
        "tint": list(flash.tint),
        "attack_ms": round(shape.attack_s * 1000.0, 6),
        "hold_ms": round(shape.hold_s * 1000.0, 6),
        "decay_ms": round(shape.decay_s * 1000.0, 6),
        "curve": shape.curve,
    }


def _beats(show: Show, start: float, seconds: float) -> str:
    grid = show.grid
    return f"{grid.beat_at(start + seconds) - grid.beat_at(start):.6f}".rstrip("0").rstrip(".")


def read(text: str, place: str) -> list[dict[str, Any]]:
    """The cue tables, as ``show.toml`` has them, of a sheet. Raises `KfxError` with the line.

    Semicolons and tabs separate as commas do: spreadsheets write what their language is used to.
    """
    text = text.removeprefix("\ufeff")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        head = tuple(cell.strip().lower() for cell in next(rows, []))
        known = set(COLUMNS) | set(SHORT)
        if not {"bar", "beat"} <= set(head) or not set(head) <= known:
            raise KfxError(
                f"{place}: line 1: the columns are {','.join(COLUMNS)} or {','.join(SHORT)}"
            )
        cues: list[dict[str, Any]] = []
        for cells in rows:
            if len(cues) >= MOST_ROWS:
                raise KfxError(f"{place}: has more than {MOST_ROWS} rows")
            if any(cell.strip() for cell in cells):
                row = dict(zip(head, (cell.strip() for cell in cells), strict=False))
                try:
                    cues.append(_table(row))
                except (ValueError, RecursionError) as error:
                    raise KfxError(f"{place}: line {rows.line_num}: {error}") from None
        return cues
    except csv.Error as error:
        raise KfxError(f"{place}: line {rows.line_num}: {error}") from None


def _table(row: Mapping[str, str]) -> dict[str, Any]:
    beat = row.get("beat", "") or "1"
    table: dict[str, Any] = {"at": f"{row.get('bar', '')}:{beat}"}
    table.update({key: row[key] for key in ("name", "notes") if row.get(key)})
    if row.get("slots"):
        words = row["slots"].split()
        table["slots"] = [int(word) if word.isdecimal() else word for word in words]
    if "action" not in row:
        table.update({"preset": row["preset"]} if row.get("preset") else {})
        table.update({"envelope": row["env"].split()} if row.get("env") else {})
        return table
    action, target, length = row["action"], row.get("target", ""), row.get("len_beats", "")
    beats = _number(length) if length else None
    if action == "preset":
        table["preset"] = target
        table.update({"fade_beats": beats} if beats else {})
    elif action in ("set", "ramp"):
        start, dots, to = row.get("value", "").rpartition("..")
        value = {"to": _value(to), **({"from": _value(start)} if dots else {})}
        if action == "set":
            table["set"] = {target: value["to"]}
        else:
            curve = {"curve": row["curve"]} if row.get("curve") else {}
            table["ramp"] = {target: {**value, "beats": beats or 0.0, **curve}}
    elif action == "flash":
        table["flash"] = _value(row["value"]) if row.get("value") else True
    elif action == "envelope":
        table["envelope"] = target
    elif action in MODES or action == "live":
        table[action] = {"beats": beats} if beats is not None else True
    elif action != "note":
        raise ValueError(f"action: {action[:40]!r} is none of {', '.join(ACTIONS)}")
    return table


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"len_beats: {text[:40]!r} is no number") from None


def _value(text: str) -> Any:
    """A number, true, false, a list or a table as JSON; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def into(show_text: str, cues: list[dict[str, Any]]) -> str:
    """The text of a show with its cues replaced, everything else kept as it was written."""
    import tomlkit

    document = tomlkit.parse(show_text)
    document.pop("cue", None)
    tables = tomlkit.aot()
    for cue in cues:
        table = tomlkit.table()
        for key, value in cue.items():
            table.add(key, _inline(value))
        tables.append(table)
    document.append("cue", tables)
    return tomlkit.dumps(document)


def _inline(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    for key, one in value.items():
        table.append(tomlkit.key(key) if "." not in key else tomlkit.key([key]), _inline(one))
    return table
