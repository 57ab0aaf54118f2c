"""Cues that the operator fires while timecode leads the song."""

from dataclasses import replace
from fractions import Fraction

import pytest

from kfx import shows
from kfx.engine.desk.conductor import Conductor
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.loop.switches import Switches
from kfx.errors import UsageError
from kfx.sync.follow import Fix
from kfx.sync.song import SongClock, SongTime
from kfx.types import Frame
from tests.desks import FakeLook
from tests.faces import picture

TEXT = """version = 1
bpm = 120
length = 60.0
[envelope.kick]
decay_ms = 400
[[cue]]
at = "3:1"
name = "verse"
preset = "ballad_film"
fade_s = 0.5
[[cue]]
at = "9:1"
name = "drop"
preset = "supernova"
fade_s = 0.25
envelope = "kick"
ramp = { "film.grain" = { to = 0.2, seconds = 2 } }
[[cue]]
at = "11:1"
name = "out"
black = true
"""
PIXELS = picture(64, 36)


class Changes:
    def __init__(self):
        self.all = []

    def change(self, preset, *, seconds=0.0, beats=0.0):
        self.all.append((preset.name, seconds))


def conductor():
    built = shows.build(shows.read(TEXT, "show.toml"))
    found, changes = Conductor(built, Switches()), Changes()
    found.play_on(changes)
    return found, changes, {cue.name: cue for cue in built.show.cues}


def song(time_s, rate=1.0, seeks=0):
    return SongTime(time_s, rate, 0.0, 0.0, 0.0, "locked", "ltc", seeks)


def play(conductor, since, until, **how):
    """The signals of the last frame."""
    for n in range(round(since * 24), round(until * 24)):
        signals = conductor.hear(song(n / 24, **how))
    return signals


def test_a_cue_by_hand_plays_whole_until_the_songs_next_one():
    show, changes, cues = conductor()
    play(show, 0.0, 1.0)
    show.fire(cues["drop"])
    signals = show.hear(song(1.0))
    assert changes.all == [("supernova", 0.25)]
    assert show.fired[-1] is cues["drop"]
    assert signals["cue.kick"] == pytest.approx(1.0, abs=0.15)
    (ramp,) = [name for name in signals if name.startswith("cue.") and name != "cue.kick"] or [None]
    signals = play(show, 1.0 + 1 / 24, 3.0)
    assert 0.0 <= signals["cue.kick"] < 0.05
    assert ramp is None or signals[ramp] == pytest.approx(1.0, abs=0.05)
    assert show.by_hand is cues["drop"]
    play(show, 3.0, 4.2)  # the song comes to its verse at 4 s
    assert show.by_hand is None
    assert changes.all == [("supernova", 0.25), ("ballad_film", 0.5)]
    assert show.fired[-1] is cues["verse"]
    play(show, 4.2, 17.0)
    assert changes.all[2:] == [("supernova", 0.25)]  # its own drop, at 16 s


def test_a_cue_by_hand_waits_before_the_cue_after_it():
    """It brings its own look, not those that would come so long after it."""
    show, _, cues = conductor()
    play(show, 4.5, 5.0)
    show.fire(cues["drop"])
    play(show, 5.0, 15.9)  # black would come 4 s later
    assert show.switches.mode == "live"
    assert show.by_hand is cues["drop"]
    play(show, 15.9, 20.5)
    assert show.switches.mode == "black"


def test_winding_the_playback_ends_it():
    show, changes, cues = conductor()
    play(show, 4.5, 5.0)
    show.fire(cues["drop"])
    play(show, 5.0, 6.0)
    show.hear(song(4.5, seeks=1))
    assert show.by_hand is None
    assert changes.all[-1] == ("ballad_film", 0.0)


def test_a_look_that_was_loaded_meanwhile_gives_way_to_a_cue_by_hand():
    show, changes, cues = conductor()
    play(show, 0.0, 5.0)
    before = len(changes.all)
    show.fire(cues["verse"])  # it is the show's look already, but who asks wants to see it
    show.hear(song(5.0))
    assert changes.all[before:] == [("ballad_film", 0.5)]


class Tape:
    """A source of timecode that runs."""

    name, unit, free_run_s = "ltc", "seconds", 5.0

    def read(self, at):
        return [Fix(at, at - 100.0, 1.0)]

    def close(self):
        pass


def test_the_tree_says_what_happens_to_a_cue_while_timecode_leads(tmp_path):
    path = tmp_path / "show.toml"
    path.write_text(TEXT)
    switches = Switches()
    show = LiveShow(path, switches, frame_s=1 / 24)
    look = FakeLook(show.conductor.first)
    look.prepare = lambda preset: None
    with Session(Inputs(beats=show.show.grid), switches, extras=[show.extra]) as session:
        session.ticks.song = SongClock(show.show.grid, [Tape()], frame_s=1 / 24)
        session.begin(look)
        faults = []
        session.fault = faults.append
        number = 0

        def run(frames):
            nonlocal number
            for _ in range(frames):
                number += 1
                at = 100.0 + number / 24
                frame = Frame(PIXELS, number, Fraction(number, 24), at)
                session.ticks.tick(replace(frame, captured=at), ())

        run(30)
        assert session.ticks.now.source == "ltc"
        assert "is fired by hand" in session.desk.parameter("/kfx/v1/cue/goto").doc
        session.desk.set("/kfx/v1/cue/goto", "drop")
        run(1)
        assert look.changes[-1][0] == "supernova"
        assert session.desk.get("/kfx/v1/cue/by_hand").startswith("9:1 drop")
        assert faults == [
            "cue 9:1 drop: supernova over 0.25 s, film.grain to 0.2 over 2 s, cue.kick: fired by "
            "hand, since the song follows ltc, until 3:1 verse: ballad_film over 0.5 s"
        ]
        session.desk.set("/kfx/v1/cue/go", 1)  # the one after it, as on a cue stack
        run(1)
        assert switches.mode == "black"
        run(24 * 3)
        assert session.desk.get("/kfx/v1/cue/by_hand") == ""
        assert switches.mode == "live"
        assert look.changes[-1][0] == "ballad_film"
        with pytest.raises(UsageError, match="no cue is called"):
            session.desk.set("/kfx/v1/cue/goto", "gone")
