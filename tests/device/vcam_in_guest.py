"""Runs in the guest: kfx's virtual camera sink on a real v4l2loopback, read by other programs.

``python tests/device/vcam_in_guest.py OUT.json``; test_vcam_device.py judges what it measured.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from typing import Any

import numpy as np

from kfx import clock, sinks
from kfx.errors import KfxError
from kfx.sinks import v4l2
from kfx.types import Frame, Shot, StreamInfo, Tick

DEVICE = "/dev/video10"
SHOWS = ((320, 240, 30), (640, 360, 25))
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (128, 128, 128))
SECONDS = 4.0


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Five colour bars on black, a white block that moves, stored bottom row first."""
    pixels = np.zeros((height, width, 4), np.uint8)
    for bar, rgb in enumerate(COLOURS):
        left, right = width * bar // 5, width * (bar + 1) // 5
        pixels[: height // 2, left:right, :3] = rgb
    at = index * 8 % (width - 16)
    pixels[height * 3 // 4 : height * 3 // 4 + 16, at : at + 16, :3] = 255
    return pixels[::-1].copy()[::-1]


def judge(rgb: np.ndarray) -> tuple[int, int]:
    """The worst colour error in the middles of the bars, and where the block is."""
    height, width = rgb.shape[:2]
    worst = 0
    for bar, colour in enumerate(COLOURS):
        patch = rgb[height // 4, width * (2 * bar + 1) // 10].astype(int)
        worst = max(worst, int(np.abs(patch - colour).max()))
    row = rgb[height * 3 // 4 + 8, :, 1] > 128
    return worst, int(np.argmax(row)) if row.any() else -1


class Writer:
    """Writes moving pictures to a sink until stopped; notes what `write` costs."""

    def __init__(self, width: int, height: int, rate: int = 30) -> None:
        stream = StreamInfo((width, height), Fraction(rate), live=True)
        self.sink: Any = sinks.open(f"vcam:{DEVICE}", stream)
        self.rate = rate
        self.pictures = [picture(i, width, height) for i in range(60)]
        self.costs_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        start = clock.now()
        index = 0
        while not self._stop.is_set():
            pixels = self.pictures[index % 60]
            frame = Frame(pixels, index, Fraction(index, self.rate), clock.now())
            began = clock.now()
            self.sink.write(Shot(pixels, Tick(index, index / self.rate, 1 / self.rate, frame)))
            self.costs_ms.append((clock.now() - began) * 1000)
            index += 1
            clock.sleep_until(start + index / self.rate)

    def stop(self) -> dict[str, Any]:
        self._stop.set()
        self._thread.join()
        began = clock.now()
        self.sink.close()
        return {
            "write_ms": float(np.median(self.costs_ms)),
            "written": len(self.costs_ms),
            "sent": self.sink.sent,
            "skipped": self.sink.skipped,
            "warnings": self.sink.warnings,
            "native": self.sink.native,
            "close_s": clock.now() - began,
        }


def summary(seen: list[tuple[float, int, int]]) -> dict[str, Any]:
    """Rate, colours and movement of the frames read, start-up left out."""
    seen = seen[5:]
    places = [place for _, _, place in seen]
    return {
        "frames": len(seen),
        "fps": (len(seen) - 1) / (seen[-1][0] - seen[0][0]),
        "colour_error": max(error for _, error, _ in seen),
        "places": len(set(places)),
        "repeats": sum(a == b for a, b in itertools.pairwise(places)),
    }


def read_ffmpeg(width: int, height: int) -> list[tuple[float, int, int]]:
    command = f"ffmpeg -v fatal -f v4l2 -i {DEVICE} -t {SECONDS} -vsync passthrough"
    command += " -f rawvideo -pix_fmt rgb24 -"
    seen = []
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdout is not None
        while len(data := ffmpeg.stdout.read(width * height * 3)) == width * height * 3:
            rgb = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            seen.append((clock.now(), *judge(rgb)))
    return seen


OPENCV = """
import sys, json, cv2; sys.path.insert(0, "tests/device")
from vcam_in_guest import *
camera = cv2.VideoCapture(DEVICE, cv2.CAP_V4L2)
end = clock.now() + SECONDS
seen = []
while clock.now() < end:
    good, bgr = camera.read()
    if good:
        seen.append((clock.now(), *judge(bgr[..., ::-1])))
answer = summary(seen)
answer["size"] = [int(camera.get(cv2.CAP_PROP_FRAME_WIDTH)),
                  int(camera.get(cv2.CAP_PROP_FRAME_HEIGHT))]
camera.release()
print(json.dumps(answer))
"""


def read_opencv() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", OPENCV], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}


def refusal(spec: str, width: int, height: int) -> str:
    try:
        with sinks.open(spec, StreamInfo((width, height), Fraction(30), live=True)):
            return "opened"
    except KfxError as error:
        return str(error)


def killed_while_watched() -> dict[str, Any]:
    """The child dies while a reader watches: does the reader see the new child's pictures?"""
    writer = Writer(320, 240)
    seen: list[float] = []
    command = f"ffmpeg -v fatal -f v4l2 -i {DEVICE} -vsync passthrough -f rawvideo -"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdout is not None
        for index in range(150):
            ffmpeg.stdout.read(320 * 240 * 3 // 2)
            seen.append(clock.now())
            if index == 60:
                os.kill(writer.sink._child.pid, signal.SIGKILL)
        ffmpeg.kill()
    gaps = np.diff(seen)
    after = seen[int(np.argmax(gaps)) + 1 :]
    return {
        "gap_s": float(gaps.max()),
        "fps_after": (len(after) - 1) / (after[-1] - after[0]),
        **writer.stop(),
    }


def held_by_a_reader() -> dict[str, str]:
    """A reader stays at 320x240 while the show ends and starts again."""
    writer = Writer(320, 240)
    command = f"ffmpeg -v fatal -f v4l2 -i {DEVICE} -f rawvideo -"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.read(320 * 240 * 3)
        drain = threading.Thread(target=reader.stdout.read)  # until the reader is killed
        drain.start()
        writer.stop()
        answers = {
            "same size": refusal(f"vcam:{DEVICE}", 320, 240),
            "other size": refusal(f"vcam:{DEVICE}", 640, 360),
        }
        reader.kill()
        drain.join()
    answers["reader gone"] = refusal(f"vcam:{DEVICE}", 640, 360)
    return answers


def announced_rate() -> str:
    command = ["v4l2-ctl", "-d", DEVICE, "--get-parm"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return text.partition("Frames per second: ")[2].partition(" ")[0]


def main(out: str) -> None:
    results: dict[str, Any] = {}
    for width, height, rate in SHOWS:
        writer = Writer(width, height, rate)
        results[f"{width}x{height}"] = {
            "announced": announced_rate(),
            "ffmpeg": summary(read_ffmpeg(width, height)),
            "opencv": read_opencv(),
            "busy": refusal(f"vcam:{DEVICE}", width, height),
            "writer": writer.stop(),
            "stuck_after": v4l2.query(DEVICE).stuck,
        }
    results["specs"] = {
        spec: refusal(spec, 320, 240) for spec in ("vcam:KF", "vcam", "vcam:/dev/video20")
    }
    results["killed"] = killed_while_watched()
    results["held"] = held_by_a_reader()
    with open(out, "w") as file:
        json.dump(results, file, indent=2)


if __name__ == "__main__":
    main(sys.argv[1])
