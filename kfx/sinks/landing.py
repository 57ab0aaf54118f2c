"""Output that appears under its own name only when it is whole."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from kfx.errors import KfxError
from kfx.writing import failure

__all__ = ["Landing", "check_not_read", "exists", "failure", "nothing"]


def exists(spec: str, what: str = "") -> KfxError:
    return KfxError(f"{spec}: {what + ' ' if what else ''}exists; add --force to replace it")


def check_not_read(spec: str, *read: str | None) -> None:
    """Raise `KfxError` where `spec` is one of the files `read`: not even --force is for that."""
    for one in read:
        if one and os.path.realpath(one) == os.path.realpath(spec):
            raise KfxError(f"{spec}: is what is read; write to another name")


def nothing(spec: str) -> KfxError:
    return KfxError(f"{spec}: no frame came, so no file was written; check the source and the cut")


class Landing:
    """A hidden place beside `target`; `land` moves it there, `discard` removes every trace.

    Folders that are missing are made, and unmade by `discard`.
    """

    def __init__(self, spec: str, target: Path, *, folder: bool = False) -> None:
        self.spec, self.target = spec, target
        folders = (target.parent, *target.parent.parents)
        self._made = [p for p in folders if not os.path.exists(p)]
        name = f".{target.stem}.{secrets.token_hex(4)}.part{'' if folder else target.suffix}"
        self.path = target.with_name(name.replace("%", "_"))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if folder:
                self.path.mkdir()
            else:
                self.path.touch(exist_ok=False)
        except OSError as error:
            self.discard()
            raise failure(spec, error) from None

    def land(self) -> None:
        """Rename to the target, replacing what is there. For a folder: move every file up."""
        try:
            if not self.path.is_dir():
                os.replace(self.path, self.target)
                return
            for file in sorted(self.path.iterdir()):
                os.replace(file, self.target.with_name(file.name))
            self.path.rmdir()
        except OSError as error:
            raise failure(self.spec, error) from None

    def discard(self) -> None:
        if os.path.isdir(self.path):
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            self.path.unlink()
        with suppress(OSError):  # somebody else put a file there
            for folder in self._made:
                folder.rmdir()
