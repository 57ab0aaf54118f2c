"""Where a face will be in a moment: linear prediction from its last 0.2 seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.tracking import pose as poses
from kfx.tracking.pose import Rigid
from kfx.types import LANDMARK_COUNT, Face, Landmarks, freeze

STEP_S = 1 / 30
GAP_S = 0.2  # after a longer pause the past says nothing
FARTHEST_S = 0.1
# Weights of what lies 1–6 steps back, seen from now, for each time ahead: the linear predictor
# of least squared error (Wiener), from models/training/predict.py. A head goes on as it went, its
# turn by half, for much of a turn's change is the finder's doubt; a mouth that moved fast is about
# to turn round, so it is held back.
_AHEAD_S = np.array([0, 2, 3, 6]) / 60
_SHIFT = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.41, -0.3, -0.05, 0.05, 0.09, -0.05),
    (-0.64, -0.42, -0.05, 0.11, 0.13, -0.1),
    (-1.24, -0.75, -0.02, 0.26, 0.2, -0.23),
])  # fmt: skip
_DEPTH = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.01, -0.07, -0.02, 0.01, -0.01, 0.06),
    (-0.04, -0.08, -0.01, 0, 0, 0.07),
    (-0.08, -0.08, -0.03, 0.03, 0.07, 0.07),
])  # fmt: skip
_TURN = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.13, -0.17, -0.02, -0.01, 0.03, -0.03),
    (-0.23, -0.21, -0.04, 0, 0.04, -0.07),
    (-0.44, -0.33, -0.05, 0.05, 0.09, -0.19),
])  # fmt: skip
_SIZE = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.31, -0.14, -0.03, 0.04, 0.09, 0),
    (-0.41, -0.19, -0.01, 0.08, 0.11, -0.02),
    (-0.63, -0.21, 0.07, 0.16, 0.16, -0.05),
])  # fmt: skip
_EYES = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.22, -0.01, 0.15, -0.06, 0.06, 0.08),
    (-0.22, 0.05, 0.12, -0.02, 0.09, 0.1),
    (-0.02, 0.06, 0.12, 0.08, 0.15, 0.09),
])  # fmt: skip
_LIPS = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.51, 0.02, -0.08, 0.1, 0.09, 0.03),
    (-0.57, -0.02, -0.05, 0.15, 0.14, 0.03),
    (-0.68, 0.01, 0.11, 0.28, 0.17, 0.01),
])  # fmt: skip
_REST = np.array([
    (0, 0, 0, 0, 0, 0),
    (-0.48, 0, -0.06, 0.08, 0.11, 0.03),
    (-0.54, -0.03, -0.03, 0.13, 0.17, 0.01),
    (-0.63, -0.01, 0.12, 0.27, 0.24, -0.05),
])  # fmt: skip
_POSE = (*[_SHIFT] * 2, _DEPTH, *[_TURN] * 3, _SIZE)  # of `Rigid.step_to`
BACK = 6


@cache
def _group() -> npt.NDArray[np.intp]:
    """0 eyes, 1 lips, 2 the rest, for each landmark."""
    group = np.full(LANDMARK_COUNT, 2)
    group[[*c.RIGHT_LIDS, *c.LEFT_LIDS, *range(c.RIGHT_IRIS, LANDMARK_COUNT)]] = 0
    group[[*c.OUTER_LIPS, *c.INNER_LIPS]] = 1
    return group


def _weights(table: npt.NDArray[np.float64], ahead_s: float) -> npt.NDArray[np.float32]:
    return np.float32([np.interp(ahead_s, _AHEAD_S, column) for column in table.T])


class Predictor:
    """The past of one face: `add` it frame by frame, `predict` it when its place is needed."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Face]] = deque()

    def reset(self) -> None:
        self._past.clear()

    def add(self, face: Face, time_s: float) -> None:
        """The face at `time_s`. A face that is new or lost, or a pause, ends the past."""
        past = self._past
        if past and not (face.found and face.age > 1 and 0 < time_s - past[-1][0] <= GAP_S):
            past.clear()
        past.append((time_s, face))
        while len(past) > 2 and past[1][0] <= time_s - BACK * STEP_S:
            past.popleft()

    def predict(self, ahead_s: float) -> Face:
        """The face `ahead_s` later (0..0.1) than it was last added. Without a past: unchanged."""
        now_s, face = self._past[-1]
        ahead_s = min(max(0.0, ahead_s), FARTHEST_S)
        if ahead_s == 0.0 or len(self._past) < 2 or not face.found:
            return face
        here, shape = Rigid.of(face.pose), poses.to_canonical(face.pose, face.landmarks)
        steps, bends = [], []
        for time_s, past in list(self._past)[:-1]:
            steps.append((time_s, here.step_to(Rigid.of(past.pose))))
            bends.append((time_s, poses.to_canonical(past.pose, past.landmarks) - shape))
        steps.append((now_s, np.zeros(7, np.float32)))
        bends.append((now_s, np.zeros_like(shape)))
        back = [now_s - (k + 1) * STEP_S for k in range(BACK)]
        weights = np.stack([_weights(t, ahead_s) for t in _POSE])
        step = np.einsum("ck,kc->c", weights, np.array([_at(steps, t) for t in back]))
        weights = np.stack([_weights(t, ahead_s) for t in (_EYES, _LIPS, _REST)])[_group()]
        change = np.einsum("nk,knc->nc", weights, np.array([_at(bends, t) for t in back]))
        pose = here.moved(step).matrix()
        points = poses.to_pixels(pose, shape + change)
        if not np.isfinite(points).all():
            return face
        return replace(face, landmarks=freeze(points), pose=freeze(pose), iod=poses.scale(pose))


def _at(series: list[tuple[float, Landmarks]], time_s: float) -> Landmarks:
    """The value at `time_s`, between the two samples around it; the first one before them all."""
    if time_s <= series[0][0]:
        return series[0][1]
    for (t0, a), (t1, b) in pairwise(series):
        if time_s <= t1:
            share = np.float32((time_s - t0) / (t1 - t0))
            return a + share * (b - a)
    return series[-1][1]
