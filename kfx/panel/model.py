"""The desk as a page sees it: the tree, the chain, and batches of what has changed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from kfx.engine.desk.desk import Desk
from kfx.engine.desk.tree import CHAIN, PREFIX, Change, Parameter
from kfx.presets import signals
from kfx.presets.comparing import described
from kfx.presets.modulation import CURVES, Source, write_source
from kfx.presets.reading import routable

MOVED_S = 0.1
EVERY_S = 1 / 40  # changes are passed on so often at most, however many there are


def tree(desk: Desk) -> dict[str, Any]:
    """Everything a page is built from, as plain values."""
    preset = desk.preset
    links = [
        {
            "effect": link.effect.name,
            "kind": link.effect.kind,
            "doc": link.effect.doc,
            "moved": {
                knob: [_source(one) for one in by] for knob, by in link.modulation.items() if by
            },
            "slots": list(link.slots) if routable(link.effect) else None,
            "when": link.when.text if link.when else "",
            "bus": link.bus,
            "said": len(described(link)),
        }
        for link in preset.chain
    ]
    return {
        "t": "tree",
        "parameters": [row(one) for one in desk.parameters()],
        "chain": links,
        "preset": {"name": preset.name, "doc": preset.doc, "path": preset.path},
        "performers": {str(slot): name for slot, name in desk.performers.items()},
        "signals": signals.NAMES,
        "curves": CURVES,
        "steps": desk.steps,
    }


def _source(one: Source) -> dict[str, Any]:
    said = write_source(one)
    how = (
        {key: value for key, value in said.items() if key != "amount"}
        if isinstance(said, dict)
        else {}
    )
    return {"signal": one.signal, "amount": one.amount, "text": one.text, "how": how}


def row(one: Parameter) -> dict[str, Any]:
    """A parameter without what is empty."""
    said = {
        "a": one.address,
        "k": one.kind,
        "v": one.value,
        "d": one.default,
        "r": one.range,
        "u": one.unit,
        "doc": one.doc,
        "label": one.label,
    }
    short = {name: value for name, value in said.items() if value not in (None, "", ())}
    return short if one.writable else {**short, "ro": True}


def moved(desk: Desk) -> list[list[Any]]:
    """Address and value of the moment of each knob that signals move."""
    return [[address, _rounded(value)] for address, value in desk.moved.items()]


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


class Feed:
    """Takes the desk's changes in its thread and hands them to the event loop in batches.

    Of many changes at one address a batch has the last.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, heard: Callable[[list[Change]], None]
    ) -> None:
        self._loop, self._heard = loop, heard
        self._lock = threading.Lock()
        self._waiting: dict[str, Change] = {}

    def __call__(self, change: Change) -> None:
        """From the desk's listener thread."""
        with self._lock:
            first = not self._waiting
            self._waiting.pop(change.address, None)
            self._waiting[change.address] = change
        if first:
            self._loop.call_soon_threadsafe(self._loop.call_later, EVERY_S, self._flush)

    def _flush(self) -> None:
        with self._lock:
            changes, self._waiting = list(self._waiting.values()), {}
        self._heard(changes)


def is_another_tree(changes: list[Change]) -> bool:
    """Whether a page must be told the whole tree anew."""
    return any(one.address in (CHAIN, f"{PREFIX}/preset") for one in changes)
