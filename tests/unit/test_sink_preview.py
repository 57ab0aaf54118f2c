"""The preview page: pictures arrive, viewers come and go, nothing leaves the machine."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.request
from fractions import Fraction

import cv2
import numpy as np
import pytest

from kfx import sinks
from kfx.errors import UsageError
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.waiting import LONG_S, until

STREAM = StreamInfo(size=(64, 48), rate=Fraction(30), live=True)


def shot(rgb: tuple[int, int, int], flipped: bool = False) -> Shot:
    pixels = np.full((48, 64, 4), (*rgb, 255), np.uint8)
    pixels[:8] = (255, 255, 255, 255)
    pixels = pixels[::-1].copy()[::-1] if flipped else pixels
    return Shot(pixels, Tick(0, 0.0, 0.0, Frame(pixels, 0, Fraction(0), 0.0)))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def sink():
    with sinks.open(f"preview:{free_port()}", STREAM) as sink:
        yield sink


def next_picture(stream) -> np.ndarray:
    """RGB of the next part of a multipart stream."""
    while not (line := stream.readline()).startswith(b"Content-Length"):
        assert line, "the stream ended"
    stream.readline()
    data = stream.read(int(line.split()[1]))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("flipped", [False, True])
def test_the_newest_picture_is_shown(sink, flipped: bool) -> None:
    with urllib.request.urlopen(sink.url + "stream", timeout=LONG_S) as stream:
        for rgb in ((255, 0, 0), (0, 255, 0), (10, 20, 200)):
            sink.write(shot(rgb, flipped))

            def shown(rgb: tuple[int, int, int] = rgb) -> bool:
                return np.abs(next_picture(stream)[40, 40].astype(int) - rgb).max() <= 12

            until(shown)
        sink.write(shot(rgb))
        assert next_picture(stream)[2, 2].min() > 240  # the bar is at the top


def test_page_and_state(sink) -> None:
    with urllib.request.urlopen(sink.url, timeout=LONG_S) as answer:
        page = answer.read().decode()
    assert "/picture" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing is loaded from elsewhere
    began = time.monotonic()
    for _ in range(30):
        sink.write(shot((1, 2, 3)))
        time.sleep(0.02)
    rate = 30 / (time.monotonic() - began)  # 50 on a machine with nothing else to do
    with urllib.request.urlopen(sink.url + "state", timeout=LONG_S) as answer:
        state = json.load(answer)
    assert state["size"] == [64, 48]
    assert 0.5 * rate < state["fps"] < 1.2 * rate


def test_nothing_is_encoded_while_nobody_watches(sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imencode", lambda *_: pytest.fail("encoded"))
    picture = shot((1, 2, 3))
    began = time.thread_time()
    for _ in range(1000):
        sink.write(picture)
    each_us = (time.thread_time() - began) * 1e3
    print(f"preview write: {each_us:.1f} µs")
    assert each_us < 50


def test_viewers_leave_without_a_trace(sink, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        stream = urllib.request.urlopen(sink.url + "stream", timeout=LONG_S)
        sink.write(shot((1, 2, 3)))
        next_picture(stream)
        stream.close()
    until(lambda: [sink.write(shot((1, 2, 3))), not sink.viewers][1])
    sink.close()
    assert capfd.readouterr() == ("", "")


def test_close_ends_open_streams_and_a_new_show_takes_the_port() -> None:
    port = free_port()
    shows = set()
    for _ in range(2):
        with sinks.open(f"preview:{port}", STREAM) as sink:
            assert sink.url == f"http://127.0.0.1:{port}/"
            shows.add(sink.state()["show"])
            sink.write(shot((1, 2, 3)))
            stream = urllib.request.urlopen(sink.url + "stream", timeout=LONG_S)
            next_picture(stream)
            began = time.monotonic()
        assert time.monotonic() - began < LONG_S
        stream.read()
        stream.close()
    assert len(shows) == 2  # so an open tab loads the new stream


def test_a_stuck_viewer_does_not_hold_up_close() -> None:
    with sinks.open(f"preview:{free_port()}", StreamInfo((1280, 720), Fraction(30))) as sink:
        noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 4), np.uint8)
        with socket.create_connection(("127.0.0.1", sink.port)) as viewer, socket.socket() as idle:
            idle.connect(("127.0.0.1", sink.port))  # sends nothing at all
            viewer.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
            for _ in range(30):
                sink.write(Shot(noise, shot((0, 0, 0)).tick))
                time.sleep(0.02)
            began = time.monotonic()
            sink.close()
            assert time.monotonic() - began < LONG_S  # it would wait for as long as it is
    assert not [t for t in threading.enumerate() if t.name == "kfx-preview"]


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with sinks.open(f"preview:{port}", STREAM) as sink:
            assert port < sink.port < port + 20


def test_only_this_machine_is_answered(sink) -> None:
    assert get(sink.port, "/").status == 200
    assert get(sink.port, "/", Host="localhost:8765").status == 200
    assert get(sink.port, "/state", Host=f"evil.example:{sink.port}").status == 403
    assert get(sink.port, "/state", Host="127.0.0.1.evil.example").status == 403
    assert get(sink.port, "/stream", Sec_Fetch_Site="cross-site").status == 403
    assert get(sink.port, "/elsewhere").status == 404
    assert sink._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("spec", ["preview:0", "preview:http", "preview:70000", "preview:-1"])
def test_no_port(spec: str) -> None:
    with pytest.raises(UsageError, match="is no port; write preview:8765"):
        sinks.open(spec, STREAM)


def picture(port: int, query: str) -> tuple[int, list[np.ndarray]]:
    """Count and RGB pictures of one answer of /picture."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
    connection.request("GET", "/picture?" + query)
    answer = connection.getresponse()
    lengths = [int(n) for n in answer.headers["X-Kfx-Lengths"].split(",")]
    found = []
    for length in lengths:
        data = np.frombuffer(answer.read(length), np.uint8)
        found.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    connection.close()
    return int(answer.headers["X-Kfx-Count"]), found


def test_a_picture_comes_with_the_plate_of_the_same_frame(sink) -> None:
    plate = np.full((48, 64, 4), (10, 200, 30, 255), np.uint8)
    for value in (40, 90):
        changed = np.full((48, 64, 4), (value, 20, 20, 255), np.uint8)
        sink.write(Shot(changed, Tick(0, 0.0, 0.0, Frame(plate, 0, Fraction(0), 0.0))))
    count, (picked, clean) = picture(sink.port, "after=0&plate=1")
    assert count == 2
    assert np.abs(picked[20, 20].astype(int) - (90, 20, 20)).max() < 8
    assert np.abs(clean[20, 20].astype(int) - (10, 200, 30)).max() < 8
    assert len(picture(sink.port, "after=1")[1]) == 1
    assert sink.viewers == 0


def test_what_is_transparent_is_black(sink) -> None:
    pixels = np.full((48, 64, 4), (200, 100, 60, 255), np.uint8)
    pixels[:, :32, 3] = 0
    pixels[:, 48:, 3] = 128
    sink.write(Shot(pixels, Tick(0, 0.0, 0.0, Frame(pixels, 0, Fraction(0), 0.0))))
    seen = picture(sink.port, "after=0")[1][0].astype(int)
    assert np.abs(seen[20, 12] - (0, 0, 0)).max() < 8
    assert np.abs(seen[20, 40] - (200, 100, 60)).max() < 8
    assert np.abs(seen[20, 58] - (100, 50, 30)).max() < 8


def test_a_viewer_waits_for_what_is_newer(sink) -> None:
    sink.write(shot((1, 2, 3)))
    threading.Timer(0.1, sink.write, [shot((200, 2, 3))]).start()
    count, (picked,) = picture(sink.port, "after=1")
    assert count == 2
    assert picked[30, 20, 0] > 150


def test_the_networks_are_served_only_when_asked_for() -> None:
    with sinks.open(f"preview:{free_port()}?host=0.0.0.0", STREAM) as sink:
        assert sink._server.server_address[0] == "0.0.0.0"
        assert sink.url.startswith("http://127.0.0.1:")
        assert get(sink.port, "/", Host=f"192.0.2.7:{sink.port}").status == 200
        assert get(sink.port, "/", Host=f"evil.example:{sink.port}").status == 403
    with pytest.raises(UsageError, match="is no IPv4 address"):
        sinks.open("preview?host=everywhere", STREAM)


def test_the_page_is_opened_when_asked_for(monkeypatch) -> None:
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with sinks.open(f"preview:{free_port()}?open=0", STREAM):
        assert opened == []
    with sinks.open(f"preview:{free_port()}?open=1", STREAM) as sink:
        assert opened == [sink.url]
    with pytest.raises(UsageError, match="unknown option opn=1; preview takes host=ADDRESS, open"):
        sinks.open("preview?opn=1", STREAM)
