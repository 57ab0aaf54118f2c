"""What looks may hear: level, three bands and onsets, each 0..1, from samples alone.

Bands are the energy of a short spectrum below 200 Hz, up to 2 kHz and above, in decibels against
a slow automatic gain, so that a quiet take and a loud one look alike. An onset is a rise of the
bands above what the last second was like; `onset` jumps to its strength and fades.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kfx.sync.sound import RecordedSound, Recording

WINDOW_S = 0.0213  # 1024 samples at 48 kHz
HOP_S = WINDOW_S / 4
EDGES_HZ = (20.0, 200.0, 2000.0, 16000.0)
RANGE_DB = 36.0  # from 0 to 1 below the gain's ceiling
GAIN_FALLS_DB_S = 1.0  # the ceiling comes down so fast after loud parts
FLOOR_DB = -60.0  # the ceiling never falls below: silence stays silent
RELEASE_S = 0.12  # bands fall back so fast
FADE_S = 0.1  # an onset fades so fast
REFRACTORY_S = 0.1  # no second onset sooner
MEDIAN_S = 1.0
THRESHOLD_DB = 2.5  # mean rise over the bands, above the median of the last second
NAMES = ("audio.level", "audio.low", "audio.mid", "audio.high", "audio.onset")
SILENT: Mapping[str, float] = MappingProxyType(dict.fromkeys(NAMES, 0.0))


class Heard(NamedTuple):
    """The features at one time, in the order of `NAMES`."""

    at: float
    values: tuple[float, float, float, float, float]


class Features:
    """Feed it blocks of mono samples; every hop gives the features at the end of its window.

    Deterministic, and independent of the sizes of the blocks.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._size = max(64, round(WINDOW_S * sample_rate))
        self._hop = max(16, round(HOP_S * sample_rate))
        self._window = np.hanning(self._size)
        frequencies = np.fft.rfftfreq(self._size, 1 / sample_rate)
        self._bands = [
            (frequencies >= low) & (frequencies < high) for low, high in pairwise(EDGES_HZ)
        ]
        self._rest = np.zeros(self._size - self._hop)  # so the first hop already gives values
        self._count = 0  # hops done
        self._ceiling = [FLOOR_DB] * 4
        self._shown = [0.0] * 4
        self._before: deque[list[float]] = deque(maxlen=3)
        self._fluxes: deque[float] = deque(maxlen=max(8, round(MEDIAN_S / HOP_S)))
        self._onset = 0.0
        self._since = math.inf

    def feed(self, samples: npt.ArrayLike) -> list[Heard]:
        """Features of the hops these samples complete; `at` in seconds since the first sample."""
        with np.errstate(invalid="ignore"):
            block = np.asarray(samples, np.float64).reshape(-1)
        block = np.clip(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0), -4.0, 4.0)
        data = np.concatenate([self._rest, block])
        hops = max(0, (len(data) - self._size) // self._hop + 1)
        self._rest = data[hops * self._hop :]
        if not hops:
            return []
        views = np.lib.stride_tricks.sliding_window_view(data, self._size)
        frames = views[: hops * self._hop : self._hop]
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
        power *= 4.0 / self._window.sum() ** 2  # a full-scale sine is 1
        rows = [power[:, 1:].sum(axis=1), *(power[:, band].sum(axis=1) for band in self._bands)]
        decibels = 10.0 * np.log10(np.maximum(np.stack(rows, axis=1), 1e-12))
        return [self._step(row) for row in decibels.tolist()]

    def _step(self, levels: list[float]) -> Heard:
        seconds = self._hop / self._rate
        fall, release = GAIN_FALLS_DB_S * seconds, math.exp(-seconds / RELEASE_S)
        for i, level in enumerate(levels):
            self._ceiling[i] = max(level, self._ceiling[i] - fall, FLOOR_DB)
            now = min(1.0, max(0.0, 1.0 + (level - self._ceiling[i]) / RANGE_DB))
            self._shown[i] = max(now, self._shown[i] * release)
        flux = 0.0
        if len(self._before) == self._before.maxlen:
            audible = [ceiling - RANGE_DB for ceiling in self._ceiling[1:]]
            rises = (
                max(0.0, max(now, floor) - max(before, floor))
                for now, before, floor in zip(levels[1:], self._before[0][1:], audible, strict=True)
            )
            flux = sum(rises) / 3.0
        self._before.append(levels)
        usual = sorted(self._fluxes)[len(self._fluxes) // 2] if self._fluxes else 0.0
        self._fluxes.append(flux)
        self._since += seconds
        self._onset *= math.exp(-seconds / FADE_S)
        if flux > usual + THRESHOLD_DB and self._since >= REFRACTORY_S:
            self._since = 0.0
            self._onset = max(self._onset, min(1.0, (flux - usual) / (4 * THRESHOLD_DB)))
        self._count += 1
        level, low, mid, high = self._shown
        return Heard(self._count * seconds, (level, low, mid, high, self._onset))


def signals(heard: Heard | None) -> Mapping[str, float]:
    """Features as a tick's signals: ``audio.level``, ``audio.low`` …"""
    return SILENT if heard is None else dict(zip(NAMES, heard.values, strict=True))


class Track:
    """The features of a whole file, for offline work: the same numbers live input would give."""

    def __init__(self, path: str | Path) -> None:
        from kfx.sync import audio_file

        samples, rate = audio_file.load(path)
        self._recording = Recording.of(path, samples, rate)
        mono = samples.mean(axis=1)
        features = Features(rate)
        step = 30 * rate
        self._heard = [
            one for i in range(0, len(mono), step) for one in features.feed(mono[i : i + step])
        ]
        self._times = [one.at for one in self._heard]

    def signals(self, at: float) -> Mapping[str, float]:
        """The features at a time of the file; silence before and after it."""
        i = bisect_right(self._times, at)
        if i == 0 or at > self._times[-1] + HOP_S:
            return SILENT
        return signals(self._heard[i - 1])

    def sound(self, at: float) -> RecordedSound:
        """The samples up to a time of the file."""
        return self._recording.sound(at)
