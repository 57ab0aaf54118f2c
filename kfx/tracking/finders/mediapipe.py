"""Finds faces with MediaPipe's FaceMesh, 478 landmarks with irises.

A FaceMesh that is asked for more faces than are present searches every frame (3.5 ms instead of
2.1 at 720p), and the detector inside it misses small faces. So one FaceMesh follows one face in
the whole frame; the full-range detector looks every few frames for others, in the whole picture
and in one tile of it by turns, and each of those gets a FaceMesh of its own on a crop that
follows it. In a tile the detector sees faces down to 40 px at 720p.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

import cv2
import numpy as np

from kfx.tracking.depth import agreeing
from kfx.tracking.graph import Graph, Picture, face_detector, face_mesh
from kfx.types import LANDMARK_COUNT, Frame, Landmarks

SEARCH_EVERY = 10  # frames between two looks for more faces than one
SEARCH_WIDE = 5  # the same where faces are small: a wide shot has more of them
SEARCH_EMPTY = 2  # and while there is nobody
SMALL = 0.2  # of the picture's height
TILE = 0.67  # side of a tile in heights of the picture
TILE_STEP = 0.75  # from one tile to the next at most, in sides
TRACK_SIDE_PX = 1280  # a longer picture is tracked on a copy of this size
CROP_FACES = 2.2  # side of a crop in face heights
NARROW = 1.4  # the same where there is another face in it that FaceMesh takes instead
LEAST_PX = 20  # height of a detection; what is smaller is as often a lamp as a face
SURE, SURE_BELOW_PX = 0.7, 48  # a small detection must be so sure: lamps were seen at 0.68
WITHIN = 0.75  # of another face's width: a face so small in the middle of it is none
LOST_AFTER = 3  # frames without a face after which a crop is given up


@dataclass
class _Crop:
    """A face followed on its own: centre and size in pixels of the tracked picture."""

    mesh: Graph
    x: float
    y: float
    size: float
    reach: float = CROP_FACES  # its side in sizes of the face
    missed: int = 0

    def find(self, rgba: Picture) -> Landmarks | None:
        """The face's landmarks in pixels of the whole picture; the crop moves on with it."""
        height, width = rgba.shape[:2]
        side = int(min(max(48.0, self.reach * self.size), height, width))
        left = int(min(max(0.0, self.x - side / 2), width - side))
        top = int(min(max(0.0, self.y - side / 2), height - side))
        faces = _landmarks(self.mesh, rgba[top : top + side, left : left + side])
        if not faces:
            self.missed += 1
            return None
        self.missed = 0
        points = faces[0] + np.float32([left, top, 0])
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        self.x, self.y = (float(v) for v in (low + high) / 2)
        self.size = float((high - low).max())
        return points


class MediaPipe:
    """FaceMesh and the full-range face detector from the MediaPipe wheel, on the CPU."""

    guesses_depth = True

    def __init__(self, max_faces: int) -> None:
        self._max_faces = max_faces
        self._main = face_mesh()
        self._spare: list[Graph] = []
        self._crops: list[_Crop] = []
        self._detector: Graph | None = None
        self._looks = self._rest = 0

    def reset(self) -> None:
        self._looks = self._rest = 0
        while self._crops:
            self._give_up(self._crops[0])
        self._main.reset()

    def look_about(self) -> None:
        """Search the next frame, and all of it; who is followed still is."""
        self._looks = self._rest = 0

    def close(self) -> None:
        for graph in [self._main, self._detector, *self._spare, *(c.mesh for c in self._crops)]:
            if graph is not None:
                graph.close()
        self._spare, self._crops, self._detector = [], [], None

    def find(self, frame: Frame) -> list[Landmarks]:
        rgba = _picture(frame)
        found = _landmarks(self._main, rgba)
        for crop in list(self._crops):
            points = crop.find(rgba)
            if points is not None and not any(_same(points, other) for other in found):
                found.append(points)
            elif points is not None or crop.missed >= LOST_AFTER:
                self._give_up(crop)
        if self._rest <= 0 and len(found) < self._max_faces:
            found += self._search(rgba, found, self._region(rgba))
            self._rest = _rest(found, rgba.shape[0])
        self._rest -= 1
        found = found[: self._max_faces]
        if rgba is not frame.pixels:
            scale = np.float32(frame.pixels.shape[1] / rgba.shape[1])
            found = [points * scale for points in found]
        return [agreeing(points) for points in found]

    def _region(self, rgba: Picture) -> tuple[slice, slice]:
        """Rows and columns to look in now: the whole picture, then a tile, and so on."""
        height, width = rgba.shape[:2]
        look, self._looks = self._looks, self._looks + 1
        if look % 2 == 0:
            return slice(0, height), slice(0, width)
        tiles = _tiles(width, height)
        return tiles[(look // 2) % len(tiles)]

    def _search(
        self, rgba: Picture, found: list[Landmarks], region: tuple[slice, slice]
    ) -> list[Landmarks]:
        """Faces that nothing follows yet; each gets a crop if a FaceMesh agrees."""
        if self._detector is None:
            self._detector = face_detector()
        part = rgba[region]
        height, width = part.shape[:2]
        rows, columns = region
        new: list[Landmarks] = []
        for detection in _detections(self._detector, part):
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
            points = self._follow(rgba, x, y, max(box.width * width, tall))
            if points is not None and any(_same(points, p) for p in (*found, *new)):
                self._give_up(self._crops[-1])
            elif points is not None:
                new.append(points)
        return new

    def _follow(self, rgba: Picture, x: float, y: float, size: float) -> Landmarks | None:
        """The landmarks of the face about (`x`, `y`), and a crop for it, if there is one."""
        mesh = self._spare.pop() if self._spare else face_mesh()
        for reach in (CROP_FACES, NARROW):
            crop = _Crop(mesh, x, y, size, reach)
            points = crop.find(rgba)
            if points is not None and _inside(x, y, points):
                self._crops.append(crop)
                return points
            mesh.reset()
            if points is None:
                break
        self._spare.append(mesh)
        return None

    def _give_up(self, crop: _Crop) -> None:
        self._crops.remove(crop)
        crop.mesh.reset()
        self._spare.append(crop.mesh)


def _picture(frame: Frame) -> Picture:
    """The frame, or a copy of it that is `TRACK_SIDE_PX` long."""
    rgba = frame.pixels
    scale = TRACK_SIDE_PX / max(rgba.shape[:2])
    if scale < 1:
        return cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return rgba


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


def _landmarks(mesh: Graph, rgba: Picture) -> list[Landmarks]:
    """(478, 3) arrays in pixels of `rgba`."""
    height, width = rgba.shape[:2]
    scale = np.array([width, height, width], np.float32)
    return [_points(face) * scale for face in mesh(rgba)]


def _detections(detector: Graph, rgba: Picture) -> list[Any]:
    from mediapipe.framework.formats.detection_pb2 import Detection

    return [Detection.FromString(data) for data in detector(rgba)]


_POINT_BYTES = 17  # on the wire: tag, length, then thrice a tag and a float
_TAGS = [
    (at, bytes([tag]) * LANDMARK_COUNT)
    for at, tag in ((0, 0x0A), (1, 15), (2, 0x0D), (7, 0x15), (12, 0x1D))
]


def _points(data: bytes) -> Landmarks:
    """(478, 3) of a serialised list; reading it by fields costs twenty times as much."""
    if len(data) == _POINT_BYTES * LANDMARK_COUNT and all(
        data[at::_POINT_BYTES] == tags for at, tags in _TAGS
    ):
        return np.ndarray((LANDMARK_COUNT, 3), "<f4", data, 3, (_POINT_BYTES, 5))
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    points = NormalizedLandmarkList.FromString(data).landmark
    return np.array([(p.x, p.y, p.z) for p in points], dtype=np.float32)


def _inside(x: float, y: float, points: Landmarks) -> bool:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return bool(low[0] < x < high[0] and low[1] < y < high[1])


def _same(a: Landmarks, b: Landmarks) -> bool:
    """Whether two faces lie on one another; FaceMesh may see one within a larger one at a cut."""
    small, large = sorted((a, b), key=lambda points: float(np.ptp(points[:, 0])))
    x, y = small[:, :2].mean(axis=0)
    if np.ptp(small[:, 0]) < WITHIN * np.ptp(large[:, 0]) and _inside(x, y, large):
        return True
    away = np.linalg.norm(small[:, :2].mean(axis=0) - large[:, :2].mean(axis=0))
    return bool(away < 0.3 * np.ptp(a[:, 0]))


def open_finder(max_faces: int) -> MediaPipe:
    return MediaPipe(max_faces)
