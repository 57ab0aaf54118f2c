"""``kfx bench``: what effects cost on this machine, and how well kfx's nets do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

DESCRIPTION = """Measure what effects and presets cost to draw on this machine.

Each figure stands beside a bare full-frame copy pass measured in turn with it: `copies` is their
ratio, which says more than milliseconds on a busy machine. An effect counts by itself; a preset
with upload and read-back.

`blendshapes`: R² of kfx's net against its teacher on people it never saw, and its time for a face.

`tracking`: jitter, lag, prediction, pose and slots against the performer's true landmarks, each
beside the raw finder or a plain One-Euro filter.

`neural`: how far the results of a net of 30, 15, 8 and 4 Hz are drawn from where they belong, in
pixels at 720p: pasted where they were, moved by a similarity, and as kfx does it; and what a slow
net that never rests takes from the pictures drawn beside it.

`live`: rate and latency of the loop at 720p and 1080p, beside the bare calls it can't do without,
a loop that does the nearest by hand, and OpenSeeFace's tracker.
"""
EPILOG = """examples:
  kfx bench effects                       every effect and preset at 1280x720
  kfx bench effects film supernova        these only
  kfx bench effects --size 1920x1080 --json > cost.json
  kfx bench blendshapes --json
  kfx bench tracking --json
  kfx bench neural --json                 how well a slow net's results stick to a moving face
  kfx bench live --json                   rate and latency of the loop, beside a hand-written peer
  kfx bench live --openseeface ~/OpenSeeFace
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=tuple(WHAT), help="what to measure")
    parser.add_argument("names", nargs="*", metavar="NAME", help="effects and presets; default all")
    parser.add_argument("--size", default="1280x720", metavar="WxH")
    parser.add_argument("--frames", type=int, default=40, help="frames of each (default: 40)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument(
        "--seconds",
        type=float,
        default=8.0,
        help="of each live run, or of the performer for neural (default: 8)",
    )
    parser.add_argument("--mode", choices=("latency", "exact"), default="latency", help="of live")
    parser.add_argument(
        "--seed", type=int, default=3, help="of the performer, for neural (default: 3)"
    )
    parser.add_argument("--openseeface", metavar="DIR", help="its checkout, to run beside live")


def run(options: argparse.Namespace) -> int:
    return WHAT[options.what](options)


def _blendshapes(options: argparse.Namespace) -> int:
    from kfx.cli import common
    from kfx.engine.bench import blendshapes as bench_blendshapes

    with common.quiet_libraries():
        result = bench_blendshapes.measure()
    if options.json:
        print(json.dumps(result))
        return 0
    for name, value in result["r2"].items():
        print(f"  {name:20} {'hardly moves in these clips' if value is None else f'{value:.3f}'}")
    print(f"R² mean {result['r2_mean']:.3f} over {result['frames']} frames, {result['ms']:.3f} ms")
    return 0


def _tracking(options: argparse.Namespace) -> int:
    from kfx.cli import common
    from kfx.engine.bench import tracking as bench_tracking

    with common.quiet_libraries():
        result = bench_tracking.measure(progress=_progress)
    _progress("done")
    print(
        json.dumps(result) if options.json else "\n".join(f"{k:24} {v}" for k, v in result.items())
    )
    return 0


def _check_seconds(options: argparse.Namespace) -> None:
    from kfx.errors import UsageError

    if not 1 <= options.seconds <= 3600:
        raise UsageError(f"--seconds {options.seconds:g}: use 1..3600")


def _live(options: argparse.Namespace) -> int:
    from pathlib import Path

    from kfx import presets
    from kfx.cli import common
    from kfx.engine.bench import live as bench_live
    from kfx.errors import UsageError

    _check_seconds(options)
    checkout = options.openseeface
    if checkout is not None and not (Path(checkout) / "tracker.py").is_file():
        raise UsageError(f"--openseeface {checkout}: holds no tracker.py; name its checkout")
    preset = options.names[0] if options.names else "supernova"
    presets.load(preset)  # an unknown one is said before a minute has gone
    with common.quiet_libraries():
        result = bench_live.measure(
            preset=preset,
            mode=options.mode,
            seconds=options.seconds,
            openseeface=options.openseeface,
            progress=_progress,
        )
    _progress("done")
    if options.json:
        print(json.dumps(result))
        return 0
    for one in result.pop("runs"):
        latency = " ".join(f"{name} {ms:.1f}" for name, ms in one["latency_ms"].items())
        size = "x".join(map(str, one["size"]))
        print(
            f"  {size} at {one['fps_target']}: {one['fps']:.1f} fps, {latency} ms, "
            f"{one['cpu']:.2f} cores, {one['drops']} drops"
        )
    print("\n".join(f"{name:20} {value}" for name, value in result.items()))
    return 0


def _neural(options: argparse.Namespace) -> int:
    from kfx.cli import common
    from kfx.engine.bench import beside
    from kfx.engine.bench import neural as bench_neural

    _check_seconds(options)
    with common.quiet_libraries():
        spec = f"performer?seed={options.seed}"
        result = bench_neural.measure(seconds=options.seconds, spec=spec, progress=_progress)
        result["rate"] = beside.measure(progress=_progress)
    _progress("done")
    if options.json:
        print(json.dumps(result))
        return 0
    for hz, one in result["rates_hz"].items():
        print(f"  {hz:>3} Hz  " + "  ".join(f"{name} {value:.2f}" for name, value in one.items()))
    low, high = result["yaw_deg"]
    print(f"{result['frames']} frames, yaw {low:g}..{high:g}°, {result['tracker']}")
    rate = result["rate"]
    each = ", ".join(f"{way} {ms:.1f} ms" for way, ms in rate["frame_ms"].items())
    print(f"a picture beside the net: {each}; working / resting {rate['working_over_resting']:.2f}")
    return 0


def _progress(name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{name} …", end="", file=sys.stderr, flush=True)


def _effects(options: argparse.Namespace) -> int:
    from kfx import effects, presets
    from kfx.cli import common
    from kfx.engine.bench import effects as bench_effects
    from kfx.errors import UsageError

    known = (effects.names(), presets.names())
    for name in options.names:
        if name not in known[0] and name not in known[1]:
            raise UsageError(f"{name}: there is no such effect or preset; see: kfx list effects")
    if not 1 <= options.frames <= 10000:
        raise UsageError(f"--frames {options.frames}: use 1..10000")
    chosen = [[n for n in names if not options.names or n in options.names] for names in known]
    size = common.size_of(options.size) or (1280, 720)

    with common.quiet_libraries():
        result = bench_effects.measure(
            size,
            effect_names=chosen[0],
            preset_names=chosen[1],
            frames=options.frames,
            progress=_progress,
        )
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(json.dumps(result) if options.json else _table(result, options.size))
    return 0


def _table(result: dict[str, Any], size: str) -> str:
    copies = ", ".join(f"{name} {ms:.2f} ms" for name, ms in result["copy_ms"].items())
    lines = [f"{result['renderer']}; a bare copy pass: {copies}"]
    for kind in ("effects", "presets"):
        rows = sorted(result[kind].items(), key=lambda row: -row[1]["copies"])
        if rows:
            lines.append(f"\n{kind} at {size}:")
        for name, one in rows:
            lines.append(f"  {name:20} {one['ms']:8.2f} ms {one['copies']:7.2f} copies")
    return "\n".join(lines)


WHAT: dict[str, Callable[[argparse.Namespace], int]] = {
    "effects": _effects,
    "blendshapes": _blendshapes,
    "tracking": _tracking,
    "neural": _neural,
    "live": _live,
}
