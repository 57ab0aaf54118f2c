"""The performer: the same bytes for the same spec, and landmarks that are where it draws them."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from kfx import sources
from kfx.errors import UsageError
from kfx.types import LANDMARK_COUNT

SMALL = "size=320x180"


def perform(spec: str, indices: list[int], **wishes):
    with sources.open(spec, **wishes) as source:
        return [source.frame(i) for i in indices]


def gap(face, upper: int, lower: int) -> float:
    return float(np.linalg.norm((face.landmarks[upper] - face.landmarks[lower])[:2])) / face.iod


def test_a_frame_is_the_same_whatever_was_read_before():
    spec = f"performer?faces=2&cross=1&{SMALL}"
    forward = perform(spec, [3, 40, 41])
    alone = perform(spec, [41])[0]
    np.testing.assert_array_equal(forward[2].pixels, alone.pixels)
    for one, other in zip(forward[2].truth, alone.truth, strict=True):
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        np.testing.assert_array_equal(one.pose, other.pose)


def test_iterating_gives_the_same_as_asking():
    with sources.open(f"performer?{SMALL}") as source:
        read = list(islice(source.frames(), 4))
    asked = perform(f"performer?{SMALL}", [3])[0]
    assert [f.index for f in read] == [0, 1, 2, 3]
    assert [f.timecode for f in read] == [f"00:00:00:0{i}" for i in range(4)]
    np.testing.assert_array_equal(read[3].pixels, asked.pixels)


def test_the_seed_changes_the_take():
    one, other = (perform(f"performer?{SMALL}&seed={s}", [25])[0] for s in (1, 2))
    assert not np.array_equal(one.pixels, other.pixels)
    assert not np.allclose(one.truth[0].landmarks, other.truth[0].landmarks)


@pytest.mark.parametrize("faces", [1, 2, 3, 4])
@pytest.mark.parametrize("cross", [0, 1])
@pytest.mark.parametrize("size", ["641x361", "360x640", "320x180"])
def test_truth_is_finite_and_inside_the_frame(faces, cross, size):
    width, height = map(int, size.split("x"))
    spec = f"performer?faces={faces}&cross={cross}&size={size}"
    for frame in perform(spec, [0, 77, 400]):
        assert frame.pixels.shape == (height, width, 4)
        assert frame.pixels.dtype == np.uint8
        assert not frame.pixels.flags.writeable
        assert (frame.pixels[..., 3] == 255).all()
        assert [face.slot for face in frame.truth] == list(range(faces))
        for face in frame.truth:
            assert face.landmarks.shape == (LANDMARK_COUNT, 3)
            assert face.landmarks.dtype == np.float32
            assert np.isfinite(face.landmarks).all()
            assert 0 <= face.presence <= 1
            low_x, low_y, high_x, high_y = face.box
            assert low_x >= 0
            assert low_y >= 0
            assert high_x <= width
            assert high_y <= height


@pytest.mark.parametrize("size", ["16x16", "17x31", "64x16", "16x400", "1920x1080"])
def test_any_size(size):
    width, height = map(int, size.split("x"))
    (frame,) = perform(f"performer?size={size}", [12])
    assert frame.pixels.shape == (height, width, 4)
    assert np.isfinite(frame.truth[0].landmarks).all()


def test_the_face_fills_the_default_frame_as_a_medium_close_up():
    (frame,) = perform("performer?still=1", [0])
    assert frame.pixels.shape == (720, 1280, 4)
    assert 90 < frame.truth[0].iod < 110


def test_crossing_faces_hide_each_other():
    with sources.open(f"performer?faces=2&cross=1&{SMALL}&noise=0") as source:
        takes = [source.frame(i).truth for i in range(0, 450, 15)]
    sides = {np.sign(t[0].landmarks[1, 0] - t[1].landmarks[1, 0]) for t in takes}
    assert sides == {-1.0, 1.0}
    assert min(face.presence for t in takes for face in t) < 0.5


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60)])
def test_time_is_exact_and_motion_does_not_depend_on_the_rate(rate):
    (frame,) = perform(f"performer?{SMALL}&noise=0", [120], rate=rate)
    assert frame.time == 120 / rate
    near = round(frame.time * 1000)
    (same,) = perform(f"performer?{SMALL}&noise=0", [near], rate=Fraction(1000))
    drift = np.abs(frame.truth[0].landmarks - same.truth[0].landmarks).max()
    assert drift < 0.5


def test_the_pose_maps_the_frontal_face_onto_the_landmarks():
    still, moving = perform("performer?still=1", [0])[0], perform("performer", [55])[0]
    face = still.truth[0]
    level = face.pose[:3, :3] / face.iod
    np.testing.assert_allclose(level[0], [1, 0, 0], atol=1e-4)  # no yaw and no roll
    np.testing.assert_allclose(level @ level.T, np.eye(3), atol=1e-4)
    canonical = (face.landmarks - face.pose[:3, 3]) @ level / face.iod
    other = moving.truth[0]
    steady = [6, 168, 197, 33, 263, 133, 362]  # bridge of the nose, corners of the eyes
    mapped = canonical[steady] @ other.pose[:3, :3].T + other.pose[:3, 3]
    np.testing.assert_allclose(mapped[:, :2], other.landmarks[steady, :2], atol=0.03 * other.iod)
    turn = other.pose[:3, :3] / other.iod
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-4)


def test_ten_seconds_hold_blinks_speech_and_turns():
    with sources.open(f"performer?{SMALL}&noise=0") as source:
        truth = [source.frame(i).truth[0] for i in range(0, 300)]
    lids = np.array([gap(face, 159, 145) for face in truth])
    lips = np.array([gap(face, 13, 14) for face in truth])
    noses = np.array(
        [(f.landmarks[1, 0] - f.landmarks[[33, 263], 0].mean()) / f.iod for f in truth]
    )
    shut = lids < 0.5 * np.median(lids)
    blinks = int((shut[1:] & ~shut[:-1]).sum())
    assert 1 <= blinks <= 8
    assert shut.sum() <= 5 * blinks
    syllables = ((lips[1:-1] > lips[:-2]) & (lips[1:-1] >= lips[2:]) & (lips[1:-1] > 0.05)).sum()
    assert 8 <= syllables <= 50
    assert lips.min() < 0.02
    assert lips.max() > 0.12
    assert np.ptp(noses) > 0.15


def test_still_stands_still_but_for_the_noise():
    one, other = perform(f"performer?still=1&{SMALL}", [0, 90])
    np.testing.assert_array_equal(one.truth[0].landmarks, other.truth[0].landmarks)
    assert not np.array_equal(one.pixels, other.pixels)
    one, other = perform(f"performer?still=1&{SMALL}&noise=0", [0, 90])
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_noise_has_the_sigma_that_was_asked_for():
    clean, noisy = (perform(f"performer?still=1&{SMALL}&noise={n}", [5])[0] for n in (0, 6))
    difference = noisy.pixels[..., :3].astype(float) - clean.pixels[..., :3]
    bright = clean.pixels[..., :3] > 40  # darker pixels clip
    assert difference[bright & (clean.pixels[..., :3] < 215)].std() == pytest.approx(6, abs=0.5)


def test_frames_that_are_held_keep_their_pixels():
    with sources.open(f"performer?{SMALL}") as source:
        held = list(islice(source.frames(), 12))
        copies = [frame.pixels.copy() for frame in held]
        for _ in range(3):
            source.frame(50)
    for frame, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(frame.pixels, copy)


def test_start_and_stop_cut_the_timeline():
    spec, start, stop = f"performer?{SMALL}", Fraction(1), Fraction(11, 10)
    with sources.open(spec, start_s=start, stop_s=stop) as source:
        assert source.info.frame_count == 3
        assert source.info.timecode == "00:00:01:00"
        cut = list(source.frames())
    assert [f.index for f in cut] == [30, 31, 32]
    np.testing.assert_array_equal(cut[0].pixels, perform(spec, [30])[0].pixels)


def test_close_ends_the_frames():
    source = sources.open(f"performer?{SMALL}")
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert next(frames, None) is None


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("performer?faces=5", "1..4"),
        ("performer?faces=two", "1..4"),
        ("performer?noise=21", "0.0..20.0"),
        ("performer?noise=nan", "0.0..20.0"),
        ("performer?seed=-1", "seed=-1"),
        ("performer?cross=2", "0..1"),
        ("performer?fase=2", "unknown option"),
        ("performer:grace", "means nothing"),
    ],
)
def test_bad_options_name_the_spec_and_the_remedy(spec, word):
    with pytest.raises(UsageError, match=word) as caught:
        sources.open(spec)
    assert str(caught.value).startswith(spec)


def test_nothing_between_start_and_stop_is_an_error():
    with pytest.raises(UsageError, match="make the stop later"):
        sources.open("performer", start_s=Fraction(2), stop_s=Fraction(1))


def test_truth_agrees_with_mediapipe():
    face_mesh = pytest.importorskip("mediapipe").solutions.face_mesh
    eyes = [33, 133, 159, 145, 263, 362, 386, 374, 468, 473]
    lips = [61, 291, 0, 17, 13, 14, 40, 270, 91, 321]
    oval = [10, 338, 284, 454, 361, 397, 378, 152, 149, 172, 132, 234, 54, 109]
    errors = []
    with face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        for frame in perform("performer", [0, 29, 180, 263, 611, 775]):
            found = mesh.process(np.ascontiguousarray(frame.pixels[..., :3])).multi_face_landmarks
            assert found, f"no face in frame {frame.index}"
            seen = np.array([(p.x * 1280, p.y * 720) for p in found[0].landmark])
            errors.append(seen - frame.truth[0].landmarks[:, :2])
    error = np.array(errors)
    distance = np.linalg.norm(error, axis=2)
    assert distance[:, eyes].mean() < 2.5
    assert distance[:, lips].mean() < 3.0
    assert distance[:, oval].mean() < 5.5
    assert np.abs(error.mean(axis=(0, 1))).max() < 1.5
