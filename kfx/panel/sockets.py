"""uvicorn's protocols with a limit on how fast anybody comes in and how long they may idle."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from kfx import clock
from kfx.panel.limits import Bucket
from kfx.panel.messages import MOST_LETTERS

RATE, BURST = 20.0, 80.0  # connections a second from this machine, and from all others together
FIRST_S = 10.0  # for the first request
LINGER_S = 2.0  # for a closing socket to flush what a slow reader hasn't taken
MOST = 256  # connections


class WebSockets(WebSocketsSansIOProtocol):
    """A reader that takes nothing would keep its socket and what waits in it for ever."""

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(LINGER_S, self.transport.abort)


def config(app: Any) -> uvicorn.Config:
    """How the panel is served: small messages, nothing on the terminal, no trust in headers."""
    now = clock.now()
    # The operator comes in while the network is flooded.
    buckets = {here: Bucket(RATE, BURST, now) for here in (True, False)}

    class Http(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if buckets[_is_here(transport)].wait_s(clock.now(), keep=False):
                transport.abort()  # cheaper than any answer
                return
            self.loop.call_later(FIRST_S, self._hurry)

        def _hurry(self) -> None:
            if self.cycle is None and self.transport.get_protocol() is self:
                self.transport.abort()

    return uvicorn.Config(
        app,
        loop="asyncio",
        http=Http,
        ws=WebSockets,
        ws_max_size=4 * MOST_LETTERS,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        ws_per_message_deflate=False,
        proxy_headers=False,  # whoever sits at this machine isn't found by what a header says
        server_header=False,
        access_log=False,
        log_config=None,
        limit_concurrency=MOST,
        backlog=64,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )


def _is_here(transport: Any) -> bool:
    client = get_remote_addr(transport)
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
