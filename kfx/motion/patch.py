"""A piece of a frame with a face in it, as small as it can be, to be shown elsewhere or later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.types import Face, Landmarks, Matte, Pixels, freeze

STEP_PX = 64  # sizes are multiples of this, or each would need a texture of its own
_BESIDE_PX = 4
MATTE_LEVELS = (90, 230)  # over which it comes in: a matte's own edge has background in it
FRAME_EDGE_IOD = 0.4  # over which hair and neck fade where the frame cuts them off


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """`face` lies in `pixels` as it did in the frame."""

    pixels: Pixels
    face: Face


def cut(
    pixels: Pixels,
    face: Face,
    *,
    longest: int = 0,
    mirrored: bool = False,
    around_iod: float = 0.0,
    matte: Matte | None = None,
) -> Patch | None:
    """The face cut out of its frame; None where none of it is in the frame.

    With `longest` it is made smaller until no side is longer. `mirrored`: the picture is turned
    over, and each landmark lies where its counterpart on the other side of the face was. So much
    as `around_iod` is cut out with it, and the frame's person `matte` becomes the alpha.
    """
    import cv2

    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = face.box
    if not np.isfinite(face.landmarks).all():
        return None
    more = around_iod * face.iod + _BESIDE_PX
    ends = (x0 - more, x1 + more, y0 - more, y1 + more)
    x0, x1 = (int(np.clip(one, 0, width)) for one in ends[:2])
    y0, y1 = (int(np.clip(one, 0, height)) for one in ends[2:])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    piece = pixels[y0:y1, x0:x1]
    if matte is not None:
        piece = piece.copy()
        whole = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
        soft = np.float32(FRAME_EDGE_IOD * max(face.iod, 1.0))
        x, y = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
        beside = [_ramp(x - x0, soft, ends[0] < 0), _ramp(x1 - 1 - x, soft, ends[1] > width)]
        over = [_ramp(y - y0, soft, ends[2] < 0), _ramp(y1 - 1 - y, soft, ends[3] > height)]
        seen = np.minimum(*over)[:, None] * np.minimum(*beside)
        sure = (whole[y0:y1, x0:x1] - np.float32(MATTE_LEVELS[0])) * np.float32(
            255.0 / (MATTE_LEVELS[1] - MATTE_LEVELS[0])
        )
        piece[..., 3] = np.clip(sure, 0.0, 255.0) * seen
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


def _ramp(away_px: npt.NDArray[np.float32], soft: np.float32, fades: bool) -> Any:
    """0 at an edge to 1 from `soft` pixels on, or 1 all over."""
    return np.clip(away_px / soft, 0.0, 1.0) if fades else np.ones_like(away_px)
