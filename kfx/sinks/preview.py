"""The newest picture as a page on this machine: ``preview``, ``preview:8765``.

The page shows an MJPEG stream and tries again by itself when the show stops and starts. It is
bound to the loopback address, and requests under another host's name or from another site's
page are refused: unreleased pictures stay on the machine.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.types import Shot, StreamInfo

DEFAULT_PORT = 8765
TRIES = 20  # ports after the wanted one
QUALITY = 85
_REPEAT_S = 1.0  # an unchanged picture is sent again: only so is a closed tab noticed
_BOUNDARY = "kfx-picture"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>kfx preview</title>
<style>
html, body { margin: 0; height: 100%; background: #0b0b0d; overflow: hidden }
img { width: 100vw; height: 100vh; object-fit: contain; display: block }
p { position: fixed; left: 12px; bottom: 10px; margin: 0; padding: 2px 8px; border-radius: 4px;
    font: 13px/1.5 ui-monospace, monospace; color: #9a9aa2; background: #0b0b0dcc }
</style>
<img id="picture" alt=""><p id="state">connecting …</p>
<script>
const picture = document.getElementById("picture"), state = document.getElementById("state");
let show = null;
async function look() {
  try {
    const answer = await fetch("/state", {cache: "no-store"});
    const now = await answer.json();
    if (now.show !== show) { show = now.show; picture.src = "/stream?" + show; }
    state.textContent = `${now.size[0]}×${now.size[1]}  ${now.fps.toFixed(1)} fps`;
  } catch (error) { show = null; state.textContent = "waiting for kfx …"; }
  setTimeout(look, 1000);
}
picture.onerror = () => { show = null; };
look();
</script></html>
"""


def open_sink(spec: str, stream: StreamInfo) -> PreviewSink:
    """``preview`` or ``preview:PORT``."""
    text = spec.partition(":")[2]
    if text and not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise UsageError(f"{spec}: {text!r} is no port; write preview:{DEFAULT_PORT}")
    return PreviewSink(int(text or DEFAULT_PORT), stream)


class PreviewSink:
    """Serves the newest shot at `url`. Pictures are encoded only while somebody watches.

    Raises `KfxError` if the wanted port and the `TRIES` after it are taken.
    """

    def __init__(self, port: int, stream: StreamInfo) -> None:
        self.warnings: list[str] = []
        self.size = stream.size
        self.closed = False
        self.viewers = 0
        self._shot: Shot | None = None
        self._count = 0
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._rate = (clock.now(), 0, 0.0)  # measured at, count then, frames a second
        self._server = _listen(port, self)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="kfx-preview", daemon=True
        )
        self._thread.start()

    def write(self, shot: Shot) -> None:
        """Make this the newest shot."""
        self._shot = shot
        self._count += 1
        if self.viewers:
            with self._changed:
                self._changed.notify_all()

    def watch(self, change: int) -> None:
        """Count a viewer in or out."""
        with self._changed:
            self.viewers += change

    def wait(self, after: int) -> int:
        """The count of the newest shot once it differs from `after`, or after a second."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != after or self.closed, _REPEAT_S)
        return self._count

    def jpeg(self) -> bytes:
        """The newest shot as JPEG, encoded once however many watch; empty before the first."""
        import cv2

        with self._encoding:
            count, shot = self._count, self._shot
            if shot is not None and self._jpeg[0] != count:
                pixels = np.ascontiguousarray(shot.pixels)
                bgr = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGR)
                _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
                self._jpeg = (count, data.tobytes())
            return self._jpeg[1]

    def state(self) -> dict[str, Any]:
        """What the page shows: a name for this show, its size and its rate."""
        then, count, fps = self._rate
        elapsed = clock.now() - then
        if elapsed > 0.5:
            fps = (self._count - count) / elapsed
            self._rate = (then + elapsed, self._count, fps)
        return {"show": f"{id(self)}-{self.port}", "size": self.size, "fps": fps}

    def close(self) -> None:
        """Stop serving. May be called twice."""
        if self.closed:
            return
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for the handlers, and they see `closed`
        self._shot = None

    abort = close

    def __enter__(self) -> PreviewSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    allow_reuse_address = sys.platform != "win32"  # there it would let two shows share a port
    sink: PreviewSink

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that leaves in mid-picture is no error."""


def _listen(port: int, sink: PreviewSink) -> _Server:
    ports = range(port, min(port + TRIES, 65536))
    for candidate in ports:
        with contextlib.suppress(OSError):
            server = _Server(("127.0.0.1", candidate), _Handler)
            server.sink = sink
            return server
    raise KfxError(f"preview: ports {port} to {ports[-1]} can't be used; use preview:PORT")


class _Handler(BaseHTTPRequestHandler):
    timeout = 2.0  # seconds a silent or stuck viewer may hold its thread
    server: _Server

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if host not in ("127.0.0.1", "localhost"):  # another name for this address: DNS rebinding
            self.send_error(403)
            return
        if self.headers.get("Sec-Fetch-Site") == "cross-site" and self.path != "/":
            self.send_error(403)
            return
        match self.path.partition("?")[0]:
            case "/":
                self._send("text/html; charset=utf-8", PAGE.encode())
            case "/state":
                self._send("application/json", json.dumps(self.server.sink.state()).encode())
            case "/stream":
                self._stream()
            case _:
                self.send_error(404)

    def _head(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")

    def _send(self, kind: str, body: bytes) -> None:
        self._head(kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        sink = self.server.sink
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        sink.watch(+1)
        try:
            seen = 0
            while not sink.closed:
                if body := sink.jpeg():
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    self.wfile.write(f"{head}{len(body)}\r\n\r\n".encode() + body + b"\r\n")
                seen = sink.wait(seen)
        finally:
            sink.watch(-1)

    def log_message(self, format: str, *arguments: object) -> None:
        """The terminal belongs to the command."""
