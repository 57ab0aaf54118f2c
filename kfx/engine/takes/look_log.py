"""The look of a take, picture by picture: a line of JSON for everything that changed in it.

::

    {"frame": 1001, "state": {"preset": "A001_T01_preset/film.toml", "bypassed": []}}
    {"frame": 1017, "knob": [0, "grain", 0.12]}
    {"frame": 1040, "look": {"preset": "A001_T01_preset_2/x.toml", "seconds": 0.5, "anew": true}}
    {"frame": 1102, "left_out": [[3]]}
    {"frame": 1130, "gave_up": ["nets run: every 2nd frame"]}

A change stands at the first frame that shows it, after all the compiling that live had to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from kfx import presets
from kfx.engine.look.autobypass import named
from kfx.engine.look.journal import Bypassed, Dropped, Entry, Page, Seen, State, Turned
from kfx.engine.takes.kept_preset import KeptPresets
from kfx.errors import KfxError
from kfx.params import File
from kfx.presets import Link, Preset
from kfx.takes.document import Take

ROLE = "look"
MOST_BYTES = 256 * 1024 * 1024
LOST = "pictures came too late to be sent; what effects remember of them isn't in the take"
Places = frozenset[tuple[int, ...]]


class LookWriter:
    """Writes the log while the take runs; `write` each drawn picture in order."""

    def __init__(self, out: TextIO, kept: KeptPresets) -> None:
        self._out, self._kept = out, kept
        self._base = ""  # where the preset lies that places and files belong to
        self._begun = False
        self._left_out: Places = frozenset()
        self._gave_up: tuple[str, ...] = ()
        self._preset = Preset("none", "", ())
        self._spans: dict[str, list[list[int]]] = {}

    @property
    def gave_up(self) -> list[dict[str, Any]]:
        """For the document: what wasn't drawn in full, with first and last frames."""
        return [{"what": what, "ranges": ranges} for what, ranges in self._spans.items()]

    def write(self, frame: int, page: Page | None, gave_up: tuple[str, ...] = ()) -> None:
        """What is to be known of the picture `frame`; `gave_up` is what the governor had taken."""
        if page is not None:
            if not self._begun:
                self._begun = True
                self._line(frame, "state", self._state(page.before) | {"index": page.index})
            for entry in page.entries:
                self._entry(frame, entry)
            if not page.drawn:
                self._line(frame, "drawn", False)
            if page.left_out != self._left_out:
                self._left_out = page.left_out
                self._line(frame, "left_out", sorted(map(list, page.left_out)))
        if gave_up != self._gave_up:
            self._gave_up = gave_up
            self._line(frame, "gave_up", list(gave_up))
        there = len(self._preset.chain)  # in a fade they may be of the look before
        out = [
            f"left out: {named(self._preset, unit)}"
            for unit in sorted(self._left_out)
            if all(place < there for place in unit)
        ]
        bypassed = ["left out: all effects"] if page is not None and not page.drawn else []
        lost = [LOST] if page is not None and page.lost and page.before.since is not None else []
        for what in (*gave_up, *out, *bypassed, *lost):
            ranges = self._spans.setdefault(what, [])
            if ranges and ranges[-1][1] == frame - 1:
                ranges[-1][1] = frame
            else:
                ranges.append([frame, frame])

    def _entry(self, frame: int, entry: Entry) -> None:
        if isinstance(entry, Seen):
            self._line(frame, "look", self._seen(entry))
        elif isinstance(entry, Turned):
            self._line(frame, "knob", [entry.place, entry.knob, self._value(entry)])
        elif isinstance(entry, Bypassed):
            self._line(frame, "bypass", [entry.place, entry.on])
        else:
            self._line(frame, "drop", True)

    def _state(self, state: State) -> dict[str, Any]:
        said = self._look(state.preset, state.bypassed) | {"since": state.since}
        if state.coming is not None:
            said |= {"coming": self._seen(state.coming), "done": state.done, "beat": state.beat}
        return said

    def _seen(self, seen: Seen) -> dict[str, Any]:
        fade = {"seconds": seen.seconds, "beats": seen.beats, "anew": seen.anew}
        return self._look(seen.preset, seen.bypassed) | fade

    def _look(self, preset: Preset, bypassed: frozenset[int]) -> dict[str, Any]:
        self._preset, path = preset, self._kept.keep(preset)
        self._base = path
        values = self._kept.values(path, preset)
        return {"preset": path, "values": values, "bypassed": sorted(bypassed)}

    def _value(self, turned: Turned) -> Any:
        kept = self._kept.preset(self._base)
        file = isinstance(kept.chain[turned.place].effect.knobs[turned.knob], File)
        if not file or not turned.value:
            return turned.value
        return self._kept.keep_file(self._base, Path(str(turned.value)))

    def _line(self, frame: int, what: str, said: Any) -> None:
        self._out.write(json.dumps({"frame": frame, what: said}, separators=(",", ":")) + "\n")


@dataclass
class Done:
    """What is done to the look before one picture."""

    entries: list[Entry] = field(default_factory=list)
    drawn: bool = True
    left_out: Places | None = None  # from here on
    gave_up: tuple[str, ...] | None = None  # from here on


@dataclass
class LookLog:
    """A take's look as it was shown: what it began with, and what came at which frame."""

    first: State
    index: int  # of its first tick
    at: dict[int, Done]

    @property
    def note(self) -> str:
        """What can't be had again of the take; empty for nothing."""
        since = self.first.since
        if since is None or since >= self.index:
            return ""
        names = [one.effect.name for one in self.first.preset.chain if _remembers(one)]
        if not names:
            return ""
        return (
            "the take began while the show ran: what these effects remembered of the time before "
            f"isn't in it, so its first pictures may differ: {', '.join(dict.fromkeys(names))}"
        )

    @property
    def presets(self) -> list[Preset]:
        """All that are in it, in order."""
        seen = [one for done in self.at.values() for one in done.entries if isinstance(one, Seen)]
        coming = [self.first.coming] if self.first.coming else []
        return [self.first.preset, *(one.preset for one in (*coming, *seen))]


def load(take: Take) -> LookLog | None:
    """The log of a take's look; None for a take that has none. Raises `KfxError`."""
    path = take.folder / f"{take.name}_look.jsonl"
    if any(one.get("role") == ROLE for one in take.data["files"]):
        path = take.file(ROLE)
    elif not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_BYTES:
            raise KfxError(f"{path}: is too large for the log of a look")
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "this is no UTF-8 text"
        raise KfxError(f"{path}: can't be read ({reason})") from None
    reader = _Reader(take.folder)
    for number, text in enumerate(lines[:-1], 1):  # a last line that was cut off is left out
        try:
            reader.line(json.loads(text))
        except KfxError as error:
            raise KfxError(f"{path}: line {number}: {error}") from None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise KfxError(f"{path}: line {number}: is damaged ({error!r:.80})") from None
    if reader.first is None:
        return None
    return LookLog(reader.first, reader.index, reader.at)


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.first: State | None = None
        self.index = 0
        self.at: dict[int, Done] = {}
        self._folder = folder
        self._loaded: dict[str, Preset] = {}
        self._drawn = Preset("none", "", ())  # by the chain that there is at this line
        self._doing: dict[str, Callable[[Done, Any], None]] = {
            "state": self._state,
            "look": lambda done, said: done.entries.append(self._seen(said)),
            "knob": lambda done, said: done.entries.append(_turned(*said)),
            "bypass": lambda done, said: done.entries.append(Bypassed(int(said[0]), bool(said[1]))),
            "drop": lambda done, said: done.entries.append(Dropped()),
        }

    def line(self, data: dict[str, Any]) -> None:
        frame = int(data["frame"])
        if self.at and frame < max(self.at):
            raise ValueError("its frames fall")
        done = self.at.setdefault(frame, Done())
        for what, said in data.items():
            if what in self._doing:
                self._doing[what](done, said)
            elif what == "drawn":
                done.drawn = bool(said)
            elif what == "left_out":
                done.left_out = frozenset(tuple(map(int, unit)) for unit in said)
            elif what == "gave_up":
                done.gave_up = tuple(map(str, said))

    def _state(self, done: Done, said: dict[str, Any]) -> None:
        preset, bypassed = self._look(said)
        self._drawn = preset
        coming, since = said.get("coming"), said.get("since")
        self.index = int(said.get("index", 0))
        self.first = State(preset, bypassed, None if since is None else int(since))
        if coming is not None:
            beat = said.get("beat")
            self.first = replace(
                self.first,
                coming=self._seen(coming),
                done=float(said["done"]),
                beat=None if beat is None else float(beat),
            )

    def _seen(self, said: dict[str, Any]) -> Seen:
        preset, bypassed = self._look(said)
        anew = bool(said.get("anew", False))
        if not anew:  # live it was drawn by the chain that was there
            links = zip(preset.chain, self._drawn.chain, strict=True)
            chain = tuple(replace(link, effect=there.effect) for link, there in links)
            preset = replace(preset, chain=chain)
        self._drawn = preset
        fade = (float(said.get("seconds", 0.0)), float(said.get("beats", 0.0)))
        return Seen(preset, bypassed, *fade, anew)

    def _look(self, said: dict[str, Any]) -> tuple[Preset, frozenset[int]]:
        name = str(said["preset"])
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise KfxError(f"{name[:80]}: lies outside the take")
        if name not in self._loaded:
            self._loaded[name] = presets.load(str(path))
        preset = self._loaded[name]
        for place, knob, value in said.get("values", ()):
            preset = preset.with_value(place, knob, preset.checked(place, knob, _v(value)))
        return preset, frozenset(map(int, said.get("bypassed", ())))


def _remembers(link: Link) -> bool:
    """Whether an effect may draw by what was before: motions do by what they know of a face."""
    shader = link.effect.source
    follows = any(one.attack_ms or one.release_ms for one in link.sources)
    persists = any(one.persistent for one in getattr(shader, "passes", ()))
    return (
        link.effect.kind == "motion" or persists or follows or bool(getattr(shader, "history", 0))
    )


def _turned(place: int, knob: str, value: Any) -> Turned:
    return Turned(int(place), str(knob), _v(value))


def _v(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
