"""A stream to other programs and machines, by URL: ``nut srt rtsp rtmp udp``.

    nut://127.0.0.1:9500                  kfx listens; any number of programs read NUT with alpha,
                                          raw RGBA or ``?codec=ffv1``, from tcp://127.0.0.1:9500;
                                          ``?mode=caller`` connects to one that listens
    srt://127.0.0.1:9700?mode=listener    MPEG-TS with H.264; mode=caller (the default) calls;
                                          latency=MILLISECONDS passphrase= streamid=
    rtsp://10.0.0.5:8554/kfx              publishes to an RTSP server; transport=tcp|udp
    rtmp://host/app/key, rtmps://…        publishes H.264 as FLV
    udp://10.0.0.5:9600                   MPEG-TS with H.264, also to a group

H.264 takes ``bitrate=6M codec=h264_nvenc preset=… gop=SECONDS``. Where no host is named it is this
machine; to listen on every network write 0.0.0.0. A receiver that is absent or goes away is tried
again every second, and said once; until then pictures are dropped and nothing else is touched.
No stream carries sound: a show is pictures, the song plays from the playback and is mixed where
the stream arrives (kfx render, for files, keeps the sound of its source).
"""

from __future__ import annotations

import contextlib
import socket

import av

from kfx import clock
from kfx.errors import KfxError
from kfx.sinks.nut_server import NutServer
from kfx.sinks.stream_encoder import Encoder
from kfx.sinks.stream_roads import DATAGRAM, TIMEOUT_S, Child, Road, Tcp, Udp, carried
from kfx.sinks.stream_url import Address, parse
from kfx.types import Shot, Sink, StreamInfo

RETRY_S = 1.0
HELD_S = 3.0  # after a loss; UDP says that nobody listens only with the second datagram
STALL_S = 5.0  # a receiver that takes nothing for so long is gone without a word
_LOST = (OSError, av.FFmpegError)


def open_sink(spec: str, stream: StreamInfo) -> Sink:
    """Raises `UsageError` for an address that can't be meant, `KfxError` for a taken port."""
    address = parse(spec)
    codec = address.options.get("codec", "libx264")
    if address.scheme != "nut" and codec not in av.codecs_available:
        raise KfxError(f"{address.place}: codec: this FFmpeg has no {codec!r}; leave it out")
    if address.scheme == "nut" and address.options.get("mode") != "caller":
        return NutServer(address, stream)
    if address.scheme in ("srt", "rtsp", "rtmp", "rtmps"):
        carried(address)  # says now if that can't be done here
    return StreamSink(address, stream)


class StreamSink:
    """One receiver. `dropped` counts pictures it couldn't take."""

    def __init__(self, address: Address, stream: StreamInfo) -> None:
        self.warnings: list[str] = []
        self.dropped = 0
        self._address, self._stream = address, stream
        self._road: Road | None = None
        self._encoder: Encoder | None = None
        self._again_at = self._took_at = clock.now()
        self._lost_at: float | None = None  # when it was lost last, until it has held for a while
        self._key = True
        self._closed = False

    def write(self, shot: Shot) -> None:
        """Send this picture if the receiver is there and takes it."""
        if self._closed:
            return
        try:
            if self._road is None:
                if clock.now() < self._again_at:
                    self.dropped += 1
                    return
                self._connect()
            assert self._road is not None
            if not self._road.ready():
                self._wait_for_room()
                return
            self._took_at = clock.now()
            if self._encoder is None:
                self._encoder = self._opened(self._road)
            self._encoder.put(shot.pixels, shot.tick.time, key=self._key)
            self._key = False
            if self._lost_at is not None and clock.now() - self._lost_at > HELD_S:
                self._lost_at = None
                self.warnings.append("is back")
        except _LOST as error:
            self._lost(error)

    def _wait_for_room(self) -> None:
        self.dropped += 1
        self._key = True  # what follows a gap must not lean on what was lost
        waits = self._address.options.get("mode") == "listener"  # for its first caller
        if not waits and clock.now() - self._took_at > STALL_S:
            raise OSError(f"nothing taken for {STALL_S:g} s")

    def _connect(self) -> None:
        self._took_at = clock.now()
        address = self._address
        match address.scheme:
            case "udp":
                self._road = Udp(address.host, address.port or 0)
            case "nut":
                to = (address.host, address.port or 0)
                self._road = Tcp(socket.create_connection(to, timeout=TIMEOUT_S))
            case _:
                self._road = Child(*carried(address))

    def _opened(self, road: Road) -> Encoder:
        options, stream = self._address.options, self._stream
        if self._address.scheme == "nut":
            codec = options.get("codec", "raw")
            return Encoder(road, "nut", stream, options, codec=codec, buffer_size=1 << 20)
        codec = options.get("codec", "libx264")
        if self._address.scheme == "udp":
            return Encoder(road, "mpegts", stream, options, codec=codec, buffer_size=DATAGRAM)
        return Encoder(road, "nut", stream, options, codec=codec)

    def _lost(self, error: Exception) -> None:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if self._lost_at is None:
            self.warnings.append(f"no connection ({said}); tried again every second")
        self._lost_at = clock.now()
        self.dropped += 1
        self._let_go(broken=True)
        self._again_at = clock.now() + RETRY_S

    def _let_go(self, *, broken: bool = False) -> None:
        encoder, self._encoder = self._encoder, None
        road, self._road = self._road, None
        self._key = True
        ends = [end.close for end in (encoder, road) if end is not None]
        for close in reversed(ends) if broken else ends:  # no last words to one who is gone
            with contextlib.suppress(*_LOST):
                close()

    def close(self) -> None:
        """End the stream. May be called twice."""
        self._closed = True
        self._let_go()

    abort = close

    def __enter__(self) -> StreamSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
