"""The child process that owns the virtual camera, so that kfx never loads pyvirtualcam (GPL-2).

``python -m kfx.sinks.vcam_process MEMORY WIDTH HEIGHT RATE [DEVICE]``; MEMORY is a shared memory
block of `SLOTS` RGBA pictures. Orders come on stdin, one byte each: ``0`` ``1`` ``2`` means that
slot holds the newest picture, ``q`` end now; end of file means kfx died: the last picture stays
for `LINGER_S`. Replies go to stdout: one line of JSON (device, native, size, rate; or error,
remedy), then ``+`` whenever the slot just ordered has been read and may be written again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from kfx import clock
from kfx.sinks import v4l2

SLOTS = 3
LINGER_S = 2.0
CLAIM_S = 0.5  # a living writer sends more than two frames a second


class Refused(Exception):
    """The camera can't be opened: what is wrong, and a remedy if it is not the usual one."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(error)
        self.remedy = remedy


def _attach(name: str) -> Any:
    """The parent's shared memory, without telling this process's resource tracker (before
    Python 3.13 it would unlink the parent's memory when this process ends).
    """
    from multiprocessing import resource_tracker, shared_memory

    register = resource_tracker.register
    resource_tracker.register = lambda *_: None  # type: ignore[assignment]
    try:
        return shared_memory.SharedMemory(name)
    finally:
        resource_tracker.register = register


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
    v4l2.mend(path)
    until = clock.now() + (CLAIM_S if watched else 0.0)
    while v4l2.query(path).output:
        if clock.now() >= until:
            return True
        clock.pause(0.02)
    return False


def open_camera(device: str, width: int, height: int, rate: Fraction) -> Any:
    """Open the first candidate that works. Raises `Refused`."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise Refused(f"pyvirtualcam is missing ({error})", "pip install pyvirtualcam") from None
    first: Refused | None = None
    for path in _candidates(device):
        try:
            if path and sys.platform == "linux":
                _prepare(path)
            return _checked(
                pyvirtualcam.Camera(width, height, float(rate), device=path), width, height, rate
            )
        except Refused as refused:
            first = first or refused
        except Exception as error:  # pyvirtualcam raises RuntimeError and ValueError alike
            text = " ".join(str(error).split()).rstrip(".")
            first = first or Refused(text.removeprefix("'v4l2loopback' backend: "))
    assert first is not None
    raise first


def _checked(camera: Any, width: int, height: int, rate: Fraction) -> Any:
    """`camera`, once the driver confirms the format: pyvirtualcam doesn't look at its answer."""
    if sys.platform != "linux":
        return camera
    path = str(camera.device)
    with contextlib.suppress(OSError):
        real_width, real_height, fourcc = v4l2.picture_format(path)
        if (real_width, real_height, fourcc) != (width, height, "YU12"):
            camera.close()
            raise Refused(
                f"{path}: a reader holds it at {real_width}x{real_height} {fourcc}, "
                f"not {width}x{height} YU12",
                f"close the program that shows it, or use --size {real_width}x{real_height}"
                if fourcc == "YU12"
                else "close the program that shows it",
            )
        v4l2.announce_rate(path, rate)
    return camera


def _read_orders(orders: queue.SimpleQueue[bytes]) -> None:
    while order := os.read(0, 1):
        orders.put(order)
    orders.put(b"")


def serve(camera: Any, slots: list[Any], rate: Fraction, reply: Callable[[bytes], None]) -> None:
    """Send what is ordered, newest first; repeat the last picture at `rate` in between."""
    import cv2  # after the hello: nothing before the first frame needs it

    cv2.setNumThreads(1)
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    period_s = 1.0 / float(rate)
    picture = np.zeros((*slots[0].shape[:2], 3), np.uint8)
    camera.send(picture)  # with exclusive_caps a reader sees no camera before the first picture
    due = clock.now() + period_s
    end_at = float("inf")
    while clock.now() < end_at:
        try:
            order = orders.get(timeout=max(0.0, due - clock.now()))
        except queue.Empty:
            camera.send(picture)
            due = max(due + period_s, clock.now())
            continue
        if order == b"q":
            return
        if order == b"":
            end_at = clock.now() + LINGER_S
            continue
        cv2.cvtColor(slots[int(order)], cv2.COLOR_RGBA2RGB, dst=picture)
        reply(b"+")
        camera.send(picture)
        due = clock.now() + 1.5 * period_s  # a punctual parent never meets a repeat


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not look like a reply

    def reply(data: bytes) -> None:
        with contextlib.suppress(OSError):  # the parent died: stdin says so too
            os.write(out, data)

    memory_name, width, height = arguments[0], int(arguments[1]), int(arguments[2])
    rate, device = Fraction(arguments[3]), arguments[4] if len(arguments) > 4 else ""
    try:
        camera = open_camera(device, width, height, rate)
    except Refused as refused:
        reply(json.dumps({"error": str(refused), "remedy": refused.remedy}).encode() + b"\n")
        return 1
    memory = _attach(memory_name)
    try:
        slots = list(np.ndarray((SLOTS, height, width, 4), np.uint8, buffer=memory.buf))
        hello = {
            "device": str(camera.device),
            "native": str(camera.native_fmt),
            "size": [camera.width, camera.height],
            "rate": float(camera.fps),
        }
        reply(json.dumps(hello).encode() + b"\n")
        serve(camera, slots, rate, reply)
    finally:
        camera.close()
        slots = []
        with contextlib.suppress(BufferError):
            memory.close()
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # The thread that reads stdin may still block in it; a normal exit would be stuck with it.
    os._exit(code)
