"""The person matte of the tracking stage: steady at rest, quick where something moves."""

from fractions import Fraction

import numpy as np
import pytest

from kfx import sources
from kfx.tracking.person import Person
from kfx.types import Frame


class FakeNet:
    """Gives back the masks it was made with, one after the other."""

    def __init__(self, masks):
        self.masks = list(masks)

    def process(self, rgb):
        self.segmentation_mask = self.masks.pop(0) if len(self.masks) > 1 else self.masks[0]
        return self

    def close(self):
        pass


def person_with(masks, model=1):
    person = Person()
    person._nets[model] = FakeNet(masks)
    return person


def frame(x=None, index=0, size=(640, 360), level=60, time=None):
    """Grey, with a bright square at `x`."""
    pixels = np.full((size[1], size[0], 4), level, np.uint8)
    if x is not None:
        pixels[100:200, x : x + 100] = 220
    return Frame(pixels, index, Fraction(index, 30) if time is None else time, 0.0)


def square(x, value=1.0):
    mask = np.zeros((144, 256), np.float32)
    mask[40:80, x * 256 // 640 : (x + 100) * 256 // 640] = value
    return mask


def flicker(count):
    noise = np.random.default_rng(1)
    return [
        np.clip(square(200, 0.6) + noise.normal(0, 0.1, (144, 256)), 0, 1) for _ in range(count)
    ]


def test_what_stands_still_does_not_flicker():
    masks = flicker(30)
    with person_with(masks) as person:
        mattes = [person.matte(frame(200, i)).astype(float) / 255 for i in range(30)]
    raw = np.abs(np.diff(masks[10:], axis=0)).mean()
    assert np.abs(np.diff(mattes[10:], axis=0)).mean() < 0.4 * raw


def test_what_moves_leaves_no_trail():
    steps = [200 + 25 * i for i in range(8)]
    with person_with([square(x) for x in steps]) as person:
        for i, x in enumerate(steps):
            matte = person.matte(frame(x, i)).astype(float) / 255
            assert np.abs(matte - square(x)).max() < 0.05, f"step {i}"


@pytest.mark.parametrize("event", ["reset", "cut", "gap", "back"])
def test_the_past_ends(event):
    with person_with([square(200), square(200, 0.0)]) as person:
        person.matte(frame(None, 0, level=20))
        if event == "reset":
            person.reset()
        later = frame(
            None,
            1,
            level=200 if event == "cut" else 20,
            time={"gap": Fraction(2), "back": Fraction(-1)}.get(event),
        )
        assert person.matte(later).max() == 0


def test_the_matte_is_small_frozen_and_of_the_nets_size():
    with person_with([square(200)]) as person:
        matte = person.matte(frame(200))
        assert matte.shape == (144, 256)
        assert matte.dtype == np.uint8
        assert not matte.flags.writeable
        assert matte.max() == 255
    with person_with([np.full((256, 256), 0.5, np.float32)], model=0) as person:
        assert person.matte(frame(None, size=(360, 640))).shape == (256, 256)


def test_no_numbers_are_nobody():
    with person_with([np.full((144, 256), np.nan, np.float32)]) as person:
        assert person.matte(frame()).max() == 0


def test_a_change_of_size_starts_anew():
    with person_with([square(200)]) as person:
        person._nets[0] = FakeNet([np.zeros((256, 256), np.float32)])
        person.matte(frame(200))
        assert person.matte(frame(None, 1, size=(360, 640))).shape == (256, 256)


def test_mediapipe_finds_the_performer():
    with Person() as person, sources.open("performer", size=(640, 360)) as source:
        one = next(iter(source.frames()))
        matte = person.matte(one)
        face = one.truth[0].landmarks[:468, :2] * (256 / 640, 144 / 360)
    x, y = face.astype(int).T
    assert matte[y, x].mean() > 230
    assert matte[:, :20].mean() < 30
