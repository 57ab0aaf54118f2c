"""Pictures to bytes of a container, at once: no picture waits for the next one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from kfx.sinks.video_recipe import MATRICES
from kfx.types import Pixels, StreamInfo

CLOCK = 90_000  # ticks a second
_BITS_PER_PIXEL = 0.12  # 3.3 Mbit/s at 720p30, 15 at 1080p60
_BT709, _BT601 = 1, 6


class Encoder:
    """Writes `format` (``nut``, ``mpegts``) into `out`, whose errors come out of `put`.

    `codec` is ``raw`` (RGBA as it is), ``ffv1`` (lossless with alpha) or a name of FFmpeg's for
    H.264; those lay transparent pictures over black. `buffer_size` is the most `out` gets at once.
    """

    def __init__(
        self,
        out: Any,
        format: str,
        stream: StreamInfo,
        options: dict[str, str],
        *,
        codec: str = "libx264",
        buffer_size: int = 1 << 16,
    ) -> None:
        self._alpha = codec in ("raw", "ffv1")
        self._over_black = stream.has_alpha and not self._alpha
        self._size = stream.size
        self._first: float | None = None
        self._last = -1
        self._matrix = _BT709 if stream.size[1] > 576 else _BT601
        self._container = av.open(
            out,
            "w",
            format=format,
            buffer_size=buffer_size,
            container_options={"flush_packets": "1"},
        )
        name = {"raw": "rawvideo"}.get(codec, codec)
        video = self._container.add_stream(name, stream.rate, options=_tuned(name, stream, options))
        width, height = stream.size
        even = 1 if self._alpha else 2  # 4:2:0 needs even sizes: the last column and row may go
        video.width, video.height = width // even * even, height // even * even
        video.pix_fmt = {"rawvideo": "rgba", "ffv1": "bgra"}.get(name, "yuv420p")
        video.time_base = video.codec_context.time_base = Fraction(1, CLOCK)
        if not self._alpha:
            context = video.codec_context
            context.color_primaries = context.color_trc = context.colorspace = self._matrix
            context.color_range = ColorRange.MPEG
        self._video = video
        self._container.start_encoding()

    def put(self, pixels: Pixels, seconds: float, *, key: bool = False) -> None:
        """Encode and write one picture of time `seconds`. `key` lets a viewer start here."""
        if self._first is None:
            self._first = seconds
        pts = round((seconds - self._first) * CLOCK)
        if pts <= self._last:
            return
        self._last = pts
        picture = self._converted(pixels)
        picture.pts, picture.time_base = pts, Fraction(1, CLOCK)
        if key:
            picture.pict_type = PictureType.I
        for packet in self._video.encode(picture):
            self._container.mux(packet)

    def _converted(self, pixels: Pixels) -> av.VideoFrame:
        width, height = self._video.width, self._video.height
        pixels = np.ascontiguousarray(pixels[:height, :width])
        match self._video.pix_fmt:
            case "rgba":
                return av.VideoFrame.from_ndarray(pixels, "rgba")
            case "bgra":
                bgra = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
                return av.VideoFrame.from_ndarray(bgra, "bgra")
        if self._over_black:
            alpha = cv2.cvtColor(np.ascontiguousarray(pixels[..., 3]), cv2.COLOR_GRAY2RGBA)
            pixels = cv2.multiply(pixels, alpha, scale=1 / 255)
        return av.VideoFrame.from_ndarray(pixels, "rgba").reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=MATRICES[self._matrix],
            dst_color_range=ColorRange.MPEG,
        )

    def close(self) -> None:
        """Write the container's end. Raises what `out` raises."""
        self._container.close()


def _tuned(name: str, stream: StreamInfo, options: dict[str, str]) -> dict[str, str]:
    """The encoder's options for the least delay."""
    if name == "rawvideo":
        return {}
    if name == "ffv1":
        return {"level": "3", "slices": "4", "threads": "2", "g": "1"}
    width, height = stream.size
    bits = _bits(options.get("bitrate", "")) or max(
        1_000_000, round(_BITS_PER_PIXEL * width * height * float(stream.rate))
    )
    gop = max(1, round(float(options.get("gop", "1")) * stream.rate))
    chosen = {"b": str(bits), "maxrate": str(bits), "bufsize": str(bits // 2), "g": str(gop)}
    if name == "libx264":
        preset = options.get("preset", "ultrafast")
        return chosen | {"preset": preset, "tune": "zerolatency", "threads": "2"}
    if name == "h264_nvenc":
        preset = options.get("preset", "p1")
        return chosen | {"preset": preset, "tune": "ull", "zerolatency": "1", "bf": "0"}
    return chosen | {"bf": "0"} | ({"preset": options["preset"]} if "preset" in options else {})


def _bits(text: str) -> int:
    scale = {"k": 1e3, "M": 1e6}.get(text[-1:], 1)
    return round(float(text.rstrip("kM") or 0) * scale)
