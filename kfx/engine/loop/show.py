"""The main thread of a live show: newest frame in, finished picture out, until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from kfx import clock
from kfx.engine.loop import lifeline
from kfx.engine.loop.calm_gc import CalmGc
from kfx.engine.loop.capture import Capture
from kfx.engine.loop.deliver import Outputs
from kfx.engine.loop.fine_timer import fine_timer
from kfx.engine.loop.follow import Follower
from kfx.engine.loop.governor import Governor
from kfx.engine.loop.keeper import PLATE, mode_again, shown_again, undrawn
from kfx.engine.loop.pace import Pace
from kfx.engine.loop.picture import Picture
from kfx.engine.loop.switches import Switches
from kfx.engine.mailbox import Closed
from kfx.engine.stats import Stats
from kfx.engine.ticks import Ticks
from kfx.types import Frame, Pixels, Tick

STATUS_S = 0.5
UNDRAWN = ("clean", "black", "freeze")  # modes that ask neither tracker nor chain
WAIT_S = 0.1
# Of the source's period: what a busy loop takes, and a hopeless one; how long a frame has waited
# for it; a camera's jitter.
BUSY, HOPELESS, STALE, SLACK = 0.75, 3.0, 0.6, 0.25
MEAN_OF = 16  # frames
FIRST_S = 60.0  # that a first picture may take, on a very busy machine, where the show's end is set


@dataclass
class Show:
    """All parts of a running show. `step` draws and sends one frame."""

    capture: Capture
    follower: Follower
    picture: Picture
    outputs: Outputs
    switches: Switches
    ticks: Ticks
    stats: Stats
    stop: threading.Event
    governor: Governor | None = None
    status: Callable[[Stats], None] | None = None
    fresh_s: float | None = None  # the source's period, where a picture's age counts most
    _origin: float = 0.0  # time of the first frame, from which an output rate counts
    _drawn_s: float = 0.0  # deadline of the last frame drawn
    _took_s: float = 0.0  # a frame, lately
    _first_at: float | None = None  # when the first picture was sent

    def run(self, *, seconds: float | None, rate: Fraction | None) -> None:
        """Until `stop`, the end of the source, or so many seconds from the first picture on."""
        with CalmGc() as collector, fine_timer():
            told = self.stats.started
            pace = None
            while not self.stop.is_set() and not self._over(seconds, clock.now()):
                lifeline.beat()
                if clock.now() - told >= STATUS_S:
                    told = clock.now()
                    self._tell()
                try:
                    if rate is None:
                        frame = self.capture.box.take(WAIT_S)
                        if frame is not None:
                            frame, began = self._fresh(frame), clock.now()
                            self.step(frame)
                            self._took_s += (clock.now() - began - self._took_s) / MEAN_OF
                    elif pace is None:
                        pace = self._first(rate)
                    else:
                        self._at_deadline(pace)
                except Closed:
                    return
                if self.outputs.all_failed:
                    return
                collector.frame()

    def _fresh(self, frame: Frame) -> Frame:
        """`frame`, or the next one where that is about to come.

        A loop that takes about as long as a frame lasts gets each one a little later, up to a
        whole period, until it skips one. Doing so earlier costs 3 % of the pictures and takes a
        sixth off the age of the oldest ones (p99 of 37 ms becomes 31 where drawing takes 17 ± 3
        of 16.7 ms). One that is faster catches up by itself; to a far slower one it's little.
        """
        if self.fresh_s is None or not BUSY < self._took_s / self.fresh_s < HOPELESS:
            return frame
        waits = clock.now() - self.capture.arrived
        if not STALE < waits / self.fresh_s < 1.0:
            return frame
        try:
            newer = self.capture.box.take((1.0 + SLACK) * self.fresh_s - waits)
        except Closed:  # this one was the last
            return frame
        if newer is None:
            return frame
        self.stats.drop("capture")
        return newer

    def _over(self, seconds: float | None, now: float) -> bool:
        if seconds is None:
            return False
        if self._first_at is None:
            self._first_at = self.outputs.last_at
        waited = self.stats.started + FIRST_S if self._first_at is None else self._first_at
        return now >= waited + seconds

    def step(self, frame: Frame, time_s: float | None = None) -> None:
        """Draw `frame` as the switches want it and hand it to the sinks."""
        self.ticks.hear(frame)
        mode = self.switches.shown
        if mode in UNDRAWN:
            self.picture.rest()
            tick = self._timed(self.ticks.tick(frame, ()), time_s)
            pixels, drawn = self._undrawn(mode, frame), False
            self.stats.count(())
        else:
            started = clock.now()
            seen = self.follower.seen(frame)
            tick = self._timed(self.ticks.tick(frame, seen.faces), time_s)
            tick = replace(tick, matte=seen.matte, hands=seen.hands)
            drawn = mode != "bypass"
            if not drawn:
                self.picture.rest()
                pixels = frame.pixels
            else:
                with self.stats.timed("render"):
                    pixels = self.picture.draw(tick)
                if mode == "compare":
                    pixels = frame.pixels
                self._govern(started)
            now = self.switches.shown
            if now != mode:  # a key was pressed while it was drawn: the key wins
                pixels = self._undrawn(now, frame) if now in UNDRAWN else frame.pixels
                mode = now if now in UNDRAWN else "clean"
            self.stats.count(seen.faces)
        mode = "clean" if mode in PLATE else mode
        self.outputs.send(pixels, tick, drawn=drawn, mode=mode)

    def _timed(self, tick: Tick, time_s: float | None) -> Tick:
        """The tick at the time of its deadline, where the output has a rate of its own."""
        if time_s is None:
            return tick
        last, self._drawn_s = self._drawn_s, time_s
        return replace(tick, time=time_s, dt=time_s - last if tick.dt else 0.0)

    def _undrawn(self, mode: str, frame: Frame) -> Pixels:
        return undrawn(mode, frame, self.outputs.last)

    def _first(self, rate: Fraction) -> Pace | None:
        """Deadlines count from the first frame on."""
        frame = self.capture.box.take(WAIT_S)
        if frame is None:
            return None
        pace = Pace(rate, clock.now())
        pace.take(clock.now())
        self._origin = float(frame.time)
        self.step(frame, self._origin)
        return pace

    def _at_deadline(self, pace: Pace) -> None:
        """Wait for the next deadline; send the newest frame, or the last picture once more."""
        if self.stop.wait(pace.wait_s(clock.now())):
            return
        number, missed = pace.take(clock.now())
        if missed:
            self.stats.drop("output.late", missed)
        time_s = self._origin + pace.time_s(number)
        frame = self.capture.box.take(0.0)
        if frame is not None:
            self.step(frame, time_s)
            return
        last = self.outputs.last
        if last is not None:
            pixels = shown_again(self.switches.shown, last)
            tick, told = replace(last.tick, time=time_s), mode_again(self.switches.shown)
            self.outputs.send_instead(pixels, tick, seen=last, mode=told)

    def _govern(self, started: float) -> None:
        if self.governor is None or self.picture.busy:
            return
        now = clock.now()
        if changed := self.governor.feed(now - started, now):
            self.stats.show["governor"] = list(self.governor.gave_up)
            self.stats.warn(f"to hold the rate: {changed}")

    def _tell(self) -> None:
        self.outputs.note_news()
        self.stats.note_due()
        self.stats.show["output"] = self.switches.shown
        if self.status:
            self.status(self.stats)
