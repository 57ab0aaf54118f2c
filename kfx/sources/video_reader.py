"""Pictures of a video file with their time stamps, stepping over what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from kfx.errors import KfxError

Stamped = tuple[int | None, av.VideoFrame]
"""A picture and its presentation time in the stream's time base; None where it has none."""

_NO_VIDEO_FORMATS = frozenset({"tty", "ass", "srt", "webvtt", "image2", "lrc"})
_GIVE_UP_AFTER = 500  # packets without a picture
_SEEK_BACK_S = (0, 2, 10)  # where to land before the cut, until a frame before it turns up


class Reader:
    """The video stream of one file. Iterate `pictures`; `seek` and `restart` replace it.

    `faults` counts packets that could not be read or decoded.
    """

    def __init__(self, spec: str, path: str) -> None:
        self.spec, self.path = spec, path
        self.restart()

    def restart(self) -> None:
        """Back to the first frame, by opening the file again."""
        if hasattr(self, "container"):
            self.close()
        self.faults = 0
        self.container, self.stream = _open_video(self.spec, self.path)
        self.codec = _decoder(self.stream)
        self.pictures: Iterator[Stamped] = self._decode()

    def close(self) -> None:
        self.container.close()

    def seek(self, zero: int | None, start: Fraction) -> bool:
        """Go to a frame at most `start` seconds after the stamp `zero`.

        False where that can't be done: the caller restarts and reads up to there instead.
        """
        if zero is None or self.codec.name in ("vp8", "libvpx"):
            return False  # raw streams have no times; VP8 hides frames that can't be counted
        base = self.stream.time_base
        for back in _SEEK_BACK_S:
            if start <= back:
                return False
            try:
                self.container.seek(int(zero + (start - back) / base), stream=self.stream)
                self.codec.flush_buffers()
            except av.FFmpegError:
                return False
            self.pictures = self._decode()
            first = next(self.pictures, None)
            if first and first[0] is not None and (first[0] - zero) * base <= start:
                self.pictures = chain([first], self.pictures)
                return True
        return False

    def _decode(self) -> Iterator[Stamped]:
        unanswered = 0
        last: av.VideoFrame | None = None
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.faults += 1
                packet = None
            if packet is not None and packet.size == 0:
                if packet.pts is not None and last is not None:
                    yield packet.pts, last  # Theora: an empty packet repeats the last picture
                    continue
                packet = None  # the demuxer's own mark for the end
            damaged = packet is not None and packet.is_corrupt
            try:
                pictures = self.codec.decode(packet)
            except (av.FFmpegError, EOFError):
                damaged, pictures = packet is not None, []
            self.faults += damaged
            unanswered = 0 if pictures else unanswered + 1
            for last in pictures:
                yield last.pts if last.pts is not None else last.dts, last
            if packet is None or unanswered > _GIVE_UP_AFTER:
                return


def _open_video(spec: str, path: str) -> tuple[InputContainer, VideoStream]:
    try:
        container = av.open(path, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KfxError(
            f"{spec}: can't be read as video ({reason}); it may be damaged, cut off or no video "
            "at all: play it in another program, export it again"
        ) from None
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if container.format.name in _NO_VIDEO_FORMATS or not pictures:
        kinds = ", ".join(sorted({s.type or "unknown" for s in container.streams})) or "nothing"
        if container.format.name in _NO_VIDEO_FORMATS:
            kinds = "text"
        container.close()
        raise KfxError(f"{spec}: holds no video (only {kinds}); name a file with a picture")
    best = container.streams.best("video")
    stream = best if best in pictures else pictures[0]
    if stream.codec_context is None:
        container.close()
        raise KfxError(f"{spec}: its video codec is unknown here; re-encode it to H.264 or ProRes")
    return container, stream


def _decoder(stream: VideoStream) -> av.VideoCodecContext:
    codec = stream.codec_context
    if codec.name in ("vp8", "vp9") and stream.metadata.get("alpha_mode") == "1":
        # FFmpeg's own decoders leave the alpha out.
        codec = av.CodecContext.create("libvpx-vp9" if codec.name == "vp9" else "libvpx", "r")
    # Frame threads hold pictures back; a Theora repeat must find the one before it.
    codec.thread_type = "SLICE" if codec.name == "theora" else "AUTO"
    return codec
