"""The main job on real devices: camera → preset → virtual camera and OSC, by command line.

In the guest one program plays a performer with the time drawn on it into a camera device, kfx
reads that camera, applies a preset and feeds the virtual camera; ffmpeg and an OSC listener look
at what comes out. Then the same with a camera driver of the kernel. ``pytest -s`` prints how old
pictures are at the reader. Which preset: $KFX_MAIN_JOB_PRESET, else supernova.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kfx import sources
from tests.device import guest
from tests.device.stamped_camera import yuyv

pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.skipif(bool(guest.why_not()), reason=guest.why_not()),
]
LOOPBACK = "devices=2 video_nr=10,11 card_label=kfx-in,kfx exclusive_caps=1,1"
WIDTH, HEIGHT = 352, 288


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What main_job_in_guest.py left behind."""
    folder = tmp_path_factory.mktemp("main-job")
    with sources.open("performer", size=(WIDTH, HEIGHT)) as performer:
        film = [yuyv(one.pixels[..., :3]) for one in itertools.islice(performer.frames(), 60)]
    np.array(film).tofile(folder / "performer.yuyv")
    command = [sys.executable, "-m", "tests.device.main_job_in_guest", str(folder)]
    done = guest.run(command, writable=folder, loopback=LOOPBACK, timeout_s=540)
    logs = "".join(f"{p.name}:\n{p.read_text()[-2000:]}\n" for p in sorted(folder.glob("*.log")))
    print(logs)
    if done.returncode:
        pytest.fail(done.stderr[-2000:] + logs, pytrace=False)
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((folder / "out.json").read_text())
    print(json.dumps(answer, indent=2))
    return answer


@pytest.mark.parametrize("mode", ["live", "clean"])
def test_the_show_is_seen_by_another_program(results: dict[str, Any], mode: str) -> None:
    show = results["main"]
    assert show["there"], "the virtual camera never appeared"
    assert show["exit"] == 0
    seen = show[mode]
    assert seen["frames"] == 60
    assert seen["mean"] > 5  # not black
    assert seen["changes"] >= 20  # the picture lives


def test_how_old_pictures_are_at_the_reader(results: dict[str, Any]) -> None:
    """A time code from the camera's pixels arrives; how late is for the reader of the log."""
    for mode in ("live", "clean"):
        seen = results["main"][mode]
        assert seen["stamped"] >= 10
        assert 0 < seen["age_ms"]["p50"] < 2000


def test_the_faces_arrive_by_osc(results: dict[str, Any]) -> None:
    osc = results["main"]["osc"]
    assert osc["frames"] >= 30
    assert osc["rising"]
    assert osc["found"] >= 30
    assert osc["meshes"] >= osc["found"] * 0.9
    x0, y0, x1, y1 = osc["bbox"]
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    assert x1 - x0 > 0.1


def test_the_preset_changes_the_picture_and_panic_does_not(results: dict[str, Any]) -> None:
    """The film stock of the show lifts the blacks; the clean plate leaves them."""
    live, clean = (np.array(results["main"][mode]["corner"]) for mode in ("live", "clean"))
    assert (live > clean + 4).all()


def test_what_happens_before_the_camera_is_seen_by_the_reader(results: dict[str, Any]) -> None:
    """vivid, the second show on this device: its brightness is switched, the reader sees it."""
    seen = results["vivid"]
    assert seen["there"]
    assert seen["exit"] == 0
    assert seen["seen"] == 25
    assert seen["delay_ms"]["p50"] < 2000


def test_a_camera_that_is_unplugged_comes_back_by_itself(results: dict[str, Any]) -> None:
    vivid = results["vivid"]
    assert vivid["unplugged"]["back"]
    said = vivid["report"]["warnings"]
    assert sum("the camera stopped sending; check its cable" in text for text in said) == 1
    assert any("the source is back after" in text for text in said)
    assert vivid["report"]["repeated"] > 0, "its last picture was shown meanwhile"
