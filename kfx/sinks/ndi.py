"""The picture as an NDI source on the network, alpha kept: ``ndi:Name``.

    ndi:Stage left                  other machines see it as HOST (Stage left)
    ndi:Stage left?groups=set,vfx   only members of these groups see it; alpha=0 leaves alpha out

By its nature NDI listens on, and announces itself to, the networks this machine is in (on Linux
through the avahi daemon, which must run). It comes with an extra,
``pip install 'kfx[ndi]'``: cyndilib carries the NDI library, which is proprietary, used under its
own licence and no part of kfx. NDI is a registered trademark of Vizrt NDI AB; see https://ndi.video.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from kfx.errors import KfxError, UsageError
from kfx.types import Shot, StreamInfo


def open_sink(spec: str, stream: StreamInfo) -> NdiSink:
    """``ndi:Name`` with ``?groups=…&alpha=0``. Raises `KfxError` without the extra."""
    name, _, query = spec.partition(":")[2].partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options.keys() - {"groups", "alpha"}:
        raise UsageError(f"{spec}: unknown option {option!r}; ndi takes groups and alpha")
    if options.get("alpha", "1") not in ("0", "1"):
        raise UsageError(f"{spec}: alpha: {options['alpha']!r} is wrong; it takes 0 or 1")
    name = name.strip() or "kfx"
    return NdiSink(
        name, stream, groups=options.get("groups", ""), alpha=options.get("alpha") != "0"
    )


class NdiSink:
    """Sends every shot to whoever looks; without a receiver nothing is copied or coded."""

    def __init__(self, name: str, stream: StreamInfo, *, groups: str, alpha: bool) -> None:
        self.warnings: list[str] = []
        self._sender: Any = None
        self._size = width, height = stream.size
        self._buffer = np.empty((height, width, 4), np.uint8)
        sender, frame, code = _library(name)
        video = frame.VideoSendFrame()
        video.set_resolution(width, height)
        video.set_frame_rate(stream.rate)
        video.set_fourcc(code.RGBA if alpha else code.RGBX)
        try:
            self._sender = sender.Sender(name, ndi_groups=groups, clock_video=False)
            self._sender.set_video_frame(video)
            self._sender.open()
        except Exception as error:  # the library's own kinds of it
            self.close()
            raise KfxError(
                f"ndi:{name}: NDI can't start ({error or type(error).__name__}); is another "
                "source of this name running, or the CPU without SSE4.2?"
            ) from None

    @property
    def receivers(self) -> int:
        """How many look at the moment."""
        return int(self._sender.get_num_connections(0)) if self._sender else 0

    def write(self, shot: Shot) -> None:
        """Send one picture; NDI codes it in threads of its own."""
        if self.receivers:
            np.copyto(self._buffer, shot.pixels)
            self._sender.write_video_async(self._buffer.reshape(-1))

    def close(self) -> None:
        """Take the source off the network. May be called twice."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    abort = close

    def __enter__(self) -> NdiSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _library(name: str) -> tuple[Any, Any, Any]:
    try:
        sender = import_module("cyndilib.sender")
        frame = import_module("cyndilib.video_frame")
        return sender, frame, import_module("cyndilib.wrapper").FourCC
    except ImportError as error:
        raise KfxError(
            f"ndi:{name}: NDI isn't installed ({error}); pip install 'kfx[ndi]' (it brings NDI's "
            "own, proprietary library)"
        ) from None
