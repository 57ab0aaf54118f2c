"""What stands behind the ``?`` of an ``osc://`` spec, declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from kfx.errors import UsageError
from kfx.types import MAX_FACES

SMALLEST, ETHERNET, MACOS, LARGEST = 512, 1472, 9216, 65507  # bytes in a datagram
MESHES = ("0", "1", "blob")


@dataclass(frozen=True, slots=True)
class Options:
    """`datagram` None is the format's own limit."""

    faces: int = MAX_FACES
    slot: int | None = None
    mesh: str = "1"
    bs: bool = True
    rate: float | None = None
    mirror: bool = False
    name: str = "kfx"
    names: tuple[str, ...] = ("vrm",)
    datagram: int | None = None


def parse(spec: str, query: str, formats: dict[str, tuple[str, ...]]) -> tuple[str, Options]:
    """The format's name and its options. `formats` says which options each takes beside `COMMON`.

    Raises `UsageError` for anything unknown or out of its range.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    form = dict(pairs).get("format", "kfx")
    if form not in formats:
        raise UsageError(
            f"{spec}: format: {form!r} is unknown; there are " + ", ".join(sorted(formats))
        )
    taken = (*COMMON, *formats[form])
    options = Options()
    for key, value in pairs:
        if key == "format":
            continue
        if key not in taken:
            raise UsageError(
                f"{spec}: unknown option {key!r}; format={form} takes " + ", ".join(sorted(taken))
            )
        field, read, wanted = _KNOWN[key]
        try:
            options = replace(options, **{field: read(value)})
        except ValueError:
            raise UsageError(f"{spec}: {key}: {value!r} is not {wanted}") from None
    return form, options


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(value)
        return value

    return read


def _within(kind: type, low: float, high: float) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        number = kind(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return read


def _switch(value: str) -> bool:
    return _one_of("0", "1")(value) == "1"


def _name(value: str) -> str:
    if not value.strip() or len(value.encode("utf-8", "replace")) > 128:
        raise ValueError(value)
    return value


NAMES = ("vrm", "vrm1", "arkit", "perfectsync")


def _names(value: str) -> tuple[str, ...]:
    return tuple(_one_of(*NAMES)(one) for one in value.split(","))


# option: field of `Options`, reader, what it must be
_KNOWN: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "faces": ("faces", _within(int, 1, MAX_FACES), f"a number of faces, 1 to {MAX_FACES}"),
    "slot": ("slot", _within(int, 0, MAX_FACES - 1), f"a slot, 0 to {MAX_FACES - 1}"),
    "mesh": ("mesh", _one_of(*MESHES), "0, 1 (floats) or blob"),
    "bs": ("bs", _switch, "0 or 1"),
    "rate": ("rate", _within(float, 0.1, 1000), "a number of sends a second, 0.1 to 1000"),
    "fps": ("rate", _within(float, 0.1, 1000), "a number of sends a second, 0.1 to 1000"),
    "mirror": ("mirror", _switch, "0 or 1"),
    "name": ("name", _name, "a name of at most 128 bytes"),
    "names": ("names", _names, "one or more of " + ", ".join(NAMES)),
    "datagram": (
        "datagram",
        _within(int, SMALLEST, LARGEST),
        f"a number of bytes, {SMALLEST} to {LARGEST}",
    ),
}
COMMON = ("slot", "rate", "fps", "mirror")
