"""The command line: one file per command, loaded only when it is called."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from kfx import __version__
from kfx.errors import KfxError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (one line, module)
    "demo": ("render the performer through supernova: demo.mp4 and demo.png", "demo"),
    "render": ("render a file through a preset, every frame", "render"),
    "live": ("run a camera through a preset to sinks, now", "live"),
    "ctl": ("control a running show: get, set, preset, cue, panic, list, watch", "ctl"),
    "track": ("track the faces of a file into a CSV of landmarks or expressions", "track"),
    "calibrate": ("learn a performer's rest, range and expressions, by name", "calibrate"),
    "list": ("list sources, sinks, effects, presets or devices", "list_things"),
    "show": ("show an effect's knobs, a preset's plan or a show's cue sheet", "show"),
    "check": ("check presets without running them", "check"),
    "preset": ("start, compare, pack or unpack a preset", "preset"),
    "schema": ("print the JSON Schema of preset files, for editors", "schema"),
    "model": ("say what an ONNX net is, and try it on a picture", "model"),
    "take": ("list, circle or annotate the takes of a shooting day", "take"),
    "beats": ("find a song's tempo, beats and bars, or write them down", "beats"),
    "bench": ("measure what looks cost here, and how good tracking is", "bench"),
    "doctor": ("say what works on this machine, and the remedy for what doesn't", "doctor"),
}
_EPILOG = """examples:
  kfx demo                                        the main job in a minute, no camera needed
  kfx render clip.mp4 -p supernova -o out.mp4     recorded footage, sound and timecode kept
  kfx live -i camera:0 -p supernova -o vcam       a camera into OBS, Zoom or any other program
  kfx live -i performer -p supernova -o preview   the same without a camera, in the browser

`kfx COMMAND --help` tells more of each.
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; argparse would put its usage before it, often a screenful."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Each command refuses what it doesn't know: only it can point to its own help."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            known = [one for one in self._option_string_actions if one.startswith("--")]
            near = get_close_matches(word, known, 1) if word.startswith("--") else []
            hint = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"kfx: {_clear(message)}; see {self.prog} --help\n")


def _clear(message: str) -> str:
    """argparse's words in kfx's form, and the nearest of a list of choices before the list."""
    place, mark, rest = message.removeprefix("argument ").partition(": invalid ")
    if not mark:
        return message.removeprefix("argument ")
    place = f"{place}: " if place.startswith("-") else ""
    kind, _, value = rest.partition(": ")
    if kind != "choice":
        numbers = {"float value": "number", "int value": "whole number"}
        return f"{place}{value} is no {numbers.get(kind, kind)}"
    value, _, listed = value.partition(" (choose from ")
    names = [name.strip(" '\"") for name in listed.removesuffix(")").split(",")]
    near = get_close_matches(value.strip("'"), names, 1)
    there = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return f"{place}there is no {value}; {there}"


class Ended(KeyboardInterrupt):
    """SIGTERM or a closed terminal: to end as Ctrl-C does, everything unfinished removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def ended(number: int, frame: object) -> NoReturn:
    """A signal's handler: raise `Ended`; ending at once would leave half files behind."""
    raise Ended(number)


@contextmanager
def signals(handler: Callable[[int, Any], object], *names: str) -> Iterator[None]:
    """Call `handler` on the signals of these names, as far as the system knows them."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only there may handlers be set
    # A signal that was ignored stays so: `nohup kfx render …` outlives its terminal.
    numbers = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0 good, 1 failed, 2 wrong usage.

    Ctrl-C ends with 130, SIGTERM with 143.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(
        prog="kfx",
        description="Real-time facial motion effects for music video production.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kfx {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in arguments if word in COMMANDS), None)
    for name, (line, module) in COMMANDS.items():
        loaded = import_module(f"kfx.cli.{module}") if name == called else None
        sub = commands.add_parser(
            name,
            help=line,
            description=(getattr(loaded, "DESCRIPTION", None) or line[0].upper() + line[1:] + "."),
            epilog=getattr(loaded, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if loaded:
            loaded.add_arguments(sub)
            sub.set_defaults(run=loaded.run)
    if not arguments:
        parser.print_help(sys.stderr)
        parser.exit(2)
    options = parser.parse_args(arguments)
    try:
        with signals(ended, "SIGTERM", "SIGHUP"):
            return int(options.run(options))
    except KfxError as error:
        print(f"kfx: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as end:
        print("kfx: stopped", file=sys.stderr)
        return 128 + (end.number if isinstance(end, Ended) else signal.SIGINT)
    except BrokenPipeError:
        # `kfx list effects | head`: the reader has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
