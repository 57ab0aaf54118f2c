"""Changes of a look that can be taken back: presets, knobs, the order of the chain, A and B."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from kfx import assets, presets
from kfx.engine.desk import chain_edits, tree
from kfx.engine.desk.chain_edits import Went
from kfx.engine.desk.history import History, State
from kfx.engine.desk.tree import CHAIN, PREFIX
from kfx.errors import UsageError
from kfx.params import File, Value
from kfx.presets import Preset

PLACES = ("A", "B")
Publish = Callable[[str, Any, str], None]
"""Address, value, by whom."""


class Looks(Protocol):
    """What is needed of a `Look`; any thread may call."""

    @property
    def preset(self) -> Preset: ...

    @property
    def bypassed(self) -> frozenset[int]: ...

    @property
    def names(self) -> Mapping[int, str]: ...

    @property
    def moved(self) -> tuple[Preset, Sequence[Mapping[str, Value]]]: ...

    def change(
        self,
        preset: Preset,
        *,
        seconds: float = 0.0,
        beats: float = 0.0,
        rebuild: bool = False,
        bypassed: frozenset[int] = frozenset(),
    ) -> None: ...

    def set(self, place: int, knob: str, value: Value) -> None: ...

    def bypass(self, place: int, on: bool) -> None: ...

    def bypass_only(self, places: frozenset[int]) -> None: ...


class Edits:
    """What is done to one look. Not for several threads: the desk calls it under its lock."""

    def __init__(self, look: Looks, publish: Publish, now: Callable[[], float]) -> None:
        self._look, self._publish, self._now = look, publish, now
        self._history = History()
        self._stored: dict[str, State] = {}
        self._solo: tuple[int, frozenset[int]] | None = None  # and what was bypassed before it
        self._fired: list[tuple[int, str]] = []  # events of this frame, to be let go of
        self._held: list[tuple[int, str]] = []  # and of the frame before
        self._steps = 0
        self._told = (self.name, self.state)
        self._told_solo: int | None = None

    @property
    def preset(self) -> Preset:
        return self._look.preset

    @property
    def state(self) -> State:
        return State(self._look.preset, self._look.bypassed)

    @property
    def solo_place(self) -> int | None:
        return self._solo[0] if self._solo else None

    @property
    def name(self) -> str:
        """The preset as `presets.load` would take it: a name of the library, or a path."""
        preset = self._look.preset
        own = preset.path in ("", str(presets.path_of(preset.name)))
        return preset.name if own else preset.path

    @property
    def moved(self) -> tuple[Preset, Sequence[Mapping[str, Value]]]:
        return self._look.moved

    @property
    def performers(self) -> Mapping[int, str]:
        return self._look.names

    @property
    def effects(self) -> tuple[str, ...]:
        return tuple(link.effect.name for link in self._look.preset.chain)

    @property
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return self._history.depth

    def to(self, preset: Preset, what: str, by: str, **how: Any) -> None:
        """Go over to another preset; `how` as `Look.change` has it."""
        self._step(what, by)
        self._solo = None
        self._put(State(preset), by, **how)

    def edit(
        self, edit: Callable[[Preset], tuple[Preset, Went]], by: str, gesture: str = ""
    ) -> None:
        """Change the chain; what is bypassed stays so, wherever it goes.

        Edits of one `gesture` that follow at once are one step.
        """
        before = self.state
        preset, went = edit(before.preset)
        if preset.chain == before.preset.chain:
            return
        places = {went(one) for one in before.bypassed}
        self._step(gesture or "edit", by, gesture=bool(gesture))
        self._solo = None
        self._put(State(preset, frozenset(one for one in places if one is not None)), by)

    def knob(self, place: int, name: str, value: Any, by: str) -> None:
        """Raises `ValueError` for a value that isn't the knob's."""
        preset = self._look.preset
        link = preset.chain[place]
        knob = link.effect.knobs[name]
        checked = tree.knob_value(knob, value)
        if isinstance(knob, File) and checked:
            folders = [Path(preset.path).parent] if preset.path else []
            checked = knob.find(str(checked), *folders)
        if link.values[name] == checked:
            return
        before = self.state
        self._look.set(place, name, checked)
        self._step(f"chain[{place}].{name}", by, before=before, gesture=True)
        self.tell(by)

    def fire(self, place: int, knob: str, by: str) -> None:
        """An event: true for one frame, then let go of by `drawn`."""
        self._look.set(place, knob, True)
        self._fired.append((place, knob))
        self._told = (self.name, self.state)
        one = tree.of_knob(place, self._look.preset.chain[place], knob)
        self._publish(one.address, True, by)

    def drawn(self) -> None:
        """A frame was drawn: events it has seen are let go of; a look that went back is told of."""
        if self._look.preset is not self._told[1].preset:
            self.tell("fault")
        if not (self._fired or self._held):
            return
        done, self._held, self._fired = self._held, self._fired, []
        for place, knob in done:
            chain = self._look.preset.chain
            if place < len(chain) and knob in chain[place].effect.knobs:
                self._look.set(place, knob, False)
        self._told = (self.name, self.state)

    def bypass(self, place: int, on: bool, by: str) -> None:
        chain_edits.need(self._look.preset, place)
        before = self.state
        self._look.bypass(place, on)
        self._step(f"bypass {place}", by, before=before)
        self.tell(by)

    def solo(self, place: int, on: bool | None, by: str) -> None:
        chain_edits.need(self._look.preset, place)
        was = self.solo_place
        on = was != place if on is None else on
        if on == (was == place):
            return
        before = self.state
        kept = self._solo[1] if self._solo else before.bypassed
        others = frozenset(range(len(before.preset.chain))) - {place}
        self._solo = (place, kept) if on else None
        self._look.bypass_only(others if on else kept)
        self._step(f"solo {place}", by, before=before)
        self.tell(by)

    def save(self, path: str | None, by: str) -> None:
        preset = self._look.preset
        if path is None:
            path = preset.path
            if not path.endswith(".toml"):
                raise UsageError(f"{preset.name}: this look has no file; save it under a name")
            if Path(path).resolve().parent == assets.folder("presets").resolve():
                raise UsageError(f"{preset.name} comes with kfx; save it under another name")
        elif not path.endswith(".toml"):
            raise UsageError(f"{path[:120]}: a preset's file ends in .toml")
        presets.save(preset, path)
        saved = replace(preset, path=path, name=Path(path).stem)
        if saved != preset:
            self._put(State(saved, self._look.bypassed), by)
        self._publish(f"{PREFIX}/save", path, by)

    def undo(self, by: str) -> bool:
        return self._back(self._history.undo, by)

    def redo(self, by: str) -> bool:
        return self._back(self._history.redo, by)

    def store(self, place: str, by: str) -> None:
        self._stored[_ab(place)] = self.state
        self._publish(f"{PREFIX}/store", place, by)

    def recall(self, place: str, by: str, seconds: float) -> None:
        state = self._stored.get(_ab(place))
        if state is None:
            raise UsageError(f"{PREFIX}/recall: nothing is stored under {place}; store it first")
        self._step("recall", by)
        self._solo = None
        self._put(state, by, seconds=seconds)
        self._publish(f"{PREFIX}/recall", place, by)

    def tell(self, by: str) -> None:
        """Publish what differs from what was told last."""
        (old_name, old), (name, now) = self._told, (self.name, self.state)
        old_solo, self._told_solo = self._told_solo, self.solo_place
        self._told = (name, now)
        if name != old_name:
            self._publish(f"{PREFIX}/preset", name, by)
        links = list(zip(old.preset.chain, now.preset.chain, strict=False))
        if len(old.preset.chain) != len(now.preset.chain) or any(
            (a.effect, a.modulation, a.slots, a.when, a.bus)
            != (b.effect, b.modulation, b.slots, b.when, b.bus)
            for a, b in links
        ):
            self._publish(CHAIN, self.effects, by)
            return
        for place, (before, link) in enumerate(links):
            here = tree.link_address(place, link)
            for knob in () if link is before else link.effect.knobs:
                if link.values[knob] != before.values[knob]:
                    one = tree.of_knob(place, link, knob)
                    if one.kind != "event":
                        self._publish(one.address, one.value, by)
            if (place in now.bypassed) != (place in old.bypassed):
                self._publish(f"{here}/bypass", place in now.bypassed, by)
            if (place == self._told_solo) != (place == old_solo):
                self._publish(f"{here}/solo", place == self._told_solo, by)

    def _step(
        self, what: str, by: str, *, before: State | None = None, gesture: bool = False
    ) -> None:
        self._steps += 1
        name = what if gesture else f"{what} #{self._steps}"
        self._history.step(before or self.state, name, by, self._now())

    def _put(self, state: State, by: str, **how: Any) -> None:
        self._look.change(state.preset, bypassed=state.bypassed, **how)
        self.tell(by)

    def _back(self, step: Callable[[State], State | None], by: str) -> bool:
        state = step(self.state)
        if state is None:
            return False
        self._solo = None
        self._put(state, by)
        return True


def _ab(place: str) -> str:
    if place not in PLACES:
        raise UsageError(f"{str(place)[:20]!r} is no place for a look; use {' or '.join(PLACES)}")
    return place
