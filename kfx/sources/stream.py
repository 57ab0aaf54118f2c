"""A stream from another program or machine, by URL: ``rtsp srt udp tcp rtmp http``.

    rtsp://user:password@10.0.0.7/live       an IP or PTZ camera, over TCP
    srt://10.0.0.7:9700?latency=80           calls a sender; ?mode=listener waits for one; needs
                                             the ``ffmpeg`` program; latency in milliseconds
    udp://:9600, udp://239.0.0.1:9600        MPEG-TS that is sent here, or to a group
    tcp://127.0.0.1:9500                     NUT or MPEG-TS of a program that listens
    http://10.0.0.9:8080/video               MJPEG of a telephone; HLS

The rest of a URL is for FFmpeg. Nothing is waited for: the newest picture counts, its capture time
is that of its arrival. Sound is left out. Where no host is named only this machine is let in;
``0.0.0.0`` opens the port to every network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction

import av

from kfx import clock
from kfx.errors import KfxError
from kfx.sources import Request
from kfx.sources.stream_address import bound, shown
from kfx.sources.stream_received import OPEN_S, SILENT_S, Received
from kfx.sources.video_pixels import Upright, colour_tags, has_alpha
from kfx.types import Frame, SourceInfo

_STRAY_S = 2.0  # a sender's clock that is so far from ours has jumped
_LOST = (av.FFmpegError, OSError, ValueError)
_QUICK = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "500000"}
_QUICK |= {"analyzeduration": "500000", "rtsp_transport": "tcp", "overrun_nonfatal": "1"}


def open_source(request: Request) -> StreamSource:
    """Raises `UsageError` for an address that can't be meant, `KfxError` where nothing comes."""
    return StreamSource(request)


class StreamSource:
    """A live `Source`. `frames` raises `KfxError` when the stream ends or falls silent."""

    def __init__(self, request: Request) -> None:
        self.warnings: list[str] = []
        self._place = shown(request.rest)
        self._closed = False
        self._received: Received | None = None
        try:
            self._container = self._opened(request.rest)
            self._frames = self._decoded()
            first = next(self._frames, None)
        except _LOST as error:
            self._end()
            raise KfxError(
                f"{self._place}: no picture comes from there ({_reason(error)}); is the sender on, "
                "and are address and port right?"
            ) from None
        if first is None:
            self._end()
            raise KfxError(f"{self._place}: it ends before its first picture")
        self._opened_at, self._first = clock.now(), first
        stream = self._container.streams.video[0]
        rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
        self._upright = Upright(first, stream.sample_aspect_ratio)
        self.info = SourceInfo(
            spec=self._place,
            kind="stream",
            size=self._upright.size,
            rate=next((Fraction(rate) for rate in rates if 1 <= rate <= 240), Fraction(30)),
            live=True,
            has_alpha=has_alpha(first),
            colour=colour_tags(first),
        )

    def frames(self) -> Iterator[Frame]:
        picture, index, last, shift = self._first, 0, Fraction(-1), Fraction(0)
        zero = Fraction(picture.pts or 0) * (picture.time_base or 0)
        try:
            while not self._closed:
                now = clock.now()
                arrived = Fraction(round((now - self._opened_at) * 1e6), 1_000_000)
                time = arrived
                if picture.pts is not None and picture.time_base:
                    told = picture.pts * picture.time_base - zero
                    if abs(told + shift - arrived) > _STRAY_S:
                        shift = arrived - told
                    time = told + shift
                last = time = max(time, last + Fraction(1, 1_000_000))
                if (picture.width, picture.height) != (self._first.width, self._first.height):
                    raise KfxError(
                        f"{self._place}: the picture is now {picture.width}x{picture.height}"
                    )
                yield Frame(self._upright(picture), index, time, now)
                index += 1
                following = next(self._frames, None)
                if following is None:
                    if self._closed:
                        return
                    raise KfxError(f"{self._place}: the stream has ended")
                picture = following
        except _LOST as error:
            if not self._closed:
                raise KfxError(f"{self._place}: the stream is lost ({_reason(error)})") from None
        finally:
            self._end()

    def close(self) -> None:
        """Also from another thread: a read in progress ends the stream when it returns."""
        self._closed = True
        if self._received is not None:
            self._received.close()

    def __enter__(self) -> StreamSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _opened(self, url: str) -> av.container.InputContainer:
        scheme = url.partition(":")[0]
        if scheme == "srt":
            self._received = Received(url)
            return av.open(self._received, format="nut", options=_QUICK)
        return av.open(bound(url), options=dict(_QUICK), timeout=(OPEN_S, SILENT_S))

    def _decoded(self) -> Iterator[av.VideoFrame]:
        if not self._container.streams.video:
            raise ValueError("it has no picture")
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # threads by frame hold pictures back
        for packet in self._container.demux(stream):
            if self._closed:
                return
            with contextlib.suppress(av.error.InvalidDataError):  # a lost packet
                yield from packet.decode()

    def _end(self) -> None:
        self._closed = True
        if self._received is not None:
            self._received.close()
        with contextlib.suppress(AttributeError):  # it was never opened
            self._container.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, av.error.ExitError):
        return "nothing came in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
