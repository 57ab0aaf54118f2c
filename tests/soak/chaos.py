"""Breaks a running live show at planned moments, and mends what a user would mend."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from kfx import clock, presets, sources
from kfx.engine import live
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.sinks import null, rescue
from kfx.tracking.tracker import Tracker
from kfx.types import Frame, SourceInfo, freeze

FAULTS = {
    "unplugged": "the camera is gone for two seconds",
    "crash": "its driver raises",
    "stall": "it sends nothing for half a second",
    "size": "a second of frames of another size",
    "shape": "ten frames without alpha",
    "dtype": "ten frames of floats",
    "backwards": "its clock jumps back by an hour",
    "black": "a second without a face",
    "tracker": "the tracker raises for half a second",
    "effect": "an effect raises for a frame",
    "slow effect": "an effect takes 150 ms for seven frames",
    "hang": "the chain hangs for a second",
    "slow sink": "a sink takes half a second",
    "camera process": "the process of the virtual camera is killed",
    "half preset": "an editor saves half of the preset, the rest a second later",
    "bad shader": "a shader that doesn't compile is saved, and mended a second later",
    "full disk": "the recording can't go on",
}
ONCE = ("full disk",)  # a recording ends for good
OWN = """/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/
void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage) * vec4(vec3(%s), 1.0); }
"""


class Chaos:
    """`open_source` is the camera; `injected` tells the faults that came to pass."""

    def __init__(
        self, dice: random.Random, size: tuple[int, int], rate: Fraction, folder: Path
    ) -> None:
        self.made = 0
        self.injected: list[tuple[float, str]] = []  # when, what
        self._dice, self._size, self._rate, self._folder = dice, size, rate, folder
        self._plan: list[tuple[float, str]] = []
        self._until: dict[str, float] = {}  # fault → when it is over
        self._counts: dict[str, int] = {}  # fault → how often it still strikes
        self._lock = threading.Lock()
        self._began = 0.0
        self._shift = Fraction(0)
        self._vcam: Any = None
        self._look = folder / "look.toml"
        self._own = folder / "own.fs"
        self._text = ""
        self._performer = sources.open("performer", size=size, rate=rate)
        self._endless = self._frames_of_performer()

    def plan(self, seconds: float, every_s: float) -> None:
        """Random moments; each fault at least once if there is room, in random order."""
        kinds = [name for name in FAULTS if name not in ONCE]
        self._dice.shuffle(kinds)
        kinds += list(ONCE)
        at, number = 3.0, 0
        while at < seconds - 3.0:
            name = kinds[number] if number < len(kinds) else self._dice.choice(kinds[: -len(ONCE)])
            self._plan.append((at, name))
            at += self._dice.uniform(0.5, 1.5) * every_s
            number += 1

    def look(self, preset: str) -> Preset:
        """The preset as a file of its own, with a shader of its own at the end of its chain."""
        self._text = presets.path_of(preset).read_text() + '\n[[chain]]\neffect = "own.fs"\n'
        self._look.write_text(self._text)
        self._own.write_text(OWN % "1.0")
        return presets.load(str(self._look))

    @property
    def own_files(self) -> set[str]:
        return {self._look.name, self._own.name}

    def begin(self, sinks: list[Any]) -> None:
        self._began = clock.now()
        self._vcam = next(sink for sink in sinks if hasattr(sink, "reattached"))
        threading.Thread(target=self._run, name="chaos", daemon=True).start()

    def _run(self) -> None:
        for at, name in self._plan:
            clock.sleep_until(self._began + at)
            self._strike(name, clock.now())

    def _strike(self, name: str, now: float) -> None:
        lasts = {"unplugged": 2.0, "stall": 0.5, "size": 1.0, "black": 1.0, "tracker": 0.5}
        counts = {"shape": 10, "dtype": 10, "slow effect": 7}
        with self._lock:
            if name in lasts:
                self._until[name] = now + lasts[name]
            elif name == "half preset":
                self._look.write_text(self._text[: len(self._text) // 2])
                self._later(lambda: self._look.write_text(self._text))
            elif name == "bad shader":
                self._own.write_text(OWN % "undeclared")
                self._later(lambda: self._own.write_text(OWN % self._dice.uniform(0.9, 1.0)))
            elif name == "camera process":
                child = self._vcam._child
                if child is None:
                    return
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            else:
                self._counts[name] = counts.get(name, 1)
        self.injected.append((now, name))

    def _later(self, mend: Callable[[], object]) -> None:
        timer = threading.Timer(1.0, mend)
        timer.daemon = True
        timer.start()

    def _on(self, name: str) -> bool:
        """Whether `name` strikes now; counted ones are used up."""
        with self._lock:
            if self._counts.get(name, 0):
                self._counts[name] -= 1
                return True
            return clock.now() < self._until.get(name, 0.0)

    def open_source(self) -> _Camera:
        if self._on("unplugged"):
            raise KfxError("camera:soak: not there; plug it in")
        return _Camera(self)

    def _frames_of_performer(self) -> Iterator[Any]:
        """Pictures of the performer, forwards and backwards for ever: drawn once, kept small."""
        kept = []
        for frame in self._performer.frames():
            kept.append(frame.pixels)
            yield frame.pixels
            if len(kept) == 90:
                break
        while True:
            kept.reverse()
            yield from kept

    def frame(self, number: int) -> Frame:
        """The next frame as the camera gives it; raises what its driver raises."""
        if self._on("unplugged"):
            raise KfxError("camera:soak: it stopped sending; plug it in again")
        if self._on("crash"):
            raise MemoryError("driver")
        if self._on("backwards"):
            self._shift -= 3600
        pixels = next(self._endless).copy()
        # The corner tells frames apart at the reader: no effect of the preset leaves it alone,
        # but no two neighbours become alike.
        pixels[:8, :8, :3] = (number * 37 % 200 + 20, number * 11 % 200 + 20, number % 200 + 20)
        if self._on("black"):
            pixels[..., :3] //= 16
        if self._on("size"):
            pixels = pixels[::2, ::2]
        if self._on("shape"):
            pixels = pixels[..., :3].copy()
        if self._on("dtype"):
            pixels = pixels.astype(np.float32)
        self.made += 1
        time = Fraction(number) / self._rate + self._shift
        return Frame(freeze(pixels), number, time, clock.now())

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Effects, tracker, sinks and disk fail as planned inside this block."""
        render, track = live.Chain.render, Tracker.track
        write_null, write_disk = null.NullSink.write, rescue.Disk.write

        def bad_render(chain: Any, tick: Any) -> Any:
            if self._on("effect"):
                raise RuntimeError("GL_OUT_OF_MEMORY")
            if self._on("slow effect"):
                clock.pause(0.15)
            if self._on("hang"):
                clock.pause(1.0)
            return render(chain, tick)

        def bad_track(tracker: Any, frame: Any) -> Any:
            if self._on("tracker"):
                raise RuntimeError("the net is gone")
            return track(tracker, frame)

        def bad_null(sink: Any, shot: Any) -> None:
            if self._on("slow sink"):
                clock.pause(0.5)
            write_null(sink, shot)

        def bad_disk(disk: Any, data: Any) -> int:
            if self._on("full disk"):
                disk.error = disk.error or OSError(errno.ENOSPC, "No space left on device")
            return write_disk(disk, data)

        with (
            mock.patch.object(live.Chain, "render", bad_render),
            mock.patch.object(Tracker, "track", bad_track),
            mock.patch.object(null.NullSink, "write", bad_null),
            mock.patch.object(rescue.Disk, "write", bad_disk),
        ):
            yield
        self._performer.close()


class _Camera:
    """One life of the camera, paced by the clock as a camera is."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self._closed = threading.Event()
        self.info = SourceInfo("camera:soak", "camera", chaos._size, chaos._rate, live=True)

    def frames(self) -> Iterator[Frame]:
        began, number = clock.now(), 0
        while not self._closed.is_set():
            due = began + number / float(self._chaos._rate)
            if self._closed.wait(max(0.0, due - clock.now())):
                return
            number = max(number + 1, int((clock.now() - began) * self._chaos._rate))
            if self._chaos._on("stall"):
                continue
            frame = self._chaos.frame(number)
            yield replace(frame, captured=clock.now())

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> _Camera:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
