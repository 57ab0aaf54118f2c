"""Where another shot begins."""

import numpy as np
import pytest

from kfx.cuts import WAIT, Cuts
from kfx.neural.session import sample_picture

ONE, OTHER = (sample_picture((320, 180), seed) for seed in (1, 2))


def lit(picture, gain, lift=0.0):
    return np.clip(picture * gain + lift, 0, 255).astype(np.uint8)


def cuts_in(frames):
    cuts = Cuts()
    return [i for i, frame in enumerate(frames) if cuts.at(frame)]


def test_another_shot_is_a_cut_at_its_first_frame():
    assert cuts_in([ONE, ONE, OTHER, OTHER, ONE]) == [2, 4]


@pytest.mark.parametrize(
    "between",
    [
        [lit(ONE, 0.2), lit(ONE, 0.05), lit(ONE, 0.4)],  # a fade
        [lit(ONE, 1.8, 60), lit(ONE, 1.0), lit(ONE, 2.5, 90)],  # flashes that clip
        [lit(ONE, 0.0), lit(ONE, 0.0, 255)],  # black, white
        [np.roll(ONE, 4 * i, axis=1) for i in (1, 2, 1)],  # a pan
        [lit(OTHER, 1.0, 70)] * WAIT,  # for a moment anything
    ],
)
def test_light_and_motion_are_none(between):
    assert cuts_in([ONE, ONE, *between, ONE, ONE]) == []


def test_a_cut_through_black_and_one_to_a_brighter_shot():
    assert cuts_in([ONE, lit(ONE, 0.0), OTHER, OTHER]) == [2]
    assert cuts_in([lit(ONE, 0.4), *[lit(OTHER, 1.2)] * 8]) == [1 + WAIT]
