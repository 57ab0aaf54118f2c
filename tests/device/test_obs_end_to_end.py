"""kfx's picture inside OBS Studio: its age, its alpha, its way back after a loss, the panic key."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from kfx import sinks
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.conftest import ROOT
from tests.device import obs_studio

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = obs_studio.SIZE
STREAM = StreamInfo(size=(WIDTH, HEIGHT), rate=Fraction(30), live=True)
BITS = 32
ROW = 40  # pixels: the time code is two rows of blocks, the bits and their inverse
CLEAR = np.s_[400:500, 100:300]  # fully transparent
HALF = np.s_[400:500, 500:700]
PLATE = (10, 200, 30)


PIXELS = np.full((HEIGHT, WIDTH, 4), (200, 40, 120, 255), np.uint8)
PIXELS[CLEAR] = (0, 90, 250, 0)
PIXELS[HALF] = (0, 90, 250, 128)
GREEN = np.full((HEIGHT, WIDTH, 4), (*PLATE, 255), np.uint8)


def stamped(ms: int) -> Shot:
    """A picture that says in its pixels when it was made, over a green plate that does too."""
    bits = (ms >> np.arange(BITS)) & 1
    pixels, plate = PIXELS.copy(), GREEN.copy()
    for at, row in ((0, bits), (ROW, 1 - bits)):
        line = np.repeat(row * 255, WIDTH // BITS).astype(np.uint8)
        for picture in (pixels, plate):
            picture[at : at + ROW, : len(line), :3] = line[None, :, None]
    return Shot(pixels, Tick(0, ms / 1000, 0.0, Frame(plate, 0, Fraction(0), 0.0)))


def birth(picture: np.ndarray) -> int | None:
    """The time written in a picture in ms; None where it can't be read."""
    step = picture.shape[1] / BITS
    across = [int((i + 0.5) * step) for i in range(BITS)]
    scale = picture.shape[0] / HEIGHT
    rows = [picture[int((ROW * (i + 0.5)) * scale), across, :3].mean(axis=1) for i in range(2)]
    bits = rows[0] > 127
    if np.any(bits == (rows[1] > 127)):
        return None
    return int(sum(1 << i for i in range(BITS) if bits[i]))


def now_ms() -> int:
    return round(time.monotonic() * 1000) & 0xFFFFFFFF


class Show:
    """Thirty stamped pictures a second into a sink."""

    def __init__(self, spec: str) -> None:
        self._spec, self._end = spec, threading.Event()
        self.sink = sinks.open(spec, STREAM)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            self.sink.write(stamped(now_ms()))
            due = max(due + 1 / 30, time.monotonic())

    def __enter__(self) -> Show:
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()
        self.sink.close()


@pytest.fixture(scope="module")
def port() -> int:
    return obs_studio.free_port()


@pytest.fixture(scope="module")
def obs(port, tmp_path_factory):
    obs_studio.require()
    home = tmp_path_factory.mktemp("obs")
    script = ROOT / "integrations/obs/kfx_obs.py"
    running = obs_studio.Obs(home, script, {"port": port, "source": "kfx"})
    yield running
    running.close()


def wait_for(obs, what, seconds: float = 8.0, source: str = "kfx") -> np.ndarray:
    """The first screenshot of which `what` is true."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(obs_studio.RequestError):  # no such source yet, or nothing in it
            picture = obs.screenshot(source, "png", 640)
            if what(picture):
                return picture
        assert time.monotonic() < end, f"not within {seconds} s\n{obs.log()[-2000:]}"
        time.sleep(0.1)


def ages(obs, count: int) -> tuple[list[int], list[int]]:
    """How old in ms the picture of a screenshot was when asked for and when it had come.

    The age on OBS's screen lies between the two: OBS draws a screenshot with its next frame.
    """
    asked, came = [], []
    for _ in range(count):
        before = now_ms()
        picture = obs.screenshot("kfx", "jpg", 640)
        after = now_ms()
        born = birth(picture)
        assert born is not None, "the time code can't be read"
        asked.append(before - born)
        came.append(after - born)
        time.sleep(0.043)
    return asked, came


def test_the_script_shows_the_picture_at_once_and_with_its_alpha(obs, port, record_property):
    with Show(f"obs:{port}") as show:
        picture = wait_for(obs, lambda p: birth(p) is not None)
        assert picture.shape[2] == 4
        assert tuple(picture[225, 100])[3] == 0
        blue, green, red, alpha = (int(v) for v in picture[225, 300])
        assert (alpha, red) == (128, 0)
        assert abs(green - 90) <= 1
        assert abs(blue - 250) <= 1
        assert tuple(picture[350, 320]) == (120, 40, 200, 255)
        asked, came = ages(obs, 25)
        assert show.sink.state()["readers"] == 1
    low, high = statistics.median(asked), statistics.median(came)
    record_property("age_ms", [low, high])
    print(f"age inside OBS: median {low:.0f} ms when asked for, {high:.0f} ms when it had come")
    assert high < 1000, "pictures queue up"  # a fault, on however slow a machine


def test_the_picture_goes_and_comes_back_with_the_show(obs, port):
    wait_for(obs, lambda p: birth(p) is None)
    with Show(f"obs:{port}"):
        wait_for(obs, lambda p: birth(p) is not None)


def test_the_panic_key_shows_the_plate(obs, port):
    with Show(f"obs:{port}") as show:
        wait_for(obs, lambda p: p[350, 320, 2] == 200)
        obs.call("TriggerHotkeyByName", hotkeyName="kfx_panic")
        picture = wait_for(obs, lambda p: tuple(p[350, 320, :3]) == PLATE[::-1])
        assert show.sink.mode == "clean"
        assert birth(picture) is not None, "the plate goes on moving"
        obs.call("TriggerHotkeyByName", hotkeyName="kfx_panic")
        wait_for(obs, lambda p: p[350, 320, 2] == 200)


def test_the_script_leaves_with_its_scene_collection_and_comes_back(obs, port):
    with Show(f"obs:{port}") as show:
        wait_for(obs, lambda p: birth(p) is not None)
        obs.call("CreateSceneCollection", sceneCollectionName="other")  # has no scripts
        end = time.monotonic() + 5
        while show.sink.state()["readers"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        obs.call("SetCurrentSceneCollection", sceneCollectionName="kfx")
        wait_for(obs, lambda p: birth(p) is not None)


def test_nut_in_a_media_source_keeps_alpha(obs):
    port = obs_studio.free_port()
    with Show(f"nut://127.0.0.1:{port}"):
        obs.call(
            "CreateInput",
            sceneName="Scene",
            inputName="nut",
            inputKind="ffmpeg_source",
            inputSettings={
                "is_local_file": False,
                "input": f"tcp://127.0.0.1:{port}",
                "input_format": "nut",
                "ffmpeg_options": "fflags=nobuffer probesize=32",
                "buffering_mb": 0,
                "reconnect_delay_sec": 1,
            },
        )
        picture = wait_for(obs, lambda p: birth(p) is not None, source="nut")
        assert picture[225, 100, 3] == 0
        assert picture[225, 300, 3] == 128
        assert np.abs(picture[225, 300, :3].astype(int) - (250, 90, 0)).max() <= 2
        obs.call("RemoveInput", inputName="nut")


def test_an_obs_the_script_does_not_know_gets_mjpeg(tmp_path):
    obs_studio.require()
    port = obs_studio.free_port()
    script = (ROOT / "integrations/obs/kfx_obs.py").read_text(encoding="utf-8")
    assert script.count("KNOWN_OBS = range(28, 33)") == 1
    copy = tmp_path / "kfx_obs.py"
    copy.write_text(script.replace("KNOWN_OBS = range(28, 33)", "KNOWN_OBS = ()"), encoding="utf-8")
    other = obs_studio.Obs(tmp_path, copy, {"port": port, "source": "kfx"})
    try:
        with Show(f"obs:{port}") as show:
            picture = wait_for(other, lambda p: birth(p) is not None, 15)
            assert np.abs(picture[350, 320, :3].astype(int) - (120, 40, 200)).max() <= 8
            assert show.sink.readers == 0  # of the ring
            assert show.sink.newest.viewers == 1
    finally:
        other.close()
