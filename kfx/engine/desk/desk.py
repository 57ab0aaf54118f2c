"""The one place where a running show is controlled, by panel, OSC, MIDI, keys and shell alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from kfx import clock, presets
from kfx.engine.desk import addresses, chain_edits, fixed, tree
from kfx.engine.desk.edits import Edits, Looks
from kfx.engine.desk.listeners import Heard, Listeners
from kfx.engine.desk.tree import CHAIN, NORM, PREFIX, Change, Parameter
from kfx.engine.look import proof
from kfx.engine.loop.switches import Switches
from kfx.errors import UsageError
from kfx.presets import Preset

LONGEST_FADE_S = 60.0
Setter = Callable[[Any], object]


class Desk:
    """All that can be set while a show runs, as one tree of addresses (`kfx.engine.desk.tree`).

    Everything may be called from any thread. `by` says who asks ("osc 10.0.0.5", "panel 2"); it
    comes back in each `Change`. What can't be done raises `KfxError`, and nothing has changed.
    Undo is one for all: it takes back the last step of the look, whoever made it.
    """

    def __init__(
        self,
        look: Looks,
        switches: Switches,
        *,
        now: Callable[[], float] = clock.now,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self._switches = switches
        self._lock = threading.RLock()
        self._listeners = Listeners(on_fault)
        self._number = 0
        self._edits = Edits(look, self._publish, now)
        self._fade_s = 0.0
        self._library = tuple(presets.names())
        self._mode, self._hold = switches.mode, switches.hold  # as they were told last
        self._others: dict[str, tuple[Parameter, Setter | None]] = {}

    # The tree.

    def parameters(self) -> tuple[Parameter, ...]:
        """Everything there is at this moment, in the order in which people look for it."""
        with self._lock:
            others = [one for one, _ in self._others.values()]
            return (*self._fixed(), *self._chain(), *others)

    def parameter(self, address: str) -> Parameter:
        """What is at an address; raises `UsageError` where there is nothing.

        The short form ``/kfx/v1/film/grain`` is found too; ``…/norm`` is no parameter of its own.
        """
        with self._lock:
            if (other := self._others.get(address)) is not None:
                return other[0]
            preset = self._edits.preset
            if (found := addresses.find(preset, address)) is not None:
                return tree.of_knob(found[0], preset.chain[found[0]], found[1])
            for one in self._chain() if address.startswith(CHAIN) else self._fixed():
                if one.address == address:
                    return one
        raise UsageError(f"{address[:120]}: there is no such address; see: kfx ctl list")

    def get(self, address: str) -> Any:
        """The value at an address, its place in 0..1 at ``…/norm``; None for an event."""
        if address.endswith(NORM):
            return tree.to_unit(self.parameter(address.removesuffix(NORM)))
        return self.parameter(address).value

    def set(self, address: str, value: Any, by: str = "") -> None:
        """Set a value, or fire an event. Raises `UsageError` with address, value and range."""
        if address.endswith(NORM):
            self.set_normalised(address.removesuffix(NORM), value, by)
            return
        if address == f"{PREFIX}/panic":  # waits for no lock
            if value not in tree.RELEASED:
                self.panic(by)
            return
        one = self.parameter(address)
        if not one.writable:
            raise UsageError(f"{address}: it can only be read")
        try:
            with self._lock:
                knob = addresses.find(self._edits.preset, address)
                if knob is not None:
                    self._set_knob(one, *knob, value, by)
                    return
            value = tree.check(one, value)
        except ValueError as error:
            raise UsageError(f"{address}: {error}") from None
        if one.kind != "event" or value:
            self._do(one, value, by)

    def set_normalised(self, address: str, unit_value: Any, by: str = "") -> None:
        """Set a value by its place in its range, 0..1; what is outside is brought inside."""
        one = self.parameter(address)
        try:
            value = tree.from_unit(one, unit_value)
        except ValueError as error:
            raise UsageError(f"{address}{NORM}: {error}") from None
        self.set(one.address, value, by)

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Tell `heard` of every change, in a thread of its own; the setter never waits for it.

        Of many changes at one address a slow listener hears the last. Returns what ends it.
        """
        return self._listeners.add(heard)

    def register(self, parameter: Parameter, setter: Setter | None = None) -> None:
        """Add a parameter that belongs to somebody else: cues, takes, the song.

        `setter` gets the checked value in the thread of whoever sets it, outside the desk's lock;
        without one it can only be read, and `tell` gives it new values.
        """
        if setter is None:
            parameter = replace(parameter, writable=False)
        with self._lock:
            self._others[parameter.address] = (parameter, setter)
            self._publish(CHAIN, self._edits.effects, "")

    def has(self, address: str) -> bool:
        """Whether a parameter was registered at an address."""
        return address in self._others

    def unregister(self, prefix: str) -> None:
        """Take away every registered parameter whose address begins with `prefix`."""
        with self._lock:
            for address in [one for one in self._others if one.startswith(prefix)]:
                del self._others[address]
            self._publish(CHAIN, self._edits.effects, "")

    def tell(self, address: str, value: Any, by: str = "") -> None:
        """Give a registered parameter another value, and everybody the news where it is one."""
        with self._lock:
            if address not in self._others:
                return  # taken away meanwhile
            one, setter = self._others[address]
            if one.kind != "event":
                if one.value == value:
                    return
                self._others[address] = (replace(one, value=value), setter)
            self._publish(address, value, by)

    def close(self) -> None:
        """Nobody is told of anything any more."""
        self._listeners.close()

    # The look.

    @property
    def preset(self) -> Preset:
        """The look as it was asked for last, for whoever edits what the tree doesn't show."""
        return self._edits.preset

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return self._edits.depth

    def load(
        self, preset_name_or_path: str, seconds: float = 0.0, beats: float = 0.0, by: str = ""
    ) -> None:
        """Go over to another preset. Raises `KfxError` that says where its fault is."""
        preset = presets.load(preset_name_or_path)
        proof.prove(preset)
        with self._lock:
            self._edits.to(preset, "load", by, seconds=seconds, beats=beats)

    def change(
        self, preset: Preset, seconds: float = 0.0, beats: float = 0.0, by: str = ""
    ) -> None:
        """Go over to a preset that was made elsewhere, by a modulation editor for one."""
        with self._lock:
            self._edits.to(preset, "change", by, seconds=seconds, beats=beats)

    def revert(self, by: str = "") -> None:
        """The preset as its file has it."""
        preset = presets.load(chain_edits.load_for(self._edits.preset))
        proof.prove(preset)
        with self._lock:
            self._edits.to(preset, "revert", by)

    def reloaded(self, preset: Preset, rebuild: bool = False) -> None:
        """A preset's file was saved by an editor, or a file that it uses has changed."""
        proof.prove(preset)
        with self._lock:
            now = self._edits.preset
            if rebuild or (preset.chain, preset.seed) != (now.chain, now.seed):
                self._edits.to(preset, "reload", "file", rebuild=rebuild)

    def save(self, path: str | None = None, by: str = "") -> None:
        """Write the look to its own file, or to another ``.toml``, which is its file from then on.

        Raises `KfxError`: kfx's own presets aren't written over unless their path is given.
        """
        with self._lock:
            self._edits.save(path, by)

    def move(self, place: int, to: int, by: str = "") -> None:
        """Put the effect at `place` at the place `to`."""
        self._edit(lambda preset: chain_edits.moved(preset, place, to), by)

    def add(self, effect: str, place: int = -1, by: str = "") -> None:
        """Put an effect of the library, as it comes, at `place`; -1 is the end."""
        self._edit(lambda preset: chain_edits.added(preset, effect, place), by)

    def remove(self, place: int, by: str = "") -> None:
        """Take an effect out of the chain."""
        self._edit(lambda preset: chain_edits.removed(preset, place), by)

    def route(self, place: int, slots: Sequence[int | str], by: str = "") -> None:
        """Draw only these slots and performers; none is everybody."""
        self._edit(lambda preset: chain_edits.routed(preset, place, slots), by)

    def when(self, place: int, condition: str, by: str = "") -> None:
        """Draw it only while ``bar.phase < 0.5`` or the like holds; an empty text is always."""
        self._edit(lambda preset: chain_edits.conditioned(preset, place, condition), by)

    def follow(
        self,
        place: int,
        knob: str,
        signal: str,
        amount: float | None,
        by: str = "",
        how: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Let a signal move a knob by `amount` at 1; None: it moves it no more.

        `how` is its curve and times as a preset says them; what isn't in it stays as it is.
        """
        self._edit(
            lambda preset: chain_edits.followed(preset, place, knob, signal, amount, how),
            by,
            "" if amount is None else f"chain[{place}].{knob}.{signal}",
        )

    @property
    def moved(self) -> dict[str, Any]:
        """Address → value of the moment of each knob that signals move, as drawn last."""
        return addresses.moved(*self._edits.moved)

    @property
    def performers(self) -> Mapping[int, str]:
        """The names of pinned slots."""
        return self._edits.performers

    def bypass(self, place: int, on: bool = True, by: str = "") -> None:
        """Take an effect out of the picture, or put it back."""
        with self._lock:
            self._edits.bypass(place, on, by)

    def solo(self, place: int, on: bool | None = None, by: str = "") -> None:
        """Show one effect alone; a second time, or with `on` False, all is as it was before."""
        with self._lock:
            self._edits.solo(place, on, by)

    def undo(self, by: str = "") -> bool:
        """Take back the last step; False where there is none."""
        with self._lock:
            return self._edits.undo(by)

    def redo(self, by: str = "") -> bool:
        """Do again what the last undo took back; False where there is nothing."""
        with self._lock:
            return self._edits.redo(by)

    def store(self, place: str, by: str = "") -> None:
        """Keep the look as it is under "A" or "B"."""
        with self._lock:
            self._edits.store(place, by)

    def recall(self, place: str, seconds: float = 0.0, by: str = "") -> None:
        """Go back to what was stored. Raises `UsageError` where nothing was."""
        with self._lock:
            self._edits.recall(place, by, seconds)

    def panic(self, by: str = "") -> None:
        """The clean plate from the next picture on. It waits for nothing and nobody."""
        self._switches.panic()
        self._publish(f"{PREFIX}/panic", True, by)
        self._tell_switches(by)

    # For the loop.

    def drawn(self, news: Mapping[str, Any] = MappingProxyType({})) -> None:
        """A frame was drawn, or is about to be: called by the drawing thread, never waits.

        Lets go of events that were drawn, and tells what was changed elsewhere: switches by keys,
        a look that can't be drawn and went back by itself. `news` are new values of registered
        parameters.
        """
        if not self._lock.acquire(blocking=False):
            return  # the next frame will do
        try:
            if self._switches.mode != self._mode or self._switches.hold != self._hold:
                self._tell_switches("keys")
            self._edits.drawn()
            for address, value in news.items():
                self.tell(address, value, "song")
        finally:
            self._lock.release()

    # Inside.

    def _edit(
        self, edit: Callable[[Preset], tuple[Preset, chain_edits.Went]], by: str, gesture: str = ""
    ) -> None:
        with self._lock:
            self._edits.edit(edit, by, gesture)

    def _set_knob(self, one: Parameter, place: int, name: str, value: Any, by: str) -> None:
        if one.kind == "event":
            if tree.check(one, value):
                self._edits.fire(place, name, by)
        else:
            self._edits.knob(place, name, value, by)

    def _do(self, one: Parameter, value: Any, by: str) -> None:
        """Without the lock: a setter may wait for somebody who waits for the desk."""
        address = one.address
        if address in self._others:
            setter = self._others[address][1]
            if setter is not None:
                setter(value)
            self.tell(address, value, by)
        elif address.startswith(f"{CHAIN}/"):
            place, _, what = address.removeprefix(f"{CHAIN}/").split("/")
            (self.bypass if what == "bypass" else self.solo)(int(place), value, by)
        else:
            self._calls(value, by)[address.removeprefix(f"{PREFIX}/")]()

    def _calls(self, value: Any, by: str) -> Mapping[str, Callable[[], object]]:
        return {
            "preset": lambda: self.load(value, self._fade_s, by=by),
            "load": lambda: self._load_file(value, by),
            "fade": lambda: self._set_fade(value, by),
            "mode": lambda: self._set_mode(value, by),
            "hold": lambda: self._set_hold(value, by),
            "undo": lambda: self.undo(by),
            "redo": lambda: self.redo(by),
            "store": lambda: self.store(value, by),
            "recall": lambda: self.recall(value, self._fade_s, by),
            "save": lambda: self.save(by=by),
            "revert": lambda: self.revert(by),
        }

    def _load_file(self, path: str, by: str) -> None:
        if not path.endswith(".toml"):
            raise UsageError(f"{PREFIX}/load: {path[:120]!r} is no preset's file; it ends in .toml")
        self.load(path, self._fade_s, by=by)

    def _set_mode(self, mode: str, by: str) -> None:
        self._switches.set(mode)
        self._tell_switches(by)

    def _set_hold(self, on: bool, by: str) -> None:
        self._switches.hold = on
        self._tell_switches(by)

    def _set_fade(self, value: float, by: str) -> None:
        self._fade_s = value
        self._publish(f"{PREFIX}/fade", value, by)

    def _publish(self, address: str, value: Any, by: str) -> None:
        with self._lock:
            self._number += 1
            self._listeners.tell(Change(address, value, by, self._number))

    def _tell_switches(self, by: str) -> None:
        with self._lock:
            mode, hold = self._switches.mode, self._switches.hold
            if mode != self._mode:
                self._publish(f"{PREFIX}/mode", mode, by)
            if hold != self._hold:
                self._publish(f"{PREFIX}/hold", hold, by)
            self._mode, self._hold = mode, hold

    def _chain(self) -> list[Parameter]:
        state = self._edits.state
        return addresses.parameters(state.preset, state.bypassed, self._edits.solo_place)

    def _fixed(self) -> list[Parameter]:
        name = self._edits.name
        library = self._library if name in self._library else (name, *self._library)
        mode, hold = self._switches.mode, self._switches.hold
        return fixed.parameters(name, library, self._fade_s, LONGEST_FADE_S, mode, hold)
