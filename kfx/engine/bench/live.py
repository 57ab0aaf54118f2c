"""Measures the live loop beside what a user would script by hand, all in one run.

runs: the loop on performer frames held in memory, preset and mode as asked, at each size and
    rate: frames a second, latency from capture to sink (ms), CPU in cores, drops.
governed: 720p60 as `kfx live` runs it: what the governor gave up to hold the rate, and the last
    frames once it had.
floor_ms: one bare FaceMesh call and one bare GL copy with upload and read-back, 720p.
track_ratio: kfx's tracker to that bare call, frame by frame in turn.
kfx_fps_unpaced, peer_fps: frames a second at 720p with nothing to wait for; the peer is
    ``examples/peer_opencv.py``, None where kfx was installed without its examples.
openseeface_fps: OpenSeeFace's tracker on the same frames, None where its folder isn't named.
kfx_track_fps: kfx's tracker alone, to stand beside it.
"""

from __future__ import annotations

import runpy
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kfx import clock, presets, sources
from kfx.engine import live
from kfx.engine.bench.effects import CopyPass
from kfx.engine.loop.times import percentiles
from kfx.render.gpu import Gpu
from kfx.tracking.graph import load_mediapipe
from kfx.tracking.tracker import Tracker
from kfx.types import Frame, Source, SourceInfo

SIZE = (1280, 720)
RUNS = (((1280, 720), 30), ((1280, 720), 60), ((1920, 1080), 30), ((1920, 1080), 60))
SETTLE = 20  # frames that every loop is given before it counts
GOVERN_S, GOVERNED = 12.0, 300  # what the governor is given to settle; frames counted after that
_PEER = Path(__file__).resolve().parents[3] / "examples" / "peer_opencv.py"
_OPENSEEFACE = """
import os, sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
from tracker import Tracker
models = sys.argv[1] + "/models"
kind = 3 if os.path.exists(models + "/lm_model3_opt.onnx") else 0
frames = np.load(sys.argv[2])
h, w = frames.shape[1:3]
tracker = Tracker(w, h, model_type=kind, max_threads=2, silent=True, model_dir=models)
times = []
for turn in range(3):
    for frame in frames:
        start = time.perf_counter()
        tracker.predict(frame)
        times.append(time.perf_counter() - start)
print(sorted(times[len(frames):])[len(frames)])
"""


class Replay:
    """A camera that delivers frames from memory at `rate`, over and over, without end.

    They cost nothing to make, and carry no truth: the tracker has its work to do.
    """

    def __init__(self, frames: list[Frame], rate: Fraction) -> None:
        height, width = frames[0].pixels.shape[:2]
        self.info = SourceInfo("replay", "replay", (width, height), rate, live=True)
        self._frames = [replace(frame, truth=None) for frame in frames]
        self._stop = threading.Event()

    def frames(self) -> Iterator[Frame]:
        """Forward and back, so that nothing ever jumps."""
        around = [*self._frames, *self._frames[-2:0:-1]]
        start, index = clock.now(), 0
        while not self._stop.is_set():
            late = clock.now() - start - float(index / self.info.rate)
            if late < 0 and self._stop.wait(-late):
                return
            index = max(index, int((clock.now() - start) * self.info.rate))  # a camera doesn't wait
            frame = around[index % len(around)]
            time = Fraction(index) / self.info.rate
            yield replace(frame, index=index, time=time, captured=clock.now())
            index += 1

    def close(self) -> None:
        self._stop.set()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def measure(
    *,
    preset: str = "supernova",
    mode: str = "latency",
    seconds: float = 8.0,
    runs: tuple[tuple[tuple[int, int], int], ...] = RUNS,
    openseeface: str | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """The figures of the module's docstring; every run of the loop lasts `seconds`."""
    plates = {size: _plates(size) for size in {SIZE, *(size for size, _ in runs)}}
    result: dict[str, Any] = {"renderer": None, "preset": preset, "mode": mode, "runs": []}
    for size, fps in runs:
        progress(f"{size[0]}x{size[1]} at {fps}")
        stats, cpu = _live(plates[size], Fraction(fps), preset, mode, seconds)
        report = stats.report()
        result["renderer"] = report["renderer"]
        result["runs"].append(
            {
                "size": list(size),
                "fps_target": fps,
                "fps": report["fps"],
                "latency_ms": report["latency_ms"].get("null"),
                "cpu": round(cpu, 3),
                "drops": report["dropped"],
            }
        )
    frames = plates[SIZE]
    progress("governed")
    result["governed"] = _governed(frames, preset, mode, seconds)
    progress("floor")
    result |= _floor(frames)
    progress("unpaced")
    # A thousand frames a second are on offer, so the loop never waits for one.
    stats, _ = _live(frames, Fraction(1000), preset, mode, seconds)
    result["kfx_fps_unpaced"] = stats.report()["fps"]
    progress("peer")
    result["peer_fps"] = _peer_fps(frames, seconds)
    progress("trackers")
    result["openseeface_fps"] = _openseeface_fps(frames, openseeface)
    return result


def _governed(frames: list[Frame], preset: str, mode: str, seconds: float) -> dict[str, Any]:
    stats, _ = _live(frames, Fraction(60), preset, mode, GOVERN_S + seconds, govern=True)
    gaps = stats.gaps.newest(GOVERNED)
    return {
        "size": list(SIZE),
        "fps_target": 60,
        "fps": round(len(gaps) / sum(gaps), 2) if gaps else 0.0,
        "latency_ms": percentiles(stats.latency["null"].newest(GOVERNED)),
        "gave_up": stats.show["governor"],
    }


def _plates(size: tuple[int, int]) -> list[Frame]:
    with sources.open("performer", size=size, rate=Fraction(60), stop_s=Fraction(2)) as source:
        return list(source.frames())


def _live(
    plates: list[Frame],
    rate: Fraction,
    preset: str,
    mode: str,
    seconds: float,
    *,
    govern: bool = False,
) -> tuple[Any, float]:
    """The loop's stats and the CPU it used, in cores."""
    began: list[tuple[float, float]] = []

    def opened() -> Source:
        return Replay(plates, rate)

    def ready(stats: Any, ends: Any) -> None:
        began.append((clock.now(), clock.cpu()))

    look = presets.load(preset)
    stats = live.run(opened, look, ["null"], seconds=seconds, mode=mode, govern=govern, ready=ready)
    wall, cpu = began[0]
    return stats, (clock.cpu() - cpu) / (clock.now() - wall)


def _floor(frames: list[Frame]) -> dict[str, float]:
    """Bare FaceMesh, bare copy and kfx's tracker, in turn on the same frames."""
    mesh = load_mediapipe().solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
    bare, copies, tracked = [], [], []
    with mesh, Gpu() as gpu, Tracker("mediapipe") as tracker:
        copy = BareCopy(gpu, SIZE)
        for i, plate in enumerate((*frames, *frames[::-1])):
            frame = replace(plate, truth=None, index=i, time=Fraction(i, 60))
            bare.append(_seconds(lambda: mesh.process(cv2.cvtColor(frame.pixels, 1))))  # noqa: B023
            copies.append(_seconds(lambda: copy(frame)))  # noqa: B023
            tracked.append(_seconds(lambda: tracker.track(frame)))  # noqa: B023
        copy.release()
    middle = [statistics.median(times[SETTLE:]) for times in (bare, copies, tracked)]
    return {
        "floor_ms": round(1000 * (middle[0] + middle[1]), 3),
        "track_ratio": round(middle[2] / middle[0], 3),
        "kfx_track_fps": round(1 / middle[2], 1),
    }


class BareCopy:
    """A copy pass with upload and read-back: what any GL program pays at least."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._pass = CopyPass(gpu, size)
        self._out = np.empty((size[1], size[0], 4), np.uint8)

    def __call__(self, frame: Frame) -> None:
        self._pass.upload(frame.pixels)
        self._pass()
        self._pass.read_into(self._out)

    def release(self) -> None:
        """Give everything back."""
        self._pass.release()


def _peer_fps(frames: list[Frame], seconds: float) -> float | None:
    if not _PEER.is_file():
        return None
    pictures = [cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB) for frame in frames]
    around = [*pictures, *pictures[-2:0:-1]]
    peer = runpy.run_path(str(_PEER))["Peer"](SIZE)
    for i in range(SETTLE):
        peer(around[i], i / 60)
    start, count = clock.now(), 0
    while clock.now() - start < seconds:
        peer(around[count % len(around)], count / 60)
        count += 1
    rate = count / (clock.now() - start)
    peer.close()
    return round(rate, 1)


def _openseeface_fps(frames: list[Frame], folder: str | None) -> float | None:
    """Median rate of OpenSeeFace's tracker in a process of its own, on BGR frames as it wants."""
    if folder is None:
        return None
    pictures = np.stack([cv2.cvtColor(one.pixels, cv2.COLOR_RGBA2BGR) for one in frames[:60]])
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, pictures)
        file.flush()
        command = [sys.executable, "-c", _OPENSEEFACE, folder, file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(1 / float(done.stdout.split()[-1]), 1)


def _seconds(work: Callable[[], Any]) -> float:
    start = clock.now()
    work()
    return clock.now() - start
