"""MIDI inputs: the device's thread hands messages on, those of timecode or clock to a reader.

A port that is unplugged says nothing: it goes from the list of ports. It is opened again by itself.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import Any, Protocol

from kfx import clock
from kfx.errors import KfxError
from kfx.sync.follow import FREE_RUN_S, Fix
from kfx.sync.song import Unit

OWN = "virtual"
WATCH_S = 0.5
_NUMBER = re.compile(r" \d+:\d+$")  # ALSA's, another one each time a device is plugged in
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

    def __init__(
        self,
        name: str,
        port: str,
        reader: Reader,
        unit: Unit,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self.name, self.unit = name, unit
        self._reader = reader
        self._fixes: list[Fix] = []
        self._lock = threading.Lock()
        self._port = Port(name, port, self._take, on_fault)

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


class Port:
    """The input called `port`, or one of kfx's own; `take` hears mido messages until `close`.

    `on_fault` hears, in a thread of this one, that it was unplugged and that it is back. Raises
    `KfxError` that names the ports there are.
    """

    def __init__(
        self,
        name: str,
        port: str,
        take: Callable[[Any], None],
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        import mido

        self._mido, self._take = mido, take
        self._on_fault = on_fault or (lambda text: None)
        self._over = threading.Event()
        self._watching: threading.Thread | None = None
        self._open: Any = None
        self._called = ""
        try:
            if port == OWN:
                self._open = mido.open_input(f"kfx {name}", virtual=True, callback=take)
                return
            self._called = _choose(name, port)
            self._open = mido.open_input(self._called, callback=take)
        except (ImportError, OSError, RuntimeError, NotImplementedError) as error:
            said = _said(error)
            raise KfxError(f"{name}:{port}: can't be opened ({said}); {_no_midi()}") from None
        self._place = f"{name}:{_NUMBER.sub('', self._called)}"
        self._watching = threading.Thread(target=self._watch, name="kfx-midi-in", daemon=True)
        self._watching.start()

    def close(self) -> None:
        self._over.set()
        if self._watching is not None:
            self._watching.join()
        if self._open is not None:
            self._open.close()

    def check(self) -> None:
        """Notice that it is gone, or open it again where it is back."""
        with contextlib.suppress(Exception):  # MIDI itself is away: ask again later
            there = self._there()
            if self._open is not None:
                if self._called in there:
                    return
                gone, self._open = self._open, None
                with contextlib.suppress(Exception):  # of what isn't there
                    gone.close()
                self._on_fault(f"{self._place}: is gone; plug it in again, it is opened by itself")
            same = [one for one in there if _NUMBER.sub("", one) == _NUMBER.sub("", self._called)]
            if same:
                self._open = self._mido.open_input(same[0], callback=self._take)
                self._called = same[0]
                self._on_fault(f"{self._place}: is back")

    def _there(self) -> list[str]:
        """The ports by name; asked of the open one, a new client each time would be seen by all."""
        own = getattr(self._open, "_rt", None)
        return list(own.get_ports() if own is not None else self._mido.get_input_names())

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            self.check()


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
