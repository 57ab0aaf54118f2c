"""``kfx track``: the faces of a file as numbers."""

from __future__ import annotations

import argparse
import sys

from kfx.cli import common

DESCRIPTION = """Track the faces of INPUT and write them as CSV.

--format csv (default): one row per frame and face, 478 landmarks, ready for pandas or a rig
  # kfx-landmarks v1; size=1920x1080; origin=top-left; fps=24000/1001; start_tc=01:02:03:04
  frame      1001 is the first frame of a file, a sequence keeps its own; --from changes neither
  tc         timecode of the file, else counted from 00:00:00:00
  song_bar, song_beat   counted from 1, with --bpm; else empty
  face_id    0-7, the same for a performer as long as they can be told
  name       of a slot that --pin names
  conf       0..1, rises within 0.1 s of a face's appearance
  p000_x …   x and y in pixels, pixel centres at .5; z in inter-ocular distances, away from camera
  A frame without a face has one row with conf 0 and no points. Points are as found; --smooth
  writes them as the effects see them. Without a steady frame rate, NAME.source.json has the times.

--format livelink: Live Link Face CSV for Unreal, Blender, Maya: 52 ARKit shapes, head and eyes
  Resampled to 30 or 60 frames a second (Unreal knows no others), timecode rewritten, the original
  in NAME.source.json. Several faces: NAME.slot0.csv, NAME.slot1.csv …, or NAME_lead.csv of a slot
  that --pin names; who is calibrated by that name is told by their own range. A lost face has no
  rows; only losses up to 0.15 s are bridged. Angles are degrees / 180: yaw > 0 to the subject's
  left, pitch > 0 down, roll > 0 to the subject's right shoulder. Unreal reads the subject from a
  name like S12_T04_lead.csv. TongueOut is always 0.

Files appear when they are whole: a failure or Ctrl-C leaves nothing.
"""
EPILOG = """examples:
  kfx track take3.mov -o take3.csv
  kfx track take3.mov -o chorus.csv --from 1:02 --to 1:10 --bpm 128 --smooth
  kfx track take3.mov -o S12_T04_lead.csv --format livelink --fps 60
  kfx track duet.mov -o S12_T04.csv --format livelink --pin 0=lead --pin 1=rap
  kfx track performer?faces=2 -o truth.csv --tracker truth --to 4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="INPUT", help="a source: see kfx list sources")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.csv", help="the file to write")
    parser.add_argument("--format", default="csv", metavar="FORMAT", help="csv or livelink")
    parser.add_argument("--fps", metavar="N", help="livelink: 30 or 60 (default: 60 above 30)")
    parser.add_argument("--from", dest="start", metavar="S", help="first second to track")
    parser.add_argument("--to", dest="stop", metavar="S", help="second at which to stop")
    parser.add_argument("--bpm", type=float, help="tempo, for song_bar and song_beat")
    parser.add_argument("--smooth", action="store_true", help="csv: points calmed by the tracker")
    parser.add_argument(
        "--tracker", default="mediapipe", help="mediapipe, or truth for the performer's own faces"
    )
    common.add_pin_argument(parser)
    common.add_size_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(options: argparse.Namespace) -> int:
    from kfx import sources
    from kfx.errors import UsageError

    size, pins = common.size_of(options.size), common.pins_of(options.pin)
    start, stop = common.span_of(options)
    rate = sources.parse_rate(options.fps, "--fps") if options.fps else None
    if options.bpm is not None and not 1 <= options.bpm <= 1000:
        raise UsageError(f"--bpm {options.bpm:g}: is outside 1..1000 beats a minute")
    request = sources.parse(options.input)
    if request.kind in ("camera", "stream"):
        raise UsageError(f"{options.input}: a live source; kfx live tracks it")
    if request.kind == "performer" and stop is None:
        raise UsageError("performer: it never ends; add --to SECONDS")

    with common.quiet_libraries():
        from kfx.cli.progress import Bar
        from kfx.engine.tracks import track

        track.check(options.out, options.format, rate, overwrite=options.force, pins=pins)
        source = sources.open(options.input, size=size, start_s=start, stop_s=stop)
        with source, Bar(options.out) as bar:
            result = track.track(
                source,
                options.out,
                form=options.format,
                fps=None if rate is None else int(rate),
                tracker=options.tracker,
                smooth=options.smooth,
                bpm=options.bpm,
                pins=pins,
                overwrite=options.force,
                progress=bar,
            )
        for warning in result.warnings:
            print(f"kfx: {warning}", file=sys.stderr)
    rows = ", ".join(f"slot {slot} {n} rows" for slot, n in sorted(result.rows.items()))
    names = ", ".join(str(path) for path in result.files)
    print(
        f"{names}: {result.frames} frames, {result.frames_with_face} with a face "
        f"({rows or 'none found'}), {result.fps:.1f} fps"
    )
    return 0
