"""How a whole picture has moved since a net saw it: optical flow on a small copy."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.neural.aligned import Affine, apply, inverse

Grey = npt.NDArray[np.uint8]  # (h, w)
Flow = npt.NDArray[np.float32]  # (h, w, 3), see `kfx.render.reflow`

LONGEST = 320  # pixels of the small copy's longer side
SHARP = 0.7  # crops that are smaller than so much of the picture are averaged
WRONG = (14.0, 36.0)  # grey levels: a flow whose ends differ so much isn't believed
GUARD = (0.15, 0.6)  # of the person matte: neither is one that crosses a person's edge


def small_size(frame: tuple[int, int]) -> tuple[int, int]:
    """The size of the small copy for frames of a size."""
    scale = min(1.0, LONGEST / max(frame))
    width, height = (max(16, round(side * scale)) for side in frame)
    return width, height


def grey(picture: npt.NDArray[np.uint8]) -> Grey:
    """The luma of a picture (h, w, 4)."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGBA2GRAY), np.uint8)


def cut(picture: npt.NDArray[np.uint8], to_crop: Affine, size: tuple[int, int]) -> Grey:
    """The luma of a crop of a picture (h, w, 4), averaged where it becomes smaller."""
    scale = float(np.sqrt(abs(to_crop[0, 0] * to_crop[1, 1] - to_crop[0, 1] * to_crop[1, 0])))
    times = 1 if scale > SHARP else 2
    back = inverse(to_crop)
    corners = apply(back, np.array([(0, 0), (size[0], 0), (0, size[1]), size], np.float32))
    (x0, y0), (x1, y1) = corners.min(axis=0) - 3, corners.max(axis=0) + 4
    height, width = picture.shape[:2]
    left, top = (min(max(0, int(at)), side - 1) for at, side in ((x0, width), (y0, height)))
    right, low = max(left + 1, min(width, int(x1))), max(top + 1, min(height, int(y1)))
    part = cv2.cvtColor(picture[top:low, left:right], cv2.COLOR_RGBA2GRAY)
    # OpenCV counts pixels from their middles, kfx from their corners.
    moved = times * to_crop
    moved[:, 2] += moved[:, :2] @ (left + 0.5, top + 0.5) - 0.5
    large = cv2.warpAffine(
        part, moved, (times * size[0], times * size[1]), borderMode=cv2.BORDER_REPLICATE
    )
    if times > 1:
        large = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    return np.asarray(large, np.uint8)


class Motion:
    """DIS optical flow (Kroeger et al. 2016) from now back to then. Keeps its buffers."""

    def __init__(self) -> None:
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setVariationalRefinementIterations(0)  # `WRONG` tells where that would matter
        self._grids: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}

    def between(
        self,
        now: Grey,
        then: Grey,
        person_now: npt.NDArray[np.uint8] | None = None,
        person_then: npt.NDArray[np.uint8] | None = None,
    ) -> Flow:
        """Where each point of `now` was in `then`, and how sure that is.

        Less sure is what looks different there, and what would carry a person's pixels onto the
        background or the other way, told by the person mattes (any size) of both moments.
        """
        height, width = now.shape
        flow = self._dis.calc(now, then, None)
        places = self._grid(now.shape) + flow
        seen = cv2.remap(then, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # The light may have changed as a whole; what counts is what differs beyond that, and
        # over areas: half the size tells it.
        half = (max(8, width // 2), max(8, height // 2))
        away = cv2.resize(now, half, interpolation=cv2.INTER_AREA).astype(np.float32)
        away -= cv2.resize(seen, half, interpolation=cv2.INTER_AREA)
        away = cv2.absdiff(cv2.blur(away - cv2.blur(away, (31, 31)), (3, 3)), 0.0)
        sure = cv2.resize(1.0 - _rise(away, *WRONG), (width, height))
        if person_now is not None and person_then is not None:
            a, b = (
                cv2.resize(one, (width, height)).astype(np.float32) / 255.0
                for one in (person_now, person_then)
            )
            b = cv2.remap(b, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            sure = sure * (1.0 - _rise(np.abs(a - b), *GUARD))
        out = np.empty((height, width, 3), np.float32)
        out[..., :2] = flow / np.array([width, height], np.float32)
        out[..., 2] = cv2.blur(sure, (5, 5))
        return out

    def onwards(self, first: Flow, then: Flow) -> Flow:
        """Where each point was before `then`, of which `first` tells where it was afterwards."""
        height, width = first.shape[:2]
        places = self._grid(first.shape[:2]) + first[..., :2] * np.float32([width, height])
        more = cv2.remap(then, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out = first + more
        out[..., 2] = first[..., 2] * more[..., 2]
        return out

    def _grid(self, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        if shape not in self._grids:
            y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
            self._grids[shape] = np.stack([x, y], axis=2)
        return self._grids[shape]


def _rise(value: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
