"""Ticks: a tempo or a song clock gives beat and bar, listeners give signals."""

from fractions import Fraction

import numpy as np
import pytest

from kfx.clock import local_date, now
from kfx.engine.ticks import Ticks
from kfx.sync import grid
from kfx.sync.follow import Fix
from kfx.sync.song import Recorded, SongClock
from kfx.types import Frame

PIXELS = np.zeros((2, 2, 4), np.uint8)


def frame(index: int, captured: float = 0.0) -> Frame:
    return Frame(PIXELS, index, Fraction(index, 25), captured)


def test_a_tempo_is_steady_from_time_0():
    ticks = Ticks(150.0)
    tick = ticks.tick(frame(50), ())
    assert (tick.time, tick.beat, tick.bar, tick.energy) == (2.0, 5.0, 1.25, 0.0)
    assert ticks.tick(frame(51), ()).dt == pytest.approx(0.04)
    assert ticks.tick(frame(51), (), 2.05).dt == pytest.approx(0.01)


def test_a_clock_follows_the_playback_and_not_the_file():
    fixes = [Fix(i / 25, 60 + i / 25, 1.0) for i in range(100)]
    ticks = Ticks(SongClock(grid.steady(120), [Recorded(fixes, name="ltc")]))
    tick = [ticks.tick(frame(i), ()) for i in range(51)][-1]
    assert tick.time == 2.0
    assert tick.beat == pytest.approx(124.0, abs=0.01)
    assert tick.signals["song.time"] == pytest.approx(62.0, abs=0.01)
    assert tick.signals["song.locked"] == 1.0
    assert ticks.now.source == "ltc"


def test_live_the_captured_time_counts_and_the_lead_is_added():
    fixes = [Fix(100 + i / 25, i / 25, 1.0) for i in range(100)]
    clock = SongClock(grid.steady(60), [Recorded(fixes)])
    ticks = Ticks(clock, live=True, lead_s=0.1)
    tick = [ticks.tick(frame(i, 100 + i / 25), ()) for i in range(51)][-1]
    assert tick.beat == pytest.approx(2.1, abs=0.01)
    again = ticks.tick(frame(50, 102.0), (), 2.02)  # shown a second time, 20 ms later
    assert again.beat == pytest.approx(2.12, abs=0.01)


def test_live_a_tick_knows_the_date_and_a_render_doesnt():
    at = now()
    live = Ticks(live=True).tick(frame(0, at), ())
    assert live.date == local_date(at)
    assert Ticks().tick(frame(0, at), ()).date is None


def test_signals_come_from_the_song_and_from_listeners():
    clock = SongClock(grid.steady(120), [Recorded([Fix(0.0, 30.0, 1.0)])])
    ticks = Ticks(
        clock,
        hear_song=lambda at: {"audio.level": at / 100, "audio.low": 0.5},
        listeners=[lambda at: {"audio.low": 0.75}, lambda at: {"osc.fader1": at}],
    )
    tick = ticks.tick(frame(10), ())
    assert tick.energy == tick.signals["audio.level"] == pytest.approx(0.304)
    assert tick.signals["audio.low"] == 0.75
    assert tick.signals["osc.fader1"] == pytest.approx(0.4)
    with pytest.raises(TypeError):
        tick.signals["audio.low"] = 1.0
