"""The recorder of takes in the control tree of a live session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfx.engine.desk.session import Session
from kfx.engine.desk.tree import PREFIX, Parameter
from kfx.engine.takes.take_recorder import TakeRecorder

TAKE = f"{PREFIX}/take"


def extra(takes: TakeRecorder) -> Callable[[Session], Callable[[], None]]:
    """What a `Session` wants: registers the recorder, and lets it hear of every change."""

    def begin(session: Session) -> Callable[[], None]:
        desk = session.desk
        assert desk is not None

        def slate(value: Any) -> None:
            takes.slate = value

        rows: tuple[tuple[Parameter, Callable[[Any], object] | None], ...] = (
            (Parameter(f"{TAKE}/roll", "event", doc="begin a take"), lambda _: takes.roll()),
            (Parameter(f"{TAKE}/cut", "event", doc="end the take"), lambda _: takes.cut()),
            (
                Parameter(f"{TAKE}/circle", "event", doc="mark this take, or the last, to keep"),
                lambda _: takes.circle(),
            ),
            (
                Parameter(f"{TAKE}/note", "text", "", "", doc="say something of this take"),
                lambda text: takes.note(text, "desk"),
            ),
            (Parameter(f"{TAKE}/slate", "text", takes.slate, "", doc="of the next take"), slate),
            (Parameter(f"{TAKE}/name", "text", "", "", doc="the take that rolls"), None),
        )
        for parameter, setter in rows:
            desk.register(parameter, setter)
        takes.on_change = lambda: desk.tell(f"{TAKE}/name", takes.name, "take")
        return desk.subscribe(takes.heard)

    return begin
