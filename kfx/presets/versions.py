"""The versions of the preset file, with what makes each the next.

* 0, the drafts: ``[[effects]]`` with ``name``
* 1: ``[[chain]]`` with ``effect``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VERSION = 1


def _from_drafts(data: dict[str, Any]) -> dict[str, Any]:
    chain = data.pop("effects", data.pop("chain", []))
    if isinstance(chain, list):
        chain = [_renamed(one) if isinstance(one, dict) else one for one in chain]
    return {**data, "chain": chain}


def _renamed(link: dict[str, Any]) -> dict[str, Any]:
    rest = dict(link)
    return {"effect": rest.pop("name", rest.pop("effect", None)), **rest}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_drafts}
"""Version → what makes the data of a file of that version the data of the next."""


def migrated(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a file in this version; raises `ValueError` for one that can't be read."""
    if "version" not in data and {"input", "output"} & data.keys():
        raise ValueError("missing; a net's card is no preset: name the net itself, -p net.onnx")
    if "version" not in data:
        raise ValueError(f"missing; begin the file with version = {VERSION}")
    version = data["version"]
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise ValueError(f"{str(version)[:60]} can't be read; this kfx reads version = {VERSION}")
    if version > VERSION:
        raise ValueError(
            f"{str(version)[:60]} is newer than this kfx, which reads up to version = {VERSION};"
            " install a newer kfx"
        )
    for step in range(version, VERSION):
        data = {**MIGRATIONS[step](dict(data)), "version": step + 1}
    return data
