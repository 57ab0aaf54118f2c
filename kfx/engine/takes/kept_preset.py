"""Keeps the looks of a take inside the take, with all their files, and finds the first again."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfx import presets
from kfx.errors import KfxError
from kfx.params import File
from kfx.presets import Link, Preset
from kfx.takes import document
from kfx.takes.document import Take

ROLE = "preset"
Stamp = tuple[tuple[str, int, int], ...]
"""Path, time and size of files."""
PART = "preset_file"  # shaders, pictures, nets; looks that came later


class KeptPresets:
    """Writes beside the take, since frames mustn't wait for it; `finish` joins.

    `keep` tells at once where a look will lie: it may be there a moment later.
    """

    def __init__(self, take: Path, name: str, preset: Preset) -> None:
        self._take, self._name = take, name
        self._kept: list[tuple[Preset, Stamp, str]] = []
        self._roles: dict[Path, str] = {}
        self._fault = ""
        self._work: deque[Callable[[], None]] = deque()
        self._news = threading.Condition()
        self._over = False
        self._files = 0
        self.keep(preset)
        self._thread = threading.Thread(target=self._run, name=f"kfx-{name}-preset", daemon=True)
        self._thread.start()

    def keep(self, preset: Preset) -> str:
        """The path in the take of a preset that is the same but for values, or of this one."""
        stamp = _stamp(preset)
        for one, its, path in self._kept:
            if its == stamp and _differs_in_values(one, preset):
                return path
        number = len(self._kept)
        folder = f"{self._name}_preset" + (f"_{number + 1}" if number else "")
        path = f"{folder}/{preset.file_name}"
        self._kept.append((preset, stamp, path))
        role = PART if number else ROLE
        self._ask(lambda: self._write(preset, self._take / folder, role))
        return path

    def preset(self, path: str) -> Preset:
        """The one that is kept there."""
        return next(one for one, _, there in self._kept if there == path)

    def values(self, path: str, preset: Preset) -> list[list[Any]]:
        """Place, knob and value of what `preset` has otherwise than the one kept at `path`."""
        kept = self.preset(path)
        return [
            [place, knob, value]
            for place, (old, new) in enumerate(zip(kept.chain, preset.chain, strict=True))
            for knob, value in new.values.items()
            if old.values[knob] != value
        ]

    def keep_file(self, path: str, source: Path) -> str:
        """The path that a knob of the preset kept at `path` has to a file that it uses later."""
        self._files += 1
        said = f"later{self._files}/{source.name}"
        self._ask(lambda: self._copy(source, (self._take / path).parent / said))
        return said

    def finish(self) -> str:
        """What went wrong; empty for nothing."""
        with self._news:
            self._over = True
            self._news.notify()
        self._thread.join()
        return self._fault

    def rows(self) -> list[dict[str, Any]]:
        """What `files` of the document says of them, once all is finished."""
        return [
            {
                "path": path.relative_to(self._take).as_posix(),
                "sha256": document.sha256(path),
                "role": role,
            }
            for path, role in self._roles.items()
        ]

    def _ask(self, work: Callable[[], None]) -> None:
        with self._news:
            self._work.append(work)
            self._news.notify()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._work and not self._over:
                    self._news.wait()
                if not self._work:
                    return
                work = self._work.popleft()
            try:
                work()
            except Exception as error:  # a take without its preset is a take
                self._fault = self._fault or f"a look of it isn't kept: {error}"

    def _write(self, preset: Preset, folder: Path, role: str) -> None:
        from kfx.presets import packing  # tomlkit takes a while to load

        contents = packing.packed(preset)
        del contents[packing.MANIFEST]
        for name, data in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            own = "/" not in name and name.endswith(".toml")
            self._roles[path] = role if own else PART

    def _copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        self._roles[target] = PART


def _stamp(preset: Preset) -> Stamp:
    """The files of a look's effects as they are now: a net isn't kept twice for nothing, and a
    shader that was saved meanwhile is."""
    found = []
    for link in preset.chain:
        source = link.effect.source
        imported = getattr(source, "imported", {})
        paths = [Path(link.effect.where), getattr(source, "path", None)]
        paths += [getattr(source, "vertex", None)]
        paths += [path for one in imported.values() for path in one.paths]
        for path in paths:
            if path is not None and path.is_file():
                stat = path.stat()
                found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _differs_in_values(one: Preset, other: Preset) -> bool:
    """Whether two presets differ in nothing else, if at all; files would lie elsewhere."""
    return (
        (one.name, one.seed) == (other.name, other.seed)
        and len(one.chain) == len(other.chain)
        and all(_alike(a, b) for a, b in zip(one.chain, other.chain, strict=True))
    )


def _alike(one: Link, other: Link) -> bool:
    if one.effect != other.effect:
        return False
    said = ((link.modulation, link.slots, link.when, link.bus) for link in (one, other))
    files = [name for name, knob in one.effect.knobs.items() if isinstance(knob, File)]
    return next(said) == next(said) and all(one.values[n] == other.values[n] for n in files)


def path_of(take: Take) -> Path:
    """Where the look lies that a take began with. Raises `KfxError` for a take without one."""
    if any(one.get("role") == ROLE for one in take.data["files"]):
        return take.file(ROLE)
    if left := sorted((take.folder / f"{take.name}_preset").glob("*.toml")):
        return left[0]  # of a kfx that died before it could say so
    raise KfxError(f"{take.folder}: holds no preset of its own; name one by -p")


def load(take: Take) -> tuple[Preset, list[str]]:
    """The look that a take began with, and what the operator did to it that isn't done again.

    For takes of a kfx that kept no log of the look. Raises `KfxError`.
    """
    preset = presets.load(str(path_of(take)))
    said = take.data.get("preset")
    said = said if isinstance(said, dict) else {}
    notes = []
    if changed := said.get("changed"):
        notes.append(f"its look was changed at frame {changed[0]}; the one before it is used")
    if said.get("bypassed"):
        notes.append("effects were bypassed when it began; here they are drawn")
    return preset, notes
