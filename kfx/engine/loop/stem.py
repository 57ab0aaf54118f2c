"""Engines that start loaded: a process imports everything once and forks one whenever it is asked.

Loading takes seconds, most of a start, and the show would stutter beside it. What is forked needs
a GL context and a tracker yet, which no fork can pass on, and shares the memory of what is loaded.
``python -m kfx.engine.loop.stem FD MODULE ARGUMENTS…`` is the process; `Stem` is the supervisor's
end of it. Linux only: elsewhere each engine loads for itself.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":  # these are for the engines; it goes with its supervisor, at any time
    _BEFORE = {
        one: signal.signal(one, signal.SIG_IGN)
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection, Pipe, wait
from typing import Protocol

from kfx import clock
from kfx.engine.health import quiet
from kfx.engine.loop import standby

USUAL = (
    "kfx.cli.live",
    "kfx.cli.live_again",
    "kfx.cli.live_keys",
    "kfx.cli.live_screen",
    "kfx.engine.desk.session",
    "kfx.engine.desk.last_state",
    "kfx.engine.live",
    "kfx.engine.takes.live_takes",
    "kfx.sources.performer",
    "kfx.tracking.finders.mediapipe",
    "mediapipe",
    "onnxruntime",
    "zeroconf",
    "websockets.asyncio.server",
)
"""What a live show loads: where it isn't there the engine will say so."""
LOADED, FORK = b"loaded", b"fork"
ANSWER_S = 5.0  # from asking for an engine to its number
LOST = -1000  # in place of the exit code of one whose parent has died


def possible() -> bool:
    """Whether an engine can be forked here, and its end be seen."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


class Process(Protocol):
    """What a supervisor does with an engine: as `subprocess.Popen` does it."""

    pid: int

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Stem:
    """The supervisor's end. `loaded` says whether `fork` may be asked for."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._peer, theirs = Pipe()
        command = [sys.executable, "-m", "kfx.engine.loop.stem", str(theirs.fileno())]
        self._process = subprocess.Popen(
            [*command, module, *arguments],
            env=dict(environment),
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.loaded = False
        self.alive = True
        self.codes: dict[int, int] = {}  # of forks that ended
        self._newest = 0

    def fork(self) -> Fork | None:
        """A new engine; None where there is none to be had."""
        self._newest = 0
        with contextlib.suppress(OSError):  # it died, as `hear` will find
            self._peer.send_bytes(FORK)
        until = clock.now() + ANSWER_S
        while self.alive and not self._newest and clock.now() < until:
            self.hear(0.05)
        if not self._newest:
            self.close()
            return None
        return Fork(self._newest, self)

    def hear(self, wait_s: float = 0.0) -> None:
        """Take what it says, waiting so many seconds for the first word."""
        try:
            while self.alive and self._peer.poll(wait_s):
                word, *numbers = self._peer.recv_bytes().split()
                wait_s = 0.0
                if word == LOADED:
                    self.loaded = True
                elif word == FORK:
                    self._newest = int(numbers[0])
                else:
                    self.codes[int(numbers[0])] = int(numbers[1])
        except (EOFError, OSError):
            self.alive = self.loaded = False

    def close(self) -> None:
        """End it; its engines live on."""
        self.alive = self.loaded = False
        self._process.kill()
        self._process.wait()
        self._peer.close()


class Fork:
    """An engine that a stem has forked."""

    def __init__(self, pid: int, stem: Stem) -> None:
        self.pid = pid
        self._stem = stem

    def poll(self) -> int | None:
        """Its exit code; `LOST` where it has ended and nobody can tell how."""
        self._stem.hear()
        code = self._stem.codes.get(self.pid)
        if code is None and not self._stem.alive and not _runs(self.pid):
            code = self._stem.codes[self.pid] = LOST
        return code

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        until = clock.now() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if clock.now() >= until:
                raise subprocess.TimeoutExpired("kfx", timeout or 0.0)
            self._stem.hear(0.05)
            if not self._stem.alive:
                clock.pause(0.02)
        return code


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main(number: int, arguments: list[str]) -> int:
    """The process: load, then fork whenever asked. In a fork it returns when that one has ended."""
    peer = Connection(number)
    if arguments[0] == "kfx":
        with quiet():  # what can't be loaded the engine itself will say better
            for name in USUAL:
                with contextlib.suppress(Exception):
                    import_module(name)
    gc.collect()
    gc.freeze()  # the collector would write on, and so copy, what all of them share
    try:
        peer.send_bytes(LOADED)
        _serve(peer)
    except (EOFError, OSError):
        return 0
    for one, handler in _BEFORE.items():
        signal.signal(one, handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until it is wanted
    return standby.main(arguments)


def _serve(peer: Connection) -> None:
    """Fork whenever asked, and say how each one ended; in a fork it returns.

    Raises `EOFError` or `OSError` when the supervisor is gone.
    """
    watched: dict[int, int] = {}  # a descriptor that tells of its end → a fork
    while True:
        for ready in wait([peer, *watched]):
            if ready is peer:
                peer.recv_bytes()
                pid = os.fork()
                if pid == 0:
                    peer.close()
                    for one in watched:
                        os.close(one)
                    return
                watched[os.pidfd_open(pid)] = pid
                peer.send_bytes(b"%s %d" % (FORK, pid))
            else:
                assert isinstance(ready, int)
                pid = watched.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                peer.send_bytes(b"ended %d %d" % (pid, code))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
