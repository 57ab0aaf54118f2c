"""Keeps a show going when its engine is killed, crashes or hangs.

The engine is a child process, another one stands by with everything made (`ready_made`). On Linux
both are forks of a process that has everything loaded (`stem`): the next one stands by half a
second later, and they share what is loaded. An engine that dies without having ended, or whose
loop hasn't turned for `HANG_S`, is replaced by the one that stands by, which goes on with the look
it had (`engine.desk.last_state`); one after the other, ever more slowly. Cameras live in processes
of their own (`sinks.vcam_process`), which the next engine takes over. Everything ends with the
supervisor, also when it is killed: each process holds a connection to it, and its end is the sign.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from typing import Any, NamedTuple

from kfx import clock
from kfx.engine.loop import lifeline, ready_made, standby, stem
from kfx.sinks import vcam_link

HANG_S = 5.0  # without a beat, while the loop runs; 3 s were seen on a machine with other work
START_S = 60.0  # until the first beat: shaders are compiled, cameras opened
END_S = 20.0  # for an orderly end
LAST_WORD_S = 2.0  # for what an engine has said before it ended
SPARE_S = 3.0  # after its first beat, where the spare has to load: not beside the show's start
QUICK_DEATHS = 3  # in a row, before anything was ever shown: the show can't run
PAUSES_S = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0)  # before the next one, by deaths soon after the start
LOST_SPARE_S = 30.0  # from the death of one who stood by to the next one
TRUST_S = 10.0  # an engine that took over and dies sooner is thought to die of the look it got
LAST_LOOK = "last-look"  # what `engine.desk.last_state` leaves in the supervisor's folder

Say = Callable[[str], None]


@dataclass
class _Engine:
    """A process that is, or stands by to become, the engine."""

    process: stem.Process
    peer: Connection | None = None
    wanted: bool = False
    going: bool = False
    began: float = 0.0
    beaten: float | None = None  # when its loop turned last
    resting: bool = False  # its loop has ended

    def late(self, now: float) -> str:
        """Why it counts as hung; empty if it doesn't."""
        if not self.going or self.resting:
            return ""
        if self.beaten is None:
            return f"didn't start within {START_S:.0f} s" if now - self.began > START_S else ""
        return f"hung for {HANG_S:.0f} s" if now - self.beaten > HANG_S else ""


class _News(NamedTuple):
    peer: Connection
    word: bytes  # empty: its end


@dataclass
class Supervisor:
    """`run` returns the exit code of the show; `restarts` counts the engines replaced."""

    module: str
    arguments: Sequence[str]
    say: Say = lambda text: print(f"kfx: {text}", file=sys.stderr, flush=True)
    restarts: int = 0
    _ending: int = 0  # the signal that ends the show
    _quick: int = 0  # deaths in a row within `TRUST_S`
    _shown: bool = False  # some engine has had a first beat
    _go_at: float = 0.0
    _spare_at: float = 0.0
    _folder: str = ""
    _stem: stem.Stem | None = None
    _news: queue.SimpleQueue[_News] = field(default_factory=queue.SimpleQueue)
    _peers: set[Connection] = field(default_factory=set)

    def run(self) -> int:
        self._folder = tempfile.mkdtemp(prefix="kfx-")
        ends = [getattr(signal, one, None) for one in ("SIGINT", "SIGTERM", "SIGHUP")]
        # `nohup` ignores a closed terminal, and so does its child.
        ends = [one for one in ends if one and signal.getsignal(one) is not signal.SIG_IGN]
        keep = {one: signal.signal(one, self._end) for one in ends if one}
        listener = vcam_link.listen(vcam_link.address(self._folder, vcam_link.LIFELINE))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        terminal = _terminal()
        engines: list[_Engine] = []
        try:
            self._load()
            engines.append(self._start())
            engines[0].wanted = True
            engines[0].began = clock.now()
            restarts = 0
            while (code := self._turn(engines)) is None:
                if self.restarts > restarts:
                    restarts = self.restarts
                    terminal()
            return code
        finally:
            self._close(engines)
            terminal()
            for number, handler in keep.items():
                signal.signal(number, handler)
            listener.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: int, _: Any) -> None:
        self._ending = number

    def _accept(self, listener: Listener) -> None:
        while True:
            try:
                peer = listener.accept()
            except OSError:  # closed
                return
            except EOFError:
                continue
            self._peers.add(peer)
            threading.Thread(target=self._read, args=(peer,), daemon=True).start()

    def _read(self, peer: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while word := peer.recv_bytes():
                self._news.put(_News(peer, word))
        self._peers.discard(peer)
        peer.close()

    def _load(self) -> None:
        """Have the modules of an engine loaded, where it can be forked then."""
        if not stem.possible():
            return
        self._stem = stem.Stem(self.module, self.arguments, self._environment)
        while self._stem.alive and not self._stem.loaded and not self._ending:
            self._stem.hear(0.05)

    def _start(self) -> _Engine:
        if self._stem is not None and self._stem.loaded and (fork := self._stem.fork()) is not None:
            return _Engine(fork)
        command = [sys.executable, "-m", "kfx.engine.loop.standby"]
        command += [self.module, *self.arguments]
        return _Engine(subprocess.Popen(command, env=self._environment))

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, vcam_link.FOLDER_VARIABLE: self._folder}

    def _turn(self, engines: list[_Engine]) -> int | None:
        """Hear what is new and act on it; the exit code once the show is over."""
        with contextlib.suppress(queue.Empty):
            news = self._news.get(timeout=0.05)
            self._hear(news, engines)
        engine = engines[0]
        now = clock.now()
        if self._ending:
            return self._finish(engine)
        code = engine.process.poll()
        reason = "" if code is not None else engine.late(now)
        if code == stem.LOST:
            code = self._guessed(engine)
        if reason:
            engine.process.kill()
            engine.process.wait()
        elif code is not None:
            if not (_crashed(code) or (code and self._shown and engine.beaten is None)):
                return code
            reason = _words(code)
        if reason:
            early = engine.beaten is None or now - engine.began < TRUST_S
            self._quick = self._quick + 1 if early else 0
            if not self._shown and self._quick >= QUICK_DEATHS:
                self.say(f"the engine {reason}, {self._quick} times before its first picture")
                return 1
            self._replace(engines, reason)
        else:
            self._go(engine)
            self._keep_spare(engines, now)
        return None

    def _keep_spare(self, engines: list[_Engine], now: float) -> None:
        if len(engines) > 1 and engines[1].process.poll() is not None:
            engines.pop()
            self._spare_at = now + LOST_SPARE_S
        engine = engines[0]
        quick = self._stem is not None and self._stem.loaded and ready_made.told(self._folder)
        settled = engine.beaten and (quick or now - engine.began > SPARE_S)
        if len(engines) == 1 and settled and now >= self._spare_at:
            engines.append(self._start())

    def _hear(self, news: _News, engines: list[_Engine]) -> None:
        for engine in engines:
            if news.word == b"%d" % engine.process.pid:
                engine.peer = news.peer
            if engine.peer is not news.peer:
                continue
            if news.word == lifeline.BEAT:
                engine.beaten = clock.now()
                self._shown = True
            elif news.word == lifeline.REST:
                engine.resting = True
            self._go(engine)

    def _go(self, engine: _Engine) -> None:
        if not engine.wanted or engine.going or engine.peer is None or clock.now() < self._go_at:
            return
        engine.going = True
        engine.began = clock.now()
        with contextlib.suppress(OSError):  # it died; `_turn` sees it
            engine.peer.send_bytes(standby.GO)

    def _replace(self, engines: list[_Engine], reason: str) -> None:
        self._distrust(engines[0])
        self.restarts += 1
        pause = PAUSES_S[min(self._quick, len(PAUSES_S) - 1)]
        self._go_at = clock.now() + pause
        after = f" in {pause:g} s" if pause else ""
        self.say(f"the engine {reason}; another one takes over{after} ({self.restarts})")
        engines.pop(0)
        if not engines:
            engines.append(self._start())
        engines[0].wanted = True
        engines[0].began = clock.now()
        self._go(engines[0])

    def _distrust(self, engine: _Engine) -> None:
        """A look that has killed two engines isn't given to a third."""
        look = os.path.join(self._folder, LAST_LOOK)
        if self.restarts and clock.now() - engine.began < TRUST_S and os.path.exists(look):
            os.unlink(look)
            self.say("the last look may be why: the show goes on with the one it began with")

    def _finish(self, engine: _Engine) -> int:
        """Ctrl-C or SIGTERM: let the engine close its files, but not forever."""
        if not engine.going:
            if self._ending == signal.SIGINT:
                self.say("stopped")
            return 128 + self._ending
        assert engine.peer is not None
        with contextlib.suppress(OSError):  # it ends by itself
            engine.peer.send_bytes(lifeline.END)
        try:
            code = engine.process.wait(END_S)
            return int(self._guessed(engine) != 0) if code == stem.LOST else code
        except subprocess.TimeoutExpired:
            self.say(f"the engine didn't end within {END_S:.0f} s and was killed")
            return 1

    def _guessed(self, engine: _Engine) -> int:
        """The exit code of one whose parent has died: whether its loop had ended in good order."""
        until = clock.now() + LAST_WORD_S
        while engine.peer in self._peers and clock.now() < until:
            clock.pause(0.01)
        with contextlib.suppress(queue.Empty):
            while True:
                self._hear(self._news.get_nowait(), [engine])
        return 0 if engine.resting else stem.LOST

    def _close(self, engines: list[_Engine]) -> None:
        """End every process: closing its connection tells each camera and whoever stands by."""
        for engine in engines:
            engine.process.kill()
            engine.process.wait()
        if self._stem is not None:
            self._stem.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.send_bytes(b"q")
        until = clock.now() + LAST_WORD_S
        while self._peers and clock.now() < until:
            clock.pause(0.01)


def _terminal() -> Callable[[], None]:
    """What puts the terminal back as it is now: a killed engine leaves it without echo."""
    try:
        import termios
    except ImportError:  # Windows
        return lambda: None
    try:
        before = termios.tcgetattr(0)
    except (OSError, termios.error):
        return lambda: None

    def put_back() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, before)

    return put_back


def _crashed(code: int) -> bool:
    """Whether an engine with this exit code should be replaced: it didn't end by its own will."""
    return code < 0 or code == standby.CRASHED or code > 128 + 64


def _words(code: int) -> str:
    if code == stem.LOST:
        return "has died"
    if code >= 0:
        return f"{'crashed' if code == standby.CRASHED else 'ended'} (exit code {code})"
    with contextlib.suppress(ValueError):
        return f"was killed ({signal.Signals(-code).name})"
    return f"was killed (signal {-code})"


def supervised() -> bool:
    """Whether this process is an engine that a supervisor started."""
    return bool(os.environ.get(vcam_link.FOLDER_VARIABLE))


def run(arguments: Sequence[str]) -> int:
    """Run ``kfx ARGUMENTS…`` under a supervisor; returns the exit code."""
    return Supervisor("kfx", arguments).run()
