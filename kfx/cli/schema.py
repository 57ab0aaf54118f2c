"""``kfx schema``: the JSON Schema of preset files, for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DESCRIPTION = "Print the JSON Schema of preset files: editors complete and check knobs with it."
EPILOG = """examples:
  kfx schema -o kfx-preset.schema.json
  then put this first line into a preset, for Even Better TOML (VS Code) and other editors:
  #:schema ./kfx-preset.schema.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write it here instead")


def run(options: argparse.Namespace) -> int:
    from kfx.errors import KfxError
    from kfx.presets.schema import schema

    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    if options.output is None:
        print(text)
        return 0
    try:
        Path(options.output).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise KfxError(f"{options.output}: {error.strerror or error}") from error
    print(f"wrote {options.output}")
    return 0
