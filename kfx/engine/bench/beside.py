"""Measures what a slow net that never rests takes from the pictures drawn beside it.

Three ways of drawing take turns, a short block each, so that whatever else the machine does meets
them alike: the look without the net, the look with its results while the net rests, and the same
while it works. All draw as fast as they can, which is when a net is most in the way.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from kfx import clock, effects, presets, sources
from kfx.engine.look.chain import Chain
from kfx.engine.ticks import Ticks
from kfx.neural.worker import NICENESS, Runner, Threaded, Work
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.types import Frame, Tick

SIZE = (640, 360)
NET, LOOK = "skin_chrome", "film"
RUNS = 6  # of the net in one job: so it is slow
BLOCK_S = 0.4
BLOCKS = 12
MOST_WAIT_S = 20.0  # for the first two results
WAYS = ("without", "resting", "working")


class Busy(Threaded):
    """A slow net that starts again as soon as it is done, while it may."""

    may = True

    def __init__(self, work: Work) -> None:
        super().__init__(lambda job: [work(job) for _ in range(RUNS)][-1])

    def free(self, time: float) -> bool:
        return self.may and super().free(time)


def measure(
    *,
    blocks: int = BLOCKS,
    block_s: float = BLOCK_S,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """`frame_ms` of each of `WAYS` (medians of the blocks' medians), quotients
    of neighbouring blocks, the net's rate."""
    runners: list[Busy] = []

    def pace(work: Work) -> Runner:
        runners.append(Busy(work))
        return runners[-1]

    look = presets.alone(effects.find(LOOK))
    both = Preset("both", "", (*presets.alone(effects.find(NET)).chain, *look.chain))
    times: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    rates = []
    with Gpu() as gpu, Chain(gpu, look, SIZE) as plain, Chain(gpu, both, SIZE, pace=pace) as chain:
        (runner,), tick = runners, _ticks()
        deadline = clock.now() + MOST_WAIT_S
        while "hz" not in chain.nets[0] and clock.now() < deadline:
            chain.render(tick())
        for _ in range(blocks):
            for way in WAYS:
                progress(f"{way} the net" if way == "without" else f"the net {way}")
                runner.may = way == "working"
                drawn = plain if way == "without" else chain
                block: list[float] = []
                times[way].append(block)
                began = clock.now()
                while not block or clock.now() - began < block_s:
                    now = tick()
                    start = clock.now()
                    drawn.render(now)
                    block.append(1000.0 * (clock.now() - start))
            rates.append(float(chain.nets[0].get("hz", 0.0)))
    each = {way: [statistics.median(block) for block in found] for way, found in times.items()}

    def quotient(a: str, b: str) -> float:
        return round(statistics.median(x / y for x, y in zip(each[a], each[b], strict=True)), 3)

    return {
        "frame_ms": {way: round(statistics.median(found), 2) for way, found in each.items()},
        "working_over_resting": quotient("working", "resting"),
        "resting_over_without": quotient("resting", "without"),
        "frames": {way: sum(map(len, found)) for way, found in times.items()},
        "net_hz": round(statistics.median(rates), 1),
        "net": NET,
        "runs_a_job": RUNS,
        "niceness": NICENESS,
        "look": LOOK,
        "size": list(SIZE),
    }


def _ticks() -> Callable[[], Tick]:
    """A second of the performer over and over, each tick at the time it is asked for."""
    with sources.open("performer?seed=3", size=SIZE, rate=Fraction(30), stop_s=Fraction(1)) as one:
        frames = list(one.frames())
    made, count, began = Ticks(), itertools.count(), clock.now()

    def tick() -> Tick:
        index, now = next(count), Fraction(clock.now() - began).limit_denominator(10**6)
        old = frames[int(now * 30) % len(frames)]
        frame = Frame(old.pixels, index, now, 0.0, truth=old.truth)
        return made.tick(frame, frame.truth or ())

    return tick
