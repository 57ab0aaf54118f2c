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
    """A picture, mostly a frame of the past, and one face in it as it was tracked.

    For a face that is set into another picture `cover` (478,) says how opaque it is at each
    landmark, by default nothing on the oval and all inside; `tint` (478, 6) brings its light to
    that of where it is set in: factors of red, green and blue, then what is added, 0..1. What is
    laid over a face may lie elsewhere: `away` (478, 3) pixels from where the face is driven.
    `around` 0..1 is how opaque hair and neck come along with a face that is set in; the picture's
    alpha says where they are.
    """

    pixels: Pixels
    face: Face
    matte: Matte | None = None
    cover: npt.NDArray[np.float32] | None = None
    tint: npt.NDArray[np.float32] | None = None
    away: npt.NDArray[np.float32] | None = None
    around: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """A mouth cut out of a live frame: `lips` (20, 2) is its inner contour in `pixels`."""

    pixels: Pixels
    lips: npt.NDArray[np.float32]
    tone: npt.NDArray[np.float32]  # (3,) brings its light to that of the still
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a motion effect holds at a tick; everything by slot.

    If `whole`, the frame is the still seen through `view`. Otherwise the frame stays live and only
    faces are drawn from their stills. `placed` are the faces where they lie in this frame, with
    the expression of the still. `matte` is the still's person matte, seen through `view` too.
    `under` are faces set in before those of `stills`, at the same place: half of a morph.
    A whole still may be on its way to the next one: `flow` (h, w, 2), coarse, says how far each
    of its parts has moved, in pixels; `placed` lie where that has taken them.
    """

    whole: bool
    stills: Mapping[int, Still]
    placed: Mapping[int, Face]
    mouths: Mapping[int, Mouth] = field(default_factory=dict)
    view: View = AS_TAKEN
    matte: Matte | None = None
    under: Mapping[int, Still] = field(default_factory=dict)
    flow: npt.NDArray[np.float32] | None = None
