"""The newest picture as JPEG, once a size and quality for however many look.

As an end of a show it takes shots, and only makes a note of them: whoever sends them never waits.
All else runs in the panel's event loop, a thread that wakes it up and one that encodes.
"""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kfx import clock
from kfx.panel.viewer import BEST, Step, Viewer
from kfx.types import Pixels, Shot

MOST_A_SECOND = 120.0  # pictures sent, to all viewers together


class Pictures:
    """`put` from any one thread; `next_for` in the event loop that `bind` was given."""

    failed = True  # as an end of a show: one whose sinks have failed is over, whoever looks

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.count = 0
        self.encoded = 0
        self._shot: tuple[int, Shot, float] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        # Waking an event loop is a system call, after which a busy loop waits to go on: not here.
        self._written = threading.Event()
        self._over = False
        self._waker = threading.Thread(target=self._wake, name="kfx-panel-news", daemon=True)
        self.encoder = ThreadPoolExecutor(1, "kfx-panel-jpeg")
        self._made: dict[tuple[Step, bool], tuple[int, asyncio.Future[bytes]]] = {}

    @property
    def shot(self) -> Shot | None:
        return self._shot[1] if self._shot else None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop in which viewers are served."""
        self._loop = loop
        self._waker.start()

    def put(self, shot: Shot) -> None:
        """Make this the newest picture."""
        self.count += 1
        self._shot = (self.count, shot, clock.now())
        if self.viewers:
            self._written.set()

    def close(self) -> None:
        """Nobody is served any more. May be called twice."""
        self._over = True
        self._written.set()
        if self._waker.ident is not None:
            self._waker.join(2.0)
        self.encoder.shutdown(wait=False, cancel_futures=True)

    def start(self) -> None:
        """The show begins; pictures are served from the first one on."""

    def finish(self) -> None:
        """The show is over; the last picture stays until `close`."""

    def note_news(self) -> None:
        """Nothing here has news."""

    def _wake(self) -> None:
        while self._written.wait() and not self._over:
            self._written.clear()
            assert self._loop
            try:
                self._loop.call_soon_threadsafe(self._tell)
            except RuntimeError:  # it has ended
                return

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def next_for(self, viewer: Viewer) -> bytes:
        """The next picture for a viewer, when there is one and the viewer has room for it.

        Now and then it is none, ahead of one, to learn how long the way is.
        """
        while True:
            shot, now = self._shot, clock.now()
            if shot is not None and viewer.wants(shot[0], now):
                break
            late = shot is not None and shot[0] != viewer.seen
            wait_s = min(viewer.wait_s(now), 0.5) if late else 0.5
            try:
                await asyncio.wait_for(self._news.wait(), wait_s)
            except TimeoutError:
                continue
        if (probe := viewer.probe(now)) is not None:
            return packed({"n": probe, "l": []}, [])
        count, newest, at = shot
        viewer.seen = count
        viewer.due = now + len(self.viewers) / MOST_A_SECOND
        # It may change its mind while this is encoded.
        step, faces = viewer.step(newest.pixels.shape[1]), viewer.faces
        pictures = [newest.pixels, newest.tick.frame.pixels][: 1 + viewer.plate]
        parts = [
            await self._jpeg(count, one, step, plate=bool(i)) for i, one in enumerate(pictures)
        ]
        viewer.sends(count, at, clock.now(), step, len(parts))
        return packed(header(newest, count, faces, [len(one) for one in parts]), parts)

    def room(self) -> None:
        """A viewer has room again, or wants something else."""
        self._tell()

    async def _jpeg(self, count: int, pixels: Pixels, step: Step, *, plate: bool) -> bytes:
        """Encoded once: whoever asks for the same waits for the same."""
        known = self._made.get((step, plate))
        if known is None or known[0] != count:
            loop = asyncio.get_running_loop()
            self.encoded += 1
            future = loop.run_in_executor(self.encoder, jpeg, pixels, step.width, step.quality)
            self._made[(step, plate)] = known = (count, future)
        return await asyncio.shield(known[1])


def header(shot: Shot, count: int, faces: bool, lengths: list[int]) -> dict[str, Any]:
    """What goes before the pictures: number, their lengths, where the song is, the faces' boxes.

    Boxes are in parts of width and height.
    """
    tick = shot.tick
    height, width = tick.frame.pixels.shape[:2]
    said: dict[str, Any] = {"n": count, "l": lengths, "beat": round(tick.beat, 2)}
    said["bar"] = round(tick.bar, 3)
    if tick.frame.timecode:
        said["tc"] = str(tick.frame.timecode)
    if faces:
        scale = (width, height, width, height)
        said["faces"] = [
            [face.slot, *(round(a / b, 4) for a, b in zip(face.box, scale, strict=True))]
            for face in tick.faces
            if face.found
        ]
    return said


def packed(head: dict[str, Any], parts: list[bytes]) -> bytes:
    """Length of the header in four bytes, the header as JSON, then the pictures."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((struct.pack(">I", len(text)), text, *parts))


def jpeg(pixels: Pixels, width: int, quality: int = BEST) -> bytes:
    """RGBA (h, w, 4) as a JPEG `width` wide; what is transparent is black."""
    import cv2

    height, full = pixels.shape[:2]
    rgba: Any = np.ascontiguousarray(pixels)
    if width < full:
        size = (width, max(1, round(height * width / full)))
        rgba = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
    alpha = cv2.extractChannel(rgba, 3)
    if cv2.minMaxLoc(alpha)[0] < 255:
        rgba = cv2.multiply(rgba, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGBA), scale=1 / 255)
    bgr = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    data: Callable[[], bytes] = cv2.imencode(".jpg", bgr, options)[1].tobytes
    return data()
