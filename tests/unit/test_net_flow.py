"""Optical flow for nets: crops as flow sees them, and one flow after another."""

import cv2
import numpy as np
import pytest

from kfx.neural import flow
from kfx.neural.aligned import whole
from tests.faces import picture


def moved(grey, x, y):
    """The picture moved by whole pixels, its edges drawn on."""
    shift = np.float32([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(grey, shift, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture
def grey():
    return cv2.GaussianBlur(flow.grey(picture(320, 180)), (0, 0), 1.5)


def test_one_flow_after_another_is_the_flow_of_both(grey):
    """From now to a newer result, and from that to an older one."""
    motion, middle = flow.Motion(), (slice(40, 140), slice(60, 260))
    newer, older = moved(grey, 3, 1), moved(grey, 7, -2)
    first, then = motion.between(grey, newer), motion.between(newer, older)
    both = motion.onwards(first, then)[middle]
    px = both[..., :2].reshape(-1, 2).mean(axis=0) * (320, 180)
    assert np.abs(px - (7, -2)).max() < 0.35
    assert both[..., 2].mean() > 0.9


def test_what_is_not_sure_at_first_is_not_sure_afterwards(grey):
    motion = flow.Motion()
    first, then = (motion.between(grey, grey) for _ in range(2))
    first[..., 2] = 0.5
    then[:, :160, 2] = 0.0
    sure = motion.onwards(first, then)[..., 2]
    assert np.abs(sure[:, :150]).max() == 0.0
    assert np.abs(sure[:, 170:] - 0.5).max() < 0.01


@pytest.mark.parametrize("size", [(320, 180), (160, 90), (640, 360)])
def test_a_crop_is_the_picture_at_another_size(size):
    pixels = picture(320, 180)
    found = flow.cut(pixels, whole((320, 180), size), size)
    wanted = cv2.resize(flow.grey(pixels), size, interpolation=cv2.INTER_AREA)
    if size[0] > 320:
        wanted = cv2.resize(flow.grey(pixels), size, interpolation=cv2.INTER_LINEAR)
    inside = (slice(3, -3), slice(3, -3))
    assert np.abs(found[inside].astype(int) - wanted[inside]).mean() < 1.0


def test_a_crop_may_lie_outside_of_the_picture():
    pixels = picture(64, 48)
    to_crop = np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 500.0]])
    assert flow.cut(pixels, to_crop, (32, 32)).shape == (32, 32)
