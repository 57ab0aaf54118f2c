"""One page that looks: what it wants, what is under way to it, how large a picture it can take.

No more than `IN_FLIGHT` pictures are ever under way to a page, so none waits in a socket for long:
after a stall of the line what comes next is new. How long its line is busy with a picture, measured
from picture to picture, says when the next may go and how large it may be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

WIDTHS = (320, 480, 640, 960, 1280, 1920)  # pictures are encoded at; never larger than they are
BEST = 82
QUALITIES = {BEST: 1.0, 66: 0.7, 50: 0.57}  # of a JPEG: its bytes beside the best's, on faces
IN_FLIGHT = 2  # pictures sent and not yet said to be drawn: hides the way, builds no queue
TARGET_S = 0.038  # that a line may be busy with a picture: over 25 a second
SLOW_S = 0.05  # beyond, pictures get smaller
SAMPLES = 5  # a lone stall, the longest of which hold two pictures, isn't the median of so many
PATIENCE = 10  # pictures since the last change, before they get larger
FIRST = 0.25  # the cost of the first picture, about 640 wide, before the line is known
PROBE_S = 2.0  # between empty pictures, which tell the way there and back
EARLY = 3, 0.3  # the first ones follow sooner: the page itself is still on its way


class Step(NamedTuple):
    """A way to encode; `cost` is about how many bytes it makes, beside 1280 at best quality."""

    width: int
    quality: int
    cost: float


@dataclass(frozen=True)
class Sent:
    """When a picture was there, when it went out, what it cost."""

    made_s: float
    at_s: float
    cost: float


@dataclass(eq=False)
class Viewer:
    """Told the time, it reads no clock."""

    width: int = 1280
    plate: bool = False
    faces: bool = False
    paused: bool = False
    seen: int = 0
    sent: dict[int, Sent] = field(default_factory=dict)
    due: float = 0.0
    age_s: float = 0.0  # of the last picture when it was drawn, as far as can be seen from here
    drawn: int = 0
    _clear: float = 0.0  # the last picture is presumably through
    _drawn_s: float = 0.0
    _cost: float = FIRST
    _since: int = 0  # pictures since the size changed
    _paces: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))  # s per cost
    _ways: deque[float] = field(default_factory=lambda: deque(maxlen=3))  # there and back
    _probe: tuple[int, float] = (0, float("-inf"))  # number, below 0 while under way; when

    def wants(self, count: int, now: float) -> bool:
        return count != self.seen and self.wait_s(now) == 0.0

    def wait_s(self, now: float) -> float:
        """Until it may be sent a picture; inf where that depends on what the page says."""
        crowded = len(self.sent) >= IN_FLIGHT
        if self.paused or crowded or (self.sent and self._probe_due(now)):
            return float("inf")
        clear = self._clear if self.sent else 0.0
        return max(0.0, max(clear, self.due) - now)

    def probe(self, now: float) -> int | None:
        """The number, below zero, of an empty picture to be sent ahead of the next one."""
        if self.sent or not self._probe_due(now):
            return None
        self._probe = (-1 - self._probe[0], now)
        return self._probe[0]

    def _probe_due(self, now: float) -> bool:
        number, at_s = self._probe
        return number >= 0 and now - at_s >= (EARLY[1] if number <= EARLY[0] else PROBE_S)

    def sends(self, count: int, made_s: float, now: float, step: Step, pictures: int = 1) -> None:
        """Picture `count`, made at `made_s`, goes out now, with its plate as `pictures` 2."""
        cost = step.cost * pictures
        self.sent[count] = Sent(made_s, now, cost)
        self._clear = now + (median(self._paces) * cost if self._paces else TARGET_S)

    def acknowledged(self, count: int, now: float) -> None:
        """The page has drawn picture `count`; all sent before it count as drawn too."""
        if count < 0 and count == self._probe[0]:
            self._ways.append(now - self._probe[1])
            self._probe = (-count, self._probe[1])
            return
        sent = self.sent.get(count)
        if sent is None:
            return
        self.sent = {number: one for number, one in self.sent.items() if number > count}
        self.drawn += 1
        self.age_s = now - sent.made_s
        # It had the line for itself when it came to it, or when the one before it was through.
        busy_s = now - max(sent.at_s + min(self._ways, default=0.0), self._drawn_s)
        # What a stall held back comes at once; a way asked for in a crowd seems long.
        self._paces.append(max(busy_s, (now - sent.at_s) / 8, 1e-3) / sent.cost)
        self._drawn_s = now
        self._since += 1

    def step(self, full: int) -> Step:
        """How it is sent the next picture, of one that is `full` wide."""
        ladder = steps(self.width, full)
        pictures = 1 + self.plate
        at = next((one for one in ladder if one.cost <= 1.001 * self._cost), ladder[-1])
        if self._paces:
            pace = median(self._paces) * pictures
            slow = pace * at.cost > SLOW_S and len(self._paces) >= 3
            if not slow:  # it gets larger if even a bad one would have been in time
                pace = sorted(self._paces)[-2:][0] * pictures
            fits = next((one for one in ladder if pace * one.cost <= TARGET_S), ladder[-1])
            if slow or (self._since >= PATIENCE and fits.cost > at.cost):
                at, self._since = fits, 0
            elif self.drawn <= PATIENCE and fits.cost > at.cost:  # the line is being learned
                at = ladder[ladder.index(at) - 1]
        self._cost = at.cost
        return at


def steps(wanted: int, full: int) -> list[Step]:
    """Ways to encode a picture, largest first.

    From the smallest of `WIDTHS` that is at least `wanted`, at most `full`; best only at that one,
    since bytes are better spent on size than on quality.
    """
    widths = [*(one for one in WIDTHS if one < full), full]
    fits = next((i for i, one in enumerate(widths) if one >= wanted), len(widths) - 1)
    return [
        # Bytes grow less than pixels do: by the power 1.5 of the width, on faces.
        Step(width, quality, (width / 1280) ** 1.5 * part)
        for i, width in enumerate(widths[fits::-1])
        for quality, part in QUALITIES.items()
        if i == 0 or quality < BEST
    ]
