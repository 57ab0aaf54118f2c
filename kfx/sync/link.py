"""Ableton Link: the beat of a session, read from a child process (aalink is GPL-3)."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import threading

from kfx import clock
from kfx.errors import KfxError
from kfx.sync.follow import FREE_RUN_S, Fix
from kfx.sync.song import Unit

QUANTUM = 4
OPEN_S = 10.0


class Session:
    """Lines of `link_process` in, readings in beats out.

    Link has a tempo and a bar that all share, but no song position: beat 0 is the session's own
    until somebody starts the transport; then it is the bar in which that happened.
    """

    def __init__(self) -> None:
        self.peers = 0
        self._zero = 0.0
        self._playing = False

    def line(self, text: str, at: float) -> Fix | None:
        """The reading in one line; None for one that is broken."""
        try:
            beat, tempo, playing, peers = (float(one) for one in text.split())
        except ValueError:
            return None
        if not (math.isfinite(beat) and 20 <= tempo <= 999 and math.isfinite(peers)):
            return None
        self.peers = int(peers)
        started = bool(playing) and not self._playing
        if started:
            self._zero = round(beat / QUANTUM) * QUANTUM
        self._playing = bool(playing)
        return Fix(at, beat - self._zero, tempo / 60.0, started)


class Link:
    """A source that follows the Link session of the local network.

    Raises `KfxError` where aalink is missing. Link finds its peers by multicast.
    """

    name = "link"
    unit: Unit = "beats"
    free_run_s = FREE_RUN_S

    def __init__(self, bpm: float = 120.0) -> None:
        self._session = Session()
        self._fixes: list[Fix] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._error = ""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "kfx.sync.link_process", f"{bpm:g}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, name="kfx-link", daemon=True)
        self._thread.start()
        self._ready.wait(OPEN_S)
        if self._error or not self._ready.is_set():
            self.close()
            raise KfxError(f"link: {self._error or 'the Link process does not answer'}")

    @property
    def peers(self) -> int:
        return self._session.peers

    def read(self, at: float) -> list[Fix]:
        with self._lock:
            fixes, self._fixes = self._fixes, []
        return fixes

    def close(self) -> None:
        with contextlib.suppress(OSError):
            assert self._child.stdin
            self._child.stdin.close()
        try:
            self._child.wait(2.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._thread.join(2.0)
        if self._child.stdout:
            self._child.stdout.close()

    def _listen(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            if line.startswith("error: "):
                self._error = line.removeprefix("error: ").strip()
                break
            fix = self._session.line(line, clock.now())
            if fix is not None:
                with self._lock:
                    self._fixes.append(fix)
                self._ready.set()
        else:
            self._error = self._error or "the Link process has ended"
        self._ready.set()
