"""Which cameras this machine has."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_SYSFS = Path("/sys/class/video4linux")
_VIDIOC_QUERYCAP = 0x80685600  # linux/videodev2.h: _IOR('V', 0, struct v4l2_capability)
_CAPABILITY = struct.Struct("=16s32s32s6I")
_VIDEO_CAPTURE = 0x1 | 0x1000  # single- and multi-planar
_HAS_DEVICE_CAPS = 0x80000000
_PROBED = 8


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """`index` as OpenCV counts; `name` and `path` where the system tells them."""

    index: int
    name: str
    path: str


def devices(sysfs: Path = _SYSFS) -> list[CameraDevice]:
    """All cameras, lowest index first. Linux asks the kernel, others are probed by opening."""
    if sys.platform == "linux":
        return _linux(sysfs)
    return _probed()


def _linux(sysfs: Path) -> list[CameraDevice]:
    found = []
    for node in sysfs.glob("video*") if sysfs.is_dir() else ():
        number = node.name.removeprefix("video")
        path = f"/dev/{node.name}"
        if not number.isdecimal() or not _captures(path):
            continue
        try:
            name = (node / "name").read_text(errors="replace").strip()
        except OSError:
            name = node.name
        found.append(CameraDevice(int(number), name, path))
    return sorted(found, key=lambda device: device.index)


def _captures(path: str) -> bool:
    """Whether a node sends pictures; cameras have others, for metadata. True where unknown."""
    import fcntl  # not on Windows

    answer = bytearray(_CAPABILITY.size)
    try:
        with open(path, "rb", buffering=0) as node:
            fcntl.ioctl(node, _VIDIOC_QUERYCAP, answer)
    except OSError:
        return True  # busy or not permitted: opening it will say so
    _, _, _, _, capabilities, device_caps, *_ = _CAPABILITY.unpack(answer)
    if capabilities & _HAS_DEVICE_CAPS:
        capabilities = device_caps
    return bool(capabilities & _VIDEO_CAPTURE)


def _probed() -> list[CameraDevice]:
    import cv2

    cv2.setLogLevel(0)
    found = []
    for index in range(_PROBED):
        capture = cv2.VideoCapture(index)
        if capture.isOpened():
            found.append(CameraDevice(index, f"camera {index}", ""))
        capture.release()
    return found
