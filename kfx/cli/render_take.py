"""``kfx render TAKE``: a take of a live show again, with another look."""

from __future__ import annotations

import argparse
import sys

from kfx.cli import common


def run(options: argparse.Namespace) -> int:
    """Every frame as it was drawn live, with `options.preset` or `options.show`."""
    from kfx import presets, sinks, takes
    from kfx.errors import UsageError

    for name in ("start", "stop", "aov", "size", "sync", "grid", "song", "song_start", "ltc"):
        if getattr(options, name, None):
            said = {"start": "from", "stop": "to"}.get(name, name).replace("_", "-")
            raise UsageError(f"--{said}: a take is rendered whole, at its own size and time")
    if sinks.kind_of(options.out) not in ("file", "null"):
        raise UsageError(f"-o {options.out}: render writes files; for this sink use kfx live")
    take = takes.load(options.input)
    preset = presets.with_settings(presets.load(options.preset), options.set)
    with common.quiet_libraries():
        from kfx.cli.progress import Bar
        from kfx.cli.render import summary
        from kfx.engine import stats
        from kfx.engine.takes import retake

        with Bar(options.out) as bar:
            result = retake.render(
                take,
                preset,
                options.out,
                show=options.show,
                hands=options.hands,
                overwrite=options.force,
                progress=bar,
            )
        for warning in result.warnings:
            print(f"kfx: {warning}", file=sys.stderr)
    report = result.report()
    if options.report:
        stats.save_report(report, options.report)
    print(summary(options.out, report))
    return 0
