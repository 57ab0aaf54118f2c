"""``kfx live``: a source through a preset to sinks, now."""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kfx.cli import common, live_again, live_inputs, live_panel, live_show

DESCRIPTION = """Run a source through a preset into any number of sinks until Ctrl-C.

sinks: vcam[:DEVICE], preview[:PORT], obs[:PORT], ndi:NAME, osc://HOST:PORT, nut://HOST:PORT,
srt:// rtsp:// rtmp:// udp://, spout:NAME, syphon:NAME, a file (.mp4 .mov %06d.png), null
"""
EPILOG = """examples:
  kfx live -i camera:0 -p supernova -o vcam -o preview
  kfx live -i 'camera:FaceTime?size=1920x1080&fps=60' -p supernova -o vcam -o osc://10.0.0.5:9000
  kfx live -i clip.mp4 --loop -p supernova -o preview
  kfx live -i rtsp://10.0.0.7/live -p supernova -o vcam     also srt:// udp:// http://
  kfx live -i camera:0 -p supernova -o take.mov --mode exact --rate 24000/1001
  kfx live -i performer -p supernova -o null --seconds 10 --report live.json
  kfx live -i camera:0 -p supernova -o vcam --supervise     for twelve hours on set
  kfx live -i camera:0 -p mv.toml -o vcam --sync ltc --grid song.json --midi nanoKONTROL
  kfx live -i camera:0 -s show.toml -o vcam --sync ltc --take takes --slate A001
  kfx live -i camera:0 -p supernova -o vcam --osc-in 0.0.0.0:9600 --allow 10.0.0.7
  kfx live -i camera:0 -p supernova -o vcam --panel 0.0.0.0:8770   tablets pair and look

While it runs, kfx ctl sets anything, and saving the preset's file changes the look. Sound isn't
passed on: delay it by the latency that the screen tells; kfx render keeps a file's own.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", "--input", default="camera:0", metavar="SOURCE", help="default: camera:0"
    )
    parser.add_argument(
        "-o", "--out", action="append", default=[], metavar="SINK", help="may be repeated"
    )
    common.add_look_arguments(parser)
    common.add_size_argument(parser)
    parser.add_argument("--fps", help="frame rate to ask of a camera or the performer")
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="stop N seconds after the first picture"
    )
    parser.add_argument("--loop", action="store_true", help="start a file again at its end")
    parser.add_argument(
        "--mode",
        choices=("exact", "latency"),
        help="exact: landmarks of the frame shown; latency: the newest frame at once, landmarks "
        "predicted to it (default: latency for a camera or stream, exact for files and recordings)",
    )
    parser.add_argument(
        "--rate", metavar="FPS", help="pictures sent a second, whatever the source's rate is"
    )
    parser.add_argument(
        "--full-quality",
        action="store_true",
        help="never give anything up to hold the rate: drop frames instead",
    )
    parser.add_argument(
        "--supervise",
        action="store_true",
        help="run the engine in a process apart and replace it when it dies or hangs: another one "
        "stands by, in some 200 MB of memory; virtual cameras stay open meanwhile",
    )
    common.add_pin_argument(parser)
    parser.add_argument("--plain", action="store_true", help="news lines instead of the screen")
    parser.add_argument(
        "--json", action="store_true", help="print the whole report at the end, as JSON"
    )
    live_inputs.add_arguments(parser)
    live_show.add_arguments(parser)
    live_panel.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    import sys

    from kfx import presets, sinks, sources
    from kfx.errors import KfxError, UsageError
    from kfx.sinks import landing

    size = common.size_of(options.size)
    rate = sources.parse_rate(options.fps, "--fps") if options.fps else None
    out_rate = sources.parse_rate(options.rate, "--rate") if options.rate else None
    if not options.out:
        raise UsageError(
            "-o SINK is missing: where the picture goes, e.g. -o preview (a browser) or -o vcam "
            "(a virtual camera); may be repeated"
        )
    for spec in options.out:
        sinks.kind_of(spec)
        landing.check_not_read(spec, sources.parse(options.input).rest)
    if options.seconds is not None and not options.seconds > 0:
        raise UsageError(f"--seconds {options.seconds:g}: must be more than 0")
    preset = presets.with_settings(presets.load(options.preset), options.set)
    kind = sources.parse(options.input, size=size, rate=rate).kind
    recorded = options.take or any(sinks.kind_of(spec) == "file" for spec in options.out)
    for folder in (options.take, options.report and os.path.dirname(options.report)):
        _check_writable(folder)
    inputs = live_inputs.inputs_of(options)
    pins = common.pins_of(options.pin)
    incoming = kind in ("camera", "stream")
    mode = options.mode or ("latency" if incoming and not recorded else "exact")

    if options.supervise:
        from kfx.engine.loop import supervisor

        if not supervisor.supervised():
            return supervisor.run(sys.argv[1:])
    stop, begun = threading.Event(), threading.Event()
    with _ended_by_signals(stop, begun), common.quiet_libraries():
        from kfx.cli.live_keys import Keys
        from kfx.cli.live_screen import Screen
        from kfx.engine import live, stats
        from kfx.engine.desk.session import Session
        from kfx.engine.loop.switches import Switches
        from kfx.engine.stats import Stats
        from kfx.types import Sink

        switches = Switches()
        extras = live_show.Extras(options, switches, float(1 / (out_rate or rate or 30)))
        inputs, preset = extras.inputs(inputs), extras.preset or preset
        frame_s, panel = extras.frame_s, live_panel.PanelExtra(options, extras.show)
        begins = [*extras.begins, *panel.begins]
        preset = live_again.look(preset, switches, begins, cues=extras.looks)
        with (
            Session(inputs, switches, frame_s=frame_s, extras=begins) as session,
            Keys(switches, stop) as keys,
            Screen(preset.name, keys=keys.active, plain=options.plain) as screen,
        ):

            def ready(stats: Stats, sinks: list[Sink]) -> None:
                begun.set()
                session.ready(stats)
                if (desk := session.desk) is not None:
                    screen.title = lambda: desk.preset.name
                panel.ready(stats)
                screen.ready(stats, sinks, panel=panel.url)

            result = live.run(
                lambda: sources.open(options.input, size=size, rate=rate),
                preset,
                options.out,
                size=size,
                seconds=options.seconds,
                tracker=options.tracker,
                pins=pins,
                command=session.command,
                ticks=session.ticks,
                on_look=session.begin,
                takes=extras.takes,
                also=panel.ends,
                loop=options.loop,
                hands=options.hands,
                overwrite=options.force,
                mode=mode,
                rate=out_rate,
                govern=not options.full_quality,
                switches=switches,
                status=screen,
                ready=ready,
                stop=stop,
            )
    report = result.report()
    if options.report:
        stats.save_report(report, options.report)
    if options.json:
        print(json.dumps(report, indent=2))
    if not report["frames"]:
        raise KfxError(f"{options.input}: the show ended before its first picture")
    failed: dict[str, str] = report.get("failed", {})
    if options.json:
        return int(bool(failed))
    dropped = ", ".join(f"{name} {count}" for name, count in report["dropped_at"].items() if count)
    print(
        f"{report['frames']} frames, {report['fps']} fps, "
        f"{report['faces']['frames_with_face']} with a face; dropped: {dropped or 'none'}"
        f"{_latency(report['latency_ms'])}"
    )
    for fault in failed.values():  # told when it happened, which may be hours ago
        print(f"kfx: failed: {fault}", file=sys.stderr)
    return int(bool(failed))


def _latency(of_sinks: dict[str, dict[str, float]]) -> str:
    """From a picture's capture until each sink had it."""
    each = [f"{name} {ms['p50']:.0f}/{ms['p99']:.0f}" for name, ms in of_sinks.items()]
    return f"; latency p50/p99 in ms: {', '.join(each)}" if each else ""


def _check_writable(folder: str | None) -> None:
    """What is written at the end of a show, or beside it, should be refused at its start."""
    if not folder:
        return
    from kfx.sinks import landing

    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise landing.failure(folder, error) from None


@contextmanager
def _ended_by_signals(stop: threading.Event, begun: threading.Event) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the show, files finished; Ctrl-C twice at once.

    Before the show has `begun` there is nothing to finish: what is being loaded is left.
    """

    from kfx.cli import Ended, signals

    def end(number: int, frame: object) -> None:
        hurried = stop.is_set() or not begun.is_set()
        stop.set()
        if hurried and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not begun.is_set():
            raise Ended(number)

    with signals(end, "SIGINT", "SIGTERM", "SIGHUP"):
        yield
