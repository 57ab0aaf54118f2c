"""Which frame the live loop takes, with time by hand."""

import random
import threading
from fractions import Fraction
from types import SimpleNamespace

import pytest

from kfx import clock
from kfx.engine.loop import show
from kfx.engine.loop.show import Show
from kfx.engine.mailbox import Closed
from kfx.engine.stats import Stats

PERIOD = 1 / 60


class Camera:
    """Its `box` holds the newest frame of one that sends one each `period_s`."""

    def __init__(self, now, period_s, last=10**9):
        self.box, self.now, self.period_s, self.last = self, now, period_s, last
        self.taken, self.lost = -1, 0

    def take(self, timeout_s=None):
        newest = min(int(self.now.s / self.period_s + 1e-9), self.last)
        if newest <= self.taken:
            if self.taken == self.last:
                raise Closed
            due = (self.taken + 1) * self.period_s
            if timeout_s is not None and due > self.now.s + timeout_s:
                self.now.s += timeout_s
                return None
            self.now.s, newest = max(due, self.now.s), self.taken + 1
        self.lost += newest - self.taken - 1
        self.taken = newest
        self.arrived = newest * self.period_s
        return newest


class Played:
    """A loop whose drawing takes `cost()` seconds."""

    def __init__(self, monkeypatch, cost, *, frames=2000, fresh_s=PERIOD, **camera):
        self.now = SimpleNamespace(s=0.0)
        self.stop, self.ages, self.shown = threading.Event(), [], []
        self.stats = Stats((64, 36), Fraction(60), "", "", started=0.0)
        self.camera = Camera(self.now, **({"period_s": PERIOD} | camera))
        outputs = SimpleNamespace(all_failed=False, note_news=lambda: None)
        monkeypatch.setattr(clock, "now", lambda: self.now.s)

        def step(one, frame):
            self.now.s += cost()
            self.ages.append(self.now.s - frame * self.camera.period_s)
            self.shown.append(frame)
            if len(self.shown) == frames:
                self.stop.set()

        monkeypatch.setattr(Show, "step", step)
        Show(
            self.camera, None, None, outputs, SimpleNamespace(shown="live"), None, self.stats,
            self.stop, fresh_s=fresh_s,
        ).run(seconds=None, rate=None)  # fmt: skip

    @property
    def fps(self):
        return len(self.shown) / self.now.s

    @property
    def p99(self):
        return sorted(self.ages)[int(0.99 * len(self.ages))]


def around(mean, sd):
    chance = random.Random(1)
    return lambda: max(0.008, chance.gauss(mean, sd))


def test_a_loop_at_its_limit_shows_fresher_frames_and_few_less(monkeypatch):
    plain = Played(monkeypatch, around(0.017, 0.003), fresh_s=None)
    fresh = Played(monkeypatch, around(0.017, 0.003))
    assert fresh.p99 < 0.033 < plain.p99
    assert fresh.p99 < 0.87 * plain.p99
    assert fresh.fps > 0.96 * plain.fps
    assert fresh.stats.dropped["capture"] > 0
    assert fresh.shown == sorted(set(fresh.shown))


def test_a_loop_that_catches_up_by_itself_skips_nothing(monkeypatch):
    costs = iter(range(10**6))
    one = Played(monkeypatch, lambda: 0.028 if next(costs) % 30 == 29 else 0.009)
    assert "capture" not in one.stats.dropped
    assert one.camera.lost == 0


def test_a_camera_that_is_slower_than_it_says_is_not_waited_for(monkeypatch):
    """It was to send 60 frames a second and sends 24 in the dark."""
    cost = around(0.015, 0.001)
    plain = Played(monkeypatch, cost, fresh_s=None, period_s=1 / 24, frames=500)
    fresh = Played(monkeypatch, around(0.015, 0.001), period_s=1 / 24, frames=500)
    assert fresh.shown == plain.shown
    assert fresh.p99 == pytest.approx(plain.p99, abs=1e-3)


def test_the_last_frame_is_shown_though_no_other_comes(monkeypatch):
    one = Played(monkeypatch, lambda: 1.7 * PERIOD, last=50)
    assert one.shown[-1] == 50
    assert show.BUSY < 1.7
