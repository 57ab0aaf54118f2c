"""The governor's neural rate: nets rest between jobs."""

import pytest

from kfx.engine.loop.net_rate import NetRate, Resting
from kfx.neural.worker import Done


class Runner:
    """Each job takes 40 ms of the show."""

    exact = False

    def __init__(self):
        self.began, self.jobs = None, 0

    def free(self, time):
        return self.began is None

    def offer(self, job, time):
        self.began, self.jobs = time, self.jobs + 1

    def take(self, time):
        if self.began is None or time < self.began + 0.04 - 1e-9:
            return None
        self.began = None
        return Done(None, ms=40.0)

    def waiting_s(self, time):
        return 0.0

    def close(self):
        pass


@pytest.mark.parametrize(("level", "jobs"), [(0, 25.0), (1, 12.5), (2, 6.25)])
def test_a_level_halves_the_work(level, jobs):
    rate, runner = NetRate(), Runner()
    resting = Resting(runner, rate)
    rate.level = level
    for i in range(10_000):
        time = i / 1000
        resting.take(time)
        if resting.free(time):
            resting.offer("job", time)
    assert runner.jobs / 10 == pytest.approx(jobs, rel=0.03)


def test_a_rest_ends_when_the_level_is_raised_or_the_show_begins_again():
    rate, runner = NetRate(), Runner()
    resting = Resting(runner, rate)
    rate.level = 2
    resting.offer("job", 100.0)
    resting.take(100.04)
    assert not resting.free(100.1)
    assert resting.free(3.0)
    rate.level = 0
    assert resting.free(100.1)
