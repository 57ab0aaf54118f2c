"""Corrects where a face's landmarks were by what the pictures say: trackers slip on turning heads.

Between two pose-aligned crops the mesh tells how each landmark has moved, the optical flow how the
skin has. What they disagree by is taken, smoothed over the mesh where the flow can be believed,
as a correction of the earlier landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.canonical import canonical
from kfx.neural.aligned import Affine, apply, inverse
from kfx.types import Face

Grey = npt.NDArray[np.uint8]  # (h, w), top row first
Points = npt.NDArray[np.float32]  # (478, 2) in pixels of a crop

SIZE = (192, 192)  # of the crops
HALF = (SIZE[0] // 2, SIZE[1] // 2)
MARGIN = 0.1
MOST_IOD = 0.16  # a larger correction isn't believed
WRONG = (20.0, 50.0)  # grey levels between the two ends of a flow
CELL = 4  # pixels: the grid on which the mesh's own motion is spread
SMOOTHED = 3  # times over the mesh
DOUBT = 0.05  # weight of no correction


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A face as it was seen: its crop, where that lies, its landmarks and iod in the crop."""

    grey: Grey
    to_crop: Affine
    at: Points
    iod_px: float

    @classmethod
    def of(cls, face: Face, grey: Grey, to_crop: Affine) -> View:
        """`grey` is the crop of `SIZE` that `to_crop` cuts out."""
        iod_px = face.iod * float(np.linalg.norm(to_crop[0, :2]))
        return cls(grey, to_crop, apply(to_crop, face.landmarks), iod_px)

    def scaled(self, x: float, y: float) -> View:
        """As of the same frame at another size."""
        return replace(self, to_crop=self.to_crop / (x, y, 1.0))


class Refiner:
    """Keeps the flow's buffers; DIS optical flow (Kroeger et al. 2016)."""

    def __init__(self) -> None:
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        # A step finer than the preset: a third less error on the performer for 1 ms more. Its
        # variational refinement costs 2.5 ms for a twentieth less: the mesh smooths anyway.
        self._dis.setFinestScale(1)
        self._dis.setVariationalRefinementIterations(0)
        y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
        self._grid = np.stack([x, y], axis=2)

    def shift(self, now: View, then: View) -> Points:
        """What is to be added to the landmarks of `then`, in pixels of its frame, (478, 2)."""
        moved = self._in_crop(now.grey, then.grey, now.at, then.at, then.iod_px)
        back = inverse(then.to_crop)[:, :2]
        return np.asarray(moved @ back.T, np.float32)

    def _in_crop(
        self, now: Grey, then: Grey, at_now: Points, at_then: Points, iod_px: float
    ) -> Points:
        flow = self._dis.calc(now, then, _spread(at_now, at_then - at_now))
        seen = cv2.remap(
            then, self._grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        # Believed or not is a matter of areas: half the size tells it.
        away = cv2.resize(now, HALF, interpolation=cv2.INTER_AREA).astype(np.float32)
        away -= cv2.resize(seen, HALF, interpolation=cv2.INTER_AREA)
        away -= cv2.blur(away, (15, 15))
        away = cv2.blur(cv2.absdiff(away, 0.0), (3, 3))
        # Landmarks count from the crop's corner, pixels from their middles.
        found, off_by = _at(cv2.blur(flow, (5, 5)), at_now - 0.5), _at(away, at_now / 2 - 0.5)
        sure = 1.0 - np.clip((off_by - WRONG[0]) / (WRONG[1] - WRONG[0]), 0.0, 1.0)
        off = at_now + found - at_then
        length = np.hypot(off[:, 0], off[:, 1])
        weight = sure * np.clip(2.0 - length / (MOST_IOD * iod_px), 0.0, 1.0)
        sums = _smooth() @ np.column_stack([off * weight[:, None], weight])
        return np.asarray(sums[:, :2] / (sums[:, 2:] + DOUBT), np.float32)


def _at(field: npt.NDArray[np.float32], places: Points) -> npt.NDArray[np.float32]:
    """What a field (h, w, …) has at places (n, 2) in its pixels' middles: (n, …)."""
    way, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    found = cv2.remap(field, places.reshape(1, -1, 2), None, way, borderMode=border)
    return np.asarray(found[0], np.float32)


def _spread(places: Points, values: Points) -> npt.NDArray[np.float32]:
    """(h, w, 2) of the crop: values at scattered places, carried on smoothly between them."""
    cells = np.zeros((SIZE[1] // CELL, SIZE[0] // CELL, 3), np.float32)
    x, y = (places / CELL).astype(int).T
    x, y = x.clip(0, cells.shape[1] - 1), y.clip(0, cells.shape[0] - 1)
    place, count = y * cells.shape[1] + x, cells.shape[0] * cells.shape[1]
    for i, weights in enumerate((values[:, 0], values[:, 1], None)):
        cells[..., i] = np.bincount(place, weights, count).reshape(cells.shape[:2])
    cells[..., 2] += 1e-6
    near = cv2.GaussianBlur(cells, (0, 0), 1.2)
    far = cv2.GaussianBlur(cells, (0, 0), 6.0)
    mixed = near + 0.02 * far
    return np.asarray(cv2.resize(mixed[..., :2] / mixed[..., 2:], SIZE), np.float32)


@cache
def _smooth() -> npt.NDArray[np.float32]:
    """(478, 478): `SMOOTHED` times the mean of a landmark and its neighbours in the mesh."""
    mesh = canonical()
    corners = np.concatenate([mesh.triangles, mesh.eye_triangles, mesh.mouth_triangles])
    joined = np.eye(478)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        joined[corners[:, i], corners[:, j]] = joined[corners[:, j], corners[:, i]] = 1.0
    joined /= joined.sum(axis=1, keepdims=True)
    return np.linalg.matrix_power(joined, SMOOTHED).astype(np.float32)
