"""OSC output: bytes, values, lost faces, absent receivers, and what other programs read."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from kfx import clock, sinks
from kfx.errors import KfxError, UsageError
from kfx.sinks import osc
from kfx.types import Face, Frame, Shot, StreamInfo, Tick

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
        s.settimeout(2)
        yield s


def test_messages_are_the_bytes_of_the_specification() -> None:
    # The example of the OSC 1.0 specification.
    golden = "2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000"
    assert osc.message("/oscillator/4/frequency", "f", 440.0).hex() == golden
    assert osc.message("/foo", "isf", 1000, "hello", 1.5).hex() == (
        "2f666f6f000000002c69736600000000000003e868656c6c6f0000003fc00000"
    )
    assert osc.bundle(1 << 32 | 5, [osc.message("/a", "i", 1)]).hex() == (
        "2362756e646c650000000001000000050000000c2f6100002c69000000000001"
    )


def test_time_tags_count_from_1900() -> None:
    assert osc.time_tag(0.0) == 2208988800 << 32
    assert osc.time_tag(1.25) == (2208988801 << 32) + (1 << 30)


def test_every_channel_over_the_wire(receiver: socket.socket) -> None:
    spec = f"osc://127.0.0.1:{receiver.getsockname()[1]}?format=kfx"
    captured = clock.now() - 0.04
    wall = time.time() - 0.04
    with sinks.open(spec, STREAM) as sink:
        sink.write(shot(face(2, presence=0.5), captured=captured))
    tag, got = decoded(receiver.recv(65536))
    assert tag == pytest.approx(wall, abs=0.01)
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


def test_eight_faces_fit_into_the_datagrams_of_macos() -> None:
    with osc.OscSink("127.0.0.1", 9) as sink:
        datagrams = sink.datagrams(shot(*(face(slot) for slot in range(8))))
    assert len(datagrams) == 9
    assert max(map(len, datagrams)) < osc.MAX_DATAGRAM


def test_a_lost_face_is_said_to_be_lost_now_and_twice_a_second() -> None:
    with osc.OscSink("127.0.0.1", 9) as sink:
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


def test_an_absent_receiver_costs_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with sinks.open(f"osc://127.0.0.1:{port}", STREAM) as sink:
        began = time.perf_counter()
        for _ in range(100):
            sink.write(shot(face()))
        each_ms = (time.perf_counter() - began) * 10
    print(f"osc write, one face: {each_ms:.3f} ms")
    assert each_ms < 5
    sink.close()


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("osc://127.0.0.1", "a host and a port are needed"),
        ("osc:127.0.0.1:9000", "a host and a port are needed"),
        ("osc://:9000", "a host and a port are needed"),
        ("osc://127.0.0.1:0", "a host and a port are needed"),
        ("osc://127.0.0.1:70000", "the port must be a number"),
        ("osc://127.0.0.1:nine", "the port must be a number"),
        ("osc://127.0.0.1:9000/face", "a host and a port are needed"),
        ("osc://127.0.0.1:9000?format=vmc", "format: 'vmc' is unknown"),
        ("osc://127.0.0.1:9000?blob=1", "unknown option 'blob'"),
    ],
)
def test_a_spec_that_makes_no_sense(spec: str, error: str) -> None:
    with pytest.raises(UsageError, match=error) as raised:
        sinks.open(spec, STREAM)
    assert str(raised.value).startswith(spec)


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
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = scale * rotation(x, y, z)
    quaternion, _, got = osc.decompose(pose)
    assert got == pytest.approx(scale, rel=1e-4)
    assert quaternion[3] >= 0
    np.testing.assert_allclose(matrix_of(quaternion), rotation(x, y, z), atol=1e-5)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_broken_pose_gives_identity(bad: float) -> None:
    quaternion, translation, scale = osc.decompose(np.full((4, 4), bad))
    assert (quaternion, scale) == ((0, 0, 0, 1), 0)
    assert all(np.isfinite(translation))


@pytest.mark.skipif(not shutil.which("oscdump"), reason="needs oscdump (apt install liblo-tools)")
def test_oscdump_reads_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 0))
        port = s.getsockname()[1]
    with subprocess.Popen(
        ["stdbuf", "-oL", "oscdump", str(port)], stdout=subprocess.PIPE, text=True
    ) as dump:
        time.sleep(0.5)
        with sinks.open(f"osc://127.0.0.1:{port}", STREAM) as sink:
            sink.write(shot(face(3)))
        time.sleep(0.5)
        dump.terminate()
        lines = dump.communicate(timeout=5)[0].splitlines()
    text = {line.split()[1]: line.split()[2:] for line in lines}
    assert text["/kfx/v1/size"] == ["ii", "640", "360"]
    assert text["/kfx/v1/face/3/id"] == ["s", '"3"']
    assert text["/kfx/v1/face/3/pose/trans"][0] == "fff"
    assert len(text["/kfx/v1/face/3/lm"]) == 1435
