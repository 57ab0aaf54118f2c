"""The virtual camera on a real v4l2loopback, read by ffmpeg and OpenCV in the guest."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.device import guest

pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.skipif(bool(guest.why_not()), reason=guest.why_not()),
]
OURS = "virtual camera: /dev/video10: "


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What vcam_in_guest.py measured."""
    folder = tmp_path_factory.mktemp("guest")
    command = [sys.executable, "tests/device/vcam_in_guest.py", str(folder / "out.json")]
    done = guest.run(command, writable=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(Path(folder / "out.json").read_text())
    print(json.dumps(answer, indent=2))
    return answer


@pytest.mark.parametrize(("size", "rate"), [("320x240", 30), ("640x360", 25)])
@pytest.mark.parametrize("reader", ["ffmpeg", "opencv"])
def test_another_program_sees_the_show(
    results: dict[str, Any], size: str, rate: int, reader: str
) -> None:
    seen = results[size][reader]
    assert seen["colour_error"] <= 8
    assert rate * 0.1 < seen["fps"] < rate * 1.2  # the guest has one processor, which may be busy
    assert seen["places"] >= 20  # the picture moves: the block was seen in many places
    assert seen["repeats"] < seen["frames"] / 3
    if reader == "opencv":
        assert seen["size"] == [int(side) for side in size.split("x")]


def test_readers_are_told_the_rate(results: dict[str, Any]) -> None:
    assert results["320x240"]["announced"] == "30.000"
    assert results["640x360"]["announced"] == "25.000"


@pytest.mark.parametrize("size", ["320x240", "640x360"])
def test_the_writer_never_waits(results: dict[str, Any], size: str) -> None:
    writer = results[size]["writer"]
    assert writer["warnings"] == []
    assert writer["native"] == "I420"
    assert writer["write_ms"] < 30.0  # one slow processor; a write that waited takes a frame
    assert writer["sent"] + writer["skipped"] >= writer["written"] - 2
    assert writer["close_s"] < 10.0


def test_a_second_writer_is_refused(results: dict[str, Any]) -> None:
    text = OURS + "another program is sending to it; close that program"
    assert results["320x240"]["busy"] == text


def test_the_camera_opens_again_after_v4l2loopback_got_stuck(results: dict[str, Any]) -> None:
    assert results["320x240"]["stuck_after"]  # else this proves nothing: a newer driver
    assert results["specs"]["vcam"] == "opened"
    assert results["specs"]["vcam:KF"] == "opened"


def test_a_camera_is_no_output(results: dict[str, Any]) -> None:
    assert (
        "/dev/video20: vivid is no v4l2loopback device; sudo apt"
        in (results["specs"]["vcam:/dev/video20"])
    )


def test_a_reader_sees_the_show_go_on_after_the_child_was_killed(results: dict[str, Any]) -> None:
    killed = results["killed"]
    # That it goes on, not how soon: a new child starts in 3 to 8 s on the guest's one processor.
    assert killed["gap_s"] < 100.0
    assert 3 < killed["fps_after"] < 40
    assert len(killed["warnings"]) == 2
    assert killed["warnings"][1] == "virtual camera: /dev/video10 is back"


def test_a_reader_may_stay_unless_the_size_changes(results: dict[str, Any]) -> None:
    assert results["held"] == {
        "same size": "opened",
        "other size": OURS + "a reader holds it at 320x240 YU12, not 640x360 YU12; "
        "close the program that shows it, or use --size 320x240",
        "reader gone": "opened",
    }
