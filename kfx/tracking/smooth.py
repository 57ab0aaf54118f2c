"""One-Euro filter over a whole face (Casiez, Roussel, Vogel 2012)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class OneEuro:
    """Still when the face is still, without lag when it moves; speeds are per iod.

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
        self._speed += _alpha(self.derivative_hz, dt) * (speed - self._speed)
        rate = np.linalg.norm(self._speed, axis=1, keepdims=True)
        alpha = _alpha(self.min_cutoff_hz + self.beta * rate, dt)
        self._value = (self._value + alpha * (value - self._value)).astype(np.float32)
        return self._value


def _alpha(cutoff_hz: Array | float, dt: float) -> Array:
    turn = np.float32(2.0 * np.pi * dt) * np.asarray(cutoff_hz, dtype=np.float32)
    return turn / (turn + 1)
