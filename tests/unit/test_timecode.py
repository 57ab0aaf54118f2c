"""Timecode text and frame counts, drop-frame included."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfx import timecode

NTSC = Fraction(30000, 1001)
RATES = [Fraction(r) for r in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001")]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("00:00:59;29", 1799),
        ("00:01:00;02", 1800),
        ("00:02:00;02", 3598),
        ("00:09:59;29", 17981),
        ("00:10:00;00", 17982),
        ("01:00:00;00", 107892),
        ("23:59:59;29", 2589407),
    ],
)
def test_drop_frame_counts_as_smpte_does(text, count):
    assert timecode.parse(text, NTSC) == count
    assert timecode.text(count, NTSC, drop=True) == text


@pytest.mark.parametrize(
    ("text", "rate", "count"),
    [
        ("01:00:00:00", Fraction(24), 86400),
        ("01:00:00:00", Fraction(24000, 1001), 86400),
        ("01:00:00:00", NTSC, 108000),
        ("00:00:01:24", Fraction(25), 49),
        ("00:01:00;04", Fraction(60000, 1001), 3600),
        ("1:00:00:00", Fraction(25), 90000),
    ],
)
def test_known_counts(text, rate, count):
    assert timecode.parse(text, rate) == count


@given(st.sampled_from(RATES), st.integers(0, 10**7), st.booleans())
def test_text_and_back(rate, frame, drop):
    drop = drop and timecode.can_drop(rate)
    text = timecode.text(frame, rate, drop=drop)
    a_day = timecode.nominal(rate) * 86400
    if drop:
        a_day -= timecode.nominal(rate) // 15 * (1440 - 144)
    assert timecode.parse(text, rate) == frame % a_day


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_steps_add_up(first, second):
    start = "10:00:00;00"
    once = timecode.advance(start, first + second, NTSC)
    assert timecode.advance(timecode.advance(start, first, NTSC), second, NTSC) == once
    assert ";" in once


def test_drop_frame_stays_near_the_clock():
    for hours in range(1, 24):
        frames = round(hours * 3600 * NTSC)
        text = timecode.text(frames, NTSC, drop=True)
        drift = timecode.parse(text, NTSC) - timecode.parse(f"{hours:02d}:00:00;00", NTSC)
        assert abs(drift) <= 3


def test_midnight_wraps():
    assert timecode.advance("23:59:59:24", 1, Fraction(25)) == "00:00:00:00"
    assert timecode.advance("23:59:59;29", 1, NTSC) == "00:00:00;00"


@pytest.mark.parametrize(
    "text", ["", "noon", "01:00:00", "00:60:00:00", "00:00:61:00", "00:00:00:25", "-1:00:00:00"]
)
def test_no_timecode(text):
    with pytest.raises(ValueError, match=r"timecode|outside"):
        timecode.parse(text, Fraction(25))
