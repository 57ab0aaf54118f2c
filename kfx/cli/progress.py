"""A progress bar with frames, speed and time left; plain lines where there is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from kfx import clock

PLAIN_EVERY_S = 5.0


class Bar:
    """``with Bar("out.mp4") as bar: render(…, progress=bar)``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._told = clock.now()
        self._first: tuple[float, int] | None = None
        console = Console(file=sys.stderr)
        self._rich: Progress | None = None
        if console.is_terminal:
            self._rich = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[fps]:.3g} fps"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
            )
            self._task: Any = self._rich.add_task(title, total=None, fps=0.0)

    def __enter__(self) -> Bar:
        if self._rich:
            self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        if self._rich:
            self._rich.stop()

    def __call__(self, done: int, total: int | None) -> None:
        now = clock.now()
        if self._first is None:  # opening and compiling took long and say nothing of the rest
            self._first = now, done
        started, before = self._first
        fps = (done - before) / max(1e-6, now - started)
        if self._rich:
            self._rich.update(self._task, completed=done, total=total, fps=fps)
        elif now - self._told > PLAIN_EVERY_S:
            self._told = now
            speed = f", {fps:.3g} fps" if fps else ""
            left = f", {(total - done) / fps:.0f} s left" if total and fps else ""
            of = f" of {total}" if total else ""
            print(f"{self._title}: {done}{of} frames{speed}{left}", file=sys.stderr)
