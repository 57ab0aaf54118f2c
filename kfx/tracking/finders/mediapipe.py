"""Finds faces with MediaPipe's FaceMesh, 478 landmarks with irises.

A FaceMesh that is asked for more faces than are present searches every frame (3.5 ms instead of
2.1 at 720p). So the mesh in use is the one for as many faces as were seen last, and the cheaper
face detector looks every `SEARCH_EVERY` frames whether there are more.
"""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from kfx.errors import KfxError
from kfx.types import Frame, Landmarks

SEARCH_EVERY = 10  # frames
FEWER_AFTER = 15  # frames with fewer faces than asked for, before asking for fewer
TRACK_SIDE_PX = 1280  # a longer picture is tracked on a copy of this size
_MESHES = (1, 2, 4, 8)


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


class MediaPipe:
    """FaceMesh and the short-range face detector from the MediaPipe wheel, on the CPU."""

    def __init__(self, max_faces: int) -> None:
        self._mp = _mediapipe()
        self._max_faces = max_faces
        self._meshes: dict[int, Any] = {}
        self._detector: Any = None
        self.reset()
        self._mesh(1)

    def reset(self) -> None:
        self._asked = 1
        self._fewer = 0
        self._count = 0
        for mesh in self._meshes.values():
            mesh.reset()

    def close(self) -> None:
        for graph in [*self._meshes.values(), self._detector]:
            if graph is not None:
                graph.close()
        self._meshes.clear()
        self._detector = None

    def find(self, frame: Frame) -> list[Landmarks]:
        rgb = self._picture(frame)
        if self._count % SEARCH_EVERY == 0 and self._asked < self._max_faces:
            self._ask_for(self._faces_there(rgb), rgb)
        self._count += 1
        found = self._landmarks(self._mesh(self._asked), rgb)
        self._fewer = self._fewer + 1 if len(found) <= _smaller(self._asked) else 0
        if self._fewer > FEWER_AFTER:
            self._ask_for(len(found), rgb, or_fewer=True)
        height, width = frame.pixels.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return _distinct([points * scale for points in found])[: self._max_faces]

    def _picture(self, frame: Frame) -> np.ndarray[Any, Any]:
        """A contiguous RGB copy, at most `TRACK_SIDE_PX` long."""
        rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
        height, width = rgb.shape[:2]
        scale = TRACK_SIDE_PX / max(height, width)
        if scale < 1:
            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb.flags.writeable = False
        return rgb

    def _mesh(self, faces: int) -> Any:
        size = next(n for n in _MESHES if n >= faces)
        if size not in self._meshes:
            self._meshes[size] = self._mp.solutions.face_mesh.FaceMesh(
                max_num_faces=size, refine_landmarks=True
            )
        return self._meshes[size]

    def _faces_there(self, rgb: np.ndarray[Any, Any]) -> int:
        if self._detector is None:
            self._detector = self._mp.solutions.face_detection.FaceDetection(
                model_selection=0, min_detection_confidence=0.5
            )
        return len(self._detector.process(rgb).detections or ())

    def _ask_for(self, faces: int, rgb: np.ndarray[Any, Any], *, or_fewer: bool = False) -> None:
        wanted = next(n for n in _MESHES if n >= min(max(1, faces), self._max_faces))
        if wanted > self._asked or (or_fewer and wanted < self._asked):
            self._asked, self._fewer = wanted, 0
            self._mesh(wanted).reset()

    @staticmethod
    def _landmarks(mesh: Any, rgb: np.ndarray[Any, Any]) -> list[Landmarks]:
        faces = mesh.process(rgb).multi_face_landmarks or []
        return [np.array([(p.x, p.y, p.z) for p in f.landmark], dtype=np.float32) for f in faces]


def _smaller(asked: int) -> int:
    """The number of faces for which the next smaller mesh would do."""
    return max((n for n in _MESHES if n < asked), default=-1)


def _distinct(faces: list[Landmarks]) -> list[Landmarks]:
    """Without faces that lie on one another: FaceMesh can follow one face twice."""
    kept: list[Landmarks] = []
    for face in faces:
        width = float(np.ptp(face[:, 0]))
        centre = face[:, :2].mean(axis=0)
        if all(np.linalg.norm(centre - k[:, :2].mean(axis=0)) > 0.3 * width for k in kept):
            kept.append(face)
    return kept


def open_finder(max_faces: int) -> MediaPipe:
    return MediaPipe(max_faces)
