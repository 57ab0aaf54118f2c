"""Curves over the time of a song: ramps that stay where they end, envelopes that go back to 0."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kfx.shows.cue import Envelope

CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: x,
    "ease": lambda x: x * x * (3.0 - 2.0 * x),
    "ease_in": lambda x: x * x,
    "ease_out": lambda x: 1.0 - (1.0 - x) ** 2,
    "step": lambda x: float(x >= 0.5),
}


@dataclass(frozen=True, slots=True)
class Rise:
    """0 before `start_s`, 1 from `end_s` on."""

    start_s: float
    end_s: float
    curve: str = "linear"

    def at(self, time_s: float, slack_s: float = 0.0) -> float:
        """`slack_s` is how much later a step may be said to have come: half a frame."""
        if self.end_s <= self.start_s:
            return float(time_s + slack_s >= self.start_s)
        part = (time_s - self.start_s) / (self.end_s - self.start_s)
        return CURVES[self.curve](min(max(part, 0.0), 1.0))


@dataclass(frozen=True)
class Pulses:
    """An envelope started at each of `starts_s`, which rise; where they overlap the higher counts.

    A frame that lies up to `slack_s` before a start is the one that shows it.
    """

    shape: Envelope
    starts_s: Sequence[float]

    def at(self, time_s: float, slack_s: float = 0.0) -> float:
        """0..1."""
        last = bisect_right(self.starts_s, time_s + slack_s)
        highest = 0.0
        for start in reversed(self.starts_s[:last]):
            if time_s - start > self.shape.length_s:
                break
            highest = max(highest, value(self.shape, max(0.0, time_s - start)))
        return highest


def value(shape: Envelope, since_s: float) -> float:
    """Where an envelope is so long after its start; at once at 1 without an attack."""
    if since_s < shape.attack_s:
        return since_s / shape.attack_s
    rest = since_s - shape.attack_s - shape.hold_s
    if rest <= 0.0:
        return 1.0
    if rest >= shape.decay_s:
        return 0.0
    return 1.0 - CURVES[shape.curve](rest / shape.decay_s)
