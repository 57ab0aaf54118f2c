"""A show's cue sheet for a page: bars and cues with their times in the song."""

from __future__ import annotations

from typing import Any

from kfx.shows import Show
from kfx.shows.moment import bar_beat

MOST_BARS = 2000
TAIL_S = 8.0  # after the last cue, where nobody says how long the song is


def cue_sheet(show: Show) -> dict[str, Any]:
    """The message: name, length in seconds, times of the bars, a row for each cue."""
    last = max((cue.time_s for cue in show.cues), default=0.0)
    length_s = show.length_s or last + TAIL_S
    bars: list[float] = []
    for bar in range(1, MOST_BARS + 1):
        time_s = show.grid.time_of(bar)
        if time_s > length_s:
            break
        if time_s >= 0.0:
            bars.append(round(time_s, 3))
    rows = [
        [round(cue.time_s, 3), bar_beat(show.grid, cue.time_s), cue.name, cue.text]
        for cue in show.cues
    ]
    return {"t": "cues", "name": show.name, "length": length_s, "bars": bars, "cues": rows}
