"""Keeps the look a take began with inside the take, with all its files, and finds it again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from kfx import presets
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.takes import document
from kfx.takes.document import Take

ROLE = "preset"
PART = "preset_file"  # shaders, pictures, nets


class KeptPreset:
    """Writes beside the take, since the first frames mustn't wait for it; `finish` joins."""

    def __init__(self, take: Path, name: str, preset: Preset) -> None:
        self._take, self._folder, self._preset = take, take / f"{name}_preset", preset
        self._roles: dict[Path, str] = {}
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name=f"kfx-{name}-preset", daemon=True)
        self._thread.start()

    def finish(self) -> str:
        """What went wrong; empty for nothing."""
        self._thread.join()
        return self._fault

    def rows(self) -> list[dict[str, Any]]:
        """What `files` of the document says of it, once it is finished."""
        return [
            {
                "path": path.relative_to(self._take).as_posix(),
                "sha256": document.sha256(path),
                "role": role,
            }
            for path, role in self._roles.items()
        ]

    def _run(self) -> None:
        from kfx.presets import packing  # tomlkit takes a while to load

        try:
            contents = packing.packed(self._preset)
            del contents[packing.MANIFEST]
            for name, data in contents.items():
                path = self._folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                own = "/" not in name and name.endswith(".toml")
                self._roles[path] = ROLE if own else PART
        except Exception as error:  # a take without its preset is a take
            self._fault = f"its preset isn't kept: {error}"


def load(take: Take) -> tuple[Preset, list[str]]:
    """The look that a take began with, and what the operator did to it that isn't done again.

    Raises `KfxError` for a take without one.
    """
    if any(one.get("role") == ROLE for one in take.data["files"]):
        path = take.file(ROLE)
    elif left := sorted((take.folder / f"{take.name}_preset").glob("*.toml")):
        path = left[0]  # of a kfx that died before it could say so
    else:
        raise KfxError(f"{take.folder}: holds no preset of its own; name one by -p")
    preset = presets.load(str(path))
    said = take.data.get("preset")
    said = said if isinstance(said, dict) else {}
    notes = []
    if changed := said.get("changed"):
        notes.append(f"its look was changed at frame {changed[0]}; the one before it is used")
    if said.get("bypassed"):
        notes.append("effects were bypassed when it began; here they are drawn")
    return preset, notes
