"""Names of takes: a slate and a number that rises, ``A001_T01``."""

from __future__ import annotations

import re
from pathlib import Path

from kfx.errors import UsageError

MOST = 9999
_SLATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}(?:_[A-Za-z0-9-]{1,32}){0,3}")
_TAKE = re.compile(r"(?P<slate>.+)_T(?P<number>\d{2,4})")


def checked_slate(slate: str) -> str:
    """`slate` if it can be a part of a file's name. Raises `UsageError`."""
    if not _SLATE.fullmatch(slate) or _TAKE.fullmatch(slate):
        raise UsageError(
            f"slate {slate[:60]!r}: write letters, digits, - and _, like A001 or A003C012_S12"
        )
    return slate


def split(name: str) -> tuple[str, int] | None:
    """``A001_T03`` → ("A001", 3); None for another name."""
    match = _TAKE.fullmatch(name)
    return (match["slate"], int(match["number"])) if match else None


def name_of(slate: str, number: int) -> str:
    return f"{slate}_T{number:02d}"


def next_name(folder: Path, slate: str) -> str:
    """The name of the next take of a slate: one more than the highest there. Raises `KfxError`."""
    checked_slate(slate)
    taken = [split(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    number = max((one[1] for one in taken if one and one[0] == slate), default=0) + 1
    if number > MOST:
        raise UsageError(f"{folder}: {slate} has {MOST} takes; choose another slate")
    return name_of(slate, number)
