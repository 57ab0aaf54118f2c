"""Facial motion that nobody performed, step by step from ``models/motion.onnx``.

The net runs at its own 30 steps a second; `Play.at` gives what lies between two of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kfx import own_nets
from kfx.motion.chance import chance
from kfx.tracking.arkit import NAMES

Values = npt.NDArray[np.float32]

RATE = 30.0  # steps a second
MODES, REGIONS = 24, 5  # normal numbers and uniform ones that a step takes
STATE = 128 + MODES + 7 * 5
COUNT = len(NAMES) + 5
HEAD = slice(len(NAMES), COUNT)
"""Where yaw, pitch, roll in degrees and x, y in iod stand behind the 52 coefficients."""
MOST = np.float32([1.0] * len(NAMES) + [9.0, 7.0, 7.0, 0.12, 0.12])
LEAST = np.float32([0.0] * len(NAMES) + [-9.0, -7.0, -7.0, -0.12, -0.12])
KNEE = 0.6  # of the head's `MOST`, from where on it is held back
WARM_UP = 45  # steps before the first one that is seen
MOST_STEPS = 30  # of one call: after a longer gap the performance goes on where it was
_TONGUE = NAMES.index("tongueOut")


class Play:
    """One performance. Pure: its values depend on keys, times, energy and beats alone."""

    def __init__(self, *keys: int) -> None:
        self._keys = keys
        self._step: int | None = None
        self._beat = 0.0
        self._time = 0.0
        self._past = np.zeros((1, COUNT), np.float32)
        self._state = np.zeros((1, STATE), np.float32)
        self._pair = np.zeros((2, COUNT), np.float32)
        self._shown = np.zeros(COUNT, np.float32)

    def at(self, time: float, beat: float, energy: float, life: float) -> Values:
        """(57,) coefficients 0..1 in the order of `NAMES`, then the head, at `time` in seconds.

        `energy` 0..1 is how much is sung, `beat` where the song is, `life` 0..1.5 how much is
        left to chance. Times may not go back.
        """
        place = time * RATE
        step = int(np.floor(place + 1e-4))
        elapsed = time - self._time
        rate = (beat - self._beat) / elapsed if self._step is not None and elapsed > 0 else 2.0
        if self._step is None:
            for k in range(step - WARM_UP, step):
                self._next(k, beat + (k - place) / RATE * rate, rate, energy, life)
            self._step = step - 1
        first = max(self._step, step - MOST_STEPS)
        for k in range(first + 1, step + 1):
            self._next(k, beat + (k + 1 - place) / RATE * rate, rate, energy, life)
        if step > self._step or elapsed > 0:
            share = np.float32(np.clip(place - step, 0.0, 1.0))
            self._shown = self._pair[0] + share * (self._pair[1] - self._pair[0])
        self._step, self._time, self._beat = max(step, self._step), time, beat
        return self._shown

    def _next(self, step: int, beat: float, rate: float, energy: float, life: float) -> None:
        numbers = chance(*self._keys, step, np.arange(2 * MODES + REGIONS))
        noise = np.sqrt(-2.0 * np.log(1.0 - numbers[:MODES])) * np.cos(
            2.0 * np.pi * numbers[MODES : 2 * MODES]
        )
        turn = 2.0 * np.pi * beat
        drive = (energy, np.sin(turn), np.cos(turn), np.clip(rate / RATE, 0.0, 0.2) * 10.0, life)
        self._past, self._state = own_nets.session("motion").run(
            None,
            {
                "past": self._past,
                "state": self._state,
                "drive": np.array([drive], np.float32),
                "noise": np.clip(noise, -3.0, 3.0).astype(np.float32)[None],
                "pick": numbers[2 * MODES :].astype(np.float32)[None],
            },
        )
        shown = np.clip(self._past[0], LEAST, MOST)
        shown[HEAD] = MOST[HEAD] * _bent(self._past[0, HEAD] / MOST[HEAD])
        shown[_TONGUE] = 0.0
        self._pair = np.stack([self._pair[1], shown])


def _bent(share: Values) -> Values:
    """Below 1 in size, and as it is up to `KNEE`: a head that hits its limit would jerk."""
    size = np.abs(share)
    over = (1.0 - KNEE) * np.tanh(np.maximum(size - KNEE, 0.0) / (1.0 - KNEE))
    return (np.sign(share) * (np.minimum(size, KNEE) + over)).astype(np.float32)
