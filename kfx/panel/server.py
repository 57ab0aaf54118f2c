"""Serves the panel from a thread of its own, beside a show that never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from kfx import clock
from kfx.engine.desk.desk import Desk
from kfx.engine.desk.tree import PREFIX, Change
from kfx.errors import KfxError
from kfx.panel import health, model, sockets
from kfx.panel.acting import Acting
from kfx.panel.cues import cue_sheet
from kfx.panel.door import Door
from kfx.panel.eight import Eight
from kfx.panel.pictures import Pictures
from kfx.panel.roles import Roles
from kfx.panel.session import CHANGED, SEND_S, UNPAIRED, Session
from kfx.panel.watching import watch
from kfx.panel.web import Web
from kfx.shows import Show

if TYPE_CHECKING:
    from kfx.engine.stats import Stats
    from kfx.panel.ahead import Ahead

DEFAULT_PORT = 8770
TRIES = 20  # ports after the wanted one
START_S = 10.0


class Panel:
    """``with Panel(desk) as panel:`` serves; `pictures` takes shots; `show` names the state.

    `folder` is where looks are saved to, `tokens` the file of paired devices, `says` gets what the
    operator should know, `ahead` pictures looks that nobody has seen, `nets` says what runs where.
    Raises `KfxError` if the wanted port and those after it are taken.
    """

    def __init__(
        self,
        desk: Desk,
        pictures: Pictures | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        folder: Path | None = None,
        tokens: Path | None = None,
        says: Callable[[str], None] | None = None,
        ahead: Ahead | None = None,
        nets: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self._ahead, self._nets = ahead, nets
        self.pictures = pictures or Pictures()
        self.roles = Roles(tokens)
        self.garbage = 0
        self._desk, self._host = desk, host
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._stats: Stats | None = None
        self._cues: dict[str, Any] | None = None
        self._sessions: set[Session] = set()
        self._names = 0
        self._health = health.Health()
        folder = folder or Path.cwd()
        self._eight = Eight(tokens.with_name(f"{tokens.stem}-eight.json") if tokens else None)
        self._acting = Acting(
            desk, self.roles, folder, self._changed, self._looks_changed, self._eight
        )
        self._web = Web(
            self._acting,
            self.roles,
            folder,
            changed=self._changed,
            says=says or (lambda text: None),
            ahead=ahead,
        )
        self._web.pairing_url = lambda: self.pairing_url
        self._end_feed: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling: asyncio.Future[None] | None = None
        self._show_id = f"{clock.wall():.0f}"
        loopback_only = host in ("127.0.0.1", "localhost", "::1")
        self._door = Door(
            self._app(),
            loopback_only=loopback_only,
            roles=self.roles,
            style_hash=self._web.style_hash,
        )
        self._server = uvicorn.Server(sockets.config(self._door))
        self._thread = threading.Thread(target=self._run, name="kfx-panel", daemon=True)

    @property
    def url(self) -> str:
        """For this machine."""
        host = "127.0.0.1" if self._host in ("0.0.0.0", "localhost") else self._host
        return f"http://{host}:{self.port}/"

    @cached_property
    def lan_url(self) -> str | None:
        """For other devices, None where it is bound to this machine alone."""
        if self._host in ("127.0.0.1", "localhost"):
            return None
        return f"http://{own_address() if self._host == '0.0.0.0' else self._host}:{self.port}/"

    @property
    def pairing_url(self) -> str | None:
        """The address for a tablet with the code in it, as the QR code has it."""
        return f"{self.lan_url}#pair={self.roles.code}" if self.lan_url else None

    def show(self, stats: Stats) -> None:
        """Show this run's state from now on."""
        self._stats = stats

    def play(self, show: Show, steps: Sequence[int] | None = None) -> None:
        """Show these cues, in all pages; `steps` as `cue_sheet` has them. From any thread."""
        self._cues = cue_sheet(show, steps)
        self._in_loop(self._tell_cues)

    def __enter__(self) -> Panel:
        self._thread.start()
        deadline = clock.now() + START_S
        while not self._server.started and self._thread.is_alive() and clock.now() < deadline:
            clock.pause(0.005)
        if not self._server.started:
            self.close()
            raise KfxError("panel: it didn't start; run without it: --panel off")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving. May be called twice."""
        self._end_feed()
        self._end_feed = lambda: None
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self.pictures.close()
        if self._ahead is not None:
            self._ahead.close()
        self._acting.close()
        self._socket.close()

    # In the panel's thread from here on.

    def _run(self) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the terminal isn't ours
        self._server.run(sockets=[self._socket])

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        self.pictures.bind(self._loop)
        self._end_feed = self._desk.subscribe(model.Feed(self._loop, self._heard))
        looking = asyncio.ensure_future(self._look_after())
        moving = asyncio.ensure_future(self._tell_moved())
        # Read while the show warms up, for the first page.
        reading = asyncio.ensure_future(self._web.read_library())
        reading.add_done_callback(lambda one: one.cancelled() or one.exception())
        yield
        reading.cancel()
        looking.cancel()
        moving.cancel()
        self._loop = None

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                *self._web.routes(),
                WebSocketRoute("/control", self._control),
                WebSocketRoute("/picture", self._picture),
            ],
            lifespan=self._life,
        )

    async def _control(self, socket: WebSocket) -> None:
        await socket.accept()
        role, device = socket.scope["state"]["role"], socket.scope["state"]["device"]
        if role is None:
            await socket.close(UNPAIRED)
            return
        self._names += 1
        name = device.name if device else f"panel {self._names}"
        session = Session(socket, name, role, device)
        self._sessions.add(session)
        try:
            tree = await self._acting.calmly(lambda: model.tree(self._desk))
            session.put({"t": "hello", "you": name, "role": role, "show": self._show_id})
            session.put(tree)
            session.put(self._health.message())
            if role == "operator":
                session.put({"t": "moved", "v": model.moved(self._desk)})
            session.put(self._people(session))
            if self._cues:
                session.put(self._cues)
            session.put(self._web.thumbnails_message())
            self._changed()
            await session.run(self._acting.answer)
        except WebSocketDisconnect:
            pass
        finally:
            self._sessions.discard(session)
            self.garbage += session.garbage
            self._changed()

    async def _picture(self, socket: WebSocket) -> None:
        await socket.accept()
        if socket.scope["state"]["role"] is None:
            await socket.close(UNPAIRED)
            return
        device = socket.scope["state"]["device"]
        still_in = (lambda: device in self.roles.devices) if device else (lambda: True)
        self.garbage += await watch(socket, self.pictures, SEND_S, still_in)

    def _heard(self, changes: list[Change]) -> None:
        if model.is_another_tree(changes):
            self._telling = asyncio.ensure_future(self._tell_tree())
        rows = [[one.address, one.value, one.by] for one in changes]
        steps = self._desk.steps
        for session in self._sessions:
            session.change(rows)
            session.put({"t": "steps", "steps": steps})

    async def _tell_tree(self) -> None:
        tree = await self._acting.calmly(lambda: model.tree(self._desk))
        for session in self._sessions:
            session.put(tree)

    async def _tell_moved(self) -> None:
        """Ten times a second to operators: where knobs stand that signals move."""
        told: list[list[Any]] = []
        while True:
            await asyncio.sleep(model.MOVED_S)
            to = [one for one in self._sessions if one.role == "operator"]
            if not to:
                continue
            now = model.moved(self._desk)
            if now != told:
                told = now
                for session in to:
                    session.put({"t": "moved", "v": now})

    async def _look_after(self) -> None:
        """Twice a second the state of the show, for everybody."""
        while True:
            await asyncio.sleep(health.EVERY_S)
            await self._picture_look()
            if self._stats is None:
                continue
            if self._ahead is not None and self._sessions:
                self._ahead.heard = lambda: self._in_loop(self._tell_thumbnails)
                await asyncio.get_running_loop().run_in_executor(None, self._ahead.begin)
            with contextlib.suppress(Exception):  # figures in the making are left for next time
                message = self._health.take(self._stats.snapshot(), self._about_panel())
                for session in self._sessions:
                    session.put(message)

    async def _picture_look(self) -> None:
        """A look that has been in the picture for a while gets its thumbnail."""
        name, shot = self._desk.preset.name, self.pictures.shot
        shown = bool(self._sessions) and shot is not None
        shown = shown and self._desk.get(f"{PREFIX}/mode") == "live"
        if not self._web.thumbnails.due(name, shown) or shot is None:
            return
        loop, take = asyncio.get_running_loop(), self._web.thumbnails.take
        if await loop.run_in_executor(self.pictures.encoder, take, name, shot.pixels):
            self._tell_thumbnails()

    def _tell_thumbnails(self) -> None:
        message = self._web.thumbnails_message()
        for session in self._sessions:
            session.put(message)

    def _looks_changed(self) -> None:
        if self._ahead is not None:
            self._ahead.again()

    def _about_panel(self) -> dict[str, Any]:
        ages = [1000 * one.age_s for one in self.pictures.viewers if one.drawn]
        garbage = self.garbage + sum(one.garbage for one in self._sessions)
        return {
            "nets": self._nets(),
            "panel": {
                "sockets": self._door.sockets,
                "refused": self._door.refused,
                "garbage": garbage,
                "picture_ms": round(max(ages, default=0.0), 1),
            },
        }

    def _changed(self) -> None:
        """Who is here or what may be chosen has changed: called from any thread."""
        self._in_loop(self._tell_people)

    def _in_loop(self, tell: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell)

    def _tell_cues(self) -> None:
        if self._cues is not None:
            for session in self._sessions:
                session.put(self._cues)

    def _tell_people(self) -> None:
        known = {one.id: one.role for one in self.roles.devices}
        for session in list(self._sessions):
            role = known.get(session.device.id) if session.device else session.role
            if role != session.role:  # it comes again as what it is now
                session.end(CHANGED if role else UNPAIRED)
                continue
            session.put(self._people(session))
            session.put({"t": "eight", "names": self._eight.names})

    def _people(self, session: Session) -> dict[str, Any]:
        """Who looks; the operator also sees the code and what can be taken back."""
        names = [[one.name, one.role] for one in self._sessions]
        said: dict[str, Any] = {"t": "people", "here": names}
        if session.device is None:
            said["devices"] = [[one.id, one.name, one.role] for one in self.roles.devices]
            said["lan"] = self.lan_url
            said["code"] = self.roles.code if self.lan_url else None
        return said


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the port, or at one of those after it. Raises `KfxError`."""
    ports = range(port, min(port + TRIES, 65536))
    for candidate in ports:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would let two shows share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, candidate))
        except OSError:
            made.close()
            continue
        return made
    raise KfxError(
        f"panel: ports {port} to {ports[-1]} of {host} can't be used; use --panel [HOST:]PORT"
    )


def own_address() -> str:
    """This machine's address in its network; asks the routing table and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
            return str(asking.getsockname()[0])
        except OSError:
            return "127.0.0.1"
