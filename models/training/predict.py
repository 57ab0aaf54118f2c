"""Learn how faces go on: `models/predict.npz`, which `kfx/tracking/predict.py` reads.

    python models/training/predict.py [--seeds 4 5 …]
    python models/training/predict.py --judge CLIP…

Tracks performers (seeds 4 to 12) with FaceMesh and finds, by ridge regression, how the true pose
and expression move in the next 33, 50 and 100 ms after what the finder saw in the last 0.2 s, all
numbers together: a jaw that opens as the head nods says more than either. Moments of much motion
count less than their squares would make them. Seeds 1, 2 and 3 are kept for judging, and so is
every film: `--judge` prints how far the last landmarks and the predicted ones lie from what the
finder found by then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from kfx import sources  # noqa: E402
from kfx.engine.bench.tracking import AHEAD_S, FINE, RATE, SETTLE, Heard, Take, perform  # noqa: E402
from kfx.tracking import open_finder  # noqa: E402
from kfx.tracking import predict as p  # noqa: E402
from kfx.tracking.tracker import Tracker  # noqa: E402

OUT = ROOT / "models" / "predict.npz"
SEEDS = tuple(range(4, 13))
SECONDS = 16
EVEN = 0.25  # 0: squares as they are; 1: every moment counts the same
RIDGE = 3e-3


def lesson(take: Take) -> tuple[np.ndarray, np.ndarray]:
    """(n, BACK, numbers) of what was seen, (n, times, numbers) of what was true afterwards."""
    past, ahead = [], []
    truth = [p.Moment.of(i / (RATE * FINE), face) for i, face in enumerate(take.truth)]
    seen = [p.Moment.of(i / RATE, face) for i, face in enumerate(take.shown)]
    for i, moment in enumerate(seen):
        now, later = FINE * i, [FINE * i + round(s * RATE * FINE) for s in AHEAD_S]
        if i < SETTLE or later[-1] >= len(truth):
            continue
        moment.look_back(seen[i - p.BACK - 1 : i + 1])
        past.append(moment.past)
        ahead.append([
            np.concatenate([
                truth[now].seen.step_to(truth[k].seen), truth[k].expression - truth[now].expression
            ])
            for k in later
        ])  # fmt: skip
    return np.array(past), np.array(ahead)


def learn(takes: list[Take]) -> tuple[np.ndarray, np.ndarray]:
    """(times, BACK · numbers, numbers) weights, and (BACK · numbers, 1) of what they are for."""
    past, ahead = (np.concatenate(part) for part in zip(*map(lesson, takes), strict=True))
    count, _, numbers = past.shape
    unit = np.sqrt((past**2).mean(axis=(0, 1)))
    squares = p.squares().sum(axis=0)
    energy = np.einsum("nhv,vw,nhw->n", past, squares, past) / p.BACK + 1e-5
    share = energy[:, None] ** (-EVEN / 2)
    x = (past / unit).reshape(count, -1) * share
    y = ahead.reshape(count, -1) * share
    met = x.T @ x
    met += RIDGE * np.diag(met).mean() * np.eye(len(met))
    weights = np.linalg.solve(met, x.T @ y).reshape(-1, len(AHEAD_S), numbers)
    return weights.transpose(1, 0, 2), np.tile(1 / unit, p.BACK)[:, None]


def judge(clip: str) -> None:
    """Print rms misses in px of the last landmarks and of those predicted."""
    heard, times, raw, shown, ahead = Heard(open_finder("mediapipe", 1)), [], [], [], []
    with Tracker(heard) as tracker, sources.open(clip) as source:
        for frame in source.frames():
            faces = tracker.track(frame)
            if heard.last and faces:
                times.append(float(frame.time))
                raw.append(heard.last[0])
                shown.append(faces[0].landmarks)
                ahead.append([tracker.predicted(s)[0].landmarks for s in AHEAD_S])
    if len(times) > 2 * SETTLE:
        report(clip, np.array(times), np.array(raw), np.array(shown), np.array(ahead))


def report(name: str, times: np.ndarray, raw: np.ndarray, shown: np.ndarray, ahead) -> None:
    """One line a time ahead."""
    for k, ahead_s in enumerate(AHEAD_S):
        now = np.flatnonzero(times + ahead_s <= times[-1])[SETTLE:]
        later = np.searchsorted(times, times[now] + ahead_s).clip(1, len(times) - 1)
        gone = times[later] - times[later - 1]
        share = ((times[now] + ahead_s - times[later - 1]) / gone)[:, None, None]
        came = raw[later - 1] + share * (raw[later] - raw[later - 1])
        steady = gone < 0.1
        misses = [
            float(np.sqrt(((other - came)[steady, :, :2] ** 2).sum(axis=2).mean()))
            for other in (shown[now], ahead[now, k])
        ]
        print(
            f"{name}: {1000 * ahead_s:3.0f} ms: stale {misses[0]:.3f} px, "
            f"predicted {misses[1]:.3f} px, {misses[1] / max(misses[0], 1e-6):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--judge", nargs="+", metavar="CLIP")
    options = parser.parse_args()
    if options.judge:
        for clip in options.judge:
            judge(clip)
        return
    takes = [perform(f"performer?seed={seed}", SECONDS, "mediapipe") for seed in options.seeds]
    weights, scale = learn(takes)
    np.savez_compressed(OUT, weights=weights.astype(np.float16), scale=scale.astype(np.float32))
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
