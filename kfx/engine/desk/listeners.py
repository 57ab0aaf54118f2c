"""Tells of changes without ever holding up whoever makes them.

Each listener has a thread of its own and a place for one change per address: one that is slow
misses values in between, never the last one, and can't make memory grow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kfx.engine.desk.tree import Change

Heard = Callable[[Change], None]


class Listeners:
    """`add` and `tell` from any thread. What a listener raises goes to `on_fault`; it stays."""

    def __init__(self, on_fault: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._all: list[_Listener] = []
        self._on_fault = on_fault or (lambda text: None)

    def add(self, heard: Heard) -> Callable[[], None]:
        """Tell `heard` of every change from now on; call what comes back to end that."""
        listener = _Listener(heard, self._on_fault)
        with self._lock:
            self._all.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._all:
                    self._all.remove(listener)
            listener.close()

        return end

    def tell(self, change: Change) -> None:
        with self._lock:
            for listener in self._all:
                listener.put(change)

    def close(self) -> None:
        """End all of them, once each has heard what was told."""
        with self._lock:
            listeners, self._all = self._all, []
        for listener in listeners:
            listener.close()


class _Listener:
    def __init__(self, heard: Heard, on_fault: Callable[[str], None]) -> None:
        self._heard, self._on_fault = heard, on_fault
        self._waiting: dict[str, Change] = {}
        self._news = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="kfx-listener", daemon=True)
        self._thread.start()

    def put(self, change: Change) -> None:
        with self._news:
            self._waiting.pop(change.address, None)  # so that the order is that of the last ones
            self._waiting[change.address] = change
            self._news.notify()

    def close(self) -> None:
        with self._news:
            self._over = True
            self._news.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._over:
                    self._news.wait()
                if not self._waiting:
                    return
                changes, self._waiting = list(self._waiting.values()), {}
            for change in changes:
                try:
                    self._heard(change)
                except Exception as error:  # a listener's fault is never the setter's
                    self._on_fault(f"a listener failed at {change.address}: {error!r}")
