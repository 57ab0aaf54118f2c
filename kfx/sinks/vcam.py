"""The virtual camera, run by a child process and fed through shared memory.

Three slots: one the child reads, one with the newest shot, one being written. So `write` is a
copy and never waits, no picture is torn, and a camera that is late gets the newest shot.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from kfx import clock
from kfx.errors import KfxError
from kfx.sinks.vcam_process import SLOTS
from kfx.types import Shot, StreamInfo

REMEDIES = {
    "linux": "sudo apt install v4l2loopback-dkms && "
    "sudo modprobe v4l2loopback exclusive_caps=1 card_label=kfx",
    "darwin": "install OBS >= 30 (obsproject.com), start its virtual camera once and stop it",
    "win32": "install OBS (obsproject.com) or Unity Capture",
}
OPEN_TIMEOUT_S = 20.0
RESTART_S = 2.0
_WRITE_ERROR = b"error writing frame"  # pyvirtualcam prints this to stderr and goes on


def open_sink(spec: str, stream: StreamInfo) -> VcamSink:
    """``vcam``, ``vcam:/dev/video10``, ``vcam:kfx`` (part of a device's name)."""
    return VcamSink(spec.partition(":")[2].strip(), stream)


class VcamSink:
    """Shows every shot on a virtual camera. Raises `KfxError` if it can't be opened.

    A camera lost during the show is reported in `warnings` and tried again every 2 s. `skipped`
    counts shots a newer one replaced before the camera took them, `lost` those without a camera.
    """

    def __init__(self, device: str, stream: StreamInfo) -> None:
        self.warnings: list[str] = []
        self.skipped = 0
        self.lost = 0
        self.sent = 0
        self.device = device
        self.native = ""  # the camera's own pixel format, e.g. "I420"
        width, height = stream.size
        if width % 2 or height % 2:
            even = f"{width & ~1}x{height & ~1}"
            raise KfxError(f"virtual camera: {width}x{height} has an odd side; use --size {even}")
        self._shape = (height, width, 4)
        self._memory = SharedMemory(create=True, size=SLOTS * height * width * 4)
        self._slots: Any = np.ndarray((SLOTS, *self._shape), np.uint8, buffer=self._memory.buf)
        self._slots.fill(0)  # touch every page now, not in the first frames
        self._command = [sys.executable, "-m", "kfx.sinks.vcam_process", self._memory.name]
        self._command += [str(width), str(height), str(stream.rate), device]
        self._lock = threading.Lock()
        self._reading: int | None = None
        self._pending: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = False  # the child has opened the camera
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._refusal = ""
        self._thread = threading.Thread(target=self._supervise, name="kfx-vcam", daemon=True)
        self._thread.start()
        if not self._opened.wait(OPEN_TIMEOUT_S):
            self._refusal = f"no answer within {OPEN_TIMEOUT_S:.0f} s; {self._usual_remedy()}"
        if self._refusal:
            self.close()
            raise KfxError(f"virtual camera: {self._refusal}")

    def write(self, shot: Shot) -> None:
        """Copy the picture (RGBA; alpha is dropped) for the camera to take when it is ready."""
        with self._lock:
            taken = (self._reading, self._pending)
            slot = next(s for s in range(SLOTS) if s not in taken)
        np.copyto(self._slots[slot], shot.pixels)
        with self._lock:
            if not self._ready:
                self.lost += 1
            elif self._pending is not None:
                self.skipped += 1
            self._pending = slot
            self._offer()

    def _offer(self) -> None:
        """Hand the newest shot over if the child waits for one; the lock is held."""
        child = self._child
        if not self._ready or self._reading is not None or self._pending is None:
            return
        assert child is not None
        assert child.stdin is not None
        with contextlib.suppress(OSError):  # it just died: the supervisor will notice
            child.stdin.write(b"%d" % self._pending)
            self._reading, self._pending = self._pending, None

    def _supervise(self) -> None:
        """Run the child again and again until closed, at most once every `RESTART_S`."""
        while not self._closing.is_set():
            began = clock.now()
            reason = self._run_child()
            if not self._opened.is_set():
                self._refusal = reason
                self._opened.set()
                return
            if not self._closing.is_set():
                self._warn(f"virtual camera: {reason} (trying again every {RESTART_S:.0f} s)")
            self._closing.wait(max(0.0, began + RESTART_S - clock.now()))

    def _run_child(self) -> str:
        """One life of the child; returns why it ended."""
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(
                self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                bufsize=0,
                creationflags=flags,
                start_new_session=True,  # Ctrl-C and a closed terminal are the parent's to answer
            )
        except OSError as error:
            return f"can't start its process: {error}"
        complaints = _Complaints(child)
        with self._lock:
            self._child = child
        try:
            return self._talk(child) or complaints.last or "its process ended"
        finally:
            with self._lock:
                self._ready, self._reading = False, None
                self._child = None
            if self._closing.is_set():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(1.0)
            child.kill()
            child.wait()
            complaints.join()
            for stream in (child.stdin, child.stdout, child.stderr):
                assert stream is not None
                stream.close()

    def _talk(self, child: subprocess.Popen[bytes]) -> str:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            return ""
        hello = json.loads(line)
        if "error" in hello:
            return f"{hello['error']}; {hello['remedy'] or self._usual_remedy()}"
        with self._lock:
            self.device, self.native = hello["device"], hello["native"]
            self._ready = True
            self._offer()
        if self._opened.is_set():
            self._warn(f"virtual camera: {self.device} is back")
        self._opened.set()
        while child.stdout.read(1) == b"+":
            with self._lock:
                self.sent += 1
                self._reading = None
                self._offer()
        return ""

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    @staticmethod
    def _usual_remedy() -> str:
        return REMEDIES.get(sys.platform, REMEDIES["linux"])

    def close(self) -> None:
        """Close the camera at once. May be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._lock:
            child = self._child
            if child is not None and child.stdin is not None:
                with contextlib.suppress(OSError):
                    child.stdin.write(b"q")
        self._thread.join(2.0)
        if self._thread.is_alive() and child is not None:
            child.kill()
            self._thread.join(2.0)
        self._slots = None
        self._memory.close()
        self._memory.unlink()

    abort = close

    def __enter__(self) -> VcamSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Complaints:
    """Reads what the child prints to stderr; ends a child that can't write to its device."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.last = ""
        self._child = child
        self._thread = threading.Thread(target=self._read, name="kfx-vcam-errors", daemon=True)
        self._thread.start()
        self.join = self._thread.join

    def _read(self) -> None:
        assert self._child.stderr is not None
        text, errors = b"", 0
        while chunk := self._child.stderr.read(4096):
            errors += chunk.count(_WRITE_ERROR)
            text = (text + chunk)[-2000:]
            lines = text.replace(_WRITE_ERROR, b"\n" + _WRITE_ERROR).decode("utf-8", "replace")
            self.last = next((s for s in reversed(lines.splitlines()) if s.strip()), "").strip()
            if errors >= 3:
                self._child.kill()
