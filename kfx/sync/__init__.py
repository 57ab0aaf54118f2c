"""What the song is doing: `open` turns specs into a `SongClock`, one module per kind of source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from kfx.errors import KfxError, UsageError
from kfx.sync.grid import Grid
from kfx.sync.song import SongClock, Source

KINDS: dict[str, str] = {
    "ltc": "timecode on a sound input or a file's sound: ltc, ltc:DEVICE?channel=2, ltc:track.wav",
    "mtc": "MIDI timecode: mtc:PORT, mtc:virtual",
    "midi": "MIDI clock with song position: midi:PORT, midi:virtual",
    "link": "Ableton Link",
    "osc": "a transport by OSC on this machine: osc:9010",
    "tap": "tap tempo",
}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "ltc": ("fps", "offset", "channel"),
    "mtc": ("fps", "offset"),
    "midi": (),
    "link": (),
    "osc": ("offset",),
    "tap": (),
}
_SUFFIXES = tuple(".wav .flac .aif .aiff .mp3 .m4a .ogg .mov .mp4 .mkv .mxf".split())


def open(  # used as sync.open
    specs: Sequence[str],
    grid: Grid,
    *,
    start: float = 0.0,
    frame_s: float = 1 / 24,
    on_fault: Callable[[str], None] | None = None,
) -> SongClock:
    """A clock that follows the sources `specs` name, the first one first.

    Options stand behind a question mark: ``ltc:USB?channel=2&fps=23.976&offset=01:00:00:00``;
    `offset` is the timecode at which the song starts. A file's timecode begins at the time
    `start`. `frame_s` is the length of a frame of the output. `on_fault` hears of devices that are
    gone and back, from any thread. Raises `KfxError`.
    """
    opened: list[Source] = []
    try:
        opened.extend(_open(spec, grid, start, on_fault) for spec in specs)
    except BaseException:
        for source in opened:
            source.close()
        raise
    return SongClock(grid, opened, frame_s=frame_s)


def parse(spec: str) -> tuple[str, str, dict[str, Any]]:
    """A spec's kind, place and options. Raises `UsageError`."""
    head, _, query = spec.partition("?")
    kind, _, place = head.partition(":")
    if kind not in KINDS:
        raise UsageError(f"--sync {spec}: no such source; use " + "; ".join(KINDS.values()))
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS[kind]:
            known = ", ".join(_OPTIONS[kind]) or "none"
            raise UsageError(f"--sync {spec}: {name!r} is no option of {kind} (there are: {known})")
        options[name] = _option(spec, name, value)
    return kind, unquote(place), options


def _option(spec: str, name: str, value: str) -> Any:
    try:
        if name == "channel":
            return int(value)
        if name == "fps":
            return _fps(value)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--sync {spec}: {name}: {value!r} is no number") from None
    return value


def _fps(text: str) -> Fraction:
    """``23.976``, ``29.97``, ``24000/1001`` or ``25``: the exact rate."""
    rate = Fraction(text)
    if not 1 <= rate <= 240:
        raise ValueError(text)
    if "/" not in text and rate.denominator != 1:
        exact = Fraction(round(rate) * 1000, 1001)
        if abs(exact - rate) < Fraction(1, 100):
            return exact
    return rate


def _open(spec: str, grid: Grid, start: float, on_fault: Callable[[str], None] | None) -> Source:
    kind, place, options = parse(spec)
    if kind == "ltc" and (Path(place).suffix.lower() in _SUFFIXES or Path(place).is_file()):
        return _track(place, options, start)
    if kind == "ltc":
        return _ltc(place, options, on_fault)
    if kind in ("mtc", "midi"):
        return (_mtc if kind == "mtc" else _midi)(place, options, on_fault)
    opener = {
        "link": _link,
        "osc": _osc,
        "tap": _tap,
    }[kind]
    return opener(place, options, grid)


def _track(path: str, options: dict[str, Any], start: float) -> Source:
    from dataclasses import replace

    from kfx.sync import ltc_track
    from kfx.sync.song import Recorded

    track = ltc_track.read(path, channel=options.get("channel"), fps=options.get("fps"))
    fixes = track.fixes(options.get("offset"))
    return Recorded((replace(one, at=one.at + start) for one in fixes), name="ltc")


def _ltc(device: str, options: dict[str, Any], on_fault: Callable[[str], None] | None) -> Source:
    from kfx.sync import ltc_time
    from kfx.sync.audio_in import Shared
    from kfx.sync.ltc_in import LtcIn

    if "offset" in options:
        ltc_time.seconds_of(options["offset"], Fraction(30))
    audio = Shared(device, on_fault)
    try:
        return LtcIn(audio, **options)
    except KfxError:
        audio.close()
        raise


def _mtc(port: str, options: dict[str, Any], on_fault: Callable[[str], None] | None) -> Source:
    from kfx.sync import ltc_time
    from kfx.sync.midi_in import MidiIn
    from kfx.sync.mtc import Mtc

    if "offset" in options:
        ltc_time.seconds_of(options["offset"], Fraction(30))
    return MidiIn("mtc", port, Mtc(**options), "seconds", on_fault)


def _midi(port: str, options: dict[str, Any], on_fault: Callable[[str], None] | None) -> Source:
    from kfx.sync.midi_clock import MidiClock
    from kfx.sync.midi_in import MidiIn

    return MidiIn("midi", port, MidiClock(), "beats", on_fault)


def _link(place: str, options: dict[str, Any], grid: Grid) -> Source:
    from kfx.sync.link import Link

    return Link(grid.bpm)


def _osc(port: str, options: dict[str, Any], grid: Grid) -> Source:
    from kfx.sync.osc_transport import OscTransport

    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise UsageError(f"--sync osc:{port}: name a port from 1 to 65535, e.g. osc:9010")
    try:
        offset_s = float(options.get("offset", 0.0))
    except ValueError:
        raise UsageError(f"--sync osc:{port}: offset: write seconds") from None
    transport = OscTransport(offset_s=offset_s)
    transport.listen(int(port))
    return transport


def _tap(place: str, options: dict[str, Any], grid: Grid) -> Source:
    from kfx.sync.tap import Tap

    return Tap()
