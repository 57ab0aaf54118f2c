"""``kfx render``: a file through a preset, every frame kept."""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kfx.cli import common, render_take

if TYPE_CHECKING:
    from kfx.engine.takes.rendered_show import Played
    from kfx.types import SourceInfo

DESCRIPTION = """Render INPUT through a preset.

Every frame, the exact rate, the sound, the timecode and the colour tags are kept. The file is
written beside the target and renamed when it is whole: a failure or Ctrl-C leaves nothing.

outputs: out.mp4 (H.264), out.mov (ProRes 4444), frames/%06d.png

--aov writes what the shaders know of the face beside OUT, one numbered file per frame, for
compositing: out.uv.001001.png and so on. Faces as shown, after all motion effects. The first
frame of a file is 1001, also in its tracks; those of a sequence keep their numbers.
  uv      R G: UV on the canonical face, v up · B: (slot + 0.5) / 8 · A: coverage
  normal  R G B: normal to the camera, x right, y up, -1..1 · A: coverage
  motion  R G: pixels moved since the frame before, x right, y up · A: coverage
  parts   R skin · G lips · B eye openings · A inner mouth
  matte   people, 0..1
PNG is 16-bit: 0..1 is 0..65535, -1..1 too, motion is 32768 + 64 × pixels. EXR is float32 and
holds the values themselves. Read them raw: no colour conversion, straight alpha.
"""
EPILOG = """examples:
  kfx render take3.mov -p supernova -o take3_fx.mov
  kfx render take3.mov -p supernova -o try.mp4 --from 12 --to 15.5 --set expr_amp.gain=2.5
  kfx render plate.%04d.png -p look.toml -o fx/%06d.png --force
  kfx render take3.mov -p none -o take3.mp4 --aov uv,motion,matte --aov-format exr
  kfx render performer -p supernova -o show.mp4 --to 10 --size 1920x1080
  kfx render take3.mov -s show.toml -o out.mov             by the clip's timecode, or from 0
  kfx render take3.mov -s show.toml -o out.mov --ltc       by the LTC on its sound
  kfx render take3.mov -s show.toml -o out.mov --ltc playback.wav
  kfx render takes/A001_T03 -o again.mov                   a take as it was shown, cue by cue
  kfx render takes/A001_T03 -p other -o other.mov          a take with another look
  kfx render take3.mov -p mv.toml -o out.mov --song song.wav --grid song.json --song-start 2.5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="INPUT", help="a source, or a take: see kfx list sources")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="the file to write")
    common.add_look_arguments(parser, "default: supernova; of a take its own look, as it was shown")
    parser.set_defaults(preset=None)  # a take has its own
    common.add_size_argument(parser)
    common.add_pin_argument(parser)
    parser.add_argument("--from", dest="start", metavar="S", help="first second to render")
    parser.add_argument("--to", dest="stop", metavar="S", help="second at which to stop")
    parser.add_argument("--grid", metavar="GRID.json", help="the song's beats: see kfx beats")
    parser.add_argument("--song", metavar="SOUND", help="the song's file, which looks hear")
    parser.add_argument(
        "--song-start", metavar="S", help="second of INPUT at which the song begins (default: 0)"
    )
    parser.add_argument(
        "--sync",
        action="append",
        default=[],
        metavar="ltc:FILE",
        help="timecode on a file's sound says where the song is, from INPUT's start on",
    )
    parser.add_argument(
        "-s", "--show", metavar="SHOW.toml", help="play a show's cues, in place of --preset"
    )
    parser.add_argument(
        "--ltc",
        nargs="?",
        const="",
        metavar="SOUND",
        help="with --show: timecode on this file's sound says where the song is; alone, on INPUT's",
    )
    parser.add_argument(
        "--aov", metavar="LIST", help="uv,normal,motion,parts,matte or some of them, beside OUT"
    )
    parser.add_argument("--aov-format", choices=("png", "exr"), default="png", help="default: png")


def run(options: argparse.Namespace) -> int:
    from kfx import presets, sinks, sources
    from kfx.engine import aov_names
    from kfx.errors import UsageError
    from kfx.sinks import landing
    from kfx.takes import FILE

    read = (options.input, options.song, options.grid, options.show, options.ltc)
    landing.check_not_read(options.out, *read)
    common.check_new(options.report, force=options.force, read=(*read, options.out))
    if (Path(options.input) / FILE).is_file() or Path(options.input).name == FILE:
        return render_take.run(options)
    size, pins = common.size_of(options.size), common.pins_of(options.pin)
    start, stop = common.span_of(options)
    if sinks.kind_of(options.out) not in ("file", "null"):
        raise UsageError(f"-o {options.out}: render writes files; for this sink use kfx live")
    aov = aov_names.parse(options.aov) if options.aov is not None else ()
    if aov and sinks.kind_of(options.out) != "file":
        raise UsageError(f"--aov: is written beside a file, and -o {options.out} is none")
    if options.ltc is not None and options.show is None:
        raise UsageError("--ltc: says where a show is; name it by --show, or use --sync ltc:FILE")
    preset = presets.with_settings(presets.load(options.preset or "supernova"), options.set)
    request = sources.parse(options.input)
    if request.kind in ("camera", "stream"):
        raise UsageError(f"{options.input}: what is live can't be rendered; use kfx live")
    if request.kind == "performer" and stop is None:
        raise UsageError("performer: it never ends; add --to SECONDS")

    with common.quiet_libraries():
        from kfx.cli.progress import Bar
        from kfx.engine import offline, song_ticks, stats

        song_start = common.seconds_of(options.song_start, "--song-start")
        played, ticks = None, None
        if options.show is None:
            ticks = song_ticks.rendered(
                sync=options.sync,
                grid=options.grid,
                bpm=options.bpm,
                song=options.song,
                start_s=float(song_start or 0),
            )
        source = sources.open(options.input, size=size, start_s=start, stop_s=stop)
        if options.show is not None:
            played = _played(options, source.info, song_start, start)
            preset, ticks = played.conductor.first, played.ticks
            for note in played.notes:
                print(f"kfx: {note}", file=sys.stderr)
        with source, Bar(options.out) as bar:
            result = offline.render(
                source,
                preset,
                options.out,
                size=size,
                start_s=start,
                stop_s=stop,
                tracker=options.tracker,
                ticks=ticks,
                conductor=played.conductor if played else None,
                hands=options.hands,
                pins=pins,
                overwrite=options.force,
                aov=aov,
                aov_format=options.aov_format,
                progress=bar,
            )
        for warning in result.warnings:
            print(f"kfx: {warning}", file=sys.stderr)
    report = result.report()
    if options.report:
        stats.save_report(report, options.report)
    print(summary(options.out, report))
    return 0


def _played(
    options: argparse.Namespace,
    info: SourceInfo,
    song_start: Fraction | None,
    start: Fraction | int,
) -> Played:
    """The show over INPUT. Raises `KfxError`."""
    from kfx import timecode
    from kfx.engine.takes import rendered_show
    from kfx.errors import UsageError

    for name in ("sync", "grid", "song", "set"):
        if getattr(options, name):
            raise UsageError(f"--{name}: with --show the show's file says this")
    code = info.timecode
    if code is not None and start:  # of the cut; the show wants that of time 0
        code = timecode.advance(code, -round(start * info.rate), info.rate)
    ltc = options.input if options.ltc == "" else options.ltc
    first = None if song_start is None else float(song_start)
    return rendered_show.played(
        options.show, rate=info.rate, ltc=ltc, song_start_s=first, start_timecode=code
    )


def summary(out: str, report: dict[str, object]) -> str:
    """Two lines on a finished render."""
    faces, stages = report["faces"], report["stage_ms"]
    assert isinstance(faces, dict)
    assert isinstance(stages, dict)
    width, height = report["size"]  # type: ignore[misc]
    times = ", ".join(f"{name} {stages[name]['p50']:.1f}" for name in stages)
    return (
        f"{out}: {report['frames']} frames {width}x{height} at {report['rate']}, "
        f"{faces['frames_with_face']} with a face ({faces['max_faces']} at most), "
        f"{report['fps']} fps\n  ms a frame (p50): {times}; {report['renderer']}"
    )
