"""The performer's seeded motion: pure functions of time, so that any frame can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, exp, floor, pi, sin, tanh

import numpy as np

DEGREES = pi / 180
YAW_MAX = 24.0

# What the mouth does for a sound: jaw 0..1, width -1 (round) .. 1 (wide), press 0..1, upper 0..1
VOWELS = np.array([
    (1.00, 0.10, 0, 0.35),  # a
    (0.62, 0.55, 0, 0.45),  # e
    (0.34, 0.80, 0, 0.35),  # i
    (0.74, -0.70, 0, 0.25),  # o
    (0.36, -1.00, 0, 0.20),  # u
    (0.85, 0.30, 0, 0.45),  # ä
])  # fmt: skip
CONSONANTS = np.array([
    (0.02, 0.00, 1.0, 0.0),  # m b p
    (0.10, 0.10, 0.7, 0.3),  # f v
    (0.16, 0.30, 0.0, 0.2),  # s t d n
    (0.24, -0.45, 0.0, 0.4),  # sh r
    (0.22, 0.10, 0.0, 0.1),  # k g l
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """The performer at one time. Angles in radians, shifts in inter-ocular distances (iod).

    Positive yaw turns the nose to the right of the picture, positive pitch lowers it, positive
    roll is clockwise. `gaze` is the irises' shift as a share of what the eye allows, -1..1.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.0
    body_turn: float = 0.0
    body_roll: float = 0.0
    breath: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    blink_left: float = 0.0
    blink_right: float = 0.0
    jaw: float = 0.0
    wide: float = 0.0
    press: float = 0.0
    upper: float = 0.0
    smile_left: float = 0.0
    smile_right: float = 0.0
    brow_left: float = 0.0
    brow_right: float = 0.0


def ease(x: float) -> float:
    """Minimum jerk from 0 to 1 over 0 <= x <= 1 (Flash and Hogan 1985)."""
    x = min(1.0, max(0.0, x))
    return x * x * x * (10 - 15 * x + 6 * x * x)


@lru_cache(maxsize=512)
def _drift_terms(seed: int, track: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, track, 1])
    hertz = 0.06 * 1.62 ** np.arange(8) * rng.uniform(0.85, 1.15, 8)
    amplitude = hertz**-0.9
    amplitude[-2:] *= 0.8
    return hertz * 2 * pi, rng.uniform(0, 2 * pi, 8), amplitude / np.sqrt((amplitude**2).sum() / 2)


def drift(t: float, seed: int, track: int) -> float:
    """1/f wandering with unit variance, 0.06–1.8 Hz."""
    speed, phase, amplitude = _drift_terms(seed, track)
    return float((amplitude * np.sin(speed * t + phase)).sum())


@lru_cache(maxsize=4096)
def _draw(seed: int, track: int, cell: int) -> tuple[float, ...]:
    """Eight numbers 0..1 that belong to one cell of one track."""
    return tuple(np.random.default_rng([seed, track, cell + (1 << 20), 2]).random(8))


@dataclass(frozen=True, slots=True)
class _Hops:
    """A held target per cell of time and an eased way between the targets."""

    track: int
    period_s: float
    travel_s: float

    def at(self, t: float, seed: int, pick: int = 0) -> float:
        """-1..1; `pick` 0–3 chooses one of four values that change together."""
        cell = floor(t / self.period_s)
        value = 2 * _draw(seed, self.track, cell - 1)[pick] - 1
        for c in (cell, cell + 1):
            draws = _draw(seed, self.track, c)
            start = (c + 0.45 * draws[4]) * self.period_s
            travel = self.travel_s * (0.75 + 0.7 * draws[5])
            value += (2 * draws[pick] - 1 - value) * ease((t - start) / travel)
        return value


HEAD = _Hops(track=10, period_s=2.4, travel_s=0.95)
LOOK = _Hops(track=11, period_s=1.15, travel_s=0.055)
LEAN = _Hops(track=12, period_s=5.5, travel_s=2.4)


def _turn(t: float, seed: int) -> tuple[float, float, float]:
    """Head yaw, pitch, roll in degrees before speech accents."""
    target = HEAD.at(t, seed)
    yaw = 27 * target + 2.2 * drift(t, seed, 20)
    pitch = 6.0 * HEAD.at(t, seed, 1) + 1.3 * drift(t, seed, 21)
    roll = 5.0 * HEAD.at(t, seed, 2) + 1.1 * drift(t, seed, 22) + 0.10 * yaw
    return YAW_MAX * tanh(yaw / YAW_MAX * 1.1), 11 * tanh(pitch / 11), 10 * tanh(roll / 10)


BLINK_CELL_S = 3.1


def blink(t: float, seed: int) -> float:
    """0 open … 1 closed. A blink closes in about 50 ms and opens in about 80."""
    closed = 0.0
    cell = floor(t / BLINK_CELL_S)
    for c in (cell - 1, cell):
        draws = _draw(seed, 13, c)
        starts = [(c + 0.05 + 0.8 * draws[0]) * BLINK_CELL_S]
        if draws[1] > 0.8:  # some come in pairs
            starts.append(starts[0] + 0.26)
        length = 0.115 + 0.035 * draws[2]
        for start in starts:
            x = (t - start) / length
            if 0 < x < 1:
                closed = max(closed, ease(x / 0.32) if x < 0.56 else 1 - ease((x - 0.56) / 0.44))
    return closed


PHRASE_S = 4.2


@lru_cache(maxsize=256)
def _phrase(seed: int, cell: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One phrase: key times (n,), mouth keys (n, 4), stressed times (m,). Seconds in its cell."""
    rng = np.random.default_rng([seed, 14, cell + (1 << 20), 3])
    start, stop = 0.25 + 0.35 * rng.random(), PHRASE_S * rng.uniform(0.62, 0.86)
    times, keys, stressed = [start - 0.16], [np.zeros(4)], []
    t, beat = start, 0
    while t < stop:
        length = 1 / rng.uniform(3.0, 5.0)
        stress = 1.0 if beat % 3 == 0 else rng.uniform(0.55, 0.85)
        if rng.random() < 0.07:  # a held, sung vowel
            length *= 2.2
        times += [t + 0.02, t + 0.42 * length, t + 0.62 * length]
        vowel = VOWELS[rng.integers(len(VOWELS))] * (stress, 1, 1, stress)
        keys += [CONSONANTS[rng.integers(len(CONSONANTS))], vowel, vowel * (0.94, 1, 1, 1)]
        if stress == 1.0:
            stressed.append(t + 0.42 * length)
        t, beat = t + length, beat + 1
    times += [t + 0.05, t + 0.30]
    keys += [np.array([0.06, 0, 0, 0]), np.zeros(4)]
    return np.array(times), np.array(keys), np.array(stressed)


def speech(t: float, seed: int) -> tuple[np.ndarray, float]:
    """The mouth (4,) as in `VOWELS`, and the stress accent 0..1 that head and brows follow."""
    cell = floor(t / PHRASE_S)
    local = t - cell * PHRASE_S
    times, keys, stressed = _phrase(seed, cell)
    accent = sum(exp(-(((local - s) / 0.11) ** 2)) for s in stressed)
    i = int(np.searchsorted(times, local))
    if i == 0 or i == len(times):
        return np.zeros(4), min(1.0, accent)
    x = ease((local - times[i - 1]) / (times[i] - times[i - 1]))
    return keys[i - 1] + (keys[i] - keys[i - 1]) * x, min(1.0, accent)


SMILE_S = 6.3


def smile(t: float, seed: int) -> float:
    """0..1, slow to come and slower to go."""
    value = 0.0
    cell = floor(t / SMILE_S)
    for c in (cell - 1, cell):
        draws = _draw(seed, 15, c)
        x = t - (c + 0.15 + 0.4 * draws[0]) * SMILE_S
        held = 1.2 + 1.6 * draws[1]
        size = 0.45 + 0.55 * draws[2] if draws[3] > 0.2 else 0.0
        value = max(value, size * (ease(x / 0.6) - ease((x - held) / 1.1)))
    return value


def moment(t: float, seed: int) -> Moment:
    """The performer `t` seconds into the take that `seed` names."""
    yaw, pitch, roll = _turn(t, seed)
    slow = [_turn(t - lag, seed) for lag in (0.22, 0.34, 0.46)]
    late_yaw = sum(s[0] for s in slow) / 3
    late_roll = sum(s[2] for s in slow) / 3
    mouth, accent = speech(t, seed)
    happy = smile(t, seed)
    lid = blink(t, seed)
    uneven = drift(t, seed, 24) * 0.06
    brow = 0.5 * accent * max(0.0, drift(t, seed, 23)) + 0.9 * max(0.0, drift(t, seed, 26) - 0.9)
    brow = 1.2 * tanh(brow)
    look_x = LOOK.at(t, seed) * 0.7 + (late_yaw - yaw) * 0.05
    look_y = LOOK.at(t, seed, 1) * 0.6
    breath = sin(2 * pi * 0.27 * t + 0.4 * drift(t, seed, 25))
    return Moment(
        yaw=yaw * DEGREES,
        pitch=(pitch + 3.2 * accent - 0.3 * breath) * DEGREES,
        roll=roll * DEGREES,
        shift_x=0.20 * LEAN.at(t, seed) + 0.05 * drift(t, seed, 30),
        shift_y=0.10 * LEAN.at(t, seed, 1) + 0.03 * drift(t, seed, 31) + 0.012 * breath,
        scale=1 + 0.035 * LEAN.at(t, seed, 2) + 0.008 * drift(t, seed, 32),
        body_turn=0.20 * late_yaw * DEGREES,
        body_roll=(0.12 * late_roll + 0.5 * drift(t, seed, 33)) * DEGREES,
        breath=breath,
        gaze_x=max(-1.0, min(1.0, look_x)),
        gaze_y=max(-1.0, min(1.0, look_y)),
        blink_left=lid,
        blink_right=min(1.0, blink(t - 0.006, seed)),
        jaw=float(mouth[0]) * (1 - 0.10 * happy),
        wide=float(mouth[1]),
        press=float(mouth[2]),
        upper=float(mouth[3]),
        smile_left=max(0.0, happy * (1 + uneven)),
        smile_right=max(0.0, happy * (1 - uneven)),
        brow_left=brow * (1 - 2 * uneven),
        brow_right=brow * (1 + 2 * uneven),
    )


STILL = Moment()


def path(t: float, face: int, faces: int, cross: bool, seed: int) -> tuple[float, float, float]:
    """Where face `face` of `faces` stands: x 0..1 of the stage, depth -1 (near) .. 1, y in iod."""
    home = (face + 0.5) / faces
    if faces == 1:
        return home, 0.0, 0.0
    if not cross:
        wander = 0.06 * drift(t * 0.6, seed, 40 + face) / faces
        return home + wander, 0.5 * (-1) ** face, 0.1 * (-1) ** face
    turn = 2 * pi * (t / (9.0 + 3.0 * faces) + face / faces + 0.13)
    return 0.5 + (0.5 - 0.5 / faces) * cos(turn), sin(turn), 0.0
