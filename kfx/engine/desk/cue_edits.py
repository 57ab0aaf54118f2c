"""Edits of a running show's cues: saved to its file at once, played from the next frame on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfx import shows, writing
from kfx.errors import KfxError, UsageError
from kfx.shows import Timeline, editing

MOST = 100  # steps that are kept
Edit = Callable[[str], str]


class CueEdits:
    """`played` gets the show after each edit. Any thread may call; each raises `KfxError`.

    What was written to the file meanwhile is kept: an edit is made in the text as it lies there.
    A show that couldn't be played isn't written.
    """

    def __init__(self, path: str, played: Callable[[Timeline], None]) -> None:
        self._path, self._played = Path(path), played
        self._lock = threading.Lock()
        self._before: list[tuple[str, str]] = []  # texts before and after each step
        self._after: list[tuple[str, str]] = []

    @property
    def steps(self) -> tuple[int, int]:
        """How many can be undone and redone."""
        return len(self._before), len(self._after)

    def add(self, said: str) -> None:
        """A cue more, as one line of TOML."""
        values = editing.fields_of(said)
        self._edit(lambda text: editing.added(text, str(self._path), values))

    def change(self, said: str) -> None:
        """``3 at = "10:1"``: the number of a cue in the file, and what is said of it anew."""
        first, _, rest = said.strip().partition(" ")
        number, values = _number(first), editing.fields_of(rest)
        self._edit(lambda text: editing.changed(text, str(self._path), number, values))

    def remove(self, number: int) -> None:
        """A cue less."""
        self._edit(lambda text: editing.removed(text, str(self._path), number))

    def undo(self, _: Any = True) -> None:
        """Take back the last edit."""
        self._back(self._before, self._after, "undo")

    def redo(self, _: Any = True) -> None:
        """Do again what the last undo took back."""
        self._back(self._after, self._before, "redo")

    def _edit(self, edit: Edit) -> None:
        with self._lock:
            before = self._read()
            after = edit(before)
            if after == before:
                return
            timeline = self._written(after)
            self._before = [*self._before[-MOST + 1 :], (before, after)]
            self._after.clear()
            self._played(timeline)

    def _back(self, steps: list[tuple[str, str]], others: list[tuple[str, str]], verb: str) -> None:
        with self._lock:
            if not steps:
                raise UsageError(f"cue/{verb}: there is nothing to {verb}")
            to, here = steps[-1] if verb == "undo" else steps[-1][::-1]
            if self._read() != here:
                raise UsageError(f"{self._path}: somebody has changed it since; edit it there")
            timeline = self._written(to)
            others.append(steps.pop())
            self._played(timeline)

    def _written(self, text: str) -> Timeline:
        """The show, once it was found to be playable and lies in its file."""
        timeline = shows.build(shows.read(text, str(self._path)))
        writing.write(self._path, text)
        return timeline

    def _read(self) -> str:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise KfxError(f"{self._path}: can't be read: {error}") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise UsageError(f"{text[:40]!r} is no number of a cue; the first in the file is 0")
    return int(text)
