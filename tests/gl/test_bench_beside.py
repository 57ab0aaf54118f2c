"""`kfx bench neural`: what a net takes from the pictures beside it is measured in turns."""

import threading

import pytest

from kfx.engine.bench import beside
from kfx.neural.worker import NICENESS


def test_the_three_ways_take_turns(monkeypatch):
    ways = []
    result = beside.measure(blocks=2, block_s=0.02, progress=ways.append)
    assert ways == ["without the net", "the net resting", "the net working"] * 2
    assert set(result["frame_ms"]) == set(result["frames"]) == set(beside.WAYS)
    assert all(count >= 2 for count in result["frames"].values())
    assert result["working_over_resting"] > 0
    assert result["niceness"] == NICENESS
    assert not [one for one in threading.enumerate() if one.name == "kfx-net" and not one.daemon]


def test_a_net_that_rests_gets_no_job():
    jobs = []
    busy = beside.Busy(jobs.append)
    busy.may = False
    assert not busy.free(0.0)
    busy.may = True
    assert busy.free(0.0)
    busy.offer("job", 0.0)
    for _ in range(500):
        if (done := busy.take(0.0)) is not None:
            break
        threading.Event().wait(0.01)
    else:
        pytest.fail("no answer")
    assert done.error == ""
    assert jobs == ["job"] * beside.RUNS
    busy.close()
