"""Shots as a video file with exact times, colour tags, start timecode and the source's audio."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from math import lcm
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from kfx.errors import KfxError
from kfx.sinks import landing
from kfx.sinks.rescue import OPTIONS as RECORDING
from kfx.sinks.rescue import Disk, adopt, mend
from kfx.sinks.video_audio import AudioTrack
from kfx.sinks.video_recipe import MATRICES, RECIPES, Recipe, coded_tags
from kfx.types import Pixels, Shot, StreamInfo

_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_THREADS = min(4, os.cpu_count() or 1)
# A multiple of every time scale in common use: 600, 1000, 12800, 15360, 24000, 48000, 90000 …
_FINE = 5_760_000


class VideoSink:
    """Writes beside the target under a hidden name and renames when closed.

    The first shot lies at 0. `dropped` counts shots whose time did not rise. `warnings` says what
    was changed on the way, for the user to read.
    """

    def __init__(self, spec: str, stream: StreamInfo, recipe: Recipe | None = None) -> None:
        target = Path(spec)
        self._spec, self._stream = spec, stream
        self._recipe = recipe = recipe or RECIPES[target.suffix.lower()]
        self.warnings: list[str] = []
        self.written = 0
        self.dropped = 0
        self._done = False
        self._scale = _time_scale(stream)
        self._zero: Fraction | None = None
        self._last_pts = -1
        self._tags = coded_tags(stream, recipe)
        self._alpha = stream.has_alpha
        width, height = stream.size
        pad = 1 if recipe.even else 0
        self._coded = (width + (width & pad), height + (height & pad))
        self._pixel_format = recipe.alpha if stream.has_alpha and recipe.alpha else recipe.opaque
        self._reformatter = VideoReformatter()
        if self._coded != stream.size:
            self.warnings.append(
                f"{width}x{height} padded to {self._coded[0]}x{self._coded[1]}: H.264 in 4:2:0 "
                "has even sizes; the last column or row is repeated"
            )
        if stream.has_alpha and not recipe.alpha:
            self.warnings.append(f"{target.suffix} has no alpha: laid over black")
        if stream.live:
            self.warnings += [f"an unfinished recording was kept as {p}" for p in adopt(target)]
        self._landing = landing.Landing(spec, target)
        self._disk: Disk | None = None
        self._container = None
        self._audio: AudioTrack | None = None
        try:
            self._open()
        except KfxError:
            self.abort()
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise landing.failure(spec, error) from None

    def _open(self) -> None:
        recipe, stream = self._recipe, self._stream
        odd = self._coded[0] % 2 and recipe.odd_width
        codec, options = recipe.odd_width if odd else (recipe.codec, recipe.options)
        file: Disk | str = str(self._landing.path.resolve())
        if stream.live:
            file = self._disk = Disk(self._landing.path)
        self._container = av.open(
            file,
            "w",
            format=recipe.format,
            container_options=RECORDING if stream.live else recipe.container_options,
        )
        video = self._container.add_stream(codec, stream.rate, options=dict(options))
        video.width, video.height = self._coded
        video.pix_fmt = self._pixel_format
        video.time_base = Fraction(1, self._scale)
        context = video.codec_context
        context.time_base = Fraction(1, self._scale)
        context.color_primaries = self._tags.primaries
        context.color_trc = self._tags.transfer
        context.colorspace = self._tags.matrix
        context.color_range = ColorRange.JPEG if self._tags.full else ColorRange.MPEG
        context.thread_type = "AUTO"
        if stream.timecode:
            video.metadata["timecode"] = stream.timecode
        self._video = video
        if stream.audio:
            self._audio = AudioTrack(
                self._container, stream, copied=recipe.copied_audio, codec=recipe.audio_codec
            )
            self.warnings += self._audio.warnings
        self._container.start_encoding()

    def write(self, shot: Shot) -> None:
        time = Fraction(shot.tick.time) if self._stream.live else shot.tick.frame.time
        if self._zero is None:
            self._zero = time
            self._align_audio(time)
        pts = round((time - self._zero) * self._scale)
        if pts <= self._last_pts:
            self.dropped += 1
            return
        try:
            picture = self._convert(shot.pixels)
            picture.pts, picture.time_base = pts, Fraction(1, self._scale)
            picture.duration = self._frame_duration()
            self._mux(picture)
            if self._audio:
                self._audio.write_until(Fraction(pts, self._scale))
        except (av.FFmpegError, OSError) as error:
            raise self._ended_by(error) from None
        self._last_pts = pts
        self.written += 1

    def close(self) -> None:
        if self._done:
            return
        if not self.written:
            self.abort()
            raise landing.nothing(self._spec)
        try:
            self._mux(None)
            if self._audio:
                self._audio.finish()
            self._container.close()
            if self._disk:
                self._disk.close()
        except (av.FFmpegError, OSError) as error:
            raise self._ended_by(error) from None
        except BaseException:
            self.abort()
            raise
        self._done = True
        try:
            self._landing.land()
        except KfxError:
            self._landing.discard()
            raise

    def abort(self) -> None:
        if self._done:
            return
        self._let_go()
        self._landing.discard()

    def _let_go(self) -> None:
        self._done = True
        if self._audio:
            self._audio.close()
        if self._container:
            with suppress(av.FFmpegError, OSError, ValueError):  # half a file
                self._container.close()
        if self._disk:
            self._disk.close()

    def _ended_by(self, error: Exception) -> KfxError:
        """What to tell the user; of a recording everything up to the last second is kept."""
        fault = landing.failure(self._spec, (self._disk and self._disk.error) or error)
        if not self._stream.live:
            self.abort()
            return fault
        if not self._done:
            self._let_go()
            with suppress(KfxError, OSError):
                if mend(self._landing.path):
                    self._landing.land()
                    return KfxError(f"{fault}; what was recorded before is kept")
            self._landing.discard()
        return fault

    def __enter__(self) -> VideoSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        elif self._stream.live:  # whatever broke, the take is not to be had again
            with suppress(KfxError):
                self.close()
        else:
            self.abort()

    def _align_audio(self, time: Fraction) -> None:
        """A cut asked for between two frames starts at the later one: so does its audio."""
        late = time - self._stream.audio_from
        if self._audio and not self._stream.live and 0 < late < 2 / self._stream.rate:
            self._audio.start_at(time)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        for packet in self._video.encode(picture):
            if not packet.duration:
                packet.duration = self._frame_duration()
            self._container.mux(packet)

    def _frame_duration(self) -> int:
        return max(1, round(self._scale / self._stream.rate))

    def _convert(self, pixels: Pixels) -> av.VideoFrame:
        width, height = self._stream.size
        if pixels.shape[:2] != (height, width):
            raise KfxError(
                f"{self._spec}: a frame of {pixels.shape[1]}x{pixels.shape[0]} came into a stream "
                f"of {width}x{height}"
            )
        if self._alpha and not self._recipe.alpha:
            pixels = _over_black(pixels)
        picture = av.VideoFrame(*self._coded, "rgba")
        plane = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows = rows[: self._coded[1], : self._coded[0] * 4].reshape(self._coded[1], -1, 4)
        rows[:height, :width] = pixels
        rows[height:, :width] = pixels[-1:]
        rows[:, width:] = rows[:, width - 1 : width]
        coded = self._reformatter.reformat(
            picture,
            format=self._pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=MATRICES[self._tags.matrix],
            dst_color_range=ColorRange.JPEG if self._tags.full else ColorRange.MPEG,
            interpolation=_SCALING,
            threads=_THREADS,
        )
        # ProRes writes the tags of the frame, H.264 those of the codec.
        coded.color_primaries, coded.color_trc = self._tags.primaries, self._tags.transfer
        coded.colorspace = self._tags.matrix
        return coded


def _time_scale(stream: StreamInfo) -> int:
    """Ticks a second: exact for the rate, and fine enough for times off its grid."""
    scale = lcm(_FINE, stream.rate.numerator)
    if scale < 2**31:
        return scale
    return stream.rate.numerator * max(1, 1_000_000 // stream.rate.numerator)


def _over_black(pixels: Pixels) -> Pixels:
    pixels = np.ascontiguousarray(pixels)
    alpha = cv2.cvtColor(np.ascontiguousarray(pixels[..., 3]), cv2.COLOR_GRAY2RGBA)
    return cv2.multiply(pixels, alpha, scale=1 / 255)
