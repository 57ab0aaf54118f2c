"""Timecode recorded on a sound track: every position in it, for offline work."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from kfx import timecode
from kfx.errors import KfxError
from kfx.sync import audio_file, ltc_time
from kfx.sync.follow import Fix
from kfx.sync.ltc import Decoder, Heard

SURE = 50  # frames on one channel: channels without any aren't listened to any longer


@dataclass(frozen=True)
class Track:
    """What was found: `heard` in the order of the file, the rate, and whether it was guessed."""

    heard: tuple[Heard, ...]
    rate: Fraction
    guessed: bool
    sample_rate: int
    channel: int  # from 1
    start_s: float  # time of the first sample

    def fixes(self, offset: str | None = None) -> list[Fix]:
        """Readings of the song's position; `offset` is the timecode at which the song starts."""
        zero = 0.0 if offset is None else ltc_time.seconds_of(offset, self.rate)
        return [
            ltc_time.fix(one, self.rate, self.sample_rate, self.start_s, zero) for one in self.heard
        ]

    def text(self, at_s: float) -> str | None:
        """The timecode at a time of the file, within the frames found."""
        for one in self.heard:
            first = self.start_s + one.start / self.sample_rate
            if first <= at_s < self.start_s + one.end / self.sample_rate:
                return one.label.text
        return None


def read(path: str | Path, *, channel: int | None = None, fps: Fraction | None = None) -> Track:
    """The timecode on a file's sound; `channel` counts from 1, by default the one that has it.

    `fps` is the project's rate (48 and above count half). Raises `KfxError` where there is none.
    """
    decoders: list[Decoder] = []
    found: list[list[Heard]] = []
    first, sample_rate, at = 0.0, 0, 0
    for start, sample_rate, samples in audio_file.blocks(path):
        if not decoders:
            first = start
            decoders = [Decoder() for _ in range(samples.shape[1])]
            found = [[] for _ in decoders]
        hole = round((start - first) * sample_rate) - at
        sure = max(map(len, found), default=0) >= SURE
        for i, decoder in enumerate(decoders[: samples.shape[1]]):
            if channel in (None, i + 1) and not (sure and not found[i]):
                if 0 < hole < 3600 * sample_rate:
                    found[i] += decoder.feed(np.zeros(hole))
                found[i] += decoder.feed(samples[:, i])
        at += len(samples) + max(0, hole)
    if channel is not None and not 1 <= channel <= max(1, len(found)):
        raise KfxError(f"{path}: has no channel {channel}; it has {len(found)}")
    best = max(range(len(found)), key=lambda i: len(found[i]), default=0)
    if not found or not found[best]:
        where = "" if channel is None else f" on channel {channel}"
        raise KfxError(f"{path}: no LTC was heard{where}; is it a timecode track?")
    guess = ltc_time.Rate(fps)
    for one in found[best]:
        rate = guess.see(one, sample_rate)
    _check(path, found[best], rate)
    return Track(tuple(found[best]), rate, fps is None, sample_rate, best + 1, first)


def _check(path: str | Path, heard: list[Heard], rate: Fraction) -> None:
    highest = max(one.label.frames for one in heard)
    if highest >= timecode.nominal(rate):
        raise KfxError(
            f"{path}: has frame numbers up to {highest}, which "
            f"{float(rate):g} frames a second haven't; choose another fps"
        )
