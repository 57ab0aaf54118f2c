"""Effect quality: inner pictures get smaller, the look stays, and full is to the bit."""

import numpy as np
import pytest

from kfx import effects
from kfx.engine.look import quality
from kfx.engine.look.chain import Chain
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, smiling, tick_of
from tests.gl.test_chain import PIXELS, SIZE, psnr
from tests.looks import preset_of

pytestmark = pytest.mark.gl
FINER = [name for name in effects.names() if quality.matters_to(preset_of(name))]


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def play(gpu, name, fineness):
    """The last of eight pictures, and how many pixels all inner pictures have."""
    with Chain(gpu, preset_of(name), SIZE, quality=fineness) as chain:
        for i in range(8):
            tick = tick_of(frame_of(PIXELS, i), [face_at(shape=smiling(i / 8))], 1 / 30 * bool(i))
            pixels = np.array(chain.render(tick))
        drawn = chain.programs[0]._targets.textures.values()
        return pixels, sum(one.width * one.height for one in drawn)


def test_several_looks_can_be_drawn_less_finely():
    assert len(FINER) >= 5
    assert not quality.matters_to(preset_of("film"))
    assert not quality.matters_to(preset_of(*FINER, mix=0.0))


@pytest.mark.parametrize("name", FINER)
def test_it_looks_nearly_the_same_from_fewer_pixels(gpu, name):
    fineness = quality.Quality()
    full, most = play(gpu, name, fineness)
    assert (full == play(gpu, name, quality.full)[0]).all()
    pixels = []
    for fineness.level in range(len(quality.STEPS)):
        shown, count = play(gpu, name, fineness)
        pixels.append(count)
        assert psnr(shown, full) > 28
    assert pixels[0] == most
    assert pixels[0] > pixels[1] > pixels[2]
