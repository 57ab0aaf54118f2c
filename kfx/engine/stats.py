"""What a run measured: stage times, faces seen, drops; as the report's JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from kfx import clock
from kfx.types import Face

STAGES = ("read", "track", "render", "write")


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in ms, nearest rank; zeros without samples."""
    ranked = sorted(seconds)
    if not ranked:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    last = len(ranked) - 1
    return {
        f"p{p}": round(1000.0 * ranked[min(last, int(p / 100 * len(ranked)))], 3)
        for p in (50, 95, 99)
    }


@dataclass
class Stats:
    """Collected while a run goes; `report` turns it into plain values."""

    size: tuple[int, int]
    rate: Fraction
    renderer: str
    tracker: str
    frames: int = 0
    frames_with_face: int = 0
    max_faces: int = 0
    slots: set[int] = field(default_factory=set)
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    latency: dict[str, list[float]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    started: float = field(default_factory=clock.now)
    ended: float | None = None

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
        self.frames_with_face += bool(found)
        self.max_faces = max(self.max_faces, len(found))
        self.slots.update(found)

    def warn(self, text: str) -> None:
        """Note something for the user, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    @property
    def fps(self) -> float:
        """Frames a second of wall time, up to now or to the end."""
        return self.frames / max(1e-9, (self.ended or clock.now()) - self.started)

    def report(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
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
            "stage_ms": {name: percentiles(times) for name, times in self.stages.items()},
            "latency_ms": {name: percentiles(times) for name, times in self.latency.items()},
            "dropped": sum(self.dropped.values()),
            "dropped_at": dict(self.dropped),
            "renderer": self.renderer,
            "tracker": self.tracker,
            "warnings": self.warnings,
        }


def save_report(report: dict[str, Any], path: str) -> None:
    """Write a report beside its target and rename it: never half a file."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    os.replace(part, target)
