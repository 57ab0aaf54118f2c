"""Hot reload: a valid save is told with what changed, a broken one where its fault is."""

import queue

import pytest

from kfx import presets
from kfx.engine.look.reload import Reload, files_of
from tests.waiting import LONG_S

GOOD = "version = 1\n[[chain]]\neffect = 'film'\ngrain = {}\n"
SHADER = '/*{{"INPUTS": [{{"NAME": "inputImage", "TYPE": "image"}}]}}*/\nvoid main() {{ {} }}\n'


@pytest.fixture
def watched(tmp_path):
    """A preset with a shader of its own, and what is told of it: ("change" or "fault", …)."""
    (tmp_path / "my.fs").write_text(SHADER.format("gl_FragColor = vec4(1.0);"))
    path = tmp_path / "look.toml"
    path.write_text(GOOD.format(0.1) + "[[chain]]\neffect = 'my.fs'\n")
    told = queue.Queue()
    with Reload(
        str(path),
        lambda preset, rebuild: told.put(("change", preset, rebuild)),
        lambda text: told.put(("fault", text, None)),
    ):
        yield path, told


def grain_of(preset):
    return preset.chain[0].values["grain"]


def test_a_save_becomes_the_look(watched):
    path, told = watched
    path.write_text(GOOD.format(0.05))
    kind, preset, rebuild = told.get(timeout=LONG_S)
    assert (kind, grain_of(preset), rebuild) == ("change", 0.05, False)


def test_a_save_by_renaming_is_seen_too(watched):
    path, told = watched
    new = path.with_suffix(".new")
    new.write_text(GOOD.format(0.06))
    new.replace(path)
    assert grain_of(told.get(timeout=LONG_S)[1]) == 0.06


def test_a_shader_that_changes_is_built_anew(watched):
    path, told = watched
    (path.parent / "my.fs").write_text(SHADER.format("gl_FragColor = vec4(0.0);"))
    kind, preset, rebuild = told.get(timeout=LONG_S)
    assert (kind, rebuild) == ("change", True)
    assert "vec4(0.0)" in preset.chain[1].effect.source.body


def test_a_broken_file_is_told_once_with_its_place_and_mended_at_the_next_save(watched):
    path, told = watched
    path.write_text(GOOD.format(9))
    kind, text, _ = told.get(timeout=LONG_S)
    assert kind == "fault"
    assert "look.toml: chain[0] (film): grain: 9 is outside" in text
    with pytest.raises(queue.Empty):
        told.get(timeout=0.4)
    path.write_text(GOOD.format(0.02))
    kind, preset, _ = told.get(timeout=LONG_S)
    assert (kind, grain_of(preset)) == ("change", 0.02)


def test_a_file_that_was_missing_is_found_when_it_comes(watched):
    path, told = watched
    path.write_text(GOOD.format(0.02) + "[[chain]]\neffect = 'late.fs'\n")
    assert "late.fs" in told.get(timeout=LONG_S)[1]
    (path.parent / "late.fs").write_text(SHADER.format("gl_FragColor = vec4(0.5);"))
    kind, preset, _ = told.get(timeout=LONG_S)
    assert (kind, preset.chain[1].effect.name) == ("change", "late")


def test_a_file_written_bit_by_bit_tells_no_fault(watched):
    path, told = watched
    with path.open("w") as file:
        for letter in GOOD.format(0.03) + "# the end\n":
            file.write(letter)
            file.flush()
    kind, preset, _ = told.get(timeout=LONG_S)
    while kind == "change" and grain_of(preset) != 0.03:
        kind, preset, _ = told.get(timeout=LONG_S)
    assert kind == "change"


def test_what_does_not_change_is_not_told(watched):
    path, told = watched
    path.write_text(path.read_text())
    with pytest.raises(queue.Empty):
        told.get(timeout=0.3)


def test_the_files_of_a_look_are_all_watched():
    files = files_of(presets.load("ballad_film"))
    assert any(one.endswith("film.fs") for one in files)
    assert any(one.endswith(".cube") for one in files)
