"""The face G-buffer against geometry that is known: motion, smoothness, edges, order, bad input."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from kfx import sources
from kfx.canonical import INNER_LIPS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS, canonical
from kfx.render import gbuffer_mesh
from kfx.render.gbuffer import NAMES, GBuffer
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, smiling

SIZE = (320, 180)
WHOLE = (0, 0, *SIZE)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def buffer(gpu):
    one = GBuffer(gpu, SIZE, NAMES)
    yield one
    one.release()


def read(gpu, texture):
    """(h, w, 4) float32, top row first."""
    data = gpu.target(texture).read(components=4, dtype="f4")
    return np.frombuffer(data, np.float32).reshape(texture.size[1], texture.size[0], 4)[::-1]


def shifted(face, x, y):
    return replace(face, landmarks=freeze(face.landmarks + np.float32([x, y, 0])))


def motion_at(gpu, images, face, landmark):
    x, y = face.landmarks[landmark, :2].astype(int)
    return read(gpu, images["faceMotion"])[y, x]


def test_motion_is_what_the_landmarks_moved_with_y_up(gpu, buffer):
    face = face_at()
    buffer.draw([face], WHOLE)
    images = buffer.draw([shifted(face, 3.0, -5.0)], WHOLE)
    moved = read(gpu, images["faceMotion"])
    inside = moved[..., 3] > 0.5
    assert inside.sum() > 1000
    np.testing.assert_allclose(moved[inside][:, :2], [[3.0, 5.0]] * inside.sum(), atol=0.01)
    assert (moved[:, :60] == 0).all()


def test_motion_of_one_feature_is_its_own(gpu, buffer):
    still, smile = face_at(iod=60), face_at(iod=60, shape=smiling(0.5))
    buffer.draw([still], WHOLE)
    images = buffer.draw([smile], WHOLE)
    for landmark in (50, 205, 4):
        expected = (smile.landmarks - still.landmarks)[landmark, :2] * (1, -1)
        got = motion_at(gpu, images, smile, landmark)[:2]
        np.testing.assert_allclose(got, expected, atol=0.35)


@pytest.mark.parametrize("forget", ["reset", "cut", "away", "slot", "jump"])
def test_a_face_that_is_new_has_not_moved(gpu, buffer, forget):
    face = face_at()
    later = shifted(face, 4.0, 0.0)
    buffer.draw([face], WHOLE)
    if forget == "reset":
        buffer.reset()
    elif forget == "away":
        buffer.draw([], None)
    elif forget == "slot":
        later = replace(later, slot=3)
    elif forget == "jump":
        later = shifted(face, 60.0, 0.0)
    images = buffer.draw([later], WHOLE, cut=forget == "cut")
    assert read(gpu, images["faceMotion"])[..., 3].max() > 0.9
    assert np.abs(read(gpu, images["faceMotion"])[..., :2]).max() == 0


def test_slots_move_by_themselves(gpu, buffer):
    one, two = face_at(80, iod=30), face_at(240, iod=30, slot=1)
    buffer.draw([one, two], WHOLE)
    images = buffer.draw([shifted(one, 2, 0), shifted(two, -2, 0)], WHOLE)
    assert motion_at(gpu, images, one, 5)[0] == pytest.approx(2, abs=0.01)
    assert motion_at(gpu, images, two, 5)[0] == pytest.approx(-2, abs=0.01)


def test_normals_show_no_triangles(gpu):
    """In a shiny face a crease of the normal is a line: their second differences stay small."""
    size = (900, 900)
    buffer = GBuffer(gpu, size, ("faceNormal",))
    images = buffer.draw([face_at(450, 380, 300)], (0, 0, *size))
    normal = read(gpu, images["faceNormal"])
    inside = cv2.erode((normal[..., 3] > 0.99).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    # The cheeks: lips, lids and the wings of the nose have real creases.
    part = np.zeros_like(inside)
    part[430:600] = True
    part[:, 320:580] = False
    bent = np.abs(np.diff(normal[..., :3], 2, axis=1)).max(axis=2)
    kept = bent[(inside & part)[:, 1:-1]]
    assert kept.size > 30000
    assert np.percentile(kept, 99.5) < 0.0016
    length = np.linalg.norm(normal[inside][:, :3], axis=1)
    np.testing.assert_allclose(length, 1.0, atol=2e-3)
    buffer.release()


def test_normals_turn_with_the_head_and_bend_with_the_mouth(gpu, buffer):
    def at(face, landmark):
        normal = read(gpu, buffer.draw([face], WHOLE)["faceNormal"])
        x, y = face.landmarks[landmark, :2].astype(int)
        return normal[y, x, :3]

    left, right = at(face_at(iod=60, yaw=-30), 5), at(face_at(iod=60, yaw=30), 5)
    assert abs(left[0] - right[0]) > 0.7
    up, over = at(face_at(iod=60), 5), at(face_at(y=90, iod=60, roll=180), 5)
    assert up[1] == pytest.approx(-over[1], abs=0.05)
    gap = np.abs(at(face_at(iod=60), 205) - at(face_at(iod=60, shape=smiling(2.0)), 205))
    assert gap.max() > 0.04


@pytest.mark.parametrize(("yaw", "most"), [(0, 20), (20, 20), (30, 20), (50, 200), (65, 300)])
def test_coverage_has_no_hard_edge(gpu, yaw, most):
    """Only a nose that hides the far cheek may end in a step, of `most` pixels."""
    size = (640, 640)
    buffer = GBuffer(gpu, size, ("faceUV", "faceParts"))
    images = buffer.draw([face_at(320, 280, 200, yaw=yaw)], (0, 0, *size))
    coverage = read(gpu, images["faceUV"])[..., 3]
    assert coverage.max() > 0.95
    hard = [int((np.abs(np.diff(coverage, axis=axis)) > 0.4).sum()) for axis in (0, 1)]
    assert max(hard) <= most
    skin = read(gpu, images["faceParts"])[..., 0]
    assert skin.max() == 1.0
    buffer.release()


def test_parts_fit_the_performers_eyes_lips_and_mouth(gpu):
    """Against polygons of the exact landmarks, over two seconds with blinks and speech."""
    size = (1280, 720)
    buffer = GBuffer(gpu, size, ("faceParts",))
    worst = {"lips": 1.0, "eye": 1.0, "mouth": 1.0}
    with sources.open("performer?seed=2", size=size, stop_s=Fraction(2)) as source:
        for frame in list(source.frames())[::6]:
            face = frame.truth[0]
            parts = read(gpu, buffer.draw([face], (0, 0, *size))["faceParts"])

            def area(*contours, face=face):
                fine = np.zeros((8 * size[1], 8 * size[0]), np.uint8)
                for contour in contours:
                    points = face.landmarks[list(contour), :2] * 8 - 0.5
                    cv2.fillPoly(fine, [np.round(points).astype(np.int32)], 255)
                return cv2.resize(fine, size, interpolation=cv2.INTER_AREA) / 255.0

            spread = gbuffer_mesh.openness(face.landmarks)
            opened = {"lips": True, "mouth": spread[1] == 1, "eye": spread[2:].min() == 1}
            mouth, eyes = area(INNER_LIPS), area(RIGHT_LIDS, LEFT_LIDS)
            lips = area(OUTER_LIPS)
            for name, wanted, got in (
                ("lips", lips, parts[..., 1] + parts[..., 3]),
                ("eye", eyes, parts[..., 2]),
                ("mouth", mouth, parts[..., 3]),
            ):
                if not opened[name]:
                    continue
                alike = np.minimum(wanted, got).sum() / np.maximum(wanted, got).sum()
                worst[name] = min(worst[name], alike)
    assert worst["lips"] > 0.94
    assert worst["eye"] > 0.90
    assert worst["mouth"] > 0.88
    buffer.release()


def test_an_eye_that_closes_turns_into_skin(gpu, buffer):
    seen = []
    shape = canonical().vertices.copy()
    pairs = ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155))
    for gap in (1.0, 0.6, 0.4, 0.2, 0.0):
        now = shape.copy()
        for upper, lower in pairs:
            now[upper] = shape[lower] + gap * (shape[upper] - shape[lower])
        face = face_at(160, 80, 60, shape=now)
        parts = read(gpu, buffer.draw([face], WHOLE)["faceParts"])
        x, y = face.landmarks[list(RIGHT_LIDS), :2].mean(axis=0).astype(int)
        seen.append((parts[y, x, 2], parts[y, x, 0]))
        assert parts[y, x].sum() == pytest.approx(1, abs=0.02)
    assert seen[0][0] == 1
    assert seen[-1][1] == 1
    assert all(a[0] >= b[0] for a, b in pairwise(seen))


def test_the_larger_face_is_in_front_everywhere(gpu, buffer):
    behind = shifted(face_at(150, 80, 30, slot=0), 0, 0)
    front = face_at(170, 85, 50, slot=1)
    # Its depth says that the one behind is nearer: depths of two faces can't be compared.
    behind = replace(behind, landmarks=freeze(behind.landmarks - np.float32([0, 0, 500])))
    alone = read(gpu, buffer.draw([front], WHOLE)["faceUV"])
    both = read(gpu, buffer.draw([behind, front], WHOLE)["faceUV"])
    covered = alone[..., 3] > 0
    assert (both[covered] == alone[covered]).all()


WILD = {
    "at the edge": face_at(2, 90, 40),
    "off the frame": face_at(-600, 90, 40),
    "tiny": face_at(100, 90, 2.5),
    "a point": face_at(100, 90, 1e-4),
    "huge": face_at(160, 90, 900),
    "upside down": face_at(160, 90, 40, roll=180),
    "from behind": face_at(160, 90, 40, yaw=180),
    "in profile": face_at(160, 90, 40, yaw=90),
    "flat": replace(face_at(), landmarks=freeze(face_at().landmarks * np.float32([1, 1, 0]))),
    "nothing at all": replace(face_at(), landmarks=freeze(np.zeros((478, 3), np.float32))),
    "no numbers": replace(face_at(), landmarks=freeze(np.full((478, 3), np.nan, np.float32))),
    "no pose": replace(face_at(), pose=freeze(np.zeros((4, 4), np.float32)), iod=0.0),
}


@pytest.mark.parametrize("kind", WILD)
def test_no_face_breaks_it(gpu, buffer, kind):
    buffer.draw([WILD[kind]], WHOLE)
    images = buffer.draw([shifted(WILD[kind], 1, 0), face_at(slot=1)], WHOLE)
    for name in NAMES:
        assert np.isfinite(read(gpu, images[name])).all(), name
    assert read(gpu, images["faceUV"])[..., 3].max() <= 1


def test_eight_faces(gpu, buffer):
    faces = [face_at(20 + 40 * i, 70 + 40 * (i % 2), 14, slot=i) for i in range(8)]
    uv = read(gpu, buffer.draw(faces, WHOLE)["faceUV"])
    slots = np.unique(np.round(uv[uv[..., 3] > 0.5][:, 2] * 8 - 0.5))
    assert slots.tolist() == list(range(8))


@pytest.mark.parametrize("name", NAMES)
def test_each_image_alone_is_the_same_as_with_the_others(gpu, buffer, name):
    face = face_at(yaw=25, shape=smiling(0.5))
    everything = read(gpu, buffer.draw([face], WHOLE)[name])
    single = GBuffer(gpu, SIZE, (name,))
    np.testing.assert_allclose(read(gpu, single.draw([face], WHOLE)[name]), everything, atol=1e-3)
    single.release()
