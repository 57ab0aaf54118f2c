"""Hand-over between threads: the newest value wins and every drop is counted, or nothing drops."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from kfx.errors import Overflow

T = TypeVar("T")


class Closed(Exception):
    """The other side has ended and nothing is left to take."""


class Mailbox(Generic[T]):
    """A queue of at most `depth` values.

    `newest` True: a full box drops its oldest value and counts it in `dropped`. False: `put`
    waits for room if `wait`, else raises `Overflow`. An error given to `close` is raised by
    `take` once the box is empty. `on_drop` is told of every drop.
    """

    def __init__(
        self,
        depth: int = 1,
        *,
        newest: bool = True,
        wait: bool = False,
        on_drop: Callable[[], None] | None = None,
    ) -> None:
        self.dropped = 0
        self._on_drop = on_drop
        self._depth = depth
        self._newest = newest
        self._wait = wait
        self._values: deque[T] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, value: T) -> None:
        """Leave a value. After `close` it is thrown away."""
        with self._changed:
            if self._wait:
                self._changed.wait_for(lambda: self._closed or len(self._values) < self._depth)
            if self._closed:
                return
            if len(self._values) >= self._depth:
                if not self._newest:
                    raise Overflow(f"{len(self._values)} frames wait")
                self._values.popleft()
                self.dropped += 1
                if self._on_drop:
                    self._on_drop()
            self._values.append(value)
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The oldest value; None after `timeout_s` without one. Raises `Closed` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._values or self._closed, timeout_s)
            if self._values:
                value = self._values.popleft()
                self._changed.notify_all()
                return value
            if self._error is not None:
                raise self._error
            if self._closed:
                raise Closed
            return None

    def close(self, error: BaseException | None = None, *, discard: bool = False) -> None:
        """No more values. What is in the box can still be taken unless `discard`."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            if discard:
                self._values.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed
