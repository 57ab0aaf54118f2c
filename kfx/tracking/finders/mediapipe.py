"""Finds faces with MediaPipe's FaceMesh, 478 landmarks with irises.

A FaceMesh that is asked for more faces than are present searches every frame (3.5 ms instead of
2.1 at 720p), and the detector inside it misses small faces. So one FaceMesh follows one face in
the whole frame; the full-range detector looks every few frames for others, in the whole picture
and in one tile of it by turns, and each of those gets a FaceMesh of its own on a crop that
follows it. In a tile the detector sees faces down to 40 px at 720p.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.tracking.depth import agreeing
from kfx.types import LANDMARK_COUNT, Frame, Landmarks

SEARCH_EVERY = 10  # frames between two looks for more faces than one
SEARCH_WIDE = 5  # the same where faces are small: a wide shot has more of them
SEARCH_EMPTY = 2  # and while there is nobody
SMALL = 0.2  # of the picture's height
TILE = 0.67  # side of a tile in heights of the picture
TILE_STEP = 0.75  # from one tile to the next at most, in sides
TRACK_SIDE_PX = 1280  # a longer picture is tracked on a copy of this size
CROP_FACES = 2.2  # side of a crop in face heights
LEAST_PX = 20  # height of a detection; what is smaller is as often a lamp as a face
SURE, SURE_BELOW_PX = 0.7, 48  # a small detection must be so sure: lamps were seen at 0.68
LOST_AFTER = 3  # frames without a face after which a crop is given up

Picture = npt.NDArray[np.uint8]


def load_mediapipe() -> Any:
    """The package, kept quiet; `KfxError` with the remedy if it can't be loaded."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import mediapipe
        from absl import logging
    except ImportError as error:
        raise KfxError(f"mediapipe can't be loaded ({error}); run: kfx doctor") from error
    logging.set_verbosity(logging.ERROR)
    return mediapipe


@dataclass
class _Crop:
    """A face followed on its own: centre and side in pixels of the tracked picture."""

    mesh: Any
    x: float
    y: float
    side: float
    missed: int = 0

    def find(self, rgb: Picture) -> Landmarks | None:
        """The face's landmarks in pixels of the whole picture; the crop moves on with it."""
        height, width = rgb.shape[:2]
        side = int(min(max(48.0, self.side), height, width))
        left = int(min(max(0.0, self.x - side / 2), width - side))
        top = int(min(max(0.0, self.y - side / 2), height - side))
        crop = np.ascontiguousarray(rgb[top : top + side, left : left + side])
        faces = _landmarks(self.mesh, crop)
        if not faces:
            self.missed += 1
            return None
        self.missed = 0
        points = faces[0] + np.float32([left, top, 0])
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        self.x, self.y = (float(v) for v in (low + high) / 2)
        self.side = CROP_FACES * float((high - low).max())
        return points


class MediaPipe:
    """FaceMesh and the full-range face detector from the MediaPipe wheel, on the CPU."""

    def __init__(self, max_faces: int) -> None:
        self._mp = load_mediapipe()
        self._max_faces = max_faces
        self._main = self._new_mesh()
        self._spare: list[Any] = []
        self._crops: list[_Crop] = []
        self._detector: Any = None
        self._looks = self._rest = 0

    def reset(self) -> None:
        self._looks = self._rest = 0
        while self._crops:
            self._give_up(self._crops[0])
        self._main.reset()

    def close(self) -> None:
        for graph in [self._main, self._detector, *self._spare, *(c.mesh for c in self._crops)]:
            if graph is not None:
                graph.close()
        self._spare, self._crops, self._detector = [], [], None

    def find(self, frame: Frame) -> list[Landmarks]:
        rgb = self._picture(frame)
        found = _landmarks(self._main, rgb)
        for crop in list(self._crops):
            points = crop.find(rgb)
            if points is not None and not any(_same(points, other) for other in found):
                found.append(points)
            elif points is not None or crop.missed >= LOST_AFTER:
                self._give_up(crop)
        if self._rest <= 0 and len(found) < self._max_faces:
            found += self._search(rgb, found, self._region(rgb))
            self._rest = _rest(found, rgb.shape[0])
        self._rest -= 1
        scale = np.float32(frame.pixels.shape[1] / rgb.shape[1])
        return [agreeing(points * scale) for points in found[: self._max_faces]]

    def _picture(self, frame: Frame) -> Picture:
        """A contiguous RGB copy, at most `TRACK_SIDE_PX` long."""
        rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
        height, width = rgb.shape[:2]
        scale = TRACK_SIDE_PX / max(height, width)
        if scale < 1:
            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb.flags.writeable = False
        return rgb

    def _region(self, rgb: Picture) -> tuple[slice, slice]:
        """Rows and columns to look in now: the whole picture, then a tile, and so on."""
        height, width = rgb.shape[:2]
        look, self._looks = self._looks, self._looks + 1
        if look % 2 == 0:
            return slice(0, height), slice(0, width)
        tiles = _tiles(width, height)
        return tiles[(look // 2) % len(tiles)]

    def _search(
        self, rgb: Picture, found: list[Landmarks], region: tuple[slice, slice]
    ) -> list[Landmarks]:
        """Faces that nothing follows yet; each gets a crop if a FaceMesh agrees."""
        if self._detector is None:
            self._detector = self._mp.solutions.face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=0.5
            )
        part = np.ascontiguousarray(rgb[region])
        height, width = part.shape[:2]
        rows, columns = region
        new: list[Landmarks] = []
        for detection in self._detector.process(part).detections or ():
            box = detection.location_data.relative_bounding_box
            x = columns.start + (box.xmin + box.width / 2) * width
            y = rows.start + (box.ymin + box.height / 2) * height
            tall = box.height * height
            if tall < LEAST_PX or (tall < SURE_BELOW_PX and detection.score[0] < SURE):
                continue
            if any(_inside(x, y, points) for points in (*found, *new)):
                continue
            if len(found) + len(new) >= self._max_faces:
                break
            mesh = self._spare.pop() if self._spare else self._new_mesh()
            crop = _Crop(mesh, x, y, CROP_FACES * max(box.width * width, tall))
            self._crops.append(crop)
            points = crop.find(rgb)
            if points is not None and not any(_same(points, p) for p in (*found, *new)):
                new.append(points)
            else:
                self._give_up(crop)
        return new

    def _new_mesh(self) -> Any:
        return self._mp.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)

    def _give_up(self, crop: _Crop) -> None:
        self._crops.remove(crop)
        crop.mesh.reset()
        self._spare.append(crop.mesh)


@cache
def _tiles(width: int, height: int) -> list[tuple[slice, slice]]:
    """Overlapping squares that cover the picture, the upper ones first."""
    side = max(round(TILE * height), width // 4)

    def spans(length: int) -> list[slice]:
        count = 1 + ceil(max(0, length - side) / (TILE_STEP * side))
        starts = (round(i * (length - side) / max(1, count - 1)) for i in range(count))
        return [slice(max(0, start), min(length, max(0, start) + side)) for start in starts]

    return [(rows, columns) for rows in spans(height) for columns in spans(width)]


def _rest(found: list[Landmarks], height: int) -> int:
    """Frames until the next look for more faces."""
    if not found:
        return SEARCH_EMPTY
    small = min(float(np.ptp(points[:, 1])) for points in found) < SMALL * height
    return SEARCH_WIDE if small else SEARCH_EVERY


def _landmarks(mesh: Any, rgb: Picture) -> list[Landmarks]:
    """(478, 3) arrays in pixels of `rgb`."""
    height, width = rgb.shape[:2]
    scale = np.array([width, height, width], np.float32)
    return [_points(face) * scale for face in mesh.process(rgb).multi_face_landmarks or []]


_POINT_BYTES = 17  # on the wire: tag, length, then thrice a tag and a float


def _points(face: Any) -> Landmarks:
    """(478, 3) of a message; its bytes are read at a twentieth of the cost of its fields."""
    data = face.SerializeToString()
    if len(data) == _POINT_BYTES * LANDMARK_COUNT:
        rows = np.frombuffer(data, np.uint8).reshape(LANDMARK_COUNT, _POINT_BYTES)
        if (rows[:, [0, 1, 2, 7, 12]] == (0x0A, 15, 0x0D, 0x15, 0x1D)).all():
            return rows[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]].copy().view("<f4")
    return np.array([(p.x, p.y, p.z) for p in face.landmark], dtype=np.float32)


def _inside(x: float, y: float, points: Landmarks) -> bool:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return bool(low[0] < x < high[0] and low[1] < y < high[1])


def _same(a: Landmarks, b: Landmarks) -> bool:
    """Whether two faces lie on one another."""
    away = np.linalg.norm(a[:, :2].mean(axis=0) - b[:, :2].mean(axis=0))
    return bool(away < 0.3 * np.ptp(a[:, 0]))


def open_finder(max_faces: int) -> MediaPipe:
    return MediaPipe(max_faces)
