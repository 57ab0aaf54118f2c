"""Parameters as the JSON of OSCQuery: nodes, attributes, host info (Vidvox's proposal, 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfx.sync import osc_packet
from kfx.sync.controls import Parameter

_TAGS = {"float": "f", "int": "i", "bool": "T", "choice": "s", "file": "s", "text": "s"}
_EXTENSIONS = (
    *("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS", "EXTENDED_TYPE", "UNIT", "CLIPMODE"),
    *("CRITICAL", "LISTEN", "PATH_CHANGED"),
)
ATTRIBUTES = frozenset(
    ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS")
    + ("EXTENDED_TYPE", "UNIT", "CRITICAL", "CLIPMODE", "OVERLOADS", "HTML")
)
NONE, READ, WRITE, BOTH = range(4)  # ACCESS
NORM = "norm"  # below a knob: its place in 0..1 of its range


def node(one: Parameter) -> dict[str, Any]:
    """A parameter as a method of the address space."""
    found: dict[str, Any] = {
        "FULL_PATH": one.address,
        "TYPE": tags(one),
        "ACCESS": (BOTH if one.writable else READ) if one.kind != "event" else WRITE,
    }
    if one.kind != "event" and one.value is not None:
        found["VALUE"] = list(osc_packet.flat(one.value))
    if one.kind == "choice":
        found["RANGE"] = [{"VALS": list(one.range)}]
        found["TYPE"] = "i" if all(isinstance(value, int) for value in one.range) else "s"
    elif one.kind == "vector":
        found["RANGE"] = [{"MIN": low, "MAX": high} for low, high in zip(*one.range, strict=True)]
    elif one.kind in ("float", "int") and one.range:
        found["RANGE"] = [{"MIN": one.range[0], "MAX": one.range[1]}]
    if "RANGE" in found:
        # What is outside is refused, not clipped: a typing error must not make a jump.
        found["CLIPMODE"] = ["none"] * len(found["RANGE"])
    if one.doc:
        found["DESCRIPTION"] = one.doc
    if one.unit:
        found["UNIT"] = [one.unit] * max(1, len(tags(one)))
    if one.kind == "file":
        found["EXTENDED_TYPE"] = ["file"]
    elif one.kind == "vector" and one.range == ((0.0,) * 4, (1.0,) * 4):
        found["EXTENDED_TYPE"] = ["color.rgba"] * 4
    if one.kind == "event":  # better sent over the WebSocket, where nothing is lost
        found["CRITICAL"] = True
    found["TAGS"] = [one.kind]
    if one.kind in ("float", "int") and one.range and one.writable and one.value is not None:
        found["CONTENTS"] = {NORM: _normalised(one)}
    return found


def _normalised(one: Parameter) -> dict[str, Any]:
    low, high = one.range
    return {
        "FULL_PATH": f"{one.address}/{NORM}",
        "TYPE": "f",
        "ACCESS": BOTH,
        "VALUE": [(one.value - low) / (high - low) if high > low else 0.0],
        "RANGE": [{"MIN": 0.0, "MAX": 1.0}],
        "CLIPMODE": ["both"],
        "DESCRIPTION": f"the same, 0..1 of its range: {one.doc}",
        "TAGS": [NORM],
    }


def tags(one: Parameter) -> str:
    """The OSC types of a parameter's value."""
    if one.kind == "vector":
        return "f" * len(one.range[0])
    return "I" if one.kind == "event" else _TAGS[one.kind]


def tree(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The whole address space from its root."""
    root: dict[str, Any] = {"FULL_PATH": "/", "ACCESS": NONE, "CONTENTS": {}}
    for one in parameters:
        parts, here = one.address.strip("/").split("/"), root
        for depth, part in enumerate(parts[:-1], 1):
            path = "/" + "/".join(parts[:depth])
            fresh = {"FULL_PATH": path, "ACCESS": NONE, "CONTENTS": {}}
            here = here.setdefault("CONTENTS", {}).setdefault(part, fresh)
        old = here.setdefault("CONTENTS", {}).get(parts[-1], {})
        made = node(one)
        if inside := {**old.get("CONTENTS", {}), **made.get("CONTENTS", {})}:
            made["CONTENTS"] = inside
        here["CONTENTS"][parts[-1]] = made
    return root


def find(root: dict[str, Any], path: str) -> dict[str, Any] | None:
    """The node at a path, None where there is nothing."""
    here = root
    for part in filter(None, path.split("/")):
        here = here.get("CONTENTS", {}).get(part)
        if here is None:
            return None
    return here


def host_info(name: str, ip: str, port: int) -> dict[str, Any]:
    """What ``?HOST_INFO`` answers; OSC (UDP), HTTP and WebSocket share one port number."""
    return {
        "NAME": name,
        "EXTENSIONS": dict.fromkeys(_EXTENSIONS, True),
        "OSC_IP": ip,
        "OSC_PORT": port,
        "OSC_TRANSPORT": "UDP",
        "WS_IP": ip,
        "WS_PORT": port,
    }
