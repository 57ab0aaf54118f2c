"""Tracking of the live loop: exact, ahead, thinned out, broken."""

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx.engine.loop.follow import STALE_S, Ahead, Exact, Foresight, Trackers
from kfx.engine.stats import Stats
from kfx.tracking.predict import Moment
from kfx.types import Frame
from tests.faces import face_at, picture
from tests.waiting import LONG_S, until

PIXELS = picture(64, 36)


def frame_of(index, rate=50):
    return Frame(PIXELS, index, Fraction(index, rate), index / rate)


def face_of(frame):
    """A face that moves 100 px a second to the right."""
    return replace(face_at(20 + 100 * float(frame.time), 15, 8), age=10)


class Finder:
    """Stands in for a `Tracker`; `gate` makes it wait, `found` is what it finds."""

    def __init__(self, found=lambda frame: (face_of(frame),)):
        self.found, self.frames, self.gate = found, [], threading.Event()
        self.gate.set()

    def track(self, frame):
        assert self.gate.wait(LONG_S)
        self.frames.append(frame.index)
        return self.found(frame)

    def reset(self):
        pass


class Wants:
    """What a look asks for."""

    def __init__(self, person=False, hands=False):
        self.needs_person, self.needs_hands = person, hands


@pytest.fixture
def stats():
    return Stats((64, 36), Fraction(50), "", "")


def was_found(follower, frame):
    """Its faces wait for whoever asks next."""
    return follower._newest[1]._time_s == float(frame.time)


def middle_x(seen):
    return float(seen.faces[0].landmarks[:, 0].mean())


def test_exact_is_of_the_frame_shown(stats):
    follower = Exact(Trackers(Finder(), Wants(), stats))
    for i in range(4):
        assert middle_x(follower.seen(frame_of(i))) == pytest.approx(
            face_of(frame_of(i)).landmarks[:, 0].mean()
        )
    follower.close()


def test_foresight_goes_on_as_the_face_went():
    past = Foresight()
    for i in range(12):
        past.add((face_of(frame_of(i)),), i / 50)
    (now,), (soon,) = past.at(11 / 50), past.at(13 / 50)
    moved = soon.landmarks[:, 0].mean() - now.landmarks[:, 0].mean()
    assert moved == pytest.approx(4.0, abs=1.5), "of 100 px a second in 40 ms"
    assert past.at(11 / 50 + STALE_S) == ()
    past.add((), 0.25)
    assert past.at(0.26) == ()


def test_a_copy_says_the_same_and_has_nothing_left_to_learn(monkeypatch):
    lazy, eager = Foresight(), Foresight()
    for i in range(12):
        for past in (lazy, eager):
            past.add((face_of(frame_of(i)),), i / 50)
        twin = eager.learned()
        lazy.at((i + 1) / 50)
    eager.add((face_of(frame_of(14)),), 14 / 50)  # which the copy never hears of
    (own,) = lazy.at(13 / 50)
    monkeypatch.setattr(Moment, "of", None)  # it would be called to take a new frame apart
    (copied,) = twin.at(13 / 50)
    np.testing.assert_array_equal(copied.landmarks, own.landmarks)
    np.testing.assert_array_equal(copied.pose, own.pose)


def test_a_fault_in_learning_costs_faces_but_not_the_thread(stats, monkeypatch):
    follower = Ahead(Trackers(Finder(), Wants(), stats))
    with monkeypatch.context() as broken:
        broken.setattr(Foresight, "learned", None)
        follower.seen(frame_of(0))
        until(lambda: stats.state.get("tracker", "ok") != "ok")
        assert follower.seen(frame_of(0)).faces == ()
    now = frame_of(5)
    follower.seen(now)
    until(lambda: was_found(follower, now))
    assert len(follower.seen(now).faces) == 1
    assert stats.state["tracker"] == "ok"
    follower.close()


def test_ahead_never_waits_for_the_tracker(stats):
    finder = Finder()
    finder.gate.clear()
    follower = Ahead(Trackers(finder, Wants(), stats))
    assert [follower.seen(frame_of(i)).faces for i in range(5)] == [()] * 5
    finder.gate.set()
    follower.close()
    assert set(finder.frames) <= {0, 4}, "the newest frame wins there too"


def test_ahead_lies_on_the_frame_shown_not_on_the_one_tracked(stats):
    finder = Finder()
    follower = Ahead(Trackers(finder, Wants(), stats))
    behind = []
    for i in range(30):
        now = frame_of(i)
        seen = follower.seen(now)
        until(lambda: was_found(follower, now))  # noqa: B023
        if i >= 10:
            behind.append(middle_x(seen) - face_of(frame_of(i)).landmarks[:, 0].mean())
    follower.close()
    assert np.abs(behind).mean() < 1.0, "unpredicted it would be 2 px behind"


@pytest.mark.parametrize("every", [2, 3])
def test_ahead_thins_out_what_is_tracked(stats, every):
    finder = Finder()
    follower = Ahead(Trackers(finder, Wants(), stats))
    follower.every = every
    for i in range(1, 13):
        wanted, now = len(finder.frames) + (i % every == 0), frame_of(i)
        seen = follower.seen(now)
        until(lambda: len(finder.frames) == wanted and (i % every or was_found(follower, now)))  # noqa: B023
    follower.close()
    assert len(finder.frames) == 12 // every
    assert len(seen.faces) == 1


def broken(frame):
    raise RuntimeError("no model")


def with_nan(frame):
    face = face_of(frame)
    points = face.landmarks.copy()
    points[7, 1] = np.nan
    pose = np.array(face.pose)
    pose[0, 0] = np.inf
    return (face, replace(face, slot=1, landmarks=points), replace(face, slot=2, pose=pose))


def test_a_broken_tracker_means_no_faces_and_is_told_once(stats):
    finder = Finder(broken)
    trackers = Trackers(finder, Wants(), stats)
    for i in range(3):
        assert trackers.find(frame_of(i)).faces == ()
    assert stats.warnings == ["tracker: no model; no faces until it works again"]
    assert stats.state["tracker"] == "failing: no faces"
    finder.found = lambda frame: (face_of(frame),)
    for i in range(3, 6):
        assert len(trackers.find(frame_of(i)).faces) == 1
    assert stats.warnings[1:] == ["the tracker is back"]
    assert stats.state["tracker"] == "ok"


def test_faces_that_are_no_numbers_are_refused(stats):
    trackers = Trackers(Finder(with_nan), Wants(), stats)
    assert [face.slot for face in trackers.find(frame_of(0)).faces] == [0]
    assert stats.dropped == {"track.nan": 2}
    assert len(stats.warnings) == 1


def test_a_broken_matte_costs_no_face(stats):
    class Person:
        def matte(self, frame):
            raise RuntimeError("no segmentation")

    seen = Trackers(Finder(), Wants(person=True), stats, person=Person).find(frame_of(0))
    assert len(seen.faces) == 1
    assert seen.matte is None
    assert stats.warnings == ["person matte and hands: no segmentation"]


def test_a_look_that_comes_to_want_a_matte_gets_one(stats):
    made = []

    class Person:
        def __init__(self):
            made.append(self)

        def matte(self, frame):
            return np.full((9, 16), frame.index, np.uint8)

        def reset(self):
            pass

        def close(self):
            made.append("closed")

    wants = Wants()
    with Trackers(Finder(), wants, stats, person=Person) as trackers:
        assert trackers.find(frame_of(0)).matte is None
        assert made == []
        wants.needs_person = True
        assert trackers.find(frame_of(1)).matte[0, 0] == 1
        assert trackers.find(frame_of(2)).matte[0, 0] == 2
        wants.needs_person = False
        assert trackers.find(frame_of(3)).matte is None
    assert made[1:] == ["closed"]
