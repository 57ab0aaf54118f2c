"""Waiting for what must come: as long as a busy machine takes, no longer than it takes."""

import time
from collections.abc import Callable
from typing import Any

LONG_S = 60.0  # that something comes at all: on two busy cores 10 s were seen to be too short


def until(true: Callable[[], Any], what: object = "it") -> Any:
    """The first value that is true; `what` is named, or called to tell, where none ever is."""
    end = time.monotonic() + LONG_S
    while not (found := true()):
        if time.monotonic() > end:
            told = what() if callable(what) else what
            raise AssertionError(f"waited {LONG_S:.0f} s in vain: {told}")
        time.sleep(0.01)
    return found
