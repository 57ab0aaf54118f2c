"""Expressions that come in as numbers: OSC, VMC and Live Link Face, onto a face."""

import struct
from dataclasses import replace

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from kfx import arkit, clock
from kfx.errors import UsageError
from kfx.motion.retarget import Retarget
from kfx.sinks.osc import livelink
from kfx.sinks.osc import options as sink_options
from kfx.sync.face_in import MOST_SLOTS, STALE_S, FaceIn
from kfx.sync.osc_in import Inbox
from tests.desks import desk_of
from tests.faces import face_at, frame_of, picture, tick_of


def message(address, *values):
    builder = OscMessageBuilder(address=address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def packet(subject=b"lead", values=None, device=b"phone"):
    head = struct.pack(f">Bi{len(device)}si", 6, len(device), device, len(subject))
    body = b"" if values is None else struct.pack(">B61f", 61, *values)
    return head + subject + struct.pack(">ifii", 7, 0.0, 30, 1) + body


def test_each_way_of_sending_says_the_same():
    for address, values in (
        ("/kfx/v1/face/in/jawOpen", (0.5,)),
        ("/kfx/v1/face/3/bs/jawOpen", (0.5,)),
        ("/VMC/Ext/Blend/Val", ("JawOpen", 0.5)),
    ):
        faces = FaceIn()
        assert faces.message(address, values, 10.0)
        assert faces.at(10.1) == {"face.in.jawOpen": 0.5}
        assert faces.at(10.0 + STALE_S + 0.01) == {}
    faces = FaceIn()
    numbers = [0.0] * 61
    numbers[arkit.NAMES.index("jawOpen")] = 0.5
    assert faces.packet(packet(values=numbers), 10.0)
    assert faces.at(10.1)["face.in.jawOpen"] == 0.5
    assert len(faces.at(10.1)) == 52
    assert faces.packet(packet(), 10.2)
    assert faces.at(10.2) == {}, "a face that ended is still heard"


def test_what_kfx_sends_as_live_link_comes_back():
    shapes = {name: round(k / 60, 3) for k, name in enumerate(arkit.NAMES)}
    face = replace(face_at(), blendshapes=shapes)
    chosen = sink_options.Options(name="lead")
    data = livelink.Format(chosen)._packet(
        0, struct.pack(">ifii", 1, 0.0, 30, 1), livelink.channels(face)
    )
    faces = FaceIn()
    assert faces.packet(data, 1.0)
    got = faces.at(1.0)
    for name, value in shapes.items():
        assert got[f"face.in.{name}"] == pytest.approx(value, abs=1e-6)


def test_the_lowest_of_several_is_heard():
    faces = FaceIn()
    faces.message("/kfx/v1/face/1/bs/jawOpen", (0.2,), 0.0)
    faces.message("/kfx/v1/face/0/bs/jawOpen", (0.9,), 0.0)
    assert faces.at(0.0) == {"face.in.jawOpen": 0.9}
    assert faces.message("/kfx/v1/face/0/found", (0,), 0.1)
    assert faces.at(0.1) == {"face.in.jawOpen": 0.2}


def test_what_is_no_expression_is_left_or_refused():
    faces = FaceIn()
    assert not faces.message("/kfx/v1/film/grain", (0.1,), 0.0)
    for address in ("/kfx/v1/face/0/pose/quat", "/kfx/v1/face/99/bs/jawOpen", "/VMC/Ext/OK"):
        assert faces.message(address, (1.0,), 0.0)
    assert faces.message("/VMC/Ext/Blend/Val", ("Joy", 1.0), 0.0)
    assert faces.at(0.0) == {}
    for address, value in (("in/jawOpen", float("nan")), ("in/jawOpen", "x"), ("in/grin", 1.0)):
        with pytest.raises(UsageError):
            faces.message(f"/kfx/v1/face/{address}", (value,), 0.0)
    whole = packet(values=[float("nan")] + [0.0] * 60)
    assert faces.packet(whole, 0.0)
    assert faces.at(0.0) == {}
    for cut in range(1, len(whole)):
        faces.packet(whole[:cut], 0.0)  # never raises
    assert not faces.packet(b"\x06\xff\xff\xff\xff" * 20, 0.0)
    for k in range(100):
        faces.packet(packet(b"%d" % k, [0.0] * 61), 0.0)
    assert len(faces._subjects) <= MOST_SLOTS


def test_a_stream_opens_the_mouth_of_whoever_is_there():
    """From the bytes on the wire to the landmarks, and back when the stream ends."""
    desk, _, _ = desk_of()
    faces = FaceIn()
    inbox = Inbox(desk, faces=faces)
    motion, face = Retarget({"driver": "stream"}), face_at()

    def gap(i, time_s):
        tick = tick_of(frame_of(picture(64, 36), i), [face], 0.0 if i == 0 else 1 / 30)
        points = motion.drive(face, replace(tick, signals=faces.at(time_s)))
        return (points[14, 1] - points[13, 1]) / face.iod

    shut = gap(0, clock.now())
    assert inbox.packet(message("/kfx/v1/face/in/jawOpen", 0.8), "osc test") == []
    heard = next(iter(faces._heard.values()))
    assert gap(1, heard) > shut + 0.05
    assert inbox.counts["done"] == 1
    last = [gap(i, heard + STALE_S + 1.0) for i in range(2, 20)][-1]
    assert last == pytest.approx(shut, abs=1e-4)
    desk.close()
