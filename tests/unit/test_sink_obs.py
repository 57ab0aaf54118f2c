"""The road into OBS: the ring, its announcements, the buttons, and the script's own reader."""

from __future__ import annotations

import ctypes
import http.client
import importlib.util
import json
import mmap
import socket
import struct
import sys
import threading
import types
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError, UsageError
from kfx.sinks.obs_ring import HEADER, SLOTS, Ring
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.conftest import ROOT
from tests.unit.test_sink_preview import free_port, next_picture
from tests.waiting import LONG_S, until

SIZE = (64, 48)
STREAM = StreamInfo(size=SIZE, rate=Fraction(30), live=True)
PLATE = np.full((48, 64, 4), (9, 8, 7, 255), np.uint8)


def shot(value: int, alpha: int = 255) -> Shot:
    pixels = np.full((48, 64, 4), (value, 2, 3, alpha), np.uint8)
    pixels[0] = (255, 255, 255, 255)
    return Shot(pixels[::-1], Tick(0, 0.0, 0.0, Frame(PLATE, 0, Fraction(0), 0.0)))


@pytest.fixture
def sink():
    with sinks.open(f"obs:{free_port()}", STREAM) as sink:
        yield sink


class Reader:
    """What the script does, in few words."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self.link.sendall(f"GET /frames HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.lines = self.link.makefile("rb")
        while self.lines.readline().strip():
            pass
        self.layout = json.loads(self.lines.readline())
        total = self.layout["slots"] * self.layout["slot_bytes"]
        if sys.platform == "win32":
            self.memory = mmap.mmap(-1, total, tagname=self.layout["ring"])
        else:
            with Path(self.layout["ring"]).open("r+b") as file:
                self.memory = mmap.mmap(file.fileno(), total)

    def next(self) -> tuple[int, np.ndarray]:
        number, slot = map(int, self.lines.readline().split())
        at = slot * self.layout["slot_bytes"]
        found = struct.unpack_from("<Q", self.memory, at)[0]
        body = self.memory[at + HEADER : at + self.layout["slot_bytes"]]
        assert number == 0 or found >= number
        return number, np.frombuffer(body, np.uint8).reshape(48, 64, 4)

    def close(self) -> None:
        self.lines.close()
        self.link.close()
        self.memory.close()


@contextmanager
def reading(port: int):
    reader = Reader(port)
    yield reader
    reader.close()


def ask(sink, method: str, path: str, **headers: str) -> tuple[int, object]:
    link = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=LONG_S)
    link.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, json.loads(body) if answer.status == 200 else None


def test_several_readers_see_every_picture_exactly(sink) -> None:
    sink.write(shot(1))
    with reading(sink.port) as first, reading(sink.port) as second:
        assert first.next()[1][24, 32, 0] == second.next()[1][24, 32, 0] == 1
        for value in range(2, 12):
            sent = shot(value, alpha=value * 20)
            sink.write(sent)
            for reader in (first, second):
                picture = reader.next()[1]
                while picture[24, 32, 0] != value:  # the greeting of the other one
                    picture = reader.next()[1]
                assert (picture == sent.pixels).all()
        assert ask(sink, "GET", "/state")[1]["readers"] == 2


def test_nothing_is_copied_while_nobody_reads(sink, monkeypatch) -> None:
    monkeypatch.setattr(Ring, "put", lambda *_: pytest.fail("copied"))
    sink.write(shot(1))


def test_a_reader_that_comes_late_sees_the_newest_picture(sink) -> None:
    sink.write(shot(5))
    with reading(sink.port) as reader:
        assert reader.next()[1][24, 32, 0] == 5


def test_the_end_is_seen_and_the_memory_given_back(sink) -> None:
    with reading(sink.port) as reader:
        sink.close()
        assert reader.lines.read().count(b"\n") <= 2
    assert sys.platform == "win32" or not Path(reader.layout["ring"]).exists()


def test_a_killed_shows_memory_is_taken_over() -> None:
    port = free_port()
    left = Ring(port, SIZE)
    again = Ring(port, SIZE)
    again.put(1, shot(7).pixels)
    assert again.name == left.name or sys.platform == "win32"
    left._path = None  # what was killed can't clean up
    left.close()
    again.close()
    assert sys.platform == "win32" or not Path(again.name).exists()


def test_memory_that_cannot_be_had(monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kfx.sinks.obs_ring._reserve", full)
    port = free_port()
    with pytest.raises(KfxError, match=r"shared memory can't be had .*smaller --size"):
        sinks.open(f"obs:{port}", STREAM)
    assert not [t for t in threading.enumerate() if t.name == "kfx-obs"]


def test_another_port_than_the_scripts_is_said(sink) -> None:
    assert sink.warnings == []
    with sinks.open(f"obs:{sink.port}", STREAM) as second:
        assert second.port > sink.port
        assert second.warnings == [
            f"port {sink.port} is taken: set {second.port} in OBS's kfx script"
        ]


def test_mjpeg_for_several(sink) -> None:
    import urllib.request

    sink.write(shot(200))
    streams = [urllib.request.urlopen(sink.url + "stream", timeout=LONG_S) for _ in range(2)]
    for stream in streams:
        assert abs(int(next_picture(stream)[24, 32, 0]) - 200) < 8
        stream.close()


def test_panic_and_the_other_modes_act_on_the_next_picture(sink) -> None:
    def shown(value: int) -> list[int]:
        sink.write(shot(value))
        return sink.newest.shot.pixels[24, 32].tolist()

    assert shown(1) == [1, 2, 3, 255]
    assert ask(sink, "POST", "/panic")[1]["mode"] == "clean"
    assert shown(2) == [9, 8, 7, 255]
    ask(sink, "POST", "/mode?set=live")
    assert shown(3) == [3, 2, 3, 255]
    ask(sink, "POST", "/mode?set=freeze")
    assert shown(4) == [3, 2, 3, 255]
    assert shown(5) == [3, 2, 3, 255]
    ask(sink, "POST", "/mode?set=black")
    assert shown(6) == [0, 0, 0, 255]
    ask(sink, "POST", "/mode?set=bypass")
    assert shown(7) == [9, 8, 7, 255]


def test_whoever_runs_the_show_is_asked_first(sink) -> None:
    assert ask(sink, "POST", "/preset?name=supernova")[0] == 409
    asked = []
    sink.on_command = lambda verb, value: asked.append((verb, value)) or True
    assert ask(sink, "POST", "/panic")[1]["mode"] == "live"  # the show's, no longer the sink's
    assert ask(sink, "POST", "/preset?name=supernova")[1]["preset"] == "supernova"
    assert asked == [("mode", "clean"), ("preset", "supernova")]
    sink.show_mode = lambda: "black"
    assert ask(sink, "GET", "/state")[1]["mode"] == "black", "which a key is toggled by"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/mode?set=purple", {}, 400),
        ("POST", "/mode", {}, 400),
        ("POST", "/preset?name=", {}, 400),
        ("POST", "/nowhere", {}, 404),
        ("GET", "/panic", {}, 404),  # a link in a page must not press it
        ("POST", "/panic", {"Origin": "http://evil.example"}, 403),
        ("POST", "/panic", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", "/panic", {"Host": "evil.example:8766"}, 403),
        ("GET", "/frames", {"Host": "evil.example:8766"}, 403),
    ],
)
def test_refused(sink, method, path, headers, status) -> None:
    assert ask(sink, method, path, **headers)[0] == status
    assert sink.mode == "live"


def test_presets_are_named(sink) -> None:
    assert "supernova" in ask(sink, "GET", "/presets")[1]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("obs:0", "is no port; write obs:8766"),
        ("obs:x", "is no port"),
        ("obs:8766?hos=1", "unknown option hos=1; obs takes host=ADDRESS"),
        ("obs?host=studio", "is no IPv4 address"),
    ],
)
def test_specs(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sinks.open(spec, STREAM)


def test_the_networks_are_served_only_when_asked_for() -> None:
    with sinks.open(f"obs:{free_port()}", STREAM) as sink:
        assert sink._server.server_address[0] == "127.0.0.1"
    with sinks.open(f"obs:{free_port()}?host=0.0.0.0", STREAM) as sink:
        assert sink._server.server_address[0] == "0.0.0.0"
        assert ask(sink, "GET", "/state", Host="192.0.2.7:8766")[0] == 200
        assert ask(sink, "GET", "/state", Host="evil.example:8766")[0] == 403


def test_other_machines_may_look_and_press_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; names the address that leads out
        except OSError:
            pytest.skip("this machine is in no network")
        own = probe.getsockname()[0]
    with sinks.open(f"obs:{free_port()}?host=0.0.0.0", STREAM) as sink:
        link = http.client.HTTPConnection(own, sink.port, timeout=LONG_S)
        link.request("POST", "/panic")
        assert link.getresponse().status == 403
        link.close()
        link.request("GET", "/state")
        assert link.getresponse().status == 200
        link.close()
        assert sink.mode == "live"


class FakeObs:
    """The functions of libobs the script's reader calls; keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray | None] = []
        self.references = 0
        self.came = threading.Semaphore(0)

    def os_gettime_ns(self) -> int:
        return 1

    def obs_get_source_by_name(self, name: bytes) -> int:
        assert name == b"kfx"
        self.references += 1
        return 1234

    def obs_source_removed(self, source: int) -> bool:
        return False

    def obs_source_release(self, source: int) -> None:
        self.references -= 1

    def obs_source_output_video(self, source: int, at: int | None) -> None:
        picture = None
        if at is not None:
            frame = self.frame.from_address(at)
            body = ctypes.string_at(frame.data[0], frame.linesize[0] * frame.height)
            picture = np.frombuffer(body, np.uint8).reshape(frame.height, frame.width, 4)
        self.shown.append(picture)
        self.came.release()


@pytest.fixture
def script(monkeypatch):
    """The OBS script, imported outside OBS."""
    monkeypatch.setitem(sys.modules, "obspython", types.ModuleType("obspython"))
    spec = importlib.util.spec_from_file_location("kfx_obs", ROOT / "integrations/obs/kfx_obs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.LIBOBS is None  # there is none in this process
    module.LIBOBS = FakeObs()
    module.LIBOBS.frame = module.Frame
    monkeypatch.setattr(module, "HOLD_S", 0.1)
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    yield module
    module.script_unload()


def test_the_script_reads_loses_and_finds_a_show(script) -> None:
    port = free_port()
    feed = script.Feed(port, "kfx")
    feed.start()
    try:
        for value in (40, 80):
            with sinks.open(f"obs:{port}", STREAM) as sink:
                sent = shot(value, alpha=100)
                sink.write(sent)
                while not any(p is not None and p[24, 32, 0] == value for p in script.LIBOBS.shown):
                    assert script.LIBOBS.came.acquire(timeout=LONG_S)
                assert (script.LIBOBS.shown[-1] == sent.pixels).all()
            while script.LIBOBS.shown[-1] is not None:  # empty again after HOLD_S
                assert script.LIBOBS.came.acquire(timeout=LONG_S)
    finally:
        feed.stop()
    assert not feed.is_alive()
    assert script.LIBOBS.references == 0


def test_the_frame_is_laid_out_as_in_obs_29(script) -> None:
    """Offsets of struct obs_source_frame on a 64-bit machine, from libobs 29's obs.h by hand."""
    frame = script.Frame
    offsets = {name: getattr(frame, name).offset for name, *_ in frame._fields_}
    assert offsets["linesize"] == 64
    assert offsets["width"] == 96
    assert offsets["timestamp"] == 104
    assert offsets["format"] == 112
    assert offsets["color_matrix"] == 116
    assert offsets["full_range"] == 180
    assert offsets["color_range_min"] == 184
    assert offsets["flip"] == 208


def test_the_script_needs_the_standard_library_alone() -> None:
    import ast

    tree = ast.parse((ROOT / "integrations/obs/kfx_obs.py").read_text(encoding="utf-8"))
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert names - sys.stdlib_module_names == {"obspython"}
    assert SLOTS >= 3


@pytest.fixture
def said(script, monkeypatch):
    """What the script has put into OBS's log."""
    lines: list[str] = []
    obs = sys.modules["obspython"]
    monkeypatch.setattr(obs, "LOG_INFO", 1, raising=False)
    monkeypatch.setattr(obs, "LOG_WARNING", 2, raising=False)
    monkeypatch.setattr(obs, "script_log", lambda level, text: lines.append(text), raising=False)
    return lines


def use(script, **values: object) -> None:
    settings = script.Settings()
    for name, value in values.items():
        setattr(settings, name, value)
    script.State.settings = settings


CHILD = "import sys, time; print(*sys.argv[1:], flush=True); time.sleep(60)"


def test_the_script_starts_and_stops_kfx(script, said) -> None:
    command = f'"{sys.executable}" -c "{CHILD}"' if sys.platform != "win32" else sys.executable
    use(script, command=command, input="camera:1", preset="ballad_film", more="--fps 60", port=9)
    script.start_kfx()
    first = script.State.kfx
    script.start_kfx()  # a second press does nothing
    assert script.State.kfx is first

    def told() -> bytes:
        script.State.log.seek(0)
        return script.State.log.read()

    assert until(told).split() == b"live -i camera:1 -p ballad_film -o obs:9 --fps 60".split()
    script.stop_kfx()
    assert first.returncode is not None
    script.look_after_kfx()
    assert said == [], "an end that was asked for is no fault"


def test_the_script_tells_why_kfx_ended(script, said) -> None:
    words = "import sys; sys.exit('camera:0: is in use')"
    use(script, command=f'"{sys.executable}" -c "{words}"')
    script.start_kfx()
    script.State.kfx.wait(LONG_S)
    script.look_after_kfx()
    assert len(said) == 1
    assert "kfx has ended with 1" in said[0]
    assert "camera:0: is in use" in said[0]
    use(script, command="no-such-kfx")
    script.start_kfx()
    assert said[1].startswith("no-such-kfx: can't be started")


def test_the_script_starts_no_second_kfx(script, said, sink) -> None:
    use(script, port=sink.port, command="no-such-kfx")
    script.start_kfx()
    assert said == ["kfx is running already, started elsewhere"]
    assert script.State.kfx is None


def test_the_scripts_buttons_reach_the_show(script, said, sink) -> None:
    use(script, port=sink.port)
    script.set_mode("clean", toggle=True)
    assert sink.mode == "clean"
    script.set_mode("clean", toggle=True)
    assert sink.mode == "live"
    asked = []
    sink.on_command = lambda verb, value: asked.append((verb, value)) or True
    script.set_preset("supern")  # half typed
    script.set_preset("supernova")
    assert asked == [("preset", "supernova")]
    sink.on_command = None
    script.set_preset("supernova")
    assert said == ["this kfx was started elsewhere and takes its preset there"]
    sink.close()
    script.set_mode("clean")
    assert said[-1] == "kfx isn't there: nothing to set to clean"


def test_the_script_knows_presets_before_the_show(script, said, sink, monkeypatch) -> None:
    use(script, port=sink.port, command="no-such-kfx")
    assert "supernova" in script.preset_names()
    sink.close()
    assert script.preset_names() == ["supernova"]  # what is set
    use(script, port=sink.port, command=f'"{sys.executable}" -m kfx', preset="mine")
    monkeypatch.setattr(script, "LIST_S", LONG_S)
    assert "ballad_film" in script.preset_names()


def test_a_slow_machines_presets_are_there_the_next_time(script, monkeypatch, tmp_path) -> None:
    slow, ready, asked = tmp_path / "slow.py", tmp_path / "ready", tmp_path / "asked"
    slow.write_text(
        "import pathlib, time\n"
        f"open({str(asked)!r}, 'a').write('x')\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): time.sleep(0.01)\n"
        "print('mine  a look\\nyours  another')\n"
    )
    use(script, port=1, command=f'"{sys.executable}" "{slow}"', preset="set")
    monkeypatch.setattr(script, "LIST_S", 0.01)
    assert script.preset_names() == ["set"]
    assert script.preset_names() == ["set"]
    ready.touch()
    monkeypatch.setattr(script, "LIST_S", LONG_S)
    assert script.preset_names() == ["mine", "yours"]
    assert asked.read_text() == "x"  # one was asked, and waited for
    ready.unlink()
    monkeypatch.setattr(script, "LIST_S", 0.01)
    assert script.preset_names() == ["mine", "yours"]  # what is known, while it is asked anew
    listing = script.State.listing
    script.script_unload()
    assert not listing.is_alive()
    assert listing.child.poll() is not None


def test_the_scripts_modes_are_the_sinks(script) -> None:
    from kfx.sinks.obs_http import MODES

    assert {mode for _, mode in script.HOTKEYS.values()} <= set(MODES)
