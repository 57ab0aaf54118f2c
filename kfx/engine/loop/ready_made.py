"""What one who stands by makes before it is needed: modules loaded, a GL context, a tracker.

A running engine tells what it is made of (`leave`), and whoever stands by makes the same, as far
as it needs neither camera nor port (`make`). Once it is the engine it finds them here (`gpu`,
`tracker`); one that had no time to stand by makes its own. It pauses longer than it works, since
the show is on. A low priority isn't for this: it can't be given up again once the show needs it,
and a thread that has it holds up the others (seen: 22 s to the next picture).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kfx import clock

if TYPE_CHECKING:
    from kfx.render.gpu import Gpu
    from kfx.tracking.tracker import Tracker

FILE = "made-of"  # in the supervisor's folder
PAUSES = 2.0  # times as long as the step before
LONGEST_S = 0.2  # of a pause

_gpus: list[Gpu] = []
_trackers: dict[tuple[str, bool], Tracker] = {}


@dataclass(frozen=True)
class MadeOf:
    """What a running engine consists of; `size` of its picture, None before there is one."""

    modules: tuple[str, ...] = ()
    tracker: str = ""
    size: tuple[int, int] | None = None


def leave(folder: str | Path, made_of: MadeOf) -> None:
    """Tell who stands by what an engine is made of. Raises `OSError`."""
    part = Path(folder) / f"{FILE}.part"
    part.write_text(json.dumps(asdict(made_of)), encoding="utf-8")
    os.replace(part, Path(folder) / FILE)


def told(folder: str | Path) -> bool:
    """Whether the running engine has told what it is made of."""
    return (Path(folder) / FILE).exists()


def left(folder: str | Path) -> MadeOf:
    """What the running engine is made of; of nothing where it hasn't told."""
    try:
        said = json.loads((Path(folder) / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return MadeOf()
    return MadeOf(tuple(said["modules"]), said["tracker"], said["size"] and tuple(said["size"]))


def make(made_of: MadeOf, called: Callable[[float], bool]) -> None:
    """Load the modules of an engine and make what takes long, in the thread that will draw.

    `called` waits so many seconds for being needed, and ends this. What can't be made is left to
    the engine, which will say why.
    """
    for step in _steps(made_of):
        began = clock.now()
        with contextlib.suppress(Exception):
            step()
        if called(min(PAUSES * (clock.now() - began), LONGEST_S)):
            return


def _steps(made_of: MadeOf) -> Iterator[Callable[[], object]]:
    # The latest first: those before them that they need come along, in smaller portions.
    for name in reversed(made_of.modules):
        if name not in sys.modules:
            yield partial(import_module, name)
    if made_of.size is not None:
        yield _make_gpu
        yield partial(_make_tracker, made_of.tracker, made_of.size)


def gpu() -> Gpu:
    """A GL context of the calling thread's, made beforehand where there is one."""
    from kfx.render.gpu import Gpu

    return _gpus.pop() if _gpus else Gpu()


def tracker(name: str, *, blendshapes: bool) -> Tracker:
    """A tracker that has seen nothing, made beforehand where there is one."""
    from kfx.tracking.tracker import Tracker

    return _trackers.pop((name, blendshapes), None) or Tracker(name, blendshapes=blendshapes)


def _make_gpu() -> None:
    from kfx.render.gpu import Gpu

    _gpus.append(Gpu())


def _make_tracker(name: str, size: tuple[int, int]) -> None:
    """MediaPipe does half its loading with the first picture."""
    from fractions import Fraction

    import numpy as np

    from kfx.tracking.tracker import Tracker
    from kfx.types import Frame

    made = Tracker(name, blendshapes=True)
    black = np.zeros((size[1], size[0], 4), np.uint8)
    made.track(Frame(black, 0, Fraction(0), 0.0, truth=()))
    made.reset()
    _trackers[name, True] = made
