"""A MIDI port that carries timecode or clock: the device's thread hands bytes to a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from kfx import clock
from kfx.errors import KfxError
from kfx.sync.follow import FREE_RUN_S, Fix
from kfx.sync.song import Unit

OWN = "virtual"
REMEDY = "`kfx list devices` names them; `virtual` makes a port of kfx's own to send to"


class Reader(Protocol):
    def message(self, data: bytes, at: float) -> Fix | None: ...


def ports() -> list[str]:
    """The names of the MIDI inputs of this machine. Raises `KfxError` without MIDI."""
    import mido

    try:
        return list(dict.fromkeys(mido.get_input_names()))
    except (ImportError, OSError, RuntimeError) as error:
        raise KfxError(f"MIDI: can't be used here ({_said(error)}); {_no_midi()}") from None


class MidiIn:
    """A source that reads the port called `port`, or the only one, or a part of one's name."""

    free_run_s = FREE_RUN_S

    def __init__(self, name: str, port: str, reader: Reader, unit: Unit) -> None:
        self.name, self.unit = name, unit
        self._reader = reader
        self._fixes: list[Fix] = []
        self._lock = threading.Lock()
        self._port = open_port(name, port, self._take)

    def read(self, at: float) -> list[Fix]:
        with self._lock:
            fixes, self._fixes = self._fixes, []
        return fixes

    def close(self) -> None:
        self._port.close()

    def _take(self, message: Any) -> None:
        at = clock.now()
        fix = self._reader.message(bytes(message.bytes()), at)
        if fix is not None:
            with self._lock:
                self._fixes.append(fix)


def open_port(name: str, port: str, take: Callable[[Any], None]) -> Any:
    """Open the input called `port`, or one of kfx's own; `take` hears mido messages."""
    import mido

    try:
        if port == OWN:
            return mido.open_input(f"kfx {name}", virtual=True, callback=take)
        return mido.open_input(_choose(name, port), callback=take)
    except (ImportError, OSError, RuntimeError, NotImplementedError) as error:
        raise KfxError(f"{name}:{port}: can't be opened ({_said(error)}); {_no_midi()}") from None


def _choose(name: str, port: str) -> str:
    there = ports()
    found = [one for one in there if port.lower() in one.lower()]
    if port in there or len(found) == 1:
        return port if port in there else found[0]
    names = ", ".join(there) or "none"
    what = "is the name of more than one port" if found else "is no MIDI port"
    if not port:
        what = "which port? there is not exactly one"
    raise KfxError(f"{name}:{port}: {what} (there are: {names}); {REMEDY}")


def _no_midi() -> str:
    return "on Linux load snd-seq (sudo modprobe snd-seq), or set MIDO_BACKEND for JACK"


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
