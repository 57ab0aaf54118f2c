"""MIDI clock: 24 ticks a beat, start, stop, continue and song position become beats."""

from __future__ import annotations

from kfx.sync.follow import Fix

TICKS = 24  # a beat
_TICK, _START, _CONTINUE, _STOP, _POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2


class MidiClock:
    """Bytes of single MIDI messages in, readings in beats out; anything else is ignored.

    The first tick after start or continue is the position itself: beat 0, or where the song
    position pointer (in sixteenths) put it. Ticks of a stopped master only keep the tempo.
    """

    def __init__(self) -> None:
        self._ticks = 0  # position of the next tick
        self._running = False
        self._jumped = False

    def message(self, data: bytes, at: float) -> Fix | None:
        """The reading that one MIDI message gives."""
        if not data:
            return None
        kind = data[0]
        if kind == _TICK and self._running:
            fix = Fix(at, self._ticks / TICKS, seek=self._jumped)
            self._jumped = False
            self._ticks += 1
            return fix
        if kind == _POSITION and len(data) == 3 and data[1] < 0x80 and data[2] < 0x80:
            self._ticks = (data[1] | data[2] << 7) * TICKS // 4
            self._jumped = True
            return Fix(at, self._ticks / TICKS, 0.0, seek=True) if not self._running else None
        if kind == _START:
            self._ticks, self._running, self._jumped = 0, True, True
        elif kind == _CONTINUE:
            self._running = True
        elif kind == _STOP and self._running:
            self._running = False
            return Fix(at, self._ticks / TICKS, 0.0)
        return None
