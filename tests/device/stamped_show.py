"""Runs in the guest: a supervised engine that stamps the time into what it shows.

``python -m tests.device.stamped_show``; the corner below the stamp tells the engine's pid.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np

from kfx import clock
from kfx.engine.loop import lifeline
from kfx.sinks import vcam
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.device.stamps import stamp

MARK = Path("/tmp/kfx-stamped-show")
SIZE, RATE, COLOUR = (480, 270), 30, (200, 40, 40)


def main() -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pixels = np.full((SIZE[1], SIZE[0], 4), 255, np.uint8)
    pixels[..., :3] = COLOUR
    start, number = clock.now(), 0
    print("engine", os.getpid(), flush=True)
    if MARK.exists():
        clock.pause(3.0)  # the second life: slow, so that the slate is seen
    MARK.touch()
    with vcam.open_sink("vcam:/dev/video10", StreamInfo(SIZE, Fraction(RATE), live=True)) as sink:
        start = clock.now()
        while not stop.is_set():
            now = clock.now()
            picture = pixels.copy()
            stamp(picture, now)
            frame = Frame(picture, number, Fraction(number, RATE), now)
            sink.write(Shot(picture, Tick(number, now - start, 1 / RATE, frame)))
            lifeline.beat()
            number += 1
            clock.sleep_until(start + number / RATE)
        lifeline.rest()
    return 0


if __name__ == "__main__":
    sys.exit(main())
