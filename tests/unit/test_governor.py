"""The governor against simulated machines: it holds the rate, gives back, and comes to rest."""

import math

import numpy as np
import pytest

from kfx.engine.loop.governor import Governor, Lever

PERIOD = 1 / 30
NAMES = ("tracking", "neural rate", "quality", "drawn at")
SAVES = {"tracking": 0.85, "neural rate": 0.8, "quality": 0.75, "drawn at": 0.6}


class Machine:
    """Frames take `load(t)` periods at full quality, less by what each lever saves."""

    def __init__(self, load, noise=0.0, seed=0, saves=SAVES):
        self.applied = {}
        levers = [
            Lever(name, ("all", "less", "least"), lambda n, name=name: self._apply(name, n))
            for name in NAMES
        ]
        self.governor = Governor(PERIOD, levers)
        self.changes = []  # (time, text)
        self.late = []  # times of frames that took too long
        self._load, self._noise, self._saves = load, noise, saves
        self._chance = iter(np.random.default_rng(seed).standard_normal(100_000).tolist())

    def _apply(self, name, level):
        self.applied[name] = level

    def run(self, seconds):
        now = 0.0
        while now < seconds:
            share = math.prod(self._saves[n] ** level for n, level in self.applied.items())
            noise = math.exp(self._noise * next(self._chance))
            busy = self._load(now) * share * noise * PERIOD
            now += max(PERIOD, busy)
            if busy > PERIOD:
                self.late.append(now)
            if said := self.governor.feed(busy, now):
                self.changes.append((now, said))
        return self

    def changes_after(self, time):
        return [change for change in self.changes if change[0] > time]


def test_an_easy_load_changes_nothing():
    machine = Machine(lambda t: 0.9, noise=0.02).run(120)
    assert machine.changes == []
    assert machine.governor.gave_up == ()


def test_it_lowers_in_the_declared_order_and_no_more_than_needed():
    machine = Machine(lambda t: 1.6).run(60)
    names = [said.split(":")[0] for _, said in machine.changes]
    assert names == sorted(names, key=NAMES.index)
    assert machine.applied == {"tracking": 2, "neural rate": 1}  # 1.6 · 0.85² · 0.8 = 0.92
    assert machine.governor.gave_up == ("tracking: least", "neural rate: less")
    assert not [t for t in machine.late if t > 10]


def test_it_gives_back_in_the_opposite_order_when_the_load_has_gone():
    machine = Machine(lambda t: 1.6 if t < 30 else 0.2).run(120)
    assert machine.governor.gave_up == ()
    raised = [said for t, said in machine.changes if t > 30]
    assert raised == ["neural rate: all", "tracking: less", "tracking: all"]
    assert machine.changes[-1][0] < 60


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("load", [1.05, 1.2, 1.9, 9.0])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_under_a_steady_load_it_comes_to_rest(load, noise, seed):
    machine = Machine(lambda t: load, noise, seed).run(300)
    down_and_up = len(machine.changes_after(60))
    assert down_and_up <= 2, machine.changes
    assert len(machine.changes) <= 12


@pytest.mark.parametrize("saves", [1.0, 0.97, 0.4])
def test_it_rests_whatever_a_lever_saves(saves):
    machine = Machine(lambda t: 1.3, 0.1, 1, dict.fromkeys(NAMES, saves)).run(1200)
    assert len(machine.changes_after(120)) <= 4, machine.changes


def test_a_load_that_swings_does_not_make_it_swing():
    machine = Machine(lambda t: 1.1 if t % 20 < 10 else 0.75, noise=0.05).run(1200)
    late = machine.changes_after(300)
    assert len(late) <= 8, late


def test_what_a_step_saved_tells_that_it_can_not_be_undone():
    """At 1.1 a lever that halves the load leaves 0.55, and giving it back would be 1.1 again."""
    machine = Machine(lambda t: 1.1, saves=dict.fromkeys(NAMES, 0.5)).run(250)
    assert [said for _, said in machine.changes] == ["tracking: less"]


def test_a_single_slow_frame_is_no_reason():
    machine = Machine(lambda t: 8.0 if t % 3 < PERIOD else 0.6).run(60)
    assert machine.changes == []


def test_without_levers_it_does_nothing():
    governor = Governor(PERIOD, [])
    assert not any(governor.feed(9 * PERIOD, i * PERIOD) for i in range(200))
    assert governor.levels == {}


def test_what_makes_no_difference_is_neither_given_up_nor_named():
    told, able = [], [False]
    levers = [
        Lever("size", ("full", "half"), lambda n: told.append(("size", n)), lambda: able[0]),
        Lever("quality", ("full", "half"), lambda n: told.append(("quality", n))),
    ]
    governor = Governor(PERIOD, levers)
    for i in range(100):
        governor.feed(2 * PERIOD, i * PERIOD)
    assert told == [("quality", 1)]
    able[0] = True
    for i in range(100):
        governor.feed(2 * PERIOD, i * PERIOD)
    assert governor.gave_up == ("size: half", "quality: half")
    able[0] = False
    assert governor.gave_up == ("quality: half",)
