"""What a shader may ask for beside the picture of the moment: a history of it, and buses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfx.errors import KfxError

MOST_HISTORY = 600  # frames


@dataclass(frozen=True, slots=True)
class History:
    """How many of the last pictures are kept, and how many lines each has."""

    frames: int = 48
    height: int = 270


@dataclass(frozen=True, slots=True)
class Buses:
    """What the small pictures show that other effects of a chain are drawn onto."""

    crop: str = "frame"  # or "head": a square about the largest face
    height: float = 0.5  # of the frame's, so many lines each has
    turns: int = 1  # each is drawn in every so manieth picture, in turns


def history(path: Path, entry: Any) -> History:
    entry = entry if isinstance(entry, dict) else {}
    frames, height = entry.get("frames", 48), entry.get("height", 270)
    for name, value, most in (("frames", frames, MOST_HISTORY), ("height", height, 2160)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise KfxError(f"{path}: KFX history {name}: {value!r} is outside 1..{most}")
    return History(frames, height)


def buses(path: Path, entry: Any) -> Buses:
    entry = entry if isinstance(entry, dict) else {}
    crop, height = entry.get("crop", "frame"), entry.get("height", 0.5)
    if crop not in ("frame", "head"):
        raise KfxError(f"{path}: KFX buses crop: {crop!r} is none of frame, head")
    if isinstance(height, bool) or not isinstance(height, int | float) or not 0.05 <= height <= 1:
        raise KfxError(f"{path}: KFX buses height: {height!r} is outside 0.05..1")
    turns = entry.get("turns", 1)
    if isinstance(turns, bool) or not isinstance(turns, int) or not 1 <= turns <= 4:
        raise KfxError(f"{path}: KFX buses turns: {turns!r} is outside 1..4")
    return Buses(crop, float(height), turns)
