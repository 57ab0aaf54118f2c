"""Files by their suffix: .mp4 H.264, .mov ProRes 4444, .png a still or a numbered sequence."""

from __future__ import annotations

import os
import re
from pathlib import Path

from kfx.errors import KfxError, UsageError
from kfx.sinks import landing
from kfx.types import Sink, StreamInfo

NUMBER = re.compile(r"%(0\d*)?d")


def open_sink(spec: str, stream: StreamInfo) -> Sink:
    """Check the target, then open it. Nothing is encoded before the checks have passed.

    Raises `KfxError` when the target exists (unless `stream.overwrite`) or can't be written.
    """
    path = Path(spec)
    if os.path.isdir(path):
        raise KfxError(f"{spec}: is a folder; name a file in it")
    if path.suffix.lower() == ".png":
        from kfx.sinks.image_sequence import ImageSequenceSink

        return ImageSequenceSink(spec, stream)
    if NUMBER.search(path.name):
        raise UsageError(f"{spec}: only .png can be numbered; use a name like frames/%06d.png")
    if os.path.exists(path) and not stream.overwrite:
        raise landing.exists(spec)
    from kfx.sinks.video import VideoSink

    return VideoSink(spec, stream)
