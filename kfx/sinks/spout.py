"""The picture as a Spout sender for other programs on this Windows machine: ``spout:Name``.

Needs ``pip install SpoutGL``. NOT TRIED BY US: written from SpoutGL's sources and examples, tested
against a stand-in only, since nothing here runs Windows. Alpha is straight. All of Spout's calls
are made in one thread, which owns the OpenGL context they need.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

import numpy as np

from kfx.errors import KfxError
from kfx.sinks.newest import Newest
from kfx.types import Shot, StreamInfo

GL_RGBA = 0x1908
_START_S = 10.0


def open_sink(spec: str, stream: StreamInfo) -> SpoutSink:
    """``spout`` or ``spout:Name``. Raises `KfxError` off Windows and without SpoutGL."""
    name = spec.partition(":")[2].strip() or "kfx"
    if sys.platform != "win32":
        raise KfxError(f"{spec}: Spout is for Windows; here use nut://, ndi: or preview")
    try:
        library = import_module("SpoutGL")
    except ImportError as error:
        raise KfxError(f"{spec}: Spout isn't installed ({error}); pip install SpoutGL") from None
    return SpoutSink(name, stream, library)


class SpoutSink:
    """Sends the newest picture. Raises `KfxError` if Spout gets no OpenGL context."""

    def __init__(self, name: str, stream: StreamInfo, library: Any) -> None:
        self.warnings: list[str] = []
        self._name, self._size, self._library = name, stream.size, library
        self._newest = Newest()
        self._started = threading.Event()
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name="kfx-spout", daemon=True)
        self._thread.start()
        if not self._started.wait(_START_S) or self._fault:
            self.close()
            fault = self._fault or "no answer"
            raise KfxError(f"spout:{name}: Spout can't start ({fault}); is there a GPU driver?")

    def write(self, shot: Shot) -> None:
        """Make this the newest picture."""
        self._newest.put(shot)

    def _run(self) -> None:
        sender = self._library.SpoutSender()
        sender.setSenderName(self._name)
        if not sender.createOpenGL():
            self._fault = "no OpenGL context"
        self._started.set()
        if self._fault:
            return
        width, height = self._size
        picture = np.empty((height, width, 4), np.uint8)
        seen = 0
        with self._newest.watched():
            while not self._newest.closed:
                if (shot := self._newest.shot) is not None:
                    np.copyto(picture, shot.pixels)
                    sent = sender.sendImage(picture, width, height, GL_RGBA, False, 0)
                    if not sent and not self.warnings:
                        self.warnings.append(
                            "Spout refuses pictures; is the GPU's driver in order?"
                        )
                seen = self._newest.wait(seen)
        sender.releaseSender()
        sender.closeOpenGL()

    def close(self) -> None:
        """Take the sender away. May be called twice."""
        if not self._newest.closed:
            self._newest.close()
            self._thread.join(_START_S)

    abort = close

    def __enter__(self) -> SpoutSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
