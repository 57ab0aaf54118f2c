"""What a page may say over its control socket, checked before anybody acts on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MOST_LETTERS = 16 * 1024
MOST_NUMBERS = 16  # in a list
ACTIONS: dict[str, dict[str, type]] = {
    "move": {"place": int, "to": int},
    "add": {"effect": str, "place": int},
    "remove": {"place": int},
    "route": {"place": int, "slots": list},
    "follow": {"place": int, "knob": str, "signal": str, "amount": float, "how": dict},
    "unfollow": {"place": int, "knob": str, "signal": str},
    "when": {"place": int, "condition": str},
    "load": {"name": str, "seconds": float},
    "save": {"name": str, "overwrite": bool},
    "revert": {},
    "differences": {},
    "code": {},
    "revoke": {"id": str},
    "appoint": {"id": str, "plays": bool},
    "eight": {"names": list},
}
"""What can be done beside setting values, and what each wants to know."""


@dataclass(frozen=True)
class Set:
    """A value for an address; `norm` says that it is a place in 0..1."""

    address: str
    value: Any


@dataclass(frozen=True)
class Do:
    """One of `ACTIONS` with its arguments, each of its type."""

    what: str
    arguments: MappingProxyType[str, Any]


Message = Set | Do


def parse(text: str | bytes | None) -> Message:
    """The message in a text. Raises `ValueError` for anything that isn't one."""
    if not isinstance(text, str) or len(text) > MOST_LETTERS:
        raise ValueError("a message is a short text")
    try:
        said = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(said, dict):
        raise ValueError("a message is an object")
    if said.get("t") == "set":
        address = said.get("a")
        if not isinstance(address, str) or not address.startswith("/") or len(address) > 512:
            raise ValueError("an address begins with /")
        return Set(address, _value(said.get("v")))
    what = said.get("what")
    if said.get("t") != "do" or not isinstance(what, str) or what not in ACTIONS:
        raise ValueError("neither set nor do")
    arguments = {name: _argument(said.get(name), kind) for name, kind in ACTIONS[what].items()}
    return Do(what, MappingProxyType(arguments))


def _argument(value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > 1e9:
            raise ValueError("too large a number")
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"a {kind.__name__} is missing")
    if isinstance(value, list):
        plain = all(type(one) is int or isinstance(one, str) for one in value)
        if len(value) > MOST_NUMBERS or not plain:
            raise ValueError("a list holds a few numbers and names")
    if isinstance(value, dict):
        plain = all(type(one) in (int, float, str) for one in value.values())
        if len(value) > MOST_NUMBERS or not plain:
            raise ValueError("a table holds a few numbers and words")
    return value


def _value(value: Any) -> Any:
    """A plain value: number, truth, text or a short list of numbers."""
    if isinstance(value, list):
        numbers = all(isinstance(one, int | float) for one in value)
        if len(value) > MOST_NUMBERS or not numbers:
            raise ValueError("a list holds a few numbers")
        return tuple(value)
    if isinstance(value, dict):
        raise ValueError("a value is no object")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
