"""Features of a sound input, now."""

from __future__ import annotations

from collections.abc import Mapping

from kfx.sync.audio_features import SILENT, Features, Heard, signals
from kfx.sync.ltc_in import Input

STALE_S = 0.5  # a device that fell silent for so long is silence


class AudioLive:
    """Listens to one channel (from 1) or, by default, to the mean of all of a sound input."""

    name = "features"

    def __init__(self, audio: Input, *, channel: int | None = None) -> None:
        self._audio = audio
        self._channel = channel
        self._features = Features(audio.sample_rate)
        self._heard: Heard | None = None
        self._until = 0.0
        audio.reader(self.name)

    def signals(self, at: float) -> Mapping[str, float]:
        """The newest features; `at` is a monotonic time."""
        for block in self._audio.read(self.name):
            samples = block.samples
            mono = samples.mean(axis=1) if self._channel is None else samples[:, self._channel - 1]
            for heard in self._features.feed(mono):
                self._heard = heard
            self._until = block.at + len(samples) / self._audio.sample_rate
        return SILENT if at - self._until > STALE_S else signals(self._heard)

    def close(self) -> None:
        self._audio.close()
