"""When a net runs: with every frame, or in its own thread on the newest one."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from kfx import clock
from kfx.errors import KfxError

# Added to that of the threads that run nets. Pictures a second on two cores that llvmpipe fills,
# beside a net of 88 ms that never rests, in turns in one run: 121 without it, 91 at 0, 104 at 5,
# 110 at 10, 118 at 19. What the net gets then is what drawing leaves.
NICENESS = 19
LAST_S = 10.0  # how long the process waits at its end for a net whose run is being ended


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job: its `result`, or the `error`; `ms` is what it took."""

    job: Any
    result: Any = None
    error: str = ""
    ms: float = 0.0


Work = Callable[[Any], Any]


class Runner(Protocol):
    """Takes jobs when it has nothing to do, and gives back what it made of them.

    Must: never raise for what `work` raises, that goes into `Done.error`.
    """

    exact: bool  # a job's result is there before the same frame is drawn

    def free(self, time: float) -> bool:
        """Whether a job would be taken at a tick's time."""

    def offer(self, job: Any, time: float) -> None:
        """Take a job; only when `free`."""

    def take(self, time: float) -> Done | None:
        """The newest job that is done, once."""

    def waiting_s(self, time: float) -> float:
        """How long the job in hand has been taking; 0 when there is none."""

    def close(self) -> None: ...


Pace = Callable[[Work], Runner]


def _run(work: Work, job: Any) -> Done:
    began = clock.now()
    try:
        result = work(job)
    except KfxError as error:
        return Done(job, error=str(error), ms=1000 * (clock.now() - began))
    except Exception as error:  # a net's fault must not end the show
        return Done(job, error=f"{type(error).__name__}: {error}", ms=1000 * (clock.now() - began))
    return Done(job, result, ms=1000 * (clock.now() - began))


class Inline:
    """Runs each job at once: offline renders are the same every time."""

    exact = True

    def __init__(self, work: Work) -> None:
        self._work = work
        self._done: Done | None = None

    def free(self, time: float) -> bool:
        return True

    def offer(self, job: Any, time: float) -> None:
        self._done = _run(self._work, job)

    def take(self, time: float) -> Done | None:
        done, self._done = self._done, None
        return done

    def waiting_s(self, time: float) -> float:
        return 0.0

    def close(self) -> None:
        self._done = None


@dataclass
class Slowed:
    """Runs at once, tells 1 / `hz` seconds of show time later: a slow net that is the same
    every time, for measurements and tests.
    """

    work: Work
    hz: float
    exact: bool = False
    _done: Done | None = None
    _ready: float = field(default=float("inf"))
    _began: float = 0.0

    def free(self, time: float) -> bool:
        return self._done is None

    def offer(self, job: Any, time: float) -> None:
        self._done = replace(_run(self.work, job), ms=1000.0 / self.hz)
        self._began, self._ready = time, time + 1.0 / self.hz

    def take(self, time: float) -> Done | None:
        if self._done is None or time < self._ready - 1e-6:
            return None
        done, self._done = self._done, None
        return done

    def waiting_s(self, time: float) -> float:
        return 0.0 if self._done is None else max(0.0, time - self._began)

    def close(self) -> None:
        self._done = None


class Threaded:
    """Runs jobs in a thread of its own; whoever draws never waits for it."""

    exact = False

    def __init__(self, work: Work) -> None:
        self._work = work
        self._news = threading.Condition()
        self._job: Any = None
        self._busy_since: float | None = None
        self._done: Done | None = None
        self._closed = False
        # Started here: whoever starts a thread waits until it runs, and drawing must not.
        self._thread = threading.Thread(target=self._loop, name="kfx-net", daemon=True)
        self._thread.start()

    def free(self, time: float) -> bool:
        return self._job is None and self._busy_since is None and not self._closed

    def offer(self, job: Any, time: float) -> None:
        with self._news:
            self._job = job
            self._busy_since = time
            self._news.notify()

    def take(self, time: float) -> Done | None:
        with self._news:
            done, self._done = self._done, None
        return done

    def waiting_s(self, time: float) -> float:
        since = self._busy_since
        return 0.0 if since is None else max(0.0, time - since)

    def close(self) -> None:
        """End the thread, after the run that it is in: whoever draws doesn't wait for that."""
        with self._news:
            self._closed = True
            self._news.notify()
        waited_for(self._thread)

    def _loop(self) -> None:
        gently()
        while True:
            with self._news:
                while self._job is None and not self._closed:
                    self._news.wait()
                if self._closed:
                    return
                job, self._job = self._job, None
            done = _run(self._work, job)
            with self._news:
                self._done = done
                self._busy_since = None


def gently() -> None:
    """Let the calling thread, and those that it starts, work only where drawing leaves time."""
    if sys.platform == "linux":  # where a thread has a niceness of its own
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            now = os.getpriority(os.PRIO_PROCESS, own)
            os.setpriority(os.PRIO_PROCESS, own, min(19, now + NICENESS))


def waited_for(thread: threading.Thread) -> None:
    """Remember a thread that is to end by itself."""
    _ending[:] = [one for one in (*_ending, thread) if one.is_alive()]


def at_end(act: Callable[[], None]) -> Callable[[], None]:
    """Call `act` when the process ends, before threads are waited for."""
    _acts.append(act)
    return act


_ending: list[threading.Thread] = []
_acts: list[Callable[[], None]] = []


@atexit.register
def _wait() -> None:
    """A thread inside a net while the interpreter is taken down would bring the process down."""
    for act in _acts:
        act()
    for thread in _ending:
        thread.join(timeout=LAST_S)
