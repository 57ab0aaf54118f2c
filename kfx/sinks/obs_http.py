"""What the OBS sink answers over HTTP, for its script, for Media Sources and for people.

    GET  /frames         what to map, as a line of JSON, then a line ``number slot`` a picture
    GET  /stream         MJPEG
    GET  /state          JSON: show, size, fps, mode, readers, preset
    GET  /presets        JSON: names that come with kfx

and from this machine alone, whatever ``?host=`` says:

    POST /mode?set=MODE  live, clean (panic), bypass, freeze or black, from the next picture on
    POST /panic          the same as set=clean
    POST /preset?name=N  409 where nobody has offered to change presets
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kfx import assets
from kfx.sinks.local_http import Handler
from kfx.sinks.obs_ring import SLOTS

if TYPE_CHECKING:
    from kfx.sinks.obs import ObsSink

MODES = ("live", "clean", "bypass", "freeze", "black")


class ObsHandler(Handler):
    """Answers for an `ObsSink`."""

    def get(self, path: str, query: dict[str, str]) -> None:
        sink: ObsSink = self.server.sink
        match path:
            case "/frames":
                self._frames(sink)
            case "/stream":
                self.stream(sink.newest)
            case "/" | "/state":
                self.answer("application/json", json.dumps(sink.state()).encode())
            case "/presets":
                names = assets.names("presets", ".toml")
                self.answer("application/json", json.dumps(names).encode())
            case _:
                self.send_error(404)

    def post(self, path: str, query: dict[str, str]) -> None:
        sink: ObsSink = self.server.sink
        match path, query:
            case "/panic", {}:
                done = sink.command("mode", "clean")
            case "/mode", {"set": mode} if mode in MODES:
                done = sink.command("mode", mode)
            case "/preset", {"name": name} if name:
                done = sink.command("preset", name)
            case "/mode" | "/preset", _:
                self.send_error(400)
                return
            case _:
                self.send_error(404)
                return
        if done:
            self.answer("application/json", json.dumps(sink.state()).encode())
        else:
            self.send_error(409)

    def _frames(self, sink: ObsSink) -> None:
        self.no_delay()
        self.head("text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(json.dumps(sink.layout()).encode() + b"\n")
        newest = sink.newest
        with newest.watched(), sink.reading():
            seen = newest.count
            while not newest.closed:
                self.wfile.write(f"{sink.number} {sink.number % SLOTS}\n".encode())
                seen = newest.wait(seen)
