"""Where shots go: `open` turns a spec into a `Sink`, one file per kind."""

from __future__ import annotations

from importlib import import_module

from kfx.errors import UsageError
from kfx.types import Sink, StreamInfo

KINDS: dict[str, str] = {
    "file": "a file: out.mp4 (H.264), out.mov (ProRes 4444), frames/%06d.png",
    "null": "nowhere: counts frames, for measuring",
    "preview": "a page on this machine: preview, preview:8765",
    "vcam": "the virtual camera: vcam, vcam:/dev/video10, vcam:OBS Virtual Camera",
    "osc": "face data as OSC bundles: osc://127.0.0.1:9000",
}
_VIDEO_SUFFIXES = (".mp4", ".mov", ".png")


def kind_of(spec: str) -> str:
    """The kind a spec names. Raises `UsageError` for a spec no sink understands."""
    head = spec.partition(":")[0]
    if head in KINDS and head != "file":
        return head
    if spec.lower().endswith(_VIDEO_SUFFIXES):
        return "file"
    raise UsageError(f"{spec}: no sink understands this; use " + "; ".join(KINDS.values()))


def open(spec: str, stream: StreamInfo) -> Sink:  # used as sinks.open
    """Open `spec` for a stream. Raises `KfxError` that names the spec and the remedy."""
    sink: Sink = import_module(f"kfx.sinks.{kind_of(spec)}").open_sink(spec, stream)
    return sink
