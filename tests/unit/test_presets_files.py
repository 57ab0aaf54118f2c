"""Saving keeps what people wrote, packs come back the same, and strangers' packs are checked."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from kfx import presets
from kfx.errors import KfxError
from kfx.presets import packing
from kfx.presets.comparing import Difference, differences
from kfx.presets.saving import written

MINE = """\
# My look, made in the hotel.
version = 1
doc = "mine"   # not yours

[[chain]]
# first the grain
effect = "film"
grain = 0.05      # more at night
vignette = { base = 0.1, "beat.decay" = 0.2, curve = "ease" }  # it breathes

[[chain]]
effect = "iris_nova"
slots = ["lead", 1]
when = "bar.phase < 0.5"
design = "star"
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def test_saving_what_has_not_changed_changes_no_byte(mine):
    presets.save(presets.load(str(mine)), mine)
    assert mine.read_text() == MINE


def test_a_changed_value_is_all_that_changes(mine):
    preset = presets.with_settings(presets.load(str(mine)), ["film.grain=0.1", "film.fade=0.2"])
    presets.save(preset, mine)
    lines = set(MINE.splitlines()) ^ set(mine.read_text().splitlines())
    assert sorted(lines) == [
        "fade = 0.2",
        "grain = 0.05      # more at night",
        "grain = 0.1      # more at night",
    ]
    assert presets.load(str(mine)).chain == preset.chain


def test_a_moved_knob_keeps_its_table_and_comment(mine):
    preset = presets.load(str(mine)).with_value(0, "vignette", 0.2)
    presets.save(preset, mine)
    text = mine.read_text()
    assert "# it breathes" in text
    assert presets.load(str(mine)).chain == preset.chain


def test_links_may_come_go_and_change_places(mine):
    preset = presets.load(str(mine))
    bloom = presets.alone(presets.effects.find("bloom")).chain[0]
    film, iris = preset.chain
    changed = presets.Preset(preset.name, "new words", (iris, bloom, film), 7)
    presets.save(changed, mine)
    again = presets.load(str(mine))
    assert (again.chain, again.doc, again.seed) == (changed.chain, "new words", 7)
    for comment in ("# My look", "# first the grain", "# more at night", "# it breathes"):
        assert comment in mine.read_text()


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_written_anew_and_read_back(name):
    preset = presets.load(name)
    assert presets.read(written(preset, "", preset.path), preset.path, name).chain == preset.chain
    with open(preset.path, encoding="utf-8") as file:
        text = file.read()
    assert written(preset, text, preset.path) == text


def test_what_a_condition_and_an_lfo_say_survives(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(
        "version = 1\n[[chain]]\neffect = 'film'\n"
        "when = [{ signal = 'osc.a', above = 0.1, below = 0.9, attack_ms = 50 }]\n"
        "grain = { 'lfo.sine' = { amount = 0.1, rate_beats = 8, phase = 0.25 }, 'midi.cc7' = 1 }\n"
    )
    preset = presets.load(str(path))
    again = presets.read(written(preset), str(path), "x")
    assert again.chain == preset.chain


def test_a_file_elsewhere_is_not_saved(mine, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "my.cube"
    other.write_text("LUT_3D_SIZE 2\n" + "0 0 0\n" * 8)
    preset = presets.alone(presets.effects.find("lut_grade")).with_value(0, "look_lut", str(other))
    with pytest.raises(KfxError, match="lies outside"):
        presets.save(preset, mine)
    assert mine.read_text() == MINE
    assert [path.name for path in mine.parent.iterdir()] == ["mine.toml"]


def test_differences_name_the_knob(mine):
    one = presets.load(str(mine))
    other = presets.with_settings(one, ["film.grain=0.1"])
    assert differences(one, other) == [Difference("chain[0] (film): grain", "0.05", "0.1")]
    assert differences(one, one) == []
    shorter = presets.Preset("shorter", one.doc, one.chain[1:])
    (gone,) = differences(one, shorter)
    assert (gone.place, gone.after) == ("chain[0]", None)
    assert "vignette=0.1 + 0.2 beat.decay (ease)" in gone.before


@pytest.mark.parametrize("name", ["supernova", "ballad_film", "sn_talking_still"])
def test_a_pack_comes_back_the_same(tmp_path, name):
    preset = presets.load(name)
    names = packing.pack(preset, tmp_path / "one.zip")
    packing.pack(preset, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert f"{name}.toml" in names
    again = presets.load(str(packing.unpack(tmp_path / "one.zip", tmp_path / "there")))
    assert [link.effect.name for link in again.chain] == [link.effect.name for link in preset.chain]
    for mine, theirs in zip(again.chain, preset.chain, strict=True):
        if mine.effect.kind == "shader":
            assert str(tmp_path / "there") in mine.effect.where
            assert mine.effect.source.body == theirs.effect.source.body
        for knob, value in mine.values.items():
            assert value == theirs.values[knob] or str(tmp_path / "there") in str(value)
    text = (tmp_path / "there" / f"{name}.toml").read_text()
    comments = [one for one in Path(preset.path).read_text().splitlines() if one[:1] == "#"]
    assert all(comment in text for comment in comments)


def zipped(path, contents, *, manifest=True, **more):
    """A pack of `files` whose manifest fits them."""
    listed = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    said = {"format": packing.FORMAT, "version": 1, "preset": "x.toml", "files": listed, **more}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
        if manifest:
            archive.writestr(packing.MANIFEST, json.dumps(said))
    return path


GOOD = {"x.toml": b"version = 1\n[[chain]]\neffect = 'film'\n"}


@pytest.mark.parametrize(
    ("files", "more", "fault"),
    [
        ({"../evil.toml": b""}, {}, "no name that a pack may hold"),
        ({"/etc/evil.toml": b""}, {}, "no name"),
        ({"a/../../evil.toml": b""}, {}, "no name"),
        ({"a\\evil.toml": b""}, {}, "no name|listed and missing"),
        ({"C:evil.toml": b""}, {}, "no name"),
        ({"shaders/nul.fs": b""}, {}, "no name"),
        ({"CON.tar.toml": b""}, {}, "no name"),
        ({"../": b""}, {}, "no name"),
        ({"evil.py": b""}, {}, "holds no such files"),
        ({"X.TOML": b""}, {}, "in it twice"),
        ({}, {"manifest": False}, "is it a kfx pack"),
        ({}, {"version": 2}, "packs of version 1"),
        ({}, {"files": {}}, "listed and missing"),
        ({}, {"files": {"x.toml": {"sha256": "0" * 64}}}, "hash differs"),
        ({}, {"files": 3}, "is it a kfx pack"),
        ({}, {"preset": "no.toml"}, "names no preset"),
        ({"x.toml": b"version = 1\n[[chain]]\neffect = '../../x.fs'\n"}, {}, r"chain\[0\]"),
        ({"x.toml": b"\xff"}, {}, "no UTF-8"),
    ],
)
def test_a_pack_that_is_not_as_it_should_be_leaves_nothing(tmp_path, files, more, fault):
    archive = zipped(tmp_path / "x.zip", {**GOOD, **files}, **more)
    with pytest.raises(KfxError, match=fault) as told:
        packing.unpack(archive, tmp_path / "there")
    assert str(told.value).startswith(f"{archive}")
    assert "is damaged: " not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_pack_that_was_zipped_anew_by_explorer_or_finder_is_one_still(tmp_path):
    packing.pack(presets.load("supernova"), tmp_path / "x.zip")
    with (
        zipfile.ZipFile(tmp_path / "x.zip") as old,
        zipfile.ZipFile(tmp_path / "y.zip", "w") as new,
    ):
        new.writestr("shaders/", b"")
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
        new.writestr("__MACOSX/._supernova.toml", b"Mac OS X")
        new.writestr(".DS_Store", b"Bud1")
    path = packing.unpack(tmp_path / "y.zip", tmp_path / "there")
    assert presets.load(str(path)).chain
    assert sorted(one.name for one in path.parent.iterdir()) == ["shaders", "supernova.toml"]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MOST_FILE_BYTES", 1000)
    archive = zipped(tmp_path / "x.zip", {**GOOD, "big.cube": bytes(100_000)})
    with pytest.raises(KfxError, match="too large"):
        packing.unpack(archive, tmp_path / "there")


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_damaged_zip_is_refused(tmp_path, keep):
    packing.pack(presets.load("supernova"), tmp_path / "x.zip")
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "y.zip").write_bytes(data[:keep])
    with pytest.raises(KfxError, match=r"y\.zip"):
        packing.unpack(tmp_path / "y.zip", tmp_path / "there")


def test_unpacking_overwrites_nothing(tmp_path):
    zipped(tmp_path / "x.zip", GOOD)
    assert packing.unpack(tmp_path / "x.zip", tmp_path / "there").read_bytes() == GOOD["x.toml"]
    with pytest.raises(KfxError, match="there already"):
        packing.unpack(tmp_path / "x.zip", tmp_path / "there")
