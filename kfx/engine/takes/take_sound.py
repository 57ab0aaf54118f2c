"""What the looks of a take hear: its song, which lies in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kfx.sync.sound import Recording
from kfx.types import Sound, Tick

LOST = "a take keeps no sound, and its look draws some: name the song by --song, else it is silent"


class TakeSound:
    """Without a `song`, silence; whoever asks for sound then is told by `warn`."""

    def __init__(self, song: str | None, warn: Callable[[str], None]) -> None:
        self._recording = None if song is None else Recording(song)
        self._warn = warn

    def at(self, tick: Tick) -> Sound:
        """What was heard live at a tick: song times are those that it was drawn at."""
        if self._recording is not None:
            return self._recording.sound(tick.signals.get("song.time", tick.time))
        return _Lost(self._warn)


@dataclass(frozen=True, slots=True, eq=False)
class _Lost:
    """Silence in place of sound that nobody kept."""

    warn: Callable[[str], None]
    rate: int = 48000

    def newest(self, count: int) -> npt.NDArray[np.float32]:
        self.warn(LOST)
        return np.zeros((1, count), np.float32)
