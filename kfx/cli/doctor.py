"""``kfx doctor``: what works on this machine, what doesn't, and the remedy."""

from __future__ import annotations

import argparse
import json

from kfx.engine import health

_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kfx doctor``."""
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Examine the machine and print; 0 unless something the main job needs fails."""
    if args.json:
        checks = health.examine_all()
        keys = ("name", "status", "detail", "remedy")
        lines = [{key: getattr(check, key) for key in keys} for check in checks]
        print(json.dumps({"ok": health.healthy(checks), "checks": lines}, indent=2))
    else:
        checks = _print_checks()
    return 0 if health.healthy(checks) else 1


def _print_checks() -> list[health.Check]:
    """Print each line as soon as it is known: a driver that hangs is then seen by name."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    checks = []
    for name in health.CHECKS:
        with console.status(f"{name} …"):
            found = health.examine(name)
        for check in found:
            mark, style = _MARKS[check.status]
            head = Text.assemble((f"{mark:<5}", style), (f"{check.name:<18}", "bold"))
            console.print(head + Text(check.detail), soft_wrap=True)
            if check.remedy:
                console.print(Text(" " * 23 + "→ " + check.remedy, style="cyan"), soft_wrap=True)
        checks += found
    failed = [check.name for check in checks if check.needed and check.status == "fail"]
    verdict = f"kfx can't run here: {', '.join(failed)}" if failed else "kfx can run here"
    console.print(Text(verdict, style="bold red" if failed else "bold green"))
    return checks
