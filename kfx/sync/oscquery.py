"""OSCQuery: the tree over HTTP, changes over a WebSocket, in a thread of its own.

Beside the protocol's own commands a WebSocket takes ``{"COMMAND": "SET", "DATA": {"PATH": …,
"VALUE": …}}`` and answers with ``SET_DONE`` or, in words, with ``SET_REFUSED``: a datagram can't.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from kfx.errors import KfxError
from kfx.sync import osc_packet, oscquery_tree
from kfx.sync.controls import PREFIX, AllowList, Controls
from kfx.sync.osc_in import LOOPBACK, Inbox

MOST_CLIENTS = 64
MOST_BYTES = 1 << 16  # of a message from a client
MOST_LISTENED = 4096  # paths of one client
MOST_UNSENT = 1000  # messages; a client that reads slower is let go
_ANSWER_S = 5.0


@dataclass
class _Client:
    listens: set[str] = field(default_factory=set)
    unsent: set[Any] = field(default_factory=set)


class OscQuery:
    """Serves the tree of `controls` on TCP `host`:`port`; the OSC port has the same number.

    Raises `KfxError` where the port can't be had. Web pages of other origins and other names of
    this machine are refused, so no page of the internet can reach a show.
    """

    def __init__(
        self,
        controls: Controls,
        inbox: Inbox,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        allow: AllowList | None = None,
        name: str = "kfx",
    ) -> None:
        self._controls, self._inbox, self._allow = controls, inbox, allow or AllowList()
        self.host, self.port, self.name = host, port, name
        self._clients: dict[Any, _Client] = {}
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="kfx-oscquery", daemon=True
        )
        self._thread.start()
        try:
            self.port = started.result()
        except OSError as error:
            self._thread.join()
            raise KfxError(
                f"oscquery {host}:{port}: can't be opened ({error.strerror or error}); "
                "use another --osc-in PORT"
            ) from None
        self._end: Callable[[], None] = controls.subscribe(self._heard)

    def close(self) -> None:
        self._end()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping)
        self._thread.join(_ANSWER_S)

    # In the server's thread.

    def _run(self, started: Future[int]) -> None:
        try:
            self._loop.run_until_complete(self._serve(started))
        except OSError as error:
            started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, started: Future[int]) -> None:
        from websockets.asyncio.server import serve

        self._stop = asyncio.Event()
        server = serve(
            self._talk,
            self.host,
            self.port,
            process_request=self._answer,
            max_size=MOST_BYTES,
            compression=None,
            open_timeout=_ANSWER_S,
            close_timeout=1.0,
            ping_interval=20,
            server_header=None,
        )
        async with server as running:
            started.set_result(next(iter(running.sockets)).getsockname()[1])
            await self._stop.wait()

    def _stopping(self) -> None:
        if self._stop is not None:
            self._stop.set()

    async def _answer(self, connection: Any, request: Any) -> Any:
        """HTTP; None lets a WebSocket begin."""
        if not self._allow.welcomes(str(connection.remote_address[0])):
            self._inbox.counts.add("unwelcome")
            return _response(connection, HTTPStatus.FORBIDDEN, "this host is not allowed")
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        if not _ours(host) or origin not in (None, f"http://{host}"):
            return _response(connection, HTTPStatus.FORBIDDEN, "not from a web page")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if len(self._clients) >= MOST_CLIENTS:
                return _response(connection, HTTPStatus.SERVICE_UNAVAILABLE, "too many clients")
            return None
        if getattr(request, "method", "GET") not in ("GET", "HEAD"):
            return _response(connection, HTTPStatus.METHOD_NOT_ALLOWED, "the tree is only read")
        url = urlsplit(request.path)
        status, body = self.answer(unquote(url.path), url.query, host.rpartition(":")[0] or host)
        return _response(connection, status, json.dumps(body) if body is not None else "")

    def answer(self, path: str, query: str, ip: str = LOOPBACK) -> tuple[HTTPStatus, Any]:
        """Status and JSON for a GET."""
        if query.partition("=")[0] == "HOST_INFO":
            return HTTPStatus.OK, oscquery_tree.host_info(self.name, ip.strip("[]"), self.port)
        attribute = query.partition("&")[0].partition("=")[0]
        if attribute and attribute not in oscquery_tree.ATTRIBUTES:
            return HTTPStatus.BAD_REQUEST, {"error": f"no attribute {attribute[:40]}"}
        node = oscquery_tree.find(oscquery_tree.tree(self._controls.parameters()), path)
        if node is None:
            return HTTPStatus.NOT_FOUND, {"error": f"{path[:120]}: there is no such address"}
        if not attribute:
            return HTTPStatus.OK, node
        if attribute not in node:
            return HTTPStatus.NO_CONTENT, None
        return HTTPStatus.OK, {attribute: node[attribute]}

    async def _talk(self, client: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        by = f"osc {client.remote_address[0]}"
        self._clients[client] = _Client()
        try:
            async for message in client:
                if isinstance(message, bytes):
                    for one in self._inbox.packet(message, by):
                        await asyncio.to_thread(self._inbox.carry_out, one, by)
                elif (reply := await asyncio.to_thread(self._command, client, message)) is not None:
                    await client.send(json.dumps(reply))
        except ConnectionClosed:
            pass
        finally:
            del self._clients[client]

    def _command(self, client: Any, text: str) -> dict[str, Any] | None:
        try:
            said = json.loads(text)
            command, data = str(said["COMMAND"]), said.get("DATA")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._inbox.counts.add("malformed")
            return None
        listened = self._clients[client].listens
        if command == "LISTEN" and isinstance(data, str) and len(listened) < MOST_LISTENED:
            listened.add(data)
        elif command == "IGNORE" and isinstance(data, str):
            listened.discard(data)
        elif command == "SET" and isinstance(data, dict):
            return self._set(data, f"ctl {client.remote_address[0]}")
        else:
            self._inbox.counts.add("malformed")
        return None

    def _set(self, data: dict[str, Any], by: str) -> dict[str, Any]:
        path, value = str(data.get("PATH")), data.get("VALUE", True)
        try:
            self._controls.set(path, value, by)
        except Exception as error:  # whatever was sent, the server goes on
            self._inbox.counts.add("refused")
            said = str(error) if isinstance(error, KfxError) else repr(error)[:200]
            return {"COMMAND": "SET_REFUSED", "DATA": {"PATH": path, "ERROR": said}}
        self._inbox.counts.add("done")
        return {"COMMAND": "SET_DONE", "DATA": {"PATH": path}}

    # Changes; in the thread of the subscription.

    def _heard(self, change: Any) -> None:
        normalised = f"{change.address}/{oscquery_tree.NORM}"
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._spread, change.address, change.value)
            if not any(normalised in one.listens for one in list(self._clients.values())):
                return
            with contextlib.suppress(KfxError):  # it is gone by now
                place = self._controls.get(normalised)
                self._loop.call_soon_threadsafe(self._spread, normalised, place)

    def _spread(self, address: str, value: Any) -> None:
        if address == f"{PREFIX}/chain":
            text = json.dumps({"COMMAND": "PATH_CHANGED", "DATA": address})
            for client in list(self._clients):
                self._send(client, text)
            return
        packet = osc_packet.write(address, osc_packet.flat(value))
        for client, state in list(self._clients.items()):
            if address in state.listens or (
                not address.endswith(f"/{oscquery_tree.NORM}")  # only to whom it was asked by
                and any(_under(address, one) for one in list(state.listens))
            ):
                self._send(client, packet)

    def _send(self, client: Any, message: str | bytes) -> None:
        unsent = self._clients[client].unsent
        if len(unsent) >= MOST_UNSENT:
            self._inbox.counts.add("too slow")
            client.transport.abort()
            return
        task = self._loop.create_task(_sent(client, message))
        unsent.add(task)
        task.add_done_callback(unsent.discard)


async def _sent(client: Any, message: str | bytes) -> None:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed, OSError):
        await client.send(message)


def _under(address: str, path: str) -> bool:
    return address.startswith(path.rstrip("/") + "/")


def _ours(host: str) -> bool:
    """Whether a Host header is an address or this machine's own name: neither can be rebound."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name in ("localhost", ""):
        return name != ""
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name.strip("[]")))
    return name.endswith(".local")


def _response(connection: Any, status: HTTPStatus, body: str) -> Any:
    response = connection.respond(status, body)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
