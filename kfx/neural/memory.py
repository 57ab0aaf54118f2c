"""How much memory nets may take: one arena with an end for all of them, a watch on the rest.

ONNX Runtime takes what nets compute in from an arena. kfx hands it one with a limit, so that a net
whose pictures grow fails with an error instead of taking the machine. What a provider takes beside
the arena can't be limited; `Watch` adds up what runs don't give back.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SHARE = 0.5  # of the machine's memory is for nets
MOST, LEAST = 8 << 30, 512 << 20  # bytes of it
UNKNOWN = 4 << 30  # where the machine doesn't say how much it has
MOST_KEPT = 1 << 30  # bytes that a net's runs may keep before it is opened anew
SAME_AS_REQUESTED = 1  # how the arena grows: not to the next power of two
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def limit() -> int:
    """Bytes that all nets of the process together may compute in."""
    return int(min(MOST, max(LEAST, SHARE * _there())))


def _there() -> int:
    there = UNKNOWN
    with suppress(OSError, ValueError, AttributeError):
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # a container may have less than its machine
        there = min(there, int(_CGROUP.read_text("ascii")))
    return there


def register(runtime: Any) -> bool:
    """Give onnxruntime the arena; whether it took it. Once a process, before any session."""
    try:
        place = runtime.OrtMemoryInfo(
            "Cpu", runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT
        )
        settings = {"max_mem": limit(), "arena_extend_strategy": SAME_AS_REQUESTED}
        settings |= {"initial_chunk_size_bytes": 1 << 20, "max_dead_bytes_per_chunk": -1}
        runtime.create_and_register_allocator(place, runtime.OrtArenaCfg(settings))
    except Exception:  # a build that has no such call: nets run all the same, without an end
        return False
    return True


def resident() -> int:
    """Bytes of this process that lie in memory; 0 where that can't be asked cheaply."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """``with watch: run()`` adds up what runs leave behind: `kept` bytes."""

    def __init__(self) -> None:
        self.kept = 0
        self._before = 0

    def __enter__(self) -> None:
        self._before = resident()

    def __exit__(self, *exc: object) -> None:
        # Other threads' memory comes and goes in between, a leak only comes.
        self.kept = max(0, self.kept + resident() - self._before)
