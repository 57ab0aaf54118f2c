"""Camera logic against a camera made of Python."""

import json
import struct
import subprocess
import sys
from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np
import pytest

from kfx import clock, sources
from kfx.errors import KfxError, UsageError
from kfx.sources import camera, camera_devices


class FakeCapture:
    """What OpenCV's VideoCapture does, at any size asked for unless `forced`."""

    made: ClassVar[list["FakeCapture"]] = []
    opens = True
    forced: ClassVar[dict[int, float]] = {}
    lasts = 10
    broken: ClassVar[set[int]] = set()
    image = None

    def __init__(self, target, api=0):
        self.target, self.api = target, api
        self.asked = []
        self.values = {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}
        self.values |= {cv2.CAP_PROP_FPS: 30.0}
        self.grabs = 0
        self.released = False
        type(self).made.append(self)

    def isOpened(self):
        return type(self).opens and not self.released

    def set(self, prop, value):
        self.asked.append((prop, value))
        self.values[prop] = type(self).forced.get(prop, value)
        return True

    def get(self, prop):
        return self.values.get(prop, 0.0)

    def grab(self):
        if self.released or self.grabs >= type(self).lasts:
            return False
        self.grabs += 1
        return True

    def retrieve(self):
        if self.grabs in type(self).broken:
            return False, None
        if type(self).image is not None:
            return True, type(self).image
        size = int(self.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(self.get(cv2.CAP_PROP_FRAME_WIDTH))
        return True, np.full((*size, 3), (10, 20, self.grabs), np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def fake(monkeypatch):
    kind = type("Capture", (FakeCapture,), {"made": [], "forced": {}, "broken": set()})
    monkeypatch.setattr(camera.cv2, "VideoCapture", kind)
    monkeypatch.setattr(camera, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(camera, "_FIRST_PATIENCE_S", 0.05)
    known = [
        camera.CameraDevice(0, "Integrated Webcam", "/dev/video0"),
        camera.CameraDevice(2, "Elgato Facecam", "/dev/video2"),
    ]
    monkeypatch.setattr(camera, "devices", lambda: known)
    return kind


def test_frames_are_stamped_and_rgba(fake):
    before = clock.now()
    source = sources.open("camera:0?size=320x240&fps=60")
    assert source.info.live
    assert source.info.size == (320, 240)
    assert source.info.rate == 60
    assert source.info.notes == ()
    frames = source.frames()
    got = [next(frames) for _ in range(5)]
    assert [f.index for f in got] == list(range(5))
    assert tuple(got[0].pixels[0, 0]) == (1, 20, 10, 255)
    assert not got[0].pixels.flags.writeable
    times = [f.time for f in got]
    assert times == sorted(set(times))
    assert all(isinstance(time, Fraction) for time in times)
    assert before < got[0].captured < got[4].captured < clock.now()
    source.close()
    assert list(frames) == []
    assert fake.made[0].released
    source.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no time of theirs")
def test_frames_are_as_old_as_the_driver_says(fake):
    source = sources.open("camera:0")
    frames, capture = source.frames(), fake.made[0]
    next(frames)
    for age, is_taken in ((0.12, True), (0.0, True), (-5.0, False), (3.0, False)):
        before = clock.now()
        capture.values[cv2.CAP_PROP_POS_MSEC] = (before - age) * 1000
        captured = next(frames).captured
        assert captured == pytest.approx(before - age, abs=1e-4) if is_taken else captured > before
    source.close()


def test_it_asks_for_mjpeg_then_size_then_rate(fake):
    sources.open("camera:3?size=1920x1080&fps=30").close()
    assert fake.made[0].target == 3
    assert fake.made[0].asked == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1920),
        (cv2.CAP_PROP_FRAME_HEIGHT, 1080),
        (cv2.CAP_PROP_FPS, 30.0),
    ]


def test_it_says_what_it_got_instead(fake):
    fake.forced = {
        cv2.CAP_PROP_FRAME_WIDTH: 640,
        cv2.CAP_PROP_FRAME_HEIGHT: 480,
        cv2.CAP_PROP_FPS: 25.0,
    }
    with sources.open("camera:0?size=1280x720&fps=30") as source:
        assert source.info.size == (640, 480)
        assert source.info.notes == ("asked for 1280x720 at 30, got 640x480 at 25",)
    with sources.open("camera:0") as source:
        assert source.info.notes == ()  # nothing was asked for


@pytest.mark.parametrize(
    ("fps", "rate"), [(29.97, "30000/1001"), (0.0, "30"), (float("nan"), "30"), (7.5, "15/2")]
)
def test_rates_that_drivers_report(fake, fps, rate):
    fake.forced = {cv2.CAP_PROP_FPS: fps}
    with sources.open("camera:0") as source:
        assert source.info.rate == Fraction(rate)


@pytest.mark.parametrize("text", ["elgato", "FACECAM", "Elgato Facecam"])
def test_a_part_of_the_name_is_enough(fake, text):
    sources.open(f"camera:{text}").close()
    assert fake.made[0].target == ("/dev/video2" if sys.platform == "linux" else 2)


def test_unknown_names_list_what_there_is(fake):
    with pytest.raises(UsageError, match=r"cameras found: 0 \(Integrated Webcam\), 2 \(Elgato"):
        sources.open("camera:GoPro")


def test_a_device_path_is_used_as_it_is(fake, tmp_path):
    node = tmp_path / "video7"
    node.touch()
    sources.open(f"camera:{node}").close()
    assert fake.made[0].target == str(node)
    with pytest.raises(KfxError, match="no such device"):
        sources.open(f"camera:{tmp_path}/video8")


def test_a_camera_that_does_not_open(fake):
    fake.opens = False
    with pytest.raises(KfxError, match=r"camera:97: (no camera there|can't be opened)"):
        sources.open("camera:97")


def test_a_camera_that_sends_nothing(fake):
    fake.lasts = 0
    with pytest.raises(KfxError, match="sends no picture"):
        sources.open("camera:0")
    assert fake.made[0].released


def test_a_lost_camera(fake):
    fake.lasts = 3
    source = sources.open("camera:0")
    frames = source.frames()
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KfxError, match="camera:0: the camera stopped sending"):
        next(frames)
    assert fake.made[0].released


def test_broken_pictures_are_skipped(fake):
    fake.broken = {1, 3, 4}
    source = sources.open("camera:0")
    frames = source.frames()
    assert [int(next(frames).pixels[0, 0, 0]) for _ in range(3)] == [2, 5, 6]
    source.close()


@pytest.mark.parametrize("channels", [0, 1, 4])
def test_other_pixel_layouts(fake, channels):
    fake.image = np.full((48, 64) if channels == 0 else (48, 64, channels), 90, np.uint8)
    with sources.open("camera:0") as source:
        frame = next(source.frames())
        assert frame.pixels.shape == (48, 64, 4)
        assert frame.pixels[0, 0, 0] == 90


def test_a_picture_given_as_one_long_row_is_folded(fake):
    """OpenCV does so with V4L2 cameras that send plain BGR, the kernel's vivid among them."""
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[100, 200] = (1, 2, 3)
    fake.image = picture.reshape(1, -1)
    with sources.open("camera:0?size=640x480") as source:
        assert source.info.size == (640, 480)
        assert next(source.frames()).pixels[100, 200].tolist() == [3, 2, 1, 255]


def test_a_change_of_size_is_an_error(fake):
    source = sources.open("camera:0?size=640x480")
    frames = source.frames()
    next(frames)
    fake.image = np.zeros((240, 320, 3), np.uint8)
    with pytest.raises(KfxError, match="changed its size from 640x480 to 320x240"):
        next(frames)


def test_unknown_option(fake):
    with pytest.raises(UsageError, match="unknown option"):
        sources.open("camera:0?zoom=2")


def test_devices_from_sysfs(tmp_path, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("sysfs is Linux's")
    for name, text in (("video10", "OBS Virtual\n"), ("video2", "Cam\n"), ("video3", "Meta\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(text)
    (tmp_path / "v4l-subdev0").mkdir()
    monkeypatch.setattr(camera_devices, "_captures", lambda path: path != "/dev/video3")
    found = camera_devices.devices(tmp_path)
    assert found == [
        camera_devices.CameraDevice(2, "Cam", "/dev/video2"),
        camera_devices.CameraDevice(10, "OBS Virtual", "/dev/video10"),
    ]
    assert camera_devices.devices(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("capabilities", "device_caps", "captures"),
    [
        (0x1, 0, True),
        (0x84A00001, 0x04200001, True),
        (0x84A00001, 0x04A00000, False),
        (2, 0, False),
    ],
)
def test_capability_of_a_node(tmp_path, monkeypatch, capabilities, device_caps, captures):
    if sys.platform != "linux":
        pytest.skip("V4L2 is Linux's")
    import fcntl

    def answer(node, request, buffer):
        assert request == 0x80685600
        assert len(buffer) == 104  # struct v4l2_capability
        struct.pack_into("=2I", buffer, 84, capabilities, device_caps)

    monkeypatch.setattr(fcntl, "ioctl", answer)
    (tmp_path / "video0").touch()
    assert camera_devices._captures(str(tmp_path / "video0")) == captures
    assert camera_devices._captures(str(tmp_path / "gone"))


def test_a_mac_tells_its_cameras_names_in_the_order_of_opencv(monkeypatch):
    rows = [
        {"_name": "FaceTime HD Camera", "spcamera_unique-id": "B2"},
        {"_name": "Elgato Facecam", "spcamera_unique-id": "A1"},
    ]
    said = json.dumps({"SPCameraDataType": rows})
    monkeypatch.setattr(camera_devices.sys, "platform", "darwin")
    done = subprocess.CompletedProcess((), 0, said, "")
    monkeypatch.setattr(camera_devices.subprocess, "run", lambda *args, **options: done)
    found = camera_devices.devices()
    assert [(one.index, one.name) for one in found] == [
        (0, "Elgato Facecam"),
        (1, "FaceTime HD Camera"),
    ]
    done.stdout = "no JSON"
    monkeypatch.setattr(camera_devices, "_probed", list)
    assert camera_devices.devices() == []


@pytest.mark.parametrize(
    ("system", "way"), [("win32", cv2.CAP_DSHOW), ("darwin", cv2.CAP_AVFOUNDATION)]
)
def test_cameras_are_counted_the_way_they_are_opened(fake, monkeypatch, system, way):
    monkeypatch.setattr(camera_devices.sys, "platform", system)
    monkeypatch.setattr(cv2, "VideoCapture", fake)
    camera_devices._probed()
    assert {one.api for one in fake.made} == {way}
