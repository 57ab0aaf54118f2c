"""``kfx beats``: tempo, beats and downbeats of a song as an editable grid."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfx.cli import common

if TYPE_CHECKING:
    from kfx.sync.grid import Grid

DESCRIPTION = """Find tempo, beats and downbeats of SONG and write them as a grid.

What the label knows comes first and is exact: --bpm (with --first-downbeat), or --tempo-map with
the MIDI file of the arrangement or a text of beats (seconds, and 1 for a downbeat, per line).
Without them the song is listened to.
The grid is JSON that people may edit: bpm, beats and downbeats in seconds, source, confidence,
audio_sha256. --nudge moves all beats, in milliseconds.
"""
EPILOG = """examples:
  kfx beats song.wav                                     say what is heard
  kfx beats song.wav -o grid.json                        write it
  kfx beats song.wav --bpm 128 --first-downbeat 0.412 -o grid.json
  kfx beats song.wav --tempo-map arrangement.mid -o grid.json
  kfx beats song.wav --beats-per-bar 3 --nudge -5 -o grid.json --force
  kfx beats song.wav --bar-shift 2 -o grid.json          the kick on 3 was taken for the 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("song", metavar="SONG", help="a sound or video file")
    parser.add_argument("-o", "--out", metavar="GRID.json", help="the file to write")
    parser.add_argument("--bpm", type=float, help="the tempo, where it is known")
    parser.add_argument(
        "--first-downbeat", metavar="S", help="second of the first downbeat (default: 0)"
    )
    parser.add_argument(
        "--beats-per-bar", type=int, default=4, metavar="N", help="default: 4; of a map: its own"
    )
    parser.add_argument("--tempo-map", metavar="FILE", help="a .mid, or a text of beats")
    parser.add_argument(
        "--nudge", type=float, default=0.0, metavar="MS", help="move every beat, later is positive"
    )
    parser.add_argument(
        "--bar-shift", type=int, default=0, metavar="N", help="the 1 is N beats later than found"
    )
    parser.add_argument("--json", action="store_true", help="print the grid as JSON")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    from kfx.errors import KfxError, UsageError
    from kfx.sinks import landing
    from kfx.sync import audio_file, beats, grid

    first = common.seconds_of(options.first_downbeat, "--first-downbeat")
    if options.bpm is not None and options.tempo_map:
        raise UsageError("--bpm and --tempo-map: give one of them")
    if first is not None and options.bpm is None:
        raise UsageError("--first-downbeat: needs --bpm")
    if not 1 <= options.beats_per_bar <= 32:
        raise UsageError(f"--beats-per-bar {options.beats_per_bar}: is outside 1..32")
    if abs(options.nudge) > 10_000:
        raise UsageError(f"--nudge {options.nudge:g}: is outside -10000..10000 ms")
    out = Path(options.out) if options.out else None
    common.check_new(options.out, force=options.force, read=(options.song, options.tempo_map))
    with common.quiet_libraries():
        samples, rate = audio_file.load(options.song)
        length = len(samples) / rate
        try:
            found = _found(options, samples, rate, length, float(first or 0))
        except UsageError:
            raise
        except KfxError as error:
            text = str(error)
            raise KfxError(text if ": " in text[:80] else f"{options.song}: {text}") from None
    found = _shifted(found, options.bar_shift)
    if found.source.endswith(beats.GUESS):
        print(
            f"kfx: {options.song}: which beat is the 1 isn't clear: listen, then --bar-shift N "
            "moves it by beats, --bpm with --first-downbeat says it",
            file=sys.stderr,
        )
    found = _nudged(replace(found, audio_sha256=_sha256(options.song)), options.nudge / 1000)
    if out is not None:
        place = landing.Landing(options.out, out)
        try:
            place.path.write_text(grid.text_of(found), encoding="utf-8")
            place.land()
        except OSError as error:
            place.discard()
            raise landing.failure(options.out, error) from None
        except BaseException:
            place.discard()
            raise
    if options.json:
        print(grid.text_of(found), end="")
        return 0
    print(
        f"{options.out or options.song}: {found.bpm:.2f} bpm, {len(found.beats)} beats in "
        f"{len(found.downbeats)} bars of {found.beats_per_bar}, first downbeat "
        f"{found.first_downbeat:.3f} s, confidence {found.confidence:.2f} ({found.source})"
    )
    return 0


def _found(
    options: argparse.Namespace, samples: Any, rate: int, length: float, first: float
) -> Grid:
    """The grid from the best that is known."""
    from kfx.sync import beats, grid, tempo_map

    if options.tempo_map:
        return tempo_map.read(options.tempo_map, length_s=length)
    if options.bpm is not None:
        return grid.written(grid.steady(options.bpm, first, options.beats_per_bar), length)
    return beats.find(samples, rate, beats_per_bar=options.beats_per_bar)


def _shifted(found: Grid, by: int) -> Grid:
    """With the bars so many beats later; then somebody has listened."""
    from kfx.errors import UsageError
    from kfx.sync import beats

    if not by:
        return found
    if abs(by) >= found.beats_per_bar:
        raise UsageError(f"--bar-shift {by}: a bar has {found.beats_per_bar} beats")
    if not found.downbeats or len(found.beats) < 2 * found.beats_per_bar:
        raise UsageError(f"--bar-shift {by}: this grid has no bars to move")
    first = found.beats.index(found.downbeats[0])
    bars = found.beats[(first + by) % found.beats_per_bar :: found.beats_per_bar]
    source = found.source.removesuffix(beats.GUESS)
    return replace(found, downbeats=bars, first_downbeat=bars[0], source=source)


def _nudged(found: Grid, by_s: float) -> Grid:
    if not by_s:
        return found
    return replace(
        found,
        beats=tuple(one + by_s for one in found.beats),
        downbeats=tuple(one + by_s for one in found.downbeats),
        first_downbeat=found.first_downbeat + by_s,
    )


def _sha256(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
