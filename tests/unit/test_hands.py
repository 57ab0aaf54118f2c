"""Hands in the tracking stage: how often the net looks, and what it sees on real footage."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from kfx import sources
from kfx.tracking.hands import HOLD, SEARCH_EVERY, Hands
from kfx.types import Frame

HAND = SimpleNamespace(landmark=[SimpleNamespace(x=0.5, y=0.25) for _ in range(21)])


class FakeNet:
    """Sees a hand whenever `sees` says so, and counts how often it was asked."""

    def __init__(self):
        self.sees, self.asked, self.resets = False, 0, 0

    def process(self, rgb):
        self.asked += 1
        return SimpleNamespace(multi_hand_landmarks=[HAND] if self.sees else None)

    def reset(self):
        self.resets += 1

    def close(self):
        pass


def frame(index, time=None):
    pixels = np.zeros((90, 160, 4), np.uint8)
    return Frame(pixels, index, Fraction(index, 30) if time is None else time, 0.0)


@pytest.fixture
def hands():
    with Hands() as one:
        one._net = FakeNet()
        yield one


def test_without_hands_the_net_looks_seldom(hands):
    for i in range(5 * SEARCH_EVERY):
        assert hands.find(frame(i)) == ()
    assert hands._net.asked == 5


def test_with_a_hand_it_looks_at_every_frame(hands):
    hands._net.sees = True
    for i in range(10):
        (hand,) = hands.find(frame(i))
        assert hand.shape == (21, 2)
        assert hand[0].tolist() == [80.0, 22.5]
        assert not hand.flags.writeable
    assert hands._net.asked == 10


def test_a_lost_hand_is_held_briefly(hands):
    hands._net.sees = True
    hands.find(frame(0))
    hands._net.sees = False
    held = [len(hands.find(frame(i))) for i in range(1, HOLD + 3)]
    assert held == [1] * HOLD + [0, 0]


@pytest.mark.parametrize("event", ["reset", "gap", "back"])
def test_a_cut_forgets(hands, event):
    hands._net.sees = True
    hands.find(frame(10))
    hands._net.sees = False
    if event == "reset":
        hands.reset()
    time = {"gap": Fraction(9), "back": Fraction(0)}.get(event)
    assert hands.find(frame(11, time)) == ()
    assert hands._net.resets == 1


@pytest.mark.shared
@pytest.mark.parametrize(
    ("clip", "start", "seen"),
    [("pyfeat_WolfgangLanger_Pexels.mp4", "4.1", True), ("grid_bbaf2n.mpg", "0", False)],
)
def test_a_hand_before_a_face_is_seen_and_a_bare_face_has_none(shared, clip, start, seen):
    path = str(shared / "data" / "faces" / "video" / clip)
    stop = Fraction(start) + 1
    with sources.open(path, start_s=Fraction(start), stop_s=stop) as source, Hands() as hands:
        found = [len(hands.find(one)) for one in source.frames()]
    assert np.mean(found[6:]) > 0.9 if seen else not any(found)
