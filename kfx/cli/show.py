"""``kfx show``: an effect's knobs, or a preset's chain and plan."""

from __future__ import annotations

import argparse
from typing import Any

EPILOG = """examples:
  kfx show iris_nova
  kfx show supernova
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="EFFECT", help="an effect or a preset")


def run(options: argparse.Namespace) -> int:
    from kfx import effects, presets

    name = options.name
    if name in presets.names() or name.endswith(".toml"):
        print(_preset_text(presets.load(name)))
        return 0
    effect = effects.find(name)
    print(f"{effect.name} ({effect.kind}): {effect.doc}\n{effect.where}\n")
    rows = [
        (knob, _text(one.default, one), one.range_text, one.unit, one.doc)
        for knob, one in effect.knobs.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print(f"  {cells}  {row[4]}")
    return 0


def _preset_text(preset: Any) -> str:
    from kfx.engine.plan import compile_plan

    lines = [f"{preset.name}: {preset.doc}", preset.path, ""]
    for i, link in enumerate(preset.chain):
        values = ", ".join(
            f"{name}={_text(value, link.effect.knobs[name])}"
            for name, value in link.values.items()
            if value != link.effect.knobs[name].default
        )
        lines.append(f"  {i}  {link.effect.name:16}{values or 'as it comes'}")
    plan = compile_plan(preset)
    lines += ["", "plan:", *(f"  {i}  {step.text}" for i, step in enumerate(plan.steps))]
    return "\n".join(lines)


def _text(value: Any, knob: Any) -> str:
    labels, options = getattr(knob, "labels", ()), getattr(knob, "options", ())
    if labels and value in options:
        return str(labels[options.index(value)])
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{one:g}" for one in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
