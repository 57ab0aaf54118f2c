"""Rehearses a show without a camera: a simulated clock through the whole song, every cue noted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kfx.shows.cue import Cue
from kfx.shows.moment import bar_beat
from kfx.shows.player import Fired, Player
from kfx.shows.timeline import Timeline

AFTER_S = 2.0  # played beyond the last cue where nobody says how long the song is


@dataclass(frozen=True, slots=True)
class Row:
    """One cue as it fired: `frame` counts from 0 at the start of the song.

    `unseen` is the mode of the output that hides what it does, "" where it is seen.
    """

    cue: Cue
    bar_beat: str
    time_s: float
    timecode: str | None
    frame: int
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`problems` are what would go wrong in the show."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    length_s: float


def rehearse(timeline: Timeline, fps: Fraction) -> Rehearsal:
    """Play the song frame by frame at `fps` and see which cue fires on which frame."""
    show = timeline.show
    last = max((cue.time_s for cue in show.cues), default=0.0)
    length_s = show.length_s if show.length_s is not None else last + AFTER_S
    player = Player(timeline, frame_s=float(1 / fps))
    fired: dict[int, int] = {}
    for frame in range(math.ceil(length_s * fps) + 1):
        moment = player.at(float(frame / fps))
        for action in moment.actions:
            if isinstance(action, Fired):
                fired.setdefault(id(action.cue), frame)
    rows, problems = [], list(timeline.problems)
    for cue in show.cues:
        frame_of = fired.get(id(cue))
        if frame_of is None:
            if not any(text.startswith(f"{cue.place}: ") for text in problems):
                problems.append(f"{cue.place}: it never fires")
            continue
        code = show.timecode_at(cue.time_s)
        rows.append(
            Row(
                cue,
                bar_beat(show.grid, cue.time_s),
                cue.time_s,
                code,
                frame_of,
                timeline.unseen(cue),
            )
        )
    return Rehearsal(tuple(rows), tuple(problems), timeline.notes, length_s)


def table(rehearsal: Rehearsal) -> str:
    """The cue sheet as text."""
    head = ("bar:beat", "time", "timecode", "frame", "cue", "action")
    lines: list[Sequence[str]] = [head]
    for row in rehearsal.rows:
        clock = f"{int(row.time_s // 60)}:{row.time_s % 60:06.3f}"
        code = row.timecode or "-"
        said = f"{row.cue.text} [unseen: {row.unseen}]" if row.unseen else row.cue.text
        lines.append((row.bar_beat, clock, code, str(row.frame), row.cue.name or "-", said))
    if all(line[2] == "-" for line in lines[1:]):
        lines = [(*line[:2], *line[3:]) for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        )
        for line in lines
    )


def as_dict(rehearsal: Rehearsal) -> dict[str, object]:
    """The same for programs."""
    return {
        "schema": "kfx.cues/1",
        "length_s": round(rehearsal.length_s, 6),
        "problems": list(rehearsal.problems),
        "notes": list(rehearsal.notes),
        "cues": [
            {
                "place": row.cue.place,
                "bar_beat": row.bar_beat,
                "time_s": round(row.time_s, 6),
                "timecode": row.timecode,
                "frame": row.frame,
                "name": row.cue.name,
                "action": row.cue.text,
                "preset": row.cue.preset,
                "slots": list(row.cue.slots),
                "unseen": row.unseen or None,
            }
            for row in rehearsal.rows
        ],
    }
