"""Hands finished pictures to every sink, each in a thread of its own behind its mailbox."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from kfx import clock, sinks
from kfx.engine.loop.times import Times
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.errors import Overflow
from kfx.types import Pixels, Shot, Sink, Tick

FILE_QUEUE = 90  # frames a recording may fall behind before it is given up
FINISH_S = 30.0  # a sink that takes longer to finish is left behind
RETRY_S, LONGEST_RETRY_S = 1.0, 30.0  # after which a lost sink is opened again


def is_recording(spec: str) -> bool:
    """Whether a sink keeps every frame, or only ever wants the newest."""
    return sinks.kind_of(spec) == "file"


class Output:
    """A sink, its mailbox and its thread. A picture costs the show nothing but a `put`.

    With `reopen` a sink that fails is opened again until it works; a recording is not, since what
    would follow is another take.
    """

    def __init__(
        self, spec: str, sink: Sink, stats: Stats, reopen: Callable[[], Sink] | None = None
    ) -> None:
        self.spec, self.sink, self.failed = spec, sink, False
        self.fault = ""  # why it has failed for good
        self._lost = False
        self._reopen = reopen
        self._first = sink  # closed at the end of the show, others as soon as they fail
        self._over = threading.Event()
        self._stats = stats
        self._times = stats.latency.setdefault(spec, Times())
        self._counted = -1.0  # capture time of the last frame whose latency was taken
        stats.dropped.setdefault(spec, 0)
        stats.state[spec] = "ok"
        keeps_all = is_recording(spec)
        self.box: Mailbox[Shot] = (
            Mailbox(FILE_QUEUE, newest=False)
            if keeps_all
            else Mailbox(on_drop=lambda: stats.drop(spec))
        )
        self._thread = threading.Thread(target=self._run, name=f"kfx-{spec}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, shot: Shot) -> None:
        """Leave a shot; a recording that has fallen too far behind ends here."""
        if self.failed or self._lost:
            self._stats.drop(f"{self.spec}.gone")
            return
        try:
            self.box.put(shot)
        except Overflow as error:
            why = f"can't be written as fast as pictures come, {error}; the recording ends here"
            self._fail(f"{why}; use a faster disk, a smaller size, or .mp4", discard=False)

    def finish(self) -> None:
        """Let the sink write what waits, then end its thread."""
        self._over.set()
        self.box.close()
        self._thread.join(FINISH_S)
        if self._thread.is_alive():
            self.failed = True
            self.fault = self._warn(f"didn't finish within {FINISH_S:.0f} s; left behind")
        self.note_news()

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: object
    ) -> None:
        """Close its first sink, or abort it where the show ended by an error.

        A sink that can't be closed is told of: the others are closed all the same.
        """
        try:
            self._first.__exit__(kind, value, trace)
        except Exception as error:
            self._fail(str(error) or repr(error), discard=True)
        self.note_news()

    def note_news(self) -> None:
        """Pass on what the sink wants the user to know: what it says again has happened again."""
        said: list[str] = getattr(self.sink, "warnings", [])
        while said:
            self._warn(said.pop(0))

    def _run(self) -> None:
        pause_s = RETRY_S
        while True:
            written = len(self._times)
            try:
                self._write_all()
                return
            except Exception as error:  # one sink's fault must not end the others
                if self._reopen is None or self._over.is_set():
                    self._fail(str(error) or repr(error), discard=True)
                    return
                self._warn(f"{str(error) or repr(error)} (it is opened again by itself)")
            if len(self._times) > written + 100:
                pause_s = RETRY_S
            if not self._open_again(self._reopen, pause_s):
                return
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)

    def _write_all(self) -> None:
        """Until the box is closed."""
        try:
            while (shot := self.box.take()) is not None:
                with self._stats.timed("write"):
                    self.sink.write(shot)
                captured = shot.tick.frame.captured
                if captured != self._counted:  # a picture shown again is as old as it is wanted
                    self._counted = captured
                    self._times.append(clock.now() - captured)
        except Closed:
            if self.sink is not self._first:
                self.sink.close()

    def _open_again(self, reopen: Callable[[], Sink], pause_s: float) -> bool:
        """Close what failed and open it anew; False if the show ended first."""
        self._lost, self._stats.state[self.spec] = True, "lost; trying again"
        with contextlib.suppress(Exception):  # it is broken anyway
            self.sink.close()
        while not self._over.wait(pause_s):
            try:
                self.sink = reopen()
            except Exception:  # it was told when it was lost, and the state says so still
                pause_s = min(2 * pause_s, LONGEST_RETRY_S)
                continue
            self._lost, self._stats.state[self.spec] = False, "ok"
            self._warn("is back")
            return True
        return False

    def _warn(self, text: str) -> str:
        """Tell with the sink's name before it."""
        text = f"{self.spec}: {text.removeprefix(f'{self.spec}: ')}"
        self._stats.warn(text, about=self.spec)
        return text

    def _fail(self, why: str, *, discard: bool) -> None:
        self.failed, self.fault = True, self._warn(why)
        self._stats.state[self.spec] = "failed"
        self.box.close(discard=discard)


class End(Protocol):
    """What the shots of a show go to: an `Output`, a recorder of takes."""

    failed: bool

    def put(self, shot: Shot) -> None: ...

    def start(self) -> None: ...

    def finish(self) -> None: ...

    def note_news(self) -> None: ...


class Outputs:
    """All sinks of a show. `send` numbers the shots: index and time rise, whoever sends.

    With `on_grid` all times lie n / `rate` after the first, as a recording of that rate wants them.
    """

    def __init__(
        self, ends: Sequence[End], stats: Stats, rate: Fraction, *, on_grid: bool = False
    ) -> None:
        self.ends = tuple(ends)
        self.last: Shot | None = None
        self.last_at: float | None = None
        self.spoken_at: float | None = None  # when the loop itself sent something
        self._stats = stats
        self._least = float(1 / rate) / 4  # between the times of two shots
        self._rate = rate if on_grid else None
        self._origin: float | None = None
        self._number = -1  # on the grid, of the last shot
        self._lock = threading.Lock()

    def send(self, pixels: Pixels, tick: Tick, *, drawn: bool = True, mode: str = "live") -> None:
        """Hand a new picture to every sink; one that came too late to be the newest is dropped.

        `drawn` and `mode` are told in the shot.
        """
        with self._lock:
            last = self.last
            if last is not None and tick.frame.captured < last.tick.frame.captured:
                self._stats.drop("render.late")
                return
            as_drawn = tick if drawn else None
            self.spoken_at = self._hand_out(pixels, tick, as_drawn, mode, again=False)

    def send_instead(
        self, pixels: Pixels, tick: Tick, *, seen: Shot | None, mode: str = "freeze"
    ) -> bool:
        """The same for who steps in for a silent loop; not if it spoke since `seen` was the last.

        A picture whose frame was sent before counts as repeated.
        """
        with self._lock:
            if self.last is not seen:
                return False
            again = seen is not None and seen.tick.frame.captured == tick.frame.captured
            self._hand_out(pixels, tick, None, mode, again=again, filler=True)
            return True

    def _hand_out(
        self,
        pixels: Pixels,
        tick: Tick,
        drawn: Tick | None,
        mode: str,
        *,
        again: bool,
        filler: bool = False,
    ) -> float:
        last = self.last
        index = 0 if last is None else last.tick.index + 1
        time = self._next_time(tick.time)
        if (index, time) != (tick.index, tick.time):
            tick = replace(tick, index=index, time=time)
        shot = self.last = Shot(pixels, tick, drawn, mode, filler)
        now = self.last_at = clock.now()
        for end in self.ends:
            end.put(shot)
        self._stats.sent(now, again=again)
        return now

    def _next_time(self, wanted: float) -> float:
        """The time of the next shot, as near to what is wanted as rising times allow."""
        if self._rate is None:
            last = self.last
            return wanted if last is None else max(wanted, last.tick.time + self._least)
        if self._origin is None:
            self._origin = wanted
        near = round((wanted - self._origin) * float(self._rate))
        self._number = max(near, self._number + 1)
        return self._origin + float(self._number / self._rate)

    @property
    def all_failed(self) -> bool:
        return bool(self.ends) and all(end.failed for end in self.ends)

    def note_news(self) -> None:
        for end in self.ends:
            end.note_news()

    def start(self) -> None:
        for end in self.ends:
            end.start()

    def finish(self) -> None:
        for end in self.ends:
            end.finish()
