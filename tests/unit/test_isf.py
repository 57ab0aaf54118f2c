"""ISF headers become knobs, passes and images, whatever state they are in; no GL here."""

import json
import random
import string

import pytest

from kfx.errors import KfxError
from kfx.params import Bool, Choice, File, Float, Int, Vector
from kfx.render import isf, isf_header, isf_size, isf_tidy
from tests.isf_files import INPUT, write


def load(folder, *inputs, **header):
    return isf.load(write(folder, "void main() {}", *inputs, **header))


def knob_of(folder, **entry):
    one = load(folder, {"NAME": "k", **entry}, ISFVSN="2")
    return one.knobs["k"], one.warnings


@pytest.mark.parametrize(
    ("entry", "knob"),
    [
        ({"TYPE": "float"}, Float(0.5, 0, 1)),
        ({"TYPE": "float", "MIN": -1, "MAX": 3}, Float(1, -1, 3)),
        ({"TYPE": "float", "MIN": 4}, Float(0.5, 0, 1)),
        ({"TYPE": "float", "MIN": 3, "MAX": 1, "DEFAULT": "2"}, Float(2, 1, 3)),
        ({"TYPE": "float", "default": 0.25}, Float(0.25, 0, 1)),
        ({"TYPE": "float", "Label": "Size"}, Float(0.5, 0, 1, doc="Size")),
        ({"TYPE": "bool"}, Bool(True)),
        ({"TYPE": "bool", "DEFAULT": 0.0}, Bool(False)),
        ({"TYPE": "bool", "DEFAULT": 1}, Bool(True)),
        ({"TYPE": "bool", "DEFAULT": "false"}, Bool(False)),
        ({"TYPE": "bool", "DEFAULT": "TRUE"}, Bool(True)),
        ({"TYPE": "event", "DEFAULT": True}, Bool(False)),
        ({"TYPE": "long", "MIN": 2, "MAX": 5}, Int(2, 2, 5)),
        (
            {"TYPE": "long", "VALUES": [3.0, 7], "LABELS": ["a", "b"], "DEFAULT": 7},
            Choice(7, (3, 7), ("a", "b")),
        ),
        ({"TYPE": "long", "LABELS": ["a", "b"]}, Choice(0, (0, 1), ("a", "b"))),
        ({"TYPE": "long", "VALUES": [4, 5]}, Choice(4, (4, 5), ("4", "5"))),
        ({"TYPE": "long", "VALUES": [4], "LABELS": [], "MIN": 0, "MAX": 9}, Int(0, 0, 9)),
        ({"TYPE": "point2D"}, Vector((0.0, 0.0), (0.0, 0.0), (1.0, 1.0))),
        (
            {"TYPE": "point2D", "MIN": [-1, -1], "MAX": [1, 1]},
            Vector((0.0, 0.0), (-1.0, -1.0), (1.0, 1.0)),
        ),
        (
            {"TYPE": "point2D", "DEFAULT": [640, 360]},
            Vector((640.0, 360.0), (0.0, 0.0), (16384.0, 16384.0)),
        ),
        ({"TYPE": "color"}, Vector((1.0,) * 4, (0.0,) * 4, (1.0,) * 4)),
        (
            {"TYPE": "color", "DEFAULT": [0, 0.5, 1]},
            Vector((0.0, 0.5, 1.0, 1.0), (0.0,) * 4, (1.0,) * 4),
        ),
    ],
)
def test_every_kind_of_knob(tmp_path, entry, knob):
    found, warnings = knob_of(tmp_path, **entry)
    assert found == knob
    assert not warnings
    assert found.check(found.default) == found.default


@pytest.mark.parametrize(
    ("entry", "default", "warning"),
    [
        ({"TYPE": "float", "DEFAULT": 7}, 1.0, "7 is outside 0..1"),
        ({"TYPE": "float", "DEFAULT": "lots"}, 0.5, "'lots' is no number"),
        ({"TYPE": "float", "DEFAULT": [1]}, 0.5, "no number"),
        ({"TYPE": "float", "DEFAULT": float("nan")}, 0.5, "no number"),
        ({"TYPE": "float", "MIN": {}, "MAX": 1}, 0.5, "no number"),
        ({"TYPE": "long", "VALUES": [1, 2], "LABELS": ["a", "b"], "DEFAULT": 5}, 1, "none of"),
        ({"TYPE": "long", "VALUES": [1, 2], "LABELS": ["a"]}, 1, "2 VALUES, but 1 LABELS"),
        ({"TYPE": "long", "MIN": 0, "MAX": 3, "DEFAULT": 9}, 3, "outside"),
        ({"TYPE": "color", "DEFAULT": [2, 0, 0, 1]}, (1.0, 0.0, 0.0, 1.0), "2 is outside"),
        ({"TYPE": "point2D", "DEFAULT": "mid"}, (0.0, 0.0), "no number"),
    ],
)
def test_a_bad_default_is_mended_with_a_warning(tmp_path, entry, default, warning):
    knob, warnings = knob_of(tmp_path, **entry)
    assert knob.default == default
    assert any(warning in text for text in warnings)


@pytest.mark.parametrize(
    ("inputs", "warning"),
    [
        ([{"NAME": "two words", "TYPE": "float"}], "no usable NAME"),
        ([{"TYPE": "float"}], "no usable NAME"),
        ([{"NAME": "x"}], "type '' is left out"),
        ([{"NAME": "x", "TYPE": "smell"}], "'smell' is left out"),
        (["x"], "no object"),
        ([{"NAME": "TIME", "TYPE": "float"}], "TIME is left out: every shader has it"),
        ([{"NAME": "gl_x", "TYPE": "float"}], "no usable NAME"),
        ([{"NAME": "x", "TYPE": "bool"}, {"NAME": "x", "TYPE": "float"}], "declared twice"),
    ],
)
def test_a_bad_input_is_left_out_with_a_warning(tmp_path, inputs, warning):
    one = load(tmp_path, *inputs)
    assert any(warning in text for text in one.warnings)


@pytest.mark.parametrize("extra", [{"INPUTS": None}, {"INPUTS": {}}, {"INPUTS": "x"}])
def test_a_header_without_a_list_of_inputs_is_a_generator(tmp_path, extra):
    path = tmp_path / "x.fs"
    path.write_text(f"/*{json.dumps(extra)}*/ void main() {{}}")
    assert isf.load(path).kind == "generator"


def test_the_three_kinds(tmp_path):
    images = [{"NAME": name, "TYPE": "image"} for name in ("startImage", "endImage")]
    progress = {"NAME": "progress", "TYPE": "float"}
    assert load(tmp_path).kind == "filter"
    assert isf.load(write(tmp_path, "", plate=False)).kind == "generator"
    assert load(tmp_path, *images, progress).kind == "transition"
    assert load(tmp_path, *images).kind == "filter"


def test_images_are_the_hosts_or_files(tmp_path):
    names = ("faceUV", "faceMotion", "personMatte", "mask", "history")
    one = load(tmp_path, *({"NAME": name, "TYPE": "image"} for name in names))
    assert one.images == ("inputImage", "faceUV", "faceMotion", "personMatte")
    assert one.face_images == ("faceUV", "faceMotion")
    assert one.files == ("mask", "history"), "a file that asks for no history means a picture"
    assert isinstance(one.knobs["mask"], File)
    own = {"history": {"frames": 9, "height": 100}}
    remembers = load(tmp_path, {"NAME": "history", "TYPE": "image"}, KFX=own)
    assert remembers.history == isf.History(9, 100)
    assert remembers.images == ("inputImage", "history")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"KFX": {"history": {"frames": 0}}}, r"history frames: 0 is outside 1\.\.600"),
        ({"KFX": {"history": {"height": "tall"}}}, "history height: 'tall' is outside"),
        ({"KFX": 3}, "KFX: 3 is no object"),
        ({"KFX": {"margin_iod": "wide"}}, "KFX margin_iod: 'wide' is no number"),
        ({"KFX": {"eyes_iod": True}}, "KFX eyes_iod: True is no number"),
        ({"KFX": {"reach_iod": True}}, "KFX reach_iod: True is no number"),
        ({"IMPORTED": {"t": {"PATH": "a\0b"}}}, "IMPORTED t: .*no path"),
        ({"IMPORTED": {"t": {"PATH": "a" * 9999}}}, "IMPORTED t: .*no path"),
        ({"PASSES": [{"TARGET": "a", "WIDTH": "$WIDHT"}]}, r"PASSES\[0\] WIDTH: no input \$WIDHT"),
        ({"PASSES": [{}, {"HEIGHT": "open('x')"}]}, r"PASSES\[1\] HEIGHT: only numbers"),
        ({"IMPORTED": {"t": {"PATH": "../x.png"}}}, r"IMPORTED t: \.\./x\.png leaves .*copy it"),
        ({"IMPORTED": {"t": {"PATH": "/etc/passwd"}}}, "leaves the shader's folder"),
    ],
)
def test_what_cannot_be_mended_is_refused_by_name(tmp_path, header, fault):
    with pytest.raises(KfxError, match=rf"test\.fs: .*{fault}"):
        load(tmp_path, **header)


def test_targets_join_what_their_passes_say(tmp_path):
    passes = [
        {"TARGET": "a", "FLOAT": 1},
        {"TARGET": "a", "WIDTH": "$n*2", "PERSISTENT": "true"},
        {},
    ]
    inputs = [{"NAME": "n", "TYPE": "long"}, {"NAME": "seed", "TYPE": "float"}]
    target = load(tmp_path, *inputs, PASSES=passes).targets["a"]
    assert (target.is_float, target.persistent, target.height) == (True, True, None)
    assert dict(target.reads) == {"n": "n"}
    renamed = load(tmp_path, *inputs, PASSES=[{"TARGET": "a", "HEIGHT": "$seed"}])
    assert dict(renamed.targets["a"].reads) == {"seed": "seed_input"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max(floor($WIDTH*0.25),1.0)", 320),
        ("  $WIDTH - $HEIGHT / 2 ", 920),
        ("-(-3)", 3),
        ("ceil(7 / 2) + 7 % 4 + min(1, 2) + abs(-1)", 9),
        ("640", 640),
        ("2.5e2", 250),
        ("2^3 * pow(2, 2) + trunc(1.7)", 33),
        ("clamp($HEIGHT, 8, 16) + clamp(8, 1, 16)", 24),
    ],
)
def test_sizes(text, value):
    assert isf_size.evaluate(text, {"WIDTH": 1280, "HEIGHT": 720}) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "$WIDTH ** 9",
        "$unknown",
        "1 +",
        "'a'",
        "",
        "floor",
        "WIDTH.real",
        "[1]",
        "True",
        "(lambda: 1)()",
        "max(*[1])",
        "1" * 600,
        "(" * 300 + "1" + ")" * 300,
        "\0",
    ],
)
def test_anything_else_is_no_size(text):
    with pytest.raises(ValueError, match=r"only|no expression|unknown|characters"):
        isf_size.evaluate(text, {"WIDTH": 1280})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1/$z", 1),
        ("$z/$z", 1),
        ("-5", 1),
        ("99999", 4096),
        ("0.2", 1),
        ("7.9", 7),
        ("1e308*9", 4096),
    ],
)
def test_a_size_is_at_least_1_and_at_most_what_the_gpu_can(text, wanted):
    assert isf_size.pixels(isf_size.evaluate(text, {"z": 0}), 4096) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "void main() {}", "/* no JSON */", "/*{", '/*{"a": }*/', "/*{]*/", "/*{}", "/*[]*/"],
)
def test_a_file_without_a_header_is_refused(tmp_path, text):
    path = tmp_path / "bad.fs"
    path.write_text(text)
    with pytest.raises(KfxError, match=r"bad\.fs(:1)?: .*ISF header"):
        isf_header.read(path)


def test_a_fault_in_the_header_is_told_with_its_line(tmp_path):
    path = tmp_path / "bad.fs"
    path.write_text('// one\n\n/*{\n  "A": [1, 2,],\n  "B": oops\n}*/')
    with pytest.raises(KfxError, match=r"bad\.fs:5: the ISF header is no JSON"):
        isf_header.read(path)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ('{"a": [1,, 2,], // b, {"c": 1.0} }\n"d": 1.}', {"a": [1, 2], "d": 1.0}),
        (
            '{"a": [{"b": 1} {"b": 2}] "c": 3 "d": "4"}',
            {"a": [{"b": 1}, {"b": 2}], "c": 3, "d": "4"},
        ),
        ("{'a': 'it is \"b\"', \"c\": 'true'}", {"a": 'it is "b"', "c": "true"}),
        (r'{"a": "C:\Mad\ner", "b": "\u00e9\/"}', {"a": "C:\\Mad\ner", "b": "é/"}),
        (
            '{"a": [.5, -.5, +2, 007, 1.0f, 1.e3, -0], "b": True}',
            {"a": [0.5, -0.5, 2, 7, 1.0, 1000.0, 0], "b": True},
        ),
        ('{"a": {"b": []}}\n\nsee https://x.y, {"c": 1}', {"a": {"b": []}}),
        ('{"a": 1.0//b\n}', {"a": 1.0}),
        ('{a: 0x1F, b_2\n: ["c:d", -0X2]}', {"a": 31, "b_2": ["c:d", -2]}),
        ('{“a”: “b "c"”}', {"a": 'b "c"'}),
    ],
)
def test_slips_of_the_pen_in_a_header_are_mended(tmp_path, text, header):
    path = tmp_path / "slips.fs"
    path.write_text(f"/*{text}*/\nvoid main() {{}}", encoding="utf-8")
    assert isf_header.read(path).header == header


def test_mangled_files_are_refused_or_read_but_never_break_it(tmp_path):
    rng = random.Random(7)
    entries = [
        INPUT,
        {"NAME": "a", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 1},
        {"NAME": "b", "TYPE": "long", "VALUES": [1, 2], "LABELS": ["x", "y"], "DEFAULT": 2},
        {"NAME": "c", "TYPE": "color", "DEFAULT": [0, 1, 0, 1]},
    ]
    good = write(
        tmp_path,
        "void main() {}",
        *entries[1:],
        PASSES=[{"TARGET": "t", "WIDTH": "$WIDTH/2", "PERSISTENT": True}, {}],
        IMPORTED={"i": {"PATH": "i.png"}},
        KFX={"region": "face", "history": {"frames": 4}},
    ).read_text()
    values = ["null", "[]", "{}", "-1", '"x"', "1e999", "true", '""', "[[]]", "NaN"]
    path = tmp_path / "mangled.fs"
    read, refusals = 0, set()
    for _ in range(600):
        text = good
        for _ in range(rng.randint(1, 3)):
            i = rng.randrange(len(text))
            if rng.random() < 0.5:
                text = text[:i] + rng.choice(string.printable) + text[i + rng.randint(0, 2) :]
            else:
                starts = [j + 2 for j in range(len(text)) if text.startswith(": ", j)]
                j = rng.choice(starts or [i])
                end = min(k for k in (text.find(c, j) for c in ",}*") if k >= 0)
                text = text[:j] + rng.choice(values) + text[end:]
        path.write_text(text)
        try:
            one = isf.load(path)
        except KfxError as error:
            refusals.add(str(error))
            continue
        assert one.targets is not None
        for knob in one.knobs.values():
            assert knob.check(knob.default) == knob.default
        read += 1
    assert read > 50
    assert len(refusals) > 10
    assert all("mangled.fs" in text for text in refusals)


def test_tidying_renames_only_whole_words_outside_comments():
    text = "float filter = 1.0; // filter\nfloat filters = filter; /* sample */\n#define A filter\n"
    tidied, _ = isf_tidy.tidy(text, (), ())
    assert tidied == (
        "float kfx_id_filter = 1.0; // filter\nfloat filters = kfx_id_filter; /* sample */\n"
        "#define A kfx_id_filter\n"
    )


def test_qualifiers_stay_what_they_are():
    text = "smooth in vec2 a; flat varying float b; float smooth = 1.0;"
    assert isf_tidy.tidy(text, (), ())[0] == (
        "smooth in vec2 a; flat varying float b; float kfx_id_smooth = 1.0;"
    )


def test_extensions_go_to_the_top_if_they_mean_something():
    text = (
        "#extension GL_ARB_gpu_shader5 : require\n#extension GL_OES_standard_derivatives : enable\n"
    )
    assert isf_tidy.tidy(text, (), ()) == ("\n\n", ("GL_ARB_gpu_shader5",))
