"""NDI: what is sent arrives with its alpha; without the extra the error says what to install."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError, UsageError
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.conftest import ROOT

STREAM = StreamInfo(size=(64, 48), rate=Fraction(30), live=True)

# NDI announces itself by multicast, so both ends live in a network of their own.
LOOPBACK = """
import json, sys, time
from fractions import Fraction
import numpy as np
from cyndilib.finder import Finder
from cyndilib.receiver import Receiver
from cyndilib.video_frame import VideoRecvFrame
from cyndilib.wrapper import RecvBandwidth, RecvColorFormat
from cyndilib.receiver import ReceiveFrameType
from kfx import sinks
from kfx.types import Frame, Shot, StreamInfo, Tick

size = (320, 192)
pixels = np.full((192, 320, 4), (200, 40, 120, 255), np.uint8)
pixels[:96, :160] = (10, 220, 30, 128)
pixels[96:, :160] = (250, 120, 0, 0)
pixels = pixels[::-1].copy()[::-1]
shot = Shot(pixels, Tick(0, 0.0, 0.0, Frame(pixels, 0, Fraction(0), 0.0)))
told = {}
with sinks.open(sys.argv[1], StreamInfo(size, Fraction(30000, 1001), live=True)) as sink:
    with Finder() as finder:
        end = time.monotonic() + 15
        source = None
        while source is None and time.monotonic() < end:
            finder.wait_for_sources(0.5)
            source = next((s for s in finder if "Stage left" in s.name), None)
        told["name"] = source.name if source else None
        told["before"] = sink.receivers
        receiver = Receiver(
            color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest
        )
        video = VideoRecvFrame()
        receiver.set_video_frame(video)
        receiver.set_source(source)
        while time.monotonic() < end:
            sink.write(shot)
            if receiver.receive(ReceiveFrameType.recv_video, 50) & ReceiveFrameType.recv_video:
                if video.xres == 320:
                    break
        told["fourcc"] = video.get_fourcc().name
        told["rate"] = str(video.get_frame_rate())
        got = np.frombuffer(video, np.uint8).reshape(192, 320, 4)
        told["pixels"] = [got[y, x].tolist() for y, x in ((40, 80), (150, 80), (100, 250))]
        told["receivers"] = sink.receivers
        receiver.disconnect()
print(json.dumps(told), flush=True)
import os
os._exit(0)
"""


def in_a_network_of_its_own(spec: str, config: Path) -> dict:
    if importlib.util.find_spec("cyndilib") is None:
        pytest.skip("cyndilib isn't installed: pip install 'kfx[ndi]'")
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("no unshare or ip program: NDI would announce itself to the real network")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no network namespace: NDI would reach the real network")
    # No avahi daemon runs there, which NDI asks for names: it is told where to look.
    networks = {"ndi": {"networks": {"ips": "127.0.0.1"}}}
    (config / "ndi-config.v1.json").write_text(json.dumps(networks))
    setup = "ip link set lo up && ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo"
    child = subprocess.run(
        ["unshare", "-rn", "sh", "-c", f'{setup} && exec "$@"', "sh"]
        + [sys.executable, "-c", LOOPBACK, spec],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"NDI_CONFIG_DIR": str(config)},
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return json.loads(child.stdout.strip().splitlines()[-1])


def near(got: list[int], wanted: tuple[int, ...], within: int = 5) -> bool:
    return all(abs(g - w) <= within for g, w in zip(got, wanted, strict=True))


def test_pictures_and_alpha_arrive(tmp_path) -> None:
    told = in_a_network_of_its_own("ndi:Stage left", tmp_path)
    assert told["name"].endswith("(Stage left)")
    assert told["before"] == 0
    assert told["receivers"] == 1
    assert told["rate"] == "30000/1001"
    half, clear, full = told["pixels"]
    assert near(half, (10, 220, 30, 128))
    assert near(clear, (250, 120, 0, 0)), "the colour under alpha 0 is kept: it is straight"
    assert near(full, (200, 40, 120, 255))


class FakeNdi:
    """cyndilib as far as the sink uses it."""

    class FourCC:
        RGBA, RGBX = "RGBA", "RGBX"

    class VideoSendFrame:
        def __getattr__(self, name: str):
            return lambda *value: setattr(self, name.removeprefix("set_") + "_", value)

    class Sender:
        def __init__(self, name: str, ndi_groups: str, clock_video: bool) -> None:
            self.name, self.groups, self.sent, self.connected = name, ndi_groups, [], 0
            self.running = False
            assert not clock_video  # it would wait in write
            FakeNdi.last = self

        def set_video_frame(self, frame: FakeNdi.VideoSendFrame) -> None:
            self.frame = frame

        def open(self) -> None:
            if self.name == "bad":
                raise RuntimeError("no")
            self.running = True

        def close(self) -> None:
            self.running = False

        def get_num_connections(self, timeout: float) -> int:
            return self.connected

        def write_video_async(self, data: np.ndarray) -> None:
            assert data.flags.writeable  # Cython's uint8_t[:] takes no other
            self.sent.append(data.copy())


@pytest.fixture
def fake_ndi(monkeypatch):
    modules = {
        "cyndilib": types.ModuleType("cyndilib"),
        "cyndilib.sender": types.SimpleNamespace(Sender=FakeNdi.Sender),
        "cyndilib.video_frame": types.SimpleNamespace(VideoSendFrame=FakeNdi.VideoSendFrame),
        "cyndilib.wrapper": types.SimpleNamespace(FourCC=FakeNdi.FourCC),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return FakeNdi


def test_nothing_is_sent_to_nobody_and_everything_to_somebody(fake_ndi) -> None:
    pixels = np.arange(48 * 64 * 4, dtype=np.uint8).reshape(48, 64, 4)[::-1]
    shot = Shot(pixels, Tick(0, 0.0, 0.0, Frame(pixels, 0, Fraction(0), 0.0)))
    with sinks.open("ndi:Stage left?groups=set,vfx&alpha=0", STREAM) as sink:
        sender = fake_ndi.last
        assert (sender.name, sender.groups) == ("Stage left", "set,vfx")
        assert sender.frame.fourcc_ == ("RGBX",)
        sink.write(shot)
        assert sender.sent == []
        sender.connected = 1
        sink.write(shot)
        assert (sender.sent[0].reshape(48, 64, 4) == pixels).all()
    sink.close()
    assert not sender.running


def test_without_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cyndilib.sender", None)
    with pytest.raises(KfxError, match=r"NDI isn't installed .*; pip install 'kfx\[ndi\]'"):
        sinks.open("ndi:Stage", STREAM)


def test_a_library_that_does_not_start(fake_ndi) -> None:
    with pytest.raises(KfxError, match=r"ndi:bad: NDI can't start \(no\)"):
        sinks.open("ndi:bad", STREAM)


@pytest.mark.parametrize(
    ("spec", "says"),
    [("ndi:a?group=b", "unknown option 'group'"), ("ndi:a?alpha=yes", "it takes 0 or 1")],
)
def test_specs(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sinks.open(spec, STREAM)
