"""Talks to a running show over OSCQuery, as `kfx ctl` does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any
from urllib.parse import quote

from kfx.errors import KfxError, UsageError
from kfx.sync import osc_packet
from kfx.sync.controls import PREFIX
from kfx.sync.oscquery_tree import NORM

PORT = 9600  # where kfx live listens unless told otherwise
TIMEOUT_S = 5.0


class Client:
    """``with Client("127.0.0.1", 9600) as show: show.set("/kfx/v1/film/grain", 0.1)``.

    Raises `KfxError` where nothing runs or something else answers.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        self._place = f"{host}:{port}"
        self._socket: Any = None
        self._open = ExitStack()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def node(self, address: str = PREFIX) -> dict[str, Any]:
        """The part of the tree below an address. Raises `UsageError` where there is none."""
        url = f"http://{self._place}{quote(address)}"
        try:
            # No proxy stands between this machine and its own show.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(url, timeout=TIMEOUT_S) as answer:
                found = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                text = f"{address}: there is no such address; see: kfx ctl list"
                raise UsageError(text) from None
            raise KfxError(f"{self._place}: answers {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            raise self._nobody(error) from None
        if not isinstance(found, dict):
            raise self._nobody("that is no OSCQuery server")
        return found

    def methods(self, address: str = PREFIX) -> list[dict[str, Any]]:
        """All parameters at or below an address, in their order; ``…/norm`` is none of its own."""
        found: list[dict[str, Any]] = []
        waiting = [self.node(address)]
        while waiting:
            node = waiting.pop(0)
            if "TYPE" in node and node.get("TAGS") != [NORM]:
                found.append(node)
            waiting = [*node.get("CONTENTS", {}).values(), *waiting]
        return found

    def set(self, address: str, value: Any = True) -> None:
        """Set a value or fire an event; returns once it is done. Raises `UsageError` if refused."""
        self._send({"COMMAND": "SET", "DATA": {"PATH": address, "VALUE": value}})
        while True:
            said = self._receive(TIMEOUT_S)
            if not isinstance(said, str):
                continue
            reply = json.loads(said)
            if reply.get("COMMAND") == "SET_REFUSED":
                raise UsageError(str(reply["DATA"]["ERROR"]))
            if reply.get("COMMAND") == "SET_DONE":
                return

    def watch(self, address: str = PREFIX) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Address and values of each change at or below an address, until the show ends."""
        self._send({"COMMAND": "LISTEN", "DATA": address})
        while True:
            said = self._receive(None)
            if said is None:
                return
            if isinstance(said, bytes):
                yield from osc_packet.read(said)
            elif json.loads(said).get("COMMAND") == "PATH_CHANGED":
                yield f"{PREFIX}/chain", ()

    def _send(self, message: dict[str, Any]) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            if self._socket is None:
                connection = connect(
                    f"ws://{self._place}",
                    open_timeout=TIMEOUT_S,
                    close_timeout=1.0,
                    proxy=None,
                    compression=None,
                )
                self._socket = self._open.enter_context(connection)
            self._socket.send(json.dumps(message))
        except (OSError, WebSocketException) as error:
            raise self._nobody(error) from None

    def _receive(self, timeout_s: float | None) -> str | bytes | None:
        from websockets.exceptions import ConnectionClosed

        try:
            return self._socket.recv(timeout=timeout_s)  # type: ignore[no-any-return]
        except (TimeoutError, ConnectionClosed) as error:
            if timeout_s is None:
                return None
            raise self._nobody(error) from None

    def _nobody(self, why: object) -> KfxError:
        reason = getattr(why, "reason", why)
        said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return KfxError(
            f"{self._place}: no kfx answers there ({said}); start kfx live, or name its "
            "place by --host and --port"
        )
