"""Streams: alpha and colours arrive, readers come and go, an absent receiver costs nothing."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from functools import partial

import av
import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError, UsageError
from kfx.sinks import stream_carrier, stream_roads, stream_url
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.unit.test_sink_preview import free_port
from tests.waiting import LONG_S, until

SIZE = (160, 96)
RATE = 30
STREAM = StreamInfo(size=SIZE, rate=Fraction(RATE), live=True)
COLOUR = (200, 40, 120)


def shot(index: int, alpha: int = 255) -> Shot:
    pixels = np.full((SIZE[1], SIZE[0], 4), (*COLOUR, 255), np.uint8)
    pixels[:48, :80] = (10, 220, 30, alpha)  # the top left tells up from down
    pixels = pixels[::-1].copy()[::-1]
    return Shot(pixels, Tick(index, index / RATE, 1 / RATE, Frame(pixels, 0, Fraction(0), 0.0)))


class Show:
    """Pictures into a sink from a thread of their own, as the engine does it."""

    def __init__(self, spec: str, alpha: int = 255, info: StreamInfo = STREAM) -> None:
        self.sink = sinks.open(spec, info)
        self._alpha, self._end = alpha, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        index = 0
        while not self._end.wait(1 / RATE):
            self.sink.write(shot(index, self._alpha))
            index += 1

    def __enter__(self) -> Show:
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()
        self.sink.close()


def first_pictures(url: str, format: str | None, count: int = 3, **options: str) -> list:
    """RGBA of what another FFmpeg than the sink's encoder reads, tried for some seconds."""
    end = time.monotonic() + LONG_S
    options = {"analyzeduration": "300000"} | options
    while True:
        try:
            with av.open(url, format=format, options=options, timeout=(8.0, 4.0)) as container:
                found = []
                for picture in container.decode(video=0):
                    found.append((picture.format.name, picture.to_ndarray(format="rgba").copy()))
                    if len(found) == count:
                        return found
        except (av.FFmpegError, OSError):
            assert time.monotonic() < end, "nothing to read"
            time.sleep(0.1)


def check_colours(picture: np.ndarray, within: int = 6) -> None:
    assert picture.shape == (SIZE[1], SIZE[0], 4)
    assert np.abs(picture[20, 20, :3].astype(int) - (10, 220, 30)).max() <= within
    assert np.abs(picture[80, 120, :3].astype(int) - COLOUR).max() <= within


@pytest.mark.parametrize(("codec", "format"), [("raw", "rgba"), ("ffv1", "bgra")])
def test_nut_keeps_every_bit_and_serves_several(codec: str, format: str) -> None:
    port = free_port()
    with Show(f"nut://127.0.0.1:{port}?codec={codec}", alpha=100):
        for _ in range(2):  # a reader goes, another one comes
            for name, picture in first_pictures(f"tcp://127.0.0.1:{port}", "nut"):
                assert name == format
                assert (picture == shot(0, 100).pixels).all()
        both = [None, None]

        def read(i: int) -> None:
            both[i] = first_pictures(f"tcp://127.0.0.1:{port}", "nut")

        readers = [threading.Thread(target=read, args=(i,)) for i in range(2)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert all(pictures is not None for pictures in both)


def test_nut_with_nobody_there_encodes_nothing(monkeypatch) -> None:
    from kfx.sinks import nut_server

    monkeypatch.setattr(nut_server, "Encoder", lambda *_, **__: pytest.fail("encoded"))
    with sinks.open(f"nut://127.0.0.1:{free_port()}", STREAM) as sink:
        sink.write(shot(0))
        assert sink.readers == 0


def test_a_slow_reader_skips_and_holds_nobody_up(monkeypatch) -> None:
    monkeypatch.setattr(stream_roads, "TIMEOUT_S", LONG_S)
    big = StreamInfo(size=(1280, 720), rate=Fraction(30), live=True)
    pixels = np.zeros((720, 1280, 4), np.uint8)
    port = free_port()
    with sinks.open(f"nut://127.0.0.1:{port}", big) as sink:
        with socket.create_connection(("127.0.0.1", port)):  # never reads
            until(lambda: sink.readers)
            began = time.monotonic()
            for i in range(100):
                frame = Frame(pixels, 0, Fraction(0), 0.0)
                sink.write(Shot(pixels, Tick(i, i / 30, 1 / 30, frame)))
            assert (
                time.monotonic() - began < LONG_S / 2
            )  # and not the seconds its socket stays full
        sink.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("kfx-nut")]


def test_nut_calls_a_reader_that_listens_and_finds_it_again() -> None:
    port = free_port()
    with Show(f"nut://127.0.0.1:{port}?mode=caller") as show:
        until(lambda: show.sink.warnings)
        assert show.sink.warnings[0].startswith("no connection (Connection refused)")
        for _ in range(2):
            found = first_pictures(f"tcp://127.0.0.1:{port}?listen=1", "nut")
            check_colours(found[0][1], within=0)
        lost = [text for text in show.sink.warnings if text.startswith("no connection (")]
        assert len(lost) == 1, "while it comes and goes"


def test_a_receiver_that_is_back_is_told_and_its_next_loss_too(monkeypatch) -> None:
    from kfx.sinks import stream

    now, there = [0.0], [True]
    monkeypatch.setattr(stream.clock, "now", lambda: now[0])
    monkeypatch.setattr(stream, "Child", lambda *_: Road())
    monkeypatch.setattr(stream, "Encoder", lambda *_, **__: Coder())

    class Road:
        def ready(self) -> bool:
            if not there[0]:
                raise BrokenPipeError(32, "Broken pipe")
            return True

        def close(self) -> None: ...

    class Coder:
        def put(self, *_, **__) -> None: ...

        def close(self) -> None: ...

    with sinks.open("rtsp://127.0.0.1:1/kfx", STREAM) as sink:
        for i in range(90):
            there[0] = not 10 <= i % 40 < 20
            sink.write(shot(i))
            now[0] += 1.0
    lost = "no connection (Broken pipe); tried again every second"
    assert sink.warnings == [lost, "is back", lost, "is back"]


def test_udp() -> None:
    port = free_port()
    with Show(f"udp://127.0.0.1:{port}?gop=0.2"):
        url = f"udp://127.0.0.1:{port}?fifo_size=10000&overrun_nonfatal=1"
        check_colours(first_pictures(url, "mpegts", 4)[-1][1])


def test_a_transparent_picture_lies_over_black_where_no_alpha_goes() -> None:
    port = free_port()
    info = StreamInfo(size=SIZE, rate=Fraction(RATE), live=True, has_alpha=True)
    with Show(f"udp://127.0.0.1:{port}?gop=0.2", alpha=0, info=info):
        url = f"udp://127.0.0.1:{port}?fifo_size=10000&overrun_nonfatal=1"
        picture = first_pictures(url, "mpegts", 4)[-1][1]
    assert picture[20, 20, :3].max() < 6
    assert np.abs(picture[80, 120, :3].astype(int) - COLOUR).max() <= 6


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_publishing_to_a_server(scheme: str) -> None:
    """FFmpeg's own listening mode is the server."""
    port = free_port()
    url = f"{scheme}://127.0.0.1:{port}/live/kfx"
    listens = {"rtsp": {"rtsp_flags": "listen", "listen_timeout": "30"}, "rtmp": {"listen": "1"}}[
        scheme
    ]
    with Show(url):
        check_colours(first_pictures(url, None, 4, **listens)[-1][1])


def test_srt_listener() -> None:
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("no ffmpeg program on this machine; SRT goes through it")
    protocols = subprocess.run([ffmpeg, "-protocols"], capture_output=True, text=True).stdout
    if "srt" not in protocols.split():
        pytest.skip("the ffmpeg program of this machine has no SRT")
    port = free_port()
    with Show(f"srt://127.0.0.1:{port}?mode=listener&latency=20&gop=0.3"):
        command = [ffmpeg, "-loglevel", "error", "-nostdin", "-analyzeduration", "300000"]
        command += ["-i", f"srt://127.0.0.1:{port}"]
        command += ["-frames:v", "2", "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
        run = partial(subprocess.run, capture_output=True, timeout=LONG_S)
        data = until(lambda: run(command).stdout)
    check_colours(np.frombuffer(data, np.uint8)[-SIZE[0] * SIZE[1] * 4 :].reshape(96, 160, 4))


def test_no_ffmpeg_for_srt(monkeypatch) -> None:
    monkeypatch.setattr(stream_roads.shutil, "which", lambda _: None)
    with pytest.raises(KfxError, match=r"ffmpeg program, which is not installed; install one"):
        sinks.open("srt://10.0.0.5:9000?passphrase=0123456789", STREAM)


def test_a_server_that_is_not_there_costs_nothing_and_is_said_once(monkeypatch) -> None:
    from kfx.sinks import stream

    monkeypatch.setattr(stream, "RETRY_S", LONG_S)
    port = free_port()
    with sinks.open(f"rtsp://user:secret@127.0.0.1:{port}/kfx", STREAM) as sink:
        index = itertools.count()
        until(lambda: [sink.write(shot(next(index))), sink.warnings][1])
        before = sink.dropped
        for i in range(50):
            sink.write(shot(i))
        assert sink.dropped == before + 50  # not tried again at once
        assert len(sink.warnings) == 1
        assert "refused" in sink.warnings[0]
        assert "secret" not in sink.warnings[0]


def test_a_receiver_that_takes_nothing_is_given_up_and_tried_again(monkeypatch) -> None:
    from kfx.sinks import stream

    class Stuck:
        closed = 0

        def ready(self) -> bool:
            return False

        def close(self) -> None:
            Stuck.closed += 1

    monkeypatch.setattr(stream, "Child", lambda *_: Stuck())
    monkeypatch.setattr(stream, "STALL_S", 0.05)
    monkeypatch.setattr(stream, "RETRY_S", 0.01)
    with sinks.open("rtsp://127.0.0.1:1/kfx", STREAM) as sink:
        until(lambda: [sink.write(shot(0)), Stuck.closed >= 2][1])
        assert sink.warnings == [
            "no connection (nothing taken for 0.05 s); tried again every second"
        ]


def test_the_carrier_says_why(capsys, monkeypatch) -> None:
    monkeypatch.setenv("KFX_STREAM_URL", "rtmp://127.0.0.1:1/app/key")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert stream_carrier.main(f"tcp://127.0.0.1:{closed.getsockname()[1]}") == 1
    assert "refused" in capsys.readouterr().err


def test_a_child_that_never_connects_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(stream_roads, "START_S", 0.1)
    with pytest.raises(OSError, match="without a sign"):
        stream_roads.Child([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KfxError, match=r"can't listen there .*use another port"):
            sinks.open(f"nut://127.0.0.1:{port}", STREAM)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nut:9500", "a host and a port are needed; write nut://127.0.0.1:9500"),
        ("srt://127.0.0.1", "a host and a port are needed"),
        ("udp://h:99999", "the port must be a number"),
        ("nut://127.0.0.1:9500?codec=h264", "codec: 'h264' is wrong; it takes raw or ffv1"),
        ("srt://h:1?mode=server", "mode: 'server' is wrong; it takes listener or caller"),
        ("srt://h:1?latency=20ms", "latency: '20ms' is wrong; it takes milliseconds"),
        ("udp://h:1?bitrate=fast", "bits a second"),
        ("rtsp://h/x?speed=1", "unknown option 'speed'; rtsp takes bitrate"),
    ],
)
def test_addresses_that_cannot_be_meant(spec: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        sinks.open(spec, STREAM)
    assert says in str(caught.value)


def test_a_short_passphrase_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        sinks.open("srt://h:1?passphrase=short", STREAM)
    assert "10 to 79" in str(caught.value)
    assert "short" not in str(caught.value)


def test_an_unknown_codec() -> None:
    with pytest.raises(KfxError, match="has no 'h264_dream'; leave it out"):
        sinks.open("udp://127.0.0.1:9?codec=h264_dream", STREAM)


def test_addresses_stay_on_this_machine_unless_told() -> None:
    assert stream_url.parse("nut://:9500").host == "127.0.0.1"
    assert stream_url.parse("srt://:9500?mode=listener").url.startswith("srt://127.0.0.1:9500?")
    assert stream_url.parse("nut://0.0.0.0:9500").host == "0.0.0.0"
    assert "latency=20000&" in stream_url.parse("srt://h:1?latency=20").url
