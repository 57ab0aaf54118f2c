"""The main job on real devices: camera → preset → virtual camera and OSC, by command line.

In the guest one kfx plays the performer into a camera device, another one reads that camera,
applies a preset and feeds the virtual camera, ffmpeg and an OSC listener look at what comes out.
Which preset: $KFX_MAIN_JOB_PRESET, else supernova.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device import guest


def why_not() -> str:
    if importlib.util.find_spec("kfx.cli.live") is None:
        return "there is no kfx live yet"
    return guest.why_not()


pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]
LOOPBACK = "devices=2 video_nr=10,11 card_label=kfx-in,kfx exclusive_caps=1,1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What main_job_in_guest.py left behind."""
    folder = tmp_path_factory.mktemp("main-job")
    command = [sys.executable, "tests/device/main_job_in_guest.py", str(folder)]
    done = guest.run(command, writable=folder, loopback=LOOPBACK)
    logs = "".join(f"{p.name}:\n{p.read_text()[-2000:]}\n" for p in sorted(folder.glob("*.log")))
    print(logs)
    if done.returncode:
        pytest.fail(done.stderr[-2000:] + logs, pytrace=False)
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    answer = json.loads((folder / "out.json").read_text())
    print(json.dumps(answer, indent=2))
    return answer


def test_the_performer_is_a_camera(results: dict[str, Any]) -> None:
    assert results["camera"]


@pytest.mark.parametrize("name", ["first", "second"])
def test_the_show_is_seen_by_another_program(results: dict[str, Any], name: str) -> None:
    show = results[name]
    assert show["there"], "the virtual camera never appeared"
    assert show["exit"] == 0
    assert show["seen"]["frames"] >= 30
    assert show["seen"]["fps"] > 10  # two shows and a reader share the guest's one processor
    assert show["seen"]["mean"] > 5  # not black
    assert show["seen"]["changes"] > 10  # the picture lives
    assert show["report"] is not None


def test_the_faces_arrive_by_osc(results: dict[str, Any]) -> None:
    osc = results["osc"]
    assert osc["frames"] > 60
    assert osc["rising"]
    assert osc["found"] > osc["frames"] * 0.5
    assert osc["meshes"] >= osc["found"] * 0.9
    x0, y0, x1, y1 = osc["bbox"]
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    assert x1 - x0 > 0.1


def test_the_preset_changed_the_picture(results: dict[str, Any], folder: Path) -> None:
    """The film stock of the first show lifts the blacks; the one without effects leaves them."""
    with_effects, clean = (np.load(folder / f"{name}.npy") for name in ("first", "second"))
    assert with_effects.shape[1:] == clean.shape[1:] == (240, 320, 3)
    corners = [np.median(shots[:, -40:, :40], axis=(0, 1, 2)) for shots in (with_effects, clean)]
    assert (corners[0] > corners[1] + 4).all()


def test_the_performer_ends_on_ctrl_c(results: dict[str, Any]) -> None:
    assert results["performer"]["exit"] in (0, 130)
