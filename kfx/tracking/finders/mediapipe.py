"""Finds faces with MediaPipe's FaceMesh, 478 landmarks with irises.

A FaceMesh that is asked for more faces than are present searches every frame (3.5 ms instead of
2.1 at 720p), and the detector inside it misses small faces. So one FaceMesh follows one face in
the whole frame; the full-range detector looks every `SEARCH_EVERY` frames for others, and each of
those gets a FaceMesh of its own on a crop that follows it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.types import Frame, Landmarks

SEARCH_EVERY = 10  # frames
TRACK_SIDE_PX = 1280  # a longer picture is tracked on a copy of this size
CROP_FACES = 2.2  # side of a crop in face heights
LOST_AFTER = 3  # frames without a face after which a crop is given up

Picture = npt.NDArray[np.uint8]


def _mediapipe() -> Any:
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
        self._mp = _mediapipe()
        self._max_faces = max_faces
        self._main = self._new_mesh()
        self._spare: list[Any] = []
        self._crops: list[_Crop] = []
        self._detector: Any = None
        self._count = 0

    def reset(self) -> None:
        self._count = 0
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
        if self._count % SEARCH_EVERY == 0 and len(found) < self._max_faces:
            found += self._search(rgb, found)
        self._count += 1
        scale = np.float32(frame.pixels.shape[1] / rgb.shape[1])
        return [points * scale for points in found[: self._max_faces]]

    def _picture(self, frame: Frame) -> Picture:
        """A contiguous RGB copy, at most `TRACK_SIDE_PX` long."""
        rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
        height, width = rgb.shape[:2]
        scale = TRACK_SIDE_PX / max(height, width)
        if scale < 1:
            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb.flags.writeable = False
        return rgb

    def _search(self, rgb: Picture, found: list[Landmarks]) -> list[Landmarks]:
        """Faces that nothing follows yet; each gets a crop if a FaceMesh agrees."""
        if self._detector is None:
            self._detector = self._mp.solutions.face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=0.5
            )
        height, width = rgb.shape[:2]
        new: list[Landmarks] = []
        for detection in self._detector.process(rgb).detections or ():
            box = detection.location_data.relative_bounding_box
            x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            if any(_inside(x, y, points) for points in (*found, *new)):
                continue
            if len(found) + len(new) >= self._max_faces:
                break
            mesh = self._spare.pop() if self._spare else self._new_mesh()
            crop = _Crop(mesh, x, y, CROP_FACES * max(box.width * width, box.height * height))
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


def _landmarks(mesh: Any, rgb: Picture) -> list[Landmarks]:
    """(478, 3) arrays in pixels of `rgb`."""
    height, width = rgb.shape[:2]
    scale = np.array([width, height, width], np.float32)
    faces = mesh.process(rgb).multi_face_landmarks or []
    return [
        np.array([(p.x, p.y, p.z) for p in f.landmark], dtype=np.float32) * scale for f in faces
    ]


def _inside(x: float, y: float, points: Landmarks) -> bool:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return bool(low[0] < x < high[0] and low[1] < y < high[1])


def _same(a: Landmarks, b: Landmarks) -> bool:
    """Whether two faces lie on one another."""
    away = np.linalg.norm(a[:, :2].mean(axis=0) - b[:, :2].mean(axis=0))
    return bool(away < 0.3 * np.ptp(a[:, 0]))


def open_finder(max_faces: int) -> MediaPipe:
    return MediaPipe(max_faces)
