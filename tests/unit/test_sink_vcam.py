"""The virtual camera sink against a fake pyvirtualcam and, where there is one, the device shim."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError
from kfx.sinks import v4l2
from kfx.sinks.vcam import REMEDIES, VcamSink
from kfx.types import Frame, Shot, StreamInfo, Tick

SHIM = Path(__file__).parents[2] / "../shared/tools/vcamshim.c"
FAKE = '''
"""Stands in for pyvirtualcam: logs "time r g b" of the first pixel of every frame."""
import os, time
class Camera:
    def __init__(self, width, height, fps, *, device=None):
        if os.environ.get("FAKE_REFUSE"):
            raise RuntimeError(os.environ["FAKE_REFUSE"])
        self.width, self.height, self.fps = width, height, fps
        self.device, self.native_fmt = device or "Fake Camera", "I420"
        self._log = open(os.environ["FAKE_LOG"], "a", buffering=1)
        self._log.write(f"open {os.getpid()} {width} {height} {fps}\\n")
    def send(self, frame):
        assert frame.shape == (self.height, self.width, 3) and frame.flags.c_contiguous
        if os.path.exists(os.environ["FAKE_LOG"] + ".broken"):
            os.write(2, b"error writing frame: No such device")
            return
        time.sleep(float(os.environ.get("FAKE_SLOW", "0")))
        r, g, b = frame[0, 0]
        self._log.write(f"{time.monotonic()} {r} {g} {b}\\n")
    def close(self):
        self._log.write("close\\n")
        self._log.close()
'''


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a fake pyvirtualcam that the child, and only the child, imports."""
    (tmp_path / "pyvirtualcam.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def stream(width: int = 64, height: int = 48, rate: int = 30) -> StreamInfo:
    return StreamInfo(size=(width, height), rate=Fraction(rate), live=True)


def shot(value: int, width: int = 64, height: int = 48, flipped: bool = False) -> Shot:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[-1 if flipped else 0] = (value, 255 - value, 7, 128)
    pixels = pixels[::-1] if flipped else pixels
    return Shot(pixels, Tick(0, 0.0, 0.0, Frame(pixels, 0, Fraction(0), 0.0)))


def pictures(log: Path) -> list[tuple[float, int, int, int]]:
    rows = [line.split() for line in log.read_text().splitlines()]
    return [(float(t), int(r), int(g), int(b)) for t, r, g, b in (x for x in rows if len(x) == 4)]


def last(log: Path) -> int | None:
    """Red of the newest picture."""
    seen = pictures(log)
    return seen[-1][1] if seen else None


def until(condition, timeout_s: float = 8.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def test_frames_arrive_and_close_ends_at_once(log: Path) -> None:
    with sinks.open("vcam", stream()) as sink:
        assert (sink.device, sink.native) == ("Fake Camera", "I420")
        for value in (10, 20, 30):
            sink.write(shot(value, flipped=value == 20))
            until(lambda value=value: value in [p[1] for p in pictures(log)])
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    assert log.read_text().startswith("open ")
    assert log.read_text().endswith("close\n")
    assert {p[1:] for p in pictures(log)} == {(0, 0, 0), *((v, 255 - v, 7) for v in (10, 20, 30))}
    assert (sink.sent, sink.skipped, sink.lost, sink.warnings) == (3, 0, 0, [])


def test_the_picture_is_repeated_at_the_rate_of_the_stream(log: Path) -> None:
    with sinks.open("vcam", stream(rate=50)) as sink:
        sink.write(shot(99))
        until(lambda: len(pictures(log)) > 60)
    times = [p[0] for p in pictures(log)][5:]
    assert 40 < (len(times) - 1) / (times[-1] - times[0]) < 60
    assert last(log) == 99


def test_a_slow_camera_gets_the_newest_shot(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SLOW", "0.05")
    with sinks.open("vcam", stream(rate=10)) as sink:
        for value in range(1, 101):
            sink.write(shot(value))
            time.sleep(0.002)
        until(lambda: last(log) == 100)
    seen = [p[1] for p in pictures(log)]
    assert seen == sorted(seen)
    assert sink.skipped > 50
    assert sink.skipped + sink.sent == 100


def test_write_costs_no_more_than_a_copy(log: Path) -> None:
    picture = shot(5, 1280, 720)
    with sinks.open("vcam", stream(1280, 720)) as sink:
        costs = []
        for _ in range(60):
            began = time.perf_counter()
            sink.write(picture)
            costs.append(time.perf_counter() - began)
            time.sleep(0.005)
    print(f"write of 720p: median {sorted(costs)[30] * 1000:.2f} ms")
    assert sorted(costs)[30] < 0.005


@pytest.mark.parametrize("text", ["no such camera", "busy"])
def test_a_refusal_names_the_remedy(log: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FAKE_REFUSE", text)
    with pytest.raises(KfxError) as raised:
        sinks.open("vcam", stream())
    assert str(raised.value) == f"virtual camera: {text}; {REMEDIES['linux']}"


def test_every_platform_has_a_remedy() -> None:
    assert "OBS >= 30" in REMEDIES["darwin"]
    assert "Unity Capture" in REMEDIES["win32"]


def test_an_odd_size_is_refused() -> None:
    with pytest.raises(KfxError, match="641x361 has an odd side; use --size 640x360"):
        sinks.open("vcam", stream(641, 361))


@pytest.mark.skipif(sys.platform != "linux", reason="names are looked up in sysfs on Linux only")
def test_an_unknown_name_lists_the_devices(log: Path) -> None:
    with pytest.raises(KfxError, match=r"no device is called 'no-such-name-\d' \(there are: "):
        sinks.open("vcam:no-such-name-1", stream())
    with pytest.raises(KfxError, match="/dev/video-none: No such file"):
        sinks.open("vcam:/dev/video-none", stream())
    with pytest.raises(KfxError, match="/dev/null: not a video device"):
        sinks.open("vcam:/dev/null", stream())


def child_pid(log: Path) -> int:
    return int([x for x in log.read_text().splitlines() if x.startswith("open")][-1].split()[1])


def test_a_killed_child_is_reported_once_and_restarted(log: Path) -> None:
    with sinks.open("vcam", stream()) as sink:
        sink.write(shot(1))
        first = child_pid(log)
        os.kill(first, signal.SIGKILL)
        until(lambda: sink.warnings)
        for _ in range(5):
            sink.write(shot(2))
        assert sink.lost == 5
        until(lambda: child_pid(log) != first)
        until(lambda: last(log) == 2)
        sink.write(shot(3))
        until(lambda: last(log) == 3)
    assert len(sink.warnings) == 2
    assert "trying again" in sink.warnings[0]
    assert sink.warnings[1] == "virtual camera: Fake Camera is back"


def test_a_device_that_takes_no_frames_is_reported_and_tried_again(log: Path) -> None:
    broken = log.with_name("log.broken")
    with sinks.open("vcam", stream()) as sink:
        broken.touch()
        until(lambda: sink.warnings)
        assert "error writing frame: No such device" in sink.warnings[0]
        broken.unlink()
        until(lambda: len(sink.warnings) == 2)
        sink.write(shot(77))
        until(lambda: last(log) == 77)


def test_the_camera_outlives_a_killed_kfx_by_two_seconds(log: Path) -> None:
    code = (
        "import os, sys, time; sys.path.insert(0, 'tests/unit')\n"
        "from test_sink_vcam import *\n"
        "sink = sinks.open('vcam', stream()); sink.write(shot(55)); time.sleep(0.3)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
    )
    died = time.monotonic()
    until(lambda: log.read_text().endswith("close\n"))
    assert 1.0 < time.monotonic() - died < 4.0
    assert pictures(log)[-1][0] - died > 1.0
    assert last(log) == 55


def test_kfx_itself_never_imports_pyvirtualcam(log: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/unit')\n"
        "from test_sink_vcam import *\n"
        "with sinks.open('vcam', stream()) as sink: sink.write(shot(1))\n"
        "assert not [m for m in sys.modules if 'pyvirtualcam' in m]"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_child_mentions_an_import_of_pyvirtualcam() -> None:
    root = Path(sinks.__file__).parents[1]
    importers = [
        path.name
        for path in root.rglob("*.py")
        if any(
            line.split()[:2] in (["import", "pyvirtualcam"], ["from", "pyvirtualcam"])
            for line in path.read_text().splitlines()
        )
    ]
    assert importers == ["vcam_process.py"]


def test_names_are_matched_exactly_before_partly(tmp_path: Path) -> None:
    for number, name in ((2, "kfx-in"), (10, "kfx"), (11, "USB kfx cam")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(name + "\n")
    assert v4l2.named("KFX", tmp_path) == "/dev/video10"
    assert v4l2.named("kfx-", tmp_path) == "/dev/video2"
    assert v4l2.named("usb", tmp_path) == "/dev/video11"
    assert v4l2.named("obs", tmp_path) is None
    assert [path for path, _ in v4l2.devices(tmp_path)] == [
        "/dev/video2",
        "/dev/video10",
        "/dev/video11",
    ]


@pytest.fixture
def shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for /dev/video10 under the real pyvirtualcam; frames go to the returned file."""
    if sys.platform != "linux" or not SHIM.exists() or not shutil.which("cc"):
        pytest.skip(f"needs Linux, a C compiler and {SHIM}")
    library = tmp_path / "vcamshim.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SHIM], check=True)
    monkeypatch.setenv("VCAMSHIM", f"/dev/video10:{tmp_path}/out.yuv")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return tmp_path / "out.yuv"


def yuv_of(rgb: tuple[int, int, int]) -> list[float]:
    """BT.601 limited range."""
    r, g, b = (value / 255 for value in rgb)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return [16 + 219 * y, 128 + 224 * (b - y) / 1.772, 128 + 224 * (r - y) / 1.402]


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 90)])
def test_the_real_pyvirtualcam_writes_the_right_colours(
    shim: Path, rgb: tuple[int, int, int]
) -> None:
    pixels = np.full((48, 64, 4), (*rgb, 255), np.uint8)
    with sinks.open("vcam:/dev/video10", stream()) as sink:
        assert (sink.device, sink.native) == ("/dev/video10", "I420")
        sink.write(Shot(pixels, shot(0).tick))
        until(lambda: sink.sent == 1)
        until(lambda: shim.stat().st_size >= 3 * 64 * 48 * 3 // 2)
    assert shim.with_name("out.yuv.fmt").read_text() == "YU12 64 48 4608\n"
    last = np.fromfile(shim, np.uint8).reshape(-1, 64 * 48 * 3 // 2)[-1]
    planes = last[: 64 * 48], last[64 * 48 : 64 * 60], last[64 * 60 :]
    for plane, wanted in zip(planes, yuv_of(rgb), strict=True):
        assert np.abs(plane - wanted).max() <= 2.0


def test_the_real_pyvirtualcam_refused_by_the_driver(
    shim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VCAMSHIM_FAIL", "s_fmt:16")
    with pytest.raises(KfxError, match=r"virtual camera: .*; sudo apt install"):
        VcamSink("/dev/video10", stream())
