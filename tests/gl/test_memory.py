"""GPU memory stays what it is after the first frames, for every look and preset."""

import gc

import moderngl
import pytest

from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, smiling, tick_of

SIZE = (160, 90)
WARM_UP = 12
WAKE_LATER = {"style_flip": 70}  # frames: nets that sleep until their beat, four of them


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def made(monkeypatch):
    """Everything that the context is asked for while a test runs."""
    made = []
    for kind in ("texture", "buffer", "framebuffer", "depth_renderbuffer", "program"):
        plain = getattr(moderngl.Context, kind)

        def counted(context, *arguments, _plain=plain, _kind=kind, **options):
            made.append(_kind)
            return _plain(context, *arguments, **options)

        monkeypatch.setattr(moderngl.Context, kind, counted)
    return made


def names():
    return [*effects.names(), *presets.names()]


@pytest.mark.parametrize("name", names())
def test_nothing_is_made_after_the_warm_up(gpu, made, name):
    preset = presets.load(name) if name in presets.names() else presets.alone(effects.find(name))
    pixels = picture(*SIZE)
    with Chain(gpu, preset, SIZE) as chain:
        warm = WAKE_LATER.get(name, WARM_UP)
        for i in range(warm + 25):
            if i == warm:
                made.clear()
            # Faces come and go: none, one, two.
            faces = [face_at(50 + 60 * k, 45, 18, slot=k, shape=smiling(i / 40)) for k in (0, 1)]
            tick = tick_of(frame_of(pixels, i), faces[: i % 3], 0.0 if i == 0 else 1 / 30)
            chain.render(tick)
    assert not made, f"{name} makes {sorted(set(made))} while it runs"


@pytest.mark.parametrize("name", ["supernova", "datamosh", "lut_grade", "multiply"])
def test_a_chain_gives_back_what_it_took(gpu, made, name):
    preset = presets.load(name) if name in presets.names() else presets.alone(effects.find(name))
    face = face_at(80, 45, 18, shape=smiling())

    def play():
        with Chain(gpu, preset, SIZE) as chain:
            for i in range(3):
                chain.render(tick_of(frame_of(picture(*SIZE), i), [face], 1 / 30))

    play()
    gc.collect()
    free = {key: len(textures) for key, textures in gpu._free.items()}
    for _ in range(3):
        play()
    assert {key: len(textures) for key, textures in gpu._free.items()} == free
