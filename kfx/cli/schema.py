"""``kfx schema``: the JSON Schema of preset files, for editors."""

from __future__ import annotations

import argparse
import json

DESCRIPTION = "Print the JSON Schema of preset files: editors complete and check knobs with it."
EPILOG = """examples:
  kfx schema -o kfx-preset.schema.json
  then put this first line into a preset, for Even Better TOML (VS Code) and other editors:
  #:schema ./kfx-preset.schema.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", metavar="FILE", help="write it here instead")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    from kfx import writing
    from kfx.cli import common
    from kfx.presets.schema import schema

    common.check_new(options.out, force=options.force)
    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    if options.out is None:
        print(text)
        return 0
    writing.write(options.out, text + "\n")
    print(f"wrote {options.out}")
    return 0
