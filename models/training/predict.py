"""Learn how faces go on: the weights of `kfx/tracking/predict.py`.

    python models/training/predict.py [SEED…]

Tracks performers (seeds 2, 3, 4 and 5), once as FaceMesh sees them and once as they are, so that
a steadier finder is predicted as well, and finds by least squares how pose and shape a moment
later follow from the last 0.2 seconds (Wiener). Moments of much motion count less than their
squares would make them. Prints the tables; seed 1 and filmed clips are kept for judging.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from kfx import sources  # noqa: E402
from kfx.tracking import pose as poses  # noqa: E402
from kfx.tracking.pose import Rigid  # noqa: E402
from kfx.tracking.predict import BACK, STEP_S, _at, _group  # noqa: E402
from kfx.tracking.tracker import Tracker  # noqa: E402

AHEAD_S = (2 / 60, 3 / 60, 6 / 60)
SECONDS = 15
POSE = {"SHIFT": (0, 1), "DEPTH": (2,), "TURN": (3, 4, 5), "SIZE": (6,)}  # of `Rigid.step_to`
SHAPE = {"EYES": 0, "LIPS": 1, "REST": 2}  # as `_group` numbers them
EVEN = 0.25  # 0: squares as they are; 1: every moment counts the same
RIDGE = 1e-2  # less of it errs no less, and makes what is predicted shake


def moments(seed: int, finder: str) -> list[tuple[np.ndarray, ...]]:
    """Pose steps and changes of shape behind and ahead of each frame."""
    past = []
    with (
        Tracker(finder) as tracker,
        sources.open(f"performer?seed={seed}", rate=Fraction(30), stop_s=Fraction(SECONDS)) as take,
    ):
        for frame in take.frames():
            for face in tracker.track(frame)[:1]:
                shape = poses.to_canonical(face.pose, face.landmarks)
                past.append((float(frame.time), Rigid.of(face.pose), shape))
    result = []
    for i in range(BACK + 6, len(past) - 4):
        now, pose, shape = past[i]
        near = past[i - BACK - 1 : i + 5]
        steps = [(time, pose.step_to(other)) for time, other, _ in near]
        bends = [(time, (other - shape)[:, :2]) for time, _, other in near]
        at = [now - (k + 1) * STEP_S for k in range(BACK)] + [now + s for s in AHEAD_S]
        share = _at([time for time, _ in steps], at)
        both = [np.tensordot(share, np.array([v for _, v in rows]), 1) for rows in (steps, bends)]
        result.append((both[0][:BACK], both[0][BACK:], both[1][:BACK], both[1][BACK:]))
    return result


def weights(back: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """(times, BACK): what lies behind (n, BACK, m) → what lies ahead (n, times, m)."""
    count = ((back**2).mean(axis=(1, 2)) + 1e-6) ** (-EVEN / 2)
    x = (back * count[:, None, None]).transpose(0, 2, 1).reshape(-1, BACK)
    y = (ahead * count[:, None, None]).transpose(0, 2, 1).reshape(-1, len(AHEAD_S))
    damped = x.T @ x + RIDGE * len(x) * (x * x).mean() * np.eye(BACK)
    return np.linalg.solve(damped, x.T @ y).T


def main() -> None:
    seeds = [int(a) for a in sys.argv[1:]] or [2, 3, 4, 5]
    rows = [m for seed in seeds for finder in ("mediapipe", "truth") for m in moments(seed, finder)]
    steps, next_steps, bends, next_bends = (np.array(column) for column in zip(*rows, strict=True))
    tables = {n: weights(steps[..., list(k)], next_steps[..., list(k)]) for n, k in POSE.items()}
    for name, number in SHAPE.items():
        members = np.flatnonzero(_group() == number)
        members = members[:: max(1, len(members) // 40)]
        flat = [v[:, :, members].reshape(len(v), v.shape[1], -1) for v in (bends, next_bends)]
        tables[name] = weights(*flat)
    for name, table in tables.items():
        print(name)
        for row in (np.zeros(BACK), *table):
            print("    (" + ", ".join(f"{v:.2f}" for v in row + 0.0) + "),")


if __name__ == "__main__":
    main()
