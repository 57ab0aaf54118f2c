"""How signals move knobs and when links are drawn, as a panel edits them, and as a file says it."""

import pytest

from kfx import presets
from kfx.errors import UsageError
from tests.desks import desk_of

TEXT = """version = 1
[[chain]]
effect = "film"
grain = { base = 0.05, "lfo.sine" = { amount = 0.1, rate_beats = 4, release_ms = 50 } }
when = { signal = "face.jawOpen", above = 0.3, release_ms = 300 }
"""


@pytest.fixture
def desk():
    made, _, _ = desk_of(TEXT)
    yield made
    made.close()


def source(desk):
    return desk.preset.chain[0].modulation["grain"][0]


def saved(desk, tmp_path):
    path = tmp_path / "look.toml"
    presets.save(desk.preset, path)
    assert presets.load(str(path)).chain == desk.preset.chain
    return path.read_text(encoding="utf-8")


def test_what_is_said_anew_joins_what_was_said(desk, tmp_path):
    desk.follow(0, "grain", "lfo.sine", 0.1, how={"curve": "ease", "attack_ms": 80})
    one = source(desk)
    assert (one.curve, one.attack_ms, one.release_ms, one.rate_beats) == ("ease", 80, 50, 4)
    desk.follow(0, "grain", "lfo.sine", 0.2)
    assert (source(desk).amount, source(desk).curve) == (0.2, "ease")
    desk.follow(0, "grain", "lfo.sine", 0.2, how={"rate_hz": 2.0})  # in place of beats
    assert source(desk).rate_hz == 2.0
    assert "rate_hz = 2.0" in saved(desk, tmp_path)
    desk.follow(0, "grain", "lfo.sine", 0.2, how={"rate_beats": 8})
    assert (source(desk).rate_hz, source(desk).rate_beats) == (0.0, 8)
    desk.undo()
    assert source(desk).amount == 0.1  # one gesture


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"curve": "steep"}, "none of linear"),
        ({"attack_ms": -1}, "outside"),
        ({"speed": 1}, "unknown"),
        ({"rate_hz": 1.0, "rate_beats": 2}, "not both"),
    ],
)
def test_what_cant_be_is_refused_and_nothing_changes(desk, how, said):
    before = desk.preset
    with pytest.raises(UsageError, match=said):
        desk.follow(0, "grain", "lfo.sine", 0.1, how=how)
    assert desk.preset is before


def test_a_condition_is_said_in_words_and_keeps_how_its_signals_are_followed(desk, tmp_path):
    desk.when(0, "face.jawOpen > 0.5 and bar.phase < 0.5")
    jaw, bar = desk.preset.chain[0].when.sources
    assert (jaw.release_ms, bar.release_ms) == (300, 0)
    assert "release_ms = 300" in saved(desk, tmp_path)
    desk.when(0, "face.jawOpen > 0.5 or beat.phase < 0.5")  # a file can't say that with times
    assert {one.release_ms for one in desk.preset.chain[0].when.sources} == {0}
    saved(desk, tmp_path)
    for condition in ("face.jawOpne > 1", "face.jawOpen", "face.jawOpen > x", "x" * 2000):
        with pytest.raises(UsageError, match="when"):
            desk.when(0, condition)
    desk.when(0, "  ")
    assert desk.preset.chain[0].when is None
    for _ in range(3):
        desk.undo()
    assert desk.preset.chain[0].when.sources[0].release_ms == 300
