"""What the chain promises, held over every effect: exactness, locality, repeatability."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, smiling, tick_of
from tests.isf_files import GREEN
from tests.looks import CAST, preset_of

SIZE = (320, 180)
PIXELS = np.array(picture(*SIZE))
PIXELS[6:14, 20:30] = 255  # a lamp in the picture: some looks only answer to highlights
freeze(PIXELS)
FACE_ONLY = [
    name
    for name in effects.names()
    if getattr(effects.find(name).source, "region", "face") != "frame"
]


OTHER_MOMENTS = ("speed_ramp", "time_loop")  # of the picture: nothing of it is seen in a still


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def plate(i):
    """The picture at frame `i`, of a camera that moves."""
    return freeze(np.roll(PIXELS, i, axis=1))


def play(gpu, preset, frames=12, faces=None, plate=lambda i: PIXELS):
    """The pictures of a smiling performer, copied."""
    pictures = []
    with Chain(gpu, preset, SIZE) as chain:
        for i in range(frames):
            frame = frame_of(plate(i), i)
            shown = faces if faces is not None else [face_at(shape=smiling(i / frames))]
            tick = tick_of(frame, shown, 0.0 if i == 0 else 1 / 30)
            pictures.append(np.array(chain.render(tick)))
    return pictures


def psnr(a, b):
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("name", effects.names())
def test_mix_0_is_the_plate_to_the_bit(gpu, name):
    for shown in play(gpu, preset_of(name, mix=0.0), 3):
        assert (shown == PIXELS).all()


@pytest.mark.parametrize("name", effects.names())
def test_a_little_mix_is_nearly_the_plate(gpu, name):
    for shown in play(gpu, preset_of(name, mix=0.004), 3):
        assert psnr(shown, PIXELS) > 50


@pytest.mark.parametrize("name", effects.names())
def test_an_effect_is_seen_and_repeats_to_the_bit(gpu, name):
    both = [face_at(95, iod=32, shape=smiling()), face_at(225, iod=32, slot=1)]
    faces = both if name in CAST else None
    one, two = (play(gpu, preset_of(name), faces=faces) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    if name in OTHER_MOMENTS:
        one = play(gpu, preset_of(name), 24, plate=plate)
        assert (one[-1] != plate(23)).any()
    else:
        assert (one[-1] != PIXELS).any()
    assert (one[-1][..., 3] == 255).all()


@pytest.mark.parametrize("name", effects.names())
def test_reset_forgets(gpu, name):
    frame = frame_of(PIXELS, 0)
    faces = [[face_at(shape=smiling(i / 4))] for i in range(5)]
    with Chain(gpu, preset_of(name), SIZE) as chain:
        first = [
            np.array(chain.render(tick_of(frame, f, 1 / 30 * bool(i)))) for i, f in enumerate(faces)
        ]
        chain.reset()
        again = [
            np.array(chain.render(tick_of(frame, f, 1 / 30 * bool(i)))) for i, f in enumerate(faces)
        ]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("name", FACE_ONLY)
def test_a_face_effect_leaves_the_rest_untouched(gpu, name):
    face = face_at(100, 80, 30, shape=smiling())
    for shown in play(gpu, preset_of(name), faces=[face]):
        assert (shown[:, 200:] == PIXELS[:, 200:]).all()
    assert all((shown == PIXELS).all() for shown in play(gpu, preset_of(name), 2, faces=[]))


@pytest.mark.parametrize("name", FACE_ONLY)
def test_presence_0_shows_nothing(gpu, name):
    for shown in play(gpu, preset_of(name), 3, faces=[face_at(presence=0.0, shape=smiling())]):
        assert psnr(shown, PIXELS) > 50


@pytest.mark.parametrize("count", [2, 4, 8])
def test_several_faces_at_once(gpu, count):
    faces = [
        face_at(30 + 36 * i, 60 + 20 * (i % 2), 14, slot=i, shape=smiling()) for i in range(count)
    ]
    shown = play(gpu, presets.load("supernova"), 3, faces=faces)[-1]
    assert shown.shape == PIXELS.shape


def test_faces_off_the_frame_and_in_profile_do_no_harm(gpu):
    wild = [
        face_at(-400, 80, 40, slot=0),
        face_at(310, 170, 90, slot=1, yaw=70, shape=smiling()),
        face_at(160, 20, 400, slot=2, roll=80),
        face_at(100, 90, 1.5, slot=3),
    ]
    for shown in play(gpu, presets.load("supernova"), 3, faces=wild):
        assert shown.shape == PIXELS.shape


@pytest.mark.parametrize("size", [(16, 16), (33, 17), (641, 361)])
def test_any_size(gpu, size):
    pixels = picture(*size)
    face = face_at(size[0] / 2, size[1] / 3, size[1] / 5)
    with Chain(gpu, presets.load("supernova"), size) as chain:
        shown = chain.render(tick_of(frame_of(pixels), [face], 0.0))
    assert shown.shape == pixels.shape


def test_alpha_passes_through(gpu):
    pixels = picture(*SIZE).copy()
    pixels[..., 3] = np.arange(SIZE[0]) % 256
    with Chain(gpu, preset_of("film"), SIZE) as chain:
        shown = chain.render(tick_of(frame_of(pixels), [face_at()], 0.0))
    assert (shown[..., 3] == pixels[..., 3]).all()


def test_a_result_is_not_overwritten_while_somebody_holds_it(gpu):
    held, copies = [], []
    with Chain(gpu, preset_of("film"), SIZE) as chain:
        for i in range(6):
            held.append(chain.render(tick_of(frame_of(PIXELS, i))))
            copies.append(np.array(held[-1]))
    assert all((a == b).all() for a, b in zip(held, copies, strict=True))
    assert not held[0].flags.writeable


def test_the_plan_joins_motions_and_keeps_face_shaders_in_place():
    plan = compile_plan(presets.load("supernova"))
    assert [step.kind for step in plan.steps] == ["warp", "boxes", "frame"]
    assert plan.full_frame_passes == 1
    assert set(plan.face_images) == {"faceParts", "faceData"}
    off = presets.with_settings(presets.load("supernova"), ["film.mix=0", "iris_nova.mix=0"])
    assert [step.kind for step in compile_plan(off).steps] == ["warp"]


def test_a_shader_reads_the_date_of_a_live_tick(gpu, tmp_path):
    path = tmp_path / "today.fs"
    path.write_text(
        '/*{"INPUTS": []}*/\nvoid main() { vec4 d = DATE - vec4(2031.0, 5.0, 4.0, 3600.0);\n'
        " gl_FragColor = vec4(dot(d, d) > 0.0, 1.0, DATE.x == 2000.0, 1.0); }"
    )
    with Chain(gpu, presets.load(str(path)), SIZE) as chain:
        tick = tick_of(frame_of(PIXELS), [])
        assert tuple(chain.render(replace(tick, date=(2031.0, 5.0, 4.0, 3600.0)))[9, 9]) == GREEN
        assert tuple(chain.render(tick)[9, 9]) == (255, 255, 255, 255)
