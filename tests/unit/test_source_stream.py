"""Streams as sources: pictures and colours arrive, a sender that goes is lost and found again."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
from fractions import Fraction

import numpy as np
import pytest

from kfx import clock, sources
from kfx.engine.loop.capture import Capture
from kfx.engine.stats import Stats
from kfx.errors import KfxError, UsageError
from kfx.sources import stream, stream_address, stream_received
from tests.unit.test_sink_preview import free_port
from tests.unit.test_sink_stream import SIZE, Show, check_colours
from tests.waiting import LONG_S, until


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine's sender may be silent for seconds."""
    monkeypatch.setattr(stream, "SILENT_S", LONG_S)
    monkeypatch.setattr(stream_received, "SILENT_S", LONG_S)


def opened(url: str) -> sources.Source:
    """The sender may still be starting."""
    end = clock.now() + LONG_S
    while True:
        try:
            return sources.open(url)
        except KfxError:
            assert clock.now() < end, "it never came"


@pytest.mark.parametrize("scheme", ["tcp", "udp", "srt"])
def test_pictures_of_another_program(scheme):
    if scheme == "srt" and not shutil.which("ffmpeg"):
        pytest.skip("SRT goes through the ffmpeg program, which isn't here")
    port = free_port()
    sends = {
        "tcp": f"nut://127.0.0.1:{port}",
        "udp": f"udp://127.0.0.1:{port}",
        "srt": f"srt://127.0.0.1:{port}?mode=listener",
    }[scheme]
    with Show(sends), opened(f"{scheme}://127.0.0.1:{port}") as source:
        assert source.info.live
        assert source.info.size == SIZE
        assert source.info.rate == 30
        before = clock.now()
        frames = [frame for frame, _ in zip(source.frames(), range(8), strict=False)]
    assert [frame.index for frame in frames] == list(range(8))
    times = [frame.time for frame in frames]
    assert all(isinstance(time, Fraction) for time in times)
    assert all(b > a for a, b in itertools.pairwise(times))
    assert all(before <= frame.captured <= clock.now() for frame in frames)
    check_colours(np.asarray(frames[-1].pixels), within=12)
    assert not frames[0].pixels.flags.writeable


def test_a_sender_that_goes_and_comes_back():
    port, stop = free_port(), threading.Event()
    spec = f"tcp://127.0.0.1:{port}"
    show = Show(f"nut://127.0.0.1:{port}")
    stats = Stats(SIZE, Fraction(30), "", "")
    capture = Capture(
        opened(spec), lambda: sources.open(spec), SIZE, stats, stop, retry_s=0.05
    )  # fmt: skip
    capture.start()
    try:
        assert capture.box.take(LONG_S) is not None
        show.__exit__()
        until(lambda: stats.state["source"].startswith("lost"))
        show = Show(f"nut://127.0.0.1:{port}")
        until(lambda: stats.state["source"] == "ok")
        capture.box.take(0.0)
        assert capture.box.take(LONG_S) is not None
    finally:
        stop.set()
        capture.close()
        show.__exit__()
    assert [text for text in stats.warnings if "is lost" in text or "has ended" in text]
    assert any("is back after" in text for text in stats.warnings)


def test_a_sender_that_falls_silent_is_lost_and_holds_up_nobody():
    with socket.create_server(("127.0.0.1", 0)) as door:
        spec = f"tcp://127.0.0.1:{door.getsockname()[1]}"
        beats, over = [], threading.Event()

        def beat():
            while not over.wait(0.01):
                beats.append(clock.now())

        thread = threading.Thread(target=beat)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stream, "OPEN_S", 0.5)
            with pytest.raises(KfxError, match="nothing came in time"):
                sources.open(spec)
        over.set()
        thread.join()
        assert len(beats) > 10  # libav waits without holding up other threads


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ftp://host/x", "no stream is read so; use rtsp"),
        ("udp://10.0.0.1", "a port from 1 to 65535"),
        ("srt://10.0.0.1:99999", "a port from 1 to 65535"),
    ],
)
def test_addresses_that_can_not_be_meant(spec, words):
    with pytest.raises(UsageError, match=words):
        sources.open(spec)


def test_nothing_is_opened_to_the_network_and_no_secret_is_shown():
    assert "localaddr=127.0.0.1" in stream_address.bound("udp://:9600")
    assert "localaddr=0.0.0.0" in stream_address.bound("udp://0.0.0.0:9600")
    assert stream_address.bound("udp://239.0.0.1:9600") == "udp://239.0.0.1:9600"
    assert stream_address.srt("srt://:9700?mode=listener&latency=80") == (
        "srt://127.0.0.1:9700?mode=listener&latency=80000"
    )
    url = "rtsp://user:hush@10.0.0.7/live?passphrase=hush&x=1"
    assert stream_address.shown(url) == "rtsp://10.0.0.7/live?passphrase=***&x=1"
    with pytest.raises(KfxError) as refused:
        sources.open("rtsp://user:hush@127.0.0.1:1/live")
    assert "hush" not in str(refused.value)
