"""What the user is told of faults that last, end and come back."""

import pytest

from kfx.engine import news
from kfx.engine.news import CALM_S, QUIET_S, News, ordinal

LOST, BACK = "camera:0: unplugged", "camera:0 is back"


def played(events):
    """What is told of (time, text) pairs, `due` asked twice a second: (time, told) pairs."""
    one, told, asked = News(), [], 0.0
    for at, text in events:
        while asked <= at:
            told += [(asked, said) for said in one.due(asked)]
            asked += 0.5
        if text and (said := one.tell(text, at)) is not None:
            told.append((at, said))
    return told


def test_a_fault_of_every_frame_is_told_once():
    assert played([(i / 30, "tracker: no model") for i in range(3000)]) == [
        (0.0, "tracker: no model")
    ]


def test_a_fault_that_comes_back_is_told_again():
    told = played([(0.0, LOST), (5.0, BACK), (100.0, LOST), (105.0, BACK), (300.0, "")])
    assert told == [
        (0.0, LOST),
        (5.0, BACK),
        (100.0, f"{LOST} (again, 2nd time)"),
        (105.0, f"{BACK} (again, 2nd time)"),
    ]


def test_a_loose_cable_is_told_calmly_and_last_as_it_is():
    """Off and on every three seconds for an hour."""
    events = [(3.0 * i, BACK if i % 2 else LOST) for i in range(1200)]
    told = played([*events, (3600.0 + CALM_S[-1], "")])
    assert len(told) < 40
    assert told[-1][1] == f"{BACK} (again, 600th time)"
    times = [at for at, _ in told]
    assert all(late - early > CALM_S[0] for early, late in zip(times, times[3:], strict=False))
    assert sum(at > 1800.0 for at in times) < 10, "calmer and calmer"


def test_after_a_long_calm_it_is_told_as_soon_as_at_first():
    flapping = [(3.0 * i, BACK if i % 2 else LOST) for i in range(1200)]
    hours = 3600.0 + 3 * news.FORGET * CALM_S[-1]
    told = played([*flapping, (hours, LOST), (hours + 12.0, BACK)])
    assert [at for at, _ in told if at >= hours] == [hours, hours + 12.0]


def test_places_do_not_hold_up_each_other():
    told = played([(0.0, LOST), (0.0, "out.mp4: the disk is full"), (1.0, "vcam: gone")])
    assert [text for _, text in told] == [LOST, "out.mp4: the disk is full", "vcam: gone"]


def test_words_of_one_kind_are_the_same_fault():
    one = News()
    assert one.tell("back after 3 s", 0.0, about="source", kind="back") == "back after 3 s"
    assert one.tell("back after 4 s", 5.0, about="source", kind="back") is None
    assert one.due(5.0) == []
    assert one.due(CALM_S[0]) == ["back after 4 s (again, 2nd time)"]
    assert one.due(CALM_S[0]) == []


@pytest.mark.parametrize("worded", ["{}: is broken", "place: fault {}", "frame {} is broken"])
def test_a_fault_that_words_itself_anew_is_no_flood(worded):
    told = played([(i * 2 * QUIET_S, worded.format(i)) for i in range(5000)])
    assert len(told) < news.MOST_ALIKE + news.MOST_TEXTS + 40


def test_its_memory_has_an_end():
    one = News()
    for i in range(3 * news.MOST_PLACES):
        name = "".join(chr(97 + int(digit)) for digit in str(i))
        assert one.tell(f"{name}: gone", float(i)) == f"{name}: gone"
    assert len(one._places) == news.MOST_PLACES == len(one._alike)


def test_ordinals():
    said = [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 101, 111, 112)]
    assert said == ("1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 101st 111th 112th").split()
