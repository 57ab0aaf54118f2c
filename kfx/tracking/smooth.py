"""Calm landmarks: One-Euro filters (Casiez, Roussel, Vogel 2012) on pose and on shape."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.tracking import pose as poses
from kfx.tracking.pose import Matrix, Rigid
from kfx.types import LANDMARK_COUNT

Array = npt.NDArray[np.float32]
Speed = TypeVar("Speed", float, Array)


class OneEuro:
    """The published filter on every landmark by itself; speeds are per iod.

    `min_cutoff_hz` damps jitter at rest, `beta` opens the filter by so many Hz for each iod per
    second, `derivative_hz` smooths that speed.
    """

    def __init__(
        self, *, min_cutoff_hz: float = 1.5, beta: float = 24.0, derivative_hz: float = 3.0
    ) -> None:
        self.min_cutoff_hz = min_cutoff_hz
        self.beta = beta
        self.derivative_hz = derivative_hz
        self._value: Array | None = None
        self._speed: Array | None = None

    def reset(self) -> None:
        """Forget the past: the next value passes unchanged."""
        self._value = self._speed = None

    def __call__(self, value: Array, dt: float, unit: float) -> Array:
        """Filter (n, k) values; `dt` seconds since the last call, `unit` is one iod in pixels."""
        if self._value is None or self._speed is None or dt <= 0.0:
            self._value = value.astype(np.float32)
            self._speed = np.zeros_like(self._value)
            return self._value
        speed = (value - self._value) / np.float32(dt * unit)
        self._speed += alpha(self.derivative_hz, dt) * (speed - self._speed)
        rate = np.linalg.norm(self._speed, axis=1, keepdims=True)
        share = alpha(self.min_cutoff_hz + self.beta * rate, dt)
        self._value = (self._value + share * (value - self._value)).astype(np.float32)
        return self._value


@dataclass(frozen=True, slots=True)
class Opening:
    """How far a filter opens: `rest_hz` at rest, `per_speed` more Hz for each unit of speed.

    Below `knee` the speed is mostly noise and opens little: the cutoff is
    rest_hz + per_speed · speed² / (speed + knee). Where the published filter trades jitter
    against lag, the knee leaves noise alone and still opens wide for real motion.
    """

    rest_hz: float
    per_speed: float
    knee: float

    def cutoff_hz(self, speed: Speed) -> Speed:
        return self.rest_hz + self.per_speed * speed * speed / (speed + self.knee)


# Tuned on the performer (kfx bench tracking). Speeds: iod/s, rad/s, relative size per second.
POSE = Opening(0.3, 1200.0, 2.7)
EYES = Opening(0.3, 1500.0, 5.0)
LIPS = Opening(0.2, 2500.0, 18.0)  # FaceMesh is three times less sure of them
REST = Opening(0.3, 1500.0, 6.5)
POSE_DERIVATIVE_HZ = 3.0
SHAPE_DERIVATIVE_HZ = 5.0
OWN_SPEED = 0.3  # share of a point's own speed in what opens it, the rest is its group's
_GROUPS: tuple[tuple[Opening, tuple[int, ...]], ...] = (
    (EYES, (*c.RIGHT_LIDS, *range(c.RIGHT_IRIS, c.RIGHT_IRIS + 5))),
    (EYES, (*c.LEFT_LIDS, *range(c.LEFT_IRIS, c.LEFT_IRIS + 5))),
    (LIPS, (*c.OUTER_LIPS, *c.INNER_LIPS)),
    (REST, ()),  # what is left
)


@cache
def _grouped() -> tuple[Opening, npt.NDArray[np.intp], Array]:
    """Each landmark's opening (arrays), its group, and (478, groups) weights of a group's mean."""
    group = np.full(LANDMARK_COUNT, len(_GROUPS) - 1)
    for i, (_, members) in enumerate(_GROUPS[:-1]):
        group[list(members)] = i
    table = np.float32([astuple(opening) for opening, _ in _GROUPS])[group].T
    member = (group[:, None] == np.arange(len(_GROUPS))).astype(np.float32)
    return Opening(*table), group, member / member.sum(axis=0)  # type: ignore[arg-type]


class Calm:
    """Steadies a face: its pose and, apart from it, its pose-free shape.

    A turning head doesn't open the filter for the noise of the lips, and speech doesn't open it
    for the noise of the pose.
    """

    def __init__(self) -> None:
        self._pose: Rigid | None = None
        self._pose_speed = [0.0] * 7
        self._shape: Array | None = None
        self._shape_speed: Array | None = None

    def reset(self) -> None:
        """Forget the past: the next face passes unchanged."""
        self._pose = self._shape = self._shape_speed = None

    def __call__(self, landmarks: Array, pose: Matrix, dt: float) -> tuple[Array, Matrix]:
        """Landmarks in pixels and their pose, `dt` s after the last call → the same, calm."""
        shape = poses.to_canonical(pose, landmarks)
        if self._pose is None or dt <= 0.0 or not poses.is_finite(shape):
            self._pose = Rigid.of(pose)
            self._pose_speed = [0.0] * 7
            self._shape, self._shape_speed = shape, np.zeros_like(shape)
            return landmarks, pose
        calm = self._turn(pose, dt)
        return poses.to_pixels(calm, self._bend(shape, dt)), calm

    def _turn(self, pose: Matrix, dt: float) -> Matrix:
        assert self._pose is not None
        step = self._pose.step_to(Rigid.of(pose)).tolist()
        share = share_of(POSE_DERIVATIVE_HZ, dt)
        self._pose_speed = v = [
            old + share * (new / dt - old) for old, new in zip(self._pose_speed, step, strict=True)
        ]
        shift, turn = math.hypot(*v[:3]), math.hypot(*v[3:6])
        shares = [share_of(POSE.cutoff_hz(speed), dt) for speed in (shift, turn, abs(v[6]))]
        self._pose = self._pose.moved([step[i] * shares[i // 3] for i in range(7)])
        return self._pose.matrix()

    def _bend(self, shape: Array, dt: float) -> Array:
        assert self._shape is not None
        assert self._shape_speed is not None
        opening, group, mean = _grouped()
        away = shape - self._shape
        v = self._shape_speed
        v += alpha(SHAPE_DERIVATIVE_HZ, dt) * (away / np.float32(dt) - v)
        squared = v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1]
        together = np.sqrt(squared @ mean)[group]
        speed = together + np.float32(OWN_SPEED) * (np.sqrt(squared) - together)
        self._shape = self._shape + alpha(opening.cutoff_hz(speed), dt)[:, None] * away
        return self._shape


def share_of(cutoff_hz: float, dt: float) -> float:
    """`alpha` of one number: NumPy would take longer to begin."""
    turn = 2.0 * math.pi * dt * cutoff_hz
    return turn / (turn + 1.0)


def alpha(cutoff_hz: Array | float, dt: float) -> Array:
    """Share of the way to a new value that a low pass of `cutoff_hz` goes in `dt`."""
    turn = np.float32(2.0 * np.pi * dt) * np.asarray(cutoff_hz, dtype=np.float32)
    return np.asarray(turn / (turn + 1), np.float32)
