"""Runs in the guest: the whole main job through the command line, and how old its pictures are.

``python -m tests.device.main_job_in_guest FOLDER``. A camera that stamps the time on a performer
(`stamped_camera`) is read by ``kfx live``, ffmpeg looks at the virtual camera, an OSC listener
hears the faces, an OSC message panics. Then a second ``kfx live`` reads vivid, a camera driver of
the kernel, whose brightness is switched: how long until ffmpeg sees it? Nothing here goes by the
clock but latencies: the guest has one processor, which may be slow.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pythonosc.osc_bundle import OscBundle
from pythonosc.udp_client import SimpleUDPClient

from kfx import clock
from kfx.sinks import v4l2
from tests.device.stamps import BLOCK, age_s

CAMERA, VIRTUAL, VIVID = "/dev/video10", "/dev/video11", "/dev/video20"
WIDTH, HEIGHT = 352, 288
PRESET = os.environ.get("KFX_MAIN_JOB_PRESET", "supernova")
START_S, LOOK_S = 150.0, 90.0  # patience, not what it should take
FRAMES = 60  # looked at, each time
BELOW = 2 * BLOCK + 8  # the time code moves whatever the picture does
SWITCHES = 25  # of vivid's brightness
OSC_IN = 9600
_QUERYCTRL, _NEXT = 0xC0445624, 0x80000000
_S_CTRL, _BRIGHTNESS = 0xC008561C, 0x00980900  # <linux/videodev2.h>, <linux/v4l2-controls.h>


class Kfx:
    """One ``python -m kfx live`` in its own process."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.report_path = folder / f"{name}.json"
        self._log_path = folder / f"{name}.log"
        self._log = self._log_path.open("w")
        command = [sys.executable, "-m", "kfx", "live", *arguments, "-o", f"vcam:{VIRTUAL}"]
        command += ["--size", f"{WIDTH}x{HEIGHT}", "--report", str(self.report_path)]
        command += ["--panel", "off", "--osc-in", f"127.0.0.1:{OSC_IN}"]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    @property
    def begun(self) -> bool:
        """Whether pictures come; the camera is there before, with a slate."""
        return "Ctrl-C ends the show" in self._log_path.read_text()

    def wait(self) -> bool:
        """Wait until pictures come; False if it ended before, or took too long."""
        end = clock.now() + START_S
        while clock.now() < end and self.process.poll() is None:
            if self.begun and v4l2.query(VIRTUAL).capture:
                return True
            clock.pause(0.1)
        return False

    def end(self) -> dict[str, Any]:
        """Ctrl-C: the exit code and the report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._log.close()
        path = self.report_path
        return {"exit": code, "report": json.loads(path.read_text()) if path.exists() else None}


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

    def wait(self, faces: int) -> None:
        """Until so many faces were heard of."""
        end = clock.now() + LOOK_S
        while clock.now() < end and self.heard()["found"] < faces:
            clock.pause(1.0)

    def stop(self) -> dict[str, Any]:
        self._stop.set()
        self._thread.join()
        self.socket.close()
        return self.heard()

    def heard(self) -> dict[str, Any]:
        frames, found, meshes, boxes = [], 0, 0, []
        for datagram in list(self.datagrams):
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


class Seen(NamedTuple):
    """One picture as another program got it."""

    at: float
    rgb: np.ndarray


class Reader:
    """ffmpeg on the virtual camera; the newest `keep` pictures, and some facts about all."""

    def __init__(self, keep: int = FRAMES) -> None:
        command = f"ffmpeg -v fatal -fflags nobuffer -f v4l2 -i {VIRTUAL} -vsync passthrough"
        command += " -f rawvideo -pix_fmt rgb24 -"
        self.process = subprocess.Popen(command.split(), stdout=subprocess.PIPE)
        self.pictures: list[Seen] = []
        self.levels: list[tuple[float, float]] = []  # when, how bright a row was
        self.moves: list[float] = []  # when a picture differed from the one before
        self._keep = keep
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        size = WIDTH * HEIGHT * 3
        assert self.process.stdout is not None
        while len(data := self.process.stdout.read(size)) == size:
            rgb = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3)
            now = clock.now()
            with self._changed:
                last = self.pictures[-1].rgb if self.pictures else rgb
                if (last[BELOW:] != rgb[BELOW:]).any():
                    self.moves.append(now)
                self.pictures = [*self.pictures, Seen(now, rgb)][-self._keep :]
                self.levels.append((now, float(rgb[HEIGHT // 2].mean())))
                self._changed.notify_all()

    @property
    def corner(self) -> np.ndarray:
        """What is lower left, where nothing moves."""
        shots = np.array([one.rgb[-40:, :40] for one in self.pictures[-10:]])
        return np.median(shots, axis=(0, 1, 2))

    def wait(self, condition: Any, timeout_s: float = LOOK_S) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()


def look(lighter_than: list[float] | None = None) -> dict[str, Any]:
    """Read the virtual camera as a third program does, until what it should show was seen."""

    def enough(one: Reader) -> bool:
        # The first pictures lay in buffers.
        if len(one.moves) < 20 or len(one.levels) < FRAMES + 20:
            return False
        return lighter_than is None or bool((one.corner > np.array(lighter_than) + 4).all())

    reader = Reader()
    reader.wait(enough)
    reader.close()
    seen = reader.pictures
    if len(seen) < 10:
        return {"frames": len(seen)}
    ages, stamp = [], 0.0
    for one in seen:
        age = age_s(one.rgb, one.at)
        if age is None or abs(one.at - age - stamp) < 0.005:
            continue  # shown a second time, which is no sign of being late
        stamp = one.at - age
        ages.append(age)
    return {
        "frames": len(seen),
        "fps": round((len(seen) - 1) / (seen[-1].at - seen[0].at), 1),
        "mean": float(np.mean(seen[-1].rgb)),
        "corner": reader.corner.tolist(),
        "changes": len(reader.moves),
        "stamped": len(ages),
        "age_ms": levels(ages),
    }


def levels(seconds: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds, {} of nothing."""
    return {
        f"p{p}": round(float(np.percentile(seconds, p)) * 1000, 1) for p in (5, 50, 95) if seconds
    }


def set_brightness(fd: int, value: int) -> None:
    fcntl.ioctl(fd, _S_CTRL, bytearray(struct.pack("Ii", _BRIGHTNESS, value)))


def switched(fd: int, reader: Reader) -> float | None:
    """Switch vivid's brightness; seconds until the reader has a picture that shows it."""
    bright = reader.levels[-1][1] > 110
    clock.pause(0.2 + 0.011 * (len(reader.levels) % 7))  # any phase of the camera's period
    set_brightness(fd, 0 if bright else 255)
    at = clock.now()

    def shows(one: Reader) -> bool:
        return one.levels[-1][0] > at and (one.levels[-1][1] > 110) != bright

    return reader.levels[-1][0] - at if reader.wait(shows, 10) else None


def main_job(folder: Path) -> dict[str, Any]:
    size = f"{WIDTH}x{HEIGHT}"
    command = [sys.executable, "-m", "tests.device.stamped_camera", CAMERA]
    camera = subprocess.Popen([*command, str(folder / "performer.yuyv"), size])
    results: dict[str, Any] = {}
    listener = Listener()
    try:
        while not v4l2.query(CAMERA).capture and camera.poll() is None:
            clock.pause(0.05)
        arguments = ["-i", f"camera:{CAMERA}", "-p", PRESET]
        if PRESET == "supernova":
            arguments += ["--set", "film.fade=0.3"]  # blacks lifted by 14 of 255: seen in YUV
        kfx = Kfx(folder, "show", *arguments, "-o", f"osc://127.0.0.1:{listener.port}")
        results["there"] = kfx.wait()
        if results["there"]:
            control = SimpleUDPClient("127.0.0.1", OSC_IN)
            control.send_message("/kfx/v1/panic", 1)
            results["clean"] = look()
            control.send_message("/kfx/v1/mode", "live")
            results["live"] = look(lighter_than=results["clean"].get("corner"))
            listener.wait(30)
        results |= kfx.end()
    finally:
        results["osc"] = listener.stop()
        camera.kill()
        camera.wait()
    return results


def unplugged(reader: Reader) -> dict[str, Any]:
    """Press vivid's "Disconnect", as when the cable is drawn; it is back once nobody holds it."""
    with open(VIVID, "rb", buffering=0) as node:
        fcntl.ioctl(node, _S_CTRL, bytearray(struct.pack("Ii", number_of(node, b"Disconnect"), 1)))
    at, before = clock.now(), len(reader.levels)
    # Its last pictures may still be on their way; then it stands still until it is back.
    back = reader.wait(lambda one: sum(time > at + 3.0 for time in one.moves) > 5)
    times = [time for time, _ in reader.levels[before - 1 :]]
    gap = max((b - a for a, b in itertools.pairwise(times)), default=0.0)
    return {"back": back, "back_s": clock.now() - at, "longest_gap_s": gap}


def number_of(node: Any, name: bytes) -> int:
    """The number of a control by its name."""
    number = 0
    while True:
        answer = bytearray(68)
        struct.pack_into("I", answer, 0, number | _NEXT)
        fcntl.ioctl(node, _QUERYCTRL, answer)  # OSError after the last one
        number, _, text = struct.unpack_from("II32s", answer)
        if text.partition(b"\0")[0] == name:
            return int(number)


def vivid(folder: Path) -> dict[str, Any]:
    """v4l2loopback 0.12 opens once by itself; this is its second time."""
    kfx = Kfx(folder, "vivid", "-i", f"camera:{VIVID}", "-p", "none")
    results: dict[str, Any] = {"there": kfx.wait()}
    if results["there"]:
        fd, reader = os.open(VIVID, os.O_RDWR | os.O_NONBLOCK), Reader(30)
        if reader.wait(lambda one: len(one.levels) >= 20):
            delays = [switched(fd, reader) for _ in range(SWITCHES)]
            set_brightness(fd, 128)  # its moving counter can be seen again
            seen = [delay for delay in delays if delay is not None]
            results |= {"seen": len(seen), "delay_ms": levels(seen)}
        os.close(fd)  # whoever holds a camera that is unplugged keeps it from coming back
        results["unplugged"] = unplugged(reader)
        reader.close()
    return results | kfx.end()


def main(folder: Path) -> None:
    results = {"main": main_job(folder)}
    results["vivid"] = vivid(folder)
    (folder / "out.json").write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
