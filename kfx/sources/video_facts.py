"""What a video file says about its own timing: rate, evenness, length, start timecode."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from statistics import median

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from kfx import timecode

_USUAL_RATES = tuple(
    [Fraction(n) for n in (24, 25, 30, 48, 50, 60, 100, 120, 240, 15, 12, 10, 5)]
    + [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120, 15)]
)
_LOOK_AHEAD = 300  # packets read to judge the timing of a file without an index


@dataclass(frozen=True, slots=True)
class Timing:
    """`rate` is exact where the file is even, and the usual rate nearest to it where not."""

    rate: Fraction
    variable: bool
    frame_count: int | None
    duration: Fraction | None


def timing(path: str, container: InputContainer, stream: VideoStream) -> Timing:
    """Judge a stream from its index, or from its first packets where it has none."""
    base = stream.time_base or Fraction(1, 90000)
    stamps, count = _indexed(stream)
    if stamps is None:
        stamps, whole = _demuxed(path, stream.index)
        count = len(stamps) if whole and stamps else count
    duration = _duration(container, stream)
    claims = [r for r in (stream.guessed_rate, stream.average_rate, stream.base_rate) if r]
    claims = [_usual(Fraction(r)) for r in claims if 1 <= r <= 1000]
    rate, variable = _rate(stamps, base, claims)
    if count is None and duration is not None:
        count = max(1, round(duration * rate))
    return Timing(rate, variable, count, duration)


def _rate(stamps: list[int], base: Fraction, claims: list[Fraction]) -> tuple[Fraction, bool]:
    steps = [b - a for a, b in pairwise(stamps) if b > a]
    if not steps:
        return (claims[0] if claims else Fraction(25)), False
    span, typical = sum(steps), median(steps)
    even = all(abs(step - typical) <= max(1.0, typical * 0.001) for step in steps)
    if not even:
        # A frame that lasts several periods is a hole, not another rate: ask the median.
        measured = 1 / (Fraction(typical) * base)
        nearest = min((*claims, *_USUAL_RATES), key=lambda rate: abs(rate / measured - 1))
        if abs(nearest / measured - 1) < Fraction(1, 50):
            return nearest, True
        return measured.limit_denominator(1001), True
    for rate in (*claims, *_USUAL_RATES):
        if abs(len(steps) / rate / base - span) <= Fraction(3, 2):
            return rate, False
    return (len(steps) / (span * base)).limit_denominator(1001), False


def _usual(rate: Fraction) -> Fraction:
    """Matroska knows times to the millisecond: its 19001/317 is 60000/1001."""
    nearest = min(_USUAL_RATES, key=lambda usual: abs(usual / rate - 1))
    return nearest if abs(nearest / rate - 1) < Fraction(1, 10_000) else rate


def _indexed(stream: VideoStream) -> tuple[list[int] | None, int | None]:
    """Decoding times and count from the index; (None, None) unless it lists every frame."""
    entries = stream.index_entries
    if len(entries) < 2 or len(entries) != stream.frames:
        return None, stream.frames or None
    return [e.timestamp for e in entries], sum(not e.is_discard for e in entries)


def _demuxed(path: str, index: int) -> tuple[list[int], bool]:
    """Presentation times of the first packets, and whether those are all there are."""
    try:
        with av.open(path) as container:
            packets = container.demux(container.streams[index])
            some = [p for p in islice(packets, _LOOK_AHEAD) if not p.is_discard]
            whole = next(packets, None) is None
            stamps = [p.pts for p in some if p.pts is not None]
    except av.FFmpegError:
        return [], False
    stamps.sort()
    return (stamps, True) if whole else (stamps[:-8], False)  # the last few may lack B-frames


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if container.duration:
        return Fraction(container.duration, av.time_base)
    return None


def count_before(path: str, index: int, pts: int) -> int:
    """How many frames of the stream lie before `pts`, found by reading without decoding."""
    with av.open(path) as container:
        count = 0
        for packet in container.demux(container.streams[index]):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if packet.is_discard or stamp is None:
                continue
            count += stamp < pts
            # Decoding order: nothing behind this packet can be shown before `pts`.
            if packet.dts is not None and packet.dts >= pts:
                break
        return count


def start_timecode(container: InputContainer, rate: Fraction) -> tuple[str | None, str | None]:
    """(timecode of the first frame, note): video stream, tmcd track or format tag."""
    places = [s.metadata for s in container.streams.video]
    places += [s.metadata for s in container.streams if s.type == "data"]
    for metadata in (*places, container.metadata):
        text = metadata.get("timecode")
        if not text:
            continue
        try:
            timecode.parse(text, rate)
        except ValueError as error:
            return None, f"timecode ignored: {error}"
        return text.strip(), None
    return None, None
