"""Proves FFmpeg's encoders and decoders by sending a few pictures through them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

CODECS = (
    ("libx264", "h264", "yuv420p"),
    ("prores_ks", "prores", "yuva444p10le"),
)
SIZE = (64, 48)
COUNT = 3
TOLERANCE = 6  # of 255


def round_trip(encoder: str, decoder: str, pixel_format: str) -> str:
    """Encode and decode grey pictures; returns what is wrong, empty if nothing is."""
    try:
        back = _there_and_back(encoder, decoder, pixel_format)
    except Exception as error:  # no such codec, or it can't open
        return f"{encoder}: {error}"
    if len(back) != COUNT:
        return f"{encoder}: {len(back)} of {COUNT} pictures came back"
    worst = int(np.abs(back[0].to_ndarray(format="rgb24").astype(int) - 128).max())
    return "" if worst <= TOLERANCE else f"{encoder}: a grey came back wrong by {worst}/255"


def _there_and_back(encoder: str, decoder: str, pixel_format: str) -> list[Any]:
    import av

    writer: Any = av.CodecContext.create(encoder, "w")
    writer.width, writer.height = SIZE
    writer.pix_fmt, writer.time_base = pixel_format, Fraction(1, 30)
    reader: Any = av.CodecContext.create(decoder, "r")
    grey = np.full((SIZE[1], SIZE[0], 4), 128, np.uint8)
    packets = []
    for index in range(COUNT):
        frame = av.VideoFrame.from_ndarray(grey, "rgba").reformat(format=pixel_format)
        frame.pts = index
        packets += writer.encode(frame)
    packets += writer.encode(None)
    return [frame for packet in [*packets, None] for frame in reader.decode(packet)]
