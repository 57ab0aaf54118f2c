"""Expressions that come in as numbers: a stream of ARKit coefficients, for `retarget` to wear.

One port (``kfx live --osc-in``) takes all of these, from programs that send what kfx also sends::

    /kfx/v1/face/in/jawOpen 0.7          one coefficient, 0..1
    /kfx/v1/face/<slot>/bs/jawOpen 0.7   another kfx, ``-o osc``; /found 0 ends that slot
    /VMC/Ext/Blend/Val JawOpen 0.7       VMC: VSeeFace, Warudo, Waidayo …, in any case
    a packet of Live Link Face           an iPhone's, or another kfx's: give it this port

Of several faces the lowest slot is heard. What is silent for `STALE_S` is gone, so that whoever
wears it becomes themselves again.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kfx.arkit import NAMES
from kfx.errors import UsageError
from kfx.sync.controls import PREFIX

STALE_S = 0.5
MOST_SLOTS = 8
PREFIXES = _FACE, _VMC = f"{PREFIX}/face/", "/VMC/Ext/"
_OWN = -1  # the slot of ``face/in`` and VMC: heard before all others
_KNOWN = {name.casefold(): name for name in NAMES}
_LIVELINK, _COUNT = 6, 61  # version and number of values of a packet
_NOTHING: Mapping[str, float] = MappingProxyType({})


class FaceIn:
    """Any thread may bring messages and packets; the loop asks `at`."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[str, float]] = {}
        self._heard: dict[int, float] = {}  # when, by slot
        self._subjects: dict[bytes, int] = {}  # of Live Link Face → slot, in order of appearance
        self._lock = threading.Lock()

    def message(self, address: str, values: Sequence[Any], at: float) -> bool:
        """Take an OSC message; False if it isn't a face's. Raises `UsageError` for a bad value."""
        if address.startswith(_VMC):
            if address == f"{_VMC}Blend/Val" and len(values) == 2:
                shape = _KNOWN.get(str(values[0]).casefold())
                if shape:  # clips of other models are no fault
                    self._put(_OWN, {shape: _number(address, values[1])}, at)
            return True
        if not address.startswith(_FACE):
            return False
        slot, _, rest = address.removeprefix(_FACE).partition("/")
        if slot == "in":
            if rest not in NAMES:
                raise UsageError(f"{address[:80]}: {rest[:40]!r} is none of ARKit's 52 names")
            self._put(_OWN, {rest: _number(address, values[0] if values else None)}, at)
        elif slot.isascii() and slot.isdecimal() and int(slot) < MOST_SLOTS:
            if rest == "found" and values and not values[0]:
                self._end(int(slot))
            elif rest.startswith("bs/") and (name := rest[3:]) in NAMES:
                self._put(int(slot), {name: _number(address, values[0] if values else None)}, at)
        return True

    def packet(self, data: bytes, at: float) -> bool:
        """Take a packet of Live Link Face; False if it is something else."""
        try:
            version, length = struct.unpack_from(">Bi", data)
            if version != _LIVELINK or not 0 <= length <= 256:
                return False
            place = 5 + length
            (length,) = struct.unpack_from(">i", data, place)
            if not 0 <= length <= 256:
                return False
            subject, place = data[place + 4 : place + 4 + length], place + 4 + length + 16
            ended = len(data) == place
            many, numbers = 0, ()
            if not ended:
                many = data[place]
                numbers = struct.unpack_from(f">{_COUNT}f", data, place + 1)
        except (struct.error, IndexError):
            return False
        if not ended and many != _COUNT:
            return False
        with self._lock:
            if subject not in self._subjects and len(self._subjects) >= MOST_SLOTS:
                return True
            slot = self._subjects.setdefault(subject, len(self._subjects))
        if ended:
            self._end(slot)
        elif all(map(math.isfinite, numbers)):
            self._put(slot, dict(zip(NAMES, numbers, strict=False)), at)
        return True

    def at(self, time_s: float) -> Mapping[str, float]:
        """Signals ``face.in.NAME`` of who is heard, at a time of the clock of `message`."""
        with self._lock:
            fresh = [n for n, heard in self._heard.items() if time_s - heard <= STALE_S]
            if not fresh:
                return _NOTHING
            values = self._slots[min(fresh)]
            return {f"face.in.{name}": value for name, value in values.items()}

    def _put(self, slot: int, values: Mapping[str, float], at: float) -> None:
        bounded = {name: min(max(float(value), 0.0), 1.0) for name, value in values.items()}
        with self._lock:
            if at - self._heard.get(slot, -math.inf) > STALE_S:
                self._slots[slot] = {}
            self._slots[slot].update(bounded)
            self._heard[slot] = at

    def _end(self, slot: int) -> None:
        with self._lock:
            self._heard.pop(slot, None)


def _number(address: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{address[:80]}: {str(value)[:40]!r} is no number; send 0..1")
    return float(value)
