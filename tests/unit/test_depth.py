"""FaceMesh's depth is bent to the turn that x and y show."""

import numpy as np
import pytest

from kfx.canonical import canonical
from kfx.tracking import pose as poses
from kfx.tracking.depth import agreeing
from tests.faces import landmarks_of, pose_of, smiling


def seen(yaw, share, shape=None, roll=8.0):
    """A head turned by `yaw`, with the depth of one turned by `share` of it."""
    points = landmarks_of(pose_of(300, 150, 55, yaw=yaw, roll=roll), shape)
    points[:, 2] = landmarks_of(pose_of(300, 150, 55, yaw=share * yaw, roll=roll), shape)[:, 2]
    return points


@pytest.mark.parametrize("yaw", [-40, -15, 0, 10, 35])
def test_a_turn_that_depth_hides_is_found(yaw):
    points = seen(yaw, 0.66)
    bent = agreeing(points)
    assert (bent[:, :2] == points[:, :2]).all()
    found = poses.yaw_pitch_roll(poses.fit(bent))
    np.testing.assert_allclose(found, (yaw, 0.0, 8.0), atol=0.3)
    shape = poses.to_canonical(poses.fit(bent), bent)
    np.testing.assert_allclose(shape, canonical().vertices, atol=0.02)
    if abs(yaw) > 10:
        before = poses.yaw_pitch_roll(poses.fit(points))[0]
        assert abs(before - yaw) > 0.15 * abs(yaw), "nothing was hidden: the test says nothing"


@pytest.mark.parametrize("kind", ["any", "flat", "line", "mirrored", "twins", "tiny", "nothing"])
def test_the_nearest_rotation_is_that_of_the_singular_values(kind):
    rng = np.random.default_rng(4)
    for _ in range(40):
        matrix = rng.normal(0, 30, (3, 3))
        if kind == "flat":
            matrix[:, 2] = 0
        elif kind == "line":
            matrix = np.outer(matrix[0], matrix[1])
        elif kind == "mirrored":
            matrix = np.diag([1.0, 1.0, -1.0]) @ poses.rotation(matrix[0]) @ np.diag([3, 2, 1.5])
        elif kind == "twins":
            matrix = np.diag([5.0, 2.0, -2.0])
        elif kind in ("tiny", "nothing"):
            matrix *= 1e-30 if kind == "tiny" else 0.0
        u, s, vt = np.linalg.svd(matrix)
        hand = np.sign(np.linalg.det(u @ vt))
        turn, grown = poses.nearest(matrix)
        assert grown == pytest.approx(s[0] + s[1] + hand * s[2], rel=1e-9, abs=1e-60)
        np.testing.assert_allclose(np.array(turn) @ np.transpose(turn), np.eye(3), atol=1e-7)
        assert np.linalg.det(turn) == pytest.approx(1)
        if kind in ("any", "flat", "mirrored"):  # the others have more than one
            np.testing.assert_allclose(turn, u @ np.diag([1, 1, hand]) @ vt, atol=1e-7)


def test_depth_that_agrees_stays():
    points = landmarks_of(pose_of(300, 150, 55, yaw=-25, roll=12))
    np.testing.assert_allclose(agreeing(points), points, atol=1e-3)


def test_somebody_elses_face_keeps_its_own_depth():
    shape = smiling() * np.float32([1.1, 0.95, 1.0])
    points = seen(30, 0.7, shape)
    bent = agreeing(points)
    away = [poses.to_canonical(poses.fit(p), p)[:, 2] - shape[:, 2] for p in (points, bent)]
    assert np.abs(away[1]).mean() < 0.5 * np.abs(away[0]).mean()


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((478, 3), np.float32),
        np.full((478, 3), 7.0, np.float32),
        np.full((478, 3), np.nan, np.float32),
        landmarks_of(pose_of(300, 150, 55, roll=180)),
        landmarks_of(pose_of(300, 150, 55, yaw=88)),
        np.random.default_rng(1).normal(0, 1e6, (478, 3)).astype(np.float32),
        canonical().vertices * np.float32([50, 50, 0]),
        canonical().vertices * np.float32([50, 0, 0]),
    ],
    ids=["zero", "spot", "nan", "upside-down", "profile", "chaos", "flat", "line"],
)
def test_degenerate_faces_do_no_harm(points):
    bent = agreeing(points)
    assert bent.shape == (478, 3)
    assert (bent[:, :2] == points[:, :2]).all() or np.isnan(points).all()
    if np.isfinite(points).all():
        assert np.isfinite(bent).all()
        assert np.abs(bent).max() <= 40 * max(1.0, np.abs(points).max())
