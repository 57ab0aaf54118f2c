"""Frames of a camera through OpenCV, each stamped at the moment it was taken."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction

import cv2

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.sources import Request
from kfx.sources.camera_devices import CameraDevice, api, devices
from kfx.types import Frame, Pixels, SourceInfo, freeze

_WANTED_SIZE = (1280, 720)
_WANTED_RATE = Fraction(30)
_PATIENCE_S = 2.0  # without a frame, before a camera counts as lost
_FIRST_PATIENCE_S = 5.0
_OLDEST_S = 1.0  # a driver's stamp that is older isn't by our clock
_CONVERT = {1: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}

__all__ = ["CameraDevice", "CameraSource", "devices", "open_source"]


def open_source(request: Request) -> CameraSource:
    """``camera:0``, ``camera:/dev/video2`` or a part of the camera's name.

    Raises `KfxError` when no such camera exists, it is busy, or it sends nothing.
    """
    request.reject_unknown_options(set())
    _quiet()
    return CameraSource(request)


class CameraSource:
    """A live `Source`. `frames` raises `KfxError` when the camera stops sending."""

    def __init__(self, request: Request) -> None:
        self.warnings: list[str] = []
        self._spec = request.spec
        self._lock = threading.Lock()
        self._closed = False
        target = _target(request)
        self._capture = cv2.VideoCapture(target, api())
        if not self._capture.isOpened():
            raise _unopened(request.spec, target)
        try:
            self._ask(request.size or _WANTED_SIZE, request.rate or _WANTED_RATE)
            self._opened = clock.now()
            self._last = Fraction(-1)
            first = self._grab(_FIRST_PATIENCE_S)
            if first is None:
                raise KfxError(
                    f"{self._spec}: opens but sends no picture; another program may be using it, "
                    "close that one or choose another size"
                )
        except BaseException:
            self.close()
            raise
        self._pending: tuple[float, Pixels] | None = first
        height, width = first[1].shape[:2]
        rate = _rate(self._capture.get(cv2.CAP_PROP_FPS)) or request.rate or _WANTED_RATE
        self.info = SourceInfo(
            spec=request.spec,
            kind="camera",
            size=(width, height),
            rate=rate,
            live=True,
            notes=_notes(request, (width, height), rate),
        )

    def frames(self) -> Iterator[Frame]:
        index = 0
        try:
            while not self._closed:
                grabbed = self._pending or self._grab(_PATIENCE_S)
                self._pending = None
                if grabbed is None:
                    if self._closed:
                        return
                    raise KfxError(
                        f"{self._spec}: the camera stopped sending; check its cable and whether "
                        "another program took it"
                    )
                captured, pixels = grabbed
                if pixels.shape[1::-1] != self.info.size:
                    raise KfxError(
                        f"{self._spec}: the camera changed its size from "
                        f"{self.info.size[0]}x{self.info.size[1]} to "
                        f"{pixels.shape[1]}x{pixels.shape[0]}"
                    )
                yield Frame(pixels, index, self._time(captured), captured)
                index += 1
        finally:
            self.close()

    def close(self) -> None:
        """Also from another thread: a grab in progress releases the camera when it returns."""
        self._closed = True
        if self._lock.acquire(timeout=_PATIENCE_S):
            try:
                self._capture.release()
            finally:
                self._lock.release()

    def __enter__(self) -> CameraSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, size: tuple[int, int], rate: Fraction) -> None:
        # MJPEG first: over USB 2 raw pictures of this size come at 10 frames a second.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._capture.set(cv2.CAP_PROP_FPS, float(rate))

    def _grab(self, patience_s: float) -> tuple[float, Pixels] | None:
        """(monotonic time, RGBA) of the next good picture; None when closed or none came."""
        began = clock.now()
        while not self._closed:
            with self._lock:
                good = self._capture.grab()
                captured = self._taken(clock.now())
                good, image = self._capture.retrieve() if good else (False, None)
                if self._closed:
                    self._capture.release()
                    return None
            if good and image is not None and image.size:
                image = self._unrolled(image)
                channels = 1 if image.ndim == 2 else image.shape[2]
                return captured, freeze(cv2.cvtColor(image, _CONVERT[channels]))
            if clock.now() - began > patience_s:
                return None
            clock.pause(0.01)
        return None

    def _taken(self, now: float) -> float:
        """When the frame just grabbed was taken, by the driver where it says so.

        V4L2 stamps by the clock of `kfx.clock`; frames wait in up to four buffers, so a machine
        that is late gets old ones, and must not call them new.
        """
        if sys.platform == "linux":
            told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if now - _OLDEST_S < told <= now:
                return told
        return now

    def _unrolled(self, image: Pixels) -> Pixels:
        """OpenCV gives a V4L2 camera's plain BGR pictures as one long row: fold it again."""
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if image.shape[0] == 1 and height > 1 and image.size == width * height * 3:
            return image.reshape(height, width, 3)
        return image

    def _time(self, captured: float) -> Fraction:
        """Seconds since opening, to the microsecond, always rising."""
        time = Fraction(round((captured - self._opened) * 1e6), 1_000_000)
        self._last = max(time, self._last + Fraction(1, 1_000_000))
        return self._last


def _target(request: Request) -> int | str:
    """What OpenCV is asked to open: an index, or on Linux a device path."""
    text = request.rest.strip()
    if not text:
        return 0
    if text.isdecimal():
        return int(text)
    if "/" in text or "\\" in text:
        if not os.path.exists(text):
            raise KfxError(f"{request.spec}: no such device; kfx list devices shows what there is")
        return text
    known = devices()
    found = [device for device in known if text.lower() in device.name.lower()]
    if found:
        return found[0].path if found[0].path and sys.platform == "linux" else found[0].index
    names = ", ".join(f"{device.index} ({device.name})" for device in known) or "none"
    raise UsageError(f"{request.spec}: no camera is called {text!r}; cameras found: {names}")


def _unopened(spec: str, target: int | str) -> KfxError:
    path = f"/dev/video{target}" if isinstance(target, int) else target
    if sys.platform == "linux" and not os.path.exists(path):
        return KfxError(
            f"{spec}: no camera there; kfx list devices shows them, -i performer needs none"
        )
    if sys.platform == "linux" and not os.access(path, os.R_OK | os.W_OK):
        return KfxError(f"{spec}: {path} may not be opened; add yourself to the group video")
    return KfxError(
        f"{spec}: can't be opened; close other programs that use it, allow camera access in the "
        "system's privacy settings, or choose another index"
    )


def _rate(fps: float) -> Fraction | None:
    if not 1 <= fps <= 1000:
        return None  # 0 or nan from drivers that don't know
    ntsc = Fraction(round(fps) * 1000, 1001)
    if abs(fps - ntsc) < 0.004 and abs(fps - round(fps)) > 0.004:
        return ntsc
    return Fraction(fps).limit_denominator(100)


def _notes(request: Request, size: tuple[int, int], rate: Fraction) -> tuple[str, ...]:
    asked_size, asked_rate = request.size or size, request.rate or rate
    if asked_size == size and abs(asked_rate / rate - 1) < Fraction(1, 100):
        return ()
    return (
        f"asked for {asked_size[0]}x{asked_size[1]} at {_short(asked_rate)}, "
        f"got {size[0]}x{size[1]} at {_short(rate)}",
    )


def _short(rate: Fraction) -> str:
    return f"{float(rate):.2f}".rstrip("0").rstrip(".")


def _quiet() -> None:
    """OpenCV prints every failed property and probe; what matters is in our errors."""
    cv2.setLogLevel(0)
