"""The canonical face: kfx's own mesh, UVs and landmark groups (models/canonical_face.npz)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import assets
from kfx.types import freeze

Indices = npt.NDArray[np.uint16]

RIGHT_IRIS, LEFT_IRIS = 468, 473  # centres; each is followed by its four ring points
RIGHT_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
OUTER_LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    *(375, 321, 405, 314, 17, 84, 181, 91, 146),
)
INNER_LIPS = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    *(324, 318, 402, 317, 14, 87, 178, 88, 95),
)
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
BROWS = (
    *(70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    *(300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
# Points that hardly move with expression: they carry pose and identity.
RIGID = (
    *(33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358, 122, 351),
    *(234, 454, 127, 356, 10, 151, 9, 8, 109, 338, 67, 297, 54, 284, 21, 251, 162, 389),
)


@dataclass(frozen=True)
class Canonical:
    """`vertices` (478, 3) in iod, x to the subject's left, y down, z away; `uv` (478, 2), v up."""

    vertices: npt.NDArray[np.float32]
    uv: npt.NDArray[np.float32]
    triangles: Indices  # (852, 3) skin and lips
    eye_triangles: Indices  # (28, 3)
    mouth_triangles: Indices  # (18, 3)
    mirror: Indices  # (478,) the landmark on the other side


@cache
def canonical() -> Canonical:
    """The canonical face, read once."""
    with np.load(assets.folder("models") / "canonical_face.npz") as data:
        return Canonical(**{name: freeze(data[name]) for name in data.files})
