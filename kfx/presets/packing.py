"""Packs a preset with all its files into one zip, and unpacks one that may come from anybody.

The zip holds ``NAME.toml``, the shaders and pictures it needs, and ``manifest.json`` with the size
and SHA-256 of each. The same preset gives the same bytes: names are sorted, nothing is dated, and
nothing is compressed, since compressors differ.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from kfx import assets
from kfx.effects import EffectSpec
from kfx.errors import KfxError
from kfx.params import File, Value
from kfx.presets.preset import Link, Preset
from kfx.presets.reading import read
from kfx.presets.saving import written
from kfx.sinks import landing

MANIFEST = "manifest.json"
FORMAT = "kfx preset pack"
VERSION = 1
MOST_FILES = 256
MOST_FILE_BYTES = 64 * 1024 * 1024
MOST_BYTES = 256 * 1024 * 1024
SUFFIXES = frozenset(
    ".toml .fs .onnx .vs .json .png .jpg .jpeg .webp .bmp .tif .tiff .cube .md .txt".split()
)
_NAME = re.compile(r"[\w.+() -]+(?:/[\w.+() -]+){0,6}")
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")  # on Windows, in any folder
_LEAVINGS = ("__MACOSX/", ".DS_Store")  # of Finder, when a pack was zipped anew


def pack(preset: Preset, out: str | Path) -> list[str]:
    """Write the zip; returns the names in it. Raises `KfxError`."""
    contents = packed(preset)
    place = landing.Landing(str(out), Path(out))
    try:
        with zipfile.ZipFile(place.path, "w", zipfile.ZIP_STORED) as archive:
            for name, data in contents.items():
                info = zipfile.ZipInfo(name)  # dated 1980, always
                info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data)
        place.land()
    except OSError as error:
        place.discard()
        raise landing.failure(str(out), error) from error
    except BaseException:
        place.discard()
        raise
    return list(contents)


def packed(preset: Preset) -> dict[str, bytes]:
    """Name in the pack → bytes, sorted, the manifest included."""
    folders = _Folders()
    files: dict[str, Path] = {}
    for link in preset.chain:
        for path in _files(link):
            files[folders.name(path, link)] = path
    name = preset.file_name
    with tempfile.TemporaryDirectory(prefix="kfx-pack-") as scratch:
        # The preset is written as it will lie there: paths are found, then checked by reading.
        root = Path(scratch).resolve()
        for target, path in files.items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, root / target)
            except OSError as error:
                raise KfxError(f"{path}: {error.strerror or error}") from error
        moved = [_moved(link, root, folders) for link in preset.chain]
        place = str(root / name)
        text = written(replace(preset, chain=tuple(moved)), _old(preset), place)
        read(text, place, Path(name).stem)
        contents = {target: (root / target).read_bytes() for target in files}
    contents[name] = text.encode()
    listed = {
        one: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for one, data in sorted(contents.items())
    }
    manifest = {"format": FORMAT, "version": VERSION, "preset": name, "files": listed}
    contents[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return dict(sorted(contents.items()))


def unpack(archive: str | Path, folder: str | Path) -> Path:
    """The preset's path, once everything is checked and lies in the new `folder`.

    Raises `KfxError`, and leaves nothing behind, for anything that isn't as a pack should be:
    paths that lead out, sizes, hashes, kinds of files, a preset that doesn't load.
    """
    folder = Path(folder)
    if folder.exists():
        raise KfxError(f"{folder}: is there already; name a new folder")
    contents, name = _checked(Path(archive))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".kfx-", dir=folder.parent) as scratch:
            root = Path(scratch) / "pack"
            for target, data in contents.items():
                path = root / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            text = contents[name].decode("utf-8-sig")
            place = str(root.resolve())
            try:
                read(text, f"{place}/{name}", Path(name).stem)
            except KfxError as error:
                raise KfxError(str(error).replace(place, str(archive))) from error
            root.rename(folder)
    except UnicodeDecodeError as error:
        raise KfxError(f"{archive}: {name} is no UTF-8 text") from error
    except OSError as error:
        raise KfxError(f"{folder}: {error.strerror or error}") from error
    return folder / name


def _checked(path: Path) -> tuple[dict[str, bytes], str]:
    """The contents of a zip, without the manifest, and the name of the preset in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = _contents(path, archive)
    except KfxError:
        raise
    except FileNotFoundError:
        raise KfxError(f"{path}: there is no such file; see: kfx preset unpack --help") from None
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        raise KfxError(f"{path}: can't be read as a zip: {error}") from error
    except Exception as error:  # zlib, lzma and bz2 have their own
        raise KfxError(f"{path}: is damaged: {error}") from error
    listed, name = _manifest(path, contents.pop(MANIFEST, None))
    if missing := listed.keys() ^ contents.keys():
        raise KfxError(f"{path}: {min(missing)!r} is listed and missing, or the other way round")
    for target, data in contents.items():
        if hashlib.sha256(data).hexdigest() != listed[target]:
            raise KfxError(f"{path}: {target}: its hash differs; the pack is damaged or altered")
    if name not in contents or "/" in name or not name.endswith(".toml"):
        raise KfxError(f"{path}: {MANIFEST} names no preset that is in it")
    return contents, name


def _contents(path: Path, archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise KfxError(f"{path}: {len(infos)} files are more than {MOST_FILES}")
    contents: dict[str, bytes] = {}
    folded: set[str] = set()
    total = 0
    for info in infos:
        name = info.filename
        if name.startswith(_LEAVINGS):
            continue
        parts = name.removesuffix("/").split("/")
        odd = any(not p.strip(". ") or p[-1] in ". " or _DEVICE.fullmatch(p) for p in parts)
        if odd or not _NAME.fullmatch(name.removesuffix("/")):
            raise KfxError(f"{path}: {name[:80]!r} is no name that a pack may hold")
        if info.is_dir() and not info.file_size:  # Explorer names folders when it zips anew
            continue
        if stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
            raise KfxError(f"{path}: {name}: links and encrypted files aren't read")
        if Path(name).suffix.lower() not in SUFFIXES:
            raise KfxError(f"{path}: {name}: a pack holds no such files")
        if name.casefold() in folded:
            raise KfxError(f"{path}: {name} is in it twice")
        folded.add(name.casefold())
        with archive.open(info) as file:
            data = file.read(MOST_FILE_BYTES + 1)
        total += len(data)
        if len(data) > MOST_FILE_BYTES or total > MOST_BYTES:
            raise KfxError(f"{path}: {name}: the pack is too large")
        contents[name] = data
    return contents


def _manifest(path: Path, data: bytes | None) -> tuple[dict[str, str], str]:
    """Name → SHA-256 of all files, and the preset's name."""
    try:
        found: Any = json.loads(data or b"")
        if found["format"] != FORMAT or found["version"] != VERSION:
            raise KfxError(f"{path}: this kfx reads packs of version {VERSION}")
        return {str(k): str(v["sha256"]) for k, v in found["files"].items()}, str(found["preset"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise KfxError(f"{path}: {MANIFEST} is missing or damaged; is it a kfx pack?") from error


class _Folders:
    """Where folders of this machine lie in the pack."""

    def __init__(self) -> None:
        self._names: dict[Path, str] = {}

    def name(self, path: Path, link: Link) -> str:
        """The name in the pack of a file of a link: beside its shader, or by itself."""
        path = path.resolve()
        home = Path(link.effect.where).resolve().parent
        if link.effect.kind != "motion" and path.is_relative_to(home):
            return f"{self._named(home, 'shaders')}/{path.relative_to(home).as_posix()}"
        return f"{self._named(path.parent, 'files')}/{path.name}"

    def _named(self, folder: Path, kind: str) -> str:
        taken = sum(name.startswith(kind) for name in self._names.values())
        return self._names.setdefault(folder, f"{kind}{taken + 1}" if taken else kind)


def _files(link: Link) -> list[Path]:
    """The files that a link needs beside kfx's own code."""
    found = []
    if link.effect.kind == "shader":
        shader = link.effect.source
        found.append(Path(link.effect.where))
        found += [shader.vertex] if shader.vertex else []
        found += [path for one in shader.imported.values() for path in one.paths]
    if _is_strange_net(link):
        card = link.effect.source
        found += [card.path, Path(card.where or card.path)]
    for name, knob in link.effect.knobs.items():
        if isinstance(knob, File):  # the default too, or the shader would miss it there
            named = [link.values[name], knob.default if link.effect.kind == "shader" else ""]
            found += [Path(str(one)) for one in dict.fromkeys(named) if one]
    return found


def _is_strange_net(link: Link) -> bool:
    """Whether it draws a net that doesn't come with kfx; kfx's own are known by name."""
    if link.effect.kind != "net":
        return False
    return Path(link.effect.where).resolve().parent != assets.folder("models").resolve()


def _moved(link: Link, root: Path, folders: _Folders) -> Link:
    """The link as it is in the pack that lies at `root`."""
    values: dict[str, Value] = dict(link.values)
    for name, knob in link.effect.knobs.items():
        if isinstance(knob, File) and link.values[name]:
            values[name] = str(root / folders.name(Path(str(link.values[name])), link))
    effect: EffectSpec = link.effect
    if effect.kind == "shader" or _is_strange_net(link):
        effect = replace(effect, where=str(root / folders.name(Path(effect.where), link)))
    return replace(link, effect=effect, values=values)


def _old(preset: Preset) -> str:
    """The text that the preset was read from, for its comments."""
    try:
        return Path(preset.path).read_text(encoding="utf-8-sig") if preset.path else ""
    except (OSError, UnicodeDecodeError):
        return ""
