"""Turns away whoever shouldn't come in, before any page or socket hears of them.

Names that an attacker can point at this machine (DNS rebinding) and pages of other sites are
refused; nothing is shared with other origins; a page of kfx runs no script but its own.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from kfx.panel.roles import Device, Role, Roles

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "kfx_viewer"
MOST_SOCKETS = 64  # control and picture sockets together
_HEADERS = {
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'sha256-{style}'; img-src 'self' blob:; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Door:
    """ASGI middleware in front of the panel. `refused` counts those who weren't let in."""

    def __init__(
        self, app: App, *, loopback_only: bool, roles: Roles, style_hash: str = ""
    ) -> None:
        self._app, self._loopback_only, self._roles = app, loopback_only, roles
        self._style_hash = style_hash
        self.refused = 0
        self.sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not self._welcome(headers, scope):
            self.refused += 1
            await _refuse(scope, send, 403)
            return
        role, device = self._role(headers, scope)
        scope["state"] = {**scope.get("state", {}), "role": role, "device": device}
        if scope["type"] == "http":
            await self._app(scope, receive, self._with_headers(send, headers["host"]))
            return
        if self.sockets >= MOST_SOCKETS:
            self.refused += 1
            await _refuse(scope, send, 503)
            return
        self.sockets += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.sockets -= 1

    def _welcome(self, headers: dict[str, str], scope: Scope) -> bool:
        host = headers.get("host", "")
        if not self._our_name(host, scope):
            return False
        if headers.get("origin") not in (None, f"http://{host}"):
            return False
        # A link or a bookmark may open the page; nothing else may be asked for from elsewhere.
        elsewhere = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
        return not elsewhere or (scope["type"] == "http" and scope["path"] == "/")

    def _our_name(self, host: str, scope: Scope) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name in ("127.0.0.1", "localhost", "[::1]"):
            return True
        if self._loopback_only:
            return False
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name.strip("[]"))
            return True  # an address can't be pointed elsewhere
        return name.lower().removesuffix(".local") == socket.gethostname().lower()

    def _role(self, headers: dict[str, str], scope: Scope) -> tuple[Role | None, Device | None]:
        """The operator sits at this machine; others are what their token says."""
        client = scope.get("client")
        with contextlib.suppress(ValueError):
            if client and ipaddress.ip_address(client[0]).is_loopback:
                return "operator", None
        device = self._roles.device(_cookie(headers.get("cookie", "")))
        return (device.role, device) if device else (None, None)

    def _with_headers(self, send: Send, host: str) -> Send:
        policy = _POLICY.format(host=host, style=self._style_hash)
        own = {**_HEADERS, "content-security-policy": policy}

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in own.items()]
                new = [one for one in more if one[0] not in given]
                message["headers"] = [*message["headers"], *new]
            await send(message)

        return sent


def _cookie(text: str) -> str | None:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), None)


async def _refuse(scope: Scope, send: Send, status: int) -> None:
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    body = b"refused\n"
    length = str(len(body)).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
