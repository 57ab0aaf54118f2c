"""``kfx check``: reads presets and says where a fault is."""

from __future__ import annotations

import argparse
import sys

EPILOG = """examples:
  kfx check supernova
  kfx check looks/*.toml my.fs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", nargs="+", metavar="PRESET", help="a name, .toml or .fs file")


def run(options: argparse.Namespace) -> int:
    from kfx import presets
    from kfx.errors import KfxError

    failed = 0
    for name in options.preset:
        try:
            preset = presets.load(name)
        except KfxError as error:
            failed += 1
            print(f"FAILED {error}", file=sys.stderr)
            continue
        chain = " → ".join(link.effect.name for link in preset.chain) or "the clean plate"
        print(f"ok     {preset.path or name}: {chain}")
        for link in preset.chain:
            for warning in getattr(link.effect.source, "warnings", ()):
                print(f"       {link.effect.where}: {warning}")
    return 1 if failed else 0
