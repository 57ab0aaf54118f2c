"""Third-party files as they are found: old dialects, other hosts' habits, slips of the pen."""

import os
from pathlib import Path

import pytest

from kfx.render import isf, isf_check
from kfx.render.gpu import Gpu
from tests.isf_files import GREEN, Player, write

DONE = "gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0);"
CORPUS = os.environ.get("KFX_ISF_CORPUS", "")


@pytest.fixture(scope="module", params=[None, 330])
def gpu(request):
    with Gpu(glsl=request.param) as gpu:
        yield gpu


def read(call):
    """A body that is green if `call` reads the image's own pixel."""
    return f"""void main() {{
        vec2 p = isf_FragNormCoord, px = p * RENDERSIZE;
        vec4 c = {call};
        float far = distance(c, IMG_THIS_PIXEL(inputImage));
        gl_FragColor = vec4(step(0.03, far), step(far, 0.03), 0.0, 1.0);
    }}"""


@pytest.mark.parametrize(
    "call",
    [
        "IMG_NORM_PIXEL(inputImage, p, 0.0)",
        "IMG_PIXEL(inputImage, px, 0.5)",
        "IMG_NORM_THIS_PIXEL(inputImage)",
        "texture2D(inputImage, p)",
        "texture2D(inputImage, p, -1.0)",
        "texture2DLod(inputImage, p, 0.0)",
        "texture2DLodEXT(inputImage, p, 0.0)",
        "texture2DProj(inputImage, vec3(p * 2.0, 2.0))",
        "texture2DProj(inputImage, vec4(p * 2.0, 0.0, 2.0), 0.0)",
        "texture2DGradEXT(inputImage, p, vec2(0.0), vec2(0.0))",
        "texture2DRect(inputImage, px)",
        "texture(inputImage, vv_FragNormCoord)",
        "textureLod(inputImage, p, 0.0)",
        "IMG_PIXEL(inputImage, gl_FragCoord.xy)",
        "IMG_PIXEL (\n inputImage , p * IMG_SIZE(inputImage) )",
        "MM_SHADER_THIS_NORM_PIXEL(inputImage)",
        "MM_SHADER_NORM_PIXEL(inputImage, p)",
    ],
)
def test_every_dialect_reads_the_same_pixel(gpu, tmp_path, call):
    assert Player(gpu, write(tmp_path, read(call))).colour() == GREEN


@pytest.mark.parametrize(
    "body",
    [
        f"#version 120\n#extension GL_EXT_gpu_shader4 : enable\nvoid main() {{ {DONE} }}",
        f"#extension GL_ARB_shading_language_420pack : enable\nvoid main() {{ {DONE} }}",
        f"  #  extension GL_OES_standard_derivatives : require\nvoid main() {{ {DONE} }}",
        f"#ifdef GL_ES\nprecision mediump float;\n#endif\nvoid main() {{ {DONE} }}",
        f"precision highp float;\nprecision highp int;\nvoid main(void) {{ {DONE} }}",
        "#if __VERSION__ <= 120\nvarying vec2 no;\n#else\n#define good\n#endif\n"
        f"#ifdef good\nvoid main() {{ {DONE} }}\n#endif",
        "uniform sampler2D inputImage;\nuniform float TIME;\nuniform vec2 RENDERSIZE;\n"
        f"varying vec2 isf_FragNormCoord;\nvoid main() {{ {DONE} }}",
        "in vec2 isf_FragNormCoord; uniform int PASSINDEX, FRAMEINDEX;\n"
        "uniform vec4 _inputImage_imgRect; uniform bool _inputImage_flip;\n"
        f"void main() {{ {DONE} }}",
        "uniform highp float TIME /* s */,\n  other;\nvoid main() { "
        "gl_FragColor = vec4(other, 1.0, 0.0, 1.0); }",
        "#define texture2D texture\n#define varying in\n"
        f"void main() {{ vec4 c = texture2D(inputImage, isf_FragNormCoord); {DONE} }}",
        "layout(location = 0) out vec4 fragColor;\n"
        "void main() { fragColor = vec4(0.0, 1.0, 0.0, 1.0); }",
        "out vec4 colour; void main() { colour.rgba = vec4(0.0, 1.0, 0.0, 1.0); }",
        "void main() { gl_FragData[0] = vec4(0.0, 1.0, 0.0, 1.0); }",
        "float sample(float filter) { return filter; }\n"
        "void main() { float smooth = sample(1.0), input = 0.0, half = 0.0, active = 1.0;\n"
        "  gl_FragColor = vec4(input, smooth, half, active); }",
        "struct buffer { vec4 output; };\n"
        "void main() { buffer b; b.output = vec4(0, 1, 0, 1); gl_FragColor = b.output; }",
        "#define filter(x) vec4(0.0, x, 0.0, 1.0)\nvoid main() { gl_FragColor = filter(1.0); }",
        "#define G 0.0\n#define G 1.0\nvoid main() { gl_FragColor = vec4(0, G, 0, 1); }",
        "void main() { fragColor = vec4(0.0, 1.0, 0.0, 1.0); }",
        "void mainImage(out vec4 fragColor) { fragColor = vec4(0.0, 1.0, 0.0, 1.0); }\n"
        "void main() { mainImage(gl_FragColor); }",
        "void main() { vec4 texture = texture2D(inputImage, vec2(0.5));\n"
        "  texture = texture * 0.0 + vec4(0, 1, 0, 1); gl_FragColor = texture; }",
        f"void main() {{ {DONE} return; }}\n",
        f"void main ( void )\n{{\n// void main() in a comment\n{DONE} }} // filter",
        f"/* #version 120 */\r\n// #include <x>\r\nvoid main() {{ {DONE} }}\r\n",
        "void main() { vec4 c; c.g = 1; c.a = 1; gl_FragColor = c; gl_FragColor.rb = vec2(0); }",
        "int min(int a, int b) { return a < b ? a : b; }\nfloat mod(int a, float b) { return b; }\n"
        "void main() { gl_FragColor = vec4(min(0.0, 1.0), min(1, 2), mod(4.0, 2.0), 1.0); }",
        "struct Edge { vec2 a; };\nfloat distance(Edge e, vec2 p) { return distance(e.a, p); }\n"
        "void main() { gl_FragColor = vec4(0.0, distance(Edge(vec2(0)), vec2(1, 0)), 0, 1); }",
        "#ifdef NEVER\nfloat tanh(float x) { return x; }\n#endif\n"
        "void main() { gl_FragColor = vec4(tanh(0.0), 1.0, tanh(vec2(0.0)).x, 1.0); }",
        "float pow(float x, float y) { return 1.0; }\n"
        "void main() { gl_FragColor = vec4(0.0, pow(0.0, 1.0), pow(vec2(0), vec2(1)).x, 1.0); }",
        "void main() { gl_FragCoord.xy = vec2(0.0, 1.0); gl_FragCoord.z *= 0.0;\n"
        "  gl_FragColor = vec4(gl_FragCoord.xyz, 1.0); }",
        f"void   // a\n  /* b */ main // c\n ( ) {{ {DONE} }}",
        f"void main() {{ float precision = 1.0; precision += 1.0; {DONE} }}",
        "void main() { gl_FragColor = vec4(0, 1, 0, 1) + IMG_NORM_PIXEL(iChannel2, vec2(0.5)); }",
        "#define iChannel0 inputImage\nvoid main() { gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0)\n"
        "  + 0.0 * texture2D(iChannel0, isf_FragNormCoord); }",
        "float f(vec2 case) { return case.y; }\n"
        "void main() { gl_FragColor = vec4(0.0, f(vec2(0.0, 1.0)), 0.0, 1.0); }",
        "void main() { switch (1) { case 1: gl_FragColor = vec4(0, 1, 0, 1); break; } }",
        f"void\u00a0main() {{\u200b {DONE}\ufeff }}",
        "#define A \\ \n 1.0\nvoid main() { gl_FragColor = vec4(0.0, A, 0.0, 1.0); }",
        "void main() { float far = distance(gl_TexCoord[0].xy, isf_FragNormCoord);\n"
        "  gl_FragColor = vec4(step(0.01, far), 1.0, 0.0, 1.0); }",
        "const float shared = 1.0; float patch(const in float precise) { return precise; }\n"
        "void main() { gl_FragColor = vec4(0.0, patch(shared), 0.0, 1.0); }",
    ],
)
def test_old_and_foreign_glsl_is_understood(gpu, tmp_path, body):
    assert Player(gpu, write(tmp_path, body)).colour() == GREEN


@pytest.mark.parametrize(
    "vertex",
    [
        "varying vec2 at;\nvoid main() { gl_Position = ftransform(); isf_vertShaderInit();\n"
        "  at = gl_MultiTexCoord0.xy; gl_TexCoord[0] = gl_MultiTexCoord0; }",
        "varying vec2 at;\nvoid main() { vv_vertShaderInit(); at = vv_FragNormCoord;\n"
        "  gl_Position = gl_ModelViewProjectionMatrix * gl_Vertex;\n"
        "  gl_TexCoord[0] = vec4(isf_FragNormCoord.xy, 0.0, 1.0); }",
    ],
)
def test_an_old_vertex_shader_is_understood(gpu, tmp_path, vertex):
    body = """varying vec2 at;
    void main() {
        float far = distance(at, isf_FragNormCoord);
        far += distance(gl_TexCoord[0].xy, isf_FragNormCoord);
        gl_FragColor = vec4(step(0.01, far), 1.0, 0.0, 1.0);
    }"""
    path = write(tmp_path, body)
    path.with_suffix(".vs").write_text(vertex)
    player = Player(gpu, path)
    assert {player.colour(x, y) for x in (0.05, 0.95) for y in (0.05, 0.95)} == {GREEN}


def test_inputs_may_have_names_that_glsl_keeps_for_itself(gpu, tmp_path):
    names = ("filter", "sample", "smooth", "texture", "input", "length", "buffer")
    inputs = [{"NAME": name, "TYPE": "float", "DEFAULT": 1.0} for name in names]
    images = [{"NAME": "output", "TYPE": "image"}]
    total = " * ".join(names)
    body = f"""void main() {{
        vec4 c = IMG_THIS_PIXEL(output) + IMG_THIS_PIXEL(inputImage) * 0.0;
        gl_FragColor = c + vec4(0.0, {total}, 0.0, 1.0);
    }}"""
    player = Player(gpu, write(tmp_path, body, *inputs, *images))
    assert player.colour() == GREEN
    assert player.colour(filter=0.0) != GREEN, "the knob reaches the renamed uniform"


def test_inputs_may_have_the_names_of_functions(gpu, tmp_path):
    names = ("fract", "mix", "pow", "length", "own")
    inputs = [{"NAME": name, "TYPE": "float", "DEFAULT": 1.0} for name in names]
    body = """#define LONG length
    float own(float x) { return x; }
    void main() {
        float a = fract(1.0 + 0.0 * fract), b = mix(0.0, mix, 1.0), c = pow(pow, 2.0);
        gl_FragColor = vec4(a, b * c * LONG * own(own), length(vec2(0.0)), 1.0);
    }"""
    player = Player(gpu, write(tmp_path, body, *inputs))
    assert player.colour() == GREEN
    for key in ("mix_input", "pow", "length", "own"):
        assert player.colour(**{key: 0.0}) != GREEN, f"{key} reaches its uniform"


def test_a_mouse_has_no_buttons_and_a_point_may_have_three_numbers(gpu, tmp_path):
    inputs = [
        {"NAME": "iMouse", "TYPE": "point2D", "DEFAULT": [0.0, 1.0]},
        {"NAME": "turn", "TYPE": "point3D", "MIN": [0, 0, 0], "MAX": [2, 2, 2]},
        {"NAME": "count", "TYPE": "int", "MIN": 0, "MAX": 4, "DEFAULT": 1},
    ]
    body = """void main() {
        if (iMouse.z > 0.0 || max(iMouse.z, iMouse . w) + iMouse.zw.x > 0.0) discard;
        gl_FragColor = vec4(iMouse.x, iMouse.y * turn.z * float(count), 0.0, 1.0);
    }"""
    player = Player(gpu, write(tmp_path, body, *inputs))
    assert player.shader.knobs["turn"].default == (1.0, 1.0, 1.0)
    assert player.colour() == GREEN
    assert player.colour(turn=(1.0, 1.0, 0.0)) != GREEN


def test_what_only_another_host_has_is_named(gpu, tmp_path):
    body = "vec4 materialColorForPixel(vec2 p) { return vec4(1); }"
    assert "for MadMapper alone" in isf_check.check(gpu, write(tmp_path, body)).error


def test_a_vertex_shader_that_was_not_copied_is_named(gpu, tmp_path):
    body = "varying vec2 left; void main() { gl_FragColor = left.xyxy; }"
    verdict = isf_check.check(gpu, write(tmp_path, body))
    strict = "330" not in gpu.glsl  # older compilers read zeros there
    assert verdict.ok != strict
    assert not strict or "is test.vs missing?" in verdict.error


def test_lines_keep_their_numbers_whatever_is_taken_out(gpu, tmp_path):
    body = (
        "#version 120\n#extension GL_EXT_gpu_shader4 : enable\nuniform\nfloat\nTIME;\n"
        "/* a\nb */ #define texture2D texture\n#define A\n#define A 1\nvoid main() {\n"
        "  filter = wrong;\n}"
    )
    verdict = isf_check.check(gpu, write(tmp_path, body))
    assert verdict.error is not None
    assert f"test.fs:{1 + 11}: " in verdict.error


HEADS = [
    b'\xef\xbb\xbf/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/',
    b'\n\n// by somebody\n/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image",},],}*/',
    b'/* licence: none */\n/*\n{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}\n*/',
    b'/*{"CREDIT": "Andr\xe9", "INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/',
    b'/*{"CREDIT": "a,] // b", // c\n"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/',
    b'/*{"DESCRIPTION": "two\nlines\tand a tab", "INPUTS": [{"NAME": "inputImage",'
    b' "TYPE": "image"}, {"NAME": "x", "TYPE": "float", "MAX": 1., "MIN": -.5}]}*/',
    b'/*{"CREDIT": "x" // a, {"b": 1.0} }\n "INPUTS": [{"NAME": \'inputImage\' "TYPE": "image"}\n'
    b' {"NAME": "x", "TYPE": "float", "MAX": +2,, "MIN": 01.5f "DEFAULT": .5e1}], "A": "C:\\Mad"\n'
    b"}\n\nfrom https://x.y/{z}\n*/",
    b'/*{inputs: [{name: "inputImage", "Type": "Image"}, {name : "x", type: "FLOAT", max: 0xf}]}*/',
    "/*{“INPUTS”:\u00a0[{“NAME”: “inputImage”, “TYPE”: “image”}]}*/".encode(),
    b'/*{"INPUTS":\r[{"NAME": "inputImage", "TYPE": "image"}]}*/\r',
]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_files_may_come_from_any_editor(gpu, tmp_path, encoding, ends):
    text = f'/*{{"CREDIT": "é", "INPUTS": []}}*/\n#version 120\n// ü\nvoid main() {{\n {DONE} }}\n'
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""
    path = tmp_path / "edited.fs"
    path.write_bytes((mark + text.replace("\n", ends)).encode(encoding))
    assert Player(gpu, path).colour() == GREEN


@pytest.mark.parametrize("head", HEADS)
def test_heads_are_read_with_their_slips(gpu, tmp_path, head):
    path = tmp_path / "dirty.fs"
    path.write_bytes(head + f"\nvoid main() {{ {DONE} }}".encode())
    player = Player(gpu, path)
    assert player.shader.kind == "filter"
    assert player.colour() == GREEN


def test_a_pass_list_full_of_slips_still_draws(gpu, tmp_path):
    passes = [{"TARGET": "a", "WIDTH:": 3}, {"TARGET": ""}, "what", {"TARGET": "b c"}, {}]
    body = "void main() { if (PASSINDEX == 0) discard; " + DONE + " }"
    assert Player(gpu, write(tmp_path, body, PASSES=passes)).colour() == GREEN


@pytest.mark.skipif(not CORPUS, reason="KFX_ISF_CORPUS names no folder of ISF files")
@pytest.mark.slow
def test_the_corpus_draws(gpu):
    verdicts = [isf_check.check(gpu, path) for path in sorted(Path(CORPUS).rglob("*.fs"))]
    bad = [one.error for one in verdicts if not one.ok]
    assert len(verdicts) > 300
    assert len(bad) <= (3 if "330" in gpu.glsl else 0), bad
    assert all(isf.load(Path(one.file)) for one in verdicts if one.ok)
