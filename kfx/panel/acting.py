"""Does what a page asks for, as far as its role allows, in threads where the desk may wait."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from kfx import presets
from kfx.engine.desk import chain_edits
from kfx.engine.desk.desk import LONGEST_FADE_S, Desk
from kfx.engine.desk.tree import PREFIX
from kfx.errors import KfxError, UsageError
from kfx.panel.eight import Eight
from kfx.panel.messages import Do, Message
from kfx.panel.roles import Roles
from kfx.panel.session import Session
from kfx.presets import comparing, packing

AT_ONCE = frozenset(f"{PREFIX}/{name}" for name in ("panic", "mode", "hold"))
VIEWERS_MAY = re.compile(rf"{PREFIX}/take/(star|circle)")  # what stars a take, and nothing else
HERE_ONLY = frozenset(("code", "revoke", "appoint"))  # who comes in, nobody decides from afar
_NAME = re.compile(r"\w[\w +-]{0,63}")


class Acting:
    """`answer` one message. Panic never waits behind anything else."""

    def __init__(
        self,
        desk: Desk,
        roles: Roles,
        folder: Path,
        changed: Callable[[], None],
        saved: Callable[[], None],
        eight: Eight,
    ) -> None:
        """`changed` is called when the pages should know, `saved` when there are other looks."""
        self._desk, self._roles, self._folder, self._changed = desk, roles, folder, changed
        self._saved, self._eight_looks = saved, eight
        self._usual = ThreadPoolExecutor(1, "kfx-panel-desk")
        self._at_once = ThreadPoolExecutor(1, "kfx-panel-panic")

    def close(self) -> None:
        for pool in (self._usual, self._at_once):
            pool.shutdown(wait=False, cancel_futures=True)

    async def calmly(self, what: Callable[[], Any]) -> Any:
        """The result of a call that may wait, made in the order of asking."""
        return await asyncio.get_running_loop().run_in_executor(self._usual, what)

    async def answer(self, session: Session, message: Message) -> dict[str, Any] | None:
        """Raises `KfxError` with what the page shows."""
        address = "" if isinstance(message, Do) else message.address
        if session.role != "operator" and not VIEWERS_MAY.fullmatch(address):
            raise UsageError("this device may look; the operator changes things")
        if isinstance(message, Do):
            if message.what in HERE_ONLY and session.device is not None:
                raise UsageError("this is done at the machine that runs the show")
            call = partial(getattr(self, f"_{message.what}"), session, **message.arguments)
            said: dict[str, Any] | None = await self.calmly(call)
            return said
        pool = self._at_once if address in AT_ONCE else self._usual
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, self._desk.set, address, message.value, session.name)
        return None

    # What `messages.ACTIONS` lists.

    def _move(self, session: Session, place: int, to: int) -> None:
        self._desk.move(place, to, session.name)

    def _add(self, session: Session, effect: str, place: int) -> None:
        self._desk.add(effect, place, session.name)

    def _remove(self, session: Session, place: int) -> None:
        self._desk.remove(place, session.name)

    def _route(self, session: Session, place: int, slots: list[int | str]) -> None:
        self._desk.route(place, slots, session.name)

    def _follow(
        self,
        session: Session,
        place: int,
        knob: str,
        signal: str,
        amount: float,
        how: dict[str, Any],
    ) -> None:
        self._desk.follow(place, knob, signal, amount, session.name, how)

    def _unfollow(self, session: Session, place: int, knob: str, signal: str) -> None:
        self._desk.follow(place, knob, signal, None, session.name)

    def _when(self, session: Session, place: int, condition: str) -> None:
        self._desk.when(place, condition, session.name)

    def _load(self, session: Session, name: str, seconds: float) -> None:
        if name not in presets.names() and name != "none":
            name = str(self._file(name))
        seconds = min(max(seconds, 0.0), LONGEST_FADE_S)
        self._desk.load(name, seconds, by=session.name)

    def _save(self, session: Session, name: str, overwrite: bool) -> dict[str, Any]:
        if not name:
            self._desk.save(by=session.name)
            self._saved()
            return {"t": "saved", "name": self._desk.preset.name}
        if name in presets.names():
            raise UsageError(f"{name} comes with kfx; save it under another name")
        path = self._file(name)
        if path.exists() and not overwrite:
            return {"t": "exists", "name": name}
        self._desk.save(str(path), session.name)
        self._changed()
        self._saved()
        return {"t": "saved", "name": name}

    def _revert(self, session: Session) -> None:
        self._desk.revert(session.name)

    def _differences(self, session: Session) -> dict[str, Any]:
        now = self._desk.preset
        rows = comparing.differences(presets.load(chain_edits.load_for(now)), now)
        return {"t": "differences", "rows": [[one.place, one.before, one.after] for one in rows]}

    def _code(self, session: Session) -> None:
        self._roles.renew()
        self._changed()

    def _revoke(self, session: Session, id: str) -> None:
        self._roles.revoke(id)
        self._changed()

    def _appoint(self, session: Session, id: str, plays: bool) -> None:
        self._roles.appoint(id, "operator" if plays else "viewer")
        self._changed()

    def _eight(self, session: Session, names: list[Any]) -> None:
        self._eight_looks.choose(names)
        self._changed()

    def _file(self, name: str) -> Path:
        """The preset of this name in the folder of one's own presets, or in a pack there."""
        path = self._folder / f"{_checked(name)}.toml"
        return packs(self._folder).get(name, path) if not path.exists() else path

    def unpack(self, name: str, archive: Path) -> str:
        """Put a pack's files into a folder of its own beside one's presets; returns its name.

        Raises `KfxError`, and nothing is left behind, for what is no pack.
        """
        packing.unpack(archive, self._folder / _checked(name))
        self._changed()
        self._saved()
        return name


def packs(folder: Path) -> dict[str, Path]:
    """Name → preset of every folder in `folder` that holds just one, as an unpacked pack does."""
    inside: dict[Path, list[Path]] = {}
    for path in sorted(folder.glob("*/*.toml"))[:2000]:
        inside.setdefault(path.parent, []).append(path)
    return {
        parent.name: found[0]
        for parent, found in inside.items()
        if len(found) == 1 and _NAME.fullmatch(parent.name) and is_preset(found[0])
    }


def is_preset(path: Path) -> bool:
    """Whether a TOML file looks like a preset."""
    try:
        return "[[chain]]" in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:60]!r} is no name; use letters, numbers, spaces, - and _")
    return name


def own_presets(folder: Path) -> list[str]:
    """The names of presets in one's own folder; what is no preset isn't looked into."""
    try:
        found = sorted(path.stem for path in folder.glob("*.toml"))
    except OSError as error:
        raise KfxError(f"{folder}: {error.strerror or error}") from error
    return [name for name in found if _NAME.fullmatch(name)][:500]
