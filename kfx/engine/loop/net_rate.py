"""How much of its thread's time each net of a live show may use: the governor's neural rate."""

from __future__ import annotations

from typing import Any

from kfx.neural.worker import Done, Runner, Threaded, Work

STEPS = ("as fast as it goes", "half of the time", "a quarter of the time")


class NetRate:
    """A `Pace` for nets: at `level` n a net rests 2ⁿ - 1 times as long as it has worked."""

    def __init__(self) -> None:
        self.level = 0

    def __call__(self, work: Work) -> Runner:
        return Resting(Threaded(work), self)


class Resting:
    """A runner that takes no job while it rests. What is late is the result, never the picture."""

    def __init__(self, runner: Runner, rate: NetRate) -> None:
        self.exact = runner.exact
        self._runner, self._rate = runner, rate
        self._done_at = 0.0  # show time of the last result
        self._worked_s = 0.0

    def free(self, time: float) -> bool:
        rest_s = self._worked_s * (2**self._rate.level - 1)
        # Time that ran backwards is another take: nothing to wait for.
        resting = 0.0 <= time - self._done_at < rest_s
        return not resting and self._runner.free(time)

    def offer(self, job: Any, time: float) -> None:
        self._runner.offer(job, time)

    def take(self, time: float) -> Done | None:
        done = self._runner.take(time)
        if done is not None:
            self._worked_s, self._done_at = done.ms / 1000.0, time
        return done

    def waiting_s(self, time: float) -> float:
        return self._runner.waiting_s(time)

    def close(self) -> None:
        self._runner.close()
