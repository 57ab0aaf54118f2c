"""Shaders that nobody has drawn yet are tried in a process apart before a show draws them.

An endless loop would hang the driver, and the show with it. What comes with kfx is known to draw,
unless its file was changed since kfx began.
"""

from __future__ import annotations

import threading
from pathlib import Path

from kfx import assets, clock
from kfx.presets import Preset
from kfx.render import canary

SIZE = (320, 180)  # a loop without an end has none at any size
LIMIT_S = 5.0

_Mark = tuple[str, int, int]
_began = clock.wall()
_proven: set[_Mark] = set()
_lock = threading.Lock()


def prove(preset: Preset) -> None:
    """Raises `KfxError` that names the first shader which doesn't compile, hangs or crashes.

    From any thread but the one that draws: a new file takes some hundred milliseconds, the first
    one of all a second or two.
    """
    with _lock:
        for link in preset.chain:
            if link.effect.kind != "shader":
                continue
            path = Path(link.effect.where)
            mark = _mark(path)
            if mark is None or mark in _proven:
                continue
            if not _comes_with_kfx(path):
                canary.prove([path], SIZE, LIMIT_S)
            _proven.add(mark)


def _mark(path: Path) -> _Mark | None:
    try:
        stat = path.stat()
    except OSError:  # gone: opening it says so
        return None
    return str(path), stat.st_mtime_ns, stat.st_size


def _comes_with_kfx(path: Path) -> bool:
    return (
        path.resolve().parent == assets.folder("shaders").resolve()
        and path.stat().st_mtime < _began
    )
