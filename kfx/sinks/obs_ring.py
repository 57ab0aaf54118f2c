"""A ring of RGBA pictures in memory that another program on this machine maps and reads.

Layout of a slot: 64 bytes of header, whose first eight are the number of the picture as a
little-endian uint64 (0 while it is being written), then ``height × width × 4`` bytes of straight
RGBA, top row first. The reader looks at the number before and after it copies.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels

SLOTS = 4  # at 60 pictures a second a reader has 50 ms to copy one
HEADER = 64


class Ring:
    """Owned by the writer; `name` tells a reader where it is.

    Raises `KfxError` if the memory can't be had.
    """

    def __init__(self, port: int, size: tuple[int, int]) -> None:
        width, height = size
        self.slot_bytes = HEADER + width * height * 4
        total = SLOTS * self.slot_bytes
        self._path: Path | None = None
        try:
            if sys.platform == "win32":
                self.name = f"kfx-obs-{port}-{os.getpid()}"
                self._memory = mmap.mmap(-1, total, tagname=self.name)
            else:
                self._path = _folder() / f"kfx-obs-{port}-{os.getuid()}"
                self.name = str(self._path)
                self._path.unlink(missing_ok=True)  # of a show that was killed: the port is ours
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
                handle = os.open(self._path, flags, 0o600)
                try:
                    _reserve(handle, total)
                    self._memory = mmap.mmap(handle, total)
                finally:
                    os.close(handle)
        except OSError as error:
            self._forget()
            raise KfxError(
                f"obs: {total >> 20} MB of shared memory can't be had ({error}); free some, "
                "or use a smaller --size"
            ) from None
        self._bytes = np.frombuffer(self._memory, np.uint8)
        self._pictures = [
            self._bytes[at + HEADER : at + self.slot_bytes].reshape(height, width, 4)
            for at in range(0, total, self.slot_bytes)
        ]

    def put(self, number: int, pixels: Pixels) -> int:
        """Write picture `number` (1, 2, …) and return its slot."""
        slot = number % SLOTS
        at = slot * self.slot_bytes
        struct.pack_into("<Q", self._memory, at, 0)
        np.copyto(self._pictures[slot], pixels)
        struct.pack_into("<Q", self._memory, at, number)
        return slot

    def close(self) -> None:
        """Give the memory back; a reader keeps what it has mapped. May be called twice."""
        self._pictures = []
        self._bytes = np.empty(0, np.uint8)
        with contextlib.suppress(BufferError):  # a picture is being written this moment
            self._memory.close()
        self._forget()

    def _forget(self) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._path = None


def _folder() -> Path:
    memory = Path("/dev/shm")  # a file there never goes to a disk
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def _reserve(handle: int, total: int) -> None:
    """Make the file this long; a full /dev/shm says so here and not by SIGBUS in a write."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, total)
    else:
        os.truncate(handle, total)
