"""What every show has in its control tree, whatever look it shows."""

from __future__ import annotations

from typing import Any

from kfx.engine.desk.edits import PLACES
from kfx.engine.desk.tree import PREFIX, Kind, Parameter
from kfx.engine.loop.switches import MODES


def parameters(
    name: str,
    library: tuple[str, ...],
    fade_s: float,
    longest_fade_s: float,
    mode: str,
    hold: bool,
) -> list[Parameter]:
    """Look, fade, switches and history, with the values that they have."""
    fade = (0.0, longest_fade_s)
    modes = "; ".join(f"{mode}: {text}" for mode, text in MODES.items())
    rows: tuple[tuple[str, Kind, Any, Any, tuple[Any, ...], str, str], ...] = (
        ("preset", "choice", name, None, library, "", "the look"),
        ("load", "text", None, None, (), "", "the look in a file, by its full path (.toml)"),
        ("fade", "float", fade_s, 0.0, fade, "s", "how long a change of preset takes"),
        ("panic", "event", None, None, (), "", "the clean plate, now"),
        ("mode", "choice", mode, "live", tuple(MODES), "", modes),
        ("hold", "bool", hold, False, (), "", "compare: the plate is shown"),
        ("undo", "event", None, None, (), "", "take back the last step of the look"),
        ("redo", "event", None, None, (), "", "do again what undo took back"),
        ("store", "choice", None, None, PLACES, "", "keep the look as it is"),
        ("recall", "choice", None, None, PLACES, "", "back to a look that was kept"),
        ("save", "event", None, None, (), "", "write the look to its own file"),
        ("revert", "event", None, None, (), "", "the look as its file has it"),
    )
    return [
        Parameter(f"{PREFIX}/{name}", kind, value, default, span, unit, doc)
        for name, kind, value, default, span, unit, doc in rows
    ]
