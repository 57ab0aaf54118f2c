"""An output rate by absolute deadlines."""

from fractions import Fraction

import pytest

from kfx.engine.loop.pace import Pace

NTSC = Fraction(30000, 1001)


def test_deadlines_never_drift():
    pace, now, start = Pace(NTSC, 100.0), 100.0, 100.0
    for number in range(30 * 60 * 10):
        now += pace.wait_s(now)
        assert pace.take(now) == (number, 0)
        now += 0.004  # drawing
    assert now - start == pytest.approx(float((30 * 60 * 10 - 1) / NTSC) + 0.004, abs=1e-6)
    assert pace.time_s(30000) == pytest.approx(1001.0)


def test_what_is_late_is_skipped_and_not_owed():
    pace = Pace(Fraction(10), 0.0)
    assert pace.take(0.0) == (0, 0)
    assert pace.take(0.55) == (5, 4)
    assert pace.wait_s(0.55) == pytest.approx(0.05)
    assert pace.take(0.6) == (6, 0)


def test_a_wait_that_ends_a_hair_early_is_still_its_deadline():
    pace = Pace(Fraction(10), 0.0)
    pace.take(0.0)
    assert pace.take(0.1 - 1e-9) == (1, 0)
    assert pace.wait_s(0.1) == pytest.approx(0.1)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60)])
def test_as_many_deadlines_as_the_rate_says(rate):
    pace, now, count = Pace(rate, 5.0), 5.0, 0
    while now < 15.0 - 1e-6:
        pace.take(now)
        count += 1
        now += pace.wait_s(now)
    assert count == pytest.approx(float(10 * rate), abs=1)
