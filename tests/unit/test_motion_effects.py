"""What liquify, asymmetry, drift_features, ripple_skin, micro_jitter and expr_bank promise."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import effects
from kfx.canonical import OVAL, canonical
from kfx.motion.chance import chance, noise
from kfx.motion.expr_bank import bank
from kfx.motion.guard import no_wider
from kfx.render import facemesh
from kfx.tracking import pose as poses
from kfx.types import Face, freeze
from tests.faces import face_at, frame_of, picture, smiling, tick_of

NAMES = ["liquify", "asymmetry", "drift_features", "ripple_skin", "micro_jitter", "expr_bank"]
PIXELS = picture(64, 36)
# Knobs that take everything out of an effect, whatever else is set.
ZERO = {
    "liquify": dict(chin=0.0, forehead=0.0, eyes=0.0, cheeks=0.0, mouth=0.0, nose=0.0, jelly=0.0),
    "asymmetry": dict(late=0.0, wry=0.0, twin=0.0),
    "drift_features": dict(amp=0.0, turn=0.0, size=0.0),
    "ripple_skin": dict(swing=0.0),
    "micro_jitter": dict(amount=0.0, boil=0.0),
    "expr_bank": dict(intensity=0.0),
}
MOST_IOD = 0.5  # at the defaults no landmark goes farther
INSIDE = np.setdiff1d(np.arange(478), OVAL)


def performance(n=60):
    """A performer who moves, turns and talks: about two seconds."""
    return [
        face_at(300 + i, 200, 100, yaw=0.3 * i - 8, shape=smiling(0.5 + 0.5 * np.sin(i / 5)))
        for i in range(n)
    ]


def drive(motion, faces, rate=30):
    """The driven landmarks of each frame."""
    driven = []
    for i, face in enumerate(faces):
        tick = tick_of(frame_of(PIXELS, i, rate), [face], 0.0 if i == 0 else 1 / rate)
        driven.append(motion.drive(face, tick))
    return np.array(driven)


def changes(name, faces=None, rate=30, **knobs):
    """(frames, 478, 3): how far each landmark is moved, in iod, with the pose taken out."""
    faces = performance() if faces is None else faces
    driven = drive(effects.find(name).source(knobs), faces, rate)
    linear = [np.linalg.inv(face.pose[:3, :3]) for face in faces]
    return np.array(
        [(p - f.landmarks) @ m.T for p, f, m in zip(driven, faces, linear, strict=True)]
    )


@pytest.mark.parametrize("name", NAMES)
def test_zero_knobs_leave_the_face(name):
    assert np.abs(changes(name, **ZERO[name])).max() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_seen_and_bounded(name):
    moved = np.linalg.norm(changes(name)[:, :, :2], axis=2)
    assert 0.02 < moved.max() < MOST_IOD
    assert moved[:13].max() > 0.01, "nothing is seen in the first 13 frames"


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_face_does_not_matter(name):
    """The same performance four times as large is driven by the same share of the iod."""
    small = [face_at(100, 80, 30, shape=smiling(i / 20)) for i in range(20)]
    large = [face_at(400, 320, 120, shape=smiling(i / 20)) for i in range(20)]
    np.testing.assert_allclose(changes(name, small), changes(name, large), atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_take_repeats_and_a_seed_is_another_take(name):
    assert (changes(name) == changes(name)).all()
    if name not in ("liquify",):  # nothing in it is left to chance
        assert np.abs(changes(name, seed=7) - changes(name)).max() > 1e-3


@pytest.mark.parametrize("name", ["drift_features", "ripple_skin", "micro_jitter", "asymmetry"])
def test_motion_has_no_jumps(name):
    """At 120 frames a second no landmark of a still face leaps."""
    moved = changes(name, [face_at(300, 200, 100)] * 240, rate=120)
    steps = np.linalg.norm(np.diff(moved[:, :, :2], axis=0), axis=2)
    assert steps.max() < 0.03
    assert np.abs(moved[0, :, :2]).max() < 0.12


@pytest.mark.parametrize("name", ["liquify", "drift_features", "ripple_skin", "asymmetry"])
def test_the_frame_rate_does_not_change_the_motion(name):
    slow = changes(name, [face_at(300, 200, 100)] * 40, rate=30)
    fast = changes(name, [face_at(300, 200, 100)] * 80, rate=60)[::2]
    # A kick falls on a frame, so that springs may be a frame apart.
    assert np.abs(slow - fast)[:, :, :2].mean() < 0.1 * np.abs(slow[:, :, :2]).max() + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_no_skin_folds_at_the_defaults(name):
    triangles = facemesh.skin_triangles()
    faces = [face_at(300, 200, 100, shape=smiling(0.3))] * 120
    for face, points in zip(faces, drive(effects.find(name).source(), faces), strict=True):
        before = facemesh.signed_areas(face.landmarks, triangles) / face.iod**2
        after = facemesh.signed_areas(points, triangles) / face.iod**2
        assert (after[before > 0.004] > 0).all()


@pytest.mark.parametrize("name", ["drift_features", "ripple_skin", "micro_jitter"])
def test_what_stays_on_the_face_is_anchored_at_the_oval(name):
    moved = np.linalg.norm(changes(name)[:, :, :2], axis=2)
    assert moved[:, list(OVAL)].max() < 1e-4
    assert moved[:, INSIDE].max() > 0.02


def degenerate():
    """Faces that a tracker shouldn't give, and may."""
    upside_down = face_at(160, 90, 40, roll=180)
    flat = face_at(160, 90, 40)
    one_point = np.full((478, 3), 50.0, np.float32)
    nowhere = np.diag(np.float32([0, 0, 0, 1]))
    return {
        "edge": [face_at(0.0, 0.0, 40), face_at(-15, 178, 40)],
        "tiny": [face_at(50, 50, 3.8)],
        "huge": [face_at(160, 90, 900, yaw=80)],
        "upside down": [upside_down],
        "two on one place": [face_at(90, 90, 30, slot=0), face_at(90, 90, 30, slot=1)],
        "no depth": [replace(flat, landmarks=freeze(flat.landmarks * np.float32([1, 1, 0])))],
        "one point": [Face(0, freeze(one_point), freeze(nowhere), 0.0, age=5)],
        "half a face": [face_at(100, 90, 40, yaw=88)],
        "just lost": [replace(face_at(90, 90, 30), found=False, presence=0.3)],
        "newly come": [face_at(90, 90, 30, age=0)],
    }


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("name", NAMES)
def test_degenerate_faces_do_no_harm(name, case):
    motion = effects.find(name).source()
    for i in range(8):
        faces = degenerate()[case]
        tick = tick_of(frame_of(PIXELS, i), faces, 0.0 if i == 0 else 1 / 30)
        for face in faces:
            points = motion.drive(face, tick)
            assert np.isfinite(points).all()
            assert np.abs(points - face.landmarks)[:, :2].max() <= 0.8 * face.iod + 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_time_may_stand_still_or_jump(name):
    motion = effects.find(name).source()
    face = face_at(300, 200, 100)
    for index, dt in ((0, 0.0), (1, 1 / 30), (1, 0.0), (900, 0.9), (901, 1e-6), (20, 0.0)):
        points = motion.drive(face, tick_of(frame_of(PIXELS, index), [face], dt))
        assert np.isfinite(points).all()
        assert np.abs(points - face.landmarks)[:, :2].max() < MOST_IOD * face.iod


@pytest.mark.parametrize("name", NAMES)
def test_a_face_that_took_the_slot_starts_afresh(name):
    """What the last owner of a slot left behind isn't seen on the next one."""
    newcomer = [face_at(500, 300, 60, age=1), *[face_at(500, 300, 60, age=2 + i) for i in range(9)]]
    motion, clean = effects.find(name).source(), effects.find(name).source()
    for i, face in enumerate(performance(20)):
        motion.drive(face, tick_of(frame_of(PIXELS, i), [face], 0.0 if i == 0 else 1 / 30))
    for i, face in enumerate(newcomer):
        tick = tick_of(frame_of(PIXELS, 20 + i), [face], 1 / 30)
        assert (motion.drive(face, tick) == clean.drive(face, tick)).all()


def test_liquify_draws_the_chin_and_swings_on_the_beat():
    still = [face_at(300, 200, 100)] * 60
    one = {**ZERO["liquify"], "chin": 0.2}
    down = changes("liquify", still, **one)[:, 152, 1]
    assert down.max() > 2.2 * 0.2 * 0.35, "the kick throws it no farther"
    assert down[-1] == pytest.approx(0.2 * 0.35, abs=0.04), "and it hangs by `stay`"
    assert (np.diff(np.sign(np.diff(down))) != 0).sum() >= 4, "it doesn't swing"
    dough = changes("liquify", still, **one, kick=0.0)[:, 152, 1]
    assert np.ptp(dough) < 1e-3
    up = changes("liquify", still, **{**ZERO["liquify"], "forehead": 0.3})[:, 10, 1]
    assert up.min() < -0.2


def test_liquify_flesh_lags_behind_the_head():
    faces = [face_at(300 + (20 * max(0, i - 10) if i < 16 else 120), 200, 100) for i in range(40)]
    moved = changes("liquify", faces, **{**ZERO["liquify"], "jelly": 1.0})
    chin = moved[:, 152, 0]
    assert chin[:10] == pytest.approx(np.zeros(10), abs=1e-6)
    assert chin.min() < -0.01, "the head went right and the chin didn't stay behind"
    assert chin.max() > 0.002, "it doesn't swing through"


def test_asymmetry_twin_makes_both_halves_equal():
    crooked = canonical().vertices.copy()
    crooked[291, 1] -= 0.12
    face = face_at(300, 200, 100, shape=crooked)
    points = drive(effects.find("asymmetry").source(dict(late=0.0, wry=0.0, twin=1.0)), [face])[0]
    shape = poses.to_canonical(face.pose, points)
    assert shape[61, 1] == pytest.approx(shape[291, 1], abs=2e-3)
    assert shape[61, 0] == pytest.approx(-shape[291, 0], abs=2e-3)


def test_asymmetry_changes_sides_on_the_beat():
    still = [face_at(300, 200, 100)] * 60
    brow = changes("asymmetry", still, late=0.0, wry=1.0, every=2.0)[:, [105, 334], 1]
    assert brow[10, 1] < -0.08 < 0.02 < brow[10, 0], "the left brow doesn't rise first"
    assert brow[50, 0] < -0.08 < 0.02 < brow[50, 1], "the right one doesn't follow"


def test_asymmetry_lets_one_half_come_late():
    faces = [face_at(300, 200, 100, shape=smiling(float(i >= 20))) for i in range(40)]
    moved = changes("asymmetry", faces, late=0.5, wry=0.0, every=0.0)
    right, left = moved[24, 61, :2], moved[24, 291, :2]
    assert np.linalg.norm(right) > 0.03 > 0.005 > np.linalg.norm(left)
    assert np.linalg.norm(moved[-1, [61, 291]]) < 1e-3, "the late half never arrives"


def test_drifting_features_are_home_on_the_bar():
    still = [face_at(300, 200, 100)] * 130
    moved = np.linalg.norm(changes("drift_features", still)[:, :, :2], axis=2).max(axis=1)
    assert moved[[0, 60, 120]].max() < 0.01, "120 beats a minute: a bar is 60 frames"
    assert moved[30:50].min() > 0.04
    assert np.linalg.norm(changes("drift_features", still, home=0.0)[60]) > 0.1


def test_rings_run_outwards_and_die():
    still = [face_at(300, 200, 100)] * 90
    knobs = dict(every=16.0, decay=0.5)
    moved = np.linalg.norm(changes("ripple_skin", still, **knobs)[:, :, :2], axis=2)
    centre = moved[:6].max(axis=0).argmax()
    away = np.linalg.norm(canonical().vertices - canonical().vertices[centre], axis=1)
    far = (moved[:45] * away).sum(axis=1)[3:] / np.maximum(moved[:45].sum(axis=1)[3:], 1e-9)
    assert far[15] > far[0] + 0.2
    assert moved[-1].max() < 0.002
    depth = changes("ripple_skin", still, **knobs)[:20, :, 2]
    assert np.abs(depth).max() > 0.02
    assert np.abs(changes("ripple_skin", still, **knobs, relief=0.0)[:20, :, 2]).max() < 1e-5


def test_the_boil_is_stronger_on_the_beat():
    still = [face_at(300, 200, 100)] * 600
    size = np.linalg.norm(changes("micro_jitter", still, kick=2.0)[:, :, :2], axis=2).mean(axis=1)
    grid = size.reshape(-1, 15)  # 120 beats a minute, 30 frames a second
    assert grid[:, :3].mean() > 1.4 * grid[:, 9:].mean()
    assert abs(changes("micro_jitter", still)[:, :, :2].mean()) < 2e-3, "it drifts"


def test_the_bank_snaps_on_its_notes_and_lets_go():
    still = [face_at(300, 200, 100)] * 240
    moved = changes("expr_bank", still, rate=60, density=0.5, gate=1.0)
    jumps = np.linalg.norm(np.diff(moved[:, :, :2], axis=0), axis=2).max(axis=1)
    starts = np.flatnonzero((jumps[1:] > 0.03) & (jumps[:-1] <= 0.03)) + 2
    assert len(starts) > 4
    notes = starts % 15  # an eighth at 120 is a quarter of a second
    assert (np.minimum(notes, 15 - notes) <= 1).all(), "it moves between the notes"
    size = np.linalg.norm(moved[:, :, :2], axis=2).max(axis=1)
    assert (size < 0.01).mean() > 0.1, "the performer never comes back"
    assert (size > 0.05).mean() > 0.2


def test_split_makes_regions_disagree():
    """Undivided, each note shows one expression of the bank; divided, most show a mixture."""
    still = [face_at(300, 200, 100)] * 150
    knobs = dict(density=1.0, gate=1.0, own=0.0, rate=0.5)
    spots = [105, 334, 61, 291]

    def known(split):
        shown = changes("expr_bank", still, **knobs, split=split)[12::15, spots, :2]
        away = np.abs(shown[:, None] - bank()[None, :, spots, :2]).max(axis=(2, 3))
        return (away.min(axis=1) < 0.03).mean()

    assert known(0.0) > 0.7
    assert known(1.0) < known(0.0) - 0.3


def test_the_bank_remembers_the_performer():
    """A grin of two seconds ago comes back on a face at rest."""
    faces = [face_at(300, 200, 100, shape=smiling(float(10 <= i < 25))) for i in range(150)]
    knobs = dict(density=1.0, gate=1.0, split=0.0)
    own = changes("expr_bank", faces, **knobs, own=1.0)[40:]
    wide = own[:, 291, 0] - own[:, 61, 0]
    assert wide.max() > 0.1
    brows = np.abs(own[:, [105, 334], 1]).max()
    assert brows < 0.05, "the grin had no brows in it"


def test_shut_lips_stay_shut():
    shut = canonical().vertices.copy()
    shut[[13, 312, 311, 82, 81], 1] = shut[[14, 317, 402, 87, 178], 1] - 0.004
    live = face_at(300, 200, 100, shape=shut).landmarks
    opened = live.copy()
    opened[[14, 317, 402, 87, 178, 17, 152], 1] += 15
    shown = no_wider(live, opened, 100.0)
    assert np.linalg.norm(shown[14] - shown[13]) < 3.0
    np.testing.assert_allclose(no_wider(live, live, 100.0)[:468], live[:468], atol=1e-3)


def test_noise_is_smooth_bounded_and_repeats():
    t = np.arange(0, 50, 0.05)
    values = np.array([noise(one, 6, 3, 4) for one in t])
    assert (values == np.array([noise(one, 6, 3, 4) for one in t])).all()
    assert np.abs(values).max() <= 1.25
    assert values.std() > 0.3
    assert np.abs(np.diff(values, axis=0)).max() < 0.12
    assert np.abs(np.corrcoef(values.T) - np.eye(6)).max() < 0.5
    assert (noise(1.5, 6, 3, 4) != noise(1.5, 6, 3, 5)).all()


def test_chance_is_even_and_never_one():
    many = chance(5, np.arange(20000))
    assert many.min() >= 0.0
    assert many.max() < 1.0
    assert np.histogram(many, 10, (0, 1))[0] == pytest.approx(np.full(10, 2000), rel=0.1)
    assert chance(1, 2)[0] == chance(1, 2)[0] != chance(2, 1)[0]
    assert chance(-1)[0] != chance(1)[0]
