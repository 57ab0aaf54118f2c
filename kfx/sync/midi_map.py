"""The file that says which knob of a MIDI controller moves what: TOML, written by learning.

::

    [[map]]
    control = "cc7"                    # cc0..cc127, note0..note127, bend; "cc7@3": channel 3 only
    address = "/kfx/v1/film/grain"
    low = 0.0                          # where the knob's ends lie in the parameter's range, 0..1
    high = 0.5
    bits = 14                          # cc0..cc31 with their fine byte in cc32..cc63
    takeover = "jump"                  # "soft" (default): waits until it meets the value
    toggle = true                      # a note turns on and off in turn
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kfx import writing
from kfx.errors import KfxError

TAKEOVERS = ("soft", "jump")
MOST = 1024
_CONTROL = re.compile(r"(?:(cc|note)(\d{1,3})|bend)(?:@(\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mapping:
    """One control and the address that it moves. Raises `ValueError`."""

    control: str
    address: str
    low: float = 0.0
    high: float = 1.0
    bits: int = 7
    takeover: str = "soft"
    toggle: bool = False

    def __post_init__(self) -> None:
        found = _CONTROL.fullmatch(self.control) if isinstance(self.control, str) else None
        if found is None or int(found[2] or 0) > 127 or not 1 <= int(found[3] or 1) <= 16:
            raise ValueError(
                f"control {str(self.control)[:40]!r}: write cc7, note60, bend or cc7@3"
            )
        if not isinstance(self.address, str) or not 1 < len(self.address) <= 256:
            raise ValueError("address: name one, e.g. /kfx/v1/film/grain")
        if not self.address.startswith("/"):
            raise ValueError(f"address {self.address[:60]!r}: begins with /")
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"{name}: {str(value)[:40]!r} is outside 0..1")
        if self.bits not in (7, 14) or isinstance(self.bits, bool):
            raise ValueError(f"bits: {str(self.bits)[:40]!r} is neither 7 nor 14")
        if self.bits == 14 and not (found[1] == "cc" and int(found[2]) < 32):
            raise ValueError(f"bits: only cc0..cc31 have 14, and this is {self.control}")
        if self.takeover not in TAKEOVERS:
            raise ValueError(f"takeover: {str(self.takeover)[:40]!r} is none of soft, jump")
        if not isinstance(self.toggle, bool):
            raise ValueError(f"toggle: {str(self.toggle)[:40]!r} is neither true nor false")

    @property
    def name(self) -> str:
        """The control without its channel."""
        return self.control.partition("@")[0]

    @property
    def channel(self) -> int | None:
        """1..16, None for any."""
        channel = self.control.partition("@")[2]
        return int(channel) if channel else None


def load(path: str | Path) -> list[Mapping]:
    """Read a map; an absent file is an empty one. Raises `KfxError` that names the entry."""
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise KfxError(f"{path}: can't be read ({str(error)[:120]})") from None
    return read(data, str(path))


def read(data: dict[str, Any], place: str = "midi.toml") -> list[Mapping]:
    """The mappings of a parsed file. Raises `KfxError`."""
    entries = data.get("map", [])
    if not isinstance(entries, list) or len(entries) > MOST:
        raise KfxError(f"{place}: map: write [[map]] tables, {MOST} at most")
    known = [one.name for one in fields(Mapping)]
    found = []
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise KfxError(f"{place}: map[{i}]: is no table; write [[map]]")
        if unknown := [key for key in entry if key not in known]:
            raise KfxError(f"{place}: map[{i}]: {unknown[0]!r} is none of {', '.join(known)}")
        try:
            found.append(Mapping(**entry))
        except TypeError:
            raise KfxError(f"{place}: map[{i}]: needs control and address") from None
        except ValueError as error:
            raise KfxError(f"{place}: map[{i}]: {error}") from None
    return found


def save(path: str | Path, mappings: Iterable[Mapping]) -> None:
    """Write a map, whole or not at all; comments of an old file's head stay. Raises `KfxError`."""
    import tomlkit

    path = Path(path)
    try:
        old = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError):
        old = None
    document = old if old is not None else tomlkit.document()
    tables = tomlkit.aot()
    for one in mappings:
        table = tomlkit.table()
        for field in fields(Mapping):
            value = getattr(one, field.name)
            if field.name in ("control", "address") or value != field.default:
                table[field.name] = value
        tables.append(table)
    document["map"] = tables
    writing.write(path, tomlkit.dumps(document))
