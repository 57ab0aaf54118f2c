"""``kfx render TAKE``: a take of a live show again, with its own look or another one."""

from __future__ import annotations

import argparse
import sys

from kfx.cli import common


def run(options: argparse.Namespace) -> int:
    """Every frame as it was drawn live, with `options.preset`, `options.show`, or its own look."""
    from kfx import presets, sinks, takes
    from kfx.errors import KfxError, UsageError

    for name in ("start", "stop", "aov", "size", "sync", "grid", "song_start", "ltc", "pin"):
        if getattr(options, name, None):
            said = {"start": "from", "stop": "to"}.get(name, name).replace("_", "-")
            raise UsageError(f"--{said}: a take is rendered whole, at its own size and time")
    if options.show and options.set:
        raise UsageError("--set: with --show the show's file says this")
    if sinks.kind_of(options.out) not in ("file", "null"):
        raise UsageError(f"-o {options.out}: render writes files; for this sink use kfx live")
    take = takes.load(options.input)
    notes: list[str] = []
    repeat = None
    preset = presets.load(options.preset or "none")
    with common.quiet_libraries():
        from kfx.cli.progress import Bar
        from kfx.cli.render import summary
        from kfx.engine import stats
        from kfx.engine.takes import kept_preset, look_log, retake
        from kfx.engine.takes.repeat import Repeat

        own = options.preset is None and options.show is None
        try:
            log = look_log.load(take)
        except KfxError as error:
            if own:
                raise KfxError(f"{error}; name a preset by -p") from None
            log, notes = None, [f"{error}: frames are counted from the take's start"]
        if own and log is not None:
            repeat = Repeat(log, options.set)
            notes += [log.note] if log.note else []
        elif own:
            preset, notes = kept_preset.load(take)
        for text in take.gave_up:
            again = "; so here too" if repeat is not None and "left out" in text else ""
            notes.append(f"live gave up: {text}{again}")
        if repeat is None:
            preset = presets.with_settings(preset, options.set)
        with Bar(options.out) as bar:
            result = retake.render(
                take,
                preset,
                options.out,
                show=options.show,
                repeat=repeat,
                since=log.first.since if log is not None else None,
                song=options.song,
                hands=options.hands or take.data.get("hands") is True,
                overwrite=options.force,
                progress=bar,
            )
        for warning in [*notes, *result.warnings]:
            print(f"kfx: {warning}", file=sys.stderr)
    report = result.report()
    if options.report:
        stats.save_report(report, options.report)
    print(summary(options.out, report))
    return 0
