"""The audio of the source in a video file: copied where the container takes it, else encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer, OutputContainer

from kfx.errors import KfxError
from kfx.types import StreamInfo

_NEEDS_HEADER = frozenset({"aac", "alac"})  # ADTS and the like can't be copied as they are
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_PLANAR = {"aac": "fltp", "pcm_s16le": "s16p"}
_SEEK_FROM_S = 10  # nearer cuts are reached by reading
_END = Fraction(10**9)

Samples = npt.NDArray[np.float32] | npt.NDArray[np.int16]
_Timed = tuple[Fraction, av.Packet]


class AudioTrack:
    """Feeds one audio stream into `container`, in step with the picture.

    `stream.audio_from` and `audio_to` count from the file's first video frame, as the picture's
    times do; without `audio_to` the audio goes on to its own end. Copied audio starts up to two
    packets before the cut, so that a decoder is warm; the container's edit list hides them.
    """

    def __init__(
        self, container: OutputContainer, stream: StreamInfo, *, copied: frozenset[str], codec: str
    ) -> None:
        assert stream.audio is not None
        self._path, self._container, self._codec = stream.audio, container, codec
        try:
            self._input = av.open(stream.audio, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise KfxError(
                f"{stream.audio}: its audio can't be read ({error}); render without audio"
            ) from None
        self._source = self._input.streams.best("audio")
        if self._source is None or self._source.codec_context is None:
            self._input.close()
            raise KfxError(f"{stream.audio}: has no audio that can be read; render without it")
        self._zero = _picture_start(self._input)
        self._from = self._zero + stream.audio_from
        self._to = None if stream.audio_to is None else self._zero + stream.audio_to
        context = self._source.codec_context
        name = context.codec.canonical_name
        self.warnings: list[str] = []
        if name in copied and (name not in _NEEDS_HEADER or context.extradata):
            self._out = container.add_stream_from_template(self._source, opaque=True)
            self._packets = self._copied()
        else:
            self._out = self._encoder()
            self._packets = self._encoded()
            self.warnings = [f"audio converted from {name} to {codec}"]
        self._seek()
        self._ahead: _Timed | None = None

    def start_at(self, time: Fraction) -> None:
        """Correct `audio_from`; only before the first `write_until`."""
        self._from = self._zero + time

    def write_until(self, time: Fraction) -> None:
        """Mux what belongs before `time`, in seconds of the output."""
        while True:
            if self._ahead is None:
                self._ahead = next(self._packets, None)
            if self._ahead is None or self._ahead[0] > time:
                return
            self._container.mux(self._ahead[1])
            self._ahead = None

    def finish(self) -> None:
        self.write_until(_END)
        self.close()

    def close(self) -> None:
        self._input.close()

    def _seek(self) -> None:
        """Come near a cut that lies far inside; where that fails, reading gets there too."""
        near = self._from - 2
        if near < _SEEK_FROM_S:
            return
        try:
            self._input.seek(int(near / self._source.time_base), stream=self._source)
        except av.FFmpegError:
            self._input.seek(0)

    def _readable(self) -> Iterator[av.Packet]:
        packets = self._input.demux(self._source)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None
            if packet is None:
                return
            if packet.size:
                yield packet

    def _copied(self) -> Iterator[_Timed]:
        base = self._source.time_base
        offset = round(self._from / base)
        last = None
        for packet in self._readable():
            if packet.pts is None or packet.pts + 3 * (packet.duration or 0) <= offset:
                continue
            if self._to is not None and packet.pts * base >= self._to:
                return
            if packet.is_discard and packet.pts >= offset:
                continue  # hidden by the source's edit list
            packet.pts -= offset
            if last is not None and packet.pts <= last:
                continue
            packet.dts = last = packet.pts
            packet.stream = self._out
            yield packet.pts * base, packet

    def _encoder(self) -> av.AudioStream:
        context = self._source.codec_context
        rate = next((r for r in _RATES if r <= context.sample_rate), _RATES[-1])
        if self._codec.startswith("pcm"):
            rate = context.sample_rate
        channels = context.layout.nb_channels
        out = self._container.add_stream(self._codec, rate=rate)
        out.layout = _LAYOUTS.get(channels, "stereo")
        if not self._codec.startswith("pcm"):
            out.bit_rate = 128_000 * channels
        return out

    def _encoded(self) -> Iterator[_Timed]:
        rate = self._out.codec_context.sample_rate
        end = None if self._to is None else max(0, round((self._to - self._from) * rate))
        at = 0  # samples given to the encoder
        for start, samples in self._decoded(rate):
            if end is not None:
                samples = samples[:, : max(0, end - start)]
            if start > at:  # a hole, or audio that starts late: silence keeps the sync
                hole = start - at if end is None else min(start, end) - at
                yield from self._encode(np.zeros((len(samples), hole), samples.dtype), at)
                at += hole
            fresh = samples[:, max(0, at - start) :]
            yield from self._encode(fresh, at)
            at += fresh.shape[1]
            if end is not None and at >= end:
                break
        yield from self._timed(self._out.encode(None))

    def _decoded(self, rate: int) -> Iterator[tuple[int, Samples]]:
        """(first sample, counted from the cut; (channels, n) samples), some before the cut."""
        kind = _PLANAR[self._codec]
        resampler = av.AudioResampler(kind, self._out.codec_context.layout, rate)
        last_end: int | None = None
        for packet in self._readable():
            try:
                frames = packet.decode()
            except (av.FFmpegError, EOFError):
                continue  # the hole is filled with silence
            for frame in frames:
                if frame.pts is not None:
                    start = round((frame.pts * frame.time_base - self._from) * rate)
                    if last_end is None or abs(start - last_end) > rate // 20:
                        last_end = start  # smaller differences are rounding of the container
                elif last_end is None:
                    last_end = round(-self._from * rate)
                frame.pts = None
                for piece in resampler.resample(frame):
                    samples = piece.to_ndarray()
                    yield last_end, samples
                    last_end += samples.shape[1]
        for piece in resampler.resample(None):
            if last_end is not None:
                yield last_end, piece.to_ndarray()
                last_end += piece.samples

    def _encode(self, samples: Samples, at: int) -> Iterator[_Timed]:
        step = 65536
        for first in range(0, samples.shape[1], step):
            part = np.ascontiguousarray(samples[:, first : first + step])
            frame = av.AudioFrame.from_ndarray(
                part, format=_PLANAR[self._codec], layout=self._out.codec_context.layout.name
            )
            frame.sample_rate = self._out.codec_context.sample_rate
            frame.pts, frame.time_base = at + first, Fraction(1, frame.sample_rate)
            yield from self._timed(self._out.encode(frame))

    def _timed(self, packets: list[av.Packet]) -> Iterator[_Timed]:
        for packet in packets:
            yield packet.pts * packet.time_base, packet


def _picture_start(container: InputContainer) -> Fraction:
    """Where the first video frame lies on the container's own timeline, in seconds."""
    video = container.streams.best("video")
    if video is None or video.start_time is None:
        return Fraction(0)
    return video.start_time * video.time_base
