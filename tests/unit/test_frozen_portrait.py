"""The talking still: which frame it takes, how it sings, blinks and lets go."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import canonical as c
from kfx.motion import sing
from kfx.motion.frozen_portrait import BLINK_S, PUSH_LIMIT, FrozenPortrait
from kfx.motion.still_choice import Choice
from kfx.tracking import pose as poses
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, smiling, tick_of

REST = c.canonical().vertices
SHARP = picture(320, 180)
UPPER, LOWER = np.array(c.INNER_LIPS[1:10]), np.array(c.INNER_LIPS[19:10:-1])


def silent():
    """The canonical face, whose lips are apart, with its mouth shut."""
    shape = REST.copy()
    middle = (shape[UPPER] + shape[LOWER]) / 2
    shape[UPPER], shape[LOWER] = middle, middle + np.float32([0, 0.005, 0])
    return shape


def speaking(gap=0.2):
    """The silent face with its lips `gap` apart in the middle, jaw and lower lip let down."""
    shape = silent()
    around = np.linalg.norm(shape - shape[14], axis=1)
    low = shape[:, 1] > shape[14, 1] + 0.01
    low[LOWER] = low[list(c.OUTER_LIPS[11:])] = True
    low[UPPER] = False
    shape[low, 1] += np.exp(-((around[low] / 0.6) ** 2)) * gap
    return shape.astype(np.float32)


def shut(shape=REST):
    """The same face with its eyes shut."""
    return sing.blink(np.float32(shape), 1.0)


def blurred(pixels):
    import cv2

    return freeze(cv2.GaussianBlur(np.array(pixels), (0, 0), 4))


def opening(shape):
    return np.linalg.norm(shape[LOWER] - shape[UPPER], axis=1)


def play(motion, faces, pixels=SHARP, beats_a_frame=1 / 15):
    """Scenes and driven faces (None where the still has no such face), frame by frame."""
    scenes, driven = [], []
    for i, face in enumerate(faces):
        there = [] if face is None else [face]
        tick = tick_of(frame_of(pixels, i), there, 0.0 if i == 0 else 1 / 30)
        tick = replace(tick, beat=i * beats_a_frame)
        scenes.append(motion.hold(tick))
        driven.append(None if face is None else motion.drive(face, tick))
    return scenes, driven


def shown(scene, points):
    return poses.to_canonical(scene.placed[0].pose, points)


def test_the_sharpest_frame_with_open_eyes_that_looks_ahead_is_taken():
    choice = Choice()
    soft = blurred(SHARP)
    good, other = face_at(iod=60), face_at(iod=60, yaw=30)
    cases = [(SHARP, good), (SHARP, face_at(iod=60, shape=shut())), (SHARP, other)]
    cases += [(soft, good)] * 3
    for i, (pixels, face) in enumerate(cases):
        choice.see(tick_of(frame_of(pixels, i), [face]))
    assert choice.best(0.0).index == 0
    for i in range(12, 14):  # by now all others are older than 400 ms
        choice.see(tick_of(frame_of(soft, i + 20), [good]))
    assert choice.best(0.0).index >= 32


def test_a_cue_waits_for_open_eyes_but_not_for_long():
    choice = Choice()
    choice.see(tick_of(frame_of(SHARP, 0), [face_at(iod=60, shape=shut())]))
    assert choice.best(0.1) is None
    assert choice.best(0.5).index == 0
    assert Choice().best(9.0) is None


def test_lips_that_meet_in_the_song_meet_in_the_still():
    sung = sing.sing(speaking(0.25), silent(), silent(), 1.25)
    assert opening(sung).max() < 0.02
    assert opening(speaking(0.25)).max() > 0.15


def test_only_lips_and_jaw_sing():
    live = speaking() + smiling() - REST
    live[list(c.BROWS)] -= np.float32([0, 0.2, 0])
    sung = sing.sing(REST, live, REST, 1.25)
    moved = np.linalg.norm(sung - REST, axis=1)
    still = [*c.BROWS, *c.RIGHT_LIDS, *c.LEFT_LIDS, 1, 2, 4, 5, 6, 10, 168, 197, 234, 454]
    assert moved[still].max() < 1e-6
    assert moved[[13, 14, 61, 291]].max() > 0.1
    assert moved[152] > 0.02, "the jaw stays behind"


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.5])
def test_gain_scales_the_opening(gain):
    live = speaking(0.2)
    wide = opening(sing.sing(silent(), live, silent(), gain))
    np.testing.assert_allclose(wide, gain * opening(live), rtol=0.12, atol=0.01)


def test_a_blink_shuts_the_eyes_and_leaves_the_mouth():
    lids = sing.blink(REST, 1.0)
    for eye in (c.RIGHT_LIDS, c.LEFT_LIDS):
        gaps = [lids[eye[16 - k], 1] - lids[eye[k], 1] for k in range(2, 7)]
        assert max(gaps) <= 0.0
    moved = np.linalg.norm(lids - REST, axis=1)
    assert moved[list(c.OUTER_LIPS)].max() < 1e-6
    assert moved[list(c.BROWS)].max() < 0.06
    assert (sing.blink(REST, 0.0) == REST).all()


def test_the_mouth_is_renewed_hz_times_a_second_in_two_soft_frames():
    faces = [face_at(shape=speaking(0.01 * i)) for i in range(30)]
    scenes, driven = play(FrozenPortrait({"hz": 6.0, "blink": 0.0, "push": 0.0}), faces)
    gaps = [opening(shown(s, d)).mean() for s, d in zip(scenes, driven, strict=True)]
    steps = np.diff(gaps[1:])
    moved = steps > 1e-4
    assert moved.sum() == pytest.approx(2 * 6, abs=2), "six changes, each within two frames"
    assert (steps > -1e-4).all()
    assert gaps[-1] > gaps[0] + 0.1


def test_cues_take_hold_and_let_go():
    motion = FrozenPortrait({"start": 2.0, "every": 4.0, "length": 2.0})
    pictures = [picture(320, 180, seed=1 + i // 10) for i in range(0, 120, 10)]
    state, taken = [], {}
    for i in range(120):  # 15 frames a beat
        tick = tick_of(frame_of(pictures[i // 10], i), [face_at(iod=60)], 1 / 30 * bool(i))
        tick = replace(tick, beat=i / 15)
        scene = motion.hold(tick)
        motion.drive(tick.faces[0], tick)
        state.append(scene is not None)
        if scene is not None:
            taken.setdefault(int(tick.beat // 4), set()).add(id(scene.stills[0].pixels))
    assert state == [(i / 15) % 4 >= 2 for i in range(120)]
    assert [len(some) for some in taken.values()] == [1, 1], "a still changes while it is shown"
    assert taken[0] != taken[1]


def test_it_waits_for_a_face_and_stays_when_the_face_leaves():
    here = face_at(iod=60)
    faces = [None] * 5 + [here] * 5 + [None] * 5
    scenes, _ = play(FrozenPortrait({"push": 0.0, "sway": 0.0}), faces)
    assert [scene is not None for scene in scenes] == [False] * 5 + [True] * 10
    assert scenes[-1].placed[0].landmarks == pytest.approx(here.landmarks, abs=1e-3)


def test_off_is_live_and_a_cut_lets_go():
    assert play(FrozenPortrait({"on": False}), [face_at()] * 3)[0] == [None] * 3
    motion = FrozenPortrait()
    play(motion, [face_at()] * 3)
    assert motion.hold(tick_of(frame_of(SHARP, 90), [], 0.0)) is None
    motion.reset()
    face = face_at()
    assert (motion.drive(face, tick_of(frame_of(SHARP))) == face.landmarks).all()


def test_the_camera_moves_in_ever_so_slowly_and_not_for_ever():
    motion = FrozenPortrait({"push": 2.0})
    first = motion.hold(tick_of(frame_of(SHARP, 0), [face_at()], 0.0))
    assert first.view == (1.0, 0.0, 0.0)
    later = motion.hold(tick_of(frame_of(SHARP, 60), [face_at()], 1 / 30))
    assert later.view[0] == pytest.approx(1.04, abs=0.004)
    last = motion.hold(tick_of(frame_of(SHARP, 30_000), [face_at()], 1 / 30))
    assert last.view[0] <= 1.0 + PUSH_LIMIT


@pytest.mark.parametrize("mode", ["full", "face"])
def test_blinks_come_every_three_to_six_seconds_and_repeat(mode):
    lids = {}
    for take in range(2):
        motion = FrozenPortrait({"mode": mode})
        face = face_at(iod=60)
        scenes, driven = play(motion, [face] * 900, beats_a_frame=1 / 15)
        gap = np.array([d[145, 1] - d[159, 1] for d in driven])
        lids[take] = gap / [s.placed[0].iod for s in scenes]
    assert (lids[0] == lids[1]).all()
    is_shut = lids[0] < 0.5 * lids[0][0]
    starts = np.flatnonzero(np.diff(is_shut.astype(int)) == 1)
    assert 4 <= len(starts) <= 9
    assert (np.diff(starts) >= 89).all()
    assert is_shut.sum() <= len(starts) * BLINK_S * 30 + 1


def test_a_set_in_face_follows_the_head_and_gives_way_when_it_turns_away():
    faces = [face_at(150 + i, 80, 40, yaw=float(i)) for i in range(60)]
    scenes, driven = play(FrozenPortrait({"mode": "face", "blink": 0.0}), faces)
    for scene, points, face in zip(scenes, driven, faces, strict=True):
        assert np.abs(points - face.landmarks).max() < 1.0
        assert not scene.whole
    assert scenes[20].placed[0].presence == 1.0
    assert scenes[59].placed[0].presence == 0.0


@pytest.mark.parametrize("mode", ["full", "face"])
def test_degenerate_faces_do_no_harm(mode):
    broken = face_at()
    points = np.full((478, 3), np.nan, np.float32)
    flat = np.zeros((478, 3), np.float32)
    faces = [
        face_at(iod=0.5),
        face_at(-300, -50, 40),
        face_at(iod=60, roll=180),
        replace(broken, landmarks=flat),
        replace(broken, landmarks=points),
        face_at(iod=500),
        face_at(iod=60, yaw=85),
    ]
    for first in faces:
        if not np.isfinite(first.landmarks).all():
            continue
        scenes, driven = play(FrozenPortrait({"mode": mode}), [first, *faces])
        for scene, points in zip(scenes, driven, strict=True):
            if scene is not None and 0 in scene.placed:
                assert np.isfinite(scene.placed[0].landmarks).all()
                assert np.isfinite(points).all()


def test_it_re_acts_a_performer_and_says_so():
    assert FrozenPortrait.reenact
