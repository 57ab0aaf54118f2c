"""NUT over TCP to any number of readers, each of them served from its first byte on."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading

import av

from kfx.errors import KfxError
from kfx.sinks.newest import Newest
from kfx.sinks.stream_encoder import Encoder
from kfx.sinks.stream_roads import TIMEOUT_S, Tcp
from kfx.sinks.stream_url import Address
from kfx.types import Shot, StreamInfo

_LOST = (OSError, av.FFmpegError)


class NutServer:
    """Listens at `address`; each reader has a thread and a container of its own.

    Every picture stands alone, so a slow reader skips some and never lags behind. Raises
    `KfxError` if it can't listen there.
    """

    def __init__(self, address: Address, stream: StreamInfo) -> None:
        self.warnings: list[str] = []
        self._address, self._stream = address, stream
        self._newest = Newest()
        self._threads: list[threading.Thread] = []
        try:
            v6 = ":" in address.host and bool(ipaddress.IPv6Address(address.host))
            family = socket.AF_INET6 if v6 else socket.AF_INET
            self._door = socket.create_server((address.host, address.port or 0), family=family)
        except (OSError, ValueError) as error:
            raise KfxError(
                f"{address.place}: can't listen there ({error}); use another port or address"
            ) from None
        self._door.settimeout(0.1)
        self._thread = threading.Thread(target=self._listen, name="kfx-nut", daemon=True)
        self._thread.start()

    @property
    def readers(self) -> int:
        return self._newest.viewers

    def write(self, shot: Shot) -> None:
        """Make this the newest picture."""
        self._newest.put(shot)

    def _listen(self) -> None:
        while not self._newest.closed:
            with contextlib.suppress(TimeoutError, ConnectionError):
                link = self._door.accept()[0]
                reader = threading.Thread(
                    target=self._serve, args=(link,), name="kfx-nut-reader", daemon=True
                )
                self._threads = [t for t in self._threads if t.is_alive()] + [reader]
                reader.start()

    def _serve(self, link: socket.socket) -> None:
        options, newest = self._address.options, self._newest
        codec = options.get("codec", "raw")
        with contextlib.suppress(*_LOST), contextlib.closing(Tcp(link)) as road:
            encoder = Encoder(road, "nut", self._stream, options, codec=codec, buffer_size=1 << 20)
            try:
                with newest.watched():
                    seen = 0
                    while not newest.closed:
                        if shot := newest.shot:
                            encoder.put(shot.pixels, shot.tick.time)
                        seen = newest.wait(seen)
            finally:
                with contextlib.suppress(*_LOST):
                    encoder.close()

    def close(self) -> None:
        """End every reader's stream. May be called twice."""
        if not self._newest.closed:
            self._newest.close()
            self._thread.join()
            self._door.close()
            for thread in self._threads:
                thread.join(2 * TIMEOUT_S)

    abort = close

    def __enter__(self) -> NutServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
