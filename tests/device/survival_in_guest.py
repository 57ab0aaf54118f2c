"""Runs in the guest: an engine is killed while ffmpeg, then OpenCV, watch its camera.

``python -m tests.device.survival_in_guest OUT.json``; test_survival.py judges.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np

from kfx import clock
from kfx.sinks import v4l2
from kfx.sinks.slate import BACKGROUND
from tests.device.stamped_show import COLOUR, SIZE
from tests.device.stamps import age_s

DEVICE = "/dev/video10"
SUPERVISE = """
import sys
from kfx.engine.loop import supervisor
supervisor.SPARE_S, supervisor.HANG_S = 1e9, 20.0  # one slow processor
sys.exit(supervisor.Supervisor("tests.device.stamped_show", []).run())
"""
OPENCV = """
import json, cv2
from kfx import clock
from tests.device.stamps import age_s
camera = cv2.VideoCapture("/dev/video10", cv2.CAP_V4L2)
camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
ages = []
for _ in range(45):
    good, picture = camera.read()
    age = age_s(picture, clock.now()) if good else None
    if age is not None:
        ages.append(age)
print(json.dumps({"size": [picture.shape[1], picture.shape[0]], "ages": ages[10:]}))
"""


def kind(rgb: np.ndarray, age: float | None) -> str:
    if age is not None:
        return "picture"
    return "slate" if np.abs(rgb[5, 5].astype(int) - BACKGROUND).max() < 6 else "other"


class Watcher:
    """ffmpeg on the camera: what it delivered, frame by frame."""

    def __init__(self) -> None:
        command = f"ffmpeg -v fatal -fflags nobuffer -f v4l2 -i {DEVICE} -vsync passthrough"
        command += " -f rawvideo -pix_fmt rgb24 -"
        self.process = subprocess.Popen(command.split(), stdout=subprocess.PIPE)
        self.seen: list[tuple[float, str, float | None]] = []
        self.colour_error = 0
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        width, height = SIZE
        length = width * height * 3
        assert self.process.stdout is not None
        while len(data := self.process.stdout.read(length)) == length:
            rgb = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            now = clock.now()
            age = age_s(rgb, now)
            what = kind(rgb, age)
            if what == "picture":
                error = int(np.abs(rgb[height // 2, width // 2].astype(int) - COLOUR).max())
                self.colour_error = max(self.colour_error, error)
            self.seen.append((now, what, age))
        self.ended = True

    def wait(self, condition: Any, timeout_s: float) -> bool:
        end = clock.now() + timeout_s
        while clock.now() < end and not self.ended:
            if condition():
                return True
            clock.pause(0.02)
        return False


def main(out: str) -> None:
    show = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert show.stdout is not None
    first = int(show.stdout.readline().split()[1])
    end = clock.now() + 120
    while not v4l2.query(DEVICE).capture and clock.now() < end:
        clock.pause(0.1)
    watcher = Watcher()
    watcher.wait(lambda: len(watcher.seen) >= 75, 60)
    calm = list(watcher.seen)
    os.kill(first, signal.SIGKILL)
    killed = clock.now()
    came_back = watcher.wait(
        lambda: any(at > killed + 0.5 and age is not None and age < 0.4
                    for at, _, age in watcher.seen[-3:]), 120
    )  # fmt: skip
    back = clock.now()
    ended = watcher.ended
    watcher.process.kill()
    watcher.process.wait()
    seen = watcher.seen
    opencv = subprocess.run([sys.executable, "-c", OPENCV], capture_output=True, text=True)
    show.send_signal(signal.SIGTERM)
    _, said = show.communicate(timeout=120)
    ages = [age for _, _, age in calm[20:] if age is not None]
    after = [what for at, what, age in seen if at > killed and (age is None or age > 0.4)]
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(seen)]
    results = {
        "code": show.returncode,
        "said": said,
        "ended": ended,
        "came_back": came_back,
        "away_s": back - killed,
        "frames_away": len(after),
        "slates_away": after.count("slate"),
        "others": [what for _, what, _ in seen].count("other"),
        "longest_gap_s": max(gaps),
        "colour_error": watcher.colour_error,
        "fps": (len(calm) - 21) / (calm[-1][0] - calm[20][0]),
        "ffmpeg_age_ms": _levels(ages),
        "opencv": opencv.stderr or {
            "size": json.loads(opencv.stdout)["size"],
            "age_ms": _levels(json.loads(opencv.stdout)["ages"]),
        },
        "openable_after": v4l2.query(DEVICE).writable,
    }  # fmt: skip
    with open(out, "w") as file:
        json.dump(results, file, indent=2)


def _levels(ages: list[float]) -> dict[str, float]:
    if not ages:
        return {}
    return {f"p{p}": round(float(np.percentile(ages, p)) * 1000, 1) for p in (50, 95, 99)}


if __name__ == "__main__":
    main(sys.argv[1])
