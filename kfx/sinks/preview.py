"""The newest picture beside its plate, as a page on this machine: ``preview``, ``preview:8765``.

The page compares picture and plate of one and the same frame: a wipe to drag, a key to hold, both
side by side, 1:1 and full screen; it tries again by itself when the show stops and starts. Every
picture is asked for when the one before has been drawn, so a slow viewer sees a lower rate and
never an older picture. ``/stream`` is the picture as MJPEG for players. It is bound to the loopback
address; ``preview:8765?host=0.0.0.0`` shows it to the networks this machine is in, and
``preview?open=1`` opens the page in the browser.
"""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any

from kfx.sinks.local_http import Handler, Server, parse
from kfx.sinks.newest import Newest
from kfx.types import Shot, StreamInfo

DEFAULT_PORT = 8765
PAGE = Path(__file__).with_name("preview.html")


def open_sink(spec: str, stream: StreamInfo) -> PreviewSink:
    """``preview``, ``preview:PORT``, each with ``?host=ADDRESS&open=1``."""
    host, port, on = parse(spec, "preview", DEFAULT_PORT, ("open",))
    sink = PreviewSink(port, stream, host=host)
    if "open" in on:
        webbrowser.open(sink.url)
    return sink


class PreviewSink:
    """Serves the newest shot at `url`. Pictures are encoded only while somebody watches.

    Raises `KfxError` if the wanted port and those after it are taken.
    """

    def __init__(self, port: int, stream: StreamInfo, *, host: str = "127.0.0.1") -> None:
        self.warnings: list[str] = []
        self.size = stream.size
        self.newest = Newest()
        self._page = PAGE.read_bytes()
        self._server = Server("preview", host, port, _Handler, self)
        self.port, self.url = self._server.port, self._server.url

    @property
    def viewers(self) -> int:
        return self.newest.viewers

    def write(self, shot: Shot) -> None:
        """Make this the newest shot."""
        self.newest.put(shot)

    def state(self) -> dict[str, Any]:
        """What the page shows: a name for this show, its size and its rate."""
        return {"show": f"{id(self)}-{self.port}", "size": self.size, "fps": self.newest.fps()}

    def close(self) -> None:
        """Stop serving. May be called twice."""
        if not self.newest.closed:
            self.newest.close()
            self._server.close()

    abort = close

    def __enter__(self) -> PreviewSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Handler(Handler):
    protocol_version = "HTTP/1.1"  # the page asks for every picture over one connection

    def get(self, path: str, query: dict[str, str]) -> None:
        sink: PreviewSink = self.server.sink
        match path:
            case "/":
                self.answer("text/html; charset=utf-8", sink._page)
            case "/state":
                self.answer("application/json", json.dumps(sink.state()).encode())
            case "/picture":
                self._picture(sink, query)
            case "/stream":
                self.close_connection = True
                self.stream(sink.newest)
            case _:
                self.send_error(404)

    def _picture(self, sink: PreviewSink, query: dict[str, str]) -> None:
        """The first shot after number `after`, with its plate behind it if ``plate=1``."""
        self.no_delay()
        after = query.get("after", "0")
        newest = sink.newest
        with newest.watched():
            newest.wait(int(after) if after.isdecimal() else 0)
            count, jpegs = newest.pair(plates=query.get("plate") == "1")
        if newest.closed:
            self.close_connection = True
        lengths = ",".join(str(len(jpeg)) for jpeg in jpegs)
        self.answer(
            "application/octet-stream",
            b"".join(jpegs),
            X_Kfx_Count=str(count),
            X_Kfx_Lengths=lengths,
        )
