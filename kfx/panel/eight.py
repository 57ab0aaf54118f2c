"""The eight looks within reach: large on a tablet, on the keys 1 to 8, the same in every page."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from kfx.errors import UsageError

MOST = 8
LONGEST = 64  # letters of a name


class Eight:
    """`names` in their order; fewer than eight leave room for the first of the library."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.names: tuple[str, ...] = _read(file)

    def choose(self, names: Sequence[object]) -> None:
        """Raises `UsageError` for what are no eight looks."""
        chosen = tuple(one for one in names if isinstance(one, str) and 0 < len(one) <= LONGEST)
        if len(chosen) != len(names) or len(set(chosen)) != len(chosen):
            raise UsageError("looks are chosen by name, each once")
        if len(chosen) > MOST:
            raise UsageError(f"there are {MOST} places; take another look away first")
        self.names = chosen
        if self._file is None:
            return
        part = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):  # then they are chosen until kfx ends
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps(chosen), encoding="utf-8")
            os.replace(part, self._file)


def _read(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
        return tuple(dict.fromkeys(one for one in names if isinstance(one, str)))[:MOST]
    except (OSError, ValueError, TypeError):
        return ()
