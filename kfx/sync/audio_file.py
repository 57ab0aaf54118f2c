"""The sound of any audio or video file as blocks of samples, through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError

Samples = npt.NDArray[np.float32]


def blocks(path: str | Path) -> Iterator[tuple[float, int, Samples]]:
    """(time of the first sample, sample rate, (n, channels) full scale ±1) in order.

    Time counts from the first picture where the file has one, else from the first sample. Broken
    packets leave a hole. Raises `KfxError` for a file without readable sound.
    """
    import av

    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise KfxError(
            f"{path}: can't be read as sound ({text}); name a sound or video file"
        ) from None
    with container:
        stream = container.streams.best("audio")
        if stream is None or stream.codec_context is None:
            raise KfxError(f"{path}: has no sound that can be read")
        zero = _picture_start(container)
        context: Any = stream.codec_context
        rate = int(context.sample_rate)
        resampler = av.AudioResampler("fltp", context.layout, rate)
        end: float | None = None
        for frame in _frames(container, stream):
            if frame.pts is not None:
                start = float(frame.pts * frame.time_base) - zero
                # Smaller differences are rounding of the container.
                end = start if end is None or abs(start - end) > 0.05 else end
            frame.pts = None
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray().T.astype(np.float32, copy=False)
                yield end or 0.0, rate, samples
                end = (end or 0.0) + len(samples) / rate


def load(path: str | Path) -> tuple[Samples, int]:
    """The whole file: (n, channels) from time 0 on, holes silent, and the sample rate."""
    parts: list[Samples] = []
    rate = 0
    for rate, samples in pieces(path):  # noqa: B007 - told with each piece
        parts.append(samples)
    return np.concatenate(parts), rate


def pieces(path: str | Path) -> Iterator[tuple[int, Samples]]:
    """Sample rate and (n, channels), one piece joined to the other, from time 0 on.

    Holes are silent. Raises `KfxError` for a file without readable sound.
    """
    at = 0
    for start, rate, samples in blocks(path):
        first = round(start * rate)
        if first > at and (first - at) / rate < 3600:
            yield rate, np.zeros((first - at, samples.shape[1]), np.float32)
            at = first
        fresh = samples[max(0, at - first) :]
        yield rate, fresh
        at += len(fresh)
    if not at:
        raise KfxError(f"{path}: has no sound that can be read")


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except (av.FFmpegError, EOFError):
            continue


def _picture_start(container: Any) -> float:
    """Where the first video frame lies on the container's own timeline, in seconds."""
    video = container.streams.best("video")
    if video is None or video.start_time is None:
        return _sound_start(container)
    return float(video.start_time * video.time_base)


def _sound_start(container: Any) -> float:
    audio = container.streams.best("audio")
    return float((audio.start_time or 0) * audio.time_base)
