"""One page's picture socket: pictures out as fast as the page draws them, what it wants in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.websockets import WebSocket

from kfx import clock
from kfx.panel.limits import Bucket
from kfx.panel.pictures import Pictures
from kfx.panel.viewer import Viewer

RATE, BURST = 200.0, 400.0  # messages a second
MOST_GARBAGE = 20


async def watch(
    socket: WebSocket, pictures: Pictures, send_s: float, still_in: Callable[[], bool]
) -> int:
    """Serve one viewer until it leaves; returns how many of its messages were none."""
    viewer = Viewer()
    pictures.viewers.add(viewer)
    reading = asyncio.ensure_future(_read(socket, pictures, viewer))
    sending = asyncio.ensure_future(_send(socket, pictures, viewer, send_s, still_in))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pictures.viewers.discard(viewer)
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)
    return reading.result() if not reading.cancelled() and not reading.exception() else 0


async def _send(
    socket: WebSocket,
    pictures: Pictures,
    viewer: Viewer,
    send_s: float,
    still_in: Callable[[], bool],
) -> None:
    while still_in():
        data = await pictures.next_for(viewer)
        await asyncio.wait_for(socket.send_bytes(data), send_s)


async def _read(socket: WebSocket, pictures: Pictures, viewer: Viewer) -> int:
    garbage = 0
    bucket = Bucket(RATE, BURST, clock.now())
    while garbage <= MOST_GARBAGE:
        event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            break
        if wait_s := bucket.wait_s(clock.now()):
            await asyncio.sleep(wait_s)
        if not understood(viewer, event.get("text")):
            garbage += 1
        pictures.room()
    return garbage


def understood(viewer: Viewer, text: str | None) -> bool:
    """Take what a page says: the number of a picture it has drawn, or what it wants to see."""
    try:
        said = json.loads(text or "")
    except (ValueError, RecursionError):
        return False
    if type(said) is int:
        viewer.acknowledged(said, clock.now())
        return True
    if not isinstance(said, dict):
        return False
    width = said.get("width")
    if type(width) is int and 1 <= width <= 8192:
        viewer.width = width
    for name in ("plate", "faces", "paused"):
        if isinstance(said.get(name), bool):
            setattr(viewer, name, said[name])
    return True
