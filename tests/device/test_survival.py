"""A reader of the camera sees an engine die and another one go on, and how old pictures are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device import guest
from tests.device.stamps import WIDTH, age_s, stamp

needs_guest = pytest.mark.skipif(bool(guest.why_not()), reason=guest.why_not())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What survival_in_guest.py measured."""
    folder = tmp_path_factory.mktemp("survival")
    command = [sys.executable, "-m", "tests.device.survival_in_guest", str(folder / "out.json")]
    done = guest.run(command, writable=folder, timeout_s=400)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(Path(folder / "out.json").read_text())
    print(json.dumps(answer, indent=2))
    return answer


@needs_guest
def test_the_camera_outlives_its_engine(results: dict[str, Any]) -> None:
    assert not results["ended"], "the reader met the end of the stream"
    assert results["came_back"]
    assert results["frames_away"] > 10  # the reader went on getting frames
    assert results["longest_gap_s"] < 60.0  # one processor, shared with whatever else runs
    assert results["others"] == 0
    assert "the engine was killed (SIGKILL); another one takes over (1)" in results["said"]
    assert results["code"] == 0
    assert results["openable_after"]


@needs_guest
def test_the_last_picture_stays_then_a_slate_is_shown(results: dict[str, Any]) -> None:
    assert results["away_s"] > 2.0  # stamped_show waits that long
    assert 5 < results["frames_away"] - results["slates_away"] < 100  # two seconds
    assert results["slates_away"] > 5


@needs_guest
def test_latency_is_measured_through_the_picture(results: dict[str, Any]) -> None:
    assert results["colour_error"] <= 8
    assert 3 < results["fps"] < 40
    assert results["opencv"]["size"] == [480, 270]
    for age in (results["ffmpeg_age_ms"], results["opencv"]["age_ms"]):
        assert 0 < age["p50"] < 2000  # how old is for the reader of the log


@pytest.mark.parametrize("at_s", [0.0, 12.345, 16777.215, 99999.999])
def test_a_stamp_is_read_back(at_s: float) -> None:
    pixels = np.full((40, WIDTH + 20, 3), 90, np.uint8)
    assert age_s(pixels, at_s) is None
    stamp(pixels, at_s)
    assert age_s(pixels, at_s + 0.25) == pytest.approx(0.25, abs=0.0015)
    pixels[:, 30:42] = 255 - pixels[:, 30:42]
    assert age_s(pixels, at_s) is None
