"""The language of presets: modulation, routing, conditions, versions, limits, and any garbage."""

import json
import os
import tomllib

import jsonschema
import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kfx import presets
from kfx.cli import main
from kfx.errors import KfxError
from kfx.presets import signals, versions
from kfx.presets.modulation import CURVES, OPTIONS
from kfx.presets.schema import schema

FILM, IRIS = "effect = 'film'\n", "effect = 'iris_nova'\n"


def read(chain, head="version = 1\n"):
    return presets.read(f"{head}[[chain]]\n{chain}", "look.toml", "look")


def test_the_issue_s_own_line():
    preset = read(
        'effect = \'bloom\'\nintensity = { base = 0.3, "beat.decay" = 0.6, "face.jawOpen" = 0.2,'
        ' curve = "ease", attack_ms = 20, release_ms = 120 }'
    )
    assert preset.chain[0].values["intensity"] == 0.3
    beat, jaw = preset.chain[0].modulation["intensity"]
    assert (beat.signal, beat.amount, jaw.amount) == ("beat.decay", 0.6, 0.2)
    assert (jaw.curve, jaw.attack_ms, jaw.release_ms) == ("ease", 20, 120)


def test_names_with_and_without_quotes_mean_the_same():
    quoted = read(FILM + "grain = { 'beat.decay' = 0.1, 'osc.a.b' = 0.2 }")
    bare = read(FILM + "grain = { beat.decay = 0.1, osc.a.b = 0.2 }")
    assert quoted.chain == bare.chain


def test_without_a_base_the_knob_starts_as_it_comes():
    preset = read(FILM + "grain = { 'beat.decay' = 0.1 }")
    link = preset.chain[0]
    assert link.values["grain"] == link.effect.knobs["grain"].default


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        (FILM + "grain = { 'beat.decy' = 1 }", "no signal 'beat.decy'; did you mean beat.decay"),
        (FILM + "grain = { 'face.jawOpne' = 1 }", "did you mean face.jawOpen"),
        (FILM + "grain = { 'nothing' = 1 }", r"there are beat\.…, bar\.…"),
        (FILM + "grain = { base = 9, 'beat.decay' = 1 }", r"grain: 9 is outside 0\.\.0\.2"),
        (FILM + "grain = { base = 0.1 }", "name what moves it"),
        (FILM + "grain = { 'beat.decay' = nan }", "outside"),
        (FILM + "grain = { 'beat.decay' = 'x' }", "'x' is no number"),
        (FILM + "grain = { 'beat.decay' = 1, curve = 'sharp' }", "'sharp' is none of linear"),
        (FILM + "grain = { 'beat.decay' = 1, atack_ms = 3 }", "no signal 'atack_ms'"),
        (
            FILM + "grain = { 'beat.decay' = { amount = 1, atack_ms = 3 } }",
            "did you mean attack_ms",
        ),
        (FILM + "grain = { 'beat.decay' = 1, attack_ms = -3 }", r"-3 is outside 0\.\.60000"),
        (FILM + "grain = { 'beat.decay' = { amount = 1, rate_beats = 3 } }", "belong to an lfo"),
        (FILM + "grain = { 'beat.decay' = 1, rate_beats = 3 }", "belong to an lfo"),
        (FILM + "grain = { 'lfo.sine' = 1, rate_beats = 3, rate_hz = 2 }", "not both"),
        (FILM + "seed = { base = 1, 'beat.decay' = 3 }", "seed can't be moved"),
        (IRIS + "design = { base = 'star', 'beat.decay' = 3 }", "a choice can't be moved"),
        (FILM + "slots = [0]", "film doesn't look at faces"),
        (IRIS + "slots = [8]", r"8 is outside 0\.\.7"),
        (IRIS + "slots = []", "as a list"),
        (IRIS + "slots = 'lead'", "as a list"),
        (IRIS + "slots = [true]", "neither a slot"),
        (IRIS + "slots = [1, 1]", "named twice"),
        (IRIS + "slots = ['']", "neither a slot"),
        (FILM + "when = 'beat.phase'", "compare a signal"),
        (FILM + "when = 'beat.phse < 1'", "did you mean beat.phase"),
        (FILM + "when = 'beat.phase < one'", "'one' is no number"),
        (FILM + "when = 'beat.phase < 1 but bar.phase < 1'", "'but' is neither and nor or"),
        (FILM + "when = 'beat.phase < 1 and'", "nothing follows 'and'"),
        (FILM + "when = { signal = 'beat.phase' }", "say above = or below ="),
        (FILM + "when = { above = 1 }", "no signal '"),
        (FILM + "when = 3", "write it as"),
        (FILM + "wen = 3", "'wen' is no knob of it; did you mean when"),
    ],
)
def test_a_fault_says_where_and_what_to_do(chain, fault):
    with pytest.raises(KfxError, match=r"look\.toml: chain\[0\] \(\w+\): .*" + fault):
        read(chain)


def test_a_draft_migrates_to_the_preset_it_became():
    draft = "version = 0\nseed = 3\n[[effects]]\nname = 'film'\ngrain = 0.1\n"
    became = "version = 1\nseed = 3\n[[chain]]\neffect = 'film'\ngrain = 0.1\n"
    one, two = (presets.read(text, "x.toml", "x") for text in (draft, became))
    assert one == two


def test_every_old_version_has_its_migration():
    assert sorted(versions.MIGRATIONS) == list(range(versions.VERSION))
    assert presets.VERSION == versions.VERSION


@pytest.mark.parametrize("version", ["2", "99", "-1", "'1'", "true", "1.0", "[1]"])
def test_other_versions_are_refused(version):
    with pytest.raises(KfxError, match=r"x\.toml: version: "):
        presets.read(f"version = {version}", "x.toml", "x")


@pytest.mark.parametrize(
    "text",
    [
        "version = 1\n" + "[[chain]]\neffect = 'film'\n" * 65,
        "version = 1\ndoc = '" + "x" * 300_000 + "'",
        "version = 1\nx = " + "[" * 20_000,
        "version = 1\nx = " + "{a=" * 20_000,
        "version = 1\nseed = " + "9" * 10_000,
        "version = 1\n[[chain]]\neffect = 'film'\ngrain = " + "9" * 400,
        "version = 1\n[[chain]]\neffect = 'multiply'\ncopies = inf",
        "version = 1\n[[chain]]\neffect = 'film'\nwhen = '" + "beat.phase < 1 and " * 99 + "'",
        "version = 1\n[[chain]]\neffect = 'film'\ngrain = { " + "a." * 3000 + "b = 1 }",
        "version = 1\n" + "a." * 60_000 + "b = 1",
        "version = 1\n[" + "a." * 60_000 + "b]",
        "version = 1\n[[chain]]\neffect = 'x\\u0000.fs'",
        "version = 1\n[[chain]]\neffect = '/etc/x.fs'",
        "version = 1\n[[chain]]\neffect = '../../x.fs'",
        "version = 1\n[[chain]]\neffect = '" + "x" * 5000 + ".fs'",
    ],
    ids=lambda text: text[10:60],
)
def test_what_goes_beyond_the_limits_is_refused(text):
    with pytest.raises(KfxError, match=r"x\.toml"):
        presets.read(text, "x.toml", "x")


def test_a_file_from_windows_is_read_and_saved_with_its_comments(tmp_path):
    path = tmp_path / "x.toml"
    text = f"# mine\r\nversion = 1\r\n[[chain]]\r\n{FILM}grain = 0.1 # more\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    preset = presets.load(str(path))
    assert preset.chain[0].values["grain"] == 0.1
    presets.save(preset.with_value(0, "grain", 0.2), path)
    assert "# mine" in path.read_text()
    assert "# more" in path.read_text()
    assert presets.load(str(path)).chain[0].values["grain"] == 0.2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.toml")
    with pytest.raises(KfxError, match="this is no file"):
        presets.load(str(tmp_path / "x.toml"))


def test_a_shader_outside_of_the_preset_s_folder_is_not_read(tmp_path):
    (tmp_path / "out.fs").write_text("/*{}*/ void main() {}")
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "in.fs").write_text("/*{}*/ void main() {}")
    place = str(tmp_path / "looks" / "x.toml")
    text = "version = 1\n[[chain]]\neffect = '{}'"
    assert presets.read(text.format("in.fs"), place, "x").chain
    for name in ("../out.fs", str(tmp_path / "out.fs")):
        with pytest.raises(KfxError, match="lies outside"):
            presets.read(text.format(name), place, "x")
    (tmp_path / "looks" / "link.fs").symlink_to(tmp_path / "out.fs")
    with pytest.raises(KfxError, match="lies outside"):
        presets.read(text.format("link.fs"), place, "x")


# The schema.

COLOURED = "effect = 'wireframe'\n"
VALIDATOR = jsonschema.Draft7Validator(schema())


def said(chain, head="version = 1\n"):
    return tomllib.loads(f"{head}[[chain]]\n{chain}")


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("name", presets.names())
def test_the_schema_takes_every_preset(name):
    with open(presets.load(name).path, "rb") as file:
        VALIDATOR.validate(tomllib.load(file))


@pytest.mark.parametrize(
    "chain",
    [
        FILM + "grain = { base = 0.1, 'beat.decay' = 0.6, 'midi.cc7' = 1, curve = 'ease' }",
        FILM + "grain = { 'lfo.sine' = { amount = 0.1, rate_beats = 8 }, beat.decay = 0.1 }",
        IRIS + "slots = ['lead', 3]\nwhen = 'bar.phase < 0.5 and audio.low > 0.1'\ndesign = 'star'",
        FILM + "when = { signal = 'face.jawOpen', above = 0.3 }",
        FILM + "when = [{ signal = 'osc.x', above = 0.3 }, { signal = 'bar.phase', below = 1 }]",
        FILM + "grain = { osc = { a = { b = 0.1 } }, lfo.sine = 0.1, phase = 0.5 }",
        COLOURED + "colour = { base = [1, 0, 0, 1], 'beat.decay' = [0, 1, 0, 0] }",
        "effect = 'mine.fs'\nanything = 3",
        "effect = 'mine.onnx'",
    ],
)
def test_the_schema_takes_what_the_reader_takes(chain):
    VALIDATOR.validate(said(chain))
    if "mine." not in chain:
        read(chain)


@pytest.mark.parametrize(
    "chain",
    [
        FILM + "grain = 9",
        FILM + "grian = 0.1",
        FILM + "grain = { base = 9, 'beat.decay' = 1 }",
        FILM + "grain = { 'beat.decy' = 1 }",
        FILM + "grain = { 'beat.decay' = 1, curve = 'sharp' }",
        FILM + "slots = [0]",
        IRIS + "slots = [8]",
        IRIS + "design = 'moon'",
        IRIS + "design = { base = 'star', 'beat.decay' = 1 }",
        FILM + "when = { signal = 'face.jawOpen' }",
        FILM + "when = 'beat.phase < x'",
        FILM + "when = 'beat.foo < 1'",
        FILM + "mix = {}",
        FILM + "grain = { base = 0.1, curve = 'ease' }",
        FILM + "grain = { 'beat.decay' = 1, rate_beats = 2 }",
        FILM + "grain = { 'beat.decay' = { amount = 1, rate_beats = 2 } }",
        FILM + "grain = { 'lfo.sine' = 1, rate_beats = 2, rate_hz = 1 }",
        FILM + "grain = { 'beat.decay' = [1, 0] }",
        COLOURED + "colour = { 'beat.decay' = [1, 0] }",
        "effect = 'flim'",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(chain):
    assert not VALIDATOR.is_valid(said(chain))
    with pytest.raises(KfxError):
        read(chain)


def test_the_command_prints_the_schema(capsys, tmp_path):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
    assert main(["schema", "-o", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text()) == schema()


# The commands.


def test_a_new_preset_is_good_and_tells_every_knob(tmp_path, capsys):
    path = str(tmp_path / "mine.toml")
    assert main(["preset", "new", path, "--effects", "iris_nova,lut_grade,deadpan_step"]) == 0
    assert presets.load(path).chain[0].effect.name == "iris_nova"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    knobs = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert "grain" not in knobs
    for name in presets.load(path).chain[0].effect.knobs:
        assert f"{name} = " in knobs
    bare = "\n".join(line[2:] if line[:2] == "# " else line for line in text.splitlines())
    assert presets.read(bare, path, "mine").chain == presets.load(path).chain
    assert main(["preset", "new", path]) == 1
    assert "there already" in capsys.readouterr().err


def test_diff_pack_and_unpack_from_the_command_line(tmp_path, capsys):
    mine = tmp_path / "mine.toml"
    assert main(["preset", "new", str(mine), "--from", "supernova"]) == 0
    assert main(["preset", "diff", "supernova", str(mine)]) == 0
    assert "the same look" in capsys.readouterr().out
    mine.write_text(mine.read_text().replace("grain = 0.05", "grain = 0.02"))
    assert main(["preset", "diff", "supernova", str(mine), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["before"], one["after"]) == ("0.05", "0.02")
    assert main(["preset", "pack", str(mine), "-o", str(tmp_path / "m.zip")]) == 0
    assert main(["preset", "unpack", str(tmp_path / "m.zip")]) == 0
    assert main(["check", str(tmp_path / "m" / "mine.toml")]) == 0


def test_show_and_check_tell_what_moves(tmp_path, capsys):
    path = tmp_path / "x.toml"
    path.write_text(
        f"version = 1\n[[chain]]\n{IRIS}slots = ['lead']\nwhen = 'bar.phase < 0.5'\n"
        "mix = { base = 0.25, 'beat.decay' = 0.5, release_ms = 120 }\n"
    )
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "slots lead, when bar.phase < 0.5" in shown
    assert "mix = 0.25 + 0.5 beat.decay (release 120 ms)" in shown
    assert main(["check", str(path)]) == 0
    assert "follows beat.decay, bar.phase" in capsys.readouterr().out


# Garbage.


def harmless(text):
    """Reading gives a preset or an error that people can read, whatever the text is."""
    fault, chain = "x.toml", ()
    try:
        chain = presets.read(text, "x.toml", "x").chain
    except KfxError as error:
        fault = str(error)
    assert fault.startswith("x.toml")
    assert len(fault) < 5000
    for link in chain:
        assert set(link.values) == set(link.effect.knobs)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"version = 1\r\n")
def test_any_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "garbage.toml"
    path.write_bytes(data)
    fault = "garbage.toml"
    try:
        presets.load(str(path))
    except KfxError as error:
        fault = str(error)
    assert "garbage.toml" in fault


_NAMES = st.sampled_from(
    [
        "effect",
        "slots",
        "when",
        "mix",
        "seed",
        "grain",
        "gain",
        "on_beat",
        "look_lut",
        "slope",
        "zz",
    ]
)
_SIGNALS = st.sampled_from(
    [*signals.NAMES, "osc.a", "midi.cc1", "cue.x", "base", "curve", *OPTIONS]
)
_PLAIN = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(["lead", "beat.phase < 0.5", "osc.a > 1 or bar.phase <= 0", *CURVES]),
)
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_SIGNALS | st.text(min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
_LINKS = st.builds(
    lambda name, rest: {"effect": name, **{k: v for k, v in rest.items() if k != "effect"}},
    st.sampled_from(["film", "expr_amp", "deadpan_step", "lut_grade", "iris_nova", "x.fs"]),
    st.dictionaries(_NAMES, _VALUES, max_size=4),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_LINKS, max_size=3), st.dictionaries(st.sampled_from(["doc", "seed"]), _PLAIN))
def test_any_values(chain, head):
    harmless(tomlkit.dumps({"version": 1, **head, "chain": chain}))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_slip_of_the_keyboard(data):
    text = (
        f"version = 1\n[[chain]]\n{IRIS}slots = ['lead']\nwhen = 'bar.phase < 0.5'\n"
        "mix = { base = 0.25, 'beat.decay' = 0.5, release_ms = 120 }\nhue = 0.5\n"
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 5)))
        text = text[:at] + data.draw(st.text("=[]{}'\"\n.#0ae-", max_size=3)) + text[end:]
    harmless(text)
