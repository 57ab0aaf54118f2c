"""A camera process as its starter sees it: loaded early, told to open the camera when needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection

from kfx.sinks import vcam_link

START, AGAIN = b"g", b"a"  # the byte that a process waits for
LAST_S = 5.0  # for a camera to close by itself; a killed one may be left as its driver has it


class Child:
    """Raises `OSError` where no process can be started. It ends if kfx dies before `go`."""

    def __init__(self, at: str, arguments: Sequence[str]) -> None:
        self._at = at
        folder = (
            os.path.dirname(at) if os.path.isdir(os.path.dirname(at)) else tempfile.gettempdir()
        )
        self._log = os.path.join(folder, f"{os.path.basename(at)}.{os.getpid()}-{id(self):x}.log")
        with open(self._log, "wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kfx.sinks.vcam_process", at, *arguments],
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                bufsize=0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                start_new_session=True,  # Ctrl-C and a closed terminal are kfx's to answer
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def go(self, *, again: bool = False) -> None:
        """Open the camera and listen; from now on it outlives kfx for a while.

        `again` where its readers have seen a show already.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already, which `reach` will find
            self._process.stdin.write(AGAIN if again else START)
            self._process.stdin.close()

    def reach(self, giving_up: threading.Event) -> Connection | None:
        """The connection to a process that is starting; None if it ended or `giving_up`."""
        while self.alive and not giving_up.is_set():
            with contextlib.suppress(OSError):
                return vcam_link.connect(self._at)
            giving_up.wait(0.01)
        return None

    def last_words(self) -> str:
        """The last line it printed, else how it ended."""
        with contextlib.suppress(OSError), open(self._log, errors="replace") as file:
            lines = [line.strip() for line in file.read().splitlines()]
            if said := next((line for line in reversed(lines) if line), ""):
                return said
        code = self._process.poll()
        return "its process ended" + (f" (exit code {code})" if code else "")

    def kill(self) -> None:
        self._process.kill()

    def end(self, *, gently: bool = False) -> None:
        """End the process and remove what it printed."""
        if gently:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_S)
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Let it live on its own."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(OSError):
            os.unlink(self._log)
