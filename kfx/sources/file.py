"""Frames of a video file, every one of them, at their exact times."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from kfx import clock, timecode
from kfx.errors import KfxError
from kfx.sources import Request
from kfx.sources.video_facts import Timing, count_before, start_timecode, timing
from kfx.sources.video_pixels import MATRICES, Upright, assumed_matrix, colour_tags, has_alpha
from kfx.sources.video_reader import Reader, Stamped
from kfx.types import Frame, SourceInfo

_RAW = frozenset({".yuv", ".rgb", ".raw", ".nv12", ".i420", ".uyvy"})
_Next = tuple[int, Fraction, av.VideoFrame]


def open_source(request: Request) -> FileSource:
    """Raises `KfxError` for anything that yields no picture, naming the file and the remedy."""
    request.reject_unknown_options(set())
    return FileSource(request)


class FileSource:
    """A `Source`. `warnings` grows while reading: damage that was skipped, for the user to read.

    `info.timecode` and `info.frame_count` are those of the cut; `Frame.index` and `Frame.time`
    count from the first frame of the file.
    """

    def __init__(self, request: Request) -> None:
        self.warnings: list[str] = []
        self._spec = request.spec
        self._start, self._stop = request.start_s, request.stop_s
        self._lock = threading.Lock()
        self._closed = False
        self._reader = Reader(self._spec, _checked_path(request))
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        reader = self._reader
        head = next(reader.pictures, None)
        if head is None:
            raise KfxError(
                f"{self._spec}: no frame of its {reader.codec.name} video can be decoded; "
                "re-encode it, e.g. with ffmpeg to H.264"
            )
        self._zero, first = head
        self._base = reader.stream.time_base
        self._timing = timing(reader.path, reader.container, reader.stream)
        self._timecode, note = start_timecode(reader.container, self._timing.rate)
        self._upright = Upright(first, reader.stream.sample_aspect_ratio)
        self._last, self._index = Fraction(-1), -1
        notes = _notes(first, reader.stream, self._timing) + ((note,) if note else ())
        self._pending: _Next | None = self._first_of_cut(head)
        time = self._pending[1]
        self.info = SourceInfo(
            spec=self._spec,
            kind="file",
            size=self._upright.size,
            rate=self._timing.rate,
            frame_count=self._count(time),
            timecode=self._code(time),
            has_alpha=has_alpha(first),
            variable_rate=self._timing.variable,
            colour=colour_tags(first),
            audio=reader.path if reader.container.streams.audio else None,
            notes=notes,
        )

    def frames(self) -> Iterator[Frame]:
        """Every frame of the cut. Damaged parts are skipped and named in `warnings`."""
        try:
            while True:
                with self._lock:
                    if self._closed or self._pending is None:
                        break
                    index, time, picture = self._pending
                    captured = clock.now()
                    self._pending = self._next()
                yield Frame(self._upright(picture), index, time, captured, self._code(time))
            if not self._closed:
                self._judge_the_end()
        finally:
            self.close()

    def close(self) -> None:
        self._closed = True
        with self._lock:
            self._reader.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _next(self) -> _Next | None:
        stamped = next(self._reader.pictures, None)
        if stamped is None:
            return None
        time = self._time_of(stamped[0])
        if self._stop is not None and time >= self._stop:
            return None
        self._last = time
        self._index += 1
        return self._index, time, stamped[1]

    def _time_of(self, stamp: int | None) -> Fraction:
        """Seconds since the first frame, rising; on the grid where the stamp was rounded."""
        rate = self._timing.rate
        if stamp is None or self._zero is None:
            return self._last + 1 / rate if self._last >= 0 else Fraction(0)
        time = (stamp - self._zero) * self._base
        on_grid = round(time * rate) / rate
        if not self._timing.variable and abs(time - on_grid) <= self._base < 1 / (2 * rate):
            time = on_grid
        return time if time > self._last else self._last + 1 / rate

    def _code(self, time: Fraction) -> str | None:
        if self._timecode is None:
            return None
        return timecode.advance(self._timecode, round(time * self._timing.rate), self._timing.rate)

    def _first_of_cut(self, head: Stamped) -> _Next:
        """Go to the first frame at or after the start: by a key frame before it, or by reading."""
        if self._start <= 0:
            if self._stop is not None and self._stop <= 0:
                raise self._empty_cut()
            self._last, self._index = Fraction(0), 0
            return 0, Fraction(0), head[1]
        sought = self._reader.seek(self._zero, self._start)
        if not sought:
            self._reader.restart()
        stamp: int | None
        for found in self._reader.pictures:
            stamp, picture = found
            time = self._time_of(stamp)
            if time >= self._start:
                break
            self._last = time
            self._index += 1
        else:
            raise self._empty_cut()
        if self._stop is not None and time >= self._stop:
            raise self._empty_cut()
        self._last = time
        self._index += 1
        if sought and stamp is not None:
            self._index = count_before(self._reader.path, self._reader.stream.index, stamp)
        return self._index, time, picture

    def _count(self, first_time: Fraction) -> int | None:
        total, rate = self._timing.frame_count, self._timing.rate
        if total is None:
            return None
        left = max(1, total - self._index)
        if self._stop is None:
            return left
        span = self._stop - first_time
        return max(1, min(left, -int(-span * rate // 1)))

    def _empty_cut(self) -> KfxError:
        upto = "its end" if self._stop is None else f"{float(self._stop):g} s"
        long = self._timing.duration
        length = f"; it is {float(long):.3f} s long" if long else ""
        return KfxError(
            f"{self._spec}: no frame from {float(self._start):g} s to {upto}{length}; "
            "choose another cut"
        )

    def _judge_the_end(self) -> None:
        end, long = self._last + 1 / self._timing.rate, self._timing.duration
        if self._reader.faults:
            self.warnings.append(
                f"{self._spec}: {self._reader.faults} damaged packets; frames may be missing or "
                f"wrong, the last good one lies at {float(self._last):.3f} s"
            )
        elif self._stop is None and long and long - end > max(0.5, 3 / self._timing.rate):
            self.warnings.append(
                f"{self._spec}: ends at {float(end):.3f} s of {float(long):.3f} s; "
                "the file seems to be cut off"
            )


def _checked_path(request: Request) -> str:
    path, spec = Path(request.rest), request.spec
    if path.is_dir():
        raise KfxError(f"{spec}: is a folder; name a file in it, or a sequence like plate.%04d.png")
    if not path.exists():
        raise KfxError(f"{spec}: no such file; check the path")
    if not path.is_file():
        raise KfxError(f"{spec}: is no ordinary file; name a video file")
    if not os.access(path, os.R_OK):
        raise KfxError(f"{spec}: may not be read; check its permissions")
    if path.stat().st_size == 0:
        raise KfxError(f"{spec}: is empty (0 bytes); copy or export it again")
    if path.suffix.lower() in _RAW:
        raise KfxError(
            f"{spec}: raw pixels don't say their size; wrap them first: ffmpeg -f rawvideo "
            f"-pixel_format yuv420p -video_size 1280x720 -framerate 25 -i {path.name} out.mkv"
        )
    return os.path.abspath(path)  # never taken for a protocol, whatever it is called


def _notes(first: av.VideoFrame, stream: VideoStream, timing: Timing) -> tuple[str, ...]:
    notes = []
    bits = max(c.bits for c in first.format.components)
    if bits > 8:
        notes.append(f"{bits}-bit picture ({first.format.name}) read as 8 bits")
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        notes.append(
            f"pixels are {aspect.numerator}:{aspect.denominator}; "
            f"{first.width}x{first.height} scaled in width to square pixels"
        )
    if first.interlaced_frame:
        notes.append("interlaced: both fields are shown woven together; deinterlace it first")
    if first.color_trc in (16, 18):
        name = "PQ" if first.color_trc == 16 else "HLG"
        notes.append(f"HDR ({name}) is kept as it is, without tone mapping; grade it to SDR first")
    if not first.format.is_rgb and not first.format.name.startswith("gray"):
        if first.colorspace in (2, 3) and 480 < first.height < 720:
            # Either matrix is a fair guess only between SD and HD sizes.
            name = "BT.601" if assumed_matrix(first.height).value == 5 else "BT.709"
            notes.append(f"no colour tags; read as {name} for its height of {first.height}")
        elif first.colorspace not in MATRICES and first.colorspace not in (0, 2, 3):
            notes.append(f"colour matrix {first.colorspace} isn't known; read as BT.709 or 601")
    if timing.variable:
        notes.append("variable frame rate: every frame keeps its own time")
    return tuple(notes)
