"""The virtual camera sink against a fake pyvirtualcam and, where there is one, the device shim."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from multiprocessing import Pipe
from multiprocessing.connection import Listener
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError
from kfx.sinks import (
    slate,
    v4l2,
    vcam,
    vcam_child,
    vcam_device,
    vcam_link,
    vcam_process,
    vcam_setup,
)
from kfx.sinks.slate import BACKGROUND
from kfx.sinks.vcam import REMEDIES, VcamSink
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.waiting import LONG_S, until

SHIM = Path(__file__).parents[2] / "../shared/tools/vcamshim.c"
FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a fake pyvirtualcam that the child, and only the child, imports."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
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


def test_a_camera_that_closes_slowly_is_not_killed(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver may need its device closed in order, or the next show finds it taken."""
    monkeypatch.setenv("FAKE_SLOW_CLOSE", "2.5")  # longer than was waited for once
    monkeypatch.setattr(vcam_child, "LAST_S", LONG_S)
    with sinks.open("vcam", stream()) as sink:
        sink.write(shot(10))
        until(lambda: sink.sent)
    assert log.read_text().endswith("close\n")


def test_frames_arrive_and_close_ends_at_once(log: Path) -> None:
    with sinks.open("vcam", stream()) as sink:
        assert (sink.device, sink.native) == ("Fake Camera", "I420")
        for value in (10, 20, 30):
            sink.write(shot(value, flipped=value == 20))
            until(lambda value=value: value in [p[1] for p in pictures(log)])
        process = child_pid(log)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert log.read_text().startswith("open ")
    assert log.read_text().endswith("close\n")
    assert {p[1:] for p in pictures(log)} == {(0, 0, 0), *((v, 255 - v, 7) for v in (10, 20, 30))}
    assert (sink.sent, sink.skipped, sink.lost, sink.warnings) == (3, 0, 0, [])


def test_the_picture_is_repeated_at_the_rate_of_the_stream(log: Path) -> None:
    with sinks.open("vcam", stream(rate=50)) as sink:
        sink.write(shot(99))
        until(lambda: len(pictures(log)) > 60)
    steps = np.diff([p[0] for p in pictures(log)][5:])
    assert 1 / 60 < np.median(steps) < 1 / 40  # a busy machine delays some of them
    assert last(log) == 99


def test_a_slow_camera_gets_the_newest_shot(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SLOW", "0.05")
    with sinks.open("vcam", stream(rate=10)) as sink:
        for value in range(1, 101):
            sink.write(shot(value))
        until(lambda: last(log) == 100)
    seen = [p[1] for p in pictures(log)]
    assert seen == sorted(seen)
    assert sink.skipped > 50
    assert sink.skipped + sink.sent == 100


def test_write_costs_no_more_than_a_copy(log: Path) -> None:
    picture = shot(5, 1280, 720)
    with sinks.open("vcam", stream(1280, 720)) as sink:
        costs, copies, room = [], [], np.empty_like(picture.pixels)
        for _ in range(60):
            began = time.perf_counter()
            sink.write(picture)
            costs.append(time.perf_counter() - began)
            began = time.perf_counter()
            np.copyto(room, picture.pixels)
            copies.append(time.perf_counter() - began)
            time.sleep(0.005)
    print(f"write of 720p: median {sorted(costs)[30] * 1000:.2f} ms")
    assert sorted(costs)[30] < max(0.005, 4 * sorted(copies)[30])


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


def test_a_killed_child_is_reported_once_and_restarted(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vcam, "SPARE_S", 1e9)
    with sinks.open("vcam", stream()) as sink:
        again, new = threading.Event(), sink._new_child
        monkeypatch.setattr(sink, "_new_child", lambda: again.wait(LONG_S) and new())
        sink.write(shot(1))
        first = child_pid(log)
        os.kill(first, signal.SIGKILL)
        until(lambda: sink.warnings)
        for _ in range(5):
            sink.write(shot(2))
        assert sink.lost == 5
        again.set()
        until(lambda: child_pid(log) != first)
        until(lambda: len(sink.warnings) == 2)
        sink.write(shot(3))
        until(lambda: last(log) == 3)
    assert len(sink.warnings) == 2
    assert "opened again" in sink.warnings[0]
    assert sink.warnings[1] == "virtual camera: Fake Camera is back"


def test_a_camera_killed_twice_running_is_back_at_once_both_times(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vcam, "SPARE_S", 0.0)
    with sinks.open("vcam", stream()) as sink:
        until(lambda: [sink.write(shot(1)), len(sink._spares) == vcam.SPARES][1])
        loaded = [spare.pid for spare in sink._spares]
        monkeypatch.setattr(vcam, "SPARE_S", 1e9)  # no others meanwhile
        for pid in loaded:
            os.kill(child_pid(log), signal.SIGKILL)
            until(lambda pid=pid: child_pid(log) == pid)
        until(lambda: [sink.write(shot(9)), last(log) == 9][1])
        os.kill(loaded[-1], signal.SIGKILL)
        until(lambda: child_pid(log) not in loaded)


def test_a_spare_that_was_killed_is_not_waited_for(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vcam, "SPARE_S", 0.0)
    with sinks.open("vcam", stream()) as sink:
        until(lambda: [sink.write(shot(1)), len(sink._spares) == vcam.SPARES][1])
        first, second = (spare.pid for spare in sink._spares)
        os.kill(first, signal.SIGKILL)
        until(lambda: not sink._spares[0].alive)
        os.kill(child_pid(log), signal.SIGKILL)
        until(lambda: child_pid(log) == second)


def test_a_process_that_dies_while_it_opens_the_camera_is_tried_again(log: Path) -> None:
    log.with_name("log.dies").touch()
    with sinks.open("vcam", stream()) as sink:
        sink.write(shot(1))
        until(lambda: last(log) == 1)
    assert sink.warnings == []


def test_one_that_dies_twice_says_how(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vcam_child.Child, "go", lambda self, **_: self.kill())
    with pytest.raises(KfxError, match=r"virtual camera: its process ended \(exit code -9\)"):
        sinks.open("vcam", stream())


def test_a_camera_that_hangs_is_replaced(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vcam, "STUCK_S", 0.2)
    monkeypatch.setattr(vcam, "RESTART_S", 0.1)
    with sinks.open("vcam", stream()) as sink:
        first = child_pid(log)
        os.kill(first, signal.SIGSTOP)
        sink.write(shot(1))
        until(lambda: [sink.write(shot(2)), sink.warnings][1])
        until(lambda: [sink.write(shot(3)), last(log) == 3][1])
        assert child_pid(log) != first


def test_a_device_that_takes_no_frames_is_reported_and_tried_again(log: Path) -> None:
    broken = log.with_name("log.broken")
    with sinks.open("vcam", stream()) as sink:
        broken.touch()
        until(lambda: sink.warnings)
        assert "error writing frame: No such device" in sink.warnings[0]
        broken.unlink()
        until(lambda: len(sink.warnings) == 2)
        until(lambda: [sink.write(shot(77)), last(log) == 77][1])


KILLED = """
import os, sys, time; sys.path.insert(0, "tests/unit")
from test_sink_vcam import *
sink = sinks.open("vcam", stream())
sink.write(shot(55))
until(lambda: sink.sent == 1)
print(sink._folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_a_show() -> str:
    """A process opens the camera, shows 55 and is killed; its last word is the folder."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=root, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    return done.stdout.strip()


def test_a_killed_kfx_leaves_its_last_picture_then_a_slate_then_nothing(log: Path) -> None:
    folder = kill_a_show()
    until(lambda: log.read_text().endswith("close\n"))
    shown = pictures(log)
    first, end = next(p[0] for p in shown if p[1] == 55), shown[-1][0]
    slated = [p[0] for p in shown if p[1:] == BACKGROUND]
    assert slated[0] - first > 1.9
    assert end - first > 4.5
    assert [p[1] for p in shown if p[0] < slated[0]][-1] == 55
    assert last(log) == BACKGROUND[0]
    until(lambda: not os.path.exists(folder))


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A supervisor that lives until its listener is closed."""
    folder = tempfile.mkdtemp(prefix="kfx-")  # short: a socket's path has 107 characters
    monkeypatch.setenv(vcam_link.FOLDER_VARIABLE, folder)
    with vcam_link.listen(vcam_link.address(folder, vcam_link.LIFELINE)) as listener:
        yield listener
    shutil.rmtree(folder)


def test_the_next_kfx_takes_the_camera_over(log: Path, supervisor: Listener) -> None:
    kill_a_show()
    before = child_pid(log)
    peer = supervisor.accept()
    with sinks.open("vcam", stream()) as sink:
        assert sink.reattached
        sink.write(shot(66))
        until(lambda: last(log) == 66)
    assert child_pid(log) == before
    until(lambda: log.read_text().endswith("close\n"))
    assert {p[1] for p in pictures(log)} <= {0, 55, BACKGROUND[0], 66}
    peer.close()


def test_a_kfx_of_another_size_gets_a_new_camera(log: Path, supervisor: Listener) -> None:
    kill_a_show()
    before = child_pid(log)
    with sinks.open("vcam", stream(96, 48)) as sink:
        assert not sink.reattached
        sink.write(shot(66, 96, 48))
        until(lambda: last(log) == 66)
    assert child_pid(log) != before


def test_the_camera_ends_with_its_supervisor(log: Path, supervisor: Listener) -> None:
    kill_a_show()
    peer = supervisor.accept()
    supervisor.close()
    peer.close()
    until(lambda: log.read_text().endswith("close\n"))


def test_a_picture_of_another_kind_costs_no_camera(log: Path) -> None:
    with sinks.open("vcam", stream()) as sink:
        sink.write(shot(1, 32, 24))
        floats = shot(2)
        sink.write(Shot(floats.pixels.astype(np.float32), floats.tick))
        sink.write(shot(3))
        until(lambda: last(log) == 3)
    assert sink.lost == 2
    assert len(sink.warnings) == 2


class Screen:
    """A device that keeps what it was sent."""

    name, native, size = "fake", "I420", (64, 48)

    def __init__(self) -> None:
        self.shown, self.sent = 0, []

    def show(self, pixels) -> None:
        self.shown = int(pixels[0, 0, 0])

    def send(self) -> None:
        self.sent.append(self.shown)


def test_a_camera_that_comes_back_shows_the_show_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vcam_link.Memory, "hand_over", lambda self, peer: None)
    inbox, screen = queue.SimpleQueue(), Screen()
    ours, theirs = Pipe()
    host = vcam_process.Host(screen, Fraction(30), inbox, supervised=False, first_s=30.0)
    host._memory.slots[1][:] = 77
    for news in ((theirs, None), (theirs, b"1"), (theirs, b"q")):
        inbox.put(vcam_process.News(*news))
    host.serve()
    assert screen.sent == [77], "no black before it"
    ours.close()
    theirs.close()


def test_a_slate_after_two_seconds_and_the_picture_again(log: Path) -> None:
    with sinks.open("vcam", stream()) as sink:
        sink.write(shot(55))
        until(lambda: last(log) == BACKGROUND[0])
        shown = pictures(log)
        assert shown[-1][0] - next(p[0] for p in shown if p[1] == 55) > 1.9
        sink.write(shot(66))
        until(lambda: last(log) == 66)
    assert sink.warnings == []


@pytest.mark.parametrize("size", [(64, 36), (320, 240), (1280, 720), (1080, 1920)])
def test_the_slate_has_words_in_the_middle_and_calm_edges(size: tuple[int, int]) -> None:
    picture = slate.slate(*size)
    assert picture.shape == (size[1], size[0], 4)
    light = picture[..., :3].max(axis=2) > 90
    rows, columns = np.nonzero(light)
    assert len(rows) > 20
    assert abs(rows.mean() / size[1] - 0.5) < 0.1
    assert abs(columns.mean() / size[0] - 0.5) < 0.05
    assert (picture[: size[1] // 10, :, :3] == BACKGROUND).all()


@pytest.mark.parametrize("taken", ["RGB", "RGBA", "I420", "NV12", "YUYV", "UYVY", "GRAY"])
def test_every_format_shows_the_right_colours(taken: str) -> None:
    rgb = (200, 150, 90)
    pixels = np.full((8, 12, 4), (*rgb, 255), np.uint8)
    out = np.zeros(vcam_device.SHAPES[taken](8, 12), np.uint8)
    vcam_device.convert(pixels, taken, out)
    y, u, v = yuv_of(rgb)
    flat = out.ravel()
    wanted = {
        "RGB": [rgb * 96],
        "RGBA": [(*rgb, 255) * 96],
        "GRAY": [(0.299 * 200 + 0.587 * 150 + 0.114 * 90,) * 96],
        "I420": [(y,) * 96, (u,) * 24, (v,) * 24],
        "NV12": [(y,) * 96, (u, v) * 24],
        "YUYV": [(y, u, y, v) * 48],
        "UYVY": [(u, y, v, y) * 48],
    }[taken]
    assert np.abs(flat - np.concatenate(wanted)).max() <= 2


def test_a_camera_of_rgba_gets_alpha(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unity Capture takes RGBA; found out after opening it, so it is opened again."""
    asked = []

    class Camera:
        def __init__(self, width, height, fps, *, device=None, fmt="RGB"):
            asked.append((device, fmt))
            self.width, self.height, self.fps = width, height, fps
            self.device, self.native_fmt = "Unity Video Capture", "RGBA"

        def send(self, picture):
            asked.append(picture.copy())

        def close(self):
            asked.append("close")

    package = SimpleNamespace(Camera=Camera, PixelFormat=SimpleNamespace(RGBA="RGBA"))
    monkeypatch.setattr(vcam_device.sys, "platform", "win32")
    device = vcam_device.open_device(package, "", (64, 48), Fraction(30))
    picture = shot(9).pixels
    device.show(picture)
    device.send()
    assert asked[:3] == [(None, "RGB"), "close", ("Unity Video Capture", "RGBA")]
    assert (asked[3] == picture).all()


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


@pytest.mark.parametrize(
    ("release", "first"),
    [
        ("ID=debian\n", "sudo apt install -y v4l2loopback-dkms linux-headers-$(uname -r)"),
        ('ID=pop\nID_LIKE="ubuntu debian"\n', "sudo apt install -y v4l2loopback-dkms"),
        ("ID=fedora\n", "sudo dnf install -y akmod-v4l2loopback"),
        ("ID=manjaro\nID_LIKE=arch\n", "sudo pacman -S --needed v4l2loopback-dkms"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "sudo zypper install"),
        ("", "install your distribution's v4l2loopback"),
    ],
)
def test_linux_is_told_how_to_install_the_module(release: str, first: str) -> None:
    text = vcam_setup.lines("linux", like=release)
    assert text.startswith(first)
    assert "options v4l2loopback video_nr=10 card_label=kfx exclusive_caps=1" in text
    assert text.endswith(" && sudo modprobe v4l2loopback")
    assert vcam_setup.lines("linux", like=release, installed=True) in text


def test_the_others_are_told_about_obs_and_unity_capture() -> None:
    assert "brew install --cask obs" in vcam_setup.lines("darwin")
    windows = vcam_setup.lines("win32")
    assert "winget install -e --id OBSProject.OBSStudio" in windows
    assert r"win-dshow\virtualcam-install.bat" in windows
    assert r"UnityCapture\Install\Install.bat" in windows


def test_the_loaded_module_is_described(tmp_path: Path) -> None:
    assert vcam_setup.module_notes(tmp_path) == ""
    (tmp_path / "version").write_text("0.12.7\n")
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters/exclusive_caps").write_text("N,N,N,N\n")
    notes = vcam_setup.module_notes(tmp_path)
    assert notes.startswith("v4l2loopback 0.12.7, exclusive_caps is off")
    (tmp_path / "parameters/exclusive_caps").write_text("Y,N,N,N\n")
    assert vcam_setup.module_notes(tmp_path) == "v4l2loopback 0.12.7"
