"""``kfx check``: reads presets and says where a fault is; with ``--shader`` it tries shaders."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

EPILOG = """examples:
  kfx check supernova
  kfx check looks/*.toml my.fs
  kfx check --shader my.fs other.fs      compile them and draw a frame: a line of JSON each
  kfx check --shader my.fs --glsl 330    as an older computer or a Mac would
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", nargs="*", metavar="PRESET", help="a name, .toml or .fs file")
    parser.add_argument("--shader", nargs="+", metavar="FILE", help="ISF files to compile and draw")
    parser.add_argument(
        "--glsl", type=int, choices=(330, 410, 450), help="the GLSL version that --shader takes"
    )


def run(options: argparse.Namespace) -> int:
    from kfx.errors import UsageError

    if not options.preset and not options.shader:
        raise UsageError("kfx check: name a preset, or --shader FILE")
    if options.glsl and not options.shader:
        raise UsageError("kfx check: --glsl goes with --shader FILE")
    good = _presets(options.preset)
    if options.shader:
        good = _shaders(options.shader, options.glsl) and good
    return 0 if good else 1


def _presets(names: list[str]) -> bool:
    from kfx import presets
    from kfx.errors import KfxError

    good = True
    for name in names:
        try:
            preset = presets.load(name)
        except KfxError as error:
            good = False
            print(f"FAILED {error}", file=sys.stderr)
            continue
        chain = " → ".join(link.effect.name for link in preset.chain) or "the clean plate"
        print(f"ok     {preset.path or name}: {chain}")
        for link in preset.chain:
            for warning in getattr(link.effect.source, "warnings", ()):
                print(f"       {link.effect.where}: {warning}")
    return good


def _shaders(files: list[str], glsl: int | None) -> bool:
    from kfx.render import isf_check
    from kfx.render.gpu import Gpu

    good = True
    with Gpu(glsl=glsl) as gpu:
        for name in files:
            verdict = isf_check.check(gpu, Path(name))
            good = good and verdict.ok
            # At once: should the driver crash over the next file, this line is out.
            print(json.dumps(verdict.as_dict(), ensure_ascii=False), flush=True)
    return good
