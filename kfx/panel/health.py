"""The state of the show for a page, with the last minute of what is drawn as graphs."""

from __future__ import annotations

from collections import deque
from typing import Any

EVERY_S = 0.5
POINTS = 120  # a minute


class Health:
    """`take` a `Stats.snapshot` every half second; `message` is for a page that has seen none."""

    def __init__(self) -> None:
        self.points: deque[list[float]] = deque(maxlen=POINTS)
        self.newest: dict[str, Any] = {}

    def take(self, snapshot: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        """The message for all pages: the snapshot, and this moment's point of the graphs."""
        self.newest = {**snapshot, **extra}
        latency = [one.get("p50", 0.0) for one in snapshot["latency_ms"].values() if one]
        dropped = sum(snapshot["dropped_at"].values())
        render = snapshot["stage_ms"].get("render", {}).get("p50", 0.0)
        self.points.append([snapshot["fps"], max(latency, default=0.0), render, dropped])
        return {"t": "status", "now": self.newest, "point": self.points[-1]}

    def message(self) -> dict[str, Any]:
        """The state and the whole minute."""
        return {"t": "minute", "now": self.newest, "points": list(self.points)}
