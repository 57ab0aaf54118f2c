"""A piece of a frame with a face in it, as small as it can be, to be shown elsewhere or later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kfx import canonical as c
from kfx.types import Face, Landmarks, Pixels, freeze

STEP_PX = 64  # sizes are multiples of this, or each would need a texture of its own
_BESIDE_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """`face` lies in `pixels` as it did in the frame."""

    pixels: Pixels
    face: Face


def cut(pixels: Pixels, face: Face, *, longest: int = 0, mirrored: bool = False) -> Patch | None:
    """The face cut out of its frame; None where none of it is in the frame.

    With `longest` it is made smaller until no side is longer. `mirrored`: the picture is turned
    over, and each landmark lies where its counterpart on the other side of the face was.
    """
    import cv2

    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = face.box
    if not np.isfinite(face.landmarks).all():
        return None
    x0, x1 = (int(np.clip(one, 0, width)) for one in (x0 - _BESIDE_PX, x1 + _BESIDE_PX))
    y0, y1 = (int(np.clip(one, 0, height)) for one in (y0 - _BESIDE_PX, y1 + _BESIDE_PX))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    piece = pixels[y0:y1, x0:x1]
    landmarks: Landmarks = face.landmarks - np.float32([x0, y0, 0.0])
    by = min(1.0, longest / max(piece.shape[:2])) if longest else 1.0
    if by < 1.0:
        piece = cv2.resize(
            np.ascontiguousarray(piece), None, fx=by, fy=by, interpolation=cv2.INTER_AREA
        )
        landmarks = landmarks * np.float32(by)
    if mirrored:
        piece = piece[:, ::-1]
        landmarks = landmarks[c.canonical().mirror.astype(int)].copy()
        landmarks[:, 0] = piece.shape[1] - landmarks[:, 0]
    high, wide = piece.shape[:2]
    room = np.zeros((-(-high // STEP_PX) * STEP_PX, -(-wide // STEP_PX) * STEP_PX, 4), np.uint8)
    room[:high, :wide] = piece
    # What is sampled a little beside the piece is more of the same, not black.
    room[high : high + 2, :wide] = piece[-1]
    room[:high, wide : wide + 2] = piece[:, -1:]
    placed = replace(face, landmarks=freeze(landmarks.astype(np.float32)), iod=face.iod * by)
    return Patch(freeze(room), placed)
