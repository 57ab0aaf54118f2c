"""Faders of any OSC controller: what it sends of its own is mapped to addresses by learning.

The map is a file of TOML, written by learning::

    [[map]]
    osc = "/1/fader3"
    address = "/kfx/v1/film/grain"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kfx import writing
from kfx.errors import KfxError
from kfx.sync.controls import PREFIX, Controls
from kfx.sync.learned import Learned

MOST = 1024
LONGEST = 256  # letters of an address


class OscControls:
    """`message` is one of an `Inbox`'s others: it takes addresses that aren't kfx's own.

    A number within 0..1 is a place in the parameter's range, a whole one above 1 is one of
    0..127. `on_learned` gets the controller's address, `on_fault` what can't be written. `learn`
    and `close` are those of `Learned`. Raises `KfxError` for a map with a fault.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        path: str | Path | None = None,
        on_learned: Callable[[str], None] | None = None,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self._controls = controls
        self._on_learned = on_learned or (lambda osc: None)
        self._learned = Learned(
            controls,
            load(Path(path)) if path is not None else {},
            save=partial(save, Path(path)) if path is not None else None,
            on_fault=on_fault,
        )
        self.learn, self.close = self._learned.learn, self._learned.close

    @property
    def mappings(self) -> dict[str, str]:
        """The controller's address → what it moves."""
        return dict(self._learned.mappings)

    def forget(self, address: str) -> None:
        """Nothing moves `address` any more."""
        known = self._learned.mappings
        self._learned.keep({osc: to for osc, to in known.items() if to != address})

    def message(self, osc: str, values: tuple[Any, ...], at: float) -> bool:
        """Whether this was a control that is mapped, or is now. Raises what setting raises."""
        if osc.startswith(f"{PREFIX}/"):
            return False
        place = _place(values)
        if place is None:
            return False
        known = self._learned.mappings
        if address := self._learned.taken():
            if len(osc) <= LONGEST and len(known) < MOST:
                self._learned.keep({**known, osc: address})
            self._on_learned(osc)
            return True
        if osc not in known:
            return False
        address = known[osc]
        if self._controls.get(f"{address}/norm") is None:  # an event: a button pressed
            self._controls.set(address, place > 0.0, "osc")
        else:
            self._controls.set(f"{address}/norm", place, "osc")
        return True


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
    writing.write(path, "\n".join(tables))
