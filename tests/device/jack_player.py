"""Plays timecode on the left and a kick on each beat on the right into JACK, until it is killed.

``python -m tests.device.jack_player FPS SECONDS BPM``
"""

import sys
import threading
from fractions import Fraction

import numpy as np
import sounddevice

from kfx.sync.ltc_encode import encode

RATE = 48000


def kicks(seconds: float, bpm: float) -> np.ndarray:
    """A falling 60 Hz tone on every beat."""
    at = np.arange(int(seconds * RATE)) / RATE
    since = at % (60.0 / bpm)
    return (0.8 * np.sin(2 * np.pi * 60.0 * since) * np.exp(-since / 0.06)).astype(np.float32)


def main() -> None:
    fps, seconds, bpm = Fraction(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    left = encode("01:00:00:00", int(seconds * fps), fps)
    sound = np.zeros((len(left), 2), np.float32)
    right = kicks(seconds, bpm)[: len(left)]
    sound[:, 0], sound[: len(right), 1] = left, right
    place = 0

    def play(out: np.ndarray, frames: int, times: object, status: object) -> None:
        nonlocal place
        piece = sound[place : place + frames]
        out[:] = 0.0
        out[: len(piece)] = piece
        place += frames

    with sounddevice.OutputStream(
        device="system", channels=2, samplerate=RATE, dtype="float32", callback=play
    ):
        print("ready", flush=True)
        threading.Event().wait()


main()
