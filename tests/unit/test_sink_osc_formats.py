"""What avatar programs and VJ patches get: layouts byte by byte, and axes on known rotations.

The decoders here follow the published layouts and know nothing of the encoders.
"""

from __future__ import annotations

import math
import shutil
import struct
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from kfx import arkit, clock, sinks
from kfx.canonical import LEFT_IRIS, RIGHT_IRIS, canonical
from kfx.sinks.osc import FORMATS, facecap, faceosc, ifacialmocap, pose
from kfx.tracking.pose import yaw_pitch_roll
from kfx.types import Face, Frame, Shot, StreamInfo, Tick
from tests.unit.test_sink_osc import dumped, free_port, rotation

STREAM = StreamInfo(size=(640, 360), rate=Fraction(30000, 1001))
TURN = rotation(0.2, -0.35, 0.15)  # down, to the subject's left, to the subject's left shoulder


def head(
    turn: np.ndarray = TURN, slot: int = 0, *, eyes: tuple[float, float] = (0, 0), **shapes: float
) -> Face:
    """The canonical face turned by a 3×3 in kfx's axes, 64 px for an iod, eyes by yaw and pitch."""
    points = canonical().vertices.astype(np.float64)
    yaw, pitch = eyes
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        points[iris, :2] += np.sin([yaw, pitch]) * pose.EYEBALL_IOD
    matrix = np.eye(4)
    matrix[:3, :3] = 64 * turn
    matrix[:3, 3] = 200, 150, 0
    landmarks = points @ matrix[:3, :3].T + matrix[:3, 3]
    values = dict.fromkeys(arkit.NAMES, 0.0) | shapes
    return Face(
        slot,
        landmarks.astype(np.float32),
        matrix.astype(np.float32),
        64.0,
        blendshapes=MappingProxyType(values),
    )


def shot(*faces: Face, index: int = 7, timecode: str | None = None, captured: float = 0) -> Shot:
    pixels = np.zeros((360, 640, 4), np.uint8)
    frame = Frame(pixels, index, Fraction(index, 30), captured or clock.now(), timecode)
    return Shot(pixels, Tick(index, index / 30, 1 / 30, frame, faces))


def sent(query: str, *shots: Shot) -> list[bytes]:
    with sinks.open(f"osc://127.0.0.1:9?format={query}", STREAM) as sink:
        return [datagram for one in shots for datagram in sink.datagrams(one)]


def messages(datagrams: list[bytes]) -> list[tuple[str, list]]:
    bundles = [OscBundle(datagram) for datagram in datagrams]
    assert len({bundle.timestamp for bundle in bundles}) <= 1
    return [(m.address, m.params) for b in bundles for m in b if isinstance(m, OscMessage)]


def unpacked(packet: bytes) -> dict:
    """A Live Link Face packet, as its layout says."""
    assert packet[0] == 6
    at = 1
    words = []
    for _ in range(2):
        (size,) = struct.unpack_from(">i", packet, at)
        words.append(packet[at + 4 : at + 4 + size].decode("utf-8"))
        at += 4 + size
    frame, part, numerator, denominator = struct.unpack_from(">ifii", packet, at)
    at += 16
    values: tuple[float, ...] = ()
    if at < len(packet):
        assert packet[at] == 61
        values = struct.unpack_from(">61f", packet, at + 1)
        at += 1 + 61 * 4
    assert at == len(packet)
    return {
        **{"device": words[0], "subject": words[1], "frame": frame, "part": part},
        **{"rate": (numerator, denominator), "values": values},
    }


def mocap(packet: bytes) -> tuple[dict[str, int], dict[str, list[float]]]:
    """Shapes and bones of an iFacialMocap text."""
    text = packet.decode("ascii")
    assert text.count("=") == 1
    assert text.endswith("|")
    shapes, bones = text.split("=")
    values = dict(part.split("-") for part in shapes.split("|") if part)
    angles = dict(part.split("#") for part in bones.split("|") if part)
    return (
        {name: int(value) for name, value in values.items()},
        {name: [float(v) for v in value.split(",")] for name, value in angles.items()},
    )


def matrix_of(q: list[float]) -> np.ndarray:
    x, y, z, w = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def about(axis: int, angle: float) -> np.ndarray:
    return rotation(*(angle if k == axis else 0.0 for k in range(3)))


def yxz(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """What Unity, Godot and SceneKit's readers make of Euler angles x y z."""
    return about(1, yaw) @ about(0, pitch) @ about(2, roll)


# Where a face looks and where its crown points, in each program's axes, from kfx's.
LOOKS, CROWN = np.array([0.0, 0, -1]), np.array([0.0, -1, 0])


def in_unity(v: np.ndarray) -> np.ndarray:
    return -v  # right of the subject, up, forward


def in_arkit(v: np.ndarray) -> np.ndarray:
    return v * (1, -1, -1)  # left of the subject, up, forward


angle = st.floats(-1.2, 1.2)


@settings(max_examples=25, deadline=None)
@given(angle, angle, angle)
def test_every_format_turns_the_head_the_same_way(x: float, y: float, z: float) -> None:
    turn = rotation(x, y, z)
    one = shot(head(turn))
    bones = {p[0]: p[1:] for a, p in messages(sent("vmc", one)) if a == "/VMC/Ext/Bone/Pos"}
    unity = matrix_of(bones["Neck"][3:]) @ matrix_of(bones["Head"][3:])
    _, parts = mocap(sent("ifacialmocap", one)[0])
    cap = {address: values for address, values in messages(sent("facecap", one))}
    yaw, pitch, roll = unpacked(sent("livelink", one)[0])["values"][52:55]
    seen = {
        "vmc": (unity, in_unity),
        "ifacialmocap": (yxz(*np.radians(parts["head"][:3])), in_arkit),
        "facecap": (yxz(*np.radians(cap["/HR"])), in_arkit),
        "facecap quaternion": (matrix_of(cap["/HRQ"]), in_arkit),
        "livelink": (yxz(pitch, -yaw, -roll), in_arkit),
    }
    for name, (matrix, axes) in seen.items():
        for mine in (LOOKS, CROWN):
            np.testing.assert_allclose(
                matrix @ axes(mine), axes(turn @ mine), atol=2e-4, err_msg=name
            )
    osc = dict(messages(sent("faceosc", one)))
    pitch, yaw, roll = osc["/pose/orientation"]
    tracker = about(0, pitch) @ about(1, yaw) @ about(2, roll)
    np.testing.assert_allclose(tracker, turn, atol=2e-4)


def test_signs_as_a_person_would_say_them() -> None:
    left, down, lean = about(1, -0.3), about(0, 0.3), about(2, 0.3)  # lean: to the left shoulder
    deg = pytest.approx(math.degrees(0.3), abs=1e-3)
    neg = pytest.approx(-math.degrees(0.3), abs=1e-3)
    zero = pytest.approx(0, abs=1e-3)
    for turn, expected in ((down, [deg, zero, zero]), (left, [zero, deg, zero])):
        assert mocap(sent("ifacialmocap", shot(head(turn)))[0])[1]["head"][:3] == expected
    assert mocap(sent("ifacialmocap", shot(head(lean)))[0])[1]["head"][:3] == [zero, zero, neg]
    channels = [unpacked(sent("livelink", shot(head(t)))[0])["values"] for t in (left, down, lean)]
    assert channels[0][52] == pytest.approx(-0.3, abs=1e-5)
    assert channels[1][53] == pytest.approx(0.3, abs=1e-5)
    assert channels[2][54] == pytest.approx(0.3, abs=1e-5)


def test_angles_are_those_of_the_tracker() -> None:
    for turn in (rotation(0.2, 0, 0), rotation(0, -0.4, 0), rotation(0, 0, 0.3)):
        face = head(turn)
        pitch, yaw, roll = np.degrees(pose.arkit_angles(pose.decompose(face.pose)[0]))
        # The tracker leans to the left shoulder where ARKit leans to the right.
        assert yaw_pitch_roll(face.pose) == pytest.approx((yaw, pitch, -roll), abs=1e-3)


def test_eyes_turn_the_same_way_everywhere() -> None:
    one = shot(head(eyes=(0.25, 0.1)))  # to the subject's left and down
    left_yaw, left_pitch, right_yaw, right_pitch = pose.gaze(one.tick.faces[0])
    assert (left_yaw, right_yaw) == pytest.approx((0.25, 0.25), abs=0.02)
    assert (left_pitch, right_pitch) == pytest.approx((0.1, 0.1), abs=0.02)
    bones = {p[0]: p[1:] for a, p in messages(sent("vmc", one)) if a == "/VMC/Ext/Bone/Pos"}
    for side in ("LeftEye", "RightEye"):
        x, y, _ = matrix_of(bones[side][3:]) @ (0, 0, 1)
        assert x == pytest.approx(-math.sin(0.25) * math.cos(0.1), abs=0.03)  # left is -x in Unity
        assert y == pytest.approx(-math.sin(0.1), abs=0.03)
    _, parts = mocap(sent("ifacialmocap", one)[0])
    assert parts["leftEye"] == pytest.approx([5.7, 14.3, 0], abs=1)
    cap = dict(messages(sent("facecap", one)))
    assert cap["/ERR"] == pytest.approx([5.7, 14.3], abs=1)
    values = unpacked(sent("livelink", one)[0])["values"]
    assert values[55:61] == pytest.approx([-0.25, 0.1, 0, -0.25, 0.1, 0], abs=0.02)


def test_no_gaze_from_a_spot_or_closed_eyes() -> None:
    face = head()
    for pose_of in (np.zeros((4, 4)), np.eye(4) * 1e-9):
        assert pose.gaze(replace(face, pose=pose_of.astype(np.float32))) == (0, 0, 0, 0)
    same = np.tile(face.landmarks[:1], (478, 1))
    assert all(math.isfinite(v) for v in pose.gaze(replace(face, landmarks=same)))
    far = pose.gaze(head(eyes=(1.5, -1.5)))
    assert max(map(abs, far)) <= math.radians(pose.FARTHEST_DEG) + 1e-9


def test_vmc_bundle() -> None:
    got = messages(sent("vmc", shot(head(np.eye(3), jawOpen=0.5, eyeBlinkLeft=1.0))))
    assert got[0] == ("/VMC/Ext/OK", [1, 3, 0, 1])
    assert got[1] == ("/VMC/Ext/T", [pytest.approx(7 / 30)])
    assert got[2] == ("/VMC/Ext/Root/Pos", ["root", 0, 0, 0, 0, 0, 0, 1])
    assert [p[0] for a, p in got if a == "/VMC/Ext/Bone/Pos"] == [
        *("Neck", "Head", "LeftEye", "RightEye")
    ]
    values = dict(p for a, p in got if a == "/VMC/Ext/Blend/Val")
    assert values["A"] == pytest.approx(0.75)
    assert values["Blink_L"] == 1.0
    assert values["Blink_R"] == values["O"] == 0.0
    assert got[-1] == ("/VMC/Ext/Blend/Apply", [])


def test_vmc_bytes_are_those_of_the_specification() -> None:
    whole = b"".join(sent("vmc&names=perfectsync", shot(head(jawOpen=0.5))))
    assert bytes.fromhex(
        "2f564d432f4578742f426c656e642f56616c00002c7366004a61774f70656e003f000000"
    ) in (whole)
    assert whole.endswith(bytes.fromhex("2f564d432f4578742f426c656e642f4170706c79000000002c000000"))


@pytest.mark.parametrize(
    ("names", "expected", "count"),
    [
        ("vrm", "Blink_L", 14),
        ("vrm1", "blinkLeft", 14),
        ("arkit", "jawOpen", 52),
        ("perfectsync", "JawOpen", 52),
        ("vrm,perfectsync", "TongueOut", 66),
    ],
)
def test_vmc_names(names: str, expected: str, count: int) -> None:
    datagrams = sent(f"vmc&names={names}", shot(head()))
    assert max(map(len, datagrams)) <= 1472
    got = messages(datagrams)
    values = [p[0] for a, p in got if a == "/VMC/Ext/Blend/Val"]
    assert expected in values
    assert len(values) == len(set(values)) == count
    assert [a for a, _ in got].count("/VMC/Ext/Blend/Apply") == 1
    assert got[-1][0] == "/VMC/Ext/Blend/Apply"


shape = st.floats(0, 1)


@settings(max_examples=50, deadline=None)
@given(shape, shape, shape, shape, shape)
def test_mouths_never_add_up_to_more_than_one(
    jaw: float, pucker: float, funnel: float, stretch: float, dimple: float
) -> None:
    mouth = {"jawOpen": jaw, "mouthPucker": pucker, "mouthFunnel": funnel}
    for side in ("Left", "Right"):
        mouth |= {f"mouthStretch{side}": stretch, f"mouthDimple{side}": dimple}
    values = dict(
        p for a, p in messages(sent("vmc", shot(head(**mouth)))) if a.endswith("Blend/Val")
    )
    vowels = [values[name] for name in "AIUEO"]
    assert min(vowels) >= -1e-6
    assert sum(vowels) <= 1 + 1e-5


def test_vmc_without_a_face_keeps_alive_and_moves_nothing() -> None:
    for faces in ((), (replace(head(), found=False),)):
        got = messages(sent("vmc", shot(*faces)))
        assert got == [("/VMC/Ext/OK", [1, 3, 0, 0]), ("/VMC/Ext/T", [pytest.approx(7 / 30)])]


def test_live_link_packet_byte_by_byte() -> None:
    name = "카이 🎤"
    one = shot(head(np.eye(3), jawOpen=0.5, tongueOut=0.25), timecode="01:00:00:15")
    (packet,) = sent(f"livelink&name={name}", one)
    size = len(name.encode())
    assert packet[:5] == b"\x06\x00\x00\x00\x24"  # version, length of a UUID
    assert packet[41:45] == struct.pack(">i", size)
    assert packet[45 : 45 + size].decode() == name
    assert len(packet) == 45 + size + 17 + 61 * 4
    got = unpacked(packet)
    assert (got["frame"], got["part"]) == (108015, 0.0)
    assert got["rate"] == (30000, 1001)
    # The order of Unreal's EARFaceBlendShape; the CSV has another.
    assert [arkit.NAMES.index(n) for n in ("jawForward", "jawLeft", "jawRight", "jawOpen")] == [
        *(14, 15, 16, 17)
    ]
    assert arkit.NAMES.index("mouthLeft") == 21
    assert got["values"][17] == 0.5
    assert got["values"][51] == 0.25
    assert got["values"][:17] == (0.0,) * 17


def test_live_link_counts_the_time_of_day_without_timecode() -> None:
    captured = clock.now()
    first = unpacked(sent("livelink", shot(head(), captured=captured))[0])
    later = unpacked(sent("livelink", shot(head(), captured=captured + 10))[0])
    passed = later["frame"] + later["part"] - first["frame"] - first["part"]
    assert passed % (86400 * 30000 / 1001) == pytest.approx(10 * 30000 / 1001, abs=0.1)


def test_live_link_has_a_subject_for_everyone_and_says_who_is_lost() -> None:
    three = [head(slot=slot) for slot in (0, 2, 5)]
    with sinks.open("osc://127.0.0.1:9?format=livelink&name=idol", STREAM) as sink:
        first = [unpacked(d) for d in sink.datagrams(shot(*three, captured=1.0))]
        then = [unpacked(d) for d in sink.datagrams(shot(*three[:2], captured=1.1))]
        quiet = [unpacked(d) for d in sink.datagrams(shot(*three[:2], captured=1.2))]
    assert [p["subject"] for p in first] == ["idol", "idol-3", "idol-6"]
    assert len({p["device"] for p in first}) == 3
    assert [(p["subject"], bool(p["values"])) for p in then] == [
        *(("idol", True), ("idol-3", True), ("idol-6", False))
    ]
    assert len(quiet) == 2
    again = unpacked(sent("livelink&name=idol", shot(three[2]))[0])
    assert again["device"] == first[2]["device"], "Unreal knows a subject by it"
    assert unpacked(sent("livelink&name=idol&slot=5", shot(*three))[0])["subject"] == "idol"


def test_ifacialmocap_text() -> None:
    one = shot(head(np.eye(3), jawOpen=0.404, eyeBlinkLeft=1.0, mouthLeft=0.1))
    (packet,) = sent("ifacialmocap", one)
    shapes, bones = mocap(packet)
    assert len(shapes) == 52
    assert shapes["jawOpen"] == 40
    assert shapes["eyeBlink_L"] == 100
    assert shapes["eyeBlink_R"] == 0
    assert shapes["mouthLeft"] == 10
    assert {"jawLeft", "jawRight", "mouthRight", "browInnerUp", "mouthSmile_R"} <= shapes.keys()
    assert list(bones) == ["head", "rightEye", "leftEye"]
    assert [len(v) for v in bones.values()] == [6, 3, 3]
    # 120 px left of the middle and 30 px above it, 64 px for 63 mm.
    metre = 0.063 / 64
    depth = 180 / math.tan(math.radians(31.5)) * metre
    assert bones["head"][3:] == pytest.approx([-120 * metre, 30 * metre, -depth], abs=1e-4)
    assert sent("ifacialmocap", shot()) == []


def test_facecap_messages() -> None:
    (datagram,) = sent("facecap", shot(head(jawOpen=0.5, tongueOut=0.25)))
    assert len(datagram) <= 1472
    got = messages([datagram])
    assert [a for a, _ in got[:5]] == ["/HT", "/HR", "/HRQ", "/ELR", "/ERR"]
    weights = dict(p for a, p in got if a == "/W")
    assert list(weights) == list(range(52))
    assert weights[24] == 0.5  # numbers as Face Cap's page lists them
    assert weights[51] == 0.25
    assert sorted(facecap.ORDER) == sorted(arkit.NAMES)


def test_faceosc_bundle() -> None:
    (datagram,) = sent("faceosc", shot(head(np.eye(3))))
    got = messages([datagram])
    assert [a for a, _ in got] == [
        *("/found", "/pose/position", "/pose/scale", "/pose/orientation"),
        *(address for address, _, _ in faceosc.GESTURES),
        "/raw",
    ]
    values = dict(got)
    assert values["/found"] == [1]
    assert len(values["/raw"]) == 132
    raw = np.array(values["/raw"]).reshape(66, 2)
    np.testing.assert_allclose(raw, head(np.eye(3)).landmarks[faceosc.POINTS, :2], atol=1e-3)
    # As people's faces measure in FaceOSC: wiki and patches map these ranges.
    for address, low, high in (
        *(("/gesture/mouth/width", 12, 18), ("/gesture/mouth/height", 0, 4.5)),
        *(("/gesture/eye/left", 1.5, 4), ("/gesture/eye/right", 1.5, 4)),
        *(("/gesture/eyebrow/left", 5, 9), ("/gesture/eyebrow/right", 5, 9)),
        *(("/gesture/jaw", 17, 27), ("/gesture/nostrils", 4, 9)),
    ):
        assert low < values[address][0] < high, address
    assert messages(sent("faceosc", shot())) == [("/found", [0])]
    assert "/raw" not in dict(messages(sent("faceosc&mesh=0", shot(head()))))


def test_faceosc_points_lie_as_facetracker_numbers_them() -> None:
    points = canonical().vertices[faceosc.POINTS]
    assert len(set(faceosc.POINTS)) == 66
    x, y = points[:, 0], points[:, 1]
    assert (np.diff(x[:17]) > 0).all()  # jaw, from the left of the picture to its right
    assert y[8] == y.max()
    assert (np.diff(x[17:27]) > 0).all()  # brows
    assert (np.diff(y[27:31]) > 0).all()  # down the nose
    assert (np.diff(x[31:36]) > 0).all()  # under it
    for eye in (36, 42):
        outer_to_inner = x[eye : eye + 4]
        assert (np.diff(outer_to_inner) > 0).all()
        assert y[eye + 1 : eye + 3].max() < y[eye + 4 : eye + 6].min()  # upper lid above the lower
    assert (np.diff(x[48:55]) > 0).all()  # over the upper lip
    assert (np.diff(x[55:60]) < 0).all()  # back below
    assert (np.diff(x[60:63]) > 0).all()
    assert (np.diff(x[63:66]) < 0).all()


def test_gestures_dont_mind_the_pose() -> None:
    still, turned = (dict(messages(sent("faceosc", shot(head(t))))) for t in (np.eye(3), TURN))
    for address, _, _ in faceosc.GESTURES:
        assert turned[address] == pytest.approx(still[address], rel=1e-3)


def test_a_mirror_turns_left_into_right() -> None:
    face = head(TURN, eyes=(0.2, 0.1), eyeBlinkLeft=1.0, jawLeft=0.5)
    plain, mirror = (
        unpacked(sent(f"livelink{query}", shot(face))[0])["values"] for query in ("", "&mirror=1")
    )
    at = arkit.NAMES.index
    assert mirror[at("eyeBlinkRight")] == 1.0
    assert mirror[at("eyeBlinkLeft")] == 0.0
    assert mirror[at("jawRight")] == 0.5
    yaw, pitch, roll = plain[52:55]
    assert mirror[52:55] == pytest.approx((-yaw, pitch, -roll), abs=1e-5)
    assert mirror[55] == pytest.approx(-plain[58], abs=0.03)
    position = [dict(messages(sent(f"faceosc{q}", shot(face)))) for q in ("", "&mirror=1")]
    assert position[1]["/pose/position"][0] == pytest.approx(
        640 - position[0]["/pose/position"][0], abs=0.5
    )


def test_one_face_is_followed_until_it_is_lost() -> None:
    marks = [head(slot=slot, jawOpen=slot / 10) for slot in range(4)]
    with sinks.open("osc://127.0.0.1:9?format=ifacialmocap", STREAM) as sink:

        def followed(*faces: Face) -> int | None:
            out = sink.datagrams(shot(*faces))
            return mocap(out[0])[0]["jawOpen"] // 10 if out else None

        assert followed(marks[2], marks[3]) == 2
        assert followed(*marks) == 2, "a newcomer takes nobody's avatar"
        assert followed(marks[1], marks[3]) == 1
        assert followed() is None
        assert followed(marks[0], marks[1]) == 1


def test_blendshapes_that_are_missing_are_told_of() -> None:
    bare = replace(head(), blendshapes=MappingProxyType({}))
    for form in FORMATS:
        with sinks.open(f"osc://127.0.0.1:9?format={form}", STREAM) as sink:
            for _ in range(3):
                sink.datagrams(shot(bare))
        avatars = form not in ("kfx", "faceosc")
        assert len(sink.warnings) == avatars, form
        assert sink.needs_blendshapes == (form != "faceosc")
    assert "only head and eyes move" in ifacialmocap.LACKING


anything = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), anything, anything, anything), max_size=8))
def test_nothing_but_finite_numbers_leaves(drawn: list[tuple[int, float, float, float]]) -> None:
    faces = {}
    for slot, point, matrix, value in drawn:
        with np.errstate(over="ignore"):
            points = head().landmarks.copy()
            points[13] = np.float32(point)
            pose_of = head().pose.copy()
            pose_of[0, 1] = np.float32(matrix)
        shapes = MappingProxyType({"jawOpen": value, "eyeBlinkLeft": value})
        faces[slot] = replace(head(slot=slot), landmarks=points, pose=pose_of, blendshapes=shapes)
    one = shot(*(faces[slot] for slot in sorted(faces)))
    for query in (*FORMATS, "kfx&mesh=blob", "vmc&names=vrm,arkit&mirror=1", "kfx&datagram=512"):
        datagrams = sent(query, one)
        assert max(map(len, datagrams), default=0) <= 9216
        if query == "livelink":
            values = [v for d in datagrams for v in unpacked(d)["values"]]
        elif query == "ifacialmocap":
            values = [v for d in datagrams for part in mocap(d)[1].values() for v in part]
        else:
            values = [v for _, p in messages(datagrams) for v in p if isinstance(v, float)]
        assert all(math.isfinite(v) for v in values), query


@pytest.mark.skipif(not shutil.which("oscdump"), reason="needs oscdump (apt install liblo-tools)")
def test_oscdump_reads_every_osc_format() -> None:
    port = free_port()

    def send() -> None:
        for form in ("vmc&names=perfectsync", "facecap", "faceosc"):
            with sinks.open(f"osc://127.0.0.1:{port}?format={form}", STREAM) as sink:
                sink.write(shot(head(jawOpen=0.5)))

    said = {" ".join(line.split(" ", 2)[1:]).strip() for line in dumped(port, send, " /raw f")}
    assert '/VMC/Ext/Blend/Val sf "JawOpen" 0.500000' in said
    assert "/VMC/Ext/OK iiii 1 3 0 1" in said
    assert any(line.startswith("/VMC/Ext/Blend/Apply") for line in said)
    assert "/W if 24 0.500000" in said
    assert "/found i 1" in said
    assert any(line.startswith("/raw " + "f" * 132 + " ") for line in said)
