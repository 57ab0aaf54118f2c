"""Shaders that nobody has drawn yet are tried in a process apart before a show draws them.

An endless loop would hang the driver, and the show with it. A live look compiles every chain by way
of `built`, so whatever a look comes from (a load, a cue, an edit, undo), nothing untried is drawn;
who can wait and wants to be told calls `prove` first. What comes with kfx is known to draw, unless
its file was changed since kfx began.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kfx import assets, clock
from kfx.errors import KfxError
from kfx.presets import Link, Preset
from kfx.render import canary
from kfx.render.isf import Shader

if TYPE_CHECKING:
    from kfx.engine.look.chain import Chain

SIZE = (320, 180)  # a loop without an end has none at any size
LIMIT_S = 5.0

_began = clock.wall()
_proven: set[str] = set()
_lock = threading.Lock()


def prove(preset: Preset) -> None:
    """Raises `KfxError` that names the first shader which doesn't compile, hangs or crashes.

    From any thread but the one that draws: a new file takes some hundred milliseconds, the first
    one of all a second or two.
    """
    if not _untried(preset):
        return
    with _lock:
        for mark, link in _untried(preset).items():
            canary.prove([link.effect.source], SIZE, LIMIT_S, _knobs(link))
            _proven.add(mark)


def proven() -> frozenset[str]:
    """What was tried, for an engine after this one to `trust`."""
    return frozenset(_proven)


def trust(marks: Iterable[str]) -> None:
    """These were tried already, by the engine before this one."""
    _proven.update(marks)


def built(chain: Chain) -> Iterator[None]:
    """What `Chain.build` does, once its shaders are proven: a step a frame, and none waits.

    Raises `KfxError`, as `prove` does too.
    """
    if _untried(chain.preset):
        yield from _proven_apart(chain.preset)
    yield from chain.build()


def _proven_apart(preset: Preset) -> Iterator[None]:
    faults: list[Exception] = []

    def run() -> None:
        try:
            prove(preset)
        except Exception as error:  # for the thread that draws
            faults.append(error)

    thread = threading.Thread(target=run, name="kfx-proof", daemon=True)
    thread.start()
    while thread.is_alive():
        yield
    if faults:
        raise faults[0] if isinstance(faults[0], KfxError) else KfxError(repr(faults[0]))


def _untried(preset: Preset) -> dict[str, Link]:
    """The links whose shaders nobody has drawn, by what marks their text."""
    found = {}
    for link in preset.chain:
        if link.effect.kind == "shader" and not _comes_with_kfx(link.effect.source):
            mark = _mark(link.effect.source)
            if mark not in _proven:
                found[mark] = link
    return found


def _mark(shader: Shader) -> str:
    """The same in every process, for the same text."""
    said = (shader.body, shader.vertex_text, shader.passes, shader.imported, shader.inputs)
    return hashlib.sha256(repr((str(shader.path), said, shader.knobs)).encode()).hexdigest()


def _knobs(link: Link) -> dict[str, Any]:
    return {name: value for name, value in link.values.items() if name not in ("mix", "seed")}


def _comes_with_kfx(shader: Shader) -> bool:
    files = (shader.path, *([shader.vertex] if shader.vertex else []))
    try:
        own = shader.path.parent.samefile(assets.folder("shaders"))
        return own and all(path.stat().st_mtime < _began for path in files)
    except OSError:  # gone: it isn't known to be as it was
        return False
