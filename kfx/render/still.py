"""What a held picture is: the stills, where their faces lie now, and the mouths set into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kfx.types import Face, Matte, Pixels

View = tuple[float, float, float]
"""Scale, then x and y shift in pixels: where a point of the still lies in the frame."""

AS_TAKEN: View = (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A frame of the past that stays, and one face in it as it was tracked."""

    pixels: Pixels
    face: Face
    matte: Matte | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """A mouth cut out of a live frame: `lips` (20, 2) is its inner contour in `pixels`."""

    pixels: Pixels
    lips: npt.NDArray[np.float32]
    tone: npt.NDArray[np.float32]  # (3,) brings its light to that of the still


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a motion effect holds at a tick; everything by slot.

    If `whole`, the frame is the still seen through `view`. Otherwise the frame stays live and only
    faces are drawn from their stills. `placed` are the faces where they lie in this frame, with
    the expression of the still. `matte` is the still's person matte, seen through `view` too.
    """

    whole: bool
    stills: Mapping[int, Still]
    placed: Mapping[int, Face]
    mouths: Mapping[int, Mouth] = field(default_factory=dict)
    view: View = AS_TAKEN
    matte: Matte | None = None
