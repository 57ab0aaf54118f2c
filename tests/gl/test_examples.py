"""Every example runs and does what its first line says."""

import subprocess
import sys

import cv2

from kfx import effects, presets
from tests.conftest import ROOT
from tests.waiting import LONG_S


def run(example, *arguments):
    command = [sys.executable, str(ROOT / "examples" / example), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=10 * LONG_S)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_example_is_tested():
    tested = {"render_in_python.py", "landmarks_to_csv.py", "looks.py", "peer_opencv.py"}
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == tested


def test_render_in_python_then_landmarks_to_csv(tmp_path):
    out = tmp_path / "out.mp4"
    assert "15 frames, 15 with a face" in run("render_in_python.py", out)
    lines = run("landmarks_to_csv.py", out).splitlines()
    assert lines[0].startswith("time_s,slot,yaw_deg")
    rows = [list(map(float, line.split(","))) for line in lines[1:]]
    assert len(rows) == 15
    assert all(row[1] == 0 and abs(row[2]) < 30 for row in rows)


def test_peer_opencv(tmp_path):
    out = tmp_path / "out.mp4"
    assert "60 frames" in run("peer_opencv.py", "performer", out)
    assert out.stat().st_size > 10_000


def test_looks_shows_every_look(tmp_path):
    out = tmp_path / "looks.jpg"
    count = len(effects.names()) + len(presets.names()) + 1
    assert f"{count} looks on performer" in run("looks.py", out, 0.1)
    sheet = cv2.imread(str(out))
    assert sheet.shape == (180 * -(-count // 10), 1800, 3)
    tiles = [sheet[180 * (i // 10) :, 180 * (i % 10) :][:180, :180] for i in range(count)]
    assert all(tile.std() > 10 for tile in tiles)
