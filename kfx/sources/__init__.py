"""Where pictures come from: `open` turns a spec into a `Source`, one file per kind."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qsl

from kfx.errors import UsageError
from kfx.types import Source

KINDS: dict[str, str] = {
    "performer": "the embedded performer; performer?faces=2&size=1280x720&fps=30&seed=1",
    "camera": "a camera: camera:0, camera:/dev/video2, camera:FaceTime; ?size=1280x720&fps=60",
    "file": "a video file: clip.mp4, clip.mov, clip.mpg …",
    "stream": "by URL: rtsp://CAMERA, srt://HOST:PORT, udp://:PORT, tcp:// rtmp:// http://",
    "image": "a still or an image sequence: still.jpg, plate.%04d.png; ?fps=24",
}
SCHEMES = ("rtsp", "rtsps", "srt", "udp", "tcp", "rtmp", "rtmps", "http", "https")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})


@dataclass(frozen=True, slots=True)
class Request:
    """A spec taken apart: ``kind:rest?key=value``, and what the command line asked for."""

    spec: str
    kind: str
    rest: str
    options: Mapping[str, str]
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    start_s: Fraction = Fraction(0)
    stop_s: Fraction | None = None

    def option(self, name: str, default: str) -> str:
        return self.options.get(name, default)

    def reject_unknown_options(self, known: set[str]) -> None:
        """Raise `UsageError` for an option the kind doesn't have."""
        for name in self.options:
            if name not in known:
                raise UsageError(
                    f"{self.spec}: unknown option {name!r}; {self.kind} takes "
                    + ", ".join(sorted(known))
                )


def parse_size(text: str, place: str) -> tuple[int, int]:
    """``1280x720`` → (1280, 720); both 16..16384."""
    match = re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", text.strip())
    if not match:
        raise UsageError(f"{place}: {text!r} is no size; write it as WIDTHxHEIGHT, e.g. 1280x720")
    width, height = int(match[1]), int(match[2])
    if not (16 <= width <= 16384 and 16 <= height <= 16384):
        raise UsageError(f"{place}: {text!r} is outside 16..16384 pixels")
    return width, height


def parse_rate(text: str, place: str) -> Fraction:
    """``30``, ``24000/1001``, ``23.976`` or ``29.97`` → the exact rational rate, 1..1000."""
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"{place}: {text!r} is no frame rate; write 30, 23.976 or 24000/1001"
        ) from None
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    if rate.denominator != 1 and ntsc and abs(rate - ntsc) < Fraction(1, 200):
        rate = ntsc
    if not 1 <= rate <= 1000:
        raise UsageError(f"{place}: {text!r} is outside 1..1000 frames a second")
    return rate


def parse(
    spec: str,
    *,
    size: tuple[int, int] | None = None,
    rate: Fraction | None = None,
    start_s: Fraction = Fraction(0),
    stop_s: Fraction | None = None,
) -> Request:
    """Take a spec apart without opening anything."""
    scheme, url, _ = spec.partition("://")
    if url and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme):
        if scheme.lower() not in SCHEMES:
            raise UsageError(f"{scheme}://: no stream is read so; use {', '.join(SCHEMES)}")
        return Request(spec, "stream", spec, {}, size, rate, start_s, stop_s)
    head, mark, query = spec.rpartition("?") if not os.path.exists(spec) else (spec, "", "")
    if not mark:
        head, query = spec, ""
    options = dict(parse_qsl(query, keep_blank_values=True))
    if "size" in options:
        size = parse_size(options.pop("size"), spec)
    if "fps" in options:
        rate = parse_rate(options.pop("fps"), spec)
    kind, colon, rest = head.partition(":")
    if kind not in ("performer", "camera") or (kind == "camera" and not colon):
        kind, rest = _kind_of_path(head), head
    return Request(spec, kind, rest, options, size, rate, start_s, stop_s)


def _kind_of_path(path: str) -> str:
    if re.search(r"%0?\d*d", path) or Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return "image"
    return "file"


def open(  # the field's word, used as sources.open
    spec: str,
    *,
    size: tuple[int, int] | None = None,
    rate: Fraction | None = None,
    start_s: Fraction = Fraction(0),
    stop_s: Fraction | None = None,
) -> Source:
    """Open `spec` as a `Source`.

    `size` and `rate` are wishes to a camera and orders to the performer; a file ignores them.
    `start_s` and `stop_s` cut a file or the performer: frames with start_s <= time < stop_s.
    Raises `KfxError` that names the spec and the remedy.
    """
    request = parse(spec, size=size, rate=rate, start_s=start_s, stop_s=stop_s)
    source: Source = import_module(f"kfx.sources.{request.kind}").open_source(request)
    return source
