"""A small HTTP server for pictures and commands, closed to everybody but this machine.

It is bound to the loopback address unless a spec asks for another one by ``?host=``. Requests
under another host's name (DNS rebinding) or from another site's page are refused: unreleased
pictures stay where they are, and no web page may press a button.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kfx.errors import KfxError, UsageError
from kfx.sinks.newest import Newest

LOOPBACK = "127.0.0.1"
TRIES = 20  # ports after the wanted one
_BOUNDARY = "kfx-picture"


def parse(
    spec: str, kind: str, default_port: int, switches: tuple[str, ...] = ()
) -> tuple[str, int, set[str]]:
    """Host, port and the `switches` that are on in ``kind[:PORT][?host=ADDRESS&switch=1]``.

    Raises `UsageError`.
    """
    text, _, query = spec.partition(":")[2].partition("?")
    if "?" in spec and ":" not in spec.partition("?")[0]:
        text, query = "", spec.partition("?")[2]
    if text and not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise UsageError(f"{spec}: {text!r} is no port; write {kind}:{default_port}")
    host, on = LOOPBACK, set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in switches and value in ("0", "1"):
            on |= {name} if value == "1" else set()
            continue
        if name != "host":
            takes = ", ".join(("host=ADDRESS", *(f"{switch}=1" for switch in switches)))
            raise UsageError(f"{spec}: unknown option {name}={value}; {kind} takes {takes}")
        try:
            host = str(ipaddress.IPv4Address(value))
        except ValueError:
            raise UsageError(
                f"{spec}: host: {value!r} is no IPv4 address; {LOOPBACK} is this machine alone, "
                "0.0.0.0 every network it is in"
            ) from None
    return host, int(text or default_port), on


class Server(ThreadingHTTPServer):
    """Answers with `handler` in a thread of its own until `close`.

    Raises `KfxError` if the wanted port and the `TRIES` after it are taken.
    """

    daemon_threads = False  # so that server_close waits for them
    allow_reuse_address = sys.platform != "win32"  # there it would let two shows share a port

    def __init__(self, kind: str, host: str, port: int, handler: type[Handler], sink: Any) -> None:
        self.sink = sink
        self.host = host
        ports = range(port, min(port + TRIES, 65536))
        for candidate in ports:
            with contextlib.suppress(OSError):
                super().__init__((host, candidate), handler)
                break
        else:
            raise KfxError(
                f"{kind}: ports {port} to {ports[-1]} of {host} can't be used; use {kind}:PORT"
            )
        self.port: int = self.server_address[1]
        self.url = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{self.port}/"
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.1,), name=f"kfx-{kind}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering and wait for the handlers, which see that their sink is closed."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that leaves in mid-picture is no error."""


class Handler(BaseHTTPRequestHandler):
    """What every page needs; a sink's handler adds `get` and `post`."""

    timeout = 2.0  # seconds a silent or stuck viewer may hold its thread
    server: Server

    def get(self, path: str, query: dict[str, str]) -> None:
        self.send_error(404)

    def post(self, path: str, query: dict[str, str]) -> None:
        self.send_error(404)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if self._welcome(page=url.path == "/"):
            self.get(url.path, dict(parse_qsl(url.query, keep_blank_values=True)))

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        if not ipaddress.ip_address(self.client_address[0]).is_loopback:
            self.send_error(403)  # other machines may look, and press nothing
        elif self._welcome(page=False):
            self.post(url.path, dict(parse_qsl(url.query, keep_blank_values=True)))

    def _welcome(self, *, page: bool) -> bool:
        name = self.headers.get("Host") or ""
        host = name.rpartition(":")[0] or name
        same = self.headers.get("Origin") in (None, f"http://{name}")
        site = self.headers.get("Sec-Fetch-Site") or "none"
        if not self._our_name(host) or not same or (site == "cross-site" and not page):
            self.send_error(403)
            return False
        return True

    def _our_name(self, host: str) -> bool:
        """Whether `host` names this server. A name an attacker may point here does not."""
        if host in (LOOPBACK, "localhost"):
            return True
        if self.server.host == LOOPBACK:
            return False
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_address(host))  # an address can't be rebound
        return host.lower().removesuffix(".local") == socket.gethostname().lower()

    def head(self, kind: str, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)

    def answer(self, kind: str, body: bytes, **headers: str) -> None:
        self.head(kind, Content_Length=str(len(body)), **headers)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, newest: Newest) -> None:
        """MJPEG: every new picture, none twice but once a second, until either side leaves."""
        self.no_delay()
        self.head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        with newest.watched():
            seen = 0
            while not newest.closed:
                if body := newest.jpeg():
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    self.wfile.write(f"{head}{len(body)}\r\n\r\n".encode() + body + b"\r\n")
                seen = newest.wait(seen)

    def no_delay(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *arguments: object) -> None:
        """The terminal belongs to the command."""
