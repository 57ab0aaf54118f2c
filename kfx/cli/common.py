"""What several commands share: their arguments, progress, and quiet libraries."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction

from kfx.errors import KfxError, UsageError


def add_look_arguments(
    parser: argparse.ArgumentParser, default: str = "default: supernova"
) -> None:
    """The preset and what may be changed in it; `default` says which it is unless it is named."""
    parser.add_argument(
        "-p",
        "--preset",
        default="supernova",
        help=f"a preset's or an effect's name, a .toml file, or a bare .fs shader ({default}); "
        "'none' is the clean plate",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="EFFECT.KNOB=VALUE",
        help="change a knob of the preset; may be repeated",
    )
    parser.add_argument("--bpm", type=float, default=120.0, help="tempo (default: 120)")
    parser.add_argument(
        "--tracker", default="mediapipe", help="mediapipe, or truth for the performer's own faces"
    )
    parser.add_argument(
        "--hands",
        action="store_true",
        help="keep hands that cross a face in front of its effects (costs a second net)",
    )
    parser.add_argument(
        "--report", metavar="R.json", type=_json_name, help="write what was measured as JSON"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def _json_name(text: str) -> str:
    """A report's name: anything else might be the clip, one key further."""
    if not text.lower().endswith(".json"):
        raise argparse.ArgumentTypeError(f"{text}: reports are written as .json")
    return text


def check_new(path: str | None, *, force: bool, read: Iterable[str | None] = ()) -> None:
    """Raise `KfxError` where writing `path` would replace a file unasked, or ever one of `read`.

    A sink asks the first itself; this is for what is written beside it, before anything is done.
    """
    from kfx.sinks import landing

    if path is None:
        return
    landing.check_not_read(path, *read)
    if os.path.isdir(path):
        raise KfxError(f"{path}: is a folder; name a file in it")
    if os.path.exists(path) and not force:
        raise landing.exists(path)


def add_size_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", metavar="WxH", help="picture size, e.g. 1280x720")


def size_of(text: str | None) -> tuple[int, int] | None:
    """``1280x720`` → (1280, 720). Raises `UsageError`."""
    from kfx.sources import parse_size

    return None if text is None else parse_size(text, "--size")


def seconds_of(text: str | None, option: str) -> Fraction | None:
    """``12.5`` or ``1:02.5`` → seconds. Raises `UsageError`."""
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) > 3:  # hours:minutes:seconds:frames would be read as something else
        raise UsageError(f"{option}: {text!r} looks like timecode; write seconds: 12.5 or 1:02.5")
    try:
        seconds = Fraction(0)
        for part in parts:
            seconds = seconds * 60 + Fraction(part)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option}: {text!r} is no time; write 12.5 or 1:02.5") from None
    if seconds < 0:
        raise UsageError(f"{option}: {text!r} is before the start")
    return seconds


def span_of(options: argparse.Namespace) -> tuple[Fraction, Fraction | None]:
    """What ``--from`` and ``--to`` say, in seconds. Raises `UsageError`."""
    start = seconds_of(options.start, "--from") or Fraction(0)
    stop = seconds_of(options.stop, "--to")
    if stop is not None and stop <= start:
        raise UsageError(f"--to {options.stop}: must lie after --from {options.start or 0}")
    return start, stop


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the C++ chatter of MediaPipe and OpenCV off the terminal while a command runs.

    It is written to file descriptor 2 directly; Python's own stderr goes on working.
    """
    sys.stderr.flush()
    if os.environ.get("KFX_NOISY"):
        yield
        return
    # "Matplotlib is building the font cache": MediaPipe brings it along, nothing is drawn by it.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    kept = os.dup(2)
    shown = os.fdopen(os.dup(kept), "w", buffering=1, encoding="utf-8", errors="replace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    before = sys.stderr
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = shown
    try:
        yield
    finally:
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
        shown.close()


def add_pin_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="SLOT=NAME",
        help="name a slot and keep it for its performer, e.g. 0=lead: presets route by it, and "
        "their calibration is used; may be repeated",
    )


def pins_of(texts: list[str]) -> dict[int, str]:
    """Slot → name of ``--pin SLOT=NAME``. Raises `UsageError` naming the one that is wrong."""
    from kfx.types import MAX_FACES

    pins: dict[int, str] = {}
    for text in texts:
        slot, _, name = (part.strip() for part in text.partition("="))
        if not slot.isdecimal() or not name or int(slot) >= MAX_FACES:
            raise UsageError(
                f"--pin {text}: write SLOT=NAME, a slot of 0..{MAX_FACES - 1}, e.g. 0=lead"
            )
        if int(slot) in pins or name.casefold() in map(str.casefold, pins.values()):
            raise UsageError(f"--pin {text}: this slot or name is pinned twice")
        pins[int(slot)] = name
    return pins
