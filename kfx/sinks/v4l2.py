"""The few Video4Linux calls that a virtual camera on Linux needs around pyvirtualcam."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

SYSFS = Path("/sys/class/video4linux")

# Request numbers for 64-bit Linux, from <linux/videodev2.h>.
_QUERYCAP = 0x80685600
_G_FMT = 0xC0D05604
_S_PARM = 0xC0CC5616
_STREAMON = 0x40045612
_CAPTURE, _OUTPUT = 1, 2  # capability bits; also the buffer types of the same name
_DEVICE_CAPS = 0x80000000
_TIME_PER_FRAME = 0x1000


@dataclass(frozen=True, slots=True)
class Node:
    """One ``/dev/videoN`` as VIDIOC_QUERYCAP describes it."""

    path: str
    name: str
    driver: str
    capture: bool
    output: bool

    @property
    def loopback(self) -> bool:
        return self.driver == "v4l2 loopback"

    @property
    def stuck(self) -> bool:
        """v4l2loopback 0.12 forgot that it is an output after its last writer left."""
        return self.loopback and not self.capture and not self.output

    @property
    def writable(self) -> bool:
        """A picture can be sent into it (a stuck one is mended by `mend`)."""
        return self.loopback and (self.output or self.stuck)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def _ioctl(fd: int, request: int, argument: bytearray) -> None:
    import fcntl

    fcntl.ioctl(fd, request, argument)


def query(path: str) -> Node:
    """What `path` can do. Raises `OSError` where it can't be opened or is no video device."""
    answer = bytearray(104)
    with _opened(path) as fd:
        _ioctl(fd, _QUERYCAP, answer)
    driver, card, _bus, _version, whole, own = struct.unpack_from("16s32s32s3I", answer)
    caps = own if whole & _DEVICE_CAPS else whole
    return Node(path, _text(card), _text(driver), bool(caps & _CAPTURE), bool(caps & _OUTPUT))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def devices(sysfs: Path = SYSFS) -> list[tuple[str, str]]:
    """(path, name) of every video device, by number; read from sysfs without opening any."""
    found = []
    for entry in sysfs.glob("video*"):
        number = re.fullmatch(r"video(\d+)", entry.name)
        with contextlib.suppress(OSError):
            if number:
                name = (entry / "name").read_text(errors="replace").strip()
                found.append((int(number[1]), f"/dev/{entry.name}", name))
    return [(path, name) for _, path, name in sorted(found)]


def loopbacks(sysfs: Path = SYSFS) -> list[Node]:
    """The v4l2loopback devices that can be opened, by number."""
    nodes = []
    for path, _ in devices(sysfs):
        with contextlib.suppress(OSError):
            nodes.append(query(path))
    return [node for node in nodes if node.loopback]


def named(text: str, sysfs: Path = SYSFS) -> str | None:
    """The path of the device called `text`, else of the first one whose name contains it."""
    wanted = text.casefold()
    everything = devices(sysfs)
    for matches in (str.__eq__, str.startswith, str.__contains__):
        for path, name in everything:
            if matches(name.casefold(), wanted):
                return path
    return None


def mend(path: str) -> None:
    """Make a stuck v4l2loopback an output again: STREAMON marks the opener a writer, and a
    writer's close resets the flag. (v4l2loopback #442; 0.15 doesn't need it.)
    """
    with _opened(path) as fd, contextlib.suppress(OSError):  # EINVAL is the expected answer
        _ioctl(fd, _STREAMON, bytearray(struct.pack("i", _OUTPUT)))


def picture_format(path: str) -> tuple[int, int, str]:
    """Width, height and FourCC that the output side of `path` is set to."""
    answer = bytearray(208)
    struct.pack_into("I", answer, 0, _OUTPUT)
    with _opened(path) as fd:
        _ioctl(fd, _G_FMT, answer)
    width, height, fourcc = struct.unpack_from("II4s", answer, 8)
    return width, height, fourcc.decode("latin-1")


def announce_rate(path: str, rate: Fraction) -> None:
    """Tell readers the frame rate; pyvirtualcam doesn't, and they would show 30. Best effort."""
    request = bytearray(204)
    rate = rate.limit_denominator(65535)
    struct.pack_into(
        "5I", request, 0, _OUTPUT, _TIME_PER_FRAME, 0, rate.denominator, rate.numerator
    )
    with contextlib.suppress(OSError), _opened(path) as fd:
        _ioctl(fd, _S_PARM, request)
