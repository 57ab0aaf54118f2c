"""What ISF shaders see of sound: its waveform, or its spectrum, as rows of numbers 0..1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kfx.types import Sound

WINDOW_S = 2048 / 48000  # of a spectrum
TOP_HZ = 24000.0  # the last column ends here, or where the sound itself does
RANGE_DB = 80.0  # 1 is a sine of full scale, 0 is so far below

Rows = npt.NDArray[np.float32]
"""(channels, columns), a row for each channel."""


def waveform(sound: Sound, columns: int) -> Rows:
    """The newest samples, oldest first; silence is 0.5, full scale 0 and 1."""
    return np.clip(sound.newest(columns) * np.float32(0.5) + np.float32(0.5), 0.0, 1.0)


def spectrum(sound: Sound, columns: int) -> Rows:
    """Levels of `columns` bands of equal width in hertz, the lowest first.

    A band's level is that of all that sounds in it, in decibels: one column is the loudness of
    the whole. The spectrum is that of the newest 43 ms, under a Hann window.
    """
    rate = sound.rate
    top = min(TOP_HZ, rate / 2)
    count = max(64, round(WINDOW_S * rate))
    size = _power_of_two(max(count, 2 * columns * rate / top))  # a bin in each column at least
    window = np.hanning(count)
    power = np.abs(np.fft.rfft(sound.newest(count) * window, n=size, axis=1)) ** 2
    power *= 4.0 / (size * np.square(window).sum())  # Parseval: a sine of full scale sums to 1
    power[:, 0] = 0.0  # an offset isn't heard
    edges = np.ceil(np.arange(columns + 1) * (top / columns) * size / rate - 1e-9).astype(int)
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    bands = np.diff(sums[:, np.minimum(edges, power.shape[1])], axis=1)
    decibels = 10.0 * np.log10(np.maximum(bands, 1e-12))
    levels: Rows = np.clip(1.0 + decibels / RANGE_DB, 0.0, 1.0).astype(np.float32)
    return levels


def _power_of_two(least: float) -> int:
    return 1 << int(np.ceil(np.log2(least)))
