"""Faces in a frame: a finder gives raw landmarks, `Tracker` gives them slots and calm.

A finder is one file in `kfx/tracking/finders`, named as users name it, with
``open_finder(max_faces) -> Finder``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol

from kfx.errors import UsageError
from kfx.types import MAX_FACES, Frame, Landmarks


class Finder(Protocol):
    """Finds raw landmarks. Stateful: give it the frames of one take in order.

    Must: return one (478, 3) float32 array per face in pixels of the whole frame, in any order,
    without duplicates; never raise over a picture. `reset` is called where another take begins.
    Should: have ``look_about()``, called at a cut, where faces are searched for now and then only;
    have ``guesses_depth = True`` where z is less sure than x and y, so that z and pose follow from
    the shape of each performer's head, which the tracker then learns.
    """

    def find(self, frame: Frame) -> list[Landmarks]: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


def finder_names() -> list[str]:
    """The finders there are: the files of `kfx/tracking/finders`."""
    folder = Path(__file__).parent / "finders"
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


def open_finder(name: str, max_faces: int = MAX_FACES) -> Finder:
    """Raises `UsageError` for an unknown name, `KfxError` if its library is missing."""
    if name not in finder_names():
        raise UsageError(f"tracker {name!r} is unknown; there are " + ", ".join(finder_names()))
    finder: Finder = import_module(f"kfx.tracking.finders.{name}").open_finder(max_faces)
    return finder
