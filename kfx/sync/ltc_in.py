"""Timecode from a sound input, now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

from kfx.errors import KfxError
from kfx.sync import ltc_time
from kfx.sync.audio_in import Block
from kfx.sync.follow import FREE_RUN_S, Fix
from kfx.sync.ltc import Decoder
from kfx.sync.song import Unit

REMEMBER = 64  # blocks whose time is kept: far more than one frame spans


class Input(Protocol):
    """What it needs of an `AudioIn`."""

    channels: int
    sample_rate: int

    def reader(self, name: str) -> None: ...

    def read(self, name: str) -> list[Block]: ...

    def close(self) -> None: ...


class LtcIn:
    """A source that decodes channel `channel` (from 1) of a sound input whenever it is read."""

    name = "ltc"
    unit: Unit = "seconds"
    free_run_s = FREE_RUN_S

    def __init__(
        self,
        audio: Input,
        *,
        channel: int = 1,
        fps: Fraction | None = None,
        offset: str | None = None,
    ) -> None:
        if not 1 <= channel <= audio.channels:
            raise KfxError(f"ltc: the input has {audio.channels} channels, not channel {channel}")
        self._audio, self._channel, self._offset = audio, channel, offset
        self._decoder = Decoder()
        self._rate = ltc_time.Rate(fps)
        self._starts: deque[tuple[int, float]] = deque(maxlen=REMEMBER)
        self._count = 0
        self.timecode: str | None = None  # the last one heard
        audio.reader(self.name)

    def read(self, at: float) -> Iterable[Fix]:
        fixes = []
        rate = self._audio.sample_rate
        for block in self._audio.read(self.name):
            self._starts.append((self._count, block.at))
            self._count += len(block.samples)
            for heard in self._decoder.feed(block.samples[:, self._channel - 1]):
                fps = self._rate.see(heard, rate)
                zero = 0.0 if self._offset is None else ltc_time.seconds_of(self._offset, fps)
                self.timecode = heard.label.text
                fixes.append(ltc_time.fix(heard, fps, rate, self._zero(heard.end), zero))
        return fixes

    def close(self) -> None:
        self._audio.close()

    def _zero(self, position: float) -> float:
        """The time sample 0 would have had by the clock of the block that holds `position`."""
        first, at = next(
            (one for one in reversed(self._starts) if one[0] <= position), self._starts[0]
        )
        return at - first / self._audio.sample_rate
