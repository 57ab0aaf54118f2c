"""Which effects a take shows, of what class, and in which of its frames."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kfx import __version__, assets
from kfx.effects import EffectSpec
from kfx.engine.look.journal import Journal, Page
from kfx.presets import Preset
from kfx.sync.song import SongTime
from kfx.takes import clock_log, document
from kfx.types import Shot

OWN_LICENCE = "Apache-2.0"  # of the models that come with kfx
_FOLDERS = {"shader": "shaders", "net": "models"}  # of kfx's own


@dataclass(frozen=True, slots=True)
class Asked:
    """A look at one shot: what was asked for, whether the picture is there already, and the name
    of the clock that told the song's time."""

    preset: Preset
    bypassed: frozenset[int] = frozenset()
    settled: bool = True
    clock: str = ""


class Drawing(Protocol):
    """What is needed of a `Chain`; a `Look` has `bypassed` and `settled` besides."""

    @property
    def preset(self) -> Preset: ...

    @property
    def care(self) -> Any: ...


def asked_of(look: Drawing, now: SongTime | None = None) -> Asked:
    """What stands in a look now; in the drawing thread, after a picture."""
    preset = look.preset
    bypassed: frozenset[int] = getattr(look, "bypassed", frozenset())
    # Last, so that a change which comes meanwhile counts as one that isn't seen yet.
    return Asked(preset, bypassed, getattr(look, "settled", True), now.source if now else "")


def pages_of(look: Drawing) -> Callable[[int], Page | None] | None:
    """What tells how a `Look` drew the picture of a tick, by its index; asked once for each picture
    that is sent, in the drawing thread. A `Chain` can't change, and has nothing to tell."""
    journal: Journal | None = getattr(look, "journal", None)
    if journal is None:
        return None
    journal.on = True
    return lambda index: journal.take(index, getattr(look.care, "missing", frozenset()))


class TakeEffects:
    """`see` every shot in order; then `rows` and `models` are those of ``take.json``.

    An effect is on in the frames whose picture was drawn by a look it stands in, with a mix that
    isn't 0 and not bypassed, and while such a picture is held. One that comes is on from when it
    was asked for, and one that goes until its fade is over: labels and consent go by this, so it
    never says too little. A `when` or a missing face may have hidden it all the same.
    """

    def __init__(self, preset: Preset) -> None:
        self._first = preset
        self._effects: dict[tuple[str, str], EffectSpec] = {}
        self._ranges: dict[tuple[str, str], list[list[int]]] = {}
        self._last: Asked | None = None
        self.clocks: list[str] = []  # in the order in which they came
        self.changed: list[int] = []  # frames at which the look wasn't that of the frame before
        self.bypassed: list[int] = []  # places of the first look, at the first shot
        # A take may begin with a picture that is held from before.
        self._look = self._on = self._standing(Asked(preset))

    def see(self, number: int, shot: Shot, asked: Asked) -> None:
        """The shot `number` of the take, counted from 0."""
        frame = clock_log.FIRST_FRAME + number
        if self._last is None:
            self.bypassed = sorted(asked.bypassed)
        last = self._last or Asked(self._first, asked.bypassed, asked.settled)
        if (asked.preset, asked.bypassed) != (last.preset, last.bypassed):
            self.changed.append(frame)
        self._last = asked
        if asked.clock and asked.clock not in self.clocks:
            self.clocks.append(asked.clock)
        standing = self._standing(asked)
        if shot.drawn is not None:
            self._look = standing if asked.settled else standing | self._look
        if shot.mode != "freeze":
            shown = shot.mode == "live" and shot.drawn is not None
            self._on = self._look if shown else frozenset()
        for key in self._on:
            ranges = self._ranges[key]
            if ranges and ranges[-1][1] == frame - 1:
                ranges[-1][1] = frame
            else:
                ranges.append([frame, frame])

    def rows(self) -> list[dict[str, Any]]:
        """Every effect of every look of the take; `on_ranges` are first and last frames, and None
        where no shot was seen."""
        return [
            {
                "id": effect.name,
                "kind": effect.kind,
                "version": __version__ if _is_own(effect) else None,
                "sha256": _digest_of(effect),
                "dst_class": class_of(effect),
                "on_ranges": [list(one) for one in self._ranges[key]] if self._last else None,
            }
            for key, effect in self._effects.items()
        ]

    def models(self) -> list[dict[str, Any]]:
        """The nets by their cards, then what motions read of kfx's own."""
        nets = [one for one in self._effects.values() if one.kind == "net"]
        rows = [
            {
                "file": one.source.path.name,
                "sha256": _digest_of(one),
                "licence": one.source.licence or "unknown",
            }
            for one in nets
        ]
        known = {one.source.path.resolve() for one in nets}
        motions = [one.source for one in self._effects.values() if one.kind == "motion"]
        for name in sorted({name for motion in motions for name in motion.models}):
            path = assets.folder("models") / name
            if path.resolve() not in known:
                digest = document.sha256(path)
                rows.append({"file": name, "sha256": digest, "licence": OWN_LICENCE})
        return rows

    def _standing(self, asked: Asked) -> frozenset[tuple[str, str]]:
        found = set()
        for place, link in enumerate(asked.preset.chain):
            key = (link.effect.name, link.effect.where)
            if key not in self._effects:
                self._effects[key], self._ranges[key] = link.effect, []
            if not link.idle and place not in asked.bypassed:
                found.add(key)
        return frozenset(found)


def class_of(effect: EffectSpec) -> str:
    """What an effect is for labels and consent: procedural, reenact, likeness or generative."""
    if effect.kind == "net":
        return str(effect.source.training)
    if effect.kind == "motion":
        for name in ("generative", "likeness", "reenact"):
            if getattr(effect.source, name):
                return name
    return "procedural"


def _file_of(effect: EffectSpec) -> Path:
    if effect.kind == "net":
        return Path(effect.source.path)
    if effect.kind == "motion":
        return Path(sys.modules[effect.source.__module__].__file__ or "")
    return Path(effect.where)


def _is_own(effect: EffectSpec) -> bool:
    if effect.kind == "motion":
        return True
    return _file_of(effect).resolve().is_relative_to(assets.folder(_FOLDERS[effect.kind]).resolve())


def _digest_of(effect: EffectSpec) -> str | None:
    path = _file_of(effect)
    return document.sha256(path) if path.is_file() else None
