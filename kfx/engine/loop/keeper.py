"""Steps in for a loop that has fallen silent, so that the output goes on at its rate."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Protocol

import numpy as np

from kfx import clock
from kfx.engine.loop.deliver import Outputs
from kfx.engine.loop.switches import Switches
from kfx.engine.stats import Stats
from kfx.types import Frame, Pixels, Shot, Tick, freeze

PATIENCE_S = 0.1  # at least, before a silent loop is stepped in for
STUCK_S = 0.6  # after so long without the loop, moving plates are better than a still picture
STUCK = "the loop is stuck: plates are shown until it answers"
PLATE = ("clean", "bypass", "compare")


class HasNewest(Protocol):
    """What is needed of a `Capture`."""

    newest: Frame | None


class Keeper:
    """A thread that watches `outputs`; `step` is one look, told the time.

    No camera: the last picture is sent again at the output's rate. A loop stuck in a shader, a
    net or a driver: the last picture, then the camera's plates without effects. Panic and black
    reach the sinks within a frame even then.
    """

    def __init__(
        self,
        outputs: Outputs,
        capture: HasNewest,
        switches: Switches,
        stats: Stats,
        stop: threading.Event,
        *,
        period_s: float,
    ) -> None:
        self._outputs, self._capture, self._switches = outputs, capture, switches
        self._stats, self._stop = stats, stop
        self._period_s = period_s
        self._patience_s = max(2.5 * period_s, PATIENCE_S)
        self._filling = self._stuck = False
        self._thread = threading.Thread(target=self._run, name="kfx-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; `stop` must be set."""
        self._switches.changed.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def step(self, now: float) -> float:
        """Send what is due at `now`, if anything; seconds until the next look."""
        last, at = self._outputs.last, self._outputs.last_at
        if last is None or at is None:
            return self._patience_s
        mode = self._switches.shown
        spoken = self._outputs.spoken_at or at
        self._filling = self._filling and at > spoken
        if self._stuck and now - spoken <= STUCK_S:
            self._stuck = False
            self._stats.warn("the loop is back", about="loop")
        if self._filling:
            due_s = self._period_s
        else:
            due_s = self._patience_s if mode in ("live", "freeze") else 1.5 * self._period_s
        if now - at < due_s - 1e-4:
            return due_s - (now - at)
        newest = self._capture.newest
        fresh = newest is not None and newest.captured > last.tick.frame.captured
        frame, pixels = last.tick.frame, shown_again(mode, last)
        told = mode_again(mode)
        stuck = mode == "live" and now - spoken > STUCK_S
        if newest is not None and fresh and (stuck or mode in PLATE):
            frame, pixels, told = newest, newest.pixels, "clean"
            if stuck:
                self._stuck = True
                self._stats.warn(STUCK, about="loop")
        time = last.tick.time + (now - at)
        faces = last.tick.faces if frame is last.tick.frame else ()
        tick: Tick = replace(last.tick, frame=frame, faces=faces, time=time, dt=now - at)
        self._filling = self._outputs.send_instead(pixels, tick, seen=last, mode=told)
        return self._period_s

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = self.step(clock.now())
            if self._switches.changed.wait(wait_s):
                self._switches.changed.clear()


def shown_again(mode: str, last: Shot) -> Pixels:
    """What `mode` shows of the last shot while there is no newer frame."""
    if mode == "black":
        return black_like(last.pixels)
    return last.tick.frame.pixels if mode in PLATE else last.pixels


def mode_again(mode: str) -> str:
    """What `shown_again` shows, as `Shot.mode` has it."""
    return "black" if mode == "black" else "clean" if mode in PLATE else "freeze"


def undrawn(mode: str, frame: Frame, last: Shot | None) -> Pixels:
    """What a mode shows of a frame that isn't drawn."""
    if mode == "black":
        return black_like(frame.pixels)
    return last.pixels if mode == "freeze" and last is not None else frame.pixels


def black_like(pixels: Pixels) -> Pixels:
    """An opaque black picture of the same size."""
    black = np.zeros(pixels.shape, np.uint8)
    black[..., 3] = 255
    return freeze(black)
