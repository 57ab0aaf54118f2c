"""Measures how well kfx's blendshape net repeats its teacher on people it never saw.

``models/blendshapes_test.npz`` holds landmarks of clips that are kept out of training (no picture)
and what MediaPipe's net says of them, so this runs anywhere.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx import assets, clock
from kfx.canonical import canonical
from kfx.tracking import pose as poses
from kfx.tracking.arkit import NAMES, POINTS, TAUGHT, UNSEEN
from kfx.tracking.blendshapes import Blendshapes, from_rest, named
from kfx.tracking.rig import rig
from kfx.types import LANDMARK_COUNT, Face

LEAST_STD = 0.01  # a coefficient that moves less in the held-out clips has no R² worth a name
UNIT = np.float32(8192)  # of the stored int16 points
ROUNDS = 300
RIG_EVERY = 4  # rows of the held-out clips
SHAPES = ((1, 1, 1), (1.08, 0.95, 1), (0.94, 1.06, 1.1))  # faces: x, y, z of the canonical one


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """`r2` {name: R², null where the clips don't show it}, `r2_mean` over the others, `ms`.

    `still` names what the clips don't show, `rms_error` is over all coefficients, `ms` the median
    time from one face's 478 landmarks to its 52 coefficients. `rig` is how far coefficients that
    the rig put on a face are off when the net reads them again.
    """
    with np.load(assets.folder("models") / "blendshapes_test.npz") as data:
        points, truth = data["points"] / UNIT, data["truth"].astype(np.float32)
        clips = sorted({str(name) for name in data["clips"]})
    net = Blendshapes()
    r2, still = scores(truth, net.run(points))
    known = [value for value in r2.values() if value is not None]
    error = float(np.sqrt(((net.run(points) - truth) ** 2).mean()))
    return {
        "r2_mean": round(statistics.fmean(known), 4),
        "r2": {name: None if value is None else round(value, 4) for name, value in r2.items()},
        "still": [*still, *UNSEEN],
        "rms_error": round(error, 4),
        "rig": rig_error(net, truth),
        "frames": len(points),
        "clips": clips,
        "ms": round(_ms(net, points[0], rounds), 4),
    }


def scores(
    truth: npt.NDArray[np.float32], guess: npt.NDArray[np.float32]
) -> tuple[dict[str, float | None], list[str]]:
    """R² of each coefficient over all rows, and the names of those that hardly move in `truth`."""
    spread = truth.astype(np.float64).var(axis=0)
    error = ((guess.astype(np.float64) - truth) ** 2).mean(axis=0)
    r2: dict[str, float | None] = {}
    for name, variance, missed in zip(TAUGHT, spread, error, strict=True):
        r2[name] = float(1 - missed / variance) if variance >= LEAST_STD**2 else None
    return r2, [name for name, value in r2.items() if value is None]


def rig_error(net: Blendshapes, truth: npt.NDArray[np.float32]) -> dict[str, float]:
    """Held-out coefficients on faces of several shapes, read again: `rms`, `mean`; `unmoved_rms`.

    `unmoved_rms` is the error of a rig that does nothing.
    """
    errors, unmoved = [], []
    for shape in SHAPES:
        points = canonical().vertices * np.array(shape, np.float32) * np.float32(100)
        own = net.of(points)
        face = Face(0, points, poses.fit(points), 100.0, blendshapes=own)
        for row in truth[::RIG_EVERY]:
            wanted = named(from_rest(row))
            read = net.of(rig().pose(face, wanted))
            errors.append([read[name] - wanted[name] for name in NAMES])
            unmoved.append([own[name] - wanted[name] for name in NAMES])
    return {
        "rms": round(float(np.sqrt(np.mean(np.square(errors)))), 4),
        "mean": round(float(np.mean(np.abs(errors))), 4),
        "unmoved_rms": round(float(np.sqrt(np.mean(np.square(unmoved)))), 4),
    }


def _ms(net: Blendshapes, points: npt.NDArray[np.float32], rounds: int) -> float:
    landmarks = np.zeros((LANDMARK_COUNT, 3), np.float32)
    landmarks[list(POINTS), :2] = points
    samples = []
    for _ in range(rounds + 20):
        began = clock.now()
        net.of(landmarks)
        samples.append(clock.now() - began)
    return 1000 * statistics.median(samples[20:])
