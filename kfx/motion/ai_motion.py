"""Motion that nobody performed: a net blinks, looks around and sings, by region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kfx.motion.motion_net import HEAD, Play
from kfx.motion.reenact import Coefficients, Reenact
from kfx.params import Choice, Float
from kfx.tracking.arkit import NAMES
from kfx.types import Face, Tick

_SONG = "audio.level"
_REGION = {
    name: "eyes" if name.startswith("eye") else "brows" if name.startswith("brow") else "mouth"
    for name in NAMES
}


@dataclass
class _Act:
    play: Play
    time: float
    values: npt.NDArray[np.float32]


class AiMotion(Reenact):
    """Each region goes from the performer's own expression (0) to the net's (1).

    Behind `frozen_portrait` in a chain it makes the photograph sing though nobody does.
    """

    generative = True

    models = ("motion.onnx", *Reenact.models)

    mouth = Float(1.0, doc="0 = the performer's lips and jaw, 1 = the net's")
    eyes = Float(1.0, doc="0 = the performer's lids and looks, 1 = the net's")
    brows = Float(1.0, doc="0 = the performer's brows, 1 = the net's")
    head = Float(0.6, doc="how far the head sways by itself")
    energy = Float(0.65, doc="how much is sung: 0 = a silent face, 1 = full voice")
    music = Float(0.7, doc="how far the song's level rules the energy, where one is heard")
    rate = Choice(1.0, (0.5, 1.0, 2.0), ("half", "full", "double"), doc="time that is sung in")
    life = Float(0.9, 0.0, 1.5, doc="how much is left to chance: 0 = a puppet, 1 = as people are")
    gain = Float(1.0, 0.0, 2.0, doc="size of the net's lips, jaw and brows")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._acts: dict[int, _Act] = {}

    def reset(self) -> None:
        super().reset()
        self._acts.clear()

    def opening(self, tick: Tick) -> float:
        return self.mouth

    def wanted(self, face: Face, tick: Tick, own: Coefficients) -> Coefficients:
        values = self._values(face, tick)
        shares = {"mouth": self.mouth, "eyes": self.eyes, "brows": self.brows}
        result = {}
        for k, name in enumerate(NAMES):
            region = _REGION[name]
            goal = float(values[k]) * (1.0 if region == "eyes" else self.gain)
            result[name] = own[name] + shares[region] * (goal - own[name])
        return result

    def sway(self, face: Face, tick: Tick) -> npt.NDArray[np.float32]:
        return np.float32(self.head) * self._values(face, tick)[HEAD]

    def _values(self, face: Face, tick: Tick) -> npt.NDArray[np.float32]:
        """What the net plays for this slot at this tick."""
        act = self._acts.get(face.slot)
        if act is not None and tick.time == act.time:
            return act.values
        cut = tick.dt == 0.0 or (face.found and face.age <= 1)
        play = Play(self.seed, tick.seed, face.slot, 11)
        if act is not None and not cut and tick.time > act.time:
            play = act.play
        energy = self.energy
        if _SONG in tick.signals:
            heard = float(np.nan_to_num(tick.signals[_SONG]))
            energy += self.music * (min(max(heard, 0.0), 1.0) - energy)
        values = play.at(tick.time, tick.beat * self.rate, energy, self.life)
        self._acts[face.slot] = _Act(play, tick.time, values)
        return values


MOTION = AiMotion
