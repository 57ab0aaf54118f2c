"""Nets as effects: a card, or a bare ``.onnx`` whose card is guessed."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from kfx import assets
from kfx.errors import KfxError
from kfx.neural.card import DRAWN, PLAYED, Card, load

_TOLD = {
    "detector": "a detector: it answers boxes and scores, no picture",
    "other": "a net that answers no picture",
}


def names() -> list[str]:
    """The nets in kfx's own folder of models that are effects."""
    return [name for name in assets.names("models", ".toml") if _is_drawn(name)]


def find(path: Path) -> Card:
    """The card at a path that ends in ``.toml``, or of the net at one that ends in ``.onnx``.

    A net's card lies beside it; without one it is guessed, which runs the net. Raises `KfxError`
    where there is none, it is wrong, or the net makes nothing that could be seen.
    """
    if path.suffix == ".onnx":
        beside = path.with_suffix(".toml")
        card = load(beside) if beside.is_file() else _guess(path)
    else:
        card = load(path)
    if not card.path.is_file():
        raise KfxError(f"{card.path}: the net is missing; put it beside its card {card.where}")
    if card.kind not in PLAYED:
        raise KfxError(
            f"{path}: {_told(card)}; as an effect kfx plays nets whose kind is "
            f"{', '.join(sorted(PLAYED))} (see: kfx model inspect {path})"
        )
    return card


def _told(card: Card) -> str:
    """What it is instead, in the guess's own words where it has some."""
    guessed = card.kind == "other" and card.doc and not card.where
    return card.doc if guessed else _TOLD[card.kind]


def _guess(path: Path) -> Card:
    from kfx.neural import inspect

    return inspect.inspect(path)


@cache
def _is_drawn(name: str) -> bool:
    """Whether a card of kfx's own is that of an effect; a broken one is told by `find`."""
    path = assets.folder("models") / f"{name}.toml"
    try:
        kind = tomllib.loads(path.read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError):
        return False
    return kind in DRAWN and path.with_suffix(".onnx").is_file()
