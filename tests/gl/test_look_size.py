"""A look is drawn smaller and larger while it runs, whatever else is asked of it."""

from fractions import Fraction

import numpy as np
import pytest

from kfx import presets
from kfx.engine.look.look import Look
from kfx.engine.loop.picture import Picture
from kfx.engine.stats import Stats
from kfx.render.gpu import Gpu
from kfx.types import Frame, Tick
from tests.faces import face_at, picture

SIZE, HALF = (320, 180), (160, 90)
PLATE = picture(*SIZE)
GRADE = 'version = 1\n[[chain]]\neffect = "iridescent"\n[[chain]]\neffect = "film"\ngrain = 0.0\n'
BLOOM = 'version = 1\n[[chain]]\neffect = "bloom"\n'


def tick(i):
    frame = Frame(PLATE, i, Fraction(i, 50), i / 50)
    return Tick(i, i / 50, 0.02 if i else 0.0, frame, faces=(face_at(160, 80, 40),))


@pytest.fixture
def stage():
    """A look, and what draws its next so many pictures."""
    with Gpu() as gpu:
        faults = []
        look = Look(gpu, presets.read(GRADE, "a.toml", "a"), SIZE, on_fault=faults.append)
        shown = Picture([look], Stats(SIZE, Fraction(50), "", ""), period_s=10.0)
        count = iter(range(10_000))

        def draw(most=60):
            """Until nothing is on its way; the last picture."""
            for _ in range(most):
                pixels = shown.draw(tick(next(count)))
                assert pixels.shape == (*SIZE[::-1], 4)
                assert pixels is not PLATE
                if look.settled:
                    return np.array(pixels)
            raise AssertionError("it never settled")

        yield look, draw, faults
        look.close()
        assert faults == []


def apart(one, other):
    """Mean difference of two pictures in levels of 255."""
    return np.abs(one[..., :3].astype(float) - other[..., :3]).mean()


def until(look, draw, size):
    for _ in range(40):
        draw()
        if look.size == size:
            return draw()
    raise AssertionError(f"{look.size} never became {size}")


def test_it_goes_down_and_up_and_looks_the_same(stage):
    look, draw, _ = stage
    full = draw()
    look.resize(HALF)
    small = until(look, draw, HALF)
    assert 0.0 < apart(full, small) < 6.0
    look.resize(SIZE)
    assert apart(full, until(look, draw, SIZE)) < 0.3


def test_knobs_presets_and_fades_go_on_at_any_size(stage):
    look, draw, _ = stage
    plain = draw()
    look.resize(HALF)
    until(look, draw, HALF)
    look.set(1, "vignette", 1.0)
    dark = draw()
    assert dark[2, 2, :3].mean() < 0.8 * plain[2, 2, :3].mean()
    look.change(presets.read(BLOOM, "b.toml", "b"), seconds=0.1)
    bloom = draw()
    assert look.size == HALF
    look.resize(SIZE)
    look.change(presets.read(GRADE, "a.toml", "a"), seconds=0.1)
    assert apart(plain, until(look, draw, SIZE)) < 0.3
    assert apart(plain, bloom) > 1.0


def test_bypass_and_what_was_prepared_survive_a_change_of_size(stage):
    look, draw, _ = stage
    full = draw()
    bloom = presets.read(BLOOM, "b.toml", "b")
    look.prepare(bloom)
    draw()
    for _ in range(10):
        draw()
    look.bypass(0, True)
    bypassed = draw()
    assert apart(full, bypassed) > 0.5
    look.resize(HALF)
    assert apart(bypassed, until(look, draw, HALF)) < 6.0
    look.change(bloom)  # it was compiled for the other size
    draw()
    assert look.size == HALF
    assert look.preset is bloom


def test_a_look_that_holds_a_still_keeps_its_size_and_the_next_one_follows(stage):
    look, draw, _ = stage
    held = 'version = 1\n[[chain]]\neffect = "frozen_portrait"\n'
    look.resize(HALF)
    until(look, draw, HALF)
    look.change(presets.read(held, "h.toml", "h"))
    draw()
    assert (look.size, look.resizes) == (SIZE, False)
    look.change(presets.read(BLOOM, "b.toml", "b"))
    until(look, draw, HALF)
    assert look.resizes


def test_what_is_left_out_of_a_look_stays_so_at_another_size(stage):
    look, draw, _ = stage
    care = look.care
    look.resize(HALF)
    until(look, draw, HALF)
    assert look.care is care
    look.change(presets.read(BLOOM, "b.toml", "b"))
    draw()
    assert look.care is not care
