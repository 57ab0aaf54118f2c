"""Faders of any OSC controller: what it sends of its own is mapped to addresses by learning.

The map is a file of TOML, written by learning::

    [[map]]
    osc = "/1/fader3"
    address = "/kfx/v1/film/grain"
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfx.errors import KfxError
from kfx.sync.controls import PREFIX, Controls, whole_address

MOST = 1024
LONGEST = 256  # letters of an address


class OscControls:
    """`message` is one of an `Inbox`'s others: it takes addresses that aren't kfx's own.

    A number within 0..1 is a place in the parameter's range, a whole one above 1 is one of
    0..127. `on_learned` gets the controller's address. Raises `KfxError` for a map with a fault.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        path: str | Path | None = None,
        on_learned: Callable[[str], None] | None = None,
    ) -> None:
        self._controls, self._path = controls, Path(path) if path is not None else None
        self._on_learned = on_learned or (lambda osc: None)
        self._lock = threading.Lock()
        self._learning = ""
        self._map: dict[str, str] = load(self._path) if self._path is not None else {}

    @property
    def mappings(self) -> dict[str, str]:
        """The controller's address → what it moves."""
        return dict(self._map)

    def learn(self, address: str) -> None:
        """Map the control that is moved next to `address`; "" gives up.

        ``/kfx/v1`` may be left out. Raises `KfxError` where there is no such address.
        """
        address = whole_address(self._controls, address)
        with self._lock:
            self._learning = address

    def forget(self, address: str) -> None:
        """Nothing moves `address` any more."""
        with self._lock:
            self._keep({osc: to for osc, to in self._map.items() if to != address})

    def message(self, osc: str, values: tuple[Any, ...], at: float) -> bool:
        """Whether this was a control that is mapped, or is now. Raises what setting raises."""
        if osc.startswith(f"{PREFIX}/"):
            return False
        place = _place(values)
        if place is None:
            return False
        with self._lock:
            address, self._learning = self._learning, ""
            if address and len(osc) <= LONGEST and len(self._map) < MOST:
                self._keep({**self._map, osc: address})
        if address:
            self._on_learned(osc)
            return True
        known = self._map.get(osc)
        if known is None:
            return False
        if self._controls.get(f"{known}/norm") is None:  # an event: a button pressed
            self._controls.set(known, place > 0.0, "osc")
        else:
            self._controls.set(f"{known}/norm", place, "osc")
        return True

    def _keep(self, mappings: dict[str, str]) -> None:
        self._map = mappings
        if self._path is not None:
            save(self._path, mappings)


def _place(values: tuple[Any, ...]) -> float | None:
    """The first number, in 0..1."""
    one = values[0] if values else None
    if isinstance(one, bool):
        return float(one)
    if isinstance(one, int) and one > 1:
        return min(one, 127) / 127
    if isinstance(one, int | float) and one == one:
        return min(max(float(one), 0.0), 1.0)
    return None


def load(path: Path) -> dict[str, str]:
    """Read a map; an absent file is an empty one. Raises `KfxError` that names the entry."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise KfxError(f"{path}: can't be read ({str(error)[:120]})") from None
    entries = data.get("map", [])
    if not isinstance(entries, list) or len(entries) > MOST:
        raise KfxError(f"{path}: map: write [[map]] tables, {MOST} at most")
    found = {}
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) != {"osc", "address"}:
            raise KfxError(f"{path}: map[{i}]: needs osc and address, and nothing else")
        for key, value in entry.items():
            if not (isinstance(value, str) and value.startswith("/") and len(value) <= LONGEST):
                raise KfxError(f"{path}: map[{i}]: {key}: {str(value)[:40]!r} is no address")
        found[entry["osc"]] = entry["address"]
    return found


def save(path: Path, mappings: dict[str, str]) -> None:
    """Write a map, whole or not at all. Raises `KfxError`."""
    tables = [
        f"[[map]]\nosc = {json.dumps(osc)}\naddress = {json.dumps(address)}\n"
        for osc, address in mappings.items()
    ]
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".toml")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(tables))
        os.replace(name, path)
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror or error}; is its folder there?") from None
