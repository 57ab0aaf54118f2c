"""A camera and a sink that break on schedule: at frame n this happens, and nothing else does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from kfx import clock
from kfx.errors import KfxError
from kfx.types import Face, Frame, Shot, SourceInfo, StreamInfo, freeze
from tests.faces import face_at, picture
from tests.shows import Shown

STALL_S = 0.35
SOURCE_FAULTS = {
    "unplugged": "the camera stops; the same one is there when opened again",
    "crash": "the driver raises what no driver should",
    "stall": f"no frame for {STALL_S} s",
    "size": "a frame of another size",
    "shape": "a frame without alpha",
    "dtype": "a frame of floats",
    "empty": "a frame of no pixels",
    "backwards": "time jumps back by an hour",
    "forwards": "time jumps ahead by an hour",
    "nan": "a face of NaN",
    "nobody": "no face from here on",
    "twenty": "twenty faces from here on",
    "end": "the camera ends",
}


class Camera:
    """Called, it opens a live source. Frames are counted over all openings, `count` in all.

    Each one waits for the one before to be `shown`, where that is set: none is left out.
    """

    def __init__(
        self, schedule: Mapping[int, str], *, count: int = 60, rate: int = 200, size=(64, 36)
    ) -> None:
        self.shown: Shown | None = None
        unknown = set(schedule.values()) - SOURCE_FAULTS.keys()
        assert not unknown, unknown
        self.schedule, self.count, self.rate, self.size = dict(schedule), count, rate, size
        self.sent = self.opened = 0
        self.faces: tuple[Face, ...] = (face_at(size[0] / 2, size[1] * 0.42, size[1] * 0.22),)
        self.shift = Fraction(0)
        self.pixels = picture(*size)
        self.noisy = False  # every frame is other noise, which no encoder makes small

    def __call__(self) -> Opened:
        self.opened += 1
        return Opened(self)


class Opened:
    """One life of a `Camera`."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._closed = threading.Event()
        self.info = SourceInfo(
            "camera:faulty", "camera", camera.size, Fraction(camera.rate), live=True
        )

    def frames(self) -> Iterator[Frame]:
        camera = self._camera
        while camera.sent < camera.count:
            if self._closed.wait(1 / camera.rate):
                return
            number = camera.sent
            camera.sent += 1
            fault = camera.schedule.get(number, "")
            time = Fraction(number, camera.rate) + camera.shift
            pixels = camera.pixels
            if camera.noisy:
                noise = np.random.default_rng(number).integers(0, 255, pixels.shape, np.uint8)
                pixels = freeze(noise)
            frame = Frame(pixels, number, time, clock.now(), truth=camera.faces)
            if fault == "end":
                return
            yield self._broken(frame, fault)
            if camera.shown and fault not in ("shape", "dtype", "empty"):  # these never are
                camera.shown.wait_for(frame)

    def _broken(self, frame: Frame, fault: str) -> Frame:
        camera = self._camera
        match fault:
            case "unplugged":
                raise KfxError("camera:faulty: it stopped sending; plug it in again")
            case "crash":
                raise MemoryError("driver")
            case "stall":
                self._closed.wait(STALL_S)
                return replace(frame, captured=clock.now())
            case "size":
                return replace(frame, pixels=picture(96, 40))
            case "shape":
                return replace(frame, pixels=freeze(frame.pixels[..., :3].copy()))
            case "dtype":
                return replace(frame, pixels=freeze(frame.pixels.astype(np.float32)))
            case "empty":
                return replace(frame, pixels=frame.pixels[:0])
            case "backwards" | "forwards":
                camera.shift += -3600 if fault == "backwards" else 3600
                return replace(frame, time=frame.time + camera.shift)
            case "nan":
                bad = np.full_like(camera.faces[0].landmarks, np.nan)
                return replace(frame, truth=(replace(camera.faces[0], landmarks=freeze(bad)),))
            case "nobody":
                camera.faces = ()
            case "twenty":
                w, h = camera.size
                camera.faces = tuple(
                    face_at((i % 5 + 0.5) * w / 5, (i // 5 + 0.4) * h / 4, h / 14, slot=i)
                    for i in range(20)
                )
        return replace(frame, truth=camera.faces)

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Sink:
    """Keeps what was written; `schedule` is shot number → "raise" or seconds that it takes."""

    def __init__(self, schedule: Mapping[int, Any] | None = None) -> None:
        self.schedule = dict(schedule or {})
        self.shots: list[Shot] = []
        self.ended = ""

    def write(self, shot: Shot) -> None:
        fault = self.schedule.get(len(self.shots), 0.0)
        if fault == "raise":
            raise ConnectionResetError("the receiver is gone")
        clock.pause(fault)
        self.shots.append(shot)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self.abort() if kind else self.close()


def opening(sinks: Mapping[str, Any], real: Any) -> Any:
    """Stands in for `sinks.open`: those given by name, the real one for others."""

    def open_sink(spec: str, stream: StreamInfo) -> Any:
        return sinks[spec] if spec in sinks else real(spec, stream)

    return open_sink
