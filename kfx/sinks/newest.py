"""The newest shot for any number of viewers, encoded once and only while somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kfx import clock
from kfx.types import Pixels, Shot

QUALITY = 85
REPEAT_S = 1.0  # an unchanged picture is sent again: only so is a closed tab noticed


class Newest:
    """One writer puts shots in, viewers wait for them. `viewers` is how many look."""

    def __init__(self) -> None:
        self.closed = False
        self.viewers = 0
        self.count = 0
        self.shot: Shot | None = None
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._jpegs: dict[bool, tuple[int, bytes]] = {}
        self._rate = (clock.now(), 0, 0.0)  # measured at, count then, frames a second

    def put(self, shot: Shot) -> None:
        """Make this the newest shot."""
        self.shot = shot
        self.count += 1
        if self.viewers:
            with self._changed:
                self._changed.notify_all()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a viewer in for the time of the block."""
        with self._changed:
            self.viewers += 1
        try:
            yield
        finally:
            with self._changed:
                self.viewers -= 1

    def wait(self, after: int) -> int:
        """The count of the newest shot once it differs from `after`, or after a second."""
        with self._changed:
            self._changed.wait_for(lambda: self.count != after or self.closed, REPEAT_S)
        return self.count

    def jpeg(self, *, plate: bool = False) -> bytes:
        """The newest shot, or its plate, as JPEG; empty before the first shot."""
        return self.pair(plates=plate)[1][-1]

    def pair(self, *, plates: bool) -> tuple[int, tuple[bytes, ...]]:
        """A shot's count and its JPEG, with its plate's JPEG behind it if asked for."""
        with self._encoding:
            count, shot = self.count, self.shot
            if shot is None:
                return count, (b"", b"") if plates else (b"",)
            pictures = [shot.pixels, shot.tick.frame.pixels][: 1 + plates]
            return count, tuple(
                self._encoded(count, bool(i), pixels) for i, pixels in enumerate(pictures)
            )

    def _encoded(self, count: int, plate: bool, pixels: Pixels) -> bytes:
        import cv2

        known, data = self._jpegs.get(plate, (-1, b""))
        if known != count:
            rgba = np.ascontiguousarray(pixels)
            alpha = cv2.extractChannel(rgba, 3)
            if cv2.minMaxLoc(alpha)[0] < 255:  # JPEG has no alpha: transparent is black
                rgba = cv2.multiply(rgba, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGBA), scale=1 / 255)
            bgr = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
            self._jpegs[plate] = (count, data)
        return data

    def fps(self) -> float:
        """Shots a second, over at least half a second."""
        then, count, fps = self._rate
        elapsed = clock.now() - then
        if elapsed > 0.5:
            fps = (self.count - count) / elapsed
            self._rate = (then + elapsed, self.count, fps)
        return fps

    def close(self) -> None:
        """Wake every viewer up to go."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self.shot = None
