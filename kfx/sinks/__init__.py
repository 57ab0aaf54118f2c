"""Where shots go: `open` turns a spec into a `Sink`, one file per kind."""

from __future__ import annotations

import os
from importlib import import_module

from kfx.errors import UsageError
from kfx.types import Sink, StreamInfo

KINDS: dict[str, str] = {
    "file": "a file: out.mp4 (H.264), out.mov (ProRes 4444), frames/%06d.png",
    "null": "nowhere: counts frames, for measuring",
    "preview": "a page on this machine, with the plate to compare: preview, preview:8765?open=1",
    "obs": "OBS Studio on this machine, by the script integrations/obs/kfx_obs.py: obs, obs:8766",
    "stream": "other programs and machines: nut://127.0.0.1:9500 (with alpha), srt://HOST:PORT, "
    "rtsp://HOST:PORT/NAME, rtmp://…, udp://HOST:PORT; without sound",
    "ndi": "an NDI source with alpha, needs pip install 'kfx[ndi]': ndi:Name",
    "spout": "Spout on Windows, needs pip install SpoutGL, not tried by us: spout:Name",
    "syphon": "Syphon on macOS, needs pip install syphon-python, not tried by us: syphon:Name",
    "vcam": "the virtual camera: vcam, vcam:/dev/video10, vcam:OBS Virtual Camera",
    "osc": "face data: osc://127.0.0.1:9000, osc://HOST:PORT?format=vmc (or livelink, "
    "ifacialmocap, facecap, faceosc)",
}
_SCHEMES = ("nut", "srt", "rtsp", "rtmp", "rtmps", "udp")  # of a stream
_VIDEO_SUFFIXES = (".mp4", ".mov", ".png")


def kind_of(spec: str) -> str:
    """The kind a spec names. Raises `UsageError` for a spec no sink understands."""
    head = spec.partition(":")[0].partition("?")[0]
    if head in _SCHEMES:
        return "stream"
    if head in KINDS and head not in ("file", "stream"):
        return head
    if spec.lower().endswith(_VIDEO_SUFFIXES):
        return "file"
    if os.path.isdir(spec) or spec.endswith(("/", os.sep)):
        raise UsageError(f"{spec}: is a folder; name a file in it: {os.path.join(spec, 'out.mp4')}")
    raise UsageError(
        f"{spec}: no sink understands this; a file ends in .mp4, .mov or .png (frames/%06d.png); "
        "for all others see kfx list sinks"
    )


def open(spec: str, stream: StreamInfo) -> Sink:  # used as sinks.open
    """Open `spec` for a stream. Raises `KfxError` that names the spec and the remedy."""
    sink: Sink = import_module(f"kfx.sinks.{kind_of(spec)}").open_sink(spec, stream)
    return sink
