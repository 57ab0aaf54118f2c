"""Shows: which look, ramp, flash or freeze comes on which beat of a song, read from ``show.toml``.

::

    version = 1
    song = "song.wav"
    bpm = 128
    first_downbeat = 0.42
    offset = "01:00:00:00"      # the timecode at which the song starts
    fps = "23.976"
    lead_ms = 60                # the output's latency: cues land on glass, not in a buffer

    [envelope.kick]
    decay_ms = 180

    [[cue]]
    at = "9:1"                  # bar:beat; or 12.5 (seconds), or "01:00:12:00"
    preset = "supernova"
    fade_beats = 2

    [[cue]]
    at = "17:1"
    ramp = { "film.grain" = { to = 0.1, beats = 8, curve = "ease" } }
    flash = true

    [[cue]]
    at = "17:1"
    envelope = "kick"           # cue.kick in presets
    every_beats = 1
    until = "33:1"

    [[cue]]
    at = "41:1"
    black = true                # or { beats = 4 }; also freeze and clean, until `live = true`

As a blackout of a lighting desk, black stands over all later cues: looks change in the dark and are
seen with `live`. ``kfx show check`` names the cues that nobody sees.
"""

from __future__ import annotations

from kfx.shows.cue import Cue, Envelope, Hold, Ramp, Show
from kfx.shows.player import Acted, Fired, Mode, Moment, Player, To
from kfx.shows.reading import load, read
from kfx.shows.timeline import Timeline, build

__all__ = [
    "Acted",
    "Cue",
    "Envelope",
    "Fired",
    "Hold",
    "Mode",
    "Moment",
    "Player",
    "Ramp",
    "Show",
    "Timeline",
    "To",
    "build",
    "load",
    "read",
]
