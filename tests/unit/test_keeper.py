"""When the loop falls silent something goes out in its place, at the output's rate."""

import threading
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from kfx import clock, sinks
from kfx.engine.loop.deliver import Output, Outputs
from kfx.engine.loop.keeper import PATIENCE_S, STUCK, STUCK_S, Keeper
from kfx.engine.loop.switches import Switches
from kfx.engine.stats import Stats
from kfx.types import Frame, StreamInfo, Tick

RATE = Fraction(50)
PERIOD = 0.02
SIZE = (4, 2)


def pixels_of(level):
    return np.full((SIZE[1], SIZE[0], 4), level, np.uint8)


def frame_of(index, captured):
    return Frame(pixels_of(index), index, Fraction(index, 50), captured)


@pytest.fixture(params=[False, True], ids=["", "on a grid"])
def stage(monkeypatch, request):
    """A keeper over one queue of shots, with time by hand; the loop drew 200 over frame 1."""
    now = SimpleNamespace(s=10.0)
    monkeypatch.setattr(clock, "now", lambda: now.s)
    stats = Stats(SIZE, RATE, "", "")
    with sinks.open("null", StreamInfo(SIZE, RATE)) as sink:
        end = Output("null", sink, stats)
        shots = []
        monkeypatch.setattr(end, "put", shots.append)
        outputs = Outputs([end], stats, RATE, on_grid=request.param)
        on_grid = request.param
        capture = SimpleNamespace(newest=frame_of(1, 10.0))
        switches = Switches()
        stop = threading.Event()
        keeper = Keeper(outputs, capture, switches, stats, stop, period_s=PERIOD)

        def drawn(frame):
            outputs.send(pixels_of(200), Tick(frame.index, float(frame.time), 0.02, frame))

        drawn(capture.newest)

        def look(until):
            while now.s < until - 1e-9:
                now.s += max(1e-3, min(keeper.step(now.s), until - now.s))
            return [int(shot.pixels[0, 0, 0]) for shot in shots]

        yield SimpleNamespace(**locals())


def test_a_loop_that_speaks_is_left_alone(stage):
    for i in range(2, 30):
        stage.look(stage.now.s + 0.03)
        stage.capture.newest = frame_of(i, stage.now.s)
        stage.drawn(stage.capture.newest)
    assert len(stage.shots) == 29
    assert stage.stats.repeated == 0


def test_without_a_camera_the_last_picture_goes_on_at_the_rate(stage):
    shown = stage.look(10.0 + PATIENCE_S + 1.0)
    assert set(shown) == {200}
    assert len(shown) == pytest.approx(1 + 1.0 * RATE, abs=2)
    times = [shot.tick.time for shot in stage.shots]
    assert times == sorted(set(times))
    assert times[-1] - times[0] == pytest.approx(1.1, abs=0.03)
    assert [shot.tick.index for shot in stage.shots] == list(range(len(shown)))
    assert stage.stats.repeated == len(shown) - 1


def test_a_stuck_loop_means_plates_and_its_late_picture_is_not_shown(stage):
    stuck = frame_of(2, 10.01)
    stage.capture.newest = frame_of(9, 10.5)
    shown = stage.look(10.0 + STUCK_S - 0.05)
    assert set(shown) == {200}
    shown = stage.look(10.0 + STUCK_S + 0.1)
    assert shown[-1] == 9
    assert stage.stats.warnings == [STUCK]
    stage.drawn(stuck)
    assert stage.shots[-1].tick.frame.index == 9
    assert stage.stats.dropped["render.late"] == 1
    stage.drawn(frame_of(10, stage.now.s))
    assert stage.shots[-1].pixels[0, 0, 0] == 200
    stage.keeper.step(stage.now.s)
    assert stage.stats.warnings == [STUCK, "the loop is back"]
    numbers = [(shot.tick.time - stage.shots[0].tick.time) * RATE for shot in stage.shots]
    assert all(b > a for a, b in pairwise(numbers))
    if stage.on_grid:
        assert numbers == pytest.approx([round(n) for n in numbers], abs=1e-6)
    else:
        assert any(abs(n - round(n)) > 0.01 for n in numbers)


@pytest.mark.parametrize(("mode", "level"), [("clean", 7), ("bypass", 7), ("black", 0)])
def test_a_key_reaches_the_sinks_within_a_frame_though_the_loop_is_stuck(stage, mode, level):
    stage.capture.newest = frame_of(7, 10.01)
    stage.switches.set(mode)
    shown = stage.look(10.0 + 2 * PERIOD)
    assert shown[1:] == [level]
    assert not stage.shots[1].tick.faces


def test_freeze_holds_the_picture(stage):
    stage.switches.set("freeze")
    stage.capture.newest = frame_of(7, 11.0)
    assert set(stage.look(12.0)) == {200}


def test_panic_without_a_camera_shows_the_last_plate(stage):
    stage.switches.panic()
    assert stage.look(10.1)[-1] == 1


def test_it_is_woken_by_a_switch_and_ends(stage, monkeypatch):
    monkeypatch.undo()
    stage.capture.newest = frame_of(7, clock.now())
    stage.keeper.start()
    stage.stop.set()
    stage.keeper.close()
    assert not stage.keeper._thread.is_alive()
