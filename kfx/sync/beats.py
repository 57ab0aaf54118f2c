"""Finds tempo, beats and downbeats in a song.

Tempo: the lag at which the onsets repeat, among 85 to 175 beats a minute, so never half or double
of what people dance to. Beats: dynamic programming over the onsets (D. Ellis, Beat Tracking by
Dynamic Programming, 2007). A produced song has one tempo: where a straight line through the beats
explains them, the grid is that line, fitted to the attacks themselves; else the beats stay as
they were found. A short file whose length is 2, 4, 8 … beats of the tempo heard when it is played
over and over is a loop: cut on the beat, with the first one at its start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.sync.grid import Grid

SLOWEST, FASTEST = 85.0, 175.0
LIKELY_BPM, LIKELY_OCTAVES = 122.0, 0.8  # centre and width of the tempo's prior
ABOUT_HZ = 22050  # sound is averaged down to about this rate
TIGHT = 100.0  # how much Ellis' tracker minds a beat off its period
PAD_S = 0.5  # silence put before the song, so that an attack at its start is one
HOP, FINE_HOP = 256, 64
FINE_WINDOW = 512
LATE_S = -0.003  # how much later than the attack the fine onsets peak, measured on clicks
NEAR_S = 0.045  # a beat this near the line agrees with it
AGREE = 0.8  # of the beats on the line: one tempo
COMB = 0.8  # of the onsets that free beats meet: a steady grid that meets so many is right
HALF = 0.4  # of all: the half beat repeats so well that it is the beat
MIN_S = 2.0
SURE = 1.0  # standard deviations by which the 1 stands out; with less it was hardly ever right
GUESS = ", the 1 is a guess"
LOOP_S, LOOP_MIN_S, AROUND_S = 20.0, 0.5, 40.0  # a loop's length, and how long it is played
LOOP_NEAR = 0.003  # how near its tempo by length is to the one heard

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Onsets:
    """Onset strength at two resolutions, and the sound's low end; times count with the pad."""

    coarse: Floats  # every HOP samples
    fine: Floats  # every FINE_HOP samples
    low: Floats  # below 150 Hz
    high: Floats  # above 2 kHz, where snares are
    chroma: Floats  # (12, n), every HOP samples
    length_s: float
    rate: float  # samples a second

    def at(self, times: Floats) -> Floats:
        return _sample(self.fine, times * self.rate / FINE_HOP)


def find(samples: npt.NDArray[np.float32], sample_rate: int, *, beats_per_bar: int = 4) -> Grid:
    """The grid of a song, (n,) or (n, channels). Raises `KfxError` where there is no beat."""
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    if len(mono) < LOOP_MIN_S * sample_rate:
        raise KfxError(f"it lasts {len(mono) / sample_rate:.1f} s; {MIN_S:g} s are needed")
    if float(np.abs(mono).max()) < 1e-4:
        raise KfxError("it is silent")
    length_s = len(mono) / sample_rate
    fewer = max(1, round(sample_rate / ABOUT_HZ))
    mono = mono[: len(mono) // fewer * fewer].reshape(-1, fewer).mean(axis=1)
    if length_s <= LOOP_S and (loop := _loop(mono, sample_rate / fewer, length_s)):
        count, sure = loop
        beats = tuple(length_s * i / count for i in range(count))
        bars = beats[::beats_per_bar]
        bpm = 60.0 * count / length_s
        return Grid(
            bpm,
            beats,
            bars,
            beats_per_bar=beats_per_bar,
            source="kfx beats: a loop",
            confidence=sure,
        )
    if length_s < MIN_S:
        raise KfxError(f"it lasts {length_s:.1f} s and is no loop; {MIN_S:g} s are needed")
    onsets = _onsets(np.asarray(mono, np.float64), sample_rate / fewer)
    bpm = _tempo(onsets)
    beats = _track(onsets, bpm)
    if len(beats) < 4:
        raise KfxError("no beat was found; give --bpm and --first-downbeat")
    line = _line(onsets, beats) or _comb(onsets, 60.0 / bpm, beats)
    steady = line is not None
    if line is not None:
        start, period = line
        first = math.ceil((PAD_S - 0.02 - start) / period)
        last = math.floor((onsets.length_s + PAD_S - start) / period)
        beats = start + period * np.arange(first, last + 1)
    else:
        beats = np.unique(np.round(beats - _late(onsets, beats), 4))
        beats = beats[beats > PAD_S - 0.02]
    phase, clear = _downbeat(onsets, beats, beats_per_bar)
    times = np.maximum(beats - PAD_S, 0.0)
    explained = float(np.clip(onsets.at(beats).mean() / (onsets.fine.mean() * 6), 0, 1))
    return Grid(
        60.0 / float(np.median(np.diff(times))) if not steady else 60.0 / period,
        tuple(float(one) for one in times),
        tuple(float(one) for one in times[phase::beats_per_bar]),
        beats_per_bar=beats_per_bar,
        source=f"kfx beats: {'one' if steady else 'free'} tempo{'' if clear >= SURE else GUESS}",
        confidence=round(explained * (0.7 + 0.3 * clear) * (1.0 if steady else 0.7), 3),
    )


def _loop(mono: Floats, rate: float, length_s: float) -> tuple[int, float] | None:
    """How many beats the sound has if it is a loop, and how sure that is."""
    counts = [2**k for k in range(1, 7) if SLOWEST <= 60.0 * 2**k / length_s <= FASTEST]
    if not counts:
        return None
    heard = _tempo(_onsets(np.tile(mono, math.ceil(AROUND_S / length_s)), rate))
    off = [abs(heard * length_s / 60.0 / count - 1.0) for count in counts]
    if min(off) >= LOOP_NEAR:
        return None
    return counts[int(np.argmin(off))], round(1.0 - 0.5 * min(off) / LOOP_NEAR, 3)


def _onsets(mono: Floats, rate: float) -> _Onsets:
    pad = np.zeros(round(PAD_S * rate))
    padded = np.concatenate([pad, mono, pad])
    power = _spectrum(padded, 1024, HOP) ** 2
    hertz = np.fft.rfftfreq(1024, 1 / rate)
    edges = np.geomspace(40.0, min(10000.0, rate / 2), 41)
    bands = [power[:, (hertz >= low) & (hertz < high)] for low, high in pairwise(edges)]
    levels = np.stack([one.mean(axis=1) for one in bands if one.shape[1]], axis=1)
    decibels = 10.0 * np.log10(np.maximum(levels, levels.max() * 1e-7))
    coarse = np.zeros(len(decibels))
    coarse[1:] = np.maximum(0.0, np.diff(decibels, axis=0)).mean(axis=1)
    short = _spectrum(padded, FINE_WINDOW, FINE_HOP)
    fine = _flux(np.log1p(1000.0 * short / short.max()).mean(axis=1), 2)
    low, high = (
        np.log1p(1e4 * power[:, mask].mean(axis=1) / power.max())
        for mask in (hertz < 150, hertz > 2000)
    )
    return _Onsets(
        coarse, fine, _flux(low, 2), _flux(high, 2), _chroma(padded, rate), len(mono) / rate, rate
    )


def _spectrum(signal: Floats, size: int, hop: int) -> Floats:
    """Magnitudes (frames, bins); frame i is centred on sample i · hop."""
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    around = np.pad(signal.astype(np.float32), size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(around, size)[::hop]
    parts = [
        np.abs(np.fft.rfft(frames[i : i + 4096] * window, axis=1)).astype(np.float32)
        for i in range(0, len(frames), 4096)
    ]
    return np.concatenate(parts).astype(np.float64)


def _chroma(signal: Floats, rate: float) -> Floats:
    """(12, frames) energy of each pitch class between 80 Hz and 2 kHz, every HOP samples."""
    power = _spectrum(signal, 2048, HOP) ** 2
    hertz = np.fft.rfftfreq(2048, 1 / rate)
    heard = (hertz > 80) & (hertz < 2000)
    pitch = np.round(12 * np.log2(hertz[heard] / 440.0)).astype(int) % 12
    return np.stack([power[:, heard][:, pitch == one].sum(axis=1) for one in range(12)])


def _track(onsets: _Onsets, bpm: float) -> Floats:
    """Times of the beats that meet most onsets while keeping near the tempo, after Ellis."""
    period = 60.0 / bpm * onsets.rate / HOP
    reach = np.arange(-round(period), round(period) + 1)
    bell = np.exp(-0.5 * (reach * 32.0 / period) ** 2)
    spread = float(onsets.coarse.std()) or 1.0
    local = np.convolve(onsets.coarse / spread, bell, "same")
    lags = np.arange(-2 * round(period), -round(period / 2) + 1)
    cost = -TIGHT * np.log(-lags / period) ** 2
    total, before = local.copy(), np.full(len(local), -1)
    for i in range(-int(lags[-1]), len(local)):
        first = max(0, -(i + int(lags[0])))  # lags that reach before the start don't count
        scores = total[i + lags[first] : i + lags[-1] + 1] + cost[first:]
        best = int(scores.argmax())
        if scores[best] > 0.0:
            total[i] += scores[best]
            before[i] = i + lags[first + best]
    at = len(total) - round(period) + int(total[-round(period) :].argmax())
    beats = []
    while at >= 0:
        beats.append(at)
        at = int(before[at])
    return np.array(beats[::-1]) * HOP / onsets.rate


def _flux(level: Floats, lag: int) -> Floats:
    """How much `level` rises over `lag` steps."""
    out = np.zeros(len(level))
    out[lag:] = np.maximum(0.0, level[lag:] - level[:-lag])
    return out


def _tempo(onsets: _Onsets) -> float:
    """The tempo whose beat, half bar and bar repeat best, weighed by how likely it is."""
    signal = onsets.coarse - onsets.coarse.mean()
    size = 1 << (2 * len(signal) - 1).bit_length()
    spectrum = np.fft.rfft(signal, size)
    repeats = np.fft.irfft(spectrum * spectrum.conj(), size)[: len(signal)]
    repeats /= np.maximum(1, len(signal) - np.arange(len(signal)))  # long lags have fewer pairs
    bpms = np.exp(np.linspace(math.log(SLOWEST), math.log(FASTEST), 600))
    lags = 60.0 / bpms * onsets.rate / HOP
    score = np.zeros(len(bpms))
    for beats, weight in ((1, 1.0), (2, 1.0), (4, 1.0), (8, 0.5)):
        usable = lags * beats < len(repeats) * 0.8
        again = np.where(usable, _sample(repeats, lags * beats) / repeats[0], 1.0)
        # A product: three beats of a wrong tempo repeat as well as two or four of the right one,
        # but not all of its beat, half bar and bar.
        score += weight * np.log(np.maximum(again, 0.05))
    score -= 0.5 * (np.log2(bpms / LIKELY_BPM) / LIKELY_OCTAVES) ** 2
    best = float(bpms[np.argmax(score)])
    half = _sample(repeats, np.array([30.0 / best * onsets.rate / HOP]))[0]
    # 86 or 172: both lie in the range; half a beat of a real 86 doesn't repeat like a beat.
    return best * 2 if best * 2 <= FASTEST and half > HALF * repeats[0] else best


def _line(onsets: _Onsets, beats: Floats) -> tuple[float, float] | None:
    """Start and period of the steady grid through the beats; None where there is none."""
    period = float(np.median(np.diff(beats)))
    index = np.concatenate([[0], np.cumsum(np.round(np.diff(beats) / period))])
    for _ in range(4):  # beats off the line count less each time
        slope, start = np.polyfit(index, beats, 1)
        off = beats - (start + slope * index)
        keep = np.abs(off) < max(NEAR_S, 1.5 * float(np.median(np.abs(off))))
        if keep.sum() < 4:
            return None
        slope, start = np.polyfit(index[keep], beats[keep], 1)
        index = np.round((beats - start) / slope)
    off = beats - (start + slope * index)
    if float((np.abs(off) < NEAR_S).mean()) < AGREE:
        return None
    return _fit(onsets, float(start), float(slope), int(index[-1]))


def _comb(onsets: _Onsets, period: float, beats: Floats) -> tuple[float, float] | None:
    """A steady grid found without beats; None if it meets the onsets less well than `beats` do.

    Beats found one by one may change over to the off-beat and back; the sound's own periodicity
    doesn't. The period is where beat and half-beat are strongest in the onsets' spectrum.
    """
    step = 4
    envelope = onsets.fine[: len(onsets.fine) // step * step].reshape(-1, step).sum(axis=1)
    times = np.arange(len(envelope)) * step * FINE_HOP / onsets.rate
    rates = np.linspace(0.97, 1.03, 2 * round(0.06 * times[-1] / period * 4) + 1) / period
    power = [
        sum(abs(np.exp(-2j * np.pi * rate * k * times) @ envelope) for k in (1, 2))
        for rate in rates
    ]
    period = 1.0 / float(rates[int(np.argmax(power))])
    steps = np.arange(max(1, int((times[-1] - PAD_S) / period)))
    starts = PAD_S + period * np.arange(48) / 48
    score = np.array([onsets.at(start + period * steps).mean() for start in starts])
    low = np.array(
        [
            _sample(onsets.low, (start + period * steps) * onsets.rate / HOP).mean()
            for start in starts
        ]
    )
    best = int(np.argmax(score / score.max() + 0.5 * low / max(float(low.max()), 1e-9)))
    start, period = _fit(onsets, float(starts[best]), period, len(steps) - 1)
    ours = float(onsets.at(start + LATE_S + period * steps).mean())
    theirs = float(onsets.at(beats - _late(onsets, beats) + LATE_S).mean())
    return (start, period) if ours > COMB * theirs else None


def _fit(onsets: _Onsets, start: float, period: float, count: int) -> tuple[float, float]:
    """Move and stretch a grid onto the attacks, coarse to fine."""
    steps = np.arange(count + 1)
    for reach_s in (0.04, 0.015, 0.006):
        shifts = np.linspace(-reach_s, reach_s, 21)
        stretch = np.linspace(-reach_s, reach_s, 21) / max(count, 1)
        centre = count / 2
        scores = [
            [
                onsets.at(start + shift - more * centre + (period + more) * steps).mean()
                for more in stretch
            ]
            for shift in shifts
        ]
        i, j = np.unravel_index(int(np.argmax(scores)), (len(shifts), len(stretch)))
        start += shifts[i] - stretch[j] * centre
        period += stretch[j]
    return start - LATE_S, period


def _late(onsets: _Onsets, beats: Floats) -> float:
    """How late beats found in the coarse onsets are, by the fine ones."""
    shifts = np.linspace(-0.05, 0.05, 101)
    scores = [float(onsets.at(beats + shift).mean()) for shift in shifts]
    return float(-shifts[int(np.argmax(scores))]) + LATE_S


def _downbeat(onsets: _Onsets, beats: Floats, per_bar: int) -> tuple[int, float]:
    """Which of the first beats is a 1, and how clear that is (0..1; see `SURE`).

    The kick is on the 1, a snare (2 and 4) isn't, and harmony changes there.
    """
    if len(beats) < 2 * per_bar or per_bar == 1:
        return 0, 0.0
    index = np.clip(np.round(beats * onsets.rate / HOP).astype(int), 0, onsets.chroma.shape[1] - 1)
    near = [slice(max(0, i - 2), i + 4) for i in index]
    kick = np.array([onsets.low[one].max(initial=0.0) for one in near])
    snare = np.array([onsets.high[one].max(initial=0.0) for one in near])
    parts = [onsets.chroma[:, a:b].mean(axis=1) for a, b in pairwise(index) if b > a]
    change = np.zeros(len(beats))
    for i in range(1, min(len(parts), len(beats))):
        one, two = parts[i - 1], parts[i]
        norm = float(np.linalg.norm(one) * np.linalg.norm(two))
        change[i] = 1.0 - float(one @ two) / norm if norm > 0 else 0.0
    # Harmony counts less: in drums alone it is chance; under a steady kick it decides all the same.
    evidence = _standard(kick) - 0.5 * _standard(snare) + 0.4 * _standard(change)
    scores = np.array([evidence[k::per_bar].mean() for k in range(per_bar)])
    order = np.argsort(scores)
    gap = float(scores[order[-1]] - scores[order[-2]])
    return int(order[-1]), float(np.clip(gap, 0.0, 1.0))


def _standard(values: Floats) -> Floats:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros(len(values))


def _sample(values: Floats, at: Floats) -> Floats:
    return np.interp(at, np.arange(len(values)), values, left=0.0, right=0.0)
