"""Opens a virtual camera in the pixel format it takes; mends what v4l2loopback left broken."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from kfx import clock
from kfx.sinks import v4l2
from kfx.types import Pixels

CLAIM_S = 0.5  # a living writer sends more than two frames a second


class Refused(Exception):
    """The camera can't be opened: what is wrong, and a remedy if it is not the usual one."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(error)
        self.remedy = remedy


class Device:
    """An open camera and the picture it shows, in the format it takes.

    RGB is what libyuv turns into I420 best (it averages chroma, OpenCV doesn't). The other
    formats are for a camera that a reader or its owner holds at one, RGBA for Unity Capture.
    """

    def __init__(self, camera: Any, taken: str = "RGB") -> None:
        self._camera = camera
        self._taken = taken
        self.name = str(camera.device)
        self.native = str(camera.native_fmt)
        height, width = camera.height, camera.width
        self.size = (width, height)
        self._buffer = np.zeros(SHAPES[taken](height, width), np.uint8)

    def show(self, pixels: Pixels) -> None:
        """Take over (h, w, 4) RGBA; it may be written again when this returns."""
        convert(pixels, self._taken, self._buffer)

    def send(self) -> None:
        self._camera.send(self._buffer)

    def close(self) -> None:
        self._camera.close()


SHAPES: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "RGB": lambda h, w: (h, w, 3),
    "RGBA": lambda h, w: (h, w, 4),
    "I420": lambda h, w: (h * 3 // 2, w),
    "NV12": lambda h, w: (h * 3 // 2, w),
    "YUYV": lambda h, w: (h, w, 2),
    "UYVY": lambda h, w: (h, w, 2),
    "GRAY": lambda h, w: (h, w),
}
FOURCC = {"YU12": "RGB", "NV12": "NV12", "YUYV": "YUYV", "UYVY": "UYVY", "GREY": "GRAY"}
"""What v4l2loopback calls a format → what is sent for it."""


def convert(pixels: Pixels, taken: str, out: Any) -> None:
    """Write `pixels` into `out` as `taken`; YUV is BT.601, limited range."""
    import cv2

    if taken == "RGBA":
        np.copyto(out, pixels)
        return
    if taken != "NV12":
        codes = {
            "RGB": cv2.COLOR_RGBA2RGB,
            "I420": cv2.COLOR_RGBA2YUV_I420,
            "YUYV": cv2.COLOR_RGBA2YUV_YUYV,
            "UYVY": cv2.COLOR_RGBA2YUV_UYVY,
            "GRAY": cv2.COLOR_RGBA2GRAY,
        }
        cv2.cvtColor(pixels, codes[taken], dst=out)
        return
    height, width = pixels.shape[:2]
    planes = cv2.cvtColor(pixels, cv2.COLOR_RGBA2YUV_I420)
    out[:height] = planes[:height]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    out[height:].reshape(height // 2, width // 2, 2)[:] = np.moveaxis(chroma, 0, -1)


def open_device(package: Any, device: str, size: tuple[int, int], rate: Fraction) -> Device:
    """Open the first candidate that works; `package` is pyvirtualcam. Raises `Refused`."""
    first: Refused | None = None
    for path in _candidates(device):
        try:
            if sys.platform != "linux" or not path:
                return _open_elsewhere(package, path, size, rate)
            _prepare(path)
            return _open_v4l2(package, path, size, rate)
        except Refused as refused:
            first = first or refused
        except Exception as error:  # pyvirtualcam raises RuntimeError and ValueError alike
            text = " ".join(str(error).split()).rstrip(".")
            first = first or Refused(text.removeprefix("'v4l2loopback' backend: "))
    assert first is not None
    raise first


def _open_elsewhere(
    package: Any, path: str | None, size: tuple[int, int], rate: Fraction
) -> Device:
    camera = package.Camera(*size, float(rate), device=path)
    if str(camera.native_fmt) != "RGBA":
        return Device(camera)
    name = camera.device
    camera.close()  # Unity Capture: alpha comes through, and nothing is converted
    again = package.Camera(*size, float(rate), device=name, fmt=package.PixelFormat.RGBA)
    return Device(again, "RGBA")


def _open_v4l2(package: Any, path: str, size: tuple[int, int], rate: Fraction) -> Device:
    """Open and ask the driver what became of it: pyvirtualcam doesn't look at its answer."""
    camera = package.Camera(*size, float(rate), device=path)
    try:
        width, height, fourcc = v4l2.picture_format(path)
    except OSError:  # no real device: a test's
        return Device(camera)
    taken = FOURCC.get(fourcc)
    if (width, height) != size or taken is None:
        camera.close()
        raise Refused(
            f"{path}: a reader holds it at {width}x{height} {fourcc}, not {size[0]}x{size[1]} YU12",
            f"close the program that shows it, or use --size {width}x{height}"
            if taken
            else "close the program that shows it",
        )
    if taken != "RGB":
        camera.close()
        _prepare(path)
        form = package.PixelFormat[taken]
        camera = package.Camera(*size, float(rate), device=path, fmt=form)
    v4l2.announce_rate(path, rate)
    return Device(camera, taken)


def _candidates(device: str) -> list[str | None]:
    """The devices to try: paths on Linux, names elsewhere, None for pyvirtualcam's choice."""
    if sys.platform != "linux":
        return [device or None]
    if device.startswith("/"):
        return [device]
    if device:
        path = v4l2.named(device)
        if path is None:
            names = ", ".join(f"{name} ({at})" for at, name in v4l2.devices()) or "none"
            raise Refused(f"no device is called {device!r} (there are: {names})")
        return [path]
    return [node.path for node in v4l2.loopbacks()] or [None]


def _prepare(path: str) -> None:
    """Check and, where v4l2loopback 0.12 is stuck, mend the device before it is opened."""
    try:
        node = v4l2.query(path)
    except PermissionError:
        raise Refused(
            f"{path}: permission denied", "sudo usermod -aG video $USER, then log in again"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOTTY:
            raise Refused(f"{path}: not a video device") from None
        raise Refused(f"{path}: {os.strerror(error.errno or 0)}") from None
    if not node.loopback:
        raise Refused(f"{path}: {node.name or 'this device'} is no v4l2loopback device")
    if not node.output and not _claim(path, node.capture):
        raise Refused(f"{path}: another program is sending to it", "close that program")


def _claim(path: str, watched: bool) -> bool:
    """Mend a device that is no output; False if that is because somebody sends to it.

    With a reader attached, v4l2loopback 0.12 looks the same whether its writer lives or is gone.
    But a living writer's next frame takes the output flag away again.
    """
    with contextlib.suppress(OSError):
        v4l2.mend(path)
    until = clock.now() + (CLAIM_S if watched else 0.0)
    while v4l2.query(path).output:
        if clock.now() >= until:
            return True
        clock.pause(0.02)
    return False
