"""Ticks that know the song: its beats, its sound, and a timecode on a file's sound."""

from __future__ import annotations

from collections.abc import Sequence

from kfx.engine.ticks import Listener, Ticks
from kfx.errors import UsageError
from kfx.sync import grid as grids
from kfx.sync import open as open_clock
from kfx.sync.grid import Grid


def grid_of(path: str | None, bpm: float) -> Grid:
    """The grid in a file, or a steady tempo. Raises `KfxError`."""
    return grids.load(path) if path else grids.steady(bpm)


def heard(song: str | None) -> Listener | None:
    """The audio signals of a song's file at a time of it. Raises `KfxError`."""
    if song is None:
        return None
    from kfx.sync.audio_features import Track

    return Track(song).signals


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
    return Ticks(clock, lead_s=0.0 if sync else -start_s, hear_song=heard(song))
