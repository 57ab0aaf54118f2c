"""Joined passes draw what separate passes draw, for kfx's own looks and for anyone's shaders."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kfx import effects
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.errors import KfxError
from kfx.render import isf_glsl, isf_join
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, smiling, tick_of
from tests.looks import preset_of

SIZE = (192, 108)
CORPUS = os.environ.get("KFX_ISF_CORPUS", "")


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def play(gpu, preset, join, frames=3):
    pictures = []
    with Chain(gpu, preset, SIZE, join=join) as chain:
        for i in range(frames):
            face = face_at(96, 48, iod=30, shape=smiling(0.5))
            tick = tick_of(frame_of(picture(*SIZE), i), [face], 0.0 if i == 0 else 1 / 30)
            pictures.append(np.array(chain.render(tick)).astype(int))
    return pictures


def shaders_in(folder):
    found = []
    for path in sorted(Path(folder).rglob("*.fs")):
        try:
            found.append((str(path), effects.find(str(path)).source))
        except KfxError:
            continue
    return found


def write(path, body, inputs="", extra=""):
    path.write_text(
        '/*{"ISFVSN": "2", "INPUTS": [{"NAME": "inputImage", "TYPE": "image"}'
        + inputs
        + "]"
        + extra
        + "}*/\n"
        + body
    )
    return str(path)


KNOB = ', {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.7, "MIN": 0, "MAX": 1}'


def test_stages_keep_their_names_apart(gpu, tmp_path):
    """Same globals, macros and knobs in both, used in every way."""
    one = write(
        tmp_path / "one.fs",
        "#define HALF(x) ((x) * 0.5)\nconst float low = 0.1, high = 0.9;\nfloat curve(float x);\n"
        "float curve(float x) { return mix(low, high, x); }\n"
        "void main() { vec4 c = IMG_THIS_PIXEL(inputImage);"
        " gl_FragColor = vec4(curve(c.r), HALF(c.g), c.b * amount, c.a); }",
        KNOB,
    )
    two = write(
        tmp_path / "two.fs",
        "#define HALF(x) (1.0 - (x))\nfloat low, high = 0.3;\n"
        "float curve(float x) { low = 0.2; return max(low, x) * high + 0.5; }\n"
        "void main() { vec4 c = IMG_NORM_PIXEL(inputImage, isf_FragNormCoord);"
        " vec2 s = IMG_SIZE(inputImage);"
        " gl_FragColor = vec4(curve(c.r), HALF(c.g), amount * s.x / RENDERSIZE.x, c.a); }",
        KNOB,
    )
    preset = preset_of(one, two, one)
    assert len(compile_plan(preset).steps) == 1
    assert len(compile_plan(preset, join=False).steps) == 3
    for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
        assert np.abs(a - b).max() <= 1
    half = preset_of(one, two, one, mix=0.5)
    for a, b in zip(play(gpu, half, True), play(gpu, half, False), strict=True):
        assert np.abs(a - b).max() <= 1


@pytest.mark.parametrize(
    "body",
    [
        "void main() { gl_FragColor = IMG_NORM_PIXEL(inputImage, isf_FragNormCoord + 0.01); }",
        "vec4 at(sampler2D s) { return texture(s, vec2(0.5)); }\n"
        "void main() { gl_FragColor = at(inputImage); }",
        "#define PLATE inputImage\nvoid main() { gl_FragColor = IMG_THIS_PIXEL(PLATE); }",
        "void main() { discard; gl_FragColor = IMG_THIS_PIXEL(inputImage); }",
    ],
)
def test_what_reads_elsewhere_stands_alone(tmp_path, body):
    path = write(tmp_path / "x.fs", body)
    plain = write(tmp_path / "y.fs", "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage); }")
    assert len(compile_plan(preset_of(plain, path)).steps) == 2


def test_first_may_read_anywhere_and_have_passes(gpu, tmp_path):
    first = write(
        tmp_path / "blur.fs",
        "void main() { if (PASSINDEX == 0) gl_FragColor = IMG_THIS_PIXEL(inputImage);"
        " else gl_FragColor = IMG_NORM_PIXEL(small, isf_FragNormCoord * 0.9); }",
        "",
        ', "PASSES": [{"TARGET": "small", "WIDTH": "$WIDTH/4", "HEIGHT": "$HEIGHT/4"}, {}]',
    )
    second = write(
        tmp_path / "invert.fs",
        "void main() { vec4 c = IMG_THIS_PIXEL(inputImage);"
        " gl_FragColor = vec4(1.0 - c.rgb, c.a); }",
    )
    preset = preset_of(first, second)
    assert len(compile_plan(preset).steps) == 1
    for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
        assert np.abs(a - b).max() <= 1
        assert (a[..., :3] > 200).any()


def test_own_looks_join_without_a_difference(gpu):
    """Every look of kfx after every kind it may follow."""
    names = [n for n in effects.names() if effects.find(n).kind == "shader"]
    followers = [n for n in names if isf_join.can_follow(effects.find(n).source)]
    tried = 0
    for name in followers:
        own = effects.find(name).source
        leaders = [
            n
            for n in names
            if (one := effects.find(n).source).region == own.region
            and (one.edge, one.coarse) == (own.edge, own.coarse)
            and isf_join.can_lead(one)
        ]
        for leader in leaders[:3]:
            preset = preset_of(leader, name)
            assert len(compile_plan(preset).steps) == 1
            for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
                # A value that falls between two steps may round either way before a look that
                # amplifies it: single values, no area.
                away = np.abs(a - b)
                assert away.max() <= 4, (leader, name)
                assert (away > 1).mean() < 1e-4, (leader, name)
            tried += 1
    assert tried or not followers


@pytest.mark.skipif(not CORPUS, reason="KFX_ISF_CORPUS names no folder of ISF files")
def test_corpus_joins_without_a_difference(gpu):
    found = shaders_in(CORPUS)
    fitting = [path for path, shader in found if isf_join.can_follow(shader)]
    leading = [path for path, shader in found if shader.vertex and isf_join.can_lead(shader)]
    assert len(fitting) > 20
    assert len(leading) > 10
    bad = []
    for one, two in [*pairwise([*fitting, fitting[0]]), *((one, fitting[0]) for one in leading)]:
        preset = preset_of(one, two)
        for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
            if np.abs(a - b).max() > 1:
                bad.append((Path(one).stem, Path(two).stem, int(np.abs(a - b).max())))
                break
    assert not bad


def test_pointwise_shaders_with_passes_of_their_own_join(gpu, tmp_path):
    """A table that is worked out in a pass before, and sized by a knob."""
    table = write(
        tmp_path / "table.fs",
        "void main() { if (PASSINDEX == 0) gl_FragColor = vec4(isf_FragNormCoord.x * amount);"
        " else { vec4 c = IMG_THIS_PIXEL(inputImage);"
        " gl_FragColor = vec4(texelFetch(ramp, ivec2(c.r * (steps - 1.0), 0), 0).rgb, c.a); } }",
        KNOB + ', {"NAME": "steps", "TYPE": "float", "DEFAULT": 8, "MIN": 2, "MAX": 64}',
        ', "PASSES": [{"TARGET": "ramp", "WIDTH": "$steps", "HEIGHT": 1}, {}],'
        ' "KFX": {"pointwise": true}',
    )
    preset = preset_of("film", table, table)
    assert len(compile_plan(preset).steps) == 1
    for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
        assert np.abs(a - b).max() <= 1
        assert len(np.unique(a[..., 0])) < 9


def test_others_join_a_shader_with_corners_of_its_own(gpu, tmp_path):
    leader = write(
        tmp_path / "leader.fs",
        "varying vec2 at; varying float many; float twice(float x) { return 2.0 * x; }"
        " void main() { vec4 c = IMG_THIS_PIXEL(inputImage); gl_FragColor ="
        " vec4(mix(c.rgb, vec3(at, twice(0.2)), amount * many), c.a); }",
        KNOB,
    )
    (tmp_path / "leader.vs").write_text(
        "varying vec2 at; varying float many; float half_of(float x) { return 0.5 * x; }\n"
        "void main() { isf_vertShaderInit(); at = isf_FragNormCoord * half_of(amount * 2.0);"
        " many = PASSINDEX == 0 ? 1.0 : 0.0; }"
    )
    follower = write(
        tmp_path / "follower.fs",
        "void main() { vec4 c = IMG_THIS_PIXEL(inputImage); if (PASSINDEX == 0) gl_FragColor ="
        " vec4(amount); else gl_FragColor = c * texelFetch(cell, ivec2(0, 0), 0).r; }",
        KNOB,
        ', "PASSES": [{"TARGET": "cell", "WIDTH": 2, "HEIGHT": 1, "FLOAT": true}, {}],'
        ' "KFX": {"pointwise": true}',
    )
    preset = preset_of(leader, follower, follower)
    assert len(compile_plan(preset).steps) == 1
    assert len(compile_plan(preset_of(follower, leader)).steps) == 2, "it leads, it doesn't follow"
    for a, b in zip(play(gpu, preset, True), play(gpu, preset, False), strict=True):
        assert np.abs(a - b).max() <= 1
        assert len(np.unique(a[..., 0])) > 20


@pytest.mark.parametrize("name", [n for n in effects.names() if effects.find(n).kind == "shader"])
def test_pointwise_looks_read_the_picture_in_their_last_pass_only(gpu, name):
    shader = effects.find(name).source
    if not shader.pointwise or len(shader.passes) == 1:
        return
    for i in range(len(shader.passes) - 1):
        source, vertex = isf_glsl.stages(shader, i, blended=False)
        assert "inputImage" not in gpu.program(source, vertex=vertex)
