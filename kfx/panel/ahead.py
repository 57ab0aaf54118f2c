"""Has looks and effects pictured before they are chosen, by a process that disturbs nobody."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODULE = "kfx.panel.stills"
MOST_FALLS = 3  # of the process, each on another look, before it is left alone


class Ahead:
    """`begin` it once somebody looks; `heard` is called from a thread when there is news.

    `folder` is where one's own looks lie, `cache` where pictures are kept from show to show.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.heard: Callable[[], None] = lambda: None
        self.files: dict[tuple[str, str], Path] = {}
        """(look or effect, name) → its picture."""
        self.left: int | None = None
        """How many are still to be drawn; None before that is known."""
        self.fault = ""
        self._folder, self._cache = folder, cache
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._skip: list[str] = []
        self._at = ""
        self._over = self._again = self._began = False

    def begin(self) -> None:
        """Start, the first time."""
        if not self._began:
            self._began = True
            self._start()

    def again(self) -> None:
        """Looks came or have changed."""
        with self._lock:
            if self._process is not None:
                self._again = True  # when it is through
                return
        if self._began:
            self._start()

    def versions(self, kind: str) -> dict[str, str]:
        """Name → what changes when its picture does."""
        return {name: path.stem[:8] for (of, name), path in tuple(self.files.items()) if of == kind}

    def get(self, kind: str, name: str) -> bytes | None:
        """The picture as JPEG."""
        path = self.files.get((kind, name))
        try:
            return path.read_bytes() if path else None
        except OSError:  # the cache was emptied
            return None

    def close(self) -> None:
        """End the process. May be called twice."""
        with self._lock:
            self._over = True
            process = self._process
        if process is not None:
            process.kill()

    def _start(self) -> None:
        skip = [word for one in self._skip for word in ("--skip", one)]
        command = [sys.executable, "-m", MODULE, str(self._folder), str(self._cache)]
        one_thread = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        with self._lock:
            if self._over:
                return
            try:
                self._process = subprocess.Popen(
                    [*command, *skip],
                    stdin=subprocess.PIPE,  # it ends when this does, however kfx ends
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **one_thread, "PYTHONPATH": path},
                    text=True,
                    encoding="utf-8",
                    start_new_session=True,  # Ctrl-C is for the show
                )
            except OSError as error:
                self.fault = str(error)
                return
            if sys.platform != "win32":  # at once, not when it gets to it: a page is being opened
                with contextlib.suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, self._process.pid, 19)
        threading.Thread(
            target=self._listen, args=(self._process,), name="kfx-panel-ahead", daemon=True
        ).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process:
            for line in process.stdout:
                self._hear(json.loads(line))
                self.heard()
        with self._lock:
            self._process = None
            again, self._again = self._again or bool(process.returncode), False
            if self._over:
                return
        if process.returncode:  # a driver fell over this one: do without it
            self._skip.append(self._at)
            if len(self._skip) > MOST_FALLS or not self._at:
                self.fault, self.left, again = f"ended by {process.returncode}", 0, False
                self.heard()
        if again:
            self._start()

    def _hear(self, said: dict[str, Any]) -> None:
        if "file" in said:
            self.files[(said["kind"], said["name"])] = Path(said["file"])
        else:
            self.left, self._at = said["left"], said.get("at", "")


def cache_folder() -> Path:
    """Where pictures are kept, by the custom of the system."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "kfx" / "thumbnails"
