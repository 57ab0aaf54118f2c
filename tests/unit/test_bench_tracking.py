"""`kfx bench tracking`: its rulers, held against motion whose figures are known."""

from dataclasses import replace

import numpy as np
import pytest

from kfx.engine.bench import tracking as bench
from tests.faces import face_at

RATE, FINE = bench.RATE, bench.FINE


def wave(times):
    """Two points on a slow wave: (frames, 2, 3)."""
    x = 40 * np.sin(2 * np.pi * 0.7 * times) + 9 * np.sin(2 * np.pi * 2.1 * times)
    return np.stack([np.stack([x, 0.4 * x, 0 * x], axis=1)] * 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("late_s", [0.0, 0.013, 0.04])
def test_lag_is_the_shift_that_was_put_in(late_s):
    truth = wave(np.arange(240) / (RATE * FINE))
    points = wave(np.arange(120) / RATE - late_s)
    assert bench.lag_s(points, truth) == pytest.approx(late_s, abs=0.001)


def test_a_plain_one_euro_of_no_jitter_has_more_lag_than_one_that_may_jitter():
    noise = np.random.default_rng(1).normal(0, 0.4, (120, 478, 3)).astype(np.float32)
    still = np.zeros((120, 1, 3), np.float32) + face_at().landmarks
    truth = wave(np.arange(240) / (RATE * FINE))[:, :1] + face_at().landmarks
    lags = [bench.one_euro_lag_s(still + noise, truth[::FINE], truth, px) for px in (0.05, 0.4)]
    assert lags[0] > lags[1] + 0.005


def test_a_performer_is_named_only_where_there_is_no_doubt():
    truth = (face_at(x=80, slot=0), face_at(x=240, slot=1))
    assert bench.whose(face_at(x=243, slot=5), truth) == 1
    assert bench.whose(face_at(x=160), truth) is None
    assert bench.whose(face_at(x=80), (*truth, face_at(x=90, slot=2))) is None


def test_swaps_are_counted_and_there_are_none_on_the_truth(monkeypatch):
    monkeypatch.setattr(bench, "SIZE", (320, 180))
    spec = "performer?faces=2&noise=0"
    assert bench.slot_swaps(spec, 0.4, "truth") == 0
    track = bench.Tracker.track

    def turned(self, frame):
        faces = track(self, frame)
        return tuple(replace(f, slot=1 - f.slot) for f in faces) if frame.index == 5 else faces

    monkeypatch.setattr(bench.Tracker, "track", turned)
    assert bench.slot_swaps(spec, 0.4, "truth") == 4  # two there and two back


def test_the_truth_has_a_true_pose_no_raw_jitter_and_can_be_predicted(monkeypatch):
    monkeypatch.setattr(bench, "SIZE", (320, 180))
    figures = bench.measure(seconds=3.0, finder="truth")
    assert figures["raw_jitter_px"] == 0
    assert figures["pose_error_deg"] < 1.2
    assert figures["slot_swaps"] == 0
    assert figures["head_predicted_error_px"] < 0.7 * figures["head_stale_error_px"]
    assert figures["predicted_share"].keys() == {"33", "50", "100"}
    for ahead, least in figures["foreseen_share"].items():
        assert least < 0.12, "who knows the future of the truth is nearly right"
        assert least < figures["predicted_share"][ahead] < 0.95
    assert figures["bare_track_ms"] is None
