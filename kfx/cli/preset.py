"""``kfx preset``: starts, compares, packs and unpacks presets."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

DESCRIPTION = "Start a preset, compare two, or pack one with all its files."
EPILOG = """examples:
  kfx preset new mine.toml --effects iris_nova,film      every knob with its range, to edit
  kfx preset new mine.toml --from supernova              a copy of one that comes with kfx
  kfx preset diff supernova mine.toml                    what differs, knob by knob
  kfx preset pack mine.toml -o mine.zip                  with its shaders and LUTs, and hashes
  kfx preset unpack mine.zip -o looks/mine               checked before anything is written
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = verbs.add_parser("new", help="start a preset file")
    new.add_argument("file", metavar="FILE", help="the file to write, .toml")
    start = new.add_mutually_exclusive_group()
    start.add_argument("--effects", metavar="A,B", default="film", help="the chain, in order")
    start.add_argument("--from", dest="source", metavar="PRESET", help="copy this one")
    diff = verbs.add_parser("diff", help="say what makes one preset of the other")
    diff.add_argument("before", metavar="A")
    diff.add_argument("after", metavar="B")
    diff.add_argument("--json", action="store_true", help="print a list of place, before, after")
    pack = verbs.add_parser("pack", help="one zip with shaders, LUTs and hashes")
    pack.add_argument("preset", metavar="PRESET")
    pack.add_argument("-o", "--output", metavar="ZIP", help="default: NAME.zip")
    unpack = verbs.add_parser("unpack", help="check a pack and lay it into a new folder")
    unpack.add_argument("pack", metavar="ZIP")
    unpack.add_argument("-o", "--output", metavar="FOLDER", help="default: the zip's name")


def run(options: argparse.Namespace) -> int:
    return {"new": _new, "diff": _diff, "pack": _pack, "unpack": _unpack}[options.verb](options)


def _new(options: argparse.Namespace) -> int:
    from kfx import effects, presets, writing
    from kfx.errors import KfxError, UsageError

    path = Path(options.file)
    if path.suffix != ".toml":
        raise UsageError(f"{path}: name a file that ends in .toml")
    if path.exists():
        raise KfxError(f"{path}: is there already; name another file")
    if options.source:
        source = presets.path_of(options.source)
        presets.load(options.source)
        text = source.read_text(encoding="utf-8-sig")
    else:
        specs = [effects.find(name.strip()) for name in options.effects.split(",")]
        text = f'version = {presets.VERSION}\ndoc = "{path.stem}"\n'
        text += "".join(_link_text(spec) for spec in specs)
    presets.read(text, str(path), path.stem)  # a file that a preset names may not be there
    writing.write(str(path), text)
    print(f"wrote {path}")
    return 0


def _link_text(spec: Any) -> str:
    from kfx.params import Choice, File
    from kfx.presets.comparing import value_text

    lines = ["", "[[chain]]", f'effect = "{spec.name}"  # {spec.doc}']
    for name, knob in spec.knobs.items():
        value = value_text(knob.default, knob)
        if isinstance(knob, Choice | File):
            quoted = isinstance(knob, File) or knob.labels or isinstance(knob.default, str)
            if isinstance(knob, File) and knob.default:
                value = Path(knob.default).relative_to(Path(knob.folder).resolve()).as_posix()
            value = json.dumps(value) if quoted else value
        unit = f" {knob.unit}" if knob.unit else ""
        lines.append(f"# {name} = {value}  # {knob.range_text}{unit}: {knob.doc}")
    return "\n".join(lines) + "\n"


def _diff(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from kfx import presets
    from kfx.presets.comparing import differences

    found = differences(presets.load(options.before), presets.load(options.after))
    if options.json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
        return 0
    for one in found:
        before = "–" if one.before is None else one.before
        after = "–" if one.after is None else one.after
        print(f"{one.place}: {before} → {after}")
    if not found:
        print("the same look")
    return 0


def _pack(options: argparse.Namespace) -> int:
    from kfx import presets
    from kfx.presets import packing

    preset = presets.load(options.preset)
    out = Path(options.output or f"{preset.name}.zip")
    names = packing.pack(preset, out)
    print(f"wrote {out}: {len(names)} files, {out.stat().st_size / 1024:.0f} KiB")
    return 0


def _unpack(options: argparse.Namespace) -> int:
    from kfx.presets import packing

    archive = Path(options.pack)
    path = packing.unpack(archive, options.output or archive.with_suffix(""))
    print(f"wrote {path}; try: kfx show {path}")
    return 0
