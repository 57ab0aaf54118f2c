"""The face is rubber: chin, forehead, eyes and mouth are pulled and spring on the beat (E07)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.base import Motion
from kfx.params import Float
from kfx.types import Face, Landmarks, Tick

Array = npt.NDArray[np.float64]

# Group of handles: landmark → where one iod of its knob takes it, in iod.
_HANDLES: dict[str, dict[int, tuple[float, float]]] = {
    "chin": {152: (0, 1), 148: (0, 0.93), 377: (0, 0.93), 176: (0.04, 0.7), 400: (-0.04, 0.7)},
    "forehead": {10: (0, -1), 109: (0, -0.9), 338: (0, -0.9), 151: (0, -0.6)},
    "eyes": {
        **{33: (-0.5, 0), 133: (0.4, 0), 159: (0, -0.45), 145: (0, 0.35), 105: (-0.1, -0.5)},
        **{263: (0.5, 0), 362: (-0.4, 0), 386: (0, -0.45), 374: (0, 0.35), 334: (0.1, -0.5)},
    },
    "cheeks": {50: (-0.6, 0.1), 280: (0.6, 0.1), 214: (-0.8, 0), 434: (0.8, 0)},
    "mouth": {61: (-0.8, -0.3), 291: (0.8, -0.3), 0: (0, -0.15), 17: (0, 0.15)},
    "nose": {1: (0, 0.5), 2: (0, 0.4), 98: (-0.2, 0.3), 327: (0.2, 0.3)},
}
_ANCHORS = (127, 356, 234, 454, 58, 288, 21, 251, 168)
_POINTS = np.array([i for group in _HANDLES.values() for i in group] + list(_ANCHORS))
# No two parts of a face have the same weight: each spring is tuned a little apart.
_TUNING = np.array([0.86, 1.0, 1.22, 0.94, 1.1, 1.3, 0.8, 0.8])
_FARTHEST = 0.45  # iod that a handle can be drawn
_MOST = 2.5  # of the knob: farther no spring swings


@lru_cache(maxsize=16)
def carried(alpha: float) -> npt.NDArray[np.complex128]:
    """(478, len(_POINTS)): how each landmark follows the handles, x + iy.

    Moving least squares with similarities (Schaefer, McPhail, Warren 2006), written with complex
    numbers; on the canonical face it is linear in the handles' displacements.
    """
    xy = c.canonical().vertices[:, :2].astype(np.float64) @ np.array([1, 1j])
    handles = xy[_POINTS]
    weight = 1.0 / (np.abs(handles[None] - xy[:, None]) ** (2 * alpha) + 1e-6)
    weight /= weight.sum(axis=1, keepdims=True)
    centre = weight @ handles
    arm = handles[None] - centre[:, None]
    size = (weight * np.abs(arm) ** 2).sum(axis=1, keepdims=True)
    follow: npt.NDArray[np.complex128] = weight * (
        1.0 + (xy - centre)[:, None] * arm.conj() / np.maximum(size, 1e-9)
    )
    return follow


@dataclass
class _Springs:
    place: Array  # (8,): one for each group, and the jelly's x and y
    speed: Array
    hit: int
    head: Array  # where the head was, in iod
    drift: Array  # its smoothed velocity, iod/s


class Liquify(Motion):
    """Handles on springs; what lies between follows by moving least squares."""

    reenact = True

    chin = Float(0.26, -0.5, 1.0, unit="iod", doc="how far the chin is drawn down")
    forehead = Float(0.13, -0.5, 1.0, unit="iod", doc="how far the forehead is drawn up")
    eyes = Float(0.16, -0.5, 1.0, unit="iod", doc="how far the eyes are spread open")
    cheeks = Float(-0.08, -0.5, 1.0, unit="iod", doc="how far the cheeks are blown out")
    mouth = Float(0.05, -0.5, 1.0, unit="iod", doc="how far the corners of the mouth are drawn")
    nose = Float(0.0, -0.5, 1.0, unit="iod", doc="how far the nose hangs")
    stay = Float(0.35, doc="share of the pull that stays between two beats")
    kick = Float(0.9, 0.0, 2.0, doc="how hard a beat throws the springs")
    every = Float(1.0, 0.25, 16.0, unit="beats", doc="beats between two kicks")
    jelly = Float(0.35, doc="how much the flesh lags behind a moving head")
    spring = Float(3.2, 1.0, 12.0, unit="Hz", doc="how fast it swings")
    damping = Float(0.24, 0.05, 1.0, doc="small = long swinging rubber, large = dough")
    alpha = Float(1.1, 0.5, 2.0, doc="small = everything follows, large = only what is near")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._springs: dict[int, _Springs] = {}

    def reset(self) -> None:
        self._springs.clear()

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        springs = self._step(face, tick)
        pulls = []
        for swing, (name, group) in zip(springs.place, _HANDLES.items(), strict=False):
            # Rubber hardens as it is drawn out, well before the skin would fold.
            amount = _FARTHEST * np.tanh(getattr(self, name) * swing / _FARTHEST)
            pulls += [amount * complex(*way) for way in group.values()]
        handles = np.array(pulls + [0j] * len(_ANCHORS))
        loose = np.array([1, 0.9, 0.9, 0.6, 0.6] + [0] * (len(_POINTS) - 5), np.float64)
        loose[_POINTS == 1] = 0.4
        loose[np.isin(_POINTS, (50, 280, 214, 434))] = 0.5
        handles += loose * complex(*springs.place[6:])
        moved = carried(round(self.alpha, 3)) @ handles
        change = np.stack([moved.real, moved.imag, np.zeros(len(moved))], axis=1)
        return face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)

    def _step(self, face: Face, tick: Tick) -> _Springs:
        hit = int(np.floor(tick.beat / self.every + 1e-6))
        head = face.pose[:2, 3].astype(np.float64) / max(face.iod, 1e-6)
        now = self._springs.get(face.slot)
        rate = 2.0 * np.pi * self.spring * _TUNING
        if now is None or tick.dt == 0.0 or face.age <= 1:
            rest = np.array([self.stay] * 6 + [0.0, 0.0])
            now = _Springs(rest, np.zeros(8), hit, head, np.zeros(2))
            self._springs[face.slot] = now
            if tick.beat - hit * self.every < 0.05:
                now.speed[:6] += self.kick * rate[:6]
            return now
        goal = np.array([self.stay] * 6 + [0.0, 0.0])
        if hit != now.hit:
            now.speed[:6] += self.kick * rate[:6]
        drift = now.drift + (1 - np.exp(-tick.dt / 0.05)) * (
            (head - now.head) / tick.dt - now.drift
        )
        now.speed[6:] -= self.jelly * np.clip(drift - now.drift, -6, 6)
        now.hit, now.head, now.drift = hit, head, drift
        # A damped swing is stepped exactly, so that 24 and 60 frames a second swing alike.
        bell = rate * np.sqrt(max(1.0 - self.damping**2, 1e-6))  # at 1 it only just swings
        fade, turn = np.exp(-self.damping * rate * tick.dt), bell * tick.dt
        away, speed = now.place - goal, now.speed
        ahead = (speed + self.damping * rate * away) / bell
        now.place = goal + fade * (away * np.cos(turn) + ahead * np.sin(turn))
        back = (self.damping * rate * speed + rate**2 * away) / bell
        now.speed = fade * (speed * np.cos(turn) - back * np.sin(turn))
        now.place = np.clip(now.place, *(np.array([[-_MOST], [_MOST]]) * _LIMIT))
        return now


_LIMIT = np.array([1.0] * 6 + [0.06, 0.06])

MOTION = Liquify
