"""What there is to choose from: presets and effects with what they say of themselves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from kfx import effects, presets
from kfx.errors import KfxError
from kfx.panel.acting import is_preset, own_presets, packs


def library(folder: Path) -> dict[str, Any]:
    """Presets of kfx, one's own in `folder`, and effects, as plain values."""
    own = [{"name": name, "doc": "", "own": True} for name in _own(folder)]
    return {"presets": [*_presets(), *own], "effects": _effects()}


def _own(folder: Path) -> list[str]:
    """Packs, and files that read as presets; a folder may hold other TOML too."""
    found = list(packs(folder))
    for name in own_presets(folder):
        if name not in {*presets.names(), *found} and is_preset(folder / f"{name}.toml"):
            found.append(name)
    return found


@cache
def _presets() -> list[dict[str, Any]]:
    rows = []
    for name in presets.names():
        try:
            one = presets.load(name)
        except KfxError:
            continue  # it can't be shown anyway
        chain = [link.effect.name for link in one.chain]
        rows.append({"name": name, "doc": one.doc, "chain": chain})
    return rows


@cache
def _effects() -> list[dict[str, str]]:
    rows = []
    for name in effects.names():
        try:
            one = effects.find(name)
        except KfxError:
            continue
        rows.append({"name": name, "kind": one.kind, "doc": one.doc})
    return rows
