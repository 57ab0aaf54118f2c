"""The picture as a Syphon server for other programs on this Mac: ``syphon:Name``.

Needs ``pip install syphon-python``. NOT TRIED BY US: written from that package's documentation,
tested against a stand-in only, since nothing here runs macOS. Alpha is straight.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np

from kfx.errors import KfxError
from kfx.types import Shot, StreamInfo


def open_sink(spec: str, stream: StreamInfo) -> SyphonSink:
    """``syphon`` or ``syphon:Name``. Raises `KfxError` off macOS and without syphon-python."""
    name = spec.partition(":")[2].strip() or "kfx"
    if sys.platform != "darwin":
        raise KfxError(f"{spec}: Syphon is for macOS; here use nut://, ndi: or preview")
    try:
        return SyphonSink(name, stream, import_module("syphon"), import_module("syphon.utils.raw"))
    except ImportError as error:
        raise KfxError(
            f"{spec}: Syphon isn't installed ({error}); pip install syphon-python"
        ) from None


class SyphonSink:
    """Publishes every shot while somebody looks, by way of one Metal texture."""

    def __init__(self, name: str, stream: StreamInfo, library: Any, raw: Any) -> None:
        self.warnings: list[str] = []
        self._raw = raw
        self._server: Any = library.SyphonMetalServer(name)
        self._texture = raw.create_mtl_texture(self._server.device, *stream.size)

    def write(self, shot: Shot) -> None:
        """Publish one picture. Its top row comes first, which Syphon calls flipped."""
        if self._server.has_clients:
            data = np.ascontiguousarray(shot.pixels).tobytes()
            self._raw.copy_bytes_to_mtl_texture(data, self._texture)
            self._server.publish_frame_texture(self._texture, is_flipped=True)

    def close(self) -> None:
        """Take the server away. May be called twice."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    abort = close

    def __enter__(self) -> SyphonSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
