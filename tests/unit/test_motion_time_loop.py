"""A living photograph: which frames time_loop repeats, and how its end meets its beginning."""

from dataclasses import replace

import numpy as np
import pytest

from kfx.motion.time_loop import MOST_S, SEAM_FRAMES, TimeLoop
from kfx.types import freeze
from tests.faces import face_at, frame_of, tick_of

RATE = 30


def ticks(n, faces=lambda k: [face_at(30 + k / 8, 18, 10, age=k + 2)]):
    """Frame k is of colour k; 120 beats a minute, so that a beat is 15 frames."""
    frames = [frame_of(freeze(np.full((36, 64, 4), k, np.uint8)), k) for k in range(n)]
    return [tick_of(f, faces(f.index), 0.0 if f.index == 0 else 1 / RATE) for f in frames]


def shown(motion, all_ticks):
    """The colour seen at each tick, and the x of a landmark."""
    seen, places = [], []
    for tick in all_ticks:
        scene = motion.hold(tick)
        points = motion.drive(tick.faces[0], tick) if tick.faces else None
        pixels = next(iter(scene.stills.values())).pixels if scene else tick.frame.pixels
        seen.append(float(pixels[0, 0, 0]))
        places.append(float("nan") if points is None else float(points[4, 0]))
    return np.array(seen), np.array(places)


def test_the_last_beat_before_the_cue_goes_round():
    seen, _ = shown(TimeLoop({"start": 4.0, "length": 4.0, "every": 0.0, "loop": 1.0}), ticks(135))
    np.testing.assert_array_equal(seen[:60], np.arange(60), "live before the cue")
    piece = 15 - SEAM_FRAMES
    np.testing.assert_array_equal(seen[60 : 60 + piece], np.arange(45, 45 + piece))
    np.testing.assert_array_equal(seen[75 : 75 + piece], seen[60 : 60 + piece])
    np.testing.assert_array_equal(seen[120:], np.arange(120, 135), "live after it")


def test_the_end_passes_into_the_beginning():
    seen, places = shown(TimeLoop({"start": 4.0, "every": 0.0, "length": 0.0}), ticks(120))
    around = np.abs(np.diff(seen[60:]))
    assert around.max() <= 4.0, "a cut would leap by fifteen"
    assert np.abs(np.diff(places[60:])).max() <= 0.6


def test_without_a_past_it_waits_for_one():
    seen, _ = shown(TimeLoop({"every": 0.0, "length": 0.0, "loop": 2.0}), ticks(120))
    live = seen == np.arange(120)
    first = int(np.argmin(live))
    assert 30 <= first <= 40
    assert not live[first:].any()
    assert seen[first:].max() < first


def test_what_is_kept_is_bounded():
    motion = TimeLoop({"start": 1000.0, "loop": 8.0})
    for tick in ticks(200):
        motion.hold(tick)
    assert len(motion._past) <= (MOST_S + 0.4) * RATE + 3


@pytest.mark.parametrize("faces", [lambda k: [], lambda k: [broken(k)]])
def test_pictures_without_faces_and_broken_faces(faces):
    motion = TimeLoop({"start": 2.0, "every": 0.0, "length": 0.0})
    for tick in ticks(60, faces):
        scene = motion.hold(tick)
        for face in tick.faces:
            motion.drive(face, tick)
    assert scene is not None
    assert scene.whole
    assert not scene.placed


def broken(k):
    face = face_at(30, 18, 10, age=k + 2)
    return replace(face, landmarks=freeze(np.full_like(face.landmarks, np.nan)))


def test_a_cut_forgets_and_takes_repeat():
    knobs = {"start": 2.0, "every": 4.0, "length": 2.0}
    first, _ = shown(TimeLoop(knobs), ticks(120))
    motion = TimeLoop(knobs)
    shown(motion, ticks(50))
    again, _ = shown(motion, ticks(120))
    np.testing.assert_array_equal(first, again)
