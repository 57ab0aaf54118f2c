"""The process that owns the virtual camera, so that kfx never loads pyvirtualcam (GPL-2).

``python -m kfx.sinks.vcam_process ADDRESS WIDTH HEIGHT RATE [DEVICE]`` waits for a byte on standard
input, opens the camera and listens at ADDRESS. Whoever connects gets one message of JSON (version,
device, native, size, rate; or error, remedy) and then the shared memory; the newest one to connect
feeds the camera. Its messages: ``0`` ``1`` ``2`` that slot holds the newest picture, ``q`` end now,
an empty one that it leaves (and is let go by an empty one). It is answered ``+`` when the slot just
ordered may be written again, or ``!reason`` when the camera is lost.

The device never vanishes: without new pictures the last one stays for `HOLD_S`, then a slate is
shown, at the rate of the stream. When kfx dies the process waits for another one to connect,
for `ORPHAN_S` or, under ``kfx live --supervise``, as long as the supervisor lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
from fractions import Fraction
from importlib import import_module
from multiprocessing.connection import Connection, Listener
from typing import Any, NamedTuple

from kfx import clock
from kfx.sinks import vcam_link
from kfx.sinks.slate import slate
from kfx.sinks.vcam_child import AGAIN
from kfx.sinks.vcam_device import Device, Refused, open_device

FIRST_S = 0.25  # so long a camera that comes back waits for a picture, not to flash black
HOLD_S = 2.0  # the last picture stays so long
ORPHAN_S = 5.0  # without a supervisor the camera ends so long after kfx has died
_WRITE_ERROR = b"error writing frame"  # pyvirtualcam prints this to stderr and goes on
_WRITE_ERRORS = 3


class News(NamedTuple):
    """What a thread tells the camera's: `data` None is a new connection, empty its end."""

    peer: Connection | None
    data: bytes | None


Inbox = queue.SimpleQueue[News]


def _accept(listener: Listener, inbox: Inbox) -> None:
    while True:
        try:
            peer = listener.accept()
        except (OSError, EOFError):
            continue
        inbox.put(News(peer, None))
        threading.Thread(target=_read, args=(peer, inbox), daemon=True).start()


def _read(peer: Connection, inbox: Inbox) -> None:
    with contextlib.suppress(EOFError, OSError):
        while data := peer.recv_bytes():
            inbox.put(News(peer, data))
    inbox.put(News(peer, b""))


def _watch_supervisor(folder: str, inbox: Inbox) -> None:
    """Nothing is ever sent here: the end of the connection is the news."""
    with contextlib.suppress(EOFError, OSError):
        vcam_link.connect(vcam_link.address(folder, vcam_link.LIFELINE)).recv_bytes()
    inbox.put(News(None, b"q"))


def _watch_complaints(inbox: Inbox) -> None:
    """A camera that can't be written to only prints: read stderr, and pass it on."""
    read_end, write_end = os.pipe()
    keep = os.dup(2)
    os.dup2(write_end, 2)
    os.close(write_end)

    def watch() -> None:
        text, errors = b"", 0
        while chunk := os.read(read_end, 4096):
            with contextlib.suppress(OSError):
                os.write(keep, chunk)
            text = (text + chunk)[-2000:]
            errors += chunk.count(_WRITE_ERROR)
            if errors >= _WRITE_ERRORS:
                last = _WRITE_ERROR + text.rpartition(_WRITE_ERROR)[2]
                inbox.put(News(None, b"!" + last.strip()))
                errors = 0

    threading.Thread(target=watch, daemon=True).start()


class Host:
    """Feeds `device` from whoever is connected."""

    def __init__(
        self,
        device: Device,
        rate: Fraction,
        inbox: Inbox,
        *,
        supervised: bool,
        first_s: float = 0.0,
    ) -> None:
        """Black is sent when no picture has come within `first_s`."""
        self._device = device
        self._first_s = first_s
        self._memory = vcam_link.Memory(device.size)
        self._period_s = 1.0 / float(rate)
        self._hello = {
            "version": vcam_link.VERSION,
            "device": device.name,
            "native": device.native,
            "size": list(device.size),
            "rate": str(rate),
        }
        self._inbox = inbox
        self._supervised = supervised
        self._peer: Connection | None = None
        self._heard = clock.now()
        self._slated = False
        self._end_at = float("inf")

    def serve(self) -> None:
        """Send what is ordered; repeat the picture at the rate of the stream in between."""
        due = clock.now() + self._first_s
        if not self._first_s:
            self._device.send()  # with exclusive_caps a reader sees no camera before a picture
            due += self._period_s
        while clock.now() < self._end_at:
            try:
                news = self._inbox.get(timeout=max(0.0, due - clock.now()))
            except queue.Empty:
                self._slate_if_silent()
                self._device.send()
                due = max(due + self._period_s, clock.now())
                continue
            if news.data is None:
                self._welcome(news.peer)
            elif news.data == b"q" and news.peer in (None, self._peer):
                return
            elif news.data.startswith(b"!"):
                self._tell(news.data)
                return
            elif news.peer is self._peer:
                if not news.data:
                    self._tell(b"")  # to one who leaves the camera to the next kfx
                    self._peer = None
                    if not self._supervised:
                        self._end_at = clock.now() + ORPHAN_S
                    continue
                self._device.show(self._memory.slots[int(news.data)])
                self._tell(b"+")
                self._device.send()
                self._heard, self._slated = clock.now(), False
                # A punctual kfx never meets a repeat.
                due = self._heard + 1.5 * self._period_s

    def _slate_if_silent(self) -> None:
        if not self._slated and clock.now() - self._heard > HOLD_S:
            self._device.show(slate(*self._device.size))
            self._slated = True

    def _welcome(self, peer: Connection | None) -> None:
        self._peer = peer
        self._end_at = float("inf")
        self._tell(json.dumps(self._hello).encode())
        assert peer is not None
        with contextlib.suppress(OSError):  # it died meanwhile; its reader says so too
            self._memory.hand_over(peer)

    def _tell(self, data: bytes) -> None:
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.send_bytes(data)


def _load() -> None:
    """What takes time, before anybody waits for it."""
    for name in ("cv2", "pyvirtualcam"):
        with contextlib.suppress(ImportError):  # told when the camera is opened
            import_module(name)


def _open(device: str, size: tuple[int, int], rate: Fraction) -> Device:
    try:
        import pyvirtualcam
    except ImportError as error:
        raise Refused(f"pyvirtualcam is missing ({error})", "pip install pyvirtualcam") from None
    return open_device(pyvirtualcam, device, size, rate)


def _refuse(inbox: Inbox, refused: Refused) -> None:
    """Tell the one who started this process why there is no camera."""
    answer: dict[str, Any] = {"error": str(refused), "remedy": refused.remedy}
    with contextlib.suppress(queue.Empty, OSError):
        while (news := inbox.get(timeout=ORPHAN_S)).data is not None:
            pass
        assert news.peer is not None
        news.peer.send_bytes(json.dumps(answer).encode())
        inbox.get(timeout=ORPHAN_S)  # until it has read the answer and gone


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _load()
    word = os.read(0, 1)
    if not word:
        return 0  # kfx has ended without needing it
    at, size, rate = arguments[0], (int(arguments[1]), int(arguments[2])), Fraction(arguments[3])
    name = arguments[4] if len(arguments) > 4 else ""
    folder = os.environ.get(vcam_link.FOLDER_VARIABLE, "")
    inbox: Inbox = queue.SimpleQueue()
    listener = vcam_link.listen(at)
    threading.Thread(target=_accept, args=(listener, inbox), daemon=True).start()
    if folder:
        threading.Thread(target=_watch_supervisor, args=(folder, inbox), daemon=True).start()
    try:
        device = _open(name, size, rate)
    except Refused as refused:
        _refuse(inbox, refused)
        return 1
    try:
        import cv2

        cv2.setNumThreads(1)
        _watch_complaints(inbox)
        first_s = FIRST_S if word == AGAIN else 0.0
        Host(device, rate, inbox, supervised=bool(folder), first_s=first_s).serve()
    finally:
        device.close()
        if not folder:
            shutil.rmtree(os.path.dirname(at), ignore_errors=True)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Threads may still block in a read; a normal exit would wait for what they hold.
    os._exit(code)
