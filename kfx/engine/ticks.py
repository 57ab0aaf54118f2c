"""Builds ticks from frames and faces: time, dt and beat of each moment."""

from __future__ import annotations

from kfx.types import Face, Frame, Tick

BEATS_PER_BAR = 4
CUT_S = 1.0  # a longer jump between two frames counts as a cut


class Ticks:
    """Numbers the moments of one take; the song is a steady `bpm` from time 0 for now."""

    def __init__(self, bpm: float = 120.0) -> None:
        self._bpm = bpm
        self._last: float | None = None

    def tick(self, frame: Frame, faces: tuple[Face, ...]) -> Tick:
        """The tick of a frame; `dt` is 0 for the first one and after a jump."""
        time = float(frame.time)
        dt = 0.0 if self._last is None else time - self._last
        self._last = time
        beat = time * self._bpm / 60.0
        return Tick(
            index=frame.index,
            time=time,
            dt=dt if 0.0 < dt <= CUT_S else 0.0,
            frame=frame,
            faces=faces,
            beat=beat,
            bar=beat / BEATS_PER_BAR,
        )
