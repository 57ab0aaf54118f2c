"""Works out what the knobs of a chain are at a tick: their values and what moves them.

A pure function of the ticks since the last cut, so a take renders as it was live.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from kfx.engine.look.routing import Slots, routed
from kfx.motion.chance import chance
from kfx.params import Value
from kfx.presets import Condition, Link, Preset, Source
from kfx.presets.modulation import moved
from kfx.tracking import pose as poses
from kfx.types import Face, Landmarks, Tick

Values = Mapping[str, Value]
"""The values of one link's knobs."""

SETTLED = 3.0  # time constants until a follower has come to 95 %
FAST_IOD_S = 4.0  # the speed of landmarks that is 1
TURNED = 45.0  # degrees of the head that are 1
LARGEST = 1e6  # whatever a controller sends

_SHAPES: dict[str, Callable[[float], float]] = {
    "phase": lambda p: p,
    "decay": lambda p: (1.0 - p) ** 2,
    "pulse": lambda p: float(p < 0.125),
    "square": lambda p: float(p < 0.5),
    "triangle": lambda p: 1.0 - abs(2.0 * p - 1.0),
    "sine": lambda p: 0.5 - 0.5 * math.cos(2.0 * math.pi * p),
}
_CURVES: dict[str, Callable[[float], float]] = {
    "ease": lambda x: x * x * (3.0 - 2.0 * x),
    "ease_in": lambda x: x * x,
    "ease_out": lambda x: 1.0 - (1.0 - x) ** 2,
    "step": lambda x: float(x >= 0.5),
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Knobbed(Protocol):
    """What tells the values of all knobs at a tick: `Knobs`, or a fade between two of them."""

    def at(self, tick: Tick) -> list[Values]: ...

    def reset(self) -> None: ...


class Knobs:
    """The values of a preset's knobs, tick by tick; what `set` and `bypass` change is kept."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.names: Mapping[int, str] = {}  # of pinned slots
        self.bypassed: set[int] = set()
        self._faces = _Faces()
        self._followed: dict[tuple[int, str, int], float] = {}
        self._moves = [bool(link.modulation or link.when) for link in preset.chain]
        self._still: list[Values] = []
        self.now: tuple[Preset, Sequence[Values]] = (preset, ())
        """What was said last where anything moves, and of which preset; any thread may look."""
        self._renew()

    def set(self, place: int, knob: str, value: Value) -> None:
        """Give a knob another value; what moves it goes on, about that one.

        Raises `UsageError` for a place, knob or value there isn't.
        """
        checked = self.preset.checked(place, knob, value)
        self.preset = self.preset.with_value(place, knob, checked)
        self._renew()

    def bypass(self, place: int, on: bool) -> None:
        """Take one link out of the picture, or put it back."""
        self.bypassed = self.bypassed | {place} if on else self.bypassed - {place}
        self._renew()

    def reset(self) -> None:
        """A cut: nothing is followed any more."""
        self._followed.clear()
        self._faces.reset()

    def at(self, tick: Tick) -> list[Values]:
        """The values of each link's knobs; the same object as before where nothing moves.

        Asked once a tick. A link that isn't shown has `mix` 0.
        """
        if not any(self._moves):
            return list(self._still)
        if tick.dt == 0.0:
            self.reset()
        self._faces.tick = tick
        links = enumerate(self.preset.chain)
        found = [self._moved(n, link) if self._moves[n] else self._still[n] for n, link in links]
        self._faces.end()
        self.now = (self.preset, found)
        return found

    def _moved(self, place: int, link: Link) -> Values:
        values = dict(self._still[place])
        for knob, sources in link.modulation.items():
            change: Any = 0.0
            for i, source in enumerate(sources):
                now = self._follow((place, knob, i), source, link)
                if isinstance(source.amount, tuple):
                    many = change if isinstance(change, tuple) else (change,) * len(source.amount)
                    change = tuple(a + b * now for a, b in zip(many, source.amount, strict=True))
                elif isinstance(change, tuple):
                    change = tuple(a + source.amount * now for a in change)
                else:
                    change += source.amount * now
            values[knob] = moved(link.effect.knobs[knob], values[knob], change)
        if place in self.bypassed or (link.when and not self._holds(link.when, place, link)):
            values["mix"] = 0.0
        return values

    def _holds(self, when: Condition, place: int, link: Link) -> bool:
        answers = [
            [
                _COMPARE[one.sign](
                    self._follow((place, "", 64 * i + j), one.source, link), one.value
                )
                for j, one in enumerate(group)
            ]
            for i, group in enumerate(when.groups)
        ]  # all are asked, so that all are followed
        return any(all(group) for group in answers)

    def _follow(self, key: tuple[int, str, int], source: Source, link: Link) -> float:
        now = self._read(source, key, link)
        tick = self._faces.tick
        before = self._followed.get(key)
        if before is not None:
            slow = source.attack_ms if now > before else source.release_ms
            if slow > 0.0:
                now += (before - now) * math.exp(-SETTLED * tick.dt * 1000.0 / slow)
        if source.attack_ms or source.release_ms:
            self._followed[key] = now
        if source.curve == "linear":
            return now
        return math.copysign(_CURVES[source.curve](min(1.0, abs(now))), now)

    def _read(self, source: Source, key: tuple[int, str, int], link: Link) -> float:
        tick = self._faces.tick
        family, _, name = source.signal.partition(".")
        if family in ("beat", "bar"):
            return _shape(name, tick.beat if family == "beat" else tick.bar)
        if family == "lfo":
            turns = tick.time * source.rate_hz if source.rate_hz else tick.beat / source.rate_beats
            return _shape(name, turns + source.phase)
        if family == "random":
            seeds = self.preset.seed + int(link.values["seed"])  # type: ignore[arg-type]
            knob = zlib.crc32(f"{link.effect.name}.{key[1]}".encode())
            count = math.floor((tick.beat if name == "beat" else tick.bar) + 1e-6)
            return float(chance(tick.seed, seeds, knob, key[2], count)[0])
        if family in ("face", "head"):
            return self._faces.read(family, name, link.slots, self.names)
        default = tick.energy if source.signal == "audio.level" else 0.0
        value = float(tick.signals.get(source.signal, default))
        return min(max(value, -LARGEST), LARGEST) if value == value else 0.0

    def _renew(self) -> None:
        self._still = [
            {**link.values, "mix": 0.0} if i in self.bypassed else link.values
            for i, link in enumerate(self.preset.chain)
        ]


class _Faces:
    """What faces tell at a tick."""

    tick: Tick

    def __init__(self) -> None:
        self._before: dict[int, Landmarks] = {}
        self._shapes: dict[int, Mapping[str, float]] = {}
        self._net: Any = None

    def reset(self) -> None:
        self._before.clear()

    def end(self) -> None:
        self._before = {face.slot: face.landmarks for face in self.tick.faces}
        self._shapes.clear()

    def read(self, family: str, name: str, slots: Slots, names: Mapping[int, str]) -> float:
        """Of the strongest face among `slots`; 0 where there is none. Fades with its presence."""
        faces = routed(self.tick.faces, slots, names)
        if not faces:
            return 0.0
        face = max(faces, key=lambda one: one.presence * one.iod)
        if family == "head":
            turn = poses.yaw_pitch_roll(face.pose)
            value = turn[("yaw", "pitch", "roll").index(name)] / TURNED
        elif name == "presence":
            value = 1.0
        elif name == "speed":
            value = self._speed(face)
        else:
            value = self._expressions(face).get(name, 0.0)
        value *= face.presence
        return value if math.isfinite(value) else 0.0

    def _speed(self, face: Face) -> float:
        before = self._before.get(face.slot)
        if before is None or self.tick.dt <= 0.0:
            return 0.0
        step = face.landmarks[:468, :2] - before[:468, :2]
        pixels_s = float(np.sqrt((step * step).sum(axis=1)).mean()) / self.tick.dt
        return min(1.0, pixels_s / max(1.0, face.iod) / FAST_IOD_S)

    def _expressions(self, face: Face) -> Mapping[str, float]:
        if face.blendshapes:
            return face.blendshapes
        if face.slot not in self._shapes:
            if self._net is None:
                from kfx.tracking.blendshapes import Blendshapes

                self._net = Blendshapes()
            self._shapes[face.slot] = self._net.of(face.landmarks)
        return self._shapes[face.slot]


def _shape(name: str, turns: float) -> float:
    return _SHAPES[name]((turns + 1e-6) % 1.0) if math.isfinite(turns) else 0.0
