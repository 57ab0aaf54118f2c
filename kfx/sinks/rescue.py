"""Recordings that stay playable whatever ends them: a full disk, a crash, a power cut.

A live recording is written in fragments of a second, so what lies on the disk is a film up to
the last whole one. `Disk` stops at the first failed write, `mend` cuts the rest away, `adopt`
finds what a killed kfx has left. An orderly end turns the file into an ordinary one.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

FRAGMENT_S = 1.0
# delay_moov: the first fragment's edit list is right for B-frames.
OPTIONS = {
    "movflags": "+hybrid_fragmented+delay_moov",
    "frag_duration": str(round(FRAGMENT_S * 1e6)),
}


class Disk(io.RawIOBase):
    """The file a recording is written to; `error` is the first failure, after which it is shut.

    Else the end of a film could be written around a hole, which no player forgives.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.error: OSError | None = None
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115
        _lock(self._file.fileno())

    def write(self, data: object) -> int:
        if self.error is not None:
            raise self.error
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        done = 0
        try:
            while done < len(view):
                done += self._file.write(view[done:]) or 0
        except OSError as error:
            self.error = error
            raise
        return done

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def mend(path: Path) -> bool:
    """Cut `path` after its last whole fragment; False if there is none."""
    end, moof, films = 0, False, 0
    for kind, start, size in _boxes(path):
        if kind == b"moof":
            moof = True
            continue
        if kind == b"mdat" and moof:
            films += 1
        moof = False
        end = start + size
    if films:
        os.truncate(path, end)
    return films > 0


def adopt(target: Path) -> list[Path]:
    """Give names to the unfinished recordings of `target` whose writers are dead."""
    found = []
    for part in sorted(target.parent.glob(f".{target.stem}.*.part{target.suffix}")):
        with contextlib.suppress(OSError):
            if _abandoned(part) and mend(part):
                number = 1
                while (name := target.with_stem(f"{target.stem}.rescued-{number}")).exists():
                    number += 1
                os.rename(part, name)
                found.append(name)
    return found


def _boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of each whole box on the top level (ISO/IEC 14496-12, 4.2)."""
    length = path.stat().st_size
    with open(path, "rb") as file:
        at = 0
        while at + 8 <= length:
            file.seek(at)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            if size < 8 or at + size > length:
                return
            yield kind, at, size
            at += size


def _lock(descriptor: int) -> bool:
    """Mark a file as being written, for as long as this process lives; False if it can't be."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # Windows; held by another one; a disk without locks
        return False
    return True


def _abandoned(path: Path) -> bool:
    with open(path, "rb") as file:
        return _lock(file.fileno())
