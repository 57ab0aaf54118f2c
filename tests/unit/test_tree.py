"""Parameters as values: what a wire sends becomes what a knob wants, or an error."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import presets
from kfx.engine.desk import addresses, tree
from kfx.engine.desk.tree import Parameter
from kfx.errors import UsageError
from kfx.params import Bool, Choice, File, Float, Int, Vector

KNOBS = {
    "float": Float(0.5, -1.0, 2.0, unit="Hz"),
    "int": Int(3, 0, 6),
    "bool": Bool(True),
    "choice": Choice("b", ("a", "b", "c")),
    "labelled": Choice(1, (0, 1), ("off", "on")),
    "vector": Vector((0.0, 0.5), (0.0, 0.0), (1.0, 2.0)),
}


def parameter(knob):
    value = tree.shown(knob, knob.default)
    return Parameter("/kfx/v1/x", tree.kind_of(knob), value, value, tree.range_of(knob), knob.unit)


@pytest.mark.parametrize("name", KNOBS)
def test_a_value_goes_to_0_1_and_back(name):
    one = parameter(KNOBS[name])
    back = tree.from_unit(one, tree.to_unit(one))
    assert back == pytest.approx(one.value) if name == "vector" else back == one.value
    ends = [tree.from_unit(one, 0.0), tree.from_unit(one, 1.0)]
    for end in ends:
        KNOBS[name].check(end)
    assert ends[0] != ends[1]


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("float", 1, 1.0),
        ("float", "0.25", 0.25),
        ("int", 2.0, 2),
        ("bool", 0, False),
        ("bool", 1.0, True),
        ("bool", "on", True),
        ("choice", "c", "c"),
        ("labelled", "off", 0),
        ("labelled", 1.0, 1),
        ("vector", [0.5, 1.5], (0.5, 1.5)),
    ],
)
def test_what_a_wire_sends_is_taken_as_the_knob_wants_it(name, sent, value):
    assert tree.knob_value(KNOBS[name], sent) == value


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize(
    "sent",
    [math.nan, math.inf, -math.inf, "nope", "9" * 400, None, b"x", [], [1, 2, 3], {}, 10**400],
)
def test_garbage_is_a_clear_error(name, sent):
    with pytest.raises(ValueError, match=r"\S"):
        tree.knob_value(KNOBS[name], sent)


@given(
    st.sampled_from(sorted(KNOBS)),
    st.one_of(st.floats(), st.integers(), st.text(max_size=20), st.none(), st.lists(st.floats())),
)
@settings(max_examples=200, deadline=None)
def test_any_value_is_taken_in_range_or_refused(name, sent):
    knob = KNOBS[name]
    for convert in (
        lambda: tree.knob_value(knob, sent),
        lambda: tree.knob_value(knob, tree.from_unit(parameter(knob), sent)),
    ):
        try:
            value = convert()
        except ValueError:
            continue
        assert knob.check(value) == value


def test_an_event_fires_on_anything_but_the_release_of_a_button():
    one = Parameter("/kfx/v1/panic", "event")
    assert [tree.check(one, v) for v in (True, 1.0, "x", None)] == [True] * 4
    assert [tree.check(one, v) for v in (False, 0, 0.0)] == [False] * 3


def test_files_and_texts_have_no_place_in_0_1():
    one = parameter(File("", suffixes=(".cube",)))
    assert tree.to_unit(one) is None
    with pytest.raises(ValueError, match="set it raw"):
        tree.from_unit(one, 0.5)


def test_names_that_osc_keeps_for_itself_are_made_safe():
    assert tree.safe("a b/c*{d}#") == "a_b_c__d__"
    assert tree.safe("") == "_"


def test_a_short_address_is_found_only_where_it_is_clear():
    one = presets.read('version = 1\n[[chain]]\neffect = "film"\n', "a.toml", "a")
    two = presets.read(
        'version = 1\n[[chain]]\neffect = "film"\n' * 1 + '[[chain]]\neffect = "film"\n',
        "a.toml",
        "a",
    )
    assert addresses.find(one, "/kfx/v1/film/grain") == (0, "grain")
    assert addresses.find(two, "/kfx/v1/chain/1/film/grain") == (1, "grain")
    with pytest.raises(UsageError, match="more than once; use /kfx/v1/chain/0/film/grain or"):
        addresses.find(two, "/kfx/v1/film/grain")
    for wrong in ("/kfx/v1/chain/2/film/grain", "/kfx/v1/chain/0/flash/grain", "film/grain", ""):
        assert addresses.find(two, wrong) is None
    for wrong in ("/kfx/v1/chain/-1/film/grain", "/kfx/v1/chain/²/film/grain"):
        assert addresses.find(two, wrong) is None
