"""Which cameras this machine has."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SYSFS = Path("/sys/class/video4linux")
_VIDIOC_QUERYCAP = 0x80685600  # linux/videodev2.h: _IOR('V', 0, struct v4l2_capability)
_CAPABILITY = struct.Struct("=16s32s32s6I")
_VIDEO_CAPTURE = 0x1 | 0x1000  # single- and multi-planar
_HAS_DEVICE_CAPS = 0x80000000
_PROBED = 8
_PROFILER = ("system_profiler", "SPCameraDataType", "-json")


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """`index` as OpenCV counts; `name` and `path` where the system tells them."""

    index: int
    name: str
    path: str


def devices(sysfs: Path = _SYSFS) -> list[CameraDevice]:
    """All cameras, lowest index first. Linux and macOS are asked, Windows probed by opening."""
    if sys.platform == "linux":
        return _linux(sysfs)
    return (sys.platform == "darwin" and _mac()) or _probed()


def api() -> int:
    """The way to open cameras on this system: an index means another one by another way."""
    import cv2

    return {
        "linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW
    }.get(sys.platform, cv2.CAP_ANY)  # fmt: skip


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


def _mac() -> list[CameraDevice]:
    """OpenCV counts macOS's cameras in the order of their unique ids."""
    try:
        done = subprocess.run(_PROFILER, capture_output=True, text=True, timeout=10, check=True)
        rows = json.loads(done.stdout)["SPCameraDataType"]
        rows.sort(key=lambda row: row["spcamera_unique-id"])
        return [CameraDevice(index, row["_name"], "") for index, row in enumerate(rows)]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return []


def _probed() -> list[CameraDevice]:
    import cv2

    cv2.setLogLevel(0)
    found = []
    for index in range(_PROBED):
        capture = cv2.VideoCapture(index, api())
        if capture.isOpened():
            found.append(CameraDevice(index, f"camera {index}", ""))
        capture.release()
    return found
