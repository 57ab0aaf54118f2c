"""A transport by OSC: a player, DAW or show controller tells where it is."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from kfx import clock
from kfx.errors import KfxError
from kfx.sync.follow import Fix
from kfx.sync.song import Unit

PREFIX = "/kfx/v1/transport/"
ADDRESSES = {  # below PREFIX: what it does
    "time": "f: the song is at this second, playing on",
    "play": "[f]: go on from here, or from this second",
    "stop": "stand still",
    "rate": "f: speed, 1 is normal",
}
MAX_S = 86400.0
LOCATE_S = 0.25  # a `time` farther off is a locate; nearer it is one of a stream, with its jitter


class OscTransport:
    """A source that OSC messages move; between them the song goes on at the last rate.

    `message` may be called from any thread, by whoever receives OSC.
    """

    name = "osc"
    unit: Unit = "seconds"
    free_run_s = math.inf

    def __init__(self, *, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._at, self._value, self._rate, self._playing = 0.0, 0.0, 1.0, False
        self._fixes: list[Fix] = []
        self._lock = threading.Lock()
        self._close: Callable[[], None] | None = None

    def message(self, address: str, values: tuple[Any, ...], at: float) -> bool:
        """Take a message that came at `at`; False for an address or values it doesn't know."""
        name = address.removeprefix(PREFIX)
        number = _number(values)
        with self._lock:
            if name == "time" and number is not None:
                value = number - self._offset_s
                self._move(value, True, at, seek=abs(value - self._now(at)) > LOCATE_S)
            elif name == "play" and (number is not None or not values):
                value = self._now(at) if number is None else number - self._offset_s
                self._move(value, True, at)
            elif name == "stop":
                self._move(self._now(at), False, at)
            elif name == "rate" and number is not None and abs(number) <= 8:
                value = self._now(at)
                self._rate = number
                self._move(value, self._playing, at)
            else:
                return False
        return True

    def read(self, at: float) -> list[Fix]:
        with self._lock:
            fixes, self._fixes = self._fixes, []
        return fixes

    def close(self) -> None:
        if self._close:
            self._close()
            self._close = None

    def listen(self, port: int, host: str = "127.0.0.1") -> None:
        """Receive by UDP in a thread. Raises `KfxError` if the port is taken."""
        from pythonosc.dispatcher import Dispatcher
        from pythonosc.osc_server import ThreadingOSCUDPServer

        dispatcher = Dispatcher()
        dispatcher.set_default_handler(
            lambda address, *values: self.message(address, values, clock.now())
        )
        try:
            server = ThreadingOSCUDPServer((host, port), dispatcher)
        except OSError as error:
            raise KfxError(
                f"osc:{port}: the port can't be opened ({error.strerror}); use another one"
            ) from None
        thread = threading.Thread(target=server.serve_forever, name="kfx-transport", daemon=True)
        thread.start()

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._close = close

    def _now(self, at: float) -> float:
        return self._value + (self._rate * (at - self._at) if self._playing else 0.0)

    def _move(self, value: float, playing: bool, at: float, *, seek: bool = True) -> None:
        self._at, self._value, self._playing = at, value, playing
        self._fixes.append(Fix(at, value, self._rate if playing else 0.0, seek))


def _number(values: tuple[Any, ...]) -> float | None:
    """The one sensible number in the values."""
    if len(values) != 1 or isinstance(values[0], bool) or not isinstance(values[0], int | float):
        return None
    number = float(values[0])
    return number if math.isfinite(number) and abs(number) <= MAX_S else None
