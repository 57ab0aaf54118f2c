"""Something is always drawn: by the chain, a smaller one, or the plate in its place."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx.engine import stats as stats_module
from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.loop.picture import Picture, scaled
from kfx.engine.stats import Stats
from kfx.types import Frame, Tick
from tests.faces import face_at, picture
from tests.looks import preset_of

SIZE = (64, 36)
PLATE = picture(*SIZE)


def tick_of(index):
    frame = Frame(PLATE, index, Fraction(index, 50), index / 50)
    return Tick(index, index / 50, 0.02, frame, faces=(face_at(32, 15, 8),))


class Chain:
    """Paints its level; takes `cost` seconds of the test's clock, or raises `fault`."""

    def __init__(self, clock, level, size=SIZE):
        self.size, self.clock, self.level = size, clock, level
        self.cost, self.fault, self.ticks, self.resets = 0.001, None, [], 0

    def render(self, tick):
        self.ticks.append(tick)
        self.clock[0] += self.cost
        if self.fault:
            raise self.fault
        return np.full((self.size[1], self.size[0], 4), self.level, np.uint8)

    def reset(self):
        self.resets += 1

    def news(self):
        return [f"{self.level}: a net is slow"] if self.level == 9 else []


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def stats():
    return Stats(SIZE, Fraction(50), "", "")


def drawing(clock, stats, *chains):
    picture = Picture(chains, stats, period_s=0.02, now=lambda: clock[0])

    def draw(count=1):
        """The level of each of the next pictures; "plate" for the plate itself."""
        shown = []
        for _ in range(count):
            clock[0] += 0.02
            pixels = picture.draw(tick_of(round(clock[0] * 50)))
            shown.append("plate" if pixels is PLATE else int(pixels[0, 0, 0]))
        return shown

    return picture, draw


def test_five_slow_frames_and_it_is_bypassed_then_tried_again(clock, stats):
    chain = Chain(clock, 7)
    _, draw = drawing(clock, stats, chain)
    chain.cost = 0.3
    assert draw(8) == [7] * 5 + ["plate"] * 3
    assert stats.state["effects"].startswith("bypassed")
    assert any("slower than 100 ms" in warning for warning in stats.warnings)
    calls = len(chain.ticks)
    assert set(draw(200)) == {"plate"}
    assert len(chain.ticks) == calls, "a chain that is bypassed costs nothing"
    clock[0] += 10
    assert draw(3) == [7, "plate", "plate"], "one slow frame on trial is enough"
    chain.cost = 0.001
    clock[0] += 20
    resets = chain.resets
    assert draw(3) == [7, 7, 7]
    assert chain.resets == resets + 1
    assert stats.state["effects"] == "ok"
    assert "effects are back" in stats.warnings


def test_a_single_error_costs_a_single_frame(clock, stats):
    chain = Chain(clock, 7)
    _, draw = drawing(clock, stats, chain)
    draw()
    chain.fault = RuntimeError("no memory")
    assert draw() == ["plate"]
    chain.fault = None
    assert draw(2) == [7, 7]
    assert stats.warnings == ["effects bypassed: no memory; tried again later"]
    assert chain.resets == 2, "after an error nothing it remembers is trusted"


def test_a_chain_that_always_fails_is_left_alone(clock, stats):
    chain = Chain(clock, 7)
    chain.fault = RuntimeError()
    _, draw = drawing(clock, stats, chain)
    assert set(draw(100)) == {"plate"}
    assert len(chain.ticks) == 5
    assert stats.warnings == ["effects bypassed: RuntimeError(); tried again later"]
    assert stats.dropped["render.bypassed"] == 5


def test_a_trial_that_ends_as_before_is_no_news_but_a_fault_after_a_good_time_is(
    clock, stats, monkeypatch
):
    monkeypatch.setattr(stats_module.clock, "now", lambda: clock[0])
    fault = "effects bypassed: no memory; tried again later"
    chain = Chain(clock, 7)
    chain.fault = RuntimeError("no memory")
    _, draw = drawing(clock, stats, chain)
    for _ in range(4):
        draw(10)
        clock[0] += 20.0
    assert stats.warnings == [fault]
    chain.fault = None
    clock[0] += 120.0
    draw(10)
    chain.fault = RuntimeError("no memory")
    clock[0] += 120.0
    draw(10)
    assert stats.warnings == [fault, "effects are back", f"{fault} (again, 2nd time)"]


def test_a_lower_level_draws_smaller_and_shows_the_full_size(clock, stats):
    full, half = Chain(clock, 7), Chain(clock, 9, (32, 18))
    picture, draw = drawing(clock, stats, full, half)
    assert draw(2) == [7, 7]
    picture.level = 1
    assert draw(2) == [9, 9]
    assert half.resets == 1
    small = half.ticks[0]
    assert small.frame.pixels.shape == (18, 32, 4)
    assert picture.draw(tick_of(6000)).shape == PLATE.shape
    picture.level = 0
    assert draw() == [7]
    assert stats.warnings == ["9: a net is slow"]
    assert full.resets == 2, "it has not seen the frames between"


def test_faces_and_hands_of_a_smaller_picture():
    tick = tick_of(3)
    hand = np.float32([[64, 36], [32, 18]])

    small = scaled(replace(tick, hands=(hand,)), (32, 18))
    face, was = small.faces[0], tick.faces[0]
    assert np.allclose(face.landmarks, was.landmarks / 2)
    assert face.iod == pytest.approx(was.iod / 2)
    corner = np.float32([0.3, -0.2, 0.1, 1])
    assert np.allclose((face.pose @ corner)[:3], (was.pose @ corner)[:3] / 2)
    assert np.allclose(small.hands[0], hand / 2)
    assert (tick.index, tick.time, tick.dt) == (small.index, small.time, small.dt)


def test_the_time_that_a_new_look_takes_to_compile_is_not_held_against_it(clock, stats):
    chain = Chain(clock, 7)
    chain.cost, chain.idle = 0.5, False
    picture, draw = drawing(clock, stats, chain)
    assert draw(20) == [7] * 20
    assert picture.busy
    chain.idle = True
    assert draw(6) == [7] * 5 + ["plate"]
    assert not picture.busy


def test_a_look_that_failed_gives_way_to_the_next_one_at_once(clock, stats):
    chain = Chain(clock, 7)
    chain.fault, chain.settled, chain.idle = RuntimeError("oh"), True, True
    _, draw = drawing(clock, stats, chain)
    draw(20)
    asked = len(chain.ticks)
    draw(3)
    assert len(chain.ticks) == asked  # paused
    chain.settled = False  # somebody asks for another look
    draw(1)
    chain.idle = False  # it is compiled
    draw(3)
    assert len(chain.ticks) == asked + 4
    chain.fault, chain.settled, chain.idle = None, True, True
    assert draw(2) == [7, 7]


class Linked(Chain):
    """Its cost is that of one link, which a care may leave out."""

    def __init__(self, clock, stats):
        super().__init__(clock, 7)
        self.care = AutoBypass(
            preset_of("film"),
            budget_s=0.1,
            tell=stats.warn,
            drop=lambda: stats.drop("render.bypassed"),
            now=lambda: clock[0],
        )
        self.own_s = 0.001

    def render(self, tick):
        self.clock[0] += self.own_s
        if self.care.allows((0,), lambda: None):
            with self.care.trying((0,)):
                return super().render(tick)
        return np.full((self.size[1], self.size[0], 4), 3, np.uint8)


def test_a_link_to_blame_goes_and_the_picture_stays(clock, stats):
    chain = Linked(clock, stats)
    _, draw = drawing(clock, stats, chain)
    chain.cost = 0.3
    assert draw(20) == [7] * 5 + [3] * 15
    assert stats.state["effects"] == "chain[0] (film) left out; trying again later"
    assert stats.dropped["render.bypassed"] == 1
    chain.cost = 0.001
    clock[0] += 6
    assert draw(3) == [7] * 3
    assert stats.state["effects"] == "ok"
    assert stats.warnings[-1] == "chain[0] (film) is back"


def test_what_is_slow_between_the_links_still_bypasses_all(clock, stats):
    chain = Linked(clock, stats)
    _, draw = drawing(clock, stats, chain)
    chain.own_s = 0.3
    assert draw(10) == [7] * 6 + ["plate"] * 4
    why = "slower than 100 ms five frames running"
    assert stats.warnings == [f"effects bypassed: {why}; tried again later"]


def test_pictures_in_which_something_was_compiled_are_not_held_against_it(clock, stats):
    chain = Chain(clock, 7)
    chain.cost, chain.compiled = 0.5, 0

    def compiles(tick, render=chain.render):
        chain.compiled += 1
        return render(tick)

    picture, draw = drawing(clock, stats, chain)
    render, chain.render = chain.render, compiles
    assert draw(20) == [7] * 20
    assert picture.busy, "nor does a governor judge by them"
    chain.render = render
    assert draw(6) == [7] * 5 + ["plate"]
