"""What is under way to one page, and how its pictures fit its line, on a clock that is told."""

import asyncio
from statistics import median

import pytest
from websockets.asyncio.client import connect

from kfx.panel.viewer import IN_FLIGHT, Viewer, steps
from tests.panel.crowd import picture_number
from tests.panel.radio import Air, Radio
from tests.panel.shows import rolling
from tests.waiting import LONG_S

BYTES = 110_000  # of a face, 1280 wide, at best quality
FULL = 1280


class Line:
    """A viewer, a show at 30 a second and the air between them, a millisecond at a time."""

    def __init__(self, rate, **air):
        self.viewer = Viewer(width=FULL)
        self.down, self.up = Air(rate, **air), Air(rate, **air)
        self.now, self.under_way, self.drawn, self.sizes = 100.0, [], [], []
        self.most = 0

    def run(self, seconds):
        viewer = self.viewer
        for _ in range(round(1000 * seconds)):
            self.now += 0.001
            while self.under_way and self.under_way[0][0] <= self.now:
                _, number, made = self.under_way.pop(0)
                viewer.acknowledged(number, self.now)
                if number > 0:
                    self.drawn.append((self.now, made))
            count = int(30 * self.now)
            while viewer.wants(count, self.now):
                probe = viewer.probe(self.now)
                if probe is not None:
                    self._send(probe, 40, self.now)
                    continue
                viewer.seen = count
                step = viewer.step(FULL)
                viewer.sends(count, count / 30, self.now, step)
                self.sizes.append(step)
                self._send(count, round(BYTES * step.cost), count / 30)
            self.most = max(self.most, len(viewer.sent))

    def ages(self, since):
        """Of pictures when they were drawn."""
        return [at - made for at, made in self.drawn if at >= since]

    def _send(self, number, size, made):
        there = self.up.there(self.down.there(self.now, size) + 0.008, 40)  # decoded and drawn
        self.under_way.append((there, number, made))


@pytest.mark.parametrize(
    ("rate", "narrow", "wide"), [(100, 1280, 1280), (20, 960, 1280), (8, 480, 960), (3, 320, 480)]
)
@pytest.mark.parametrize("stalls", [False, True])
def test_pictures_fit_the_line_and_none_waits_in_it(rate, narrow, wide, stalls):
    line = Line(1e6 * rate, stalls=stalls)
    line.run(3.0)
    settled = line.now
    line.run(10.0)
    assert line.most <= IN_FLIGHT
    assert narrow <= median(one.width for one in line.sizes[-200:]) <= wide
    ages = line.ages(settled)
    assert median(ages) < 0.1
    assert len(ages) > (150 if stalls else 180)
    # What a stall holds back is as old as it is long; it is never older.
    assert max(ages) < (0.5 if stalls else 0.15)


def test_after_a_stall_two_old_pictures_at_most_then_new_ones():
    line = Line(8e6)
    line.run(4.0)
    over = line.down._free = line.now + 0.3
    line.run(1.0)
    drawn = [made for at, made in line.drawn if at > over]
    old = [made for made in drawn if made < over - 1 / 30]
    assert 1 <= len(old) <= IN_FLIGHT
    assert drawn == sorted(drawn)
    assert max(line.ages(over + 0.2)) < 0.12


def test_a_line_that_gets_worse_and_better_again():
    line = Line(50e6)
    line.run(3.0)
    assert line.sizes[-1].width == FULL
    line.down.rate = 3e6
    line.run(2.0)
    assert line.sizes[-1].width <= 480
    assert line.ages(line.now - 0.5)[-1] < 0.12
    line.down.rate = 50e6
    line.run(4.0)
    assert line.sizes[-1] == steps(FULL, FULL)[0]


def test_a_long_way_is_no_narrow_one():
    line = Line(50e6, way_s=0.06)
    line.run(6.0)
    assert line.sizes[-1].width == FULL
    assert line.most == IN_FLIGHT


def test_the_steps_go_down_from_what_is_wanted():
    ladder = steps(1280, 1920)
    assert ladder[0] == (1280, 82, 1.0)
    assert [one.cost for one in ladder] == sorted((one.cost for one in ladder), reverse=True)
    assert [one.quality for one in ladder].count(82) == 1
    assert ladder[-1].width == 320
    assert steps(300, 1280)[0].width == 320
    assert {one.width for one in steps(9999, 500)} == {500, 480, 320}
    assert {one.width for one in steps(9999, 200)} == {200}


def test_through_a_stalled_socket_no_more_than_two_old_pictures_come(tmp_path):
    """The air is held while the show goes on: what was under way comes, then what is new."""

    async def look(panel):
        fast = {"way_s": 0.001, "jitter_s": 0.001}
        async with (
            Radio(panel.port, Air(50e6, **fast), Air(50e6, **fast)) as radio,
            connect(
                f"ws://127.0.0.1:{radio.port}/picture", max_size=2**22, close_timeout=0.1
            ) as one,
        ):

            async def take():
                number = picture_number(await asyncio.wait_for(one.recv(), LONG_S))
                await one.send(str(number))
                return number if number > 0 else await take()

            for _ in range(10):
                await take()
            radio.open.clear()
            before = panel.pictures.count
            while panel.pictures.count < before + 15:
                await asyncio.sleep(0.01)
            over = panel.pictures.count
            radio.open.set()
            return over, [await take() for _ in range(IN_FLIGHT + 3)]

    with rolling(tmp_path) as (panel, _, _):
        over, came = asyncio.run(look(panel))
    assert sum(number < over for number in came) <= IN_FLIGHT
    assert came[-1] >= over
    assert came == sorted(came)
