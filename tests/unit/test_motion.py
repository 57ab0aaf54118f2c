"""The contract of motion effects, over every one there is; and what each of them promises."""

import numpy as np
import pytest

from kfx import effects
from kfx.canonical import canonical
from kfx.motion.deadpan_step import DeadpanStep
from kfx.motion.expr_amp import ExprAmp
from kfx.motion.guard import LONGEST_IOD, believable
from kfx.tracking import pose as poses
from tests.faces import face_at, frame_of, picture, smiling, tick_of

MOTIONS = [name for name in effects.names() if effects.find(name).kind == "motion"]
PIXELS = picture(64, 36)
# What each of them does to people: see `Motion`. A new effect has to say it here as well.
PLAIN, REENACT, LIKENESS = (False, False), (True, False), (False, True)
KINDS = {
    "ai_motion": REENACT,
    "asymmetry": REENACT,
    "deadpan_step": REENACT,
    "drift_features": REENACT,
    "expr_amp": REENACT,
    "expr_bank": REENACT,
    "face_exchange": LIKENESS,
    "frozen_portrait": REENACT,
    "liquify": REENACT,
    "micro_jitter": PLAIN,
    "morph_cycle": LIKENESS,
    "retarget": REENACT,
    "ripple_skin": PLAIN,
    "speed_ramp": PLAIN,
    "time_loop": PLAIN,
}


def performance(n=40):
    """Faces of a performer who moves across, turns, and smiles from frame 10 on."""
    return [
        face_at(150 + i, 80, 40, yaw=0.4 * i, shape=smiling(min(1.0, max(0.0, (i - 10) / 10))))
        for i in range(n)
    ]


def drive(motion, faces):
    frames = [frame_of(PIXELS, i) for i in range(len(faces))]
    return [
        motion.drive(face, tick_of(frame, [face], 0.0 if frame.index == 0 else 1 / 30))
        for face, frame in zip(faces, frames, strict=True)
    ]


@pytest.mark.parametrize("name", MOTIONS)
def test_the_contract(name):
    cls = effects.find(name).source
    faces = performance()
    before = [face.landmarks.copy() for face in faces]
    motion = cls()
    first = drive(motion, faces)
    for points, face, kept in zip(first, faces, before, strict=True):
        assert points.shape == (478, 3)
        assert np.isfinite(points).all()
        assert (face.landmarks == kept).all(), "it wrote into its input"
        assert np.abs(points - face.landmarks)[:, :2].max() < face.iod
    motion.reset()
    again = drive(motion, faces)
    assert all((a == b).all() for a, b in zip(first, again, strict=True)), "reset left something"
    fresh = drive(cls(), faces)
    assert all((a == b).all() for a, b in zip(first, fresh, strict=True))


@pytest.mark.parametrize("name", MOTIONS)
def test_it_says_what_it_does_to_people(name):
    cls = effects.find(name).source
    assert (cls.reenact, cls.likeness) == KINDS[name]


@pytest.mark.parametrize("name", MOTIONS)
def test_slots_do_not_disturb_each_other(name):
    cls = effects.find(name).source
    faces = performance()
    alone = drive(cls(), faces)
    both = cls()
    other = face_at(60, 60, 20, slot=3, shape=smiling())
    together = []
    for i, face in enumerate(faces):
        tick = tick_of(frame_of(PIXELS, i), [face, other], 0.0 if i == 0 else 1 / 30)
        together.append(both.drive(face, tick))
        both.drive(other, tick)
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def shapes(points, faces):
    return np.array([poses.to_canonical(f.pose, p) for p, f in zip(points, faces, strict=True)])


def test_deadpan_holds_the_expression_and_lets_the_head_move():
    faces = performance()
    held = drive(DeadpanStep({"hz": 10.0, "deaden": 0.0}), faces)
    shape = shapes(held, faces)
    changes = np.abs(np.diff(shape[:, 61], axis=0)).max(axis=1) > 1e-3
    assert changes.sum() == pytest.approx(10 / 3, abs=1), "ten frames of change at a hold of three"
    heads = np.array([p[4, 0] for p in held])
    assert (np.diff(heads) > 0.5).all()


def test_deaden_draws_brows_to_rest():
    raised = canonical().vertices.copy()
    brow = [70, 63, 105, 66, 107, 300, 293, 334, 296, 336]
    raised[brow, 1] -= 0.1
    faces = [face_at()] * 15 + [face_at(shape=raised)] * 15
    free = shapes(drive(DeadpanStep({"deaden": 0.0}), faces), faces)[-1]
    dead = shapes(drive(DeadpanStep({"deaden": 1.0}), faces), faces)[-1]
    rest = canonical().vertices
    assert np.abs(free[brow, 1] - rest[brow, 1]).mean() > 0.08
    assert np.abs(dead[brow, 1] - rest[brow, 1]).mean() < 0.035


def test_lag_delays_the_mouth():
    faces = performance()
    now = shapes(drive(DeadpanStep({"deaden": 0.0, "lag": 0}), faces), faces)
    late = shapes(drive(DeadpanStep({"deaden": 0.0, "lag": 6}), faces), faces)
    rest = canonical().vertices
    reached = [np.abs(s[:, 61] - rest[61]).max(axis=1) > 0.1 for s in (now, late)]
    assert reached[1].argmax() > reached[0].argmax()


def test_expr_amp_goes_past_the_performer_and_gain_1_is_the_performer():
    faces = performance()
    rest = canonical().vertices
    smile = np.linalg.norm(smiling()[[61, 291]] - rest[[61, 291]], axis=1).mean()
    amplified = shapes(drive(ExprAmp({"gain": 2.0}), faces), faces)[-1]
    assert np.linalg.norm((amplified - rest)[[61, 291]], axis=1).mean() > 1.25 * smile
    plain = drive(ExprAmp({"gain": 1.0}), faces)
    for points, face in zip(plain, faces, strict=True):
        np.testing.assert_allclose(points, face.landmarks, atol=1e-3)
    frozen = shapes(drive(ExprAmp({"gain": 0.0}), faces), faces)[-1]
    assert np.linalg.norm((frozen - rest)[[61, 291]], axis=1).mean() < 0.7 * smile


def test_the_guard_limits_reach_openings_and_folds():
    face = face_at(iod=100.0)
    live = face.landmarks
    same = believable(live, live, 100.0)
    np.testing.assert_allclose(same[:468], live[:468], atol=1e-3)

    far = live.copy()
    far[10, 0] += 300
    assert np.abs(believable(live, far, 100.0) - live).max() <= LONGEST_IOD * 100 + 1e-3

    shut = canonical().vertices.copy()
    for lids in ((159, 145), (158, 153), (160, 144), (161, 163), (157, 154)):
        shut[lids[0], 1] = shut[lids[1], 1] - 0.005
    closed = face_at(iod=100.0, shape=shut).landmarks
    opened = believable(closed, live, 100.0)
    wish, shown = (np.linalg.norm(p[159] - p[145]) for p in (live, opened))
    assert shown < 0.45 * wish, "a shut eye was torn open"
