"""What a run measures, in memory that doesn't grow."""

import json
import random
import sys
from fractions import Fraction

import pytest

from kfx import clock
from kfx.engine.loop.times import RECENT, Times
from kfx.engine.stats import MOST_WARNINGS, Stats, percentiles


def stats_of(**known):
    return Stats((64, 36), Fraction(30), "llvmpipe", "truth", **known)


def test_few_times_are_ranked_exactly():
    times = Times()
    for ms in range(1, 101):
        times.append(ms / 1000)
    assert times.percentiles() == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
    assert times.percentiles() == percentiles([ms / 1000 for ms in range(1, 101)])
    assert (len(times), times.longest) == (100, 0.1)
    assert times.newest(3) == [0.098, 0.099, 0.1]
    assert Times().percentiles() == {"p50": 0.0, "p95": 0.0, "p99": 0.0}


def test_many_times_are_ranked_within_a_percent_over_the_whole_run():
    chance = random.Random(3)
    times, all_of_them = Times(), []
    for _ in range(20_000):
        seconds = chance.lognormvariate(-5, 1)
        times.append(seconds)
        all_of_them.append(seconds)
    exact = percentiles(all_of_them)
    for name, ms in times.percentiles().items():
        assert ms == pytest.approx(exact[name], rel=0.011)
    assert times.newest(RECENT) == all_of_them[-RECENT:]


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 500.0])
def test_times_out_of_range_are_counted_too(seconds):
    times = Times()
    for _ in range(RECENT + 1):
        times.append(seconds)
    assert len(times) == RECENT + 1
    assert times.percentiles()["p50"] >= 0.0


def test_a_long_run_takes_no_more_memory():
    times = Times()
    for _ in range(RECENT):
        times.append(0.01)
    size = sum(sys.getsizeof(part) for part in vars(times).values())
    for _ in range(5 * RECENT):
        times.append(0.01)
    assert sum(sys.getsizeof(part) for part in vars(times).values()) <= size + 64
    stats = stats_of()
    for i in range(3 * MOST_WARNINGS):
        stats.warn(f"{chr(65 + i % 26)}{chr(65 + i // 26)} is broken")
    assert len(stats.warnings) == MOST_WARNINGS


def test_after_a_long_night_of_news_the_next_fault_is_told_all_the_same():
    stats = stats_of()
    stats.warn("the first")
    for i in range(10_000):
        stats.warn(f"frame {i} is broken")
        stats.warn("the first")  # as a sink does that is asked again and again
    stats.warn("take.mov: the disk is full")
    assert stats.warnings[-1] == "take.mov: the disk is full"
    assert stats.warnings.count("the first") == 1
    assert len(stats.warnings) < MOST_WARNINGS, "a fault that words itself anew is no flood"


def test_who_reads_the_news_misses_none():
    stats = stats_of()
    stats.warn("one")
    assert stats.news_since(0) == ["one"]
    told = stats.told
    stats.warn("one")
    assert stats.news_since(told) == []
    stats.warn("two")
    stats.warn("three")
    assert stats.news_since(told) == ["two", "three"]
    assert stats.news_since(stats.told) == []


def test_gaps_and_repeats_are_told():
    stats = stats_of()
    for at in (1.0, 1.5, 2.0, 2.25):
        stats.sent(at, again=at == 2.0)
    report = stats.report()
    assert report["longest_gap_ms"] == 500.0
    assert report["repeated"] == 1
    assert stats.recent_fps == pytest.approx(3 / 1.25)


def test_an_offline_report_knows_nothing_of_gaps():
    assert "longest_gap_ms" not in stats_of().report()


def test_drops_are_counted_by_cause():
    stats = stats_of()
    stats.drop("capture")
    stats.drop("output.late", 3)
    stats.drop("capture")
    assert stats.report()["dropped_at"] == {"capture": 2, "output.late": 3}
    assert stats.report()["dropped"] == 5


def test_a_snapshot_is_plain_and_a_copy():
    stats = stats_of(started=clock.now() - 2)
    stats.latency["null"] = Times()
    stats.latency["null"].append(0.02)
    stats.show["output"] = "black"
    stats.warn("first")
    seen = stats.snapshot()
    assert json.loads(json.dumps(seen)) == seen
    stats.warn("second")
    stats.drop("capture")
    assert seen["warnings"] == ["first"]
    assert seen["dropped_at"] == {}
    assert seen["latency_ms"]["null"]["p50"] == 20.0
    assert seen["output"] == "black"
    assert seen["seconds"] >= 2.0
