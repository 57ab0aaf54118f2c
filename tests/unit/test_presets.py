"""Presets load, and an error in one says where it is and what to do."""

import pytest

from kfx import effects, presets
from kfx.errors import KfxError, UsageError


def text(chain: str, head: str = "version = 1\n") -> str:
    return head + chain


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_that_comes_with_kfx_is_good(name):
    preset = presets.load(name)
    assert preset.doc
    assert preset.chain


@pytest.mark.parametrize("name", effects.names())
def test_every_effect_declares_what_people_need(name):
    spec = effects.find(name)
    assert spec.doc
    assert "mix" in spec.knobs
    for knob, one in spec.knobs.items():
        assert one.doc, f"{name}.{knob} has no doc line"
        assert one.check(one.default) == one.default


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("chain = [", r"look\.toml: Invalid value"),
        ("version = 2", r"look\.toml: version: 2 is newer .* install a newer kfx"),
        ("[[chain]]\neffect='film'", r"version: missing"),
        ("kind = 'image'\n[input.x]\n", r"card is no preset.*-p net\.onnx"),
        (text("[[chain]]\nhz = 3"), r"chain\[0\]: effect is missing"),
        (text("[[chain]]\neffect='flim'"), r"chain\[0\]: effect 'flim' .*did you mean film"),
        (text("[[chain]]\neffect='film'\ngrain=9"), r"chain\[0\] \(film\): grain: 9 is outside"),
        (text("[[chain]]\neffect='film'\ngrian=0"), r"'grian' is no knob.*did you mean grain"),
        (text("[[chain]]\neffect='iris_nova'\ndesign='moon'"), r"design: 'moon' is none of galaxy"),
        (text("seeed = 3"), r"'seeed' is unknown; did you mean seed"),
        (text("seed = -1"), r"seed: -1 is no whole number"),
        (text("chain = 3"), r"chain: write every effect"),
    ],
)
def test_a_fault_is_named_with_its_place(toml, fault):
    with pytest.raises(KfxError, match=fault):
        presets.read(toml, "look.toml", "look")


def test_an_effects_name_is_a_preset_of_it_alone():
    preset = presets.load("chrome_skin")
    assert [link.effect.name for link in preset.chain] == ["chrome_skin"]
    assert preset.chain[0].values["reach"] == 1.0


def test_a_missing_preset_names_those_there_are():
    with pytest.raises(KfxError, match="did you mean supernova"):
        presets.load("supernov")
    with pytest.raises(KfxError, match=r"nowhere/x\.toml.*path"):
        presets.load("nowhere/x.toml")


def test_settings_change_a_copy():
    preset = presets.load("supernova")
    changed = presets.with_settings(preset, ["film.grain=0.1", "iris_nova.design=star"])
    assert dict(changed.chain[3].values)["grain"] == 0.1
    assert dict(changed.chain[2].values)["design"] == 2
    assert dict(preset.chain[3].values)["grain"] == 0.05


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("grain=1", "write it as"),
        ("film.grain", "write it as"),
        ("chrome.x=1", "has no chrome; it has deadpan_step"),
        ("film[1].grain=0.1", r"has no film\[1\]"),
        ("film.gain=0.1", "did you mean grain"),
        ("film.grain=9", "outside"),
        ("film.grain=much", "no number"),
    ],
)
def test_a_bad_setting_is_wrong_usage(setting, fault):
    with pytest.raises(UsageError, match=fault):
        presets.with_settings(presets.load("supernova"), [setting])


def test_a_bare_shader_is_a_preset(tmp_path):
    shader = tmp_path / "red.fs"
    shader.write_text(
        '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'
        "void main() { gl_FragColor = vec4(1.0, 0.0, 0.0, 1.0); }\n"
    )
    preset = presets.load(str(shader))
    assert preset.name == "red"
    assert [link.effect.kind for link in preset.chain] == ["shader"]


@pytest.fixture
def masked(tmp_path):
    """A preset folder with a shader folder in it, each with a picture, and one outside of both."""
    for name in ("looks/mine.png", "looks/shaders/its.png", "secret.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "looks/shaders/m.fs").write_text(
        '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"},'
        ' {"NAME": "mask", "TYPE": "image"}]}*/ void main() {}'
    )
    return tmp_path


def read_masked(folder, value):
    chain = f"[[chain]]\neffect = 'shaders/m.fs'\nmask = '{value}'"
    return presets.read(text(chain), str(folder / "looks/x.toml"), "x")


@pytest.mark.parametrize(("value", "found"), [("mine.png", "looks"), ("its.png", "looks/shaders")])
def test_a_file_lies_beside_the_preset_or_the_shader(masked, value, found):
    preset = read_masked(masked, value)
    assert preset.chain[0].values["mask"] == str(masked / found / value)


@pytest.mark.parametrize(
    ("value", "fault"),
    [("../secret.png", "lies outside"), ("no.png", "is missing"), ("x.txt", "none of a file")],
)
def test_a_file_elsewhere_is_refused(masked, value, fault):
    with pytest.raises(KfxError, match=rf"chain\[0\] .*mask: .*{fault}"):
        read_masked(masked, value)


def test_a_file_named_on_the_command_line_may_lie_anywhere(masked, monkeypatch):
    monkeypatch.chdir(masked)
    preset = read_masked(masked, "")
    assert preset.chain[0].values["mask"] == ""
    for value, found in (("secret.png", "secret.png"), ("its.png", "looks/shaders/its.png")):
        changed = presets.with_settings(preset, [f"m.mask={value}"])
        assert changed.chain[0].values["mask"] == str(masked / found)
    with pytest.raises(UsageError, match="is missing"):
        presets.with_settings(preset, ["m.mask=no.png"])
