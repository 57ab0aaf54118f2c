"""Linear timecode as sound: what a playback track carries beside the music."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from kfx import timecode
from kfx.sync import ltc_frame

RISE_S = 25e-6  # SMPTE ST 12-1: 25 ± 5 µs between 10 and 90 %
Seconds = npt.NDArray[np.float64]


def encode(
    start: str,
    frames: int,
    rate: Fraction,
    *,
    sample_rate: int = 48000,
    level: float = 0.5,
    user: int = 0,
    clock: Callable[[Seconds], Seconds] | None = None,
) -> npt.NDArray[np.float32]:
    """`frames` frames of LTC from the timecode `start` (a ``;`` means drop-frame), mono.

    `clock` gives for seconds on the tape (0 is the start) the second at which they are heard: a
    varispeed, wow or, where it falls, reverse; by default as they are. Edges lie where they
    belong between two samples. Raises `ValueError` for a bad timecode or a rate above 30.
    """
    drop = ";" in start
    first, base = timecode.parse(start, rate), timecode.nominal(rate)
    labels = (ltc_frame.label(first + i, rate, drop=drop, user=user) for i in range(frames))
    packed = b"".join(ltc_frame.pack(one, base=base).to_bytes(10, "little") for one in labels)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little").astype(bool)
    starts = np.arange(bits.size) * 2
    halves = np.sort(np.concatenate([starts, starts[bits] + 1, [2 * bits.size]]))
    edges = halves / (2 * ltc_frame.BITS) * float(1 / rate)
    if clock is not None:
        edges = np.asarray(clock(edges), np.float64)
        edges = edges if edges[0] <= edges[-1] else edges[::-1]
    edges = edges * sample_rate
    # The mean of the square wave around each sample: its integral is piecewise linear.
    signs = np.where(np.arange(edges.size - 1) % 2, -1.0, 1.0)
    integral = np.concatenate([[0.0], np.cumsum(signs * np.diff(edges))])
    at = np.arange(int(np.ceil(edges[-1])) + 1, dtype=np.float64)
    width = max(1.0, RISE_S * 1.25 * sample_rate)
    wave = np.interp(at + width / 2, edges, integral) - np.interp(at - width / 2, edges, integral)
    return (level * wave / width).astype(np.float32)
