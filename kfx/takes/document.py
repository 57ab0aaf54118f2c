"""``take.json``: all that is known of one take, as data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kfx.errors import KfxError, UsageError
from kfx.takes import consent, naming
from kfx.takes.consent import Consent

SCHEMA = "kfx.take/1"
FILE = "take.json"
MOST_BYTES = 16 * 1024 * 1024
MOST_NOTE = 2000
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "slate": str,
    "take": int,
    "fps": list,
    "size": list,
    "files": list,
}


class Take:
    """A take's folder and its document; `data` has the keys of ``kfx.take/1``."""

    def __init__(self, folder: Path, data: dict[str, Any]) -> None:
        self.folder, self.data = folder, data

    @property
    def name(self) -> str:
        return naming.name_of(self.data["slate"], self.data["take"])

    @property
    def circled(self) -> bool:
        return bool(self.data.get("circled"))

    @property
    def notes(self) -> list[dict[str, str]]:
        return list(self.data.get("notes", []))

    @property
    def gave_up(self) -> list[str]:
        """What live didn't draw or track in full, to hold its rate or because it failed."""
        found = []
        for one in self.data.get("gave_up", []):
            spans = [span for span in one.get("ranges", []) if len(span) == 2]
            text = ", ".join(f"{a}-{b}" if a != b else f"{a}" for a, b in spans)
            found.append(f"{one.get('what', '')} (frames {text})")
        return found

    @property
    def members(self) -> dict[int, str]:
        """The performers by name, which presets route by."""
        found = {}
        for one in self.data.get("members", []):
            if isinstance(one, dict) and isinstance(one.get("face_id"), int) and one.get("name"):
                found[one["face_id"]] = str(one["name"])
        return found

    def consent(self, consents: Mapping[str, Consent]) -> list[str]:
        """Put down whose consent there is; returns whom it is of. Raises `UsageError`."""
        rows = self.data.setdefault("members", [])
        done = []
        for row in rows if isinstance(rows, list) else []:
            slot, name = row.get("face_id"), str(row.get("name") or "")
            if (given := consent.of(consents, slot, name)) is None:
                continue
            row["consent_id"] = given.id
            row.pop("consent_sha256", None)
            if given.sha256 is not None:
                row["consent_sha256"] = given.sha256
            done += [one for one in (name, str(slot), consent.EVERYBODY) if one in consents]
        if left := [who for who in consents if who not in done]:
            there = (
                ", ".join(str(one.get("name") or one.get("face_id")) for one in rows) or "nobody"
            )
            raise UsageError(f"--consent {left[0] or 'for everybody'}: in this take is {there}")
        classes = [one.get("dst_class") for one in self.data.get("effects", [])]
        if not consent.missing(rows, [str(one) for one in classes]):
            self.data["warnings"] = [
                text
                for text in self.data.get("warnings", [])
                if "no consent is on record" not in text
            ]
        return sorted(set(done))

    def file(self, role: str) -> Path:
        """The file that plays a role: plate, picture, faces, … Raises `KfxError`."""
        for one in self.data["files"]:
            if one.get("role") == role:
                path = self._inside(str(one.get("path", "")))
                if not path.is_file() and not _adopted(path):
                    raise KfxError(f"{path}: is missing; the take can't be used without it")
                return path
        raise KfxError(f"{self.folder / FILE}: names no {role}")

    def _inside(self, said: str) -> Path:
        """A path of the document; one that leads out of the take is looked for in it by name."""
        path = Path(os.path.normpath(said))
        leads_out = path.is_absolute() or path.drive or path.parts[:1] == ("..",)
        return self.folder / (path.name if leads_out else path)

    def circle(self, on: bool = True) -> None:
        """Mark it as one to keep."""
        self.data["circled"] = on

    def note(self, text: str, by: str = "", at: str = "") -> None:
        """Add what somebody said; `at` is the timecode it is about."""
        said = {"text": text.strip()[:MOST_NOTE]}
        said.update({key: value for key, value in (("by", by), ("at", at)) if value})
        self.data.setdefault("notes", []).append(said)


def load(folder: str | Path) -> Take:
    """The take in a folder, or of a path to its ``take.json``. Raises `KfxError`."""
    path = Path(folder)
    path = path if path.name == FILE else path / FILE
    try:
        if path.stat().st_size > MOST_BYTES:
            raise KfxError(f"{path}: is too large for a take's document")
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise KfxError(f"{path}: can't be read ({error.strerror}); is it a take?") from None
    except (ValueError, RecursionError) as error:
        raise KfxError(f"{path}: is no JSON ({str(error)[:80]})") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise KfxError(f"{path}: is no {SCHEMA}; name a folder that kfx live --take has made")
    for key, kind in _NEEDED.items():
        if not isinstance(data.get(key), kind) or isinstance(data.get(key), bool):
            raise KfxError(f"{path}: {key}: is missing or damaged")
    numbers = [*data["fps"], *data["size"]]
    if len(numbers) != 4 or not all(
        isinstance(one, int) and not isinstance(one, bool) and 0 < one < 10**7 for one in numbers
    ):
        raise KfxError(f"{path}: fps and size: are damaged")
    if not all(isinstance(one, dict) for one in data["files"]):
        raise KfxError(f"{path}: files: is damaged")
    notes = data.setdefault("notes", [])
    if not isinstance(notes, list) or not all(isinstance(one, dict) for one in notes):
        raise KfxError(f"{path}: notes: is damaged")
    gave_up = data.setdefault("gave_up", [])
    if not isinstance(gave_up, list) or not all(_is_span(one) for one in gave_up):
        raise KfxError(f"{path}: gave_up: is damaged")
    return Take(path.parent, data)


def _is_span(one: object) -> bool:
    ranges = one.get("ranges") if isinstance(one, dict) else None
    return isinstance(ranges, list) and all(isinstance(span, list) for span in ranges)


def save(take: Take) -> None:
    """Write the document beside its place and rename it: never half a file. Raises `KfxError`."""
    path = take.folder / FILE
    part = path.with_name(f".{FILE}.part")
    try:
        part.write_text(json.dumps(take.data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise KfxError(f"{path}: can't be written ({error.strerror})") from None


def takes_in(folder: str | Path) -> Iterator[Take | KfxError]:
    """The takes in a folder by name; in place of a damaged one what is wrong with it."""
    place = Path(folder)
    if not place.is_dir():
        raise KfxError(f"{place}: no such folder; name the one given to kfx live --take")
    for path in sorted(place.iterdir()):
        if naming.split(path.name) and (path / FILE).is_file():
            try:
                yield load(path)
            except KfxError as error:
                yield error


def _adopted(path: Path) -> bool:
    """Whether there was an unfinished recording of a kfx that died, which now has its name."""
    from kfx.sinks import rescue

    found = rescue.adopt(path) if path.suffix in (".mov", ".mp4") else []
    if found:
        os.replace(found[0], path)
    return bool(found)


def sha256(path: Path) -> str:
    """The digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
