"""Knobs check what they are given and say what they wanted."""

import math

import pytest

from kfx import params
from kfx.params import Bool, Choice, File, Float, Int, Listed, Text, Vector


class Thing:
    amount = Float(0.5, 0.0, 2.0, unit="iod", doc="how much")
    count = Int(3, 1, 8)
    on = Bool(True)


def test_a_knob_is_declaration_on_the_class_and_value_on_the_instance():
    thing = Thing()
    assert Thing.amount.max == 2.0
    assert thing.amount == 0.5
    thing.amount = 1
    assert thing.amount == 1.0
    assert isinstance(thing.amount, float)
    assert Thing().amount == 0.5
    assert list(params.knobs_of(Thing)) == ["amount", "count", "on"]


@pytest.mark.parametrize(
    ("knob", "bad"),
    [
        (Float(0, 0, 1), 1.01),
        (Float(0, 0, 1), math.nan),
        (Float(0, 0, 1), True),
        (Float(0, 0, 1), "0.5"),
        (Int(1, 1, 8), 2.5),
        (Int(1, 1, 8), 9),
        (Bool(True), 1),
        (Choice("a", ("a", "b")), "c"),
        (Vector((0.0, 0.0), (0.0, 0.0), (1.0, 1.0)), [0.5]),
        (Vector((0.0, 0.0), (0.0, 0.0), (1.0, 1.0)), [0.5, 2.0]),
        (Vector((0.0, 0.0), (0.0, 0.0), (1.0, 1.0)), 0.5),
    ],
)
def test_a_bad_value_is_refused_and_named(knob, bad):
    with pytest.raises(ValueError, match=r"outside|no |neither|none"):
        knob.check(bad)


def test_choices_take_values_and_labels():
    knob = Choice(0, (0, 1), ("galaxy", "rings"))
    assert knob.check("rings") == 1
    assert knob.check(1) == 1
    assert params.parse(knob, "galaxy") == 0


@pytest.mark.parametrize(
    ("knob", "text", "value"),
    [
        (Float(0, 0, 2), "1.5", 1.5),
        (Int(0, 0, 9), "7", 7),
        (Bool(False), "on", True),
        (Vector((0.0, 0.0), (0.0, 0.0), (1.0, 1.0)), "[0.25, 1]", (0.25, 1.0)),
    ],
)
def test_command_line_text_is_understood(knob, text, value):
    assert params.parse(knob, text) == value


def test_a_file_is_found_in_the_given_folder_or_its_own_and_nowhere_else(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, name in ((ours, "a.png"), (theirs, "b.png"), (tmp_path, "c.png")):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
    knob = File(suffixes=(".png",), folder=str(ours))
    assert knob.find("a.png", theirs) == str(ours / "a.png")
    assert knob.find("b.png", theirs) == str(theirs / "b.png")
    assert knob.find("", theirs) == ""
    for value, fault in (
        ("../c.png", "lies outside .*copy it there"),
        (str(tmp_path / "c.png"), "lies outside"),
        ("d.png", "is missing; put it in"),
        ("a" * 5000, "no path"),
        ("a\0", "no path"),
    ):
        with pytest.raises(ValueError, match=fault):
            knob.find(value, theirs)


@pytest.mark.parametrize(("value", "fault"), [("a.exe", r"none of a file \.png"), (3, "no path")])
def test_a_file_knob_takes_paths_of_its_kind(value, fault):
    with pytest.raises(ValueError, match=fault):
        File(suffixes=(".png",)).check(value)
    assert params.parse(File(), " a.png ") == "a.png"


def test_text_is_a_line_of_its_length():
    knob = Text(longest=8)
    assert knob.check(" 고르세요 ") == "고르세요"
    assert params.parse(knob, "12") == "12"
    for value in ("far too long", "two\nlines", 3):
        with pytest.raises(ValueError, match="at most 8 characters"):
            knob.check(value)


def test_a_list_takes_words_that_add_up_and_numbers_in_range():
    words, beats = Listed(words=("live", "frozen", "chrome"), most=3), Listed(max=4.0)
    assert words.numbers(words.check("live, frozen+chrome")) == (1.0, 6.0)
    assert words.check(["live", "chrome"]) == "live, chrome"
    assert words.numbers("") == ()
    assert beats.numbers(beats.check([0.5, 1])) == (0.5, 1.0)
    assert beats.check(2) == "2"
    for knob, value, fault in (
        (words, "gold", "'gold' is none of live, frozen, chrome"),
        (words, "live " * 4, "4 items are too many"),
        (beats, "5", "outside 0..4"),
        (beats, "x", "no number"),
        (beats, "nan", "outside 0..4"),
    ):
        with pytest.raises(ValueError, match=fault):
            knob.check(value)
