"""Faces no camera should see: tracker and motion effects neither raise over them nor emit NaN."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import effects
from kfx.engine.tracks.livelink import gaze
from kfx.motion.guard import believable
from kfx.tracking.tracker import Tracker
from kfx.types import MAX_FACES, Frame
from tests.faces import face_at, landmarks_of, picture, pose_of, tick_of
from tests.finders import Script

PIXELS = picture(320, 180)
MOTIONS = [name for name in effects.names() if effects.find(name).kind == "motion"]


def head(x=160.0, y=90.0, iod=30.0, yaw=0.0, roll=0.0):
    return landmarks_of(pose_of(x, y, iod, yaw, roll))


def line():
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = np.linspace(0, 100, 478)
    return points


def noise(seed):
    return np.random.default_rng(seed).normal(90, 40, (478, 3)).astype(np.float32)


def mirrored():
    return (head() * np.float32([-1, 1, 1]) + np.float32([320, 0, 0])).astype(np.float32)


TAKES = {
    "on the edge": lambda i: [head(0, 90), head(320, 180)],
    "outside": lambda i: [head(-500, -500), head(5000, 90)],
    "tiny": lambda i: [head(iod=0.5), head(40, 40, 1e-3)],
    "huge": lambda i: [head(iod=3000.0)],
    "upside down": lambda i: [head(roll=180.0)],
    "spinning": lambda i: [head(roll=37.0 * i, yaw=53.0 * i)],
    "from behind": lambda i: [head(yaw=180.0)],
    "profile": lambda i: [head(yaw=90.0)],
    "two on one place": lambda i: [head(), head()],
    "eight on one place": lambda i: [head()] * 8,
    "more than there are slots": lambda i: [head(20 + 25 * k, iod=8) for k in range(12)],
    "all on one point": lambda i: [np.full((478, 3), 50.0, np.float32)],
    "all on a line": lambda i: [line()],
    "all at zero": lambda i: [np.zeros((478, 3), np.float32)],
    "flat": lambda i: [head() * np.float32([1, 1, 0])],
    "noise": lambda i: [noise(i)],
    "mirrored": lambda i: [mirrored()],
    "now and then": lambda i: [head()] if i % 3 else [],
    "jumping": lambda i: [head(40 + 240 * (i % 2), 30 + 120 * (i % 2))],
    "breathing from dot to giant": lambda i: [head(iod=10.0 ** (i % 5 - 1))],
    "turned into a point": lambda i: [head() if i < 6 else np.full((478, 3), 9.0, np.float32)],
}


def tracked(frames, times=None, **options):
    times = times or [Fraction(i, 30) for i in range(len(frames))]
    with Tracker(Script(frames), **options) as tracker:
        return [tracker.track(Frame(PIXELS, i, t, 0.0)) for i, t in enumerate(times)]


def sound(faces, found):
    """Slots are distinct, sorted and no more than there may be; every number is finite."""
    slots = [face.slot for face in faces]
    assert slots == sorted(set(slots))
    assert set(slots) <= set(range(MAX_FACES))
    assert sum(face.found for face in faces) == min(found, MAX_FACES)
    for face in faces:
        assert face.landmarks.shape == (478, 3)
        assert np.isfinite(face.landmarks).all()
        assert np.isfinite(face.pose).all()
        assert np.isfinite(face.iod)
        assert face.iod > 0
        assert 0.0 <= face.presence <= 1.0


@pytest.mark.parametrize("take", TAKES)
def test_the_tracker_stays_sound(take):
    frames = [TAKES[take](i) for i in range(16)]
    for faces, found in zip(tracked(frames), frames, strict=True):
        sound(faces, len(found))


@pytest.mark.parametrize("take", TAKES)
def test_expressions_stay_sound(take):
    for faces in tracked([TAKES[take](i) for i in range(6)], blendshapes=True):
        for face in faces:
            values = np.array(list(face.blendshapes.values()))
            assert len(values) == 52
            assert np.isfinite(values).all()
            assert values.min() >= 0.0
            assert values.max() <= 1.0
            assert np.isfinite(gaze(face)).all()


@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("name", MOTIONS)
def test_motion_stays_sound(name, take):
    motion = effects.find(name).source()
    for i, faces in enumerate(tracked([TAKES[take](i) for i in range(16)])):
        frame = Frame(PIXELS, i, Fraction(i, 30), 0.0)
        tick = tick_of(frame, faces, 0.0 if i == 0 else 1 / 30)
        scene = motion.stage(motion.hold(tick), tick, {face.slot for face in faces})
        if scene is not None:
            for placed in scene.placed.values():
                assert np.isfinite(placed.landmarks).all(), f"frame {i}: held"
        for face in faces:
            driven = motion.drive(face, tick)
            light = motion.light(face, tick)
            assert light is None or np.isfinite(light).all(), f"frame {i}: light"
            for layer in motion.layers(face, tick):
                assert layer.cover is not None
                assert np.isfinite(layer.cover).all(), f"frame {i}: layer"
                assert np.isfinite(layer.face.landmarks).all(), f"frame {i}: layer"
            assert driven.shape == (478, 3)
            assert np.isfinite(driven).all(), f"frame {i}, slot {face.slot}"
            shown = believable(face.landmarks, driven, face.iod)
            assert np.isfinite(shown).all(), f"frame {i}, slot {face.slot}: guard"


@pytest.mark.parametrize("name", MOTIONS)
def test_motion_takes_any_time_and_presence(name):
    motion = effects.find(name).source()
    for i, (dt, presence) in enumerate(
        [(0.0, 1.0), (0.0, 0.0), (1e-9, 0.5), (1.0, 1.0), (1 / 240, 1e-6), (0.0, 1.0)]
    ):
        face = face_at(presence=presence, age=i)
        driven = motion.drive(face, tick_of(Frame(PIXELS, i, Fraction(i), 0.0), [face], dt))
        assert np.isfinite(driven).all()


placed = st.builds(
    head,
    x=st.floats(-400, 800),
    y=st.floats(-300, 500),
    iod=st.floats(1e-3, 2000),
    yaw=st.floats(-180, 180),
    roll=st.floats(-180, 180),
)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.lists(st.lists(placed, max_size=10), min_size=1, max_size=8),
    steps=st.lists(st.fractions(Fraction(-1, 10), Fraction(3)), min_size=8, max_size=8),
)
def test_any_faces_at_any_times(frames, steps):
    """Times stand still, jump and run back, as those of a looped or damaged file do."""
    times = [sum(steps[:i], Fraction(0)) for i in range(len(frames))]
    for faces, found in zip(tracked(frames, times), frames, strict=True):
        sound(faces, len(found))


@settings(max_examples=40, deadline=None)
@given(order=st.lists(st.permutations(range(4)), min_size=6, max_size=6))
def test_slots_are_a_permutation_whatever_order_the_finder_has(order):
    heads = [head(40 + 80 * k, 60 + 15 * k, 16) for k in range(4)]
    for faces, now in zip(tracked([[heads[k] for k in o] for o in order]), order, strict=True):
        assert [face.slot for face in faces] == [0, 1, 2, 3]
        where = {face.slot: round((float(face.landmarks[1, 0]) - 40) / 80) for face in faces}
        assert sorted(where.values()) == sorted(now)
        # All are the same person: the place alone tells them apart, and nobody moved.
        first = first_places(heads, order[0])
        assert where == first


def test_faces_that_are_no_numbers_are_not_faces():
    broken = head(60)
    broken[7, 1] = np.nan
    endless = head(250)
    endless[9, 0] = np.inf
    takes = [[head()], [broken, head(), endless], [broken], [head()]]
    shown = tracked(takes)
    for faces, found in zip(shown, (1, 1, 0, 1), strict=True):
        sound(faces, found)
    assert [face.slot for face in shown[-1]] == [0]


def first_places(heads, order):
    faces = tracked([[heads[k] for k in order]])[0]
    return {face.slot: round((float(face.landmarks[1, 0]) - 40) / 80) for face in faces}
