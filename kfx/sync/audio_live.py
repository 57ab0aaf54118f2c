"""Features of a sound input, now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError, UsageError
from kfx.sync.audio_features import SILENT, Features, Heard, signals
from kfx.sync.audio_in import Shared
from kfx.sync.ltc_in import Input
from kfx.sync.sound import BlockSound

STALE_S = 0.5  # a device that fell silent for so long is silence
KEPT_S = 0.5  # of sound, for those who want samples


def parse(spec: str) -> tuple[str, int | None]:
    """``DEVICE`` or ``DEVICE?channel=1``: device and channel. Raises `UsageError`."""
    device, asked, query = spec.partition("?")
    name, _, value = query.partition("=")
    if asked and (name != "channel" or not value.isascii() or not value.isdecimal()):
        raise UsageError(f"--audio {spec[:80]}: write DEVICE or DEVICE?channel=1")
    return device, int(value) if asked else None


def listen(spec: str, on_fault: Callable[[str], None] | None = None) -> AudioLive:
    """Open what `spec` names; `on_fault` as for `AudioIn`. Raises `KfxError`."""
    device, channel = parse(spec)
    audio = Shared(device, on_fault)
    try:
        return AudioLive(audio, channel=channel)
    except KfxError:
        audio.close()
        raise


class AudioLive:
    """Listens to one channel (from 1) or, by default, to the mean of all of a sound input."""

    name = "features"

    def __init__(self, audio: Input, *, channel: int | None = None) -> None:
        if channel is not None and not 1 <= channel <= audio.channels:
            raise KfxError(f"audio: the input has {audio.channels} channels, not channel {channel}")
        self._audio = audio
        self._channel = channel
        self._features = Features(audio.sample_rate)
        self._heard: Heard | None = None
        self._until = 0.0
        self._kept: deque[npt.NDArray[np.float32]] = deque()  # (n, channels), never written to
        self._kept_count = 0  # samples
        self._wanted = round(KEPT_S * audio.sample_rate)
        audio.reader(self.name)

    def signals(self, at: float) -> Mapping[str, float]:
        """The newest features; `at` is a monotonic time."""
        self._read()
        return SILENT if at - self._until > STALE_S else signals(self._heard)

    def sound(self, at: float) -> BlockSound | None:
        """The newest samples of each channel that is listened to; None is silence."""
        self._read()
        if at - self._until > STALE_S:
            return None
        return BlockSound(tuple(self._kept), self._audio.sample_rate)

    def _read(self) -> None:
        for block in self._audio.read(self.name):
            samples = block.samples
            if self._channel is not None:
                samples = samples[:, self._channel - 1 : self._channel]
            for heard in self._features.feed(samples.mean(axis=1)):
                self._heard = heard
            self._until = block.at + len(samples) / self._audio.sample_rate
            self._kept.append(samples)
            self._kept_count += len(samples)
        while self._kept and self._kept_count - len(self._kept[0]) >= self._wanted:
            self._kept_count -= len(self._kept.popleft())

    def close(self) -> None:
        self._audio.close()
