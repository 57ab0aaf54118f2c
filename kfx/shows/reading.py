"""Reads ``show.toml`` strictly: what it doesn't understand it names, with place and remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kfx import presets, timecode
from kfx.errors import KfxError
from kfx.presets.modulation import CURVES
from kfx.shows import fields, moment
from kfx.shows.cue import MODES, Cue, Envelope, Flash, Hold, Ramp, Show, Slots
from kfx.sync import grid as grids
from kfx.sync import tempo_map
from kfx.sync.grid import Grid
from kfx.types import MAX_FACES

VERSION = 1
MOST_BYTES = 1024 * 1024
MOST_CUES = 10_000
KEYS = (
    *("version", "doc", "song", "length", "grid", "bpm", "first_downbeat", "beats_per_bar"),
    *("offset", "fps", "lead_ms", "preset", "envelope", "cue"),
)
CUE_KEYS = (
    *("at", "name", "notes", "preset", "fade_s", "fade_beats", "slots", "set", "ramp", "flash"),
    *("freeze", "black", "clean", "panic", "live", "envelope", "every_beats", "until"),
)
_NAME = re.compile(r"[\w.:-]{1,40}", re.ASCII)


def load(path: str | Path) -> Show:
    """The show in a file. Raises `KfxError`: ``show.toml: cue[3] (9:1): fade_s: …``."""
    place = str(path)
    try:
        text = presets.read_text(Path(path), "show", MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise KfxError(f"{place}: {reason}; is the path right?") from None
    return read(text, place)


def read(text: str, place: str) -> Show:
    """A show from its text; `place` names it in errors, and its folder. Raises `KfxError`."""
    data = presets.tables(text, place, "show", MOST_BYTES)
    try:
        return _show(data, Path(place))
    except KfxError as error:
        raise KfxError(f"{place}: {error}") from None
    except (ValueError, OverflowError, TypeError, ArithmeticError) as error:
        raise KfxError(f"{place}: {error}") from None


def _show(data: Mapping[str, Any], path: Path) -> Show:
    fields.only(data, KEYS)
    version = data.get("version", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"version: {fields.short(version)}: this kfx reads version {VERSION}")
    grid = fields.at("grid", lambda: _grid(data, path.parent))
    fps = fields.at("fps", lambda: _fps(data["fps"])) if "fps" in data else None
    offset = fields.text(data, "offset", None)
    if offset is not None:
        if fps is None:
            raise ValueError('offset: say the rate it counts at too: fps = "23.976"')
        fields.at("offset", lambda: timecode.parse(offset, fps))
    song = fields.text(data, "song", "")
    envelopes = fields.table(data, "envelope")
    shapes = {
        name: fields.at(f"envelope.{name[:40]}", partial(_envelope, name, one, grid))
        for name, one in envelopes.items()
    }
    show = Show(
        name=path.stem,
        grid=grid,
        cues=(),
        envelopes=MappingProxyType(shapes),
        preset=fields.text(data, "preset", "none"),
        doc=fields.text(data, "doc", ""),
        song=str(path.parent / song) if song else "",
        length_s=fields.number(data, "length", None, 0.1, moment.LONGEST_S),
        offset=offset,
        fps=fps,
        lead_s=fields.number(data, "lead_ms", 0.0, -1000.0, 5000.0) / 1000.0,
        path=str(path),
    )
    if show.song and show.length_s is None:
        show = replace(show, length_s=_length(show.song))
    entries = data.get("cue", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ValueError("cue: write every cue as its own [[cue]] table")
    cues: list[Cue] = []
    for i, entry in enumerate(entries):
        where = f"cue[{i}]" + (f" ({fields.short(entry['at'])})" if "at" in entry else "")
        cues += fields.at(where, partial(_cues, entry, where, show))
        if len(cues) > MOST_CUES:
            raise ValueError(f"{where}: there are more than {MOST_CUES} cues")
    return replace(show, cues=tuple(sorted(cues, key=lambda cue: cue.time_s)))


def _grid(data: Mapping[str, Any], folder: Path) -> Grid:
    given = [key for key in ("bpm", "first_downbeat", "beats_per_bar") if key in data]
    if "grid" in data:
        if given:
            raise ValueError(f"the grid's file says this already; leave {', '.join(given)} out")
        path = folder / str(fields.text(data, "grid", ""))
        return grids.load(path) if path.suffix == ".json" else tempo_map.read(path)
    if "bpm" not in data:
        raise ValueError('it has none; write bpm = 128, or grid = "grid.json" made by kfx beats')
    first = fields.number(data, "first_downbeat", 0.0, -600.0, 600.0)
    per_bar = data.get("beats_per_bar", 4)
    if isinstance(per_bar, bool) or not isinstance(per_bar, int) or not 1 <= per_bar <= 32:
        raise ValueError(f"beats_per_bar: {fields.short(per_bar)} is no whole number within 1..32")
    return grids.steady(fields.number(data, "bpm", 0.0, *grids.BPM_RANGE), first, per_bar)


def _cues(entry: Mapping[str, Any], where: str, show: Show) -> list[Cue]:
    """The cue of a table; several where it repeats."""
    fields.only(entry, CUE_KEYS)
    if "at" not in entry:
        raise ValueError('at is missing; write at = "9:1"')
    start = moment.seconds(entry["at"], show.grid, offset=show.offset, fps=show.fps)
    first = _cue(entry, where, show, start)
    if "every_beats" not in entry:
        if "until" in entry:
            raise ValueError("until: belongs to every_beats; write every_beats = 1")
        return [first]
    if "until" not in entry:
        raise ValueError('every_beats: say how long: until = "33:1"')
    step = fields.number(entry, "every_beats", 1.0, 1 / 32, 1024.0)
    end = moment.seconds(entry["until"], show.grid, offset=show.offset, fps=show.fps)
    if end <= start:
        raise ValueError("until: must lie after at")
    beat, last = show.grid.beat_at(start), show.grid.beat_at(end)
    count = math.ceil((last - beat) / step - 1e-6)
    if count > MOST_CUES:
        raise ValueError(f"every_beats: makes {count} cues; {MOST_CUES} are the most")
    times = [show.grid.time_at(beat + i * step) for i in range(count)]
    return [first, *(_cue(entry, where, show, one) for one in times[1:])]


def _cue(entry: Mapping[str, Any], where: str, show: Show, start: float) -> Cue:
    grid = show.grid
    if "fade_s" in entry and "fade_beats" in entry:
        raise ValueError("fade_s and fade_beats: say one of them")
    slots = _slots(entry["slots"]) if "slots" in entry else ()
    ramps = [Ramp(_knob(name), value) for name, value in fields.table(entry, "set").items()]
    ramps += [
        fields.at(f"ramp {name[:60]!r}", partial(_ramp, name, one, grid, start))
        for name, one in fields.table(entry, "ramp").items()
    ]
    holds = [key for key in (*MODES, "live") if key in entry]
    if len(holds) > 1:
        raise ValueError(f"{' and '.join(holds)}: say one of them")
    cue = Cue(
        place=where,
        time_s=start,
        name=fields.text(entry, "name", ""),
        preset=fields.text(entry, "preset", None),
        fade_s=fields.number(entry, "fade_s", 0.0, 0.0, 600.0),
        fade_beats=fields.number(entry, "fade_beats", 0.0, 0.0, 1024.0),
        slots=slots,
        ramps=tuple(ramps),
        flash=fields.at("flash", lambda: _flash(entry["flash"], grid, start))
        if entry.get("flash", False) is not False
        else None,
        hold=fields.at(holds[0], lambda: _hold(holds[0], entry[holds[0]], grid, start))
        if holds
        else None,
        envelopes=_envelopes(entry, show),
        notes=fields.text(entry, "notes", ""),
    )
    whole = "flash" if cue.flash else holds[0] if holds else ""
    if slots and whole:
        raise ValueError(
            f"slots: {whole} is of the whole picture; for one performer lay a preset over them"
        )
    if (cue.fade_s or cue.fade_beats) and cue.preset is None:
        raise ValueError("a fade is that of a preset; name one, or use ramp")
    if not cue.text and not cue.notes:
        raise ValueError("it does nothing; add preset, ramp, set, flash, freeze or envelope")
    return cue


def _ramp(name: str, one: Any, grid: Grid, start: float) -> Ramp:
    if not isinstance(one, dict):
        raise ValueError(f"write {{ to = {fields.short(one)}, beats = 4 }}, or use set")
    fields.only(one, ("to", "from", "beats", "seconds", "curve"))
    if "to" not in one:
        raise ValueError("to is missing; write { to = 0.5, beats = 4 }")
    curve = one.get("curve", "linear")
    if curve not in CURVES:
        raise ValueError(f"curve: {fields.short(curve)} is none of {', '.join(CURVES)}")
    length = _length_of(one, grid, start)
    if length is None:
        raise ValueError("say how long: beats = 4, or seconds = 2.0")
    return Ramp(_knob(name), one["to"], one.get("from"), length, curve)


def _hold(kind: str, one: Any, grid: Grid, start: float) -> Hold | None:
    if one is False:
        return None
    if one is True:
        return Hold(kind)
    if kind in ("live", "panic") or not isinstance(one, dict):
        more = "" if kind in ("live", "panic") else ", or { beats = 4 }"
        raise ValueError(f"{fields.short(one)}: write {kind} = true{more}")
    fields.only(one, ("beats", "seconds"))
    return Hold(kind, _length_of(one, grid, start))


def _flash(one: Any, grid: Grid, start: float) -> Flash:
    if one is True:
        return Flash()
    if not isinstance(one, dict):
        raise ValueError(
            f"{fields.short(one)}: write flash = true, or {{ level = 0.8, decay_ms = 150 }}"
        )
    fields.only(one, ("level", "tint", "attack_ms", "hold_ms", "decay_ms", "curve"))
    shape = _shape(one, Flash().shape)
    tint = one.get("tint", [1.0, 1.0, 1.0])
    if not isinstance(tint, list) or len(tint) != 3:
        raise ValueError("tint: write three numbers 0..1: tint = [1.0, 0.9, 0.8]")
    colour = [fields.number({"tint": part}, "tint", 0.0, 0.0, 1.0) for part in tint]
    return Flash(
        fields.number(one, "level", 0.85, 0.0, 1.0), (colour[0], colour[1], colour[2]), shape
    )


def _envelope(name: str, one: Any, grid: Grid) -> Envelope:
    if not _NAME.fullmatch(name):
        raise ValueError("a name has letters, digits and _ . : - only, 40 at most")
    if name.split(".")[0] in ("move", "flash"):
        raise ValueError(f"{name.split('.')[0]} is kfx's own; choose another name")
    if not isinstance(one, dict):
        raise ValueError("write it as a table: decay_ms = 200")
    fields.only(one, ("attack_ms", "hold_ms", "decay_ms", "curve"))
    return _shape(one, Envelope())


def _shape(one: Mapping[str, Any], usual: Envelope) -> Envelope:
    curve = one.get("curve", usual.curve)
    if curve not in CURVES:
        raise ValueError(f"curve: {fields.short(curve)} is none of {', '.join(CURVES)}")
    return Envelope(
        fields.number(one, "attack_ms", usual.attack_s * 1000.0, 0.0, 60000.0) / 1000.0,
        fields.number(one, "hold_ms", usual.hold_s * 1000.0, 0.0, 60000.0) / 1000.0,
        fields.number(one, "decay_ms", usual.decay_s * 1000.0, 0.0, 60000.0) / 1000.0,
        curve,
    )


def _envelopes(entry: Mapping[str, Any], show: Show) -> tuple[str, ...]:
    given = entry.get("envelope", [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise ValueError('envelope: write a name, or a list of names: envelope = "kick"')
    for name in names:
        if name not in show.envelopes:
            known = ", ".join(show.envelopes) or "none yet"
            raise ValueError(
                f"envelope: {name[:40]!r} isn't declared (there are: {known}); "
                f"add [envelope.{name[:40]}] with decay_ms = 200"
            )
    return tuple(names)


def _length_of(one: Mapping[str, Any], grid: Grid, start: float) -> float | None:
    """Seconds of the song that a table asks for, from `start` on; None where it says nothing."""
    if "beats" in one and "seconds" in one:
        raise ValueError("beats and seconds: say one of them")
    if "seconds" in one:
        return float(fields.number(one, "seconds", 0.0, 0.0, 3600.0))
    if "beats" in one:
        beats = fields.number(one, "beats", 0.0, 0.0, 4096.0)
        return grid.time_at(grid.beat_at(start) + beats) - start
    return None


def _knob(name: str) -> str:
    if not re.fullmatch(r"[\w./ -]{1,80}(\[\d{1,2}\])?\.[\w-]{1,60}", name):
        raise ValueError(f'{name[:60]!r} is no knob; write "film.grain" or "film[1].grain"')
    return name


def _slots(value: Any) -> Slots:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FACES:
        raise ValueError('slots: write slots or names as a list: slots = ["lead"], [1, 3]')
    for one in value:
        number = isinstance(one, int) and not isinstance(one, bool)
        if number and not 0 <= one < MAX_FACES:
            raise ValueError(f"slots: {fields.short(one)} is outside 0..{MAX_FACES - 1}")
        if not number and not (isinstance(one, str) and one.strip() and len(one) <= 40):
            raise ValueError(f"slots: {fields.short(one)} is neither a slot nor a name")
    return tuple(value)


def _length(song: str) -> float:
    """How long a song's file is."""
    import av

    try:
        with av.open(song, metadata_errors="replace") as container:
            if container.streams.best("audio") is None or not container.duration:
                raise KfxError(f"song: {song}: has no sound that can be read")
            return float(Fraction(container.duration, av.time_base))
    except (av.FFmpegError, OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise KfxError(f"song: {song}: can't be read ({text}); is the path right?") from None


def _fps(value: Any) -> Fraction:
    from kfx.sources import parse_rate

    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f'{fields.short(value)} is no frame rate; write "23.976" or 25')
    try:
        return parse_rate(str(value), "fps")
    except KfxError as error:
        raise ValueError(str(error).removeprefix("fps: ")) from None
