"""OSC output: bytes, values, lost faces, absent receivers, and what other programs read."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from kfx import arkit, clock, sinks
from kfx.errors import KfxError, UsageError
from kfx.sinks import datagrams, osc
from kfx.sinks.osc import options, wire
from kfx.types import Face, Frame, Shot, StreamInfo, Tick
from tests.conftest import ROOT
from tests.waiting import LONG_S, until

STREAM = StreamInfo(size=(640, 360), rate=Fraction(30))


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Extrinsic rotations about x, y, then z, in radians."""
    cx, cy, cz, sx, sy, sz = *np.cos([x, y, z]), *np.sin([x, y, z])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rz @ ry @ rx


def face(slot: int = 0, **more) -> Face:
    landmarks = np.linspace((100, 50, -20), (300, 250, 40), 478, dtype=np.float32)
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = 64 * rotation(0, 0, np.pi / 2)
    pose[:3, 3] = 200, 150, 5
    return Face(slot=slot, landmarks=landmarks, pose=pose, iod=64.0, **more)


def shot(*faces: Face, index: int = 7, captured: float | None = None) -> Shot:
    pixels = np.zeros((360, 640, 4), np.uint8)
    at = clock.now() if captured is None else captured
    frame = Frame(pixels, index, Fraction(index, 30), at)
    return Shot(pixels, Tick(index, index / 30, 1 / 30, frame, faces))


def decoded(datagram: bytes) -> tuple[float, dict[str, list]]:
    """Time tag and messages as python-osc reads them."""
    bundle = OscBundle(datagram)
    return bundle.timestamp, {
        content.address: content.params for content in bundle if isinstance(content, OscMessage)
    }


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(LONG_S)
        yield s


def test_messages_are_the_bytes_of_the_specification() -> None:
    # The example of the OSC 1.0 specification.
    golden = "2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000"
    assert wire.message("/oscillator/4/frequency", "f", 440.0).hex() == golden
    assert wire.message("/foo", "isf", 1000, "hello", 1.5).hex() == (
        "2f666f6f000000002c69736600000000000003e868656c6c6f0000003fc00000"
    )
    assert wire.bundle(1 << 32 | 5, [wire.message("/a", "i", 1)]).hex() == (
        "2362756e646c650000000001000000050000000c2f6100002c69000000000001"
    )


def test_time_tags_count_from_1900() -> None:
    assert wire.time_tag(0.0) == 2208988800 << 32
    assert wire.time_tag(1.25) == (2208988801 << 32) + (1 << 30)


def test_every_channel_over_the_wire(receiver: socket.socket) -> None:
    spec = f"osc://127.0.0.1:{receiver.getsockname()[1]}?format=kfx"
    before = time.time() - 0.04
    captured = clock.now() - 0.04
    after = time.time() - 0.04
    with sinks.open(spec, STREAM) as sink:
        sink.write(shot(face(2, presence=0.5), captured=captured))
    tag, got = decoded(receiver.recv(65536))
    assert before - 0.01 < tag < after + 0.01
    assert got["/kfx/v1/frame"] == [7, pytest.approx(7 / 30)]
    assert got["/kfx/v1/size"] == [640, 360]
    assert got["/kfx/v1/face/2/found"] == [1]
    assert got["/kfx/v1/face/2/id"] == ["2"]
    assert got["/kfx/v1/face/2/bbox"] == pytest.approx([100 / 640, 50 / 360, 300 / 640, 250 / 360])
    assert got["/kfx/v1/face/2/presence"] == [0.5]
    half = np.sqrt(0.5)
    assert got["/kfx/v1/face/2/pose/quat"] == pytest.approx([0, 0, half, half], abs=1e-6)
    assert got["/kfx/v1/face/2/pose/trans"] == [200, 150, 5]
    assert got["/kfx/v1/face/2/pose/scale"] == pytest.approx([64])
    mesh_tag, mesh = decoded(receiver.recv(65536))
    assert mesh_tag == tag
    values = np.array(mesh["/kfx/v1/face/2/lm"], np.float32).reshape(478, 3)
    np.testing.assert_allclose(values * (640, 360, 640), face().landmarks, rtol=1e-5)


def test_a_picture_shown_again_says_nothing(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    with osc.open_sink(f"osc://127.0.0.1:{port}", STREAM) as sink:
        sink.write(shot(face(), index=1))
        sink.write(replace(shot(face(), index=2), filler=True))
        sink.write(shot(face(), index=3))
    receiver.settimeout(0.2)
    frames = []
    while True:
        try:
            _, got = decoded(receiver.recv(65536))
        except TimeoutError:
            break
        frames += got.get("/kfx/v1/frame", [])[:1]
    assert frames == [1, 3]


def test_eight_faces_fit_into_the_datagrams_of_macos() -> None:
    with sinks.open("osc://127.0.0.1:9", STREAM) as sink:
        datagrams = sink.datagrams(shot(*(face(slot) for slot in range(8))))
    assert len([d for d in datagrams if b"/lm\0" in d]) == 8
    assert max(map(len, datagrams)) < options.MACOS
    assert all(len(d) <= options.ETHERNET for d in datagrams if b"/lm\0" not in d)


def test_a_lost_face_is_said_to_be_lost_now_and_twice_a_second() -> None:
    with sinks.open("osc://127.0.0.1:9", STREAM) as sink:
        said = []
        for index in range(90):
            faces = [face(1)] if index < 10 or index >= 70 else []
            if 5 <= index < 10:
                faces = [face(1, found=False, presence=0.5)]
            messages = decoded(sink.datagrams(shot(*faces, captured=100 + index / 30))[0])[1]
            said.append(messages.get("/kfx/v1/face/1/found", [None])[0])
    assert said[:10] == [1] * 5 + [0] * 5
    assert [index for index in range(10, 70) if said[index] == 0] == [10, 25, 40, 55]
    assert said[70:] == [1] * 20


@pytest.mark.parametrize(
    ("host", "bound"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("10.0.0.7", "")]
)
def test_what_sends_to_this_machine_hears_no_other_one(host: str, bound: str) -> None:
    one, to = datagrams.opened(host, 9)
    with one:
        there = one.getsockname()
    assert to[1] == 9
    if to[0] == "::1":
        assert there[:1] == ("::1",)
    else:
        assert (there[0], there[1] > 0) == ((bound, True) if bound else ("0.0.0.0", False))


def test_an_absent_receiver_costs_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with sinks.open(f"osc://127.0.0.1:{port}", STREAM) as sink:
        for _ in range(100):
            sink.write(shot(face()))
    sink.close()
    assert sink.warnings == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("osc://127.0.0.1", "a host and a port are needed"),
        ("osc:127.0.0.1:9000", "a host and a port are needed"),
        ("osc://:9000", "a host and a port are needed"),
        ("osc://127.0.0.1:0", "a host and a port are needed"),
        ("osc://127.0.0.1:70000", "the port must be a number"),
        ("osc://127.0.0.1:nine", "the port must be a number"),
        ("osc://127.0.0.1:0?format=vmc", "a host and a port are needed"),
        ("osc://127.0.0.1:9000/face", "a host and a port are needed"),
        ("osc://127.0.0.1:9000?format=wmc", "format: 'wmc' is unknown"),
        ("osc://127.0.0.1:9000,10.0.0.2", "a host and a port are needed"),
        ("osc://127.0.0.1:9000,", "a host and a port are needed"),
        ("osc://me@127.0.0.1:9000", "a host and a port are needed"),
        ("osc://127.0.0.1:9000?mesh=2", "mesh: '2' is not 0, 1 .floats. or blob"),
        ("osc://127.0.0.1:9000?faces=9", "faces: '9' is not a number of faces, 1 to 8"),
        ("osc://127.0.0.1:9000?slot=-1", "slot: '-1' is not a slot"),
        ("osc://127.0.0.1:9000?rate=nan", "rate: 'nan' is not a number of sends"),
        ("osc://127.0.0.1:9000?datagram=9", "datagram: '9' is not a number of bytes"),
        ("osc://127.0.0.1:9000?names=vrm", "unknown option 'names'; format=kfx takes bs, data"),
        ("osc://127.0.0.1:9?format=vmc&names=vrm,live", "names: 'vrm,live' is not one or more"),
        ("osc://127.0.0.1:9?format=livelink&name=%20", "name: ' ' is not a name"),
        ("osc://127.0.0.1:9000?blob=1", "unknown option 'blob'"),
    ],
)
def test_a_spec_that_makes_no_sense(spec: str, error: str) -> None:
    with pytest.raises(UsageError, match=error) as raised:
        sinks.open(spec, STREAM)
    assert str(raised.value).startswith(spec)


@pytest.mark.parametrize(
    ("form", "port"),
    [("vmc", 39540), ("livelink", 11111), ("ifacialmocap", 49983), ("faceosc", 8338)],
)
def test_the_usual_port_may_be_left_out(form: str, port: int) -> None:
    with sinks.open(f"osc://127.0.0.1,[::1]:7?format={form}", STREAM) as sink:
        assert [r.label for r in sink._receivers] == [f"osc://127.0.0.1:{port}", "osc://[::1]:7"]


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(KfxError, match=r"osc://no-such-host\.invalid:9000: the host can't be"):
        sinks.open("osc://no-such-host.invalid:9000", STREAM)


def matrix_of(q: tuple[float, ...]) -> np.ndarray:
    x, y, z, w = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


angle = st.floats(-3.1, 3.1)


@given(angle, angle, angle, st.floats(0.1, 500))
def test_pose_comes_apart_and_together(x: float, y: float, z: float, scale: float) -> None:
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = scale * rotation(x, y, z)
    quaternion, _, got = osc.decompose(matrix)
    assert got == pytest.approx(scale, rel=1e-4)
    assert quaternion[3] >= 0
    np.testing.assert_allclose(matrix_of(quaternion), rotation(x, y, z), atol=1e-5)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_broken_pose_gives_identity(bad: float) -> None:
    quaternion, translation, scale = osc.decompose(np.full((4, 4), bad))
    assert (quaternion, scale) == ((0, 0, 0, 1), 0)
    assert all(np.isfinite(translation))


def dumped(port: int, send: Callable[[], None], last: str) -> list[str]:
    """What oscdump prints at a port, which is sent to until a line with `last` has come."""
    lines: list[str] = []
    with subprocess.Popen(
        ["stdbuf", "-oL", "oscdump", str(port)], stdout=subprocess.PIPE, text=True
    ) as dump:
        out = dump.stdout
        assert out

        def read() -> None:
            for line in out:
                lines.append(line)  # noqa: PERF402 - seen at once

        reader = threading.Thread(target=read)
        reader.start()

        def came() -> bool:
            send()  # it may not listen yet
            return any(last in line for line in lines)

        try:
            until(came, lambda: lines)
        finally:
            dump.kill()
            reader.join()
    # Its last line may be cut off.
    return [line for line in lines if line.endswith("\n")]


@pytest.mark.skipif(not shutil.which("oscdump"), reason="needs oscdump (apt install liblo-tools)")
def test_oscdump_reads_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 0))
        port = s.getsockname()[1]
    with sinks.open(f"osc://127.0.0.1:{port}", STREAM) as sink:
        lines = dumped(port, lambda: sink.write(shot(face(3))), "/kfx/v1/face/3/lm ")
    text = {line.split()[1]: line.split()[2:] for line in lines}
    assert text["/kfx/v1/size"] == ["ii", "640", "360"]
    assert text["/kfx/v1/face/3/id"] == ["s", '"3"']
    assert text["/kfx/v1/face/3/pose/trans"][0] == "fff"
    assert len(text["/kfx/v1/face/3/lm"]) == 1435


def test_several_receivers_get_the_same() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as b,
    ):
        a.bind(("127.0.0.1", 0))
        try:
            b.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        ports = [s.getsockname()[1] for s in (a, b)]
        spec = f"osc://127.0.0.1:{ports[0]},[::1]:{ports[1]}?mesh=0&bs=0"
        with sinks.open(spec, STREAM) as sink:
            sink.write(shot(face(1)))
        received = []
        for one in (a, b):
            one.settimeout(LONG_S)
            received.append(one.recv(65536))
    assert received[0] == received[1]
    assert decoded(received[0])[1]["/kfx/v1/face/1/found"] == [1]


def test_a_network_that_refuses_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with sinks.open("osc://127.0.0.1:9", STREAM) as sink:
        monkeypatch.setattr(
            sink._receivers[0], "send", lambda _: OSError(101, "Network is unreachable")
        )
        for _ in range(5):
            sink.write(shot(face()))
    assert sink.warnings == ["osc://127.0.0.1:9: Network is unreachable; kfx goes on trying"]
    assert sink.unsent >= 10


def test_a_network_that_is_back_is_told_and_its_next_fault_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(osc.clock, "now", lambda: now[0])
    with sinks.open("osc://127.0.0.1:9", STREAM) as sink:
        receiver, down = sink._receivers[0], OSError(101, "Network is unreachable")
        for i in range(60):
            # While it is down some datagrams are taken all the same.
            refused = down if i // 20 != 1 and i % 2 else None
            monkeypatch.setattr(receiver, "send", lambda _, refused=refused: refused)
            sink.write(shot(face()))
            now[0] += 1.0
    fault = "osc://127.0.0.1:9: Network is unreachable; kfx goes on trying"
    assert sink.warnings == [fault, "osc://127.0.0.1:9 is back", fault]


def shaped(slot: int = 0, **values: float) -> Face:
    shapes = dict.fromkeys(arkit.NAMES, 0.25) | values
    return face(slot, blendshapes=MappingProxyType(shapes))


def test_blendshapes_go_out_by_name() -> None:
    with sinks.open("osc://127.0.0.1:9?mesh=0", STREAM) as sink:
        assert sink.needs_blendshapes
        got: dict[str, list] = {}
        for datagram in sink.datagrams(shot(shaped(jawOpen=0.75))):
            got |= decoded(datagram)[1]
    sent = {name.rpartition("/")[2]: value for name, value in got.items() if "/bs/" in name}
    assert sent.keys() == set(arkit.NAMES)
    assert sent["jawOpen"] == [0.75]
    assert sent["mouthClose"] == [0.25]
    with sinks.open("osc://127.0.0.1:9?mesh=0&bs=0", STREAM) as sink:
        assert not sink.needs_blendshapes
        assert all("/bs/" not in name for name in decoded(sink.datagrams(shot(shaped()))[0])[1])


def test_a_mesh_in_pieces_and_as_a_blob() -> None:
    expected = (face().landmarks / (640, 360, 640)).astype(np.float32)
    with sinks.open("osc://127.0.0.1:9?datagram=1472&bs=0", STREAM) as sink:
        datagrams = sink.datagrams(shot(face()))
    assert max(map(len, datagrams)) <= 1472
    values = np.full((478, 3), np.nan, np.float32)
    for datagram in datagrams[1:]:
        for address, part in decoded(datagram)[1].items():
            first = int(address.removeprefix("/kfx/v1/face/0/lm/"))
            values[first : first + len(part) // 3] = np.reshape(part, (-1, 3))
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    with sinks.open("osc://127.0.0.1:9?mesh=blob&bs=0", STREAM) as sink:
        blob = decoded(sink.datagrams(shot(face()))[1])[1]["/kfx/v1/face/0/lm"][0]
    np.testing.assert_array_equal(np.frombuffer(blob, ">f4").reshape(478, 3), expected)


def test_faces_and_slots_are_chosen() -> None:
    three = shot(face(1), face(4), face(6))
    for query, slots in (("faces=2", {1, 4}), ("slot=4", {4}), ("slot=0", set())):
        with sinks.open(f"osc://127.0.0.1:9?mesh=0&{query}", STREAM) as sink:
            got = decoded(sink.datagrams(three)[0])[1]
        assert {int(name.split("/")[4]) for name in got if "/face/" in name} == slots


@pytest.mark.parametrize(
    ("source", "rate", "sent"), [(60, 30, 30), (30, 30, 30), (30, 60, 30), (50, 20, 20)]
)
def test_rate_thins_out(source: int, rate: int, sent: int, receiver: socket.socket) -> None:
    spec = f"osc://127.0.0.1:{receiver.getsockname()[1]}?rate={rate}&mesh=0&bs=0"
    jitter = np.random.default_rng(1).uniform(-0.1, 0.1, source) / source
    with sinks.open(spec, STREAM) as sink:
        due = [sink._due(index / source + jitter[index]) for index in range(source)]
        assert sum(due) == pytest.approx(sent, abs=1)
        assert sink._due(0.0), "a file that starts again goes out at once"


def test_a_face_with_nan_is_lost() -> None:
    broken = face(2)
    bad = replace(broken, landmarks=np.full((478, 3), np.nan, np.float32))
    with sinks.open("osc://127.0.0.1:9", STREAM) as sink:
        sink.datagrams(shot(broken, captured=1.0))
        (datagram,) = sink.datagrams(shot(bad, captured=1.1))
    assert decoded(datagram)[1]["/kfx/v1/face/2/found"] == [0]


def test_bundles_are_filled_to_the_brim_and_no_further() -> None:
    parts = [wire.floats(f"/{k}", (k,)) for k in range(200)]
    for largest in (64, 100, 1472):
        out = wire.bundles(1, parts, largest)
        assert max(map(len, out)) <= largest
        assert [m.params for b in out for m in OscBundle(b)] == [[float(k)] for k in range(200)]
        assert all(len(a) + 4 + 12 > largest for a in out[:-1])


@pytest.mark.skipif(not shutil.which("pd"), reason="needs Pure Data (apt install puredata-core)")
def test_pure_data_reads_it(tmp_path: Path) -> None:
    patch = (ROOT / "examples" / "receive_osc.pd").read_text(encoding="utf-8")
    port = free_port()
    (tmp_path / "rig.pd").write_text(patch.replace("9000", str(port)), encoding="utf-8")
    command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", str(tmp_path / "rig.pd")]
    wanted = ("jawOpen: 0.75", "eyeBlinkLeft: 0.5", "found: 1", "quat: 0 0 0.707107 0.707107")
    receive(command, "listening", port, wanted, shaped(0, jawOpen=0.75, eyeBlinkLeft=0.5))


@pytest.mark.skipif(
    not shutil.which("sclang"), reason="needs SuperCollider (apt install supercollider-language)"
)
def test_supercollider_reads_it(tmp_path: Path) -> None:
    script = (ROOT / "examples" / "receive_osc.scd").read_text(encoding="utf-8")
    port = free_port()
    (tmp_path / "rig.scd").write_text(script.replace("9000", str(port)), encoding="utf-8")
    wanted = ("mesh of 1434 numbers", "jawOpen 0.75 captured ")
    command = ["sclang", str(tmp_path / "rig.scd")]
    said = receive(command, "listening", port, wanted, shaped(jawOpen=0.75))
    (age,) = re.findall(r"jawOpen 0\.75 captured (\S+) ms ago", said)
    assert -100 < float(age) < 1000 * LONG_S


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 0))
        port: int = s.getsockname()[1]
        return port


def receive(command: list[str], ready: str, port: int, wanted: Sequence[str], *faces: Face) -> str:
    """What a program prints that says when it is `ready`, then is sent one shot: all `wanted`."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as program:
        assert program.stdout
        watch = threading.Timer(2 * LONG_S, program.kill)
        watch.start()
        said = ""
        try:
            for line in program.stdout:
                if ready in line:
                    break
            with sinks.open(f"osc://127.0.0.1:{port}", STREAM) as sink:
                sink.write(shot(*faces))
            for line in program.stdout:
                said += line
                if all(one in said for one in wanted):
                    return said
        finally:
            watch.cancel()
            program.kill()
    raise AssertionError(f"not all of {wanted} in {said}")
