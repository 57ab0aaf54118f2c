"""``kfx show``: an effect's knobs, a preset's chain and plan, or a show's cue sheet."""

from __future__ import annotations

import argparse
from typing import Any

from kfx.cli import show_cues

EPILOG = """examples:
  kfx show iris_nova
  kfx show supernova
  kfx show looks/mine.toml --plan    only the passes it compiles to
  kfx show check show.toml           rehearse a show against its song, print the cue sheet
  kfx show check show.toml --fps 25 --json
  kfx show cues show.toml --csv > cues.csv
  kfx show cues show.toml --import cues.csv -o new.toml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an effect, a preset, or a file of either")
    show_cues.add_arguments(parser)
    parser.add_argument("--plan", action="store_true", help="show only the passes it compiles to")


def run(options: argparse.Namespace) -> int:
    from kfx import effects, presets
    from kfx.errors import UsageError
    from kfx.presets.comparing import value_text

    name = options.name
    if name in show_cues.WORDS:
        return show_cues.run(options)
    if options.file is not None:
        raise UsageError(f"kfx show {name} {options.file}: say check or cues before a show's file")
    if name in presets.names() or name.endswith(".toml"):
        preset = presets.load(name)
        print(_plan_text(preset) if options.plan else _preset_text(preset))
        return 0
    effect = effects.find(name)
    if options.plan:
        print(_plan_text(presets.alone(effect)))
        return 0
    print(f"{effect.name} ({effect.kind}): {effect.doc}\n{effect.where}\n")
    rows = [
        (knob, value_text(one.default, one), one.range_text, one.unit, one.doc)
        for knob, one in effect.knobs.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print(f"  {cells}  {row[4]}")
    return 0


def _preset_text(preset: Any) -> str:
    from kfx.presets.comparing import described

    lines = [f"{preset.name}: {preset.doc}", preset.path, ""]
    for i, link in enumerate(preset.chain):
        said = dict(described(link))
        where = [f"slots {said.pop('slots')}"] if link.slots else []
        where += [f"when {said.pop('when')}"] if link.when else []
        where += [f"bus {said.pop('bus')}"] if link.bus else []
        still = [f"{name}={text}" for name, text in said.items() if name not in link.modulation]
        head = ", ".join([*where, *still])
        moving = [f"{name} = {said[name]}" for name in link.modulation]
        lines.append(
            f"  {i}  {link.effect.name:16}{head or ('' if moving else 'as it comes')}".rstrip()
        )
        lines += [f"     {'':16}{text}" for text in moving]
    return "\n".join([*lines, "", "plan:", _plan_text(preset)])


def _plan_text(preset: Any) -> str:
    from kfx.engine.look.plan import compile_plan

    plan = compile_plan(preset)
    lines = [f"  {i}  {step.text}" for i, step in enumerate(plan.steps)]
    for bus, one in plan.buses.items():
        lines += [f"  bus {bus}  {step.text}" for step in one.steps]
    if plan.face_images:
        lines.append(f"  reads {', '.join(plan.face_images)}, drawn once a frame")
    return "\n".join(lines) or "  nothing is drawn: the plate passes untouched"
