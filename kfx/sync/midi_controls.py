"""Knobs, faders and pads of a MIDI controller: mapped to addresses, learned, heard as signals.

Every control is a signal for looks too: ``midi.cc7``, ``midi.note60``, ``midi.bend``, each 0..1.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kfx.errors import KfxError
from kfx.sync import midi_in, midi_map
from kfx.sync.controls import Controls, Counts, Signals
from kfx.sync.learned import Learned
from kfx.sync.midi_map import Mapping

NEAR = 2.5 / 127  # a knob that is so close has met the value
SAME = 0.6 / 127  # and one that is so far was moved by somebody else
FINE = 32  # cc0..cc31 have their fine bytes so much higher


@dataclass
class _State:
    """What is remembered of one mapping."""

    last: float | None = None  # place of the knob
    sent: float | None = None  # the place in the range that it set last
    on: bool = False


class MidiControls:
    """``message`` takes the bytes of one MIDI message, in the device's thread, and never raises.

    Soft take-over: a knob moves nothing until it has met or passed the value, so that no value
    jumps when a preset was changed. `learn` maps the control that is moved next; with `path` what
    is learned is written there. `learn` and `close` are those of `Learned`.
    """

    def __init__(
        self,
        controls: Controls,
        mappings: Sequence[Mapping] = (),
        *,
        path: str | Path | None = None,
        signals: Signals | None = None,
        on_fault: Callable[[str], None] | None = None,
        on_learned: Callable[[Mapping], None] | None = None,
    ) -> None:
        self.counts = Counts()
        self._controls = controls
        self._signals = signals or Signals()
        self._on_fault = on_fault or (lambda text: None)
        self._on_learned = on_learned or (lambda mapping: None)
        self._learned = Learned(
            controls,
            tuple(mappings),
            save=partial(midi_map.save, path) if path is not None else None,
            on_fault=self._on_fault,
        )
        self.learn, self.close = self._learned.learn, self._learned.close
        self._states: dict[Mapping, _State] = {}
        self._coarse: dict[tuple[int, int], int] = {}  # channel, number → coarse byte
        self._has_fine: set[tuple[int, int]] = set()
        self._told: set[str] = set()
        self._lock = threading.RLock()

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        return self._learned.mappings

    @property
    def learning(self) -> str:
        """The address that waits for a control, "" for none."""
        return self._learned.learning

    def forget(self, address: str) -> None:
        """Take away all mappings of an address."""
        with self._lock:
            known = self._learned.mappings
            self._learned.keep(tuple(one for one in known if one.address != address))

    def message(self, data: bytes) -> None:
        """One MIDI message, status byte first. What is no control is passed over."""
        try:
            event = _event(data)
            if event is None:
                self.counts.add("other")
                return
            with self._lock:
                self._event(*event)
        except Exception as error:  # a controller's fault is never the show's
            self._fault(error, "midi")

    def _event(self, channel: int, kind: str, number: int, value: int) -> None:
        name = kind if kind == "bend" else f"{kind}{number}"
        unit = value / (16383 if kind == "bend" else 127)
        self.counts.add("done")
        self._signals.put(f"midi.{name}", unit)
        if (kind != "note" or value > 0) and (address := self._learned.taken()):
            self._learn(Mapping(f"{name}@{channel}", address), unit)
            return
        for one in self.mappings:
            if one.channel not in (None, channel):
                continue
            if one.bits == 14 and kind == "cc":
                fine = self._both(one, channel, number, value)
                if fine is not None:
                    self._move(one, fine)
            elif one.name == name:
                self._press(one, value > 0) if one.toggle else self._move(one, unit)

    def _learn(self, mapping: Mapping, unit: float) -> None:
        self._controls.get(mapping.address)  # raises where there is nothing
        others = (one for one in self.mappings if one.control != mapping.control)
        self._learned.keep((*others, mapping))
        self._states[mapping] = _State(last=unit)  # it is known where the knob stands
        self._on_learned(mapping)

    def _both(self, one: Mapping, channel: int, number: int, value: int) -> float | None:
        """The 14 bits of a control, once both bytes are there; a 7-bit sender has only one."""
        coarse = int(one.name.removeprefix("cc"))
        key = (channel, coarse)
        if number == coarse:
            self._coarse[key] = value
            return None if key in self._has_fine else value / 127
        if number == coarse + FINE and key in self._coarse:
            self._has_fine.add(key)
            return (self._coarse[key] * 128 + value) / 16383
        return None

    def _press(self, one: Mapping, down: bool) -> None:
        if down:
            state = self._states.setdefault(one, _State())
            now = self._controls.get(f"{one.address}/norm")
            state.on = not state.on if now is None else now < 0.5
            self._set(one, state, 1.0 if state.on else 0.0)

    def _move(self, one: Mapping, knob: float) -> None:
        state = self._states.setdefault(one, _State())
        place = one.low + knob * (one.high - one.low)
        last, state.last = state.last, place
        now = self._number(one)
        if one.takeover == "soft" and now is not None and not one.name.startswith("note"):
            mine = state.sent is not None and abs(now - state.sent) <= SAME
            passed = last is not None and (last - now) * (place - now) <= 0.0
            if not (mine or passed or abs(place - now) <= NEAR):
                self.counts.add("waiting")
                return
        self._set(one, state, place)

    def _number(self, one: Mapping) -> float | None:
        """Where the value is in 0..1, None where that has no meaning: an event, a choice."""
        now = self._controls.get(f"{one.address}/norm")
        return float(now) if isinstance(now, int | float) else None

    def _set(self, one: Mapping, state: _State, place: float) -> None:
        try:
            self._controls.set(f"{one.address}/norm", place, "midi")
        except KfxError as error:
            self._fault(error, one.control)
            return
        state.sent = self._number(one)

    def _fault(self, error: Exception, place: str) -> None:
        self.counts.add("refused")
        told = str(error) if isinstance(error, KfxError) else repr(error)
        if told not in self._told and len(self._told) < 256:
            self._told.add(told)
            self._on_fault(f"{place}: {told}")


def _event(data: bytes) -> tuple[int, str, int, int] | None:
    """Channel 1..16, kind, number and value of a control change, note or pitch bend."""
    if len(data) != 3 or data[0] >= 0xF0 or data[0] < 0x80 or data[1] > 127 or data[2] > 127:
        return None
    channel, number, value = (data[0] & 15) + 1, data[1], data[2]
    kind = data[0] >> 4
    if kind == 0xB:
        return channel, "cc", number, value
    if kind in (0x8, 0x9):
        return channel, "note", number, value if kind == 0x9 else 0
    return (channel, "bend", 0, value * 128 + number) if kind == 0xE else None


def open_port(
    port: str, take: MidiControls, on_fault: Callable[[str], None] | None = None
) -> midi_in.Port:
    """Open a MIDI input, by (a part of) its name or ``virtual``, for `take`; close what it gives.

    `on_fault` hears that it was unplugged and that it is back. Raises `KfxError` that names the
    ports there are.
    """
    return midi_in.Port("midi", port, lambda said: take.message(bytes(said.bytes())), on_fault)
