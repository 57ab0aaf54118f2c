"""OSC packets on the way in and out: messages and bundles, in bounds, whatever the bytes are.

OSC 1.0 with the usual further types (``hdTFNIcr[]``); layouts in the OSC 1.0 specification.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

MOST_MESSAGES = 4096  # of one packet
DEEPEST = 8  # bundles in bundles
MOST_VALUES = 4096
BUNDLE = b"#bundle\0"


class Message(NamedTuple):
    address: str
    values: tuple[Any, ...]


def read(packet: bytes) -> list[Message]:
    """The messages of a packet in order; raises `ValueError` for anything that is no OSC."""
    found: list[Message] = []
    try:
        _packet(packet, found, 0)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"no OSC packet: {error}") from None
    return found


def write(address: str, values: Iterable[Any] = ()) -> bytes:
    """One message of floats, ints, booleans, None and texts."""
    tags, parts = [","], []
    for value in values:
        tag, data = _argument(value)
        tags.append(tag)
        parts.append(data)
    return _text(address) + _text("".join(tags)) + b"".join(parts)


def _packet(data: bytes, found: list[Message], depth: int) -> None:
    if len(data) % 4 or not data:
        raise ValueError("no OSC packet: its length is no multiple of 4")
    if not data.startswith(BUNDLE):
        found.append(_message(data))
        if len(found) > MOST_MESSAGES:
            raise ValueError(f"more than {MOST_MESSAGES} messages in one packet")
        return
    if depth >= DEEPEST or len(data) < 16:
        raise ValueError("a bundle is cut short or nested too deep")
    at = 16
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        if size <= 0 or at + 4 + size > len(data):
            raise ValueError("an element of a bundle is longer than the bundle")
        _packet(data[at + 4 : at + 4 + size], found, depth + 1)
        at += 4 + size


def _message(data: bytes) -> Message:
    address, at = _read_text(data, 0)
    if not address.startswith("/"):
        raise ValueError("an OSC address begins with /")
    if at == len(data):  # very old senders leave the type tags out
        return Message(address, ())
    tags, at = _read_text(data, at)
    if not tags.startswith(",") or len(tags) > MOST_VALUES:
        raise ValueError("there are no type tags")
    values: list[Any] = []
    for tag in tags[1:]:
        if tag in _FIXED:
            layout = _FIXED[tag]
            value = struct.unpack_from(layout, data, at)[0]
            # float32 holds 7 digits: 0.2 mustn't come out as 0.20000000298, outside 0..0.2.
            values.append(float(f"{value:.7g}") if tag == "f" else value)
            at += struct.calcsize(layout)
        elif tag in _CONSTANT:
            values.append(_CONSTANT[tag])
        elif tag in "sS":
            text, at = _read_text(data, at)
            values.append(text)
        elif tag == "b":
            (size,) = struct.unpack_from(">i", data, at)
            if size < 0 or at + 4 + size > len(data):
                raise ValueError("a blob is longer than its message")
            values.append(data[at + 4 : at + 4 + size])
            at += 4 + size + -size % 4
        elif tag not in "[]":  # arrays are read flat
            raise ValueError(f"type tag {tag!r} is unknown")
    return Message(address, tuple(values))


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at) if b"\0" in data[at:] else -1
    if end < 0:
        raise ValueError("a text has no end")
    return data[at:end].decode("utf-8"), end + 4 - end % 4


def _text(value: str) -> bytes:
    raw = value.replace("\0", "").encode("utf-8", "replace")
    return raw + b"\0" * (4 - len(raw) % 4)


def _argument(value: Any) -> tuple[str, bytes]:
    if value is None or isinstance(value, bool):
        return ("N" if value is None else "FT"[value]), b""
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return "i", struct.pack(">i", value)
    if isinstance(value, int | float):
        number = float(value)
        fits = math.isfinite(number) and abs(number) < 3.4e38
        return "f", struct.pack(">f", number if fits else 0.0)
    return "s", _text(str(value))


def flat(value: Any) -> Sequence[Any]:
    """A value as the arguments of a message: a vector is several."""
    return value if isinstance(value, tuple | list) else (value,)


_FIXED = {"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q", "c": ">I", "r": ">I", "m": ">I"}
_CONSTANT = {"T": True, "F": False, "N": None, "I": True}
