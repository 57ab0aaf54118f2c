"""The MediaPipe finder: what it reads from messages, where it looks, small faces."""

from contextlib import closing
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kfx import sources
from kfx.tracking.finders import mediapipe as finder
from kfx.tracking.tracker import Tracker
from kfx.types import Frame


def message(points, extra=b""):
    """A landmark list as the wire has it and as its fields have it."""
    wire = b""
    for p in points:
        floats = b"".join(
            bytes([tag]) + np.float32(v).tobytes()
            for tag, v in zip((0x0D, 0x15, 0x1D), p, strict=True)
        )
        wire += bytes([0x0A, len(floats)]) + floats
    fields = [SimpleNamespace(x=p[0], y=p[1], z=p[2]) for p in points]
    return SimpleNamespace(SerializeToString=lambda: wire + extra, landmark=fields)


@pytest.mark.parametrize("extra", [b"", b"\x10\x01"])
def test_landmarks_are_read_from_the_wire_and_else_field_by_field(extra):
    points = np.random.default_rng(2).normal(0, 1, (478, 3)).astype(np.float32)
    np.testing.assert_array_equal(finder._points(message(points, extra)), points)


def test_what_mediapipe_sends_is_read_as_its_fields_say():
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    points = np.random.default_rng(3).normal(0, 1, (478, 3)).astype(np.float32)
    sent = NormalizedLandmarkList()
    for x, y, z in points.tolist():
        sent.landmark.add(x=x, y=y, z=z)
    np.testing.assert_array_equal(finder._points(sent), points)


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (720, 1280), (64, 36), (1280, 300)])
def test_tiles_cover_the_picture_and_overlap(size):
    seen = np.zeros(size[::-1], int)
    for rows, columns in finder._tiles(*size):
        seen[rows, columns] += 1
    assert seen.min() >= 1
    tiles = len(finder._tiles(*size))
    assert tiles == 1 or seen.max() >= 2
    assert tiles <= 16


def test_faces_of_45_pixels_are_found_within_a_second():
    with sources.open("performer?faces=4", size=(1280, 720)) as source, Tracker() as tracker:
        whole = next(iter(source.frames()))
        assert whole.truth is not None
        scene = np.full_like(whole.pixels, (60, 50, 70, 255))
        small = cv2.resize(whole.pixels, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
        scene[200 : 200 + small.shape[0], 300 : 300 + small.shape[1]] = small
        for i in range(30):
            faces = tracker.track(Frame(scene, i, Fraction(i, 30), 0.0))
            if len(faces) == 4:
                break
    found = sorted(f.landmarks[4, :2].tolist() for f in faces if f.found)
    true = sorted((f.landmarks[4, :2] * 0.35 + (300, 200)).tolist() for f in whole.truth)
    np.testing.assert_allclose(found, true, atol=4)
    assert min(f.box[3] - f.box[1] for f in whole.truth) * 0.35 < 48


@pytest.mark.parametrize(
    ("tall", "score", "followed"),
    [(17, 0.95, False), (40, 0.68, False), (40, 0.75, True), (90, 0.55, True)],
)
def test_a_lamp_is_no_face(monkeypatch, tall, score, followed):
    """What the detector takes for a small face, it must be sure of."""
    box = SimpleNamespace(xmin=0.5, ymin=0.5, width=tall / 360, height=tall / 360)
    location = SimpleNamespace(relative_bounding_box=box)
    seen = SimpleNamespace(detections=[SimpleNamespace(location_data=location, score=[score])])
    crops = []
    monkeypatch.setattr(finder._Crop, "find", lambda crop, rgb: crops.append(crop))
    with closing(finder.MediaPipe(4)) as faces:
        faces._detector = SimpleNamespace(process=lambda part: seen, close=lambda: None)
        rgb = np.zeros((360, 360, 3), np.uint8)
        assert faces._search(rgb, [], (slice(0, 360), slice(0, 360))) == []
    assert bool(crops) == followed
