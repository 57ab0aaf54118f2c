"""``kfx demo``: the main job on the embedded performer, with nothing else needed."""

from __future__ import annotations

import argparse
import sys

from kfx.cli import common

DESCRIPTION = """Render the performer through supernova.

Writes demo.mp4 and demo.png, a contact sheet with the plate above and the effect below.
"""
EPILOG = """examples:
  kfx demo
  kfx demo --out /tmp/look --seconds 4 --size 1920x1080
"""
STILLS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder (default: demo)")
    parser.add_argument("--seconds", default="6", help="length (default: 6)")
    common.add_size_argument(parser)
    parser.add_argument("-p", "--preset", default="supernova", help="default: supernova")


def run(options: argparse.Namespace) -> int:
    from pathlib import Path

    from kfx import presets, sources

    size = common.size_of(options.size) or (1280, 720)
    stop = common.seconds_of(options.seconds, "--seconds")
    preset = presets.load(options.preset)
    folder = Path(options.out)
    video, sheet = folder / "demo.mp4", folder / "demo.png"
    with common.quiet_libraries():
        from kfx.cli.contact_sheet import ContactSheet
        from kfx.cli.progress import Bar
        from kfx.engine import offline

        with sources.open("performer", size=size, stop_s=stop) as source, Bar(str(video)) as bar:
            shots = ContactSheet(source.info.frame_count or 180, STILLS)
            result = offline.render(
                source,
                preset,
                str(video),
                stop_s=stop,
                overwrite=True,
                progress=bar,
                on_shot=shots.add,
            )
        for warning in result.warnings:
            print(f"kfx: {warning}", file=sys.stderr)
        shots.save(sheet)
    from kfx.cli.render import summary

    report = result.report()
    print(summary(str(video), report))
    print(f"{sheet}: the plate above, {preset.name} below")
    print("next: kfx live -i camera:0 -p supernova -o preview    (or -i performer)")
    return 0
