"""Short waits that are short on Windows too, where they come in steps of 16 ms by default."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

PERIOD_MS = 1


@contextmanager
def fine_timer() -> Iterator[None]:
    """Ask Windows for waits of a millisecond, as long as the block lasts; nothing elsewhere."""
    if sys.platform != "win32":
        yield
        return
    import ctypes

    multimedia = ctypes.windll.winmm
    multimedia.timeBeginPeriod(PERIOD_MS)
    try:
        yield
    finally:
        multimedia.timeEndPeriod(PERIOD_MS)
