"""The doctor: probes prove, failures become lines, the exit code follows what is needed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from kfx.cli import doctor
from kfx.engine import ffmpeg_probe, health
from kfx.errors import KfxError
from kfx.neural import providers


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(arguments))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """An empty table of checks to fill."""
    monkeypatch.setattr(health, "CHECKS", table := {})
    return table


def test_the_hand_made_model_computes() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(providers.model(), providers=[providers.CPU])
    assert session.get_inputs()[0].shape == list(providers.SHAPE)
    x = np.full(providers.SHAPE, 3, np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x * 12 / 3)


def test_the_cpu_passes_its_probe_and_an_unknown_provider_does_not() -> None:
    probe = providers.probe(providers.CPU)
    assert probe.error == ""
    assert probe.ms < 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "TOLERANCE", -1.0)
        assert "wrong by" in providers.probe(providers.CPU).error


def test_a_raising_check_becomes_a_line(
    checks: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[health.Check]:
        raise ZeroDivisionError("a driver\nfell over")

    def user_fault() -> list[health.Check]:
        raise KfxError("OpenGL 3.3: no context; sudo apt install it")

    checks.update({"Disk": broken, "OpenGL": user_fault})
    assert run() == 1
    out = capsys.readouterr().out
    assert "FAIL Disk              a driver fell over" in out
    assert "FAIL OpenGL            OpenGL 3.3: no context\n" in out
    assert "→ sudo apt install it" in out
    assert "kfx can't run here: OpenGL\n" in out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("status", "needed", "code"),
    [("ok", True, 0), ("warn", True, 0), ("fail", False, 0), ("fail", True, 1)],
)
def test_the_exit_code(
    checks: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    status: health.Status,
    needed: bool,
    code: int,
) -> None:
    checks["x"] = lambda: [health.Check("X", status, "detail", "remedy", needed)]
    assert run("--json") == code
    assert json.loads(capsys.readouterr().out) == {
        "ok": code == 0,
        "checks": [{"name": "X", "status": status, "detail": "detail", "remedy": "remedy"}],
    }


def test_native_noise_is_swallowed(
    checks: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    checks["x"] = lambda: [os.write(2, b"WARNING: absl"), health.Check("X", "ok", "")][1:]
    assert [check.name for check in health.examine("x")] == ["X"]
    assert capfd.readouterr().err == ""
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_ffmpeg_encodes_and_decodes() -> None:
    assert [check.status for check in health.ffmpeg()] == ["ok", "ok"]
    assert "no-such" in ffmpeg_probe.round_trip("no-such", "h264", "yuv420p")


def test_every_check_that_does_not_work_names_a_remedy() -> None:
    for name in ("Python", "ONNX", "Virtual camera", "Fonts", "Disk", "Connections"):
        for check in health.examine(name):
            assert check.detail
            assert check.status == "ok" or check.remedy


def test_the_real_machine_in_a_fresh_process() -> None:
    code = (
        "import sys, argparse; from kfx.cli import doctor\n"
        "status = doctor.run(argparse.Namespace(json=True))\n"
        "assert 'pyvirtualcam' not in sys.modules\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["ok"] else 1)
    names = [check["name"] for check in answer["checks"]]
    assert {"Python", "OpenGL", "MediaPipe", "ONNX CPU", "FFmpeg libx264"} <= set(names)
