"""A performer's own head is learned as it turns, and poses come nearer for it."""

import numpy as np
import pytest

from kfx.canonical import RIGID, canonical
from kfx.tracking import pose as poses
from kfx.tracking.depth import agreeing, canonical_model, laid, rigid_weights
from kfx.tracking.shape import Shape, bends
from kfx.tracking.tracker import Tracker
from tests.faces import frame_of, landmarks_of, picture, pose_of
from tests.finders import Script

FLAT = canonical().vertices * np.float32([1, 1, 0.8])
LONG = canonical().vertices * np.float32([1, 1.08, 1])


def seen(shape, yaw, noise=0.0, seed=0):
    """A turned head as FaceMesh gives it: x and y as they are, z as of everybody."""
    pose = pose_of(300, 200, 90, yaw=yaw, roll=6)
    points = landmarks_of(pose, shape)
    points[:, 2] = landmarks_of(pose_of(300, 200, 90, yaw=0.7 * yaw, roll=6))[:, 2]
    rng = np.random.default_rng([seed, round(yaw * 100) + 10000])
    points[:, :2] += rng.normal(0, noise, (478, 2))
    return agreeing(points.astype(np.float32))


def turning(shape, reach=22.0, frames=240, noise=0.0):
    return [(y, seen(shape, y, noise)) for y in reach * np.sin(np.arange(frames) / 14)]


def learned(take):
    head = Shape()
    for _, points in take:
        head.see(points, poses.fit(points))
    return head


def yaw_misses(take, model):
    found = [poses.yaw_pitch_roll(laid(points, model)[1])[0] for _, points in take]
    return np.array([yaw for yaw, _ in take]) - found


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_flat_head_is_found_to_be_flat(noise):
    take = turning(FLAT, noise=noise)
    head = learned(take)
    before, after = (np.abs(yaw_misses(take, m)).mean() for m in (canonical_model(), head.model))
    assert before > 2.0
    assert after < 0.5 * before


def test_a_long_face_is_found_to_be_long_without_a_turn():
    head = learned([(0.0, seen(LONG, 0.0))] * 120)
    ours, everybodys = head.model.points, canonical_model().points
    ratio = [np.ptp(p[:, 1]) / np.ptp(p[:, 0]) for p in (ours, everybodys)]
    assert 1.05 < ratio[0] / ratio[1] < 1.1
    assert np.polyfit(everybodys[:, 2], ours[:, 2], 1)[0] == pytest.approx(1.0, abs=0.06)


def test_everybodys_head_stays_everybodys():
    head = learned(turning(canonical().vertices, noise=0.5))
    away = head.model.points - canonical_model().points
    assert np.sqrt((rigid_weights() @ away**2).sum()) < 0.02


def test_bends_leave_turn_place_and_size_alone():
    modes, weights, points = bends(), rigid_weights(), canonical_model().points
    products = np.einsum("anc,n,bnc->ab", modes, weights, modes)
    np.testing.assert_allclose(products, np.eye(len(modes)), atol=1e-9)
    turned = [np.cross(axis, points) for axis in np.eye(3)]
    for whole in (points, *turned, *(np.ones_like(points) * axis for axis in np.eye(3))):
        assert np.abs(np.einsum("anc,n,nc->a", modes, weights, whole)).max() < 1e-9
    mirror = [RIGID.index(int(canonical().mirror[i])) for i in RIGID]
    np.testing.assert_allclose(modes[:, mirror] * (-1, 1, 1), modes, atol=0.02)


def test_the_same_frames_teach_the_same():
    one, two = (learned(turning(FLAT, noise=0.5)).model.points for _ in range(2))
    assert (one == two).all()


@pytest.mark.parametrize("kind", ["nan", "spot", "chaos", "profile", "upside-down", "tiny"])
def test_nonsense_teaches_nothing_that_harms(kind):
    rng = np.random.default_rng(3)
    makes = {
        "nan": lambda: np.full((478, 3), np.nan),
        "spot": lambda: np.full((478, 3), 7.0),
        "chaos": lambda: rng.normal(0, 200, (478, 3)),
        "profile": lambda: landmarks_of(pose_of(300, 200, 90, yaw=80)),
        "upside-down": lambda: landmarks_of(pose_of(300, 200, 90, roll=180)),
        "tiny": lambda: landmarks_of(pose_of(3, 2, 1e-3)),
    }
    head = Shape()
    for _ in range(40):
        points = makes[kind]().astype(np.float32)
        with np.errstate(all="ignore"):
            pose = poses.fit(points) if kind != "nan" else np.full((4, 4), np.nan, np.float32)
            head.see(points, pose)
    assert np.isfinite(head.model.points).all()
    assert np.abs(head.model.points - canonical_model().points).max() < 1.5
    take = turning(FLAT, frames=300)
    for _, now in take:
        head.see(now, poses.fit(now))
    before, after = (np.abs(yaw_misses(take, m)).mean() for m in (canonical_model(), head.model))
    assert after < 0.6 * before, "it has unlearned to learn"
    points, pose = laid(seen(FLAT, 10.0), head.model)
    assert np.isfinite(points).all()
    assert pose is not None
    assert np.isfinite(pose).all()


class Guess(Script):
    guesses_depth = True


def test_the_tracker_learns_who_is_in_a_slot_and_forgets_at_a_cut():
    take = turning(FLAT)
    with Tracker(Guess([[points] for _, points in take] * 2)) as tracker:
        misses = []
        for i in range(2 * len(take)):
            if i == len(take):
                tracker.reset()
            (face,) = tracker.track(frame_of(picture(64, 36), i))
            misses.append(abs(poses.yaw_pitch_roll(face.pose)[0] - take[i % len(take)][0]))
            shape = poses.to_canonical(face.pose, face.landmarks)
            assert np.abs(shape[list(RIGID), :2] - FLAT[list(RIGID), :2]).max() < 0.12
    # The same moments of the turn, before much was learned, after it, and after the cut.
    first, late, anew = (np.mean(misses[i : i + 44]) for i in (0, 176, 240))
    assert late < 0.6 * first
    assert anew == pytest.approx(first, rel=0.02)
    plain = Tracker(Script([[points] for _, points in take]))
    own = [plain.track(frame_of(picture(64, 36), i))[0] for i in range(len(take))]
    yaws = [abs(poses.yaw_pitch_roll(f.pose)[0] - y) for f, (y, _) in zip(own, take, strict=True)]
    assert np.mean(yaws[176:220]) > 2 * late, "who knows depth learns nothing"
