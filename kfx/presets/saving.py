"""Writes a preset as TOML; over an existing file its comments, order and spelling are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Table

from kfx import assets, writing
from kfx.errors import KfxError
from kfx.params import Choice, File, Knob, Value
from kfx.presets import modulation
from kfx.presets.modulation import Condition, Source
from kfx.presets.preset import Link, Preset
from kfx.presets.reading import read
from kfx.presets.versions import VERSION

Bases = list[Path]


def save(preset: Preset, path: str | Path) -> None:
    """Write `preset` to a file, whole or not at all; what it says is read back and compared.

    In an existing file only what differs is changed. Raises `KfxError`: for a file that lies
    outside the new preset's folder and kfx's libraries, or one that can't be written.
    """
    path = Path(path)
    old = ""
    try:
        if path.exists():
            old = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise KfxError(f"{path}: can't be written over: {error}") from error
    text = written(preset, old, str(path))
    again = read(text, str(path), path.stem)
    assert again.chain == preset.chain, f"{path}: would be read as another preset"
    writing.write(path, text)


def written(preset: Preset, old: str = "", place: str = "preset.toml") -> str:
    """The TOML text of a preset: `old` with what differs changed, or a new one."""
    try:
        document = tomlkit.parse(old)
    except ValueError:
        document = tomlkit.document()
    if document.get("version") != VERSION:  # of an older version nothing is worth keeping
        document = tomlkit.document()
        document["version"] = VERSION
        document["doc"] = preset.doc
    for key, value, default in (("doc", preset.doc, ""), ("seed", preset.seed, 0)):
        if document.get(key, default) != value:
            document[key] = value
    before = document.get("chain")
    tables = list(before) if isinstance(before, AoT) else []
    folder = Path(place).parent
    matched = _matched(preset.chain, tables)
    pairs = zip(preset.chain, matched, strict=True)
    chain = [_link(link, table, folder, place) for link, table in pairs]
    if [id(one) for one in matched] != [id(one) for one in tables]:
        for table in chain:
            if not table.as_string().endswith("\n\n"):
                table.add(tomlkit.nl())
        if not tables:
            document.add(tomlkit.nl())
        document["chain"] = AoT(chain, parsed=True)
    text = tomlkit.dumps(document)
    return text.rstrip("\n") + "\n"


def _matched(links: tuple[Link, ...], tables: list[Any]) -> list[Table | None]:
    """The table in the old file for each link: the next one of its effect."""
    left = list(tables)
    found: list[Table | None] = []
    for link in links:
        names = [Path(str(table.get("effect"))).stem for table in left]
        i = names.index(link.effect.name) if link.effect.name in names else None
        found.append(None if i is None else left.pop(i))
    return found


def _link(link: Link, table: Table | None, folder: Path, place: str) -> Table:
    name = _effect_name(link, folder, place)
    if table is None:
        table = tomlkit.table()
    if table.get("effect") != name:
        table["effect"] = name
    wanted: dict[str, Any] = {}
    if link.slots:
        wanted["slots"] = list(link.slots)
    if link.when is not None:
        wanted["when"] = _when(link.when)
    if link.bus:
        wanted["bus"] = link.bus
    for knob, one in link.effect.knobs.items():
        value, sources = link.values[knob], link.modulation.get(knob, ())
        if sources or value != one.default or knob in table:
            plain = _plain(one, value, link, folder, f"{place} ({link.effect.name}): {knob}")
            wanted[knob] = _moved(plain, sources) if sources else plain
    for key in [key for key in table if key != "effect" and key not in wanted]:
        del table[key]
    for key, value in wanted.items():
        if key not in table:
            table[key] = _item(value)
        elif not _says(table[key], value, link, key):
            _change(table, key, value)
    return table


def _says(item: Any, value: Any, link: Link, key: str) -> bool:
    """Whether the file says `value` already, perhaps in other words."""
    said = item.unwrap() if hasattr(item, "unwrap") else item
    if key == "when":
        try:
            meant, wanted = modulation.read_condition(said), modulation.read_condition(value)
        except ValueError:
            return False
        return meant == wanted
    knob = link.effect.knobs.get(key)
    if knob is not None and isinstance(said, dict):
        try:
            base, sources = modulation.read_modulation(knob, said)
        except ValueError:
            return False
        same = base is None or _same(knob, base, link.values[key])
        return (
            (base is not None or link.values[key] == knob.default)
            and same
            and (sources == link.modulation.get(key, ()))
        )
    if isinstance(value, dict):
        return False
    return bool(said == value) or (knob is not None and _same(knob, said, link.values[key]))


def _same(knob: Knob, said: Any, value: Value) -> bool:
    try:
        return bool(knob.check(said) == value)
    except (ValueError, TypeError, OverflowError):
        return False


def _change(table: Table, key: str, value: Any) -> None:
    """Put a value in, with the comment that stood behind the old one."""
    old = table[key]
    if isinstance(old, InlineTable) and isinstance(value, dict):
        for name in [name for name in old if name not in value]:
            del old[name]
        for name, one in value.items():
            if name not in old or old[name].unwrap() != one:
                old[name] = one
        return
    new = _item(value)
    if hasattr(old, "trivia"):
        new.trivia.comment_ws = old.trivia.comment_ws
        new.trivia.comment = old.trivia.comment
    table[key] = new


def _item(value: Any) -> Any:
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for name, one in value.items():
            table[name] = _item(one)
        return table
    return tomlkit.item(value)


def _moved(base: Any, sources: tuple[Source, ...]) -> dict[str, Any]:
    return {"base": base, **{one.signal: modulation.write_source(one) for one in sources}}


def _when(condition: Condition) -> Any:
    if all(one == Source(one.signal) for one in condition.sources):
        return condition.text
    signs = {">": "above", "<": "below"}
    tables = []
    for one in condition.groups[0]:
        rest = modulation.write_source(one.source)
        options = {k: v for k, v in rest.items() if k != "amount"} if isinstance(rest, dict) else {}
        tables.append({"signal": one.source.signal, signs[one.sign]: one.value, **options})
    return tables if len(tables) > 1 else tables[0]


def _plain(knob: Knob, value: Value, link: Link, folder: Path, place: str) -> Any:
    if isinstance(knob, Choice) and knob.labels and value in knob.options:
        return knob.labels[knob.options.index(value)]
    if isinstance(knob, File) and value:
        return _relative(Path(str(value)), [folder, Path(knob.folder)], place)
    return list(value) if isinstance(value, tuple) else value


def _effect_name(link: Link, folder: Path, place: str) -> str:
    kinds = {"shader": "shaders", "net": "models"}
    if link.effect.kind not in kinds:
        return link.effect.name
    path = Path(link.effect.where)
    if path.parent.resolve() == assets.folder(kinds[link.effect.kind]).resolve():
        return link.effect.name
    return _relative(path, [folder], place)


def _relative(path: Path, folders: Bases, place: str) -> str:
    for folder in folders:
        if path.resolve().is_relative_to(folder.resolve()):
            return path.resolve().relative_to(folder.resolve()).as_posix()
    raise KfxError(f"{place}: {path} lies outside {folders[0].resolve()}; copy it there first")
