"""What a run measured: stage times, faces seen, drops; as the report's JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from kfx import clock, writing
from kfx.engine.loop.times import Times, percentiles
from kfx.engine.news import News
from kfx.types import Face

STAGES = ("read", "track", "render", "write")
MOST_WARNINGS = 200  # the newest; a fault that words itself anew each time must not fill memory

__all__ = ["STAGES", "Stats", "percentiles", "save_report"]


@dataclass
class Stats:
    """Collected while a run goes, from any thread; `report` turns it into plain values.

    `dropped` counts by place and cause: a bare name (``capture``, a sink's spec) is what was
    overwritten by something newer while the next stage was busy; ``NAME.cause`` says more.
    """

    size: tuple[int, int]
    rate: Fraction
    renderer: str
    tracker: str
    frames: int = 0
    frames_with_face: int = 0
    max_faces: int = 0
    faces: int = 0  # at this moment
    slots: set[int] = field(default_factory=set)
    stages: dict[str, Times] = field(default_factory=lambda: {name: Times() for name in STAGES})
    latency: dict[str, Times] = field(default_factory=dict)
    gaps: Times = field(default_factory=Times)  # between two pictures handed to the sinks
    repeated: int = 0  # pictures sent again since there was no newer one
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)
    """How each part is, in a few words: ``source``, ``effects``, ``tracker``, each sink."""
    show: dict[str, Any] = field(default_factory=dict)
    """What only a live show knows, for its report: mode, output, what the governor gave up."""
    started: float = field(default_factory=clock.now)
    ended: float | None = None
    _sent: float | None = None
    told: int = 0  # pieces of news so far, of which `warnings` holds the newest
    _news: News = field(default_factory=News, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a block as one sample of `stage`."""
        start = clock.now()
        yield
        self.stages[stage].append(clock.now() - start)

    def count(self, faces: Sequence[Face]) -> None:
        """Count a finished frame and the faces found in it."""
        found = [face.slot for face in faces if face.found]
        self.frames += 1
        self.faces = len(found)
        self.frames_with_face += bool(found)
        self.max_faces = max(self.max_faces, len(found))
        self.slots.update(found)

    def sent(self, now: float, *, again: bool = False) -> None:
        """A picture was handed to the sinks; `again` if it was one they had before."""
        if self._sent is not None:
            self.gaps.append(now - self._sent)
        self._sent = now
        self.repeated += again

    def drop(self, cause: str, count: int = 1) -> None:
        """Count what was lost, by place and cause."""
        with self._lock:
            self.dropped[cause] = self.dropped.get(cause, 0) + count

    def warn(self, text: str, *, about: str = "", kind: str = "") -> None:
        """Note something for the user: once while it lasts, calmly when it comes back.

        `about` and `kind` as for `News.tell`.
        """
        with self._lock:
            now = clock.now()
            self._tell(self._news.tell(text, now, about=about, kind=kind))
            self._let_out(now)

    def note_due(self) -> None:
        """Tell what waited, so as not to be told too often; call it now and then."""
        with self._lock:
            self._let_out(clock.now())

    def news_since(self, told: int) -> list[str]:
        """What came after the first `told` pieces, as far as it is kept."""
        with self._lock:
            count = min(self.told - told, len(self.warnings))
            return self.warnings[-count:] if count > 0 else []

    def _let_out(self, now: float) -> None:
        for text in self._news.due(now):
            self._tell(text)

    def _tell(self, text: str | None) -> None:
        if text is None:
            return
        self.told += 1
        self.warnings.append(text)
        del self.warnings[:-MOST_WARNINGS]

    def forget(self) -> None:
        """Stage times up to here were those of warming up."""
        self.stages = {name: Times() for name in STAGES}

    @property
    def fps(self) -> float:
        """Frames a second of wall time, up to now or to the end."""
        return self.frames / max(1e-9, (self.ended or clock.now()) - self.started)

    @property
    def recent_fps(self) -> float:
        """Pictures a second handed to the sinks lately; 0 before the second one."""
        gaps = self.gaps.newest()
        return len(gaps) / max(1e-9, sum(gaps)) if gaps else 0.0

    def snapshot(self) -> dict[str, Any]:
        """How the show is right now (the last 90 frames), in plain values; takes under 0.2 ms."""
        return {
            "frames": self.frames,
            "seconds": round((self.ended or clock.now()) - self.started, 1),
            "fps": round(self.recent_fps, 1),
            "rate": float(self.rate),
            "size": list(self.size),
            "faces": self.faces,
            "stage_ms": _each(self.stages, recent=True),
            "latency_ms": _each(self.latency, recent=True),
            "longest_gap_ms": round(1000.0 * self.gaps.longest, 1),
            "repeated": self.repeated,
            "dropped_at": dict(self.dropped),
            "state": dict(self.state),
            "warnings": list(self.warnings),
            "renderer": self.renderer,
            **self.show,
        }

    def report(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        live = (
            {"repeated": self.repeated, "longest_gap_ms": round(1000.0 * self.gaps.longest, 1)}
            if len(self.gaps)
            else {}
        )
        return {
            "frames": self.frames,
            "fps": round(self.fps, 2),
            "source_fps": round(float(self.rate), 6),
            "rate": f"{self.rate.numerator}/{self.rate.denominator}",
            "size": list(self.size),
            "faces": {
                "frames_with_face": self.frames_with_face,
                "max_faces": self.max_faces,
                "slots": sorted(self.slots),
            },
            "stage_ms": _each(self.stages),
            "latency_ms": _each(self.latency),
            "dropped": sum(self.dropped.values()),
            "dropped_at": dict(self.dropped),
            **live,
            **self.show,
            "renderer": self.renderer,
            "tracker": self.tracker,
            "warnings": self.warnings,
        }


def _each(times: Mapping[str, Times], *, recent: bool = False) -> dict[str, dict[str, float]]:
    return {
        name: percentiles(one.newest()) if recent else one.percentiles()
        for name, one in list(times.items())
    }


def save_report(report: dict[str, Any], path: str) -> None:
    """Write a report beside its target and rename it: never half a file. Raises `KfxError`."""
    writing.write(path, json.dumps(report, indent=2) + "\n")
