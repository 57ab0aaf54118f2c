"""Where a face will be in a moment: predicted from its last 0.2 s, as far as that has held."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from typing import NamedTuple

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
_TABLES = np.stack([_SHIFT, _DEPTH, _TURN, _SIZE, _EYES, _LIPS, _REST])
_POSE = np.array([0, 0, 1, 2, 2, 2, 3])  # the table of each number of `Rigid.step_to`
_SHAPE = 4  # the first one of the shape
BACK = 6
CHECK_S = 0.05  # what would have been said so long ago tells how far the tables suit this face
KEEP = 0.96  # of what was learned of that, from frame to frame
FAITH = 1e-4  # as if the tables had been right so far, in iod² and rad²: a few frames of motion
LEAST = 1e-12  # of the same: a face that never moves needs no prediction
WILD = 10.0  # of the same in a frame: that was no face's motion
SOME = 4  # every fourth landmark is checked

Values = npt.NDArray[np.float32]


@cache
def _group() -> npt.NDArray[np.intp]:
    """0 eyes, 1 lips, 2 the rest, for each landmark."""
    group = np.full(LANDMARK_COUNT, 2)
    group[[*c.RIGHT_LIDS, *c.LEFT_LIDS, *range(c.RIGHT_IRIS, LANDMARK_COUNT)]] = 0
    group[[*c.OUTER_LIPS, *c.INNER_LIPS]] = 1
    return group


def _weights(ahead_s: float) -> npt.NDArray[np.float32]:
    """(tables, BACK) for a time ahead."""
    i = min(int(np.searchsorted(_AHEAD_S, ahead_s, "right")), len(_AHEAD_S) - 1)
    share = (ahead_s - _AHEAD_S[i - 1]) / (_AHEAD_S[i] - _AHEAD_S[i - 1])
    return np.float32((1 - share) * _TABLES[:, i - 1] + share * _TABLES[:, i])


class _Moment(NamedTuple):
    time_s: float
    pose: Rigid
    shape: Landmarks


class Predictor:
    """The past of one face: `add` it frame by frame, `predict` it when its place is needed.

    How far it may be trusted is measured all the time: what it would have said `CHECK_S` ago is
    held against what came, and each part of face and pose goes only so far of its predicted way.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, Face]] = deque()
        self.reset()

    def reset(self) -> None:
        self._past.clear()
        self._known: dict[float, _Moment] = {}
        self._came, self._said = np.full((2, len(_TABLES)), FAITH)
        self._checked_s = -1.0

    def add(self, face: Face, time_s: float) -> None:
        """The face at `time_s`. A face that is new or lost, or a pause, ends the past."""
        past = self._past
        if past and not (face.found and face.age > 1 and 0 < time_s - past[-1][0] <= GAP_S):
            self.reset()
        past.append((time_s, face))
        while len(past) > 2 and past[1][0] <= time_s - BACK * STEP_S - CHECK_S:
            past.popleft()

    def predict(self, ahead_s: float) -> Face:
        """The face `ahead_s` later (0..0.1) than it was last added. Without a past: unchanged."""
        now_s, face = self._past[-1]
        ahead_s = min(max(0.0, ahead_s), FARTHEST_S)
        if ahead_s == 0.0 or len(self._past) < 2 or not face.found:
            return face
        moments = self._moments()
        here, shape = moments[-1].pose, moments[-1].shape
        times = [m.time_s for m in moments]
        steps = np.array([here.step_to(m.pose) for m in moments])
        shapes = np.array([m.shape for m in moments])
        if now_s != self._checked_s and now_s - times[0] > CHECK_S + STEP_S:
            self._check(times, steps, shapes)
        trust = np.clip(self._came / np.maximum(self._said, LEAST), 0.0, 1.0).astype(np.float32)
        mix = _mix(times, now_s, ahead_s) * trust[:, None]
        step = np.einsum("nm,mn->n", mix[_POSE], steps)
        change = np.einsum("nm,mnc->nc", mix[_SHAPE + _group()], shapes)
        pose = here.moved(step).matrix()
        points = poses.to_pixels(pose, shape + change)
        if not np.isfinite(points).all():
            return face
        return replace(face, landmarks=freeze(points), pose=freeze(pose), iod=poses.scale(pose))

    def _moments(self) -> list[_Moment]:
        """The past, taken apart once a frame."""
        known, self._known = self._known, {}
        for time_s, face in self._past:
            self._known[time_s] = known.get(time_s) or _Moment(
                time_s, Rigid.of(face.pose), poses.to_canonical(face.pose, face.landmarks)
            )
        return list(self._known.values())

    def _check(self, times: list[float], steps: Values, shapes: Values) -> None:
        """Hold what would have been said of now, the last of `times`, against now."""
        self._checked_s = times[-1]
        then_s = times[-1] - CHECK_S
        mix, then = _mix(times, then_s, CHECK_S), _at(times, [then_s])[0]
        parts, some = _SHAPE + _group()[::SOME], shapes[:, ::SOME]
        said = (
            np.einsum("nm,mn->n", mix[_POSE], steps),
            np.einsum("nm,mnc->nc", mix[parts], some),
        )
        came = steps[-1] - then @ steps, some[-1] - np.einsum("m,mnc->nc", then, some)
        sums = []
        for other in (came, said):
            of_pose = np.bincount(_POSE, said[0] * other[0], len(_TABLES))
            of_shape = np.bincount(parts, (said[1] * other[1]).sum(axis=1), len(_TABLES))
            sums.append(of_pose + of_shape)
        if max(np.abs(sums[0]).max(), np.abs(sums[1]).max()) < WILD:  # not so where it is NaN
            self._came = KEEP * self._came + sums[0]
            self._said = KEEP * self._said + sums[1]


def _mix(times: list[float], now_s: float, ahead_s: float) -> Values:
    """(tables, times): shares of the values at `times` in what changes after `now_s`."""
    weights = _weights(ahead_s)
    here, *back = _at(times, [now_s - k * STEP_S for k in range(BACK + 1)])
    return weights @ np.array(back) - weights.sum(axis=1)[:, None] * here


def _at(times: list[float], wanted: list[float]) -> Values:
    """(wanted, times): shares of the values at `times` in those between; the ends go on."""
    return np.float32([np.interp(wanted, times, row) for row in np.eye(len(times))]).T
