"""A show over a file: where the song is at each of its frames, and who plays the cues."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kfx import shows, timecode
from kfx.engine.desk.conductor import Conductor
from kfx.engine.loop.switches import Switches
from kfx.engine.song_ticks import heard
from kfx.engine.ticks import Ticks
from kfx.errors import UsageError
from kfx.shows import Show
from kfx.shows.moment import LONGEST_S
from kfx.sync import ltc_track
from kfx.sync.song import SongClock
from kfx.sync.traced import Traced

PRE_ROLL_S = 120.0  # a clip may start so long before the song


@dataclass(frozen=True)
class Played:
    """What `offline.render` wants of a show."""

    ticks: Ticks
    conductor: Conductor
    notes: tuple[str, ...] = ()


def played(
    path: str | Path,
    *,
    rate: Fraction,
    ltc: str | None = None,
    song_start_s: float | None = None,
    start_timecode: str | None = None,
) -> Played:
    """The show at `path` over a clip of `rate`.

    The song's time is that of the LTC on the sound of `ltc`, which begins with the clip; else it
    counts from the second `song_start_s` of the clip; else the clip's own `start_timecode` says
    it, where the show has an offset and the clip lies in the song; else both begin together.
    Raises `KfxError`.
    """
    timeline = shows.build(shows.load(path))
    show = timeline.show
    frame_s = float(1 / rate)
    conductor = Conductor(timeline, Switches(), frame_s=frame_s)
    song, lead_s, notes = SongClock(show.grid, frame_s=frame_s), 0.0, list(timeline.notes)
    if ltc is not None:
        song = _by_ltc(show, ltc)
    elif song_start_s is not None:
        lead_s = -song_start_s
    elif start_timecode is not None and show.offset_s is not None:
        at_s = float(timecode.parse(start_timecode, rate) / rate) - show.offset_s
        if -PRE_ROLL_S <= at_s <= (LONGEST_S if show.length_s is None else show.length_s):
            lead_s = at_s
            notes.append(f"by its timecode {start_timecode} the clip starts at {at_s:.3f} s")
        else:
            notes.append(
                f"the clip's timecode {start_timecode} isn't in the song ({show.offset} on); both "
                "begin together: else say --song-start or --ltc"
            )
    music = heard(show.song or None)
    ticks = Ticks(song, lead_s=lead_s, hear_song=music.signals, sound=music.sound)
    ticks.cues = conductor.hear
    return Played(ticks, conductor, tuple(notes))


def _by_ltc(show: Show, path: str) -> SongClock:
    if show.offset is None:
        raise UsageError(
            f"{show.path}: to follow timecode it must say where the song starts: "
            'offset = "01:00:00:00"'
        )
    track = ltc_track.read(path, fps=show.fps)
    assert show.offset_s is not None
    fixes = track.fixes("00:00:00:00")
    return Traced(
        show.grid,
        [type(fix)(fix.at, fix.value - show.offset_s, fix.speed, fix.seek) for fix in fixes],
    )
