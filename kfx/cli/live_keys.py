"""Keys of a terminal as switches of a live show: panic, bypass, freeze, black, compare, quit."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from types import TracebackType
from typing import Any

from kfx.engine.loop.switches import Switches

KEYS = {
    "p": "panic",
    "l": "live",
    "b": "bypass",
    "f": "freeze",
    "k": "black",
    " ": "compare",
    "q": "quit",
}
_CONSOLE_S = 0.02
_LOOK_S = 0.25  # how soon the thread notices that the show is over


def press(key: str, switches: Switches, stop: threading.Event) -> bool:
    """What a key does; whether it does anything. Bypass, freeze and black toggle.

    Panic doesn't: a second, frightened press must not bring the broken picture back.
    """
    name = KEYS.get(key.lower())
    if name is None:
        return False
    if name == "quit":
        stop.set()
    elif name == "compare":
        switches.hold = not switches.hold
    elif name == "panic":
        switches.panic()
    elif name == "live":
        switches.set("live")
    else:
        switches.toggle(name)
    return True


class Keys:
    """``with Keys(switches, stop) as keys:`` reads single keys while stdin is a terminal.

    The terminal is as it was again afterwards. `active` is False where there is none.
    """

    def __init__(self, switches: Switches, stop: threading.Event) -> None:
        self.active = False
        self._switches, self._stop = switches, stop
        self._over = threading.Event()
        self._before: list[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="kfx-keys", daemon=True)

    def __enter__(self) -> Keys:
        if sys.platform == "win32":
            if sys.stdin is not None and sys.stdin.isatty():
                self.active = True
                self._thread.start()
            return self
        try:
            import termios
            import tty

            self._file = sys.stdin.fileno()
            if not os.isatty(self._file) or _in_background(self._file):
                return self
            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        except (ImportError, OSError, ValueError, AttributeError):
            return self
        self.active = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        if not self.active:
            return
        self._over.set()
        self._thread.join(2 * _LOOK_S)
        if self._before is None:  # Windows changes nothing of its terminal
            return
        import termios

        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def _run(self) -> None:
        if sys.platform == "win32":
            self._run_console()
            return
        while not self._over.is_set():
            ready, _, _ = select.select([self._file], [], [], _LOOK_S)
            if not ready:
                continue
            text = os.read(self._file, 64).decode("utf-8", "replace")
            if not text:  # the terminal is gone; the show is not
                return
            for key in text:
                press(key, self._switches, self._stop)

    def _run_console(self) -> None:
        """A Windows console can't be waited for: it is asked, often enough for a panic."""
        import msvcrt

        while not self._over.wait(_CONSOLE_S):
            while msvcrt.kbhit():  # type: ignore[attr-defined]
                press(msvcrt.getwch(), self._switches, self._stop)  # type: ignore[attr-defined]


def _in_background(terminal: int) -> bool:
    """Whether a change of the terminal would stop the show by SIGTTOU: ``kfx live … &``."""
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it controls somebody else
        return False
