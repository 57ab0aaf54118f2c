"""Fields of tables that people write: each is checked, and an error names it with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from kfx.errors import KfxError

T = TypeVar("T")


def at(place: str, made: Callable[[], T]) -> T:
    """What `made` gives; its `ValueError` gets the place in front."""
    try:
        return made()
    except KfxError as error:
        raise KfxError(f"{place}: {error}") from None
    except (ValueError, OverflowError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{place}: {error}") from None


def only(table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises `ValueError` for a key that isn't known, with the nearest one."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)
            raise ValueError(f"{key[:60]!r} is unknown; {remedy}")


def text(table: Mapping[str, Any], key: str, default: Any) -> Any:
    value = table.get(key, default)
    if value is not default and (not isinstance(value, str) or len(value) > 2000):
        raise ValueError(f"{key}: {short(value)} is no text")
    return value


def table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A table whose keys may be dotted: ``"film.grain" = 1`` and ``film.grain = 1`` alike."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key}: {short(value)} is no table")
    if key == "envelope":
        return value
    flat: dict[str, Any] = {}
    for name, one in value.items():
        inner = isinstance(one, dict) and not {"to", "from", "beats", "seconds"} & one.keys()
        flat.update({f"{name}.{knob}": v for knob, v in one.items()} if inner else {name: one})
    return flat


def number(table: Mapping[str, Any], key: str, default: Any, least: float, most: float) -> Any:
    value = table.get(key, default)
    if value is default:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: {short(value)} is no number")
    if not least <= value <= most:  # also refuses nan
        raise ValueError(f"{key}: {short(value)} is outside {least:g}..{most:g}")
    return float(value)


def short(value: Any) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return "it"
    return shown if len(shown) <= 60 else shown[:57] + "…"
