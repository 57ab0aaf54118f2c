"""One page's control socket: its messages to the desk, the desk's changes to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from kfx import clock
from kfx.errors import KfxError
from kfx.panel.limits import Bucket
from kfx.panel.messages import Do, Message, Set, parse
from kfx.panel.roles import Device, Role

RATE, BURST = 120.0, 240.0  # messages a second; who sends more is read more slowly
MOST_GARBAGE = 20  # messages that are none, before the socket is closed
SEND_S = 5.0  # a page that takes nothing for so long is let go of
FIRST = ("hello", "tree")  # before values, which may be newer than the tree
UNPAIRED, CHANGED, TOO_MUCH = 4401, 4412, 4429  # close codes

Answer = Callable[["Session", Message], Awaitable[dict[str, Any] | None]]


class Session:
    """What is to be sent is kept by kind: a slow page misses values in between, never the last."""

    def __init__(self, socket: WebSocket, name: str, role: Role, device: Device | None) -> None:
        self.name, self.role, self.device = name, role, device
        self.garbage = 0
        self._socket = socket
        self._values: dict[str, list[Any]] = {}
        self._waiting: dict[str, dict[str, Any]] = {}  # newest of each kind
        self._answers: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._over: int | None = None

    def put(self, message: dict[str, Any]) -> None:
        """Send this when the page has room; it replaces one of its kind that still waits."""
        if message["t"] == "tree":
            self._values.clear()  # the tree has them
        self._waiting[message["t"]] = message
        self._news.set()

    def change(self, changes: list[list[Any]]) -> None:
        """Send values: ``[address, value, by]`` each."""
        for one in changes:
            self._values[one[0]] = one
        self._news.set()

    def end(self, code: int) -> None:
        """Close the socket with `code`."""
        self._over = code
        self._news.set()

    async def run(self, answer: Answer) -> None:
        """Until either side leaves."""
        reading = asyncio.ensure_future(self._read(answer))
        sending = asyncio.ensure_future(self._send())
        try:
            await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, sending):
                task.cancel()
            await asyncio.gather(reading, sending, return_exceptions=True)

    async def _read(self, answer: Answer) -> None:
        bucket = Bucket(RATE, BURST, clock.now())
        while True:
            event = await self._socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            if wait_s := bucket.wait_s(clock.now()):
                await asyncio.sleep(wait_s)
            try:
                message = parse(event.get("text"))
            except ValueError:
                self.garbage += 1
                if self.garbage > MOST_GARBAGE:
                    self.end(TOO_MUCH)
                continue
            try:
                said = await answer(self, message)
            except KfxError as error:
                said = {"t": "error", "text": str(error), **_about(message)}
            if said and len(self._answers) < 100:
                self._answers.append(said)
                self._news.set()

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._over is not None:
                await self._socket.close(self._over)
                return
            values = [{"t": "set", "c": list(self._values.values())}] if self._values else []
            first = [self._waiting.pop(kind) for kind in FIRST if kind in self._waiting]
            messages = [*first, *values, *self._waiting.values(), *self._answers]
            self._waiting, self._values, self._answers = {}, {}, []
            for message in messages:
                text = json.dumps(message, separators=(",", ":"), default=str)
                try:
                    await asyncio.wait_for(self._socket.send_text(text), SEND_S)
                except (TimeoutError, WebSocketDisconnect, RuntimeError):
                    return


def _about(message: Message) -> dict[str, str]:
    return {"a": message.address} if isinstance(message, Set) else {"what": message.what}


__all__ = ["Do", "Session", "Set"]
