"""Nothing of a show is told to anybody: ONNX Runtime keeps and sends no diary of its use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPENS = """
import kfx
import onnxruntime
from kfx import assets
path = str(assets.folder("models") / "blendshapes.onnx")
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
print("opened")
"""


def opened(home: Path, script: str) -> list[str]:
    """The files that a fresh process leaves in a home of its own."""
    kept = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept | places, capture_output=True, text=True
    )
    assert done.stdout.strip() == "opened", done.stderr
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="where others keep it isn't looked for")
def test_onnx_runtime_keeps_no_diary(tmp_path: Path) -> None:
    assert opened(tmp_path, OPENS) == []
