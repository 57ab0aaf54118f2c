"""The fast road into OBS Studio on one machine: ``obs``, ``obs:8766``.

The OBS script ``integrations/obs/kfx_obs.py`` is the other end. It maps a ring of pictures in
memory, hears of each new one over a loopback connection and hands it to OBS: alpha is exact and
nothing is encoded. Without the script, a Media Source reads ``/stream`` (MJPEG, without alpha);
OBS needs

    input         http://127.0.0.1:8766/stream
    input format  mpjpeg
    FFmpeg options  use_wallclock_as_timestamps=1 fflags=nobuffer

since MJPEG carries no times and OBS would play it at 25 frames a second, ever later. Any number of
both may read at once; each finds the show again by itself. `obs_http` lists what it answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kfx.errors import KfxError
from kfx.sinks.local_http import Server, parse
from kfx.sinks.newest import Newest
from kfx.sinks.obs_http import ObsHandler
from kfx.sinks.obs_ring import HEADER, SLOTS, Ring
from kfx.types import Pixels, Shot, StreamInfo

DEFAULT_PORT = 8766

Command = Callable[[str, str], bool]
"""Takes ``("mode", "clean")`` or ``("preset", "supernova")``; whether it has done it."""


def open_sink(spec: str, stream: StreamInfo) -> ObsSink:
    """``obs``, ``obs:PORT``, each with ``?host=ADDRESS``."""
    host, port, _ = parse(spec, "obs", DEFAULT_PORT)
    return ObsSink(port, stream, host=host)


class ObsSink:
    """Serves every shot to the readers that are there.

    `on_command` may be set by whoever runs the show, to do for the whole show what OBS asks for.
    While nobody does, the modes act on this sink's own picture and presets can't be changed.
    `show_mode` may be set to tell the mode of the whole show, which other hands change as well.
    Raises `KfxError` if no port or no shared memory can be had.
    """

    def __init__(self, port: int, stream: StreamInfo, *, host: str = "127.0.0.1") -> None:
        self.warnings: list[str] = []
        self.size = stream.size
        self.newest = Newest()
        self.on_command: Command | None = None
        self.show_mode: Callable[[], str] | None = None
        self.mode = "live"
        self.preset = ""
        self.readers = 0  # of the ring
        self.number = 0  # of the newest picture in the ring; 0 before the first
        self._publishing = threading.Lock()
        self._held: Pixels | None = None
        self._server = Server("obs", host, port, ObsHandler, self)
        self.port, self.url = self._server.port, self._server.url
        if self.port != port:
            self.warnings.append(f"port {port} is taken: set {self.port} in OBS's kfx script")
        try:
            self._ring = Ring(self.port, self.size)
        except KfxError:
            self._server.close()
            raise

    def write(self, shot: Shot) -> None:
        """Show this one. Costs a copy while the script reads, next to nothing otherwise."""
        if pixels := self._other(shot):
            shot = Shot(pixels[0], shot.tick)
        if self.mode != "freeze":
            self._held = shot.pixels
        if self.readers:
            self._publish(shot.pixels)
        self.newest.put(shot)

    def _publish(self, pixels: Pixels) -> None:
        with self._publishing:
            self._ring.put(self.number + 1, pixels)
            self.number += 1

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a reader of the ring in; it finds the newest picture there."""
        with self._publishing:
            self.readers += 1
        try:
            if shot := self.newest.shot:
                self._publish(shot.pixels)
            yield
        finally:
            with self._publishing:
                self.readers -= 1

    def _other(self, shot: Shot) -> tuple[Pixels] | None:
        """What the mode puts in the finished picture's place."""
        match self.mode:
            case "clean" | "bypass":
                return (shot.tick.frame.pixels,)
            case "freeze" if self._held is not None:
                return (self._held,)
            case "black":
                black = np.zeros_like(shot.pixels)
                black[..., 3] = 255
                return (black,)
        return None

    def command(self, verb: str, value: str) -> bool:
        """Do what OBS asks for; False if nobody can. Values are checked before."""
        done = self.on_command is not None and self.on_command(verb, value)
        if verb == "mode" and not done:
            self.mode = value
            done = True
        if verb == "preset" and done:
            self.preset = value
        return done

    def layout(self) -> dict[str, Any]:
        """What a reader must know to map the ring."""
        width, height = self.size
        return {
            "ring": self._ring.name,
            "width": width,
            "height": height,
            "slots": SLOTS,
            "header": HEADER,
            "slot_bytes": self._ring.slot_bytes,
        }

    def state(self) -> dict[str, Any]:
        """For the script and for people who look."""
        return {
            "show": f"{id(self)}-{self.port}",
            "size": self.size,
            "fps": round(self.newest.fps(), 2),
            "mode": self.show_mode() if self.show_mode else self.mode,
            "readers": self.newest.viewers,
            "preset": self.preset,
        }

    def close(self) -> None:
        """Stop serving. May be called twice."""
        if not self.newest.closed:
            self.newest.close()
            self._server.close()
            self._ring.close()

    abort = close

    def __enter__(self) -> ObsSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
