"""Looks that are about to come: compiled beside the running one, a program a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kfx.engine.look.chain import Chain
from kfx.presets import Preset
from kfx.types import Tick

MOST = 2  # chains that wait; each holds its textures
_END = "the end"


@dataclass
class _Waiting:
    preset: Preset
    chain: Chain
    steps: Iterator[None]
    warmed: bool = False
    ready: bool = False


class Prepared:
    """Belongs to the drawing thread. `make` opens a chain that `build` compiles, step by step."""

    def __init__(
        self,
        make: Callable[[Preset], Chain],
        build: Callable[[Chain], Iterator[None]] = Chain.build,
    ) -> None:
        self._make, self._build = make, build
        self._waiting: list[_Waiting] = []

    @property
    def chains(self) -> tuple[Chain, ...]:
        """Those that wait: what they need of the tracker is better had before they are seen."""
        return tuple(one.chain for one in self._waiting)

    def want(self, preset: Preset) -> None:
        """Get a look ready; of too many the one that was wanted first is given up."""
        if any(one.preset is preset for one in self._waiting):
            return
        try:
            chain = self._make(preset)
        except Exception:  # it is told when the look is to be shown
            return
        self._waiting.append(_Waiting(preset, chain, self._build(chain)))
        while len(self._waiting) > MOST:
            self._waiting.pop(0).chain.close()

    def work(self, tick: Tick) -> None:
        """One step for the first look that isn't ready."""
        one = next((one for one in self._waiting if not one.ready), None)
        if one is None:
            return
        try:
            if next(one.steps, _END) is None:
                return
            if not one.warmed:
                one.warmed, one.steps = True, one.chain.warm(tick)
            else:
                one.ready = True
        except Exception:  # it is told when the look is to be shown
            self._waiting.remove(one)
            one.chain.close()

    def take(self, preset: Preset, size: tuple[int, int]) -> Chain | None:
        """The chain of a look that is ready at this size; it is the caller's from here on."""
        for one in self._waiting:
            if one.preset is preset and one.ready and one.chain.size == size:
                self._waiting.remove(one)
                return one.chain
        return None

    def close(self) -> None:
        """Give all of them back to the GPU."""
        while self._waiting:
            self._waiting.pop().chain.close()
