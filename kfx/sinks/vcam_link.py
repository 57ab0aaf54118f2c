"""How kfx and its camera process find each other, and the memory they share.

A local socket (a named pipe on Windows) carries short messages. The camera process owns the
memory: `SLOTS` RGBA pictures without a name in any file system, handed over as a descriptor, so
nothing can be left behind however either side ends. On Windows it has a name, and goes with its
last user.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import numpy as np

VERSION = 1  # of the messages; a camera process of another version is replaced
SLOTS = 3
FOLDER_VARIABLE = "KFX_SUPERVISOR"
"""Environment variable: the folder of a supervisor's sockets. Processes started by `kfx live
--supervise` have it; a camera process then lives as long as the supervisor."""
LIFELINE = "life"  # the supervisor's socket: its end is the end of the supervisor
_WINDOWS = sys.platform == "win32"


def address(folder: str, name: str) -> str:
    """Where `name` listens; `folder` may be entered by this user only."""
    if _WINDOWS:
        return rf"\\.\pipe\{os.path.basename(folder)}-{name}"
    return os.path.join(folder, name)


def listen(at: str) -> Listener:
    """Listen at `at`; a socket that a killed process left there goes first."""
    if not _WINDOWS and os.path.exists(at):
        os.unlink(at)
    return Listener(at, "AF_PIPE" if _WINDOWS else "AF_UNIX")


def connect(at: str) -> Connection:
    """Raises `OSError` while nobody listens."""
    return Client(at, "AF_PIPE" if _WINDOWS else "AF_UNIX")


class Memory:
    """`slots` are (h, w, 4) uint8 arrays that two processes see."""

    def __init__(self, size: tuple[int, int], handle: int | str | None = None) -> None:
        width, height = size
        self._length = SLOTS * height * width * 4
        self._handle = handle
        self._map: Any = self._named() if _WINDOWS else self._unnamed()
        buffer = self._map.buf if _WINDOWS else self._map
        everything: Any = np.ndarray((SLOTS, height, width, 4), np.uint8, buffer=buffer)
        everything.fill(0)  # touch every page now, not in the first frames
        self.slots: list[Any] = list(everything)

    def _unnamed(self) -> mmap.mmap:
        if self._handle is None:
            if hasattr(os, "memfd_create"):
                self._handle = os.memfd_create("kfx-vcam")
            else:
                with tempfile.TemporaryFile() as file:
                    self._handle = os.dup(file.fileno())
            os.ftruncate(self._handle, self._length)
        assert isinstance(self._handle, int)
        return mmap.mmap(self._handle, self._length)

    def _named(self) -> Any:
        from multiprocessing.shared_memory import SharedMemory

        if self._handle is None:
            memory = SharedMemory(create=True, size=self._length)
            self._handle = memory.name
            return memory
        return SharedMemory(str(self._handle))

    def hand_over(self, peer: Connection) -> None:
        if _WINDOWS:
            peer.send_bytes(str(self._handle).encode())
        else:
            reduction.send_handle(peer, self._handle, None)

    @classmethod
    def receive(cls, peer: Connection, size: tuple[int, int]) -> Memory:
        handle = peer.recv_bytes().decode() if _WINDOWS else reduction.recv_handle(peer)
        return cls(size, handle)

    def close(self) -> None:
        """Give up this process's view; arrays of it must not be used any more."""
        self.slots = []
        if isinstance(self._handle, int):
            os.close(self._handle)
        self._handle = None
        with contextlib.suppress(BufferError):  # somebody still holds a slot; it goes with them
            self._map.close()
