"""The rig: faces driven by coefficients stay faces, and what was put on is read again."""

import numpy as np
import pytest

from kfx import assets
from kfx.canonical import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS, canonical
from kfx.tracking import pose as poses
from kfx.tracking.arkit import NAMES
from kfx.tracking.blendshapes import Blendshapes, from_rest, named
from kfx.tracking.rig import rig
from tests.faces import face_at, landmarks_of, pose_of


def with_shapes(face, shapes):
    from dataclasses import replace

    return replace(face, blendshapes=shapes)


@pytest.fixture(scope="module")
def net():
    return Blendshapes()


def held_out_coefficients(count=40):
    """What people the net never saw did, corrected for rest."""
    with np.load(assets.folder("models") / "blendshapes_test.npz") as data:
        truth = data["truth"].astype(np.float32)
    rows = np.linspace(0, len(truth) - 1, count).astype(int)
    return [dict(named(from_rest(truth[row]))) for row in rows]


def test_the_file_is_small_and_whole():
    assert (assets.folder("models") / "rig.npz").stat().st_size < 300_000
    assert rig().displacements.shape == (52, 478, 3)
    assert np.isfinite(rig().displacements).all()
    assert np.abs(rig().displacements).max() < 0.9
    moves = np.abs(rig().displacements).max(axis=(1, 2))
    assert {n for n, most in zip(NAMES, moves, strict=True) if most < 0.005} == {"tongueOut"}


def test_the_rig_is_symmetric():
    mirror = canonical().mirror.astype(int)
    moves = dict(zip(NAMES, rig().displacements, strict=True))
    for name in NAMES:
        if name.endswith("Left"):
            other = moves[name.removesuffix("Left") + "Right"][mirror] * (-1, 1, 1)
            np.testing.assert_allclose(moves[name], other, atol=1e-3, err_msg=name)


def test_its_own_coefficients_leave_the_face_to_the_bit():
    own = held_out_coefficients(1)[0]
    face = with_shapes(face_at(yaw=20), own)
    for wanted in (own, {}, {"jawOpen": own["jawOpen"]}):
        assert (rig().pose(face, wanted) == face.landmarks).all()
    plain = face_at(roll=-30)
    assert (rig().pose(plain, dict.fromkeys(NAMES, 0.0)) == plain.landmarks).all()


def test_directions_are_right():
    face = face_at(iod=100.0)

    def moved(name, point):
        return (rig().pose(face, {name: 1.0}) - face.landmarks)[point] / 100

    assert moved("jawOpen", 152)[1] > 0.1
    assert moved("jawOpen", 17)[1] - moved("jawOpen", 0)[1] > 0.1
    assert moved("mouthSmileLeft", 291)[0] > 0.03
    assert moved("mouthSmileLeft", 291)[1] < 0
    assert moved("mouthPucker", 291)[0] < -0.03
    assert moved("browInnerUp", 55)[1] < -0.02
    assert moved("eyeBlinkLeft", 386)[1] - moved("eyeBlinkLeft", 374)[1] > 0.03
    assert np.abs(moved("eyeBlinkLeft", 159)).max() < 0.02
    # Left is the performer's left, on the right of the picture.
    assert moved("eyeLookOutLeft", 473)[0] > 0.02
    assert moved("eyeLookInLeft", 473)[0] < -0.02


def test_motion_stays_where_it_belongs():
    for name, move in zip(NAMES, rig().displacements, strict=True):
        far = np.linalg.norm(move, axis=1)
        if name.startswith(("mouth", "jaw")):
            assert far[[10, 159, 386, 66, 296]].max() < 0.02, name
        if name.startswith(("eye", "brow")):
            assert far[[152, 0, 17, 61, 291]].max() < 0.02, name


def test_the_pose_is_kept_and_turns_the_change():
    shapes = {"jawOpen": 0.6, "mouthSmileLeft": 0.5, "browInnerUp": 0.7}
    straight = rig().pose(face_at(), shapes) - face_at().landmarks
    turned = face_at(yaw=25, roll=15)
    change = rig().pose(turned, shapes) - turned.landmarks
    there = change @ np.linalg.inv(turned.pose[:3, :3]).T
    np.testing.assert_allclose(there, straight / 40, atol=1e-4)
    before = poses.yaw_pitch_roll(poses.fit(turned.landmarks))
    after = poses.yaw_pitch_roll(poses.fit(turned.landmarks + change))
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 2.0


def test_coefficients_come_back(net):
    """Put on a face that was never tracked, read again: within a few hundredths."""
    face = face_at(iod=80.0)
    own = net.of(face.landmarks)
    errors, spread = [], []
    for wanted in held_out_coefficients():
        read = net.of(rig().pose(with_shapes(face, own), wanted))
        errors.append([read[n] - wanted[n] for n in NAMES])
        spread.append([own[n] - wanted[n] for n in NAMES])
    rms, nothing = np.sqrt(np.mean(np.square(errors))), np.sqrt(np.mean(np.square(spread)))
    assert rms < 0.10
    assert rms < 0.6 * nothing


@pytest.mark.parametrize("amount", [1.0, 2.0])
def test_lids_and_lips_meet_but_never_cross(amount):
    shape = canonical().vertices.copy()
    shape[list(LEFT_LIDS), 1] *= 0.5  # eyes half open
    face = face_at(iod=100.0, yaw=-20, shape=shape)
    closing = ("eyeBlinkLeft", "eyeBlinkRight", "mouthClose", "mouthPressLeft", "mouthRollLower")
    points = rig().pose(face, dict.fromkeys(closing, amount))
    there = poses.to_canonical(face.pose, points)
    before = poses.to_canonical(face.pose, face.landmarks)
    for lids in (LEFT_LIDS, RIGHT_LIDS):
        for k in range(1, 8):
            gap = there[lids[16 - k], 1] - there[lids[k], 1]
            assert -1e-4 <= gap < before[lids[16 - k], 1] - before[lids[k], 1]
    for k in range(1, 10):
        own = before[INNER_LIPS[20 - k], 1] - before[INNER_LIPS[k], 1]
        assert there[INNER_LIPS[20 - k], 1] - there[INNER_LIPS[k], 1] >= min(0.0, own) - 1e-4


def test_change_is_linear_and_continuous():
    one = rig().change({"jawOpen": 1.0})
    np.testing.assert_allclose(rig().change({"jawOpen": 0.25}), one / 4, atol=1e-6)
    both = rig().change({"jawOpen": 1.0, "browInnerUp": 0.5})
    parts = one + rig().change({"browInnerUp": 0.5})
    np.testing.assert_allclose(both, parts, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e9])
def test_wild_coefficients_stay_bounded(value):
    face = face_at()
    points = rig().pose(face, dict.fromkeys(NAMES, value))
    assert np.isfinite(points).all()
    assert np.abs(rig().pose(face, {"jawOpen": value}) - face.landmarks).max() < 2 * face.iod


def test_unknown_names_and_degenerate_faces_are_no_matter():
    face = face_at()
    assert (rig().pose(face, {"smellOut": 1.0}) == face.landmarks).all()
    tiny = with_shapes(face_at(iod=0.0), {})
    assert np.isfinite(rig().pose(tiny, {"jawOpen": 1.0})).all()


def test_every_face_may_be_driven():
    shape = canonical().vertices * np.float32([1.2, 0.9, 1.1])
    face = face_at(shape=shape)
    points = rig().pose(face, {"jawOpen": 1.0})
    assert points.dtype == np.float32
    assert points[152, 1] > face.landmarks[152, 1] + 0.1 * face.iod
    plain = landmarks_of(pose_of(160.0, 80.0, 40.0), shape)
    assert (face.landmarks == plain).all()


def test_rig_names_what_was_learned():
    by_hand = {n for n, learned in zip(NAMES, rig().learned, strict=True) if not learned}
    assert by_hand == {
        *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
        *("noseSneerLeft", "noseSneerRight", "jawForward", "tongueOut"),
    }
