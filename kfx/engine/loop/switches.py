"""What the operator may do to the output at any moment: panic, bypass, freeze, black, compare."""

from __future__ import annotations

import threading

from kfx.errors import UsageError

MODES: dict[str, str] = {
    "live": "the finished picture",
    "clean": "the plate alone: nothing of tracking or effects is run (panic)",
    "bypass": "the plate, while tracking goes on",
    "freeze": "the last picture, held",
    "black": "black",
}


class Switches:
    """One mode and whether compare is held; any thread may set, the loop reads every frame.

    A change holds from the next picture on. ``clean`` never touches tracker or chain, so neither
    can stand in its way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mode = "live"
        self._hold = False
        self.changed = threading.Event()  # set at each change; whoever waits for one clears it

    @property
    def mode(self) -> str:
        """One of `MODES`."""
        return self._mode

    @property
    def hold(self) -> bool:
        """Compare: the plate is shown while this is true, in mode ``live``."""
        return self._hold

    @hold.setter
    def hold(self, on: bool) -> None:
        with self._lock:
            self._hold = bool(on)
        self.changed.set()

    @property
    def shown(self) -> str:
        """The mode that counts for the next picture; ``compare`` is the plate while it is held.

        Compare differs from bypass in that effects are drawn on, unseen: what they remember, such
        as a frozen portrait, is still there when the key is let go.
        """
        with self._lock:
            return "compare" if self._hold and self._mode == "live" else self._mode

    def set(self, mode: str) -> None:
        """Change the mode. Raises `UsageError` for one that isn't in `MODES`."""
        if mode not in MODES:
            raise UsageError(f"output mode {mode!r}: there is none; use {', '.join(MODES)}")
        with self._lock:
            self._mode = mode
        self.changed.set()

    def toggle(self, mode: str) -> str:
        """Set `mode`, or go back to ``live`` if it is set already; returns the new mode."""
        if mode not in MODES:
            raise UsageError(f"output mode {mode!r}: there is none; use {', '.join(MODES)}")
        with self._lock:
            self._mode = "live" if self._mode == mode else mode
            now = self._mode
        self.changed.set()
        return now

    def panic(self) -> None:
        """The clean plate from the next picture on, whatever else is going on."""
        with self._lock:
            self._mode, self._hold = "clean", False
        self.changed.set()
