"""The beat grid: where the beats and bars of a song lie in its time.

A grid is steady (a tempo and the first downbeat) or has every beat written down. Beat 0 and bar 0
begin at the first downbeat; a pick-up has negative ones. People count from 1: `position` and
`time_of` do. The file is JSON: `bpm, beats, downbeats, source, confidence, audio_sha256`.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfx.errors import KfxError

SCHEMA = "kfx.grid/1"
BPM_RANGE = (20.0, 400.0)
MOST_BEATS = 100_000


@dataclass(frozen=True)
class Grid:
    """Seconds ↔ beats ↔ bars; beyond its ends a grid goes on at the tempo it has there."""

    bpm: float
    beats: tuple[float, ...] = ()  # seconds, rising; empty: steady from `first_downbeat`
    downbeats: tuple[float, ...] = ()
    first_downbeat: float = 0.0
    beats_per_bar: int = 4
    source: str = "manual"
    confidence: float = 1.0
    audio_sha256: str | None = None
    _zero: int = field(default=0, init=False, repr=False)  # index in `beats` of beat 0
    _bars: tuple[float, ...] = field(default=(), init=False, repr=False)  # beats of downbeats

    def __post_init__(self) -> None:
        if not self.beats:
            return
        first = self.downbeats[0] if self.downbeats else self.beats[0]
        object.__setattr__(self, "first_downbeat", first)
        object.__setattr__(self, "_zero", _nearest(self.beats, first))
        bars = [_nearest(self.beats, one) - self._zero for one in self.downbeats]
        object.__setattr__(self, "_bars", tuple(dict.fromkeys(map(float, bars))))

    def beat_at(self, time_s: float) -> float:
        """Beats since the first downbeat at a time of the song."""
        if len(self.beats) < 2:
            return (time_s - self.first_downbeat) * self.bpm / 60.0
        return _between(self.beats, time_s) - self._zero

    def bar_at(self, time_s: float) -> float:
        """Bars since the first downbeat; rises evenly within a bar."""
        return self.bar_of(self.beat_at(time_s))

    def bar_of(self, beat: float) -> float:
        """Bars since the first downbeat at a beat."""
        return _between(self._bars, beat) if len(self._bars) > 1 else beat / self.beats_per_bar

    def time_at(self, beat: float) -> float:
        """The time of the song at a beat: the inverse of `beat_at`."""
        if len(self.beats) < 2:
            return self.first_downbeat + beat * 60.0 / self.bpm
        return _at(self.beats, beat + self._zero)

    def tempo_at(self, time_s: float) -> float:
        """Beats a minute around a time."""
        if len(self.beats) < 2:
            return self.bpm
        i = min(max(bisect_right(self.beats, time_s) - 1, 0), len(self.beats) - 2)
        return 60.0 / (self.beats[i + 1] - self.beats[i])

    def position(self, time_s: float) -> tuple[int, float]:
        """Bar and beat as people count them: (1, 1.0) is the first downbeat."""
        bar = math.floor(self.bar_at(time_s) + 1e-9)
        return bar + 1, self.beat_at(time_s) - self._bar_start(bar) + 1.0

    def time_of(self, bar: int, beat: float = 1.0) -> float:
        """The time of a bar and beat, both counted from 1."""
        return self.time_at(self._bar_start(bar - 1) + beat - 1.0)

    def _bar_start(self, bar: int) -> float:
        """The beat at which a bar begins."""
        if len(self._bars) > 1:
            return _at(self._bars, float(bar))
        return float(bar * self.beats_per_bar)


def steady(
    bpm: float, first_downbeat: float = 0.0, beats_per_bar: int = 4, *, source: str = "manual"
) -> Grid:
    """A grid of one tempo. Raises `KfxError` for a tempo outside 20..400."""
    _check_bpm(bpm, "bpm")
    if not 1 <= beats_per_bar <= 32:
        raise KfxError(f"beats per bar {beats_per_bar}: is outside 1..32")
    return Grid(
        float(bpm),
        first_downbeat=float(first_downbeat),
        beats_per_bar=int(beats_per_bar),
        source=source,
    )


def written(grid: Grid, length_s: float) -> Grid:
    """A steady grid with every beat of a song of `length_s` seconds written down."""
    if grid.beats:
        return grid
    first, last = math.ceil(grid.beat_at(0.0) - 1e-6), math.floor(grid.beat_at(length_s))
    beats = {i: grid.time_at(float(i)) for i in range(first, max(first + 1, last) + 1)}
    return replace(
        grid,
        beats=tuple(beats.values()),
        downbeats=tuple(one for i, one in beats.items() if i % grid.beats_per_bar == 0),
    )


def load(path: str | Path) -> Grid:
    """Read a grid file. Raises `KfxError` that names the entry at fault."""
    place = str(path)
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KfxError(
            f"{place}: can't be read ({error.strerror}); make it with kfx beats"
        ) from None
    except (ValueError, RecursionError) as error:
        raise KfxError(f"{place}: is no grid file ({str(error)[:80]}); use kfx beats") from None
    try:
        return from_dict(data)
    except KfxError as error:
        raise KfxError(f"{place}: {error}") from None


def from_dict(data: Any) -> Grid:
    """The grid in a file's JSON; what it doesn't know it ignores. Raises `KfxError`."""
    if not isinstance(data, dict):
        raise KfxError("is no grid: an object with bpm, beats, downbeats was expected")
    schema = data.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise KfxError(f"schema {str(schema)[:40]!r}: this kfx reads {SCHEMA}")
    beats, downbeats = _times(data, "beats"), _times(data, "downbeats")
    bpm = data.get("bpm")
    if bpm is None and len(beats) > 1:
        bpm = 60.0 * (len(beats) - 1) / (beats[-1] - beats[0])
    bpm = _check_bpm(bpm, "bpm")
    per_bar = data.get("beats_per_bar", _per_bar(beats, downbeats))
    if not isinstance(per_bar, int) or isinstance(per_bar, bool) or not 1 <= per_bar <= 32:
        raise KfxError(f"beats_per_bar: {per_bar!r} is no whole number within 1..32")
    tolerance = 60.0 / bpm / 4
    for i, one in enumerate(downbeats):
        if beats and abs(beats[_nearest(beats, one)] - one) > tolerance:
            raise KfxError(f"downbeats[{i}]: {one:g} s lies on no beat")
    confidence = data.get("confidence", 1.0)
    sha = data.get("audio_sha256")
    return Grid(
        bpm,
        beats,
        downbeats,
        first_downbeat=_number(data.get("first_downbeat", (*downbeats, 0.0)[0]), "first_downbeat"),
        beats_per_bar=per_bar,
        source=str(data.get("source", "manual"))[:200],
        confidence=_number(confidence, "confidence"),
        audio_sha256=None if sha is None else str(sha)[:64],
    )


def to_dict(grid: Grid) -> dict[str, Any]:
    """The JSON of a grid, times in seconds to the tenth of a millisecond."""
    return {
        "schema": SCHEMA,
        "bpm": round(grid.bpm, 4),
        "beats_per_bar": grid.beats_per_bar,
        "first_downbeat": round(grid.first_downbeat, 4),
        "source": grid.source,
        "confidence": round(grid.confidence, 3),
        "audio_sha256": grid.audio_sha256,
        "beats": [round(one, 4) for one in grid.beats],
        "downbeats": [round(one, 4) for one in grid.downbeats],
    }


def text_of(grid: Grid) -> str:
    """The file's text: one line per entry and eight beats to a line, so that people can edit it."""
    lines = []
    for key, value in to_dict(grid).items():
        if isinstance(value, list):
            rows = [value[i : i + 8] for i in range(0, len(value), 8)]
            body = ",\n    ".join(", ".join(f"{one:.4f}" for one in row) for row in rows)
            lines.append(f'  "{key}": [\n    {body}\n  ]' if value else f'  "{key}": []')
        else:
            lines.append(f'  "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _check_bpm(bpm: Any, name: str) -> float:
    low, high = BPM_RANGE
    if not low <= _number(bpm, name) <= high:
        raise KfxError(f"{name}: {bpm:g} is outside {low:g}..{high:g} beats a minute")
    return float(bpm)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise KfxError(f"{name}: {str(value)[:40]!r} is no number")
    return float(value)


def _times(data: dict[str, Any], name: str) -> tuple[float, ...]:
    values = data.get(name, [])
    if not isinstance(values, list) or len(values) > MOST_BEATS:
        raise KfxError(f"{name}: is no list of up to {MOST_BEATS} seconds")
    times = tuple(_number(one, f"{name}[{i}]") for i, one in enumerate(values))
    for i in range(1, len(times)):
        if times[i] - times[i - 1] < 0.01:
            raise KfxError(f"{name}[{i}]: {times[i]:g} s doesn't lie after the one before")
    return times


def _per_bar(beats: tuple[float, ...], downbeats: tuple[float, ...]) -> int:
    """The commonest distance of two downbeats, in beats."""
    at = [_nearest(beats, one) for one in downbeats] if beats else []
    gaps = [b - a for a, b in pairwise(at) if b > a]
    return max(set(gaps), key=gaps.count) if gaps else 4


def _nearest(times: tuple[float, ...], time: float) -> int:
    i = min(max(bisect_right(times, time), 1), len(times) - 1) if len(times) > 1 else 0
    return i - 1 if i and time - times[i - 1] <= times[i] - time else i


def _between(times: tuple[float, ...], time: float) -> float:
    """The fractional index of `time`, extrapolated beyond both ends; two entries at least."""
    i = min(max(bisect_right(times, time) - 1, 0), len(times) - 2)
    return i + (time - times[i]) / (times[i + 1] - times[i])


def _at(times: tuple[float, ...], index: float) -> float:
    """The inverse of `_between`."""
    i = min(max(math.floor(index), 0), len(times) - 2)
    return times[i] + (index - i) * (times[i + 1] - times[i])
