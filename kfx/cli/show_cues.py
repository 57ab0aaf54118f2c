"""``kfx show check`` and ``kfx show cues``: a show's cue sheet, rehearsed without a camera."""

from __future__ import annotations

import argparse
import json
import sys
from fractions import Fraction
from pathlib import Path

from kfx.errors import KfxError, UsageError

WORDS = ("check", "cues")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of their own beside those of ``kfx show NAME``."""
    group = parser.add_argument_group("shows: check FILE, cues FILE")
    group.add_argument("file", nargs="?", metavar="SHOW.toml", help="after check or cues")
    group.add_argument("--fps", help="check: number frames at this rate (default: the show's)")
    group.add_argument("--json", action="store_true", help="check: print JSON")
    group.add_argument("--csv", action="store_true", help="cues: print CSV for a spreadsheet")
    group.add_argument("--import", dest="sheet", metavar="CUES.csv", help="cues: read them here")
    group.add_argument("-o", "--out", metavar="NEW.toml", help="with --import: the show to write")
    group.add_argument("--force", action="store_true", help="with --import: replace NEW.toml")


def run(options: argparse.Namespace) -> int:
    if options.file is None:
        raise UsageError(f"kfx show {options.name}: name a show: kfx show {options.name} show.toml")
    if options.sheet is not None:
        return _import(options)
    return _check(options) if options.name == "check" else _cues(options)


def _check(options: argparse.Namespace) -> int:
    from kfx import shows
    from kfx.shows import rehearsal
    from kfx.sources import parse_rate

    try:
        show = shows.load(options.file)
    except KfxError as error:
        if not options.json:
            raise
        print(json.dumps({"schema": "kfx.cues/1", "problems": [str(error)], "cues": []}, indent=1))
        return 1
    fps = parse_rate(options.fps, "--fps") if options.fps else show.fps or Fraction(24)
    found = rehearsal.rehearse(shows.build(show, strict=False), fps)
    if options.json:
        rate = [fps.numerator, fps.denominator]
        print(json.dumps({**rehearsal.as_dict(found), "fps": rate}, indent=1))
        return 1 if found.problems else 0
    print(rehearsal.table(found))
    for text in found.notes:
        print(f"note: {text}", file=sys.stderr)
    for text in found.problems:
        print(f"kfx: {show.path}: {text}", file=sys.stderr)
    count = len(found.problems)
    said = f"{count} problem{'s' if count != 1 else ''}" if count else "no problems"
    print(
        f"{show.path}: {len(found.rows)} cues in {found.length_s:.1f} s at {float(fps):g} frames a "
        f"second, {said}"
    )
    return 1 if found.problems else 0


def _cues(options: argparse.Namespace) -> int:
    from kfx import shows
    from kfx.shows import cue_csv, rehearsal

    show = shows.load(options.file)
    if options.csv:
        print(cue_csv.write(show), end="")
    else:
        built = shows.build(show, strict=False)
        print(rehearsal.table(rehearsal.rehearse(built, show.fps or Fraction(24))))
    return 0


def _import(options: argparse.Namespace) -> int:
    from kfx import shows, writing
    from kfx.shows import cue_csv

    if options.out is None:
        raise UsageError("--import: say where the show is to be written: -o new.toml")
    out = Path(options.out)
    if out.exists() and not options.force:
        raise KfxError(f"{out}: exists; add --force to replace it")
    try:
        sheet = Path(options.sheet).read_text("utf-8-sig")
        text = Path(options.file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "this is no UTF-8 text"
        place = getattr(error, "filename", None) or options.sheet
        raise KfxError(f"{place}: can't be read ({reason})") from None
    shows.read(text, options.file)
    made = cue_csv.into(text, cue_csv.read(sheet, options.sheet))
    show = shows.read(made, str(out))
    writing.write(options.out, made)
    print(f"{out}: {len(show.cues)} cues")
    return 0
