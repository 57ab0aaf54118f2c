"""One `learn` for all controllers: whichever control is moved first, of MIDI or OSC, is the one."""

from __future__ import annotations

from collections.abc import Callable

from kfx.engine.desk.desk import Desk
from kfx.engine.desk.tree import PREFIX, Parameter

Call = Callable[[str], None]


class Learning:
    """Registers ``learn`` and ``forget`` with a desk once there is a controller."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._learn: list[Call] = []
        self._forget: list[Call] = []

    def add(self, learn: Call, forget: Call) -> None:
        """A kind of controllers; each is to call `learned`."""
        self._learn.append(learn)
        self._forget.append(forget)
        if len(self._learn) > 1:
            return
        doc = "an address: the control that is moved next moves it"
        self._desk.register(Parameter(f"{PREFIX}/learn", "text", "", "", doc=doc), self._all_learn)
        doc = "an address: no control moves it any more"
        self._desk.register(
            Parameter(f"{PREFIX}/forget", "text", "", "", doc=doc), self._all_forget
        )

    def learned(self, control: str) -> None:
        """A control has been mapped; the others wait no more."""
        self._all_learn("")
        self._desk.tell(f"{PREFIX}/learn", "", control)

    def _all_learn(self, address: str) -> None:
        for learn in self._learn:
            learn(address)

    def _all_forget(self, address: str) -> None:
        for forget in self._forget:
            forget(address)
