"""Passes that draw only in the tiles a picture of their own names."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx import effects, presets
from kfx.engine.look import chain
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.errors import KfxError
from kfx.presets import Link
from kfx.render.gpu import Gpu
from kfx.render.isf import load
from kfx.render.isf_join import can_follow, can_lead
from kfx.render.isf_program import Program, automatic_values
from tests.faces import face_at, frame_of, picture, tick_of
from tests.isf_files import write

SIZE = (96, 48)
PIXELS = picture(*SIZE)
HALF = {"NAME": "half_", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0}
TILES = {"TARGET": "tiles", "WIDTH": "6", "HEIGHT": "3"}
ZONES = """
    if (PASSINDEX == 0) {
        float left = gl_FragCoord.x < 6.0 * half_ ? 1.0 : 0.0;
        gl_FragColor = vec4(left, 1.0 - left, 0.0, gl_FragCoord.y < 1.0 ? 1.0 : 0.0);
        return;
    }
"""


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def texture(gpu, pixels):
    made = gpu.acquire((pixels.shape[1], pixels.shape[0]))
    gpu.upload(made, pixels, np.empty_like(pixels))
    return made


def drawn(gpu, shader, *, in_place=False, frames=1, **given):
    """The last picture, top row first, and the program that drew it."""
    values = {name: knob.default for name, knob in shader.knobs.items()}
    values |= {"kfx_seed": 0.0, "kfx_mix": 1.0, **given}
    program = Program(gpu, shader, SIZE, values, in_place=in_place)
    for i in range(frames):
        plate, target = texture(gpu, PIXELS), texture(gpu, 255 - PIXELS)
        now = values | automatic_values(i, i / 30, 1 / 30)
        target = plate if program.draws_over(now) else target
        program.draw(target, {"inputImage": plate}, now)
    data = np.frombuffer(gpu.target(target).read(components=4), np.uint8)
    return data.reshape(SIZE[1], SIZE[0], 4)[::-1].astype(int), program


@pytest.mark.parametrize("in_place", [False, True])
def test_only_the_named_tiles_are_drawn(gpu, tmp_path, in_place):
    body = f"void main() {{ {ZONES} gl_FragColor = 1.0 - IMG_THIS_PIXEL(inputImage); }}"
    shader = load(write(tmp_path, body, HALF, PASSES=[TILES, {"WHERE": "tiles.r"}]))
    for half, edge in ((0.5, 48), (0.0, 0), (1.0, 96), (1 / 3, 32)):
        shown, _ = drawn(gpu, shader, in_place=in_place, half_=half)
        assert np.abs(shown[:, :edge, :3] - (255 - PIXELS[:, :edge, :3])).max(initial=0) <= 1
        assert (shown[:, edge:] == PIXELS[:, edge:]).all(), "elsewhere the picture stays"


@pytest.mark.parametrize("mix", [1.0, 0.25])
@pytest.mark.parametrize("in_place", [False, True])
def test_tiles_may_have_passes_of_their_own(gpu, tmp_path, in_place, mix):
    body = f"""void main() {{ {ZONES}
        vec2 from = vec2(1.0 - isf_FragNormCoord.x, isf_FragNormCoord.y);
        if (PASSINDEX == 1) gl_FragColor = IMG_NORM_PIXEL(inputImage, from);
        else gl_FragColor = 0.5 * IMG_THIS_PIXEL(inputImage);
    }}"""
    passes = [TILES, {"WHERE": "tiles.r"}, {"WHERE": "tiles.g"}]
    shader = load(write(tmp_path, body, HALF, PASSES=passes))
    shown, program = drawn(gpu, shader, in_place=in_place, kfx_mix=mix)
    assert not program.draws_over({"kfx_mix": mix}), "one of them reads the picture elsewhere"
    plate = PIXELS.astype(float)
    expected = np.concatenate([plate[:, ::-1][:, :48], plate[:, 48:] * 0.5], axis=1)
    expected = plate + (expected - plate) * mix
    assert np.abs(shown[..., :3] - expected[..., :3]).max() <= 1.01


def test_a_target_is_empty_where_nothing_is_drawn(gpu, tmp_path):
    body = f"""void main() {{ {ZONES}
        gl_FragColor = PASSINDEX == 1 ? vec4(1.0) : vec4(IMG_THIS_PIXEL(kept).rgb, 1.0);
    }}"""
    kept = {"TARGET": "kept", "WHERE": "tiles.a"}
    shader = load(write(tmp_path, body, HALF, PASSES=[TILES, kept, {}]))
    shown, _ = drawn(gpu, shader, frames=2)
    assert (shown[32:, :, :3] == 255).all()
    assert (shown[:32, :, :3] == 0).all()


@pytest.mark.parametrize("where", ["tiles", "tiles.q", "sky.r", "r", "later.r"])
def test_a_name_that_is_none_is_refused(tmp_path, where):
    passes = [TILES, {"WHERE": where}, {"TARGET": "later"}]
    path = write(tmp_path, "void main() {}", PASSES=passes)
    with pytest.raises(KfxError, match=r"PASSES\[1\] WHERE"):
        load(path)


def test_what_leaves_tiles_out_is_joined_with_nothing(tmp_path):
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage); }"
    passes = [TILES, {"WHERE": "tiles.r"}]
    shader = load(write(tmp_path, body, PASSES=passes, KFX={"pointwise": True}))
    assert not can_lead(shader)
    assert not can_follow(shader)
    flash = effects.find("flash")
    links = tuple(Link(one, {k: v.default for k, v in one.knobs.items()}) for one in (flash, flash))
    assert len(compile_plan(presets.Preset("two", "", links)).steps) == 1, "others still are"


def test_the_plan_tells_it():
    text = compile_plan(presets.alone(effects.find("cosmic_bg"))).steps[0].text
    assert text.startswith("cosmic_bg: a pass over the frame, in the tiles where it shows, after ")
    assert "None" not in text


LOOKS = "aura block_glitch cosmic_bg echo_trails eye_beam multiply particle_dissolve shatter"


@pytest.mark.parametrize("name", [*LOOKS.split(), "shockwave", "supernova_burst"])
def test_looks_are_the_same_without_their_tiles(gpu, monkeypatch, name):
    """Every tile drawn by the pass that fits all of them gives the same picture, and so does what
    a graphics card is given, which draws from a copy and with nothing compiled in."""
    whole = chain.shader_of

    def untiled(step):
        shader = whole(step)
        passes = [replace(one, where=None) for one in shader.passes]
        return replace(shader, passes=tuple(passes))

    shown = []
    for way in ("tiles", "card", "whole"):
        monkeypatch.setattr(gpu, "software", way != "card")
        monkeypatch.setattr(chain, "shader_of", untiled if way == "whole" else whole)
        with Chain(gpu, presets.alone(effects.find(name)), (320, 180)) as one:
            for i in range(12):  # six beats
                frame = frame_of(picture(), i, rate=Fraction(4))
                pixels = one.render(tick_of(frame, (face_at(160.0, 90.0, 42.0),)))
                shown.append(pixels[..., :3].astype(int))
    tiles, card, without = np.array(shown).reshape(3, 12, *frame.pixels[..., :3].shape)
    assert np.abs(tiles - without).max() <= 3
    assert np.abs(tiles - card).max() <= 3
    assert np.abs(tiles - frame.pixels[..., :3]).max() > 8, "it shows"
