"""A tiny engine for the supervisor's tests: a camera sink, a heartbeat and faults on order.

``python -m tests.faults.show FOLDER FAULT…``: the n-th life takes the n-th FAULT (the last one
stays): run, hang, raise, refuse, early (dies before its first beat), slow-end, poisoned (leaves a
look and raises). It ends on SIGTERM, or after 300 s. FOLDER gets its pids, one a line, in ``looks``
whether each one found a look of the one before, and ``ended`` after an orderly end.
"""

import os
import signal
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np

from kfx import clock
from kfx.engine.loop import lifeline, supervisor
from kfx.sinks import vcam, vcam_link
from kfx.types import Frame, Shot, StreamInfo, Tick


def main(folder: Path, *faults: str) -> int:
    lives = folder / "pids"
    with lives.open("a") as file:
        file.write(f"{os.getpid()}\n")
    life = len(lives.read_text().split())
    fault = faults[min(life, len(faults)) - 1]
    look = Path(os.environ[vcam_link.FOLDER_VARIABLE]) / supervisor.LAST_LOOK
    with (folder / "looks").open("a") as file:
        file.write("look\n" if look.exists() else "none\n")
    if fault == "early":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "refuse":
        return 2
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pixels = np.full((48, 64, 4), life * 10, np.uint8)
    frame = Frame(pixels, 0, Fraction(0), 0.0)
    end = clock.now() + 300
    with vcam.open_sink("vcam", StreamInfo((64, 48), Fraction(30), live=True)) as sink:
        while not stop.is_set() and clock.now() < end:
            sink.write(Shot(pixels, Tick(0, 0.0, 0.0, frame)))
            lifeline.beat()
            if sink.sent > 3 and fault in ("raise", "poisoned"):
                if fault == "poisoned":
                    look.touch()
                raise ValueError("a programmer's fault")
            if sink.sent > 3 and fault in ("hang", "slow-end"):
                break
            stop.wait(0.02)
        if fault == "hang":
            signal.pause()
        lifeline.rest()
        if fault == "slow-end":
            clock.pause(3.0)  # longer than the test's HANG_S
    (folder / "ended").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
