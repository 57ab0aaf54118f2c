"""``kfx live``: a source through a preset to sinks, now."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kfx.cli import common

if TYPE_CHECKING:
    from kfx.engine.stats import Stats

DESCRIPTION = """Run a source through a preset into any number of sinks until Ctrl-C.

sinks: vcam[:DEVICE], preview[:PORT], osc://HOST:PORT, a file (.mp4 .mov %06d.png), null
"""
EPILOG = """examples:
  kfx live -i camera:0 -p supernova -o vcam -o preview
  kfx live -i 'camera:FaceTime?size=1920x1080&fps=60' -p supernova -o vcam -o osc://10.0.0.5:9000
  kfx live -i clip.mp4 --loop -p supernova -o preview
  kfx live -i performer -p supernova -o null --seconds 10 --report live.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", "--input", default="camera:0", metavar="SOURCE", help="default: camera:0"
    )
    parser.add_argument(
        "-o", "--out", action="append", required=True, metavar="SINK", help="may be repeated"
    )
    common.add_look_arguments(parser)
    common.add_size_argument(parser)
    parser.add_argument("--fps", help="frame rate to ask of a camera or the performer")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after N seconds")
    parser.add_argument("--loop", action="store_true", help="start a file again at its end")


def run(options: argparse.Namespace) -> int:
    import signal
    import threading

    from kfx import presets, sinks, sources
    from kfx.errors import UsageError

    size = common.size_of(options.size)
    rate = sources.parse_rate(options.fps, "--fps") if options.fps else None
    for spec in options.out:
        sinks.kind_of(spec)
    if options.seconds is not None and options.seconds <= 0:
        raise UsageError(f"--seconds {options.seconds:g}: must be more than 0")
    preset = presets.with_settings(presets.load(options.preset), options.set)
    sources.parse(options.input, size=size, rate=rate)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with common.quiet_libraries():
        from kfx.engine import live, stats

        line = _StatusLine()
        result = live.run(
            lambda: sources.open(options.input, size=size, rate=rate),
            preset,
            options.out,
            size=size,
            seconds=options.seconds,
            tracker=options.tracker,
            bpm=options.bpm,
            loop=options.loop,
            hands=options.hands,
            overwrite=options.force,
            status=line,
            ready=line.ready,
            stop=stop,
        )
        line.end(result)
    report = result.report()
    if options.report:
        stats.save_report(report, options.report)
    dropped = ", ".join(f"{name} {count}" for name, count in report["dropped_at"].items() if count)
    print(
        f"{report['frames']} frames, {report['fps']} fps, "
        f"{report['faces']['frames_with_face']} with a face; dropped: {dropped or 'none'}"
    )
    return 0


class _StatusLine:
    """One calm line that renews itself on a terminal; nothing but news elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told: set[str] = set()

    def ready(self, stats: Stats, sinks: list[Any]) -> None:
        width, height = stats.size
        self._news(stats)
        self._print(f"kfx live: {width}x{height} at {float(stats.rate):g} fps, {stats.renderer}")
        for sink in sinks:
            if url := getattr(sink, "url", None):
                self._print(f"preview: {url}")
        self._print("Ctrl-C ends the show")

    def __call__(self, stats: Stats) -> None:
        self._news(stats)
        if not self._terminal:
            return
        recent = {name: times[-90:] for name, times in stats.stages.items()}
        from kfx.engine.stats import percentiles

        times = " ".join(
            f"{name} {percentiles(recent[name])['p50']:.1f}" for name in ("track", "render")
        )
        slots = len(stats.slots)
        print(
            f"\r\x1b[K{stats.fps:5.1f} fps · {times} ms · {stats.frames} frames · {slots} slots",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def end(self, stats: Stats) -> None:
        self._news(stats)
        if self._terminal:
            print(file=sys.stderr)

    def _news(self, stats: Stats) -> None:
        for warning in stats.warnings:
            if warning not in self._told:
                self._told.add(warning)
                self._print(f"kfx: {warning}")

    def _print(self, text: str) -> None:
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}{text}", file=sys.stderr, flush=True)
