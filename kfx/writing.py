"""Small texts written whole or not at all, and words for what can't be written."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from kfx.errors import KfxError

_ERRORS = {
    errno.ENOSPC: "the disk is full; make room and begin again",
    errno.EDQUOT: "the disk quota is used up; make room and begin again",
    errno.EACCES: "may not be written; check the permissions of the folder",
    errno.EPERM: "may not be written; check the permissions of the folder",
    errno.EROFS: "lies on a read-only disk; write elsewhere",
    errno.EEXIST: "a part of its path is a file, not a folder; choose another path",
    errno.ENOTDIR: "a part of its path is a file, not a folder; choose another path",
    errno.EFBIG: "grows larger than this disk's file system allows; write elsewhere",
    errno.ENAMETOOLONG: "its name is too long; choose a shorter one",
}


def failure(spec: str, error: OSError | Exception) -> KfxError:
    """What went wrong while writing `spec`, in words, with the remedy."""
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error)
    return KfxError(f"{spec}: " + _ERRORS.get(number or 0, f"can't be written ({reason})"))


def write(spec: str | Path, text: str) -> None:
    """Put `text` in the place of a file, whole or not at all. Raises `KfxError`.

    A link stays one, a file keeps its rights; folders that are missing are made.
    """
    path = Path(os.path.realpath(spec))
    made = [folder for folder in path.parents if not os.path.exists(folder)]
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="")
        with contextlib.suppress(FileNotFoundError):
            os.chmod(part, stat.S_IMODE(path.stat().st_mode))
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        with contextlib.suppress(OSError):  # somebody else put a file there
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError):
            raise failure(str(spec), error) from None
        raise
