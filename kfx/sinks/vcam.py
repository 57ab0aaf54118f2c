"""The virtual camera, run by a process of its own and fed through shared memory.

Three slots: one the camera reads, one with the newest shot, one being written. So `write` is a
copy and never waits, no picture is torn, and a camera that is late gets the newest shot. Under
``kfx live --supervise`` the camera process outlives kfx and the next kfx takes it over.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import zlib
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from kfx import clock
from kfx.errors import KfxError
from kfx.sinks import vcam_child, vcam_link
from kfx.sinks.vcam_child import Child
from kfx.types import Shot, StreamInfo

REMEDIES = {
    "linux": "sudo apt install v4l2loopback-dkms && "
    "sudo modprobe v4l2loopback exclusive_caps=1 card_label=kfx",
    "darwin": "install OBS >= 30 (obsproject.com), start its virtual camera once and stop it",
    "win32": "install OBS (obsproject.com) or Unity Capture",
}
OPEN_TIMEOUT_S = 20.0
SPARES = 2  # so that a camera killed twice is back at once twice, while others are being loaded
SPARE_S = 3.0  # after the start of a show, which has better to do with its processors
STUCK_S = 5.0  # a camera that takes no picture for so long is closed and opened again
RESTART_S = 2.0  # one that dies young twice running is tried again so often, others at once
_in_use: set[str] = set()  # addresses of this process's cameras


def open_sink(spec: str, stream: StreamInfo) -> VcamSink:
    """``vcam``, ``vcam:/dev/video10``, ``vcam:kfx`` (part of a device's name)."""
    return VcamSink(spec.partition(":")[2].strip(), stream)


class VcamSink:
    """Shows every shot on a virtual camera. Raises `KfxError` if it can't be opened.

    A camera lost during the show is reported in `warnings` and opened again.
    `skipped` counts shots a newer one replaced before the camera took them, `lost` those without
    a camera or of another size.
    """

    def __init__(self, device: str, stream: StreamInfo) -> None:
        self.warnings: list[str] = []
        self.skipped = 0
        self.lost = 0
        self.sent = 0
        self.device = device
        self.native = ""  # the camera's own pixel format, e.g. "I420"
        self.reattached = False  # the camera was there already, left by a kfx that died
        width, height = stream.size
        if width % 2 or height % 2:
            even = f"{width & ~1}x{height & ~1}"
            raise KfxError(f"virtual camera: {width}x{height} has an odd side; use --size {even}")
        self._size, self._rate, self._wanted = stream.size, str(stream.rate), device
        self._supervised = bool(os.environ.get(vcam_link.FOLDER_VARIABLE))
        self._folder, self._at = _rendezvous(device)
        self._lock = threading.Lock()
        self._slots: list[Any] = []
        self._reading: int | None = None
        self._asked = 0.0  # when it was told to read
        self._pending: int | None = None
        self._peer: Connection | None = None  # while the camera is open
        self._child: Child | None = None
        self._spares: list[Child] = []  # loaded, for the moment the other one dies
        self._closing = threading.Event()
        self._leaving = False  # the camera goes on without this sink
        self._opened = threading.Event()
        self._refusal = ""
        self._refused = False  # by a camera that said why, which another try won't change
        self._thread = threading.Thread(target=self._supervise, name="kfx-vcam", daemon=True)
        self._thread.start()
        if not self._opened.wait(OPEN_TIMEOUT_S):
            self._refusal = f"no answer within {OPEN_TIMEOUT_S:.0f} s; {_usual_remedy()}"
        if self._refusal:
            self.close()
            raise KfxError(f"virtual camera: {self._refusal}")

    def write(self, shot: Shot) -> None:
        """Copy the picture (RGBA; most cameras drop alpha) for the camera to take when ready."""
        with self._lock:
            if self._peer is None:
                self.lost += 1
                return
            slots = self._slots
            if self._reading is not None and clock.now() - self._asked > STUCK_S and self._child:
                self._child.kill()  # the supervising thread opens another one
            taken = (self._reading, self._pending)
            slot = next(s for s in range(vcam_link.SLOTS) if s not in taken)
        if shot.pixels.shape != slots[slot].shape or shot.pixels.dtype != np.uint8:
            self.lost += 1  # no reason to lose the camera as well
            kind = f"{shot.pixels.shape} {shot.pixels.dtype}"
            self._warn(f"virtual camera: a picture of {kind} was left out")
            return
        np.copyto(slots[slot], shot.pixels)
        with self._lock:
            if self._slots is not slots:  # the camera was lost meanwhile
                self.lost += 1
                return
            if self._pending is not None:
                self.skipped += 1
            self._pending = slot
            self._offer()

    def _offer(self) -> None:
        """Hand the newest shot over if the camera waits for one; the lock is held."""
        if self._peer is None or self._reading is not None or self._pending is None:
            return
        with contextlib.suppress(OSError):  # it just died: the supervisor will notice
            self._peer.send_bytes(b"%d" % self._pending)
            self._reading, self._pending = self._pending, None
            self._asked = clock.now()

    def _supervise(self) -> None:
        """Talk to one camera process after the other until closed, one every `RESTART_S`."""
        young = 0
        again = False  # a camera that dies while it is opened is tried a second time
        while not self._closing.is_set():
            began = clock.now()
            reason = self._attach()
            if not self._opened.is_set():
                if not self._refused and not again:
                    again = True
                    continue
                self._refusal = reason
                self._opened.set()
                return
            if not self._closing.is_set():
                self._warn(f"virtual camera: {reason} (it is opened again)")
            lived_s = clock.now() - began
            young = young + 1 if lived_s < RESTART_S else 0
            if young > 1:
                self._closing.wait(RESTART_S - lived_s)

    def _attach(self) -> str:
        """Take over a camera that is there, or start one; returns why it ended."""
        with contextlib.suppress(OSError, EOFError, KfxError):
            peer = vcam_link.connect(self._at)
            hello = json.loads(peer.recv_bytes())
            wanted = [vcam_link.VERSION, list(self._size), self._rate]
            if [hello.get(key) for key in ("version", "size", "rate")] == wanted:
                self.reattached = True
                return self._talk(peer, hello) or "its process ended"
            peer.send_bytes(b"q")
            while not self._closing.wait(0.02):  # until nobody listens there any more
                vcam_link.connect(self._at).close()
        return self._run_child()

    def _run_child(self) -> str:
        """One life of a camera process that this sink starts; returns why it ended."""
        try:
            child = self._loaded() or self._new_child()
        except OSError as error:
            return f"can't start its process: {error}"
        self._child, told = child, False
        child.go(again=self._opened.is_set())
        try:
            peer = child.reach(self._closing)
            if peer is None:
                return child.last_words()
            hello = json.loads(peer.recv_bytes())
            if "error" in hello:
                peer.close()
                self._refused = True
                return f"{hello['error']}; {hello['remedy'] or _usual_remedy()}"
            told = True  # whoever ends the talk tells the camera to close
            return self._talk(peer, hello) or child.last_words()
        except (OSError, EOFError):
            return child.last_words()
        finally:
            if self._leaving:
                child.forget()
            else:
                child.end(gently=told and self._closing.is_set())
            self._child = None

    def _loaded(self) -> Child | None:
        """A spare that nobody has killed meanwhile."""
        while self._spares:
            child = self._spares.pop(0)
            if child.alive:
                return child
            child.end()
        return None

    def _new_child(self) -> Child:
        os.makedirs(self._folder, 0o700, exist_ok=True)
        return Child(self._at, (*map(str, self._size), self._rate, self._wanted))

    def _talk(self, peer: Connection, hello: dict[str, Any]) -> str:
        """Feed the camera until it ends; returns what it said, if anything."""
        memory = vcam_link.Memory.receive(peer, self._size)
        with self._lock:
            self.device, self.native = hello["device"], hello["native"]
            self._slots, self._peer = memory.slots, peer
            self._reading = self._pending = None
        opened = clock.now()
        if self._opened.is_set():
            self._warn(f"virtual camera: {self.device} is back")
            opened -= SPARE_S  # the show is long on its way: the first one is wanted at once
        self._opened.set()
        try:
            while True:
                answer = peer.recv_bytes()
                count = len(self._spares)
                if count < SPARES and clock.now() - opened > SPARE_S * (1 + count):
                    with contextlib.suppress(OSError):
                        self._spares.append(self._new_child())
                if not answer:  # this sink leaves, the camera stays
                    return ""
                if answer.startswith(b"!"):
                    return answer[1:].decode("utf-8", "replace")
                with self._lock:
                    self.sent += 1
                    self._reading = None
                    self._offer()
        except (EOFError, OSError):
            return ""
        finally:
            with self._lock:
                self._slots, self._peer = [], None
            memory.close()
            peer.close()

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def close(self) -> None:
        """Close the camera at once. May be called twice."""
        self._end(b"q")

    def abort(self) -> None:
        """Like `close`; but under a supervisor the camera stays, for the next kfx."""
        self._end(b"" if self._supervised else b"q")

    def _end(self, word: bytes) -> None:
        if self._closing.is_set():
            return
        with self._lock:
            self._closing.set()
            self._leaving = not word
            if self._peer is not None:
                with contextlib.suppress(OSError):
                    self._peer.send_bytes(word)
        self._thread.join(vcam_child.LAST_S)
        child = self._child
        if self._thread.is_alive() and child is not None and word:
            child.kill()
            self._thread.join(2.0)
        for spare in self._spares:
            spare.end()
        _in_use.discard(self._at)
        if not self._supervised:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> VcamSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.abort() if kind else self.close()


def _rendezvous(device: str) -> tuple[str, str]:
    """The folder and the address of the camera process for `device`.

    Under a supervisor both are the same in the next kfx: the n-th camera of this name.
    """
    folder = os.environ.get(vcam_link.FOLDER_VARIABLE, "")
    if not folder:
        folder = tempfile.mkdtemp(prefix="kfx-")
        return folder, vcam_link.address(folder, "vcam")
    number = 0
    while True:
        at = vcam_link.address(folder, f"vcam-{zlib.crc32(device.encode()):08x}-{number}")
        if at not in _in_use:
            _in_use.add(at)
            return folder, at
        number += 1


def _usual_remedy() -> str:
    return REMEDIES.get(sys.platform, REMEDIES["linux"])
