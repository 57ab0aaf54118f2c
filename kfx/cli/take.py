"""``kfx take``: list, circle and annotate the takes that ``kfx live --take`` has made."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

DESCRIPTION = """List, circle or annotate takes, or say whose consent they stand on.

A take is a folder with take.json, the clean plate, the picture, tracks, clock and controls. Render
it again with another look: kfx render takes/A001_T01 -p other -o other.mov
"""
EPILOG = """examples:
  kfx take list takes
  kfx take list takes --json
  kfx take circle takes/A001_T03
  kfx take circle takes/A001_T03 --off
  kfx take note takes/A001_T03 "eyes too early in the second chorus" --by director
  kfx take consent takes/A001_T03 lead=KFX-2026-014        by name, or by slot: 0=…
  kfx take consent takes/A001_T03 lead=consents/lead.json  its id, and the record's SHA-256
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "circle", "note", "consent"))
    parser.add_argument("place", metavar="DIR", help="list: the folder of takes; else one take")
    parser.add_argument(
        "text", nargs="?", metavar="TEXT", help="note: what is to be said; consent: WHO=ID"
    )
    parser.add_argument("--by", default="", metavar="WHO", help="note: who says it")
    parser.add_argument("--at", default="", metavar="TC", help="note: the timecode it is about")
    parser.add_argument("--off", action="store_true", help="circle: take the mark away")
    parser.add_argument("--json", action="store_true", help="list: print JSON")


def run(options: argparse.Namespace) -> int:
    from kfx import takes
    from kfx.errors import KfxError, UsageError

    if options.action == "list":
        return _list(options)
    take = takes.load(options.place)
    if options.action == "circle":
        take.circle(not options.off)
        said = "no longer circled" if options.off else "circled"
    elif options.action == "consent":
        from kfx.takes import consent

        if not options.text:
            raise UsageError("kfx take consent: say whose: kfx take consent TAKE lead=KFX-2026-014")
        given = take.consent(consent.parse([options.text]))
        said = f"consent of {', '.join(one or 'everybody' for one in given)} is on record"
    else:
        if not options.text or not options.text.strip():
            raise UsageError("kfx take note: say something: kfx take note TAKE 'good light'")
        take.note(options.text, options.by, options.at)
        said = f"{len(take.notes)} notes"
    try:
        takes.save(take)
    except OSError as error:
        raise KfxError(f"{take.folder}: {error}") from None
    print(f"{take.name}: {said}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from kfx import takes
    from kfx.errors import KfxError

    found: list[dict[str, Any]] = []
    faults = 0
    for take in takes.takes_in(options.place):
        if isinstance(take, KfxError):
            print(f"kfx: {take}", file=sys.stderr)
            faults += 1
            continue
        data = take.data
        found.append(
            {
                "name": take.name,
                "circled": take.circled,
                "start_tc": data.get("start_tc"),
                "frames": data.get("frames"),
                "fps": data["fps"],
                "preset": (data.get("preset") or {}).get("name"),
                "warnings": data.get("warnings", []),
                "gave_up": take.gave_up,
                "notes": take.notes,
            }
        )
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 1 if faults else 0
    for one in found:
        seconds = (one["frames"] or 0) * one["fps"][1] / one["fps"][0]
        mark = "o" if one["circled"] else " "
        print(f"{mark} {one['name']:16} {one['start_tc']}  {seconds:7.2f} s  {one['preset']}")
        for note in one["notes"]:
            who = f"{note['by']}: " if note.get("by") else ""
            print(f"    {note.get('at', '')} {who}{note['text']}".rstrip())
        for text in one["warnings"]:
            print(f"    warning: {text}")
        for text in one["gave_up"]:
            print(f"    gave up: {text}")
    if not found and not faults:
        print(f"{options.place}: no takes")
    return 1 if faults else 0
