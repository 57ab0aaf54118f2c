"""One performer's expression on another's face, or one that comes in as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kfx.motion.cast import slot_of
from kfx.motion.neutral import Neutral
from kfx.motion.reenact import Coefficients, Reenact
from kfx.params import Choice, Float, Performer
from kfx.tracking import pose as poses
from kfx.tracking.arkit import NAMES
from kfx.types import Face, Tick

INCOMING = "face.in."
"""Signals ``face.in.jawOpen`` … are the coefficients of a stream: live, `kfx.sync.face_in`."""
_FADE_S = 0.4  # so quickly the target becomes itself when its driver is lost
_RENEW_S = 1.0  # how often a rest is read again


@dataclass
class _Rest:
    time: float
    values: Coefficients = field(default_factory=dict)


class Retarget(Reenact):
    """What the driver adds to their own resting face is added to the target's.

    Every other face is a target; give the link `slots` in the preset to choose. The stream is what
    comes in at ``kfx live --osc-in``: from another kfx, VMC, or an iPhone's Live Link Face.
    """

    driver = Choice("performer", ("performer", "stream"), doc="a slot, or what comes in")
    slot = Performer("0", doc="who drives: the number of a slot, or the name it is pinned by")
    gain = Float(1.0, 0.0, 2.0, doc="1 = as performed, 2 = twice the expression")
    mouth = Float(1.0, doc="share of lips and jaw that the driver has")
    eyes = Float(1.0, doc="share of lids and looks that the driver has")
    brows = Float(1.0, doc="share of the brows that the driver has")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._neutral = Neutral()
        self._rests: dict[int, _Rest] = {}
        self._last: tuple[float, float, Coefficients] | None = None  # time, strength, expression

    def reset(self) -> None:
        super().reset()
        self._neutral.reset()
        self._rests.clear()
        self._last = None

    def opening(self, tick: Tick) -> float:
        return self._expression(tick)[0] * self.mouth

    def wanted(self, face: Face, tick: Tick, own: Coefficients) -> Coefficients | None:
        if self.driver == "performer" and face.slot == self._driving():
            return None
        strength, shown = self._expression(tick)
        if strength <= 0.0:
            return None
        rest = self._rest_of(face, tick)
        result = {}
        for name in NAMES:
            start = name[:3]
            share = self.eyes if start == "eye" else self.brows if start == "bro" else self.mouth
            goal = min(1.5, max(0.0, rest[name] + self.gain * shown.get(name, 0.0)))
            result[name] = own[name] + strength * share * (goal - own[name])
        return result

    def _expression(self, tick: Tick) -> tuple[float, Coefficients]:
        """How surely the driver is there, and what they add to their own rest."""
        if tick.dt == 0.0 and self._last is not None and self._last[0] != tick.time:
            self._last = None
        if self._last is not None and self._last[0] == tick.time:
            return self._last[1:]
        shown = self._streamed(tick) if self.driver == "stream" else self._performed(tick)
        if shown is not None:
            self._last = (tick.time, 1.0, shown)
        elif self._last is not None:
            self._last = (tick.time, self._last[1] - tick.dt / _FADE_S, self._last[2])
        return (0.0, {}) if self._last is None else self._last[1:]

    def _streamed(self, tick: Tick) -> Coefficients | None:
        got = {
            name: float(np.clip(np.nan_to_num(tick.signals[INCOMING + name]), 0.0, 1.0))
            for name in NAMES
            if INCOMING + name in tick.signals
        }
        return got or None

    def _performed(self, tick: Tick) -> Coefficients | None:
        slot = self._driving()
        face = next((one for one in tick.faces if one.slot == slot), None)
        if face is None or not face.found or not np.isfinite(face.landmarks).all():
            return None
        own, rest = self._net.of(face.landmarks), self._rest_of(face, tick)
        return {name: own[name] - rest[name] for name in NAMES}

    def _driving(self) -> int | None:
        return slot_of(self.slot, self.names)

    def _rest_of(self, face: Face, tick: Tick) -> Coefficients:
        """The coefficients of a face's own rest as far as it is known."""
        if not np.isfinite(face.pose).all():
            return dict.fromkeys(NAMES, 0.0)
        rest = self._rests.get(face.slot)
        if rest is not None and rest.time == tick.time:
            return rest.values
        live = next((one for one in tick.faces if one.slot == face.slot), face)
        shape = self._neutral.of(live, poses.to_canonical(live.pose, live.landmarks), tick.dt)
        new = rest is None or live.age <= 1 or tick.dt == 0.0
        if rest is None or new or int(tick.time / _RENEW_S) != int(rest.time / _RENEW_S):
            rest = self._rests[face.slot] = _Rest(tick.time, self._net.of(shape))
        rest.time = tick.time
        return rest.values


MOTION = Retarget
