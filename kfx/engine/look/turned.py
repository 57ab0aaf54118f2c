"""A chain whose knobs are turned while it is drawn."""

from __future__ import annotations

from abc import abstractmethod

from kfx.engine.look.buses import Buses
from kfx.engine.look.modulate import Knobbed, Knobs
from kfx.engine.look.plan import Moving, Plan, Step, loosened, reads_matte
from kfx.params import Value
from kfx.presets import Preset
from kfx.render.isf_program import Program


class Turned:
    """What `Chain` can be told from one frame to the next without being compiled anew."""

    plan: Plan
    knobs: Knobs
    told: Knobbed
    programs: dict[int, Program]
    needs_person: bool
    _buses: Buses

    @abstractmethod
    def _shader_steps(self) -> list[Step]:
        """The steps that programs draw."""

    def set(self, place: int, knob: str, value: Value) -> bool:
        """Give a knob another value from the next frame on.

        False if the link isn't planned, as its mix was 0: only a new chain shows it. Raises as
        `Knobs.set` does. Only a choice on a software renderer compiles anything.
        """
        self.knobs.set(place, knob, value)
        if knob == "mix":
            self._loosen({place: {"mix"}})
        return self.draws_all_of(self.knobs.preset)

    def bypass(self, place: int, on: bool) -> None:
        """Take one link out of the picture from the next frame on, or put it back."""
        self.knobs.bypass(place, on)
        self._loosen({place: {"mix"}})

    def take(self, knobs: Knobs) -> None:
        """Go on with the knobs of another preset of the same effects."""
        moving = {}
        links = zip(self.knobs.preset.chain, knobs.preset.chain, strict=True)
        for place, (before, after) in enumerate(links):
            mixes = before.values["mix"] != after.values["mix"] or after.when is not None
            moving[place] = {*after.modulation, *(["mix"] if mixes else [])}
        self._loosen({place: names for place, names in moving.items() if names})
        self.knobs = self.told = knobs

    def draws_all_of(self, preset: Preset) -> bool:
        """Whether all links of a preset of the same effects are planned that may show."""
        seen = self.needs_person or not any(map(reads_matte, preset.chain))
        planned = self.plan.places
        return seen and all(link.idle or n in planned for n, link in enumerate(preset.chain))

    def _loosen(self, moving: Moving) -> None:
        """Knobs that move aren't compiled in, by their link's place."""
        for chain in self._buses.chains.values():
            chain._loosen(moving)
        for step in self._shader_steps():
            here = {n: moving[n] for n, _ in step.links if n in moving}
            program = self.programs.get(step.links[0][0])
            if here and program is not None:
                program.shader = loosened(program.shader, step, here)
