"""Compares ten minutes of the motion net with footage it was not taught with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from motion import BLOCKS, HEAD, HEAD_KERNEL, NAMES, RATE, WHOLE, Take, read_takes

BANDS = ((0.3, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 14.0))  # Hz
MINUTES = 10


def play(seed: int, bpm: float, energy: float | None, minutes: float = MINUTES) -> np.ndarray:
    """(n, 57) at `RATE`; without `energy` it wanders over all there is, for some seconds each."""
    from kfx.motion.motion_net import Play

    rng = np.random.default_rng(seed)
    one, rows, now = Play(seed, 1), [], 0.5
    for k in range(int(minutes * 60 * RATE)):
        if energy is None and k % 120 == 0:
            now = float(rng.uniform(0, 1))
        t = k / RATE
        rows.append(one.at(t, t * bpm / 60, now if energy is None else energy, 0.9))
    return np.array(rows)


def blinks(values: np.ndarray) -> tuple[float, float]:
    """How many a minute, and how long the lids are more than half closed, in ms."""
    lids = values[:, [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]].mean(axis=1)
    shut = np.concatenate([[False], lids > 0.45, [False]])
    start, end = np.flatnonzero(~shut[:-1] & shut[1:]), np.flatnonzero(shut[:-1] & ~shut[1:])
    length = (end - start) / RATE
    short = length < 0.5
    usual = float(np.median(length[short])) if short.any() else 0.0
    return 60.0 * short.sum() / (len(values) / RATE), 1000 * usual


def power(takes: list[np.ndarray], index: list[int]) -> np.ndarray:
    """Mean power in each of `BANDS` over takes and values, windows of two seconds."""
    size = int(2 * RATE)
    window = np.hanning(size)[:, None]
    hz = np.fft.rfftfreq(size, 1 / RATE)
    total, count = np.zeros(len(BANDS)), 0
    for take in takes:
        for start in range(0, len(take) - size + 1, size // 2):
            part = take[start : start + size, index]
            one = np.abs(np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)) ** 2
            total += [one[(hz >= a) & (hz < b)].sum() for a, b in BANDS]
            count += 1
    return total / max(count, 1)


def speeds(takes: list[np.ndarray], index: list[int]) -> np.ndarray:
    """The 50th, 90th and 99th percentile of change per second."""
    steps = [np.linalg.norm(np.diff(t[:, index], axis=0), axis=1) * RATE for t in takes]
    return np.percentile(np.concatenate(steps), [50, 90, 99])


def stillest(values: np.ndarray) -> float:
    """The longest time in seconds in which no coefficient and no angle moves by 0.02 or 0.3°."""
    limit = np.where(np.arange(values.shape[1]) < len(NAMES), 0.02, 0.3)
    limit[-2:] = 0.01
    longest = since = 0
    for k in range(len(values)):
        if (np.abs(values[k] - values[since]) > limit).any():
            since = k
        longest = max(longest, k - since)
    return longest / RATE


def beat_curve(values: np.ndarray, bpm: float) -> np.ndarray:
    """Mean jawOpen over eight parts of a beat."""
    phase = (np.arange(len(values)) / RATE * bpm / 60) % 1.0
    jaw = values[:, NAMES.index("jawOpen")]
    return np.array([jaw[(phase * 8).astype(int) == k].mean() for k in range(8)])


def judge(folder: Path) -> None:
    """Print the comparison and draw curves into ``FOLDER/_motion.png``."""
    test = {name: given_out(t) for name, t in read_takes(folder, held_out=True).items()}
    taught = [given_out(t) for t in read_takes(folder, held_out=False).values()]
    real, made = [t.values for t in test.values()], play(1, 120.0, None)
    rows = {"test": real, "taught": [t.values for t in taught], "net": [made]}
    for name, takes in rows.items():
        rates = [blinks(t) for t in takes]
        seconds = np.array([len(t) for t in takes])
        rate = np.average([r for r, _ in rates], weights=seconds)
        lengths = [ms for _, ms in rates if ms]
        print(f"{name}: {rate:.1f} blinks a minute of {np.median(lengths or [0]):.0f} ms")
    print(f"net: stillest stretch {stillest(made):.2f} s; test {max(map(stillest, real)):.2f} s")
    thirds = np.array_split(made, 3)
    for region, (names, _) in BLOCKS.items():
        index = [WHOLE.index(n) for n in names]
        ratio = power([made], index) / np.maximum(power(real, index), 1e-9)
        known = power([made], index) / np.maximum(power(rows["taught"], index), 1e-9)
        print(f"{region:6} power net/test {ratio.round(2)} net/taught {known.round(2)}")
        for name, takes in rows.items():
            print(f"       {name:6} change/s p50 p90 p99 {speeds(takes, index).round(2)}")
        spread = [t[:, index].std(axis=0).mean() for t in thirds]
        print(f"       net, spread by thirds {np.round(spread, 3)}")
    for bpm in (90.0, 120.0, 150.0):
        print(f"jaw over a beat at {bpm:g}: {beat_curve(play(2, bpm, 0.8, 2), bpm).round(3)}")
    for energy in (0.0, 0.5, 1.0):
        values = play(3, 120.0, energy, 1)
        jaw = values[:, NAMES.index("jawOpen")]
        print(f"energy {energy}: jaw mean {jaw.mean():.3f} p95 {np.percentile(jaw, 95):.3f}")
    draw(folder / "_motion.png", list(test.values()), made)


def given_out(take: Take) -> Take:
    """With the head through the kernel through which the net gives out its own."""
    values = take.values.copy()
    half = len(HEAD_KERNEL) // 2
    for k in range(-len(HEAD), 0):
        padded = np.pad(values[:, k], half, mode="edge")
        values[:, k] = np.convolve(padded, HEAD_KERNEL, "valid")
    return replace(take, values=values)


def draw(path: Path, test: list[Take], made: np.ndarray) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    longest = max(test, key=lambda one: len(one.values)).values
    size = min(len(longest), int(15 * RATE))
    shown = ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft", "eyeLookOutLeft", "browInnerUp", "yaw")
    figure, axes = pyplot.subplots(len(shown), 3, figsize=(18, 11), sharex=True, sharey="row")
    columns = {"filmed": longest, "net": made, "net, minute 9": made[int(540 * RATE) :]}
    for k, name in enumerate(shown):
        for axis, (title, rows) in zip(axes[k], columns.items(), strict=True):
            values = rows[:size, WHOLE.index(name)]
            axis.plot(np.arange(len(values)) / RATE, values, linewidth=1)
            axis.set_title(f"{title}: {name}", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    print(path)
