"""Watches a preset's files, so that what an editor saves is what is seen.

A file counts once it has stood still for one look at it, so one that is half written is waited
for. A fault is only told when the file has stood still for longer.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from kfx import presets
from kfx.errors import KfxError
from kfx.params import File
from kfx.presets import Preset

POLL_S = 0.02
FAULT_POLLS = 10  # a broken file has stood still for so many polls before it is told,
EMPTY_POLLS = 100  # an empty one for so many: somebody is about to write it
RETRY_POLLS = 25

_Mark = tuple[int, int, int] | None


class Reload:
    """``with Reload(name, on_change, on_fault):`` tells of every valid save, and of faults once.

    `on_change` gets the preset and whether a file beside it has changed (a shader, a LUT), so
    that what was compiled of it is stale: ``look.change(preset, rebuild=rebuild)``. Both are
    called in the watching thread.
    """

    def __init__(
        self,
        name: str,
        on_change: Callable[[Preset, bool], None],
        on_fault: Callable[[str], None],
    ) -> None:
        """`name` as `presets.load` takes it."""
        self._name = name
        self._on_change = on_change
        self._on_fault = on_fault
        self._main = Path(name) if name.endswith(".fs") else presets.path_of(name)
        self._known = self._hashes(self._load(name))
        self._marks = self._stat()
        self._told = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kfx-reload", daemon=True)

    def __enter__(self) -> Reload:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        settled, still = True, 0
        while not self._stop.wait(POLL_S):
            marks = self._stat()
            if marks != self._marks:
                self._marks, settled, still = marks, False, 0
                continue
            still += 1
            emptied = any(mark is not None and mark[1] == 0 for mark in marks.values())
            last = EMPTY_POLLS if emptied else FAULT_POLLS
            if not settled and still in (1, last):
                settled = self._try(tell=still == last)
            elif self._told and still % RETRY_POLLS == 0:  # a file it missed may be there now
                self._try(tell=False)

    def _try(self, *, tell: bool) -> bool:
        """Load what is there; True if that is settled, for good or with a fault told."""
        try:
            preset = self._load(self._name)
            known = self._hashes(preset)
        except Exception as error:  # whatever is in the file, the show goes on
            text = str(error) if isinstance(error, KfxError) else f"{self._name}: {error!r}"
            if tell and text != self._told:
                self._told = text
                self._on_fault(text)
            return tell
        self._told = ""
        main = str(self._main)
        if known != self._known:
            others = {path for path in known if path != main and path in self._known}
            rebuild = any(known[path] != self._known[path] for path in others)
            if self._name.endswith(".fs"):
                rebuild = True
            self._known, self._marks = known, self._stat(known)
            self._on_change(preset, rebuild)
        return True

    def _load(self, name: str) -> Preset:
        return presets.load(name)

    def _hashes(self, preset: Preset) -> dict[str, str]:
        """What is in the preset's file and every file that it uses."""
        paths = dict.fromkeys([str(self._main), *files_of(preset)])
        return {path: _hash(Path(path)) for path in paths}

    def _stat(self, known: Iterable[str] | None = None) -> dict[str, _Mark]:
        return {path: _mark(Path(path)) for path in (known or self._known)}


def files_of(preset: Preset) -> list[str]:
    """All that a preset's chain is made of: shaders, nets with cards, pictures, LUTs."""
    found: list[str] = []
    for link in preset.chain:
        if link.effect.kind == "shader":
            shader = link.effect.source
            found.append(link.effect.where)
            found += [str(shader.vertex)] if shader.vertex else []
            found += [str(path) for one in shader.imported.values() for path in one.paths]
        if link.effect.kind == "net":
            card = link.effect.source
            found += [str(card.path), *([card.where] if card.where else [])]
        for name, knob in link.effect.knobs.items():
            if isinstance(knob, File) and link.values[name]:
                found.append(str(link.values[name]))
    return list(dict.fromkeys(found))


def _mark(path: Path) -> _Mark:
    try:
        stat = path.stat()
    except OSError:  # an editor that writes a new file and renames it over the old one
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror or error}") from error
