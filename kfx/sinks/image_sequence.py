"""Shots as PNG files, 8-bit RGB or RGBA: a numbered sequence or one still.

The first frame of a plate has its `first_number`, so that a cut keeps the numbers of its plate.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError, UsageError
from kfx.sinks import landing
from kfx.sinks.file import NUMBER
from kfx.types import Shot, StreamInfo

_WORKERS = min(4, os.cpu_count() or 1)


class ImageSequenceSink:
    """Encodes on a few threads into a hidden folder; `close` moves the files to their places.

    With `stream.overwrite` files of the same number are replaced and all others stay. Where the
    disk is full, what a live show has written before is kept; another render is thrown away.
    """

    def __init__(self, spec: str, stream: StreamInfo) -> None:
        self._spec = spec
        self._alpha = stream.has_alpha
        self._target = Path(spec)
        if NUMBER.search(str(self._target.parent)) or len(NUMBER.findall(self._target.name)) > 1:
            raise UsageError(f"{spec}: one number, in the file name: frames/%06d.png")
        self._keeps = stream.live
        self._first = stream.first_number
        self._single = not NUMBER.search(self._target.name)
        if not stream.overwrite:
            self._refuse_existing()
        self.written = 0
        self.dropped = 0
        self._last_index = -1
        self._landing = landing.Landing(spec, self._target, folder=True)
        self._pool = ThreadPoolExecutor(_WORKERS, "png")
        self._running: deque[Future[None]] = deque()
        self._done = False

    def write(self, shot: Shot) -> None:
        code = cv2.COLOR_RGBA2BGRA if self._alpha else cv2.COLOR_RGBA2BGR
        self.put(shot.tick.index, cv2.cvtColor(np.ascontiguousarray(shot.pixels), code))

    def put(self, index: int, values: npt.NDArray[Any]) -> None:
        """Encode one picture, which `encode` understands, as the file of that frame."""
        if index <= self._last_index:
            self.dropped += 1
            return
        if self._single and self.written:
            raise KfxError(
                f"{self._spec}: one file can't hold more than one frame; "
                f"use {self._target.stem}.%04d.png"
            )
        self._last_index = index
        self.written += 1
        name = self._target.name if self._single else self._name(self._first + index)
        while len(self._running) >= 2 * _WORKERS:
            self._finish_one()
        self._running.append(self._pool.submit(self._save, self._landing.path / name, values))

    def close(self) -> None:
        if self._done:
            return
        if not self.written:
            self.abort()
            raise landing.nothing(self._spec)
        fault: KfxError | None = None
        try:
            while self._running:
                try:
                    self._finish_one()
                except KfxError as error:
                    if not self._keeps:
                        raise
                    fault = error
            if fault is not None and not any(self._landing.path.iterdir()):
                raise fault
            self._landing.land()
        except BaseException:
            self.abort()
            raise
        self._done = True
        self._pool.shutdown()
        if fault is not None:
            raise fault

    def abort(self) -> None:
        if self._done:
            return
        self._done = True
        self._pool.shutdown(cancel_futures=True)
        self._landing.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.abort() if kind else self.close()

    def _finish_one(self) -> None:
        try:
            self._running.popleft().result()
        except (OSError, cv2.error) as error:
            fault = landing.failure(self._spec, error)
            if self._keeps and self.written > len(self._running) + 1:
                fault = KfxError(f"{fault}; what was written before is kept")
            raise fault from None

    def encode(self, values: npt.NDArray[Any]) -> bytes:
        """The bytes of a file; called on several threads. Here BGR or BGRA, uint8, to PNG."""
        # OpenCV's own settings (Sub filter, run lengths) are the quickest: 27 ms of CPU for a
        # grainy 720p frame, 50 ms with any level asked for.
        return cv2.imencode(".png", values)[1].tobytes()

    def _save(self, path: Path, values: npt.NDArray[Any]) -> None:
        data = self.encode(values)
        try:
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)  # half a picture
            raise

    def _name(self, number: int) -> str:
        return NUMBER.sub(lambda match: match[0] % number, self._target.name)

    def _refuse_existing(self) -> None:
        if self._single:
            if os.path.exists(self._target):
                raise landing.exists(self._spec)
            return
        folder = self._target.parent
        before, after = NUMBER.split(self._target.name)[::2]
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            number = path.name[len(before) : len(path.name) - len(after)]
            if number.isdecimal() and self._name(int(number)) == path.name:
                raise landing.exists(self._spec, path.name)
