"""Runs in the guest: the whole main job through the command line, two shows in a row.

The performer becomes a real camera device; a second kfx reads it, applies a preset, feeds the
virtual camera and sends OSC; a third program looks. ``main_job_in_guest.py FOLDER``.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from pythonosc.osc_bundle import OscBundle

from kfx import clock
from kfx.sinks import v4l2

CAMERA, VIRTUAL = "/dev/video10", "/dev/video11"
WIDTH, HEIGHT = 320, 240
PRESET = os.environ.get("KFX_MAIN_JOB_PRESET", "supernova")
SECONDS = 20


class Kfx:
    """One ``python -m kfx live`` in its own process."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.report_path = folder / f"{name}.json"
        self._log_path = folder / f"{name}.log"
        self._log = self._log_path.open("w")
        command = [sys.executable, "-m", "kfx", "live", *arguments]
        command += ["--size", f"{WIDTH}x{HEIGHT}", "--report", str(self.report_path)]
        command += ["--panel", "off", "--osc-in", "off"]  # the guest has one processor
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    @property
    def begun(self) -> bool:
        """Whether pictures come; the camera is there before, with a slate."""
        return "Ctrl-C ends the show" in self._log_path.read_text()

    def finish(self, timeout_s: float = 60) -> int:
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            code = self.process.wait(20)
        self._log.close()
        return code

    def report(self) -> Any:
        return json.loads(self.report_path.read_text()) if self.report_path.exists() else None


class Listener:
    """Collects OSC datagrams until stopped."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.port = self.socket.getsockname()[1]
        self.datagrams: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self.datagrams.append(self.socket.recv(65536))
            except TimeoutError:
                continue

    def stop(self) -> dict[str, Any]:
        self._stop.set()
        self._thread.join()
        self.socket.close()
        frames, found, meshes, boxes = [], 0, 0, []
        for datagram in self.datagrams:
            values = {message.address: message.params for message in OscBundle(datagram)}
            frames += values.get("/kfx/v1/frame", [])[:1]
            found += values.get("/kfx/v1/face/0/found", [0])[0]
            boxes += [values["/kfx/v1/face/0/bbox"]] if "/kfx/v1/face/0/bbox" in values else []
            meshes += "/kfx/v1/face/0/lm" in values
        return {
            "frames": len(frames),
            "rising": all(a < b for a, b in itertools.pairwise(frames)),
            "found": found,
            "meshes": meshes,
            "bbox": np.median(np.array(boxes or [[0] * 4]), axis=0).tolist(),
        }


def wait_for_camera(path: str, kfx: Kfx, timeout_s: float = 60) -> bool:
    """Wait until `kfx` shows pictures on the camera `path`; False if it ended or takes too long."""
    end = clock.now() + timeout_s
    while clock.now() < end and kfx.process.poll() is None:
        if v4l2.query(path).capture and kfx.begun:
            return True
        clock.pause(0.1)
    return False


def look(path: str, folder: Path, name: str, seconds: float) -> dict[str, Any]:
    """Read a camera as a third program does; keep one picture."""
    command = f"ffmpeg -v fatal -f v4l2 -i {path} -t {seconds} -vsync passthrough"
    command += " -f rawvideo -pix_fmt rgb24 -"
    size = WIDTH * HEIGHT * 3
    times, pictures = [], []
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdout is not None
        threading.Timer(seconds + 4, ffmpeg.kill).start()  # a camera whose show ended says nothing
        while len(data := ffmpeg.stdout.read(size)) == size:
            times.append(clock.now())
            pictures.append(np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3))
    if len(pictures) < 10:
        return {"frames": len(pictures)}
    np.save(folder / f"{name}.npy", np.array(pictures[-10:]))
    moved = [float(np.abs(a.astype(int) - b).mean()) for a, b in itertools.pairwise(pictures)]
    return {
        "frames": len(pictures),
        "fps": (len(times) - 6) / (times[-1] - times[5]),
        "size": [WIDTH, HEIGHT],
        "mean": float(np.mean(pictures[-1])),
        "moved": float(np.mean(moved)),
        "changes": sum(change > 0 for change in moved),
    }


def show(
    folder: Path, name: str, listener: Listener | None = None, preset: str = PRESET
) -> dict[str, Any]:
    """One run of the main job; the performer's camera is already there."""
    arguments = ["-i", f"camera:{CAMERA}", "-p", preset, "-o", f"vcam:{VIRTUAL}"]
    if preset == "supernova":
        arguments += ["--set", "film.fade=0.3"]  # blacks lifted by 14 of 255: seen through YUV
    if listener:
        arguments += ["-o", f"osc://127.0.0.1:{listener.port}"]
    kfx = Kfx(folder, name, *arguments, "--seconds", str(SECONDS))
    there = wait_for_camera(VIRTUAL, kfx)
    seen = look(VIRTUAL, folder, name, SECONDS * 0.4) if there else {}
    return {"there": there, "seen": seen, "exit": kfx.finish(), "report": kfx.report()}


def main(folder: Path) -> None:
    # The guest has one processor: the performer needn't be tracked to be shown.
    arguments = ["-i", "performer", "--tracker", "truth", "-o", f"vcam:{CAMERA}"]
    performer = Kfx(folder, "performer", *arguments)
    results: dict[str, Any] = {"camera": wait_for_camera(CAMERA, performer)}
    try:
        listener = Listener()
        results["first"] = show(folder, "first", listener)
        results["osc"] = listener.stop()
        # v4l2loopback 0.12 opens once by itself; this show has no effects, to compare with.
        results["second"] = show(folder, "second", preset="none")
    finally:
        performer.process.send_signal(signal.SIGINT)
        results["performer"] = {"exit": performer.finish(20), "report": performer.report()}
        (folder / "out.json").write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
