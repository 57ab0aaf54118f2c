"""Keeps Python's garbage collector from stopping a show for a look at everything."""

from __future__ import annotations

import gc
from types import TracebackType

MIDDLE_EVERY, FULL_EVERY = 300, 6000  # frames


class CalmGc:
    """``with CalmGc() as collector: …; collector.frame()`` after each frame was handed out.

    What exists at the start (libraries, nets, shaders: some 10⁵ objects) is never looked at again;
    new objects are collected a little after each frame, when nobody waits for a picture.
    """

    def __init__(self) -> None:
        self._frames = 0
        self._was_enabled = True

    def __enter__(self) -> CalmGc:
        self._was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def frame(self) -> None:
        """Collect what the frame just handed out has left."""
        self._frames += 1
        if self._frames % FULL_EVERY == 0:
            gc.collect()
        elif self._frames % MIDDLE_EVERY == 0:
            gc.collect(1)
        else:
            gc.collect(0)
