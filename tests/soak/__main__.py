"""``make soak``: a live show under a random, repeatable schedule of faults, and what was lost.

The performer at 640×360 goes through a preset into a null sink, a recording and a virtual camera
of its own process, whose frames are logged as a reader would get them. Every few seconds something
breaks: the camera, an effect, the tracker, a sink, the disk, the camera process, the preset, a
shader. The answer is JSON. `longest_gap_ms` is the longest time without a frame for the reader,
`longest_freeze_ms` the longest time without a *new* frame, which a stalled source alone can cause.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import tempfile
import threading
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfx import clock
from kfx.cli.common import quiet_libraries
from kfx.engine import live
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.loop.switches import Switches
from kfx.render import canary
from tests.soak.chaos import FAULTS, Chaos

SIZE = (640, 360)
SETTLED = 0.2  # share of the run after which memory is first looked at


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--preset", default="supernova")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--every", type=float, default=3.0, help="mean seconds between two faults")
    parser.add_argument("--mode", default="exact", choices=sorted(live.MODES))
    parser.add_argument(
        "--calm", action="store_true", help="no faults: what the machine itself does"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        answer = soak(options, Path(folder))
    print(json.dumps(answer, indent=2))
    return 0


def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    log = folder / "reader"
    os.environ["FAKE_LOG"] = str(log)
    os.environ["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parents[1] / "fakes"), "."))
    sys.path[:] = [place for place in sys.path if not place.endswith("fakes")]
    rate, seconds = Fraction(options.fps), options.minutes * 60
    chaos = Chaos(random.Random(options.seed), SIZE, rate, folder)
    if not options.calm:
        chaos.plan(seconds, options.every)
    memory: list[float] = []
    files: list[int] = []
    began: list[float] = []
    before = open_files()

    switches = Switches()
    session = Session(Inputs(), switches, frame_s=float(1 / rate))

    def ready(stats: Any, sinks: list[Any]) -> None:
        session.ready(stats)
        began.append(clock.now())
        chaos.begin(sinks)

    def status(stats: Any) -> None:
        files.append(open_files())
        if clock.now() - began[0] > SETTLED * seconds:
            memory.append(resident_mb())

    with quiet_libraries(), chaos.installed(), session:
        stats = live.run(
            chaos.open_source,
            chaos.look(options.preset),
            ["null", str(folder / "take.mp4"), "vcam"],
            size=SIZE,
            seconds=seconds,
            mode=options.mode,
            switches=switches,
            ticks=session.ticks,
            on_look=session.begin,
            status=status,
            ready=ready,
        )
    canary.stop()
    gc.collect()
    times, changes = read(log, began[0], began[0] + seconds)
    gaps, freezes = spans(times), spans(changes)
    report = stats.report()
    injected = Counter(name for _, name in chaos.injected)
    return {
        "minutes": options.minutes,
        "seed": options.seed,
        "size": list(SIZE),
        "preset": options.preset,
        "mode": options.mode,
        "frames_due": round(seconds * rate),
        "frames_made": chaos.made,
        "frames_drawn": stats.frames,
        "frames_delivered": len(times),
        "frames_delivered_new": len(changes),
        "repeated": stats.repeated,
        "longest_gap_ms": round(max(gaps, default=0.0) * 1000),
        "gaps_over_250_ms": sum(gap > 0.25 for gap in gaps),
        "worst_gaps": worst(times, chaos.injected),
        "longest_freeze_ms": round(max(freezes, default=0.0) * 1000),
        "memory_mb": {"settled": round(memory[0], 1), "end": round(memory[-1], 1)},
        "memory_growth_mb": round(_level(memory[-20:]) - _level(memory[:20]), 1),
        "files_open": {
            "before": before,
            "start": files[0],
            "end": files[-1],
            "most": max(files),
            "after": open_files(),
        },
        "threads_after": sorted(one.name for one in threading.enumerate()),
        "faults": {name: injected.get(name, 0) for name in FAULTS},
        "drops": report["dropped_at"],
        "latency_ms": report["latency_ms"],
        "warnings": report["warnings"],
        "left_behind": sorted({path.name for path in folder.iterdir()} - chaos.own_files),
    }


def read(log: Path, start: float, end: float) -> tuple[list[float], list[float]]:
    """When frames reached the reader, and when one that differs from the one before did.

    `clock.now` and the camera's own clock are the same one on Linux.
    """
    rows = [line.split() for line in log.read_text().splitlines()]
    rows = [row for row in rows if len(row) == 4 and row[0] != "open"]
    shown = [(float(row[0]), row[1:]) for row in rows if start <= float(row[0]) <= end]
    changes = [now[0] for before, now in pairwise(shown) if before[1] != now[1]]
    return [time for time, _ in shown], changes


def spans(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


def worst(times: list[float], injected: list[tuple[float, str]]) -> list[str]:
    """The three longest gaps, each with the fault before it."""
    ends = sorted(pairwise(times), key=lambda pair: pair[0] - pair[1])[:3]
    said = []
    for start, end in ends:
        at, name = max(
            ((at, name) for at, name in injected if at < end), default=(start, "no fault")
        )
        said.append(f"{1000 * (end - start):.0f} ms, {start - at:.1f} s after: {name}")
    return said


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _level(values: list[float]) -> float:
    ranked = sorted(values)
    return ranked[len(ranked) // 2]


if __name__ == "__main__":
    sys.exit(main())
