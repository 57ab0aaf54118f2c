"""Ticks that know the song: its beats, its sound, and a timecode on a file's sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kfx.engine.ticks import Listener, Sounding, Ticks
from kfx.errors import UsageError
from kfx.sync import grid as grids
from kfx.sync import open as open_clock
from kfx.sync.grid import Grid


def grid_of(path: str | None, bpm: float) -> Grid:
    """The grid in a file, or a steady tempo. Raises `KfxError`."""
    return grids.load(path) if path else grids.steady(bpm)


class Heard(NamedTuple):
    """What `Ticks` wants to know of a song's sound."""

    signals: Listener | None = None
    sound: Sounding | None = None


def heard(song: str | None) -> Heard:
    """The audio signals and the samples of a song's file at a time of it. Raises `KfxError`."""
    if song is None:
        return Heard()
    from kfx.sync.audio_features import Track

    track = Track(song)
    return Heard(track.signals, lambda moment: track.sound(moment.song_s))


def rendered(
    *,
    sync: Sequence[str] = (),
    grid: str | None = None,
    bpm: float = 120.0,
    song: str | None = None,
    start_s: float = 0.0,
) -> Ticks:
    """Ticks for a file: the song begins at `start_s` of it, or where its timecode says.

    Raises `KfxError`.
    """
    for spec in sync:
        if not spec.startswith("ltc:"):
            raise UsageError(f"--sync {spec}: a file is rendered by ltc:FILE; others are live only")
    clock = open_clock(sync, grid_of(grid, bpm))
    lead_s, music = 0.0 if sync else -start_s, heard(song)
    return Ticks(clock, lead_s=lead_s, hear_song=music.signals, sound=music.sound)
