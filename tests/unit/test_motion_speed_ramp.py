"""Elastic time: what speed_ramp shows when, and that it is live again."""

from dataclasses import replace

import numpy as np
import pytest

from kfx.motion.speed_ramp import MOST_BEHIND_S, SpeedRamp
from kfx.types import freeze
from tests.faces import face_at, frame_of, tick_of

RATE = 30


def frames(n):
    """Pictures that say when they were taken: frame k is of colour k."""
    return [frame_of(freeze(np.full((36, 64, 4), min(255, k), np.uint8)), k) for k in range(n)]


def ticks(n, faces=lambda k: [face_at(30 + k, 18, 10, age=k + 2)]):
    """At 120 beats a minute: a beat is 15 frames."""
    return [tick_of(f, faces(f.index), 0.0 if f.index == 0 else 1 / RATE) for f in frames(n)]


def shown(motion, all_ticks):
    """The number of the frame seen at each tick, and how many frames x has moved by then."""
    seen, places = [], []
    for tick in all_ticks:
        scene = motion.hold(tick)
        points = motion.drive(tick.faces[0], tick) if tick.faces else None
        if scene is None:
            seen.append(float(tick.frame.pixels[0, 0, 0]))
        else:
            seen.append(float(next(iter(scene.stills.values())).pixels[0, 0, 0]))
        if points is not None:
            places.append(float(points[4, 0]) - float(all_ticks[0].faces[0].landmarks[4, 0]))
    return np.array(seen), np.array(places)


def test_slow_then_live_again():
    seen, places = shown(SpeedRamp({"length": 4.0, "catch": 1.0, "depth": 0.4}), ticks(75))
    pace = np.polyfit(np.arange(5, 44), places[5:44], 1)[0]
    assert pace == pytest.approx(0.4, abs=0.03)
    assert (np.diff(seen[:45]) >= 0).all(), "time ran backwards"
    assert (np.diff(seen[45:60]) >= 0).all()
    assert seen[44] < 22
    np.testing.assert_allclose(seen[60:], np.arange(60, 75))


def test_faces_move_on_between_the_frames_shown():
    seen, places = shown(SpeedRamp({"depth": 0.3}), ticks(44))
    still = np.diff(seen[3:]) == 0
    assert still.sum() > 15, "slow motion shows frames more than once"
    assert (np.diff(places[3:])[still] > 0.2).all()


@pytest.mark.parametrize("curve", ["snap", "ease", "stutter"])
def test_every_curve_ends_live_and_keeps_within_the_ring(curve):
    knobs = {"length": 16.0, "catch": 2.0, "depth": 0.1, "curve": curve, "every": 0.0}
    motion = SpeedRamp(knobs)
    seen, _ = shown(motion, ticks(250))
    behind = np.arange(250) - seen
    assert behind.min() >= 0.0
    assert behind.max() <= MOST_BEHIND_S * RATE + 2
    assert behind.max() > 0.5 * MOST_BEHIND_S * RATE
    assert behind[241] == 0.0
    assert len(motion._past) == 0


def test_a_stutter_stands_still_and_leaps():
    seen, _ = shown(SpeedRamp({"curve": "stutter", "depth": 0.3}), ticks(44))
    steps = np.diff(seen)
    assert (steps == 0).sum() > 20
    assert steps.max() >= 1


def test_catching_up_smears():
    motion = SpeedRamp({"length": 4.0, "catch": 0.5, "depth": 0.1})
    blends = 0
    for tick in ticks(60):
        scene = motion.hold(tick)
        if scene is not None:
            pixels = next(iter(scene.stills.values())).pixels
            blends += not any(pixels is one.pixels for one in motion._past)
    assert blends >= 2


def test_the_face_alone():
    motion = SpeedRamp({"mode": "face", "depth": 0.3})
    for tick in ticks(40):
        scene = motion.hold(tick)
    assert scene is not None
    assert not scene.whole
    live, placed = tick.faces[0], scene.placed[0]
    np.testing.assert_allclose(placed.pose, live.pose)
    assert scene.stills[0].face.landmarks[4, 0] < live.landmarks[4, 0] - 10


def test_a_cut_forgets_and_takes_repeat():
    motion = SpeedRamp()
    first = shown(motion, ticks(40))
    again = shown(motion, ticks(40))  # its first tick has dt 0
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert motion.hold(ticks(1)[0]) is None


def test_pictures_without_faces_and_broken_faces():
    assert shown(SpeedRamp(), ticks(44, lambda k: []))[0][43] < 25
    nan = face_at()
    nan = replace(nan, landmarks=freeze(np.full_like(nan.landmarks, np.nan)))
    motion = SpeedRamp({"mode": "face"})
    for tick in ticks(20, lambda k: [nan]):
        assert motion.hold(tick) is None
        motion.drive(nan, tick)


@pytest.mark.parametrize("curve", ["snap", "ease", "stutter"])
@pytest.mark.parametrize(("depth", "catch"), [(1.5, 2.0), (4.0, 4.0)])
def test_above_live_it_falls_behind_and_races_to_be_live(curve, depth, catch):
    """It can't see what comes: the race is run through what was held back."""
    knobs = {"depth": depth, "catch": catch, "curve": curve, "length": 4.0, "smear": False}
    seen, _ = shown(SpeedRamp(knobs | {"every": 0.0}), ticks(75))
    assert (np.diff(seen) >= 0).all(), "time ran backwards"
    behind = np.arange(75) - seen
    assert behind.min() >= 0.0, "past live"
    assert behind[20:40].max() > 8
    np.testing.assert_allclose(seen[60:], np.arange(60, 75))
    if curve != "stutter":
        race = np.diff(seen[60 - int(15 * min(catch, 4.0 / depth)) + 2 : 60])
        assert race.mean() == pytest.approx(depth, rel=0.08)


def test_a_race_is_blurred_along_its_way():
    """A bar that moves: what few frames pass by is seen in between as well."""

    def bar(k):
        pixels = np.full((90, 160, 4), 30, np.uint8)
        rng = np.random.default_rng(0)
        pixels[20:70, 10 + 2 * k : 40 + 2 * k, :3] = rng.integers(120, 250, (50, 30, 1))
        return freeze(pixels)

    motion = SpeedRamp({"depth": 2.0, "catch": 1.0, "length": 3.0, "every": 0.0})
    again = SpeedRamp({"depth": 2.0, "catch": 1.0, "length": 3.0, "every": 0.0})
    blurred = 0
    for k in range(44):
        tick = tick_of(frame_of(bar(k), k), [], bool(k) / RATE)
        scene, same = motion.hold(tick), again.hold(tick)
        if scene is None or k < 32:
            continue
        pixels = next(iter(scene.stills.values())).pixels
        np.testing.assert_array_equal(pixels, next(iter(same.stills.values())).pixels)
        edges = np.unique(pixels[45, :, 0]).size
        assert 30 <= pixels.min() <= pixels.max() <= 255
        blurred += not any(pixels is one.pixels for one in motion._past) and edges > 4
    assert blurred >= 8
