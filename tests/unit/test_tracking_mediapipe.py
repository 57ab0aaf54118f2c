"""The MediaPipe finder: what it reads from messages, where it looks, small faces."""

import sys
from contextlib import closing
from fractions import Fraction

import cv2
import numpy as np
import pytest

from kfx import sources
from kfx.canonical import canonical
from kfx.tracking import graph
from kfx.tracking.finders import mediapipe as finder
from kfx.tracking.tracker import Tracker
from kfx.types import Frame


def message(points, extra=b""):
    """A landmark list as the wire has it."""
    wire = b""
    for p in points:
        floats = b"".join(
            bytes([tag]) + np.float32(v).tobytes()
            for tag, v in zip((0x0D, 0x15, 0x1D), p, strict=True)
        )
        wire += bytes([0x0A, len(floats)]) + floats
    return wire + extra


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
    np.testing.assert_array_equal(finder._points(sent.SerializeToString()), points)


@pytest.mark.parametrize("upside_down", [False, True])
def test_the_graph_says_to_the_bit_what_the_solution_says(upside_down):
    """Its own thread, no copy and RGBA for RGB change nothing; nor do rows in memory's reverse."""
    seen = []
    with sources.open("performer?seed=1", size=(640, 360), stop_s=Fraction(1, 6)) as source:
        solution = graph.load_mediapipe().solutions.face_mesh.FaceMesh(
            max_num_faces=1, refine_landmarks=True
        )
        with solution, closing(graph.face_mesh()) as mesh:
            for frame in source.frames():
                rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
                wanted = solution.process(rgb).multi_face_landmarks or []
                picture = frame.pixels[::-1].copy()[::-1] if upside_down else frame.pixels
                seen.append(mesh(picture))
                assert seen[-1] == [one.SerializeToString() for one in wanted]
    assert sum(map(len, seen)) >= len(seen) - 1 > 2


def test_a_graph_keeps_no_picture_and_starts_anew():
    with sources.open("performer", size=(640, 360), stop_s=Fraction(1, 10)) as source:
        frames = list(source.frames())
    with closing(graph.face_mesh()) as mesh:
        first = [mesh(frame.pixels) for frame in frames]
        holders = sys.getrefcount(mesh._seen)
        assert holders == 2, "a picture is still held inside"  # `mesh` and the call
        mesh.reset()
        assert [mesh(frame.pixels) for frame in frames] == first
        assert mesh(np.zeros_like(frames[0].pixels)) == []


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


def test_a_face_within_a_face_is_none():
    face = canonical().vertices
    large, small = 100 * face + 300, 50 * face + np.float32([320, 310, 0])
    assert finder._same(small, large)
    assert finder._same(large, small)
    assert not finder._same(large, small + np.float32([150, 0, 0]))
    assert not finder._same(large, 100 * face + np.float32([400, 300, 0]))


def test_a_face_at_the_edge_beside_larger_ones_is_found():
    """In a crop about it FaceMesh takes a neighbour: there is a closer look then."""
    with sources.open("performer?seed=1", size=(640, 360)) as source:
        whole = next(iter(source.frames()))
    box = whole.truth[0].box
    left, top, right, bottom = (int(v) for v in np.add(box, (-16, -40, 16, 20)))
    face = whole.pixels[top:bottom, left:right]
    scene = np.full((360, 640, 4), (60, 50, 70, 255), np.uint8)
    places = ((330, 1.0), (450, 1.0), (550, 0.7))
    for x, size in places:
        part = cv2.resize(face, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
        height, width = part.shape[:2]
        scene[80 : 80 + height, x : x + width] = part[:, : 640 - x]
    with Tracker() as tracker:
        for i in range(6):
            faces = tracker.track(Frame(scene, i, Fraction(i, 30), 0.0))
    assert len(faces) == len(places)


@pytest.mark.parametrize(
    ("tall", "score", "followed"),
    [(17, 0.95, False), (40, 0.68, False), (40, 0.75, True), (90, 0.55, True)],
)
def test_a_lamp_is_no_face(monkeypatch, tall, score, followed):
    """What the detector takes for a small face, it must be sure of."""
    from mediapipe.framework.formats.detection_pb2 import Detection

    seen = Detection(score=[score])
    box = seen.location_data.relative_bounding_box
    box.xmin = box.ymin = 0.5
    box.width = box.height = tall / 360
    crops = []
    monkeypatch.setattr(finder._Crop, "find", lambda crop, rgba: crops.append(crop))
    with closing(finder.MediaPipe(4)) as faces:
        faces._detector = Said([seen.SerializePartialToString()])
        rgba = np.zeros((360, 360, 4), np.uint8)
        assert faces._search(rgba, [], (slice(0, 360), slice(0, 360))) == []
    assert bool(crops) == followed


class Said:
    """A graph that says the same of every picture."""

    def __init__(self, messages):
        self._messages = messages

    def __call__(self, rgba):
        return self._messages

    def close(self):
        pass
