"""The samples that were heard up to a moment: of a file, or of an input's newest blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kfx.sync import audio_file
from kfx.types import freeze

Samples = npt.NDArray[np.float32]  # (channels, n), full scale ±1

FULL_SCALE = 32767.0


class Recording:
    """The sound of a whole file, read when somebody first asks for samples; 16 bits a sample."""

    def __init__(self, path: str | Path) -> None:
        self._path = path

    @classmethod
    def of(cls, path: str | Path, samples: npt.NDArray[np.float32], rate: int) -> Recording:
        """The same where the file was read already: `samples` are (n, channels)."""
        recording = cls(path)
        recording.__dict__["_whole"] = (_packed([samples]), rate)
        return recording

    @cached_property
    def _whole(self) -> tuple[npt.NDArray[np.int16], int]:
        """(n, channels) and the sample rate. Raises `KfxError`."""
        rate = 0

        def pieces() -> Iterable[npt.NDArray[np.float32]]:
            nonlocal rate
            for rate, piece in audio_file.pieces(self._path):  # noqa: B007 - told with each piece
                yield piece

        return _packed(pieces()), rate

    @property
    def rate(self) -> int:
        return self._whole[1]

    def newest(self, at: float, count: int) -> Samples:
        """The `count` samples before the time `at` of the file; silence around it."""
        whole, rate = self._whole
        end = int(np.floor(at * rate + 0.5))
        found = np.zeros((whole.shape[1], count), np.float32)
        first, last = max(0, end - count), min(end, len(whole))
        if first < last:
            start = first - (end - count)
            found[:, start : start + last - first] = whole[first:last].T / np.float32(FULL_SCALE)
        return found

    def sound(self, at: float) -> RecordedSound:
        """What is heard at a time of the file; nothing is read yet."""
        return RecordedSound(self, at)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSound:
    """A `kfx.types.Sound` of a file."""

    recording: Recording
    at: float

    @property
    def rate(self) -> int:
        return self.recording.rate

    def newest(self, count: int) -> Samples:
        return self.recording.newest(self.at, count)


@dataclass(frozen=True, slots=True, eq=False)
class BlockSound:
    """A `kfx.types.Sound` of blocks (n, channels), which nobody writes to any more."""

    blocks: tuple[npt.NDArray[np.float32], ...]
    rate: int

    def newest(self, count: int) -> Samples:
        taken: list[npt.NDArray[np.float32]] = []
        missing = count
        for block in reversed(self.blocks):
            if missing <= 0:
                break
            taken.append(block[-missing:])
            missing -= len(taken[-1])
        channels = self.blocks[-1].shape[1] if self.blocks else 1
        found = np.zeros((channels, count), np.float32)
        if taken:
            found[:, missing:] = np.concatenate(taken[::-1]).T
        return found


def _packed(pieces: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.int16]:
    """(n, channels) of full scale ±1 as 16 bits; what is louder is cut off."""
    packed = []
    for piece in pieces:
        for i in range(0, len(piece), 1 << 20):
            loud = np.nan_to_num(piece[i : i + (1 << 20)], nan=0.0) * np.float32(FULL_SCALE)
            packed.append(np.rint(np.clip(loud, -FULL_SCALE, FULL_SCALE)).astype(np.int16))
    return freeze(np.concatenate(packed))
