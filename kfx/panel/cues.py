"""A show's cue sheet for a page: bars, beats, and cues with their times in the song."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from kfx.shows import Cue, Show
from kfx.shows.editing import number_of
from kfx.shows.moment import bar_beat

MOST_BARS = 2000
TAIL_S = 8.0  # after the last cue, where nobody says how long the song is


def cue_sheet(show: Show, steps: Sequence[int] | None = None) -> dict[str, Any]:
    """The message: name, length in seconds, bars from number `first` on, cues.

    A bar is ``[time, beats]``. `steps` are edits that can be undone and redone,
    None where nobody may edit.
    """
    last = max((cue.time_s for cue in show.cues), default=0.0)
    length_s = show.length_s or last + TAIL_S
    grid = show.grid
    bars: list[list[float]] = []
    first = grid.position(0.0)[0]
    for bar in range(first, first + MOST_BARS):
        start, end = grid.time_of(bar), grid.time_of(bar + 1)
        if start > length_s:
            break
        bars.append([round(start, 3), max(1, round(grid.beat_at(end) - grid.beat_at(start)))])
    by_number = sorted(show.cues, key=lambda cue: (number_of(cue.place), cue.time_s))
    groups = [list(cues) for _, cues in groupby(by_number, key=lambda cue: number_of(cue.place))]
    groups.sort(key=lambda cues: cues[0].time_s)
    return {
        "t": "cues",
        "name": show.name,
        "length": length_s,
        "first": first,
        "bars": bars,
        "cues": [_row(show, cues) for cues in groups],
        "steps": steps,
    }


def _row(show: Show, cues: list[Cue]) -> dict[str, Any]:
    """One table of the file; it repeats where there are several times."""
    cue = cues[0]
    row: dict[str, Any] = {
        "n": number_of(cue.place),
        "times": [round(one.time_s, 3) for one in cues],
        "at": bar_beat(show.grid, cue.time_s),
        "name": cue.name,
        "text": cue.text or cue.notes,
        "preset": cue.preset,
        "fade_beats": cue.fade_beats,
        "flash": cue.flash is not None,
        "hold": cue.hold.kind if cue.hold else "",
        "notes": cue.notes,
    }
    if len(cues) > 1:
        row["last"] = bar_beat(show.grid, cues[-1].time_s)
    return row
