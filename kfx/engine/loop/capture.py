"""The capture thread: the newest frame of a source, which may fail, end, start again or lie."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from kfx import clock
from kfx.engine.fit import fitted
from kfx.engine.mailbox import Mailbox
from kfx.engine.stats import Stats
from kfx.errors import KfxError
from kfx.types import Frame, Source

RETRY_S = 1.0  # a lost camera is tried again after so long
LEAP_S = 1  # more than this ahead of the time that has passed, and a live source's clock jumped
SOURCE = "source"  # what its news are about
OWED_S = 0.5  # a file that is later than this goes on from here instead of hurrying after

Opener = Callable[[], Source]


class Timeline:
    """Puts the frames of one source, opened again and again, on one rising timeline.

    A source that starts again goes on after the pause it made: a camera's by the clock, a file's
    by one frame. A time that runs backwards, or a live one that leaps ahead of the time that has
    passed, is a clock that jumped; the show's time never does.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._shift = Fraction(0)
        self._last: Frame | None = None
        self._again = False

    def restart(self) -> None:
        """The frames that follow are those of a newly opened source."""
        self._again = True

    def place(self, frame: Frame, period: Fraction, *, live: bool) -> Frame:
        """`frame` with its time on the show's timeline."""
        last, again = self._last, self._again
        if last is not None:
            gap = Fraction(round((frame.captured - last.captured) * 1e6), 1_000_000)
            went = frame.time + self._shift - last.time
            if again or went <= 0 or (live and went > LEAP_S + max(gap, Fraction(0))):
                step = max(gap, Fraction(1, 1000)) if live else period
                self._shift = last.time + step - frame.time
                self.jumps += not again
        self._again = False
        if self._shift:
            frame = replace(frame, time=frame.time + self._shift)
        self._last = frame
        return frame


class Capture:
    """Runs a source in a thread; `box` holds its newest frame, fitted to `size`.

    A camera that fails is opened again, for as long as the show lasts; a file that fails, or ends
    without `loop`, closes `box`. `newest` stays when the frame is taken.
    """

    def __init__(
        self,
        source: Source,
        reopen: Opener,
        size: tuple[int, int],
        stats: Stats,
        stop: threading.Event,
        *,
        loop: bool = False,
        retry_s: float | None = None,
        drop_as: str = "capture",
    ) -> None:
        self.box: Mailbox[Frame] = Mailbox(on_drop=lambda: stats.drop(drop_as))
        self.newest: Frame | None = None
        self.arrived = 0.0  # when it did: the time it was captured at may lie well before that
        self._source, self._reopen, self._size = source, reopen, size
        self._stats, self._stop, self._loop = stats, stop, loop
        self._retry_s = RETRY_S if retry_s is None else retry_s
        self._timeline = Timeline()
        self._lost_at: float | None = None
        self._usual: tuple[int, int] | None = None  # the size of its first frame
        stats.dropped.setdefault("capture", 0)
        stats.state["source"] = "ok"
        self._thread = threading.Thread(target=self._run, name="kfx-capture", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread and the source; `stop` must be set."""
        self.box.close(discard=True)
        self._source.close()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                live = self._source.info.live
                if not self._survives(live):
                    return
                self._source.close()
                if not self._open_again(at_once=not live):
                    return
        finally:
            self._source.close()
            self.box.close()

    def _survives(self, live: bool) -> bool:
        """Feed until the source has no more; whether it is to be opened again."""
        try:
            self._feed(self._source)
            return self._loop and not live
        except Exception as error:  # drivers raise anything; a show outlives it
            text = str(error) if isinstance(error, KfxError) else f"capture: {error!r}"
            told = f"{text} (it is opened again by itself)" if live else text
            self._stats.warn(told, about=SOURCE)
            if live:
                self._stats.state["source"] = "lost; trying again"
                self._lost_at = clock.now()
            return live

    def _open_again(self, *, at_once: bool) -> bool:
        while not self._stop.is_set():
            if not at_once and self._stop.wait(self._retry_s):
                break
            at_once = False
            try:
                self._source = self._reopen()
            except Exception:  # it was told when it was lost, and the state says so still
                continue
            self._timeline.restart()
            return True
        return False

    def _feed(self, source: Source) -> None:
        """Pass frames on, those of a file at their own pace."""
        info, stats = source.info, self._stats
        frames = iter(source.frames())
        period = 1 / info.rate
        anchor: float | None = None  # when the file's time 0 was
        while not self._stop.is_set():
            with stats.timed("read"):
                frame = next(frames, None)
            if frame is None:
                return
            if not info.live:
                now = clock.now()
                if anchor is None or now - anchor - float(frame.time) > OWED_S:
                    if anchor is not None:
                        stats.warn(f"{info.spec}: can't be read at its own rate; it runs slower")
                    anchor = now - float(frame.time)
                if self._stop.wait(max(0.0, anchor + float(frame.time) - now)):
                    return
                frame = replace(frame, captured=clock.now())
            self._put(frame, info.live, period)

    def _put(self, frame: Frame, live: bool, period: Fraction) -> None:
        stats = self._stats
        if wrong := _wrong(frame):
            stats.drop("capture.broken")
            text = f"capture: a frame of {wrong} was left out; unplug the camera if it goes on"
            stats.warn(text, about="frames")
            return
        self._tell_size(frame)
        jumps = self._timeline.jumps
        frame = self._timeline.place(fitted(frame, self._size), period, live=live)
        if self._timeline.jumps > jumps:
            stats.warn("capture: the source's clock jumped; the show's time goes on", about=SOURCE)
        if self._lost_at is not None:
            back = f"capture: the source is back after {clock.now() - self._lost_at:.0f} s"
            stats.warn(back, about=SOURCE, kind="back")
            self._lost_at = None
        stats.state["source"] = "ok"
        self.newest, self.arrived = frame, clock.now()
        self.box.put(frame)

    def _tell_size(self, frame: Frame) -> None:
        """What a camera does of its own accord, its user should know."""
        height, width = frame.pixels.shape[:2]
        self._usual = self._usual or (width, height)
        if (width, height) != self._usual:
            self._stats.warn(
                f"capture: the source sends {width}x{height} now, fitted into "
                f"{self._size[0]}x{self._size[1]}; start kfx again to show it as it is"
            )


def _wrong(frame: Frame) -> str:
    """What makes a frame no picture; empty for a good one."""
    pixels = frame.pixels
    if pixels.dtype != np.uint8:
        return str(pixels.dtype)
    if pixels.ndim != 3 or pixels.shape[2] != 4 or not pixels.size:
        return f"the shape {pixels.shape}"
    return ""
