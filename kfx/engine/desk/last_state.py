"""What an engine that dies leaves to the next one: its look, its switches, its place in the song.

Files in the folder of the supervisor, which only this user may enter and which goes with the show:
the look, the state of the show, and what the engine is made of (`loop.ready_made`). A look that
kills its engine twice is taken away by the supervisor; a panic holds all the same.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfx import effects
from kfx.engine.desk.session import Session
from kfx.engine.desk.song_controls import SongPlace
from kfx.engine.desk.tree import PREFIX
from kfx.engine.look import proof
from kfx.engine.loop import ready_made
from kfx.engine.loop.supervisor import LAST_LOOK
from kfx.engine.loop.switches import Switches
from kfx.presets import Link, Preset

LAST_SHOW = "last-show"
EVERY_S = 0.1  # so old is what is left at most


@dataclass(frozen=True)
class Left:
    """What is there to go on with; `preset` is None where the look isn't to be trusted."""

    preset: Preset | None = None
    bypassed: frozenset[int] = frozenset()
    mode: str = "live"
    fade_s: float = 0.0
    song: SongPlace | None = None
    proven: frozenset[str] = frozenset()  # shaders, see `proof.trust`

    def resume(self, session: Session, *, look: bool = True) -> None:
        """Put back what the desk and the song's clock hold; the preset is the caller's to load.

        `look` False: somebody else plays the looks, a show's cues.
        """
        desk = session.desk
        assert desk is not None
        if look and self.preset is not None:
            for place in self.bypassed:
                desk.bypass(place, True, "supervisor")
        if self.fade_s:
            desk.set(f"{PREFIX}/fade", self.fade_s, "supervisor")
        if self.song is not None:
            session.resume(self.song)


def left(folder: str | Path) -> Left | None:
    """What the engine before this one left; None where there was none."""
    show: Mapping[str, Any] | None = _read(Path(folder) / LAST_SHOW)
    if show is None:
        return None
    look: Mapping[str, Any] | None = _read(Path(folder) / LAST_LOOK)
    preset = None
    if look is not None:
        with contextlib.suppress(Exception):  # an effect's file has gone meanwhile
            chain = tuple(Link(effects.find(name), *said) for name, *said in look["chain"])
            preset = Preset(chain=chain, **look["preset"])
    return Left(preset, look["bypassed"] if preset and look else frozenset(), **show)


class Leaving:
    """Writes down what would be missed; `extra` is what a `Session` wants."""

    def __init__(self, folder: str | Path, switches: Switches, *, every_s: float = EVERY_S) -> None:
        self._folder, self._switches, self._every_s = Path(folder), switches, every_s
        self._look: tuple[Preset, frozenset[int]] | None = None
        self._modules = 0  # that were told
        self._over = threading.Event()

    def extra(self, session: Session) -> Callable[[], None]:
        """Begin to write; returns what ends it."""
        thread = threading.Thread(
            target=self._run, args=(session,), name="kfx-last-state", daemon=True
        )
        thread.start()

        def close() -> None:
            self._over.set()
            thread.join(5.0)

        return close

    def _run(self, session: Session) -> None:
        while not self._over.wait(self._every_s):
            try:
                self.write(session)
            except Exception as error:  # a full disk; the show matters more
                session.fault(f"supervisor: another engine would begin anew: {error}")
                return

    def write(self, session: Session) -> None:
        """Write what has changed since the last time."""
        look, desk = session.look, session.desk
        assert look is not None
        assert desk is not None
        now = (look.preset, look.bypassed)
        if self._look is None or now[0] is not self._look[0] or now[1] != self._look[1]:
            preset = now[0]
            chain = [
                (
                    link.effect.name if link.effect.kind == "motion" else link.effect.where,
                    dict(link.values),
                    dict(link.modulation),
                    link.slots,
                    link.when,
                    link.bus,
                )
                for link in preset.chain
            ]
            named = {
                "name": preset.name, "doc": preset.doc, "seed": preset.seed, "path": preset.path
            }  # fmt: skip
            _write(self._folder / LAST_LOOK, {"preset": named, "chain": chain, "bypassed": now[1]})
            self._look = now
        _write(
            self._folder / LAST_SHOW,
            {
                "mode": self._switches.mode,
                "fade_s": desk.get(f"{PREFIX}/fade"),
                "song": session.song,
                "proven": proof.proven(),
            },
        )
        if (stats := session.stats) is not None and len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            made_of = ready_made.MadeOf(tuple(sys.modules), stats.tracker, stats.size)
            ready_made.leave(self._folder, made_of)


def _write(path: Path, value: object) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(value))
    os.replace(part, path)


def _read(path: Path) -> Any:
    try:
        return pickle.loads(path.read_bytes())
    except Exception:  # not there, or of an engine that died before it had anything to leave
        return None
