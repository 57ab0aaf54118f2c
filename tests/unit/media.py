"""Small video files, made with PyAV where a test needs them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from kfx.types import Frame, Shot, Tick


def flat(colour: tuple[int, ...], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    rgba = (*colour, 255)[:4]
    return np.broadcast_to(np.array(rgba, np.uint8), (size[1], size[0], 4)).copy()


def numbered(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Grey that names its frame: 16 + 8 for every number, modulo 25."""
    return flat((16 + 8 * (index % 25),) * 3, size)


def number_of(pixels: np.ndarray) -> int:
    return round((float(pixels[8:-8, 8:-8, :3].mean()) - 16) / 8)


def shot(pixels: np.ndarray, index: int, time: Fraction) -> Shot:
    return Shot(pixels, Tick(index, float(time), 0.0, Frame(pixels, index, time, 0.0)))


def make(
    path: Path,
    pictures: list[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction = Fraction(25),
    stamps: list[Fraction] | None = None,
    options: dict[str, str] | None = None,
    timecode: str | None = None,
    rotation: int = 0,
    flip: bool = False,
    aspect: Fraction | None = None,
    tone_s: float = 0.0,
    matrix: int = 2,
    transfer: int = 2,
    interlaced: bool = False,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGBA pictures; `stamps` are seconds, by default one frame apart."""
    height, width = pictures[0].shape[:2]
    base = Fraction(1, 90000 if stamps else rate.numerator)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        video = container.add_stream(codec, rate, options=options or {"crf": "4"})
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = base
        video.codec_context.colorspace = matrix
        video.codec_context.color_trc = transfer
        if interlaced:
            video.codec_context.options = {"x264-params": "tff=1", "crf": "4"}
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation or flip:
            video.set_display_rotation(rotation, hflip=flip)
        if timecode:
            video.metadata["timecode"] = timecode
        audio = container.add_stream("aac", rate=48000) if tone_s else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgba").reformat(
                format=pix_fmt, dst_colorspace={1: 1}.get(matrix, 5), dst_color_range=1
            )
            frame.colorspace, frame.color_trc = matrix, transfer
            seconds = stamps[index] if stamps else index / rate
            frame.pts, frame.time_base = round(seconds / base), base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            time = np.arange(round(tone_s * 48000)) / 48000
            wave = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
    return path


def sound(path: Path | str) -> tuple[float, float, np.ndarray]:
    """(start, end, mono samples at 48 kHz) of the audio, in seconds since the first picture."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        zero = float((video.start_time or 0) * video.time_base)
        resampler = av.AudioResampler("fltp", "mono", 48000)
        start, chunks = None, []
        for frame in container.decode(audio=0):
            start = float(frame.pts * frame.time_base) if start is None else start
            frame.pts = None
            chunks += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    samples = np.concatenate(chunks)
    assert start is not None
    return start - zero, start - zero + len(samples) / 48000, samples
