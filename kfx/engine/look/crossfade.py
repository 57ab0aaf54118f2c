"""Goes from one look to another: knobs where the chains match, pictures where they don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import moderngl

from kfx.engine.look.modulate import Knobs, Values
from kfx.params import Float, Knob, Value, Vector
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.types import Tick

LEAST_BEATS_S = 0.5  # a song that stands still doesn't stop a fade that is measured in beats

_MIX = """
in vec2 isf_FragNormCoord;
uniform sampler2D before;
uniform sampler2D after;
uniform float amount;
out vec4 colour;
void main() {
    ivec2 p = ivec2(isf_FragNormCoord * vec2(textureSize(after, 0)));
    colour = mix(texelFetch(before, p, 0), texelFetch(after, p, 0), amount);
}
"""


@dataclass
class Progress:
    """How far a fade is, by the time or the beats of the ticks it was told."""

    seconds: float = 0.0
    beats: float = 0.0
    done: float = 0.0  # 0..1
    beat: float | None = None  # of the tick before

    def step(self, tick: Tick) -> float:
        """Move on by a tick; returns the weight of what is new, eased, 0 at the first tick."""
        if self.beat is not None:
            if self.beats > 0.0:
                moved = tick.beat - self.beat
                moved = moved if 0.0 < moved <= 4.0 else 0.0
                self.done += max(moved, LEAST_BEATS_S * tick.dt) / self.beats
            else:
                self.done += tick.dt / self.seconds if self.seconds > 0.0 else 1.0
        self.beat = tick.beat
        self.done = self.done if self.done < 1.0 - 1e-6 else 1.0
        return self.done * self.done * (3.0 - 2.0 * self.done)


class Between:
    """The knobs of two presets whose chains match, on the way from one to the other."""

    def __init__(self, before: Knobs, after: Knobs, progress: Progress) -> None:
        self.before = before
        self.after = after
        self.progress = progress
        self._knobs = [link.effect.knobs for link in after.preset.chain]

    @property
    def done(self) -> bool:
        return self.progress.done >= 1.0

    def at(self, tick: Tick) -> list[Values]:
        weight = self.progress.step(tick)
        values = zip(self._knobs, self.before.at(tick), self.after.at(tick), strict=True)
        return [_between(knobs, before, after, weight) for knobs, before, after in values]

    def reset(self) -> None:
        self.before.reset()
        self.after.reset()


class Dissolve:
    """Mixes two pictures of one size into a third."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._program = cast(Any, gpu.program(_MIX))
        self._array = gpu.ctx.vertex_array(self._program, [])
        self._program["before"].value = 0
        self._program["after"].value = 1

    def draw(
        self,
        target: moderngl.Texture,
        before: moderngl.Texture,
        after: moderngl.Texture,
        amount: float,
    ) -> None:
        """`amount` 0 is `before`, 1 is `after`, to the bit."""
        for unit, texture in enumerate((before, after)):
            texture.use(unit)
            self._gpu.nearest.use(unit)
        self._program["amount"].value = amount
        self._gpu.fill(self._array, self._gpu.target(target))

    def release(self) -> None:
        self._array.release()
        self._program.release()


def same_chain(one: Preset, other: Preset) -> bool:
    """Whether both are the same effects for the same performers: only knobs differ."""
    return len(one.chain) == len(other.chain) and all(
        a.effect == b.effect and a.slots == b.slots and a.bus == b.bus
        for a, b in zip(one.chain, other.chain, strict=True)
    )


def fades_by_knobs(one: Preset, other: Preset) -> bool:
    """Whether every knob that differs has values in between, so that the chain can glide."""
    if not same_chain(one, other) or one.seed != other.seed:
        return False
    return all(
        a.values[knob] == b.values[knob] or (_glides(spec) and knob != "seed")
        for a, b in zip(one.chain, other.chain, strict=True)
        for knob, spec in a.effect.knobs.items()
    )


def _glides(knob: Knob) -> bool:
    return isinstance(knob, Float | Vector)


def _between(knobs: Mapping[str, Knob], before: Values, after: Values, weight: float) -> Values:
    if before == after:
        return after
    return {name: _mixed(knobs[name], before[name], value, weight) for name, value in after.items()}


def _mixed(knob: Knob, before: Value, after: Value, weight: float) -> Value:
    if before == after or not _glides(knob):
        return after
    if isinstance(before, tuple) and isinstance(after, tuple):
        return tuple(a + (b - a) * weight for a, b in zip(before, after, strict=True))
    assert isinstance(before, int | float)
    assert isinstance(after, int | float)
    value = before + (after - before) * weight
    return round(value) if isinstance(knob.default, int) else value
