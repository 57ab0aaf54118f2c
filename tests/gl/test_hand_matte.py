"""A hand before a face hides what is drawn on the face there, and only there."""

import numpy as np
import pytest

from kfx import presets
from kfx.engine.look.chain import Chain
from kfx.render.gpu import Gpu
from kfx.render.hand_matte import HandMatte, silhouettes
from kfx.types import Tick, freeze
from tests.faces import face_at, frame_of

SIZE = (640, 360)
LOOK = (
    '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}, {"NAME": "faceUV", "TYPE": "image"},'
    '{"NAME": "faceParts", "TYPE": "image"}]}*/\nvoid main() {'
    " gl_FragColor = vec4(IMG_THIS_PIXEL(faceUV).a, IMG_THIS_PIXEL(faceParts).r, 0.0, 1.0); }"
)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def hand_at(x, y, palm=60.0):
    """An open hand pointing up: its wrist at (x, y), its middle finger's tip 2 palms above."""
    points = [(0.0, 0.0)]
    for root, spread in ((-0.5, -0.9), (-0.3, -0.4), (0.0, 0.0), (0.25, 0.3), (0.45, 0.6)):
        points += [(root + (spread - root) * k / 3, -1.0 - 0.33 * k) for k in range(4)]
    return freeze(np.float32(points) * np.float32(palm) + np.float32([x, y]))


def picture(hands=()):
    """A face's tone, with the hands in another, so that edges are there."""
    pixels = np.full((SIZE[1], SIZE[0], 4), 255, np.uint8)
    pixels[..., :3] = (190, 150, 130)
    for hand in hands:
        small = silhouettes([hand], SIZE)
        rows = np.arange(SIZE[1]) * small.shape[0] // SIZE[1]
        columns = np.arange(SIZE[0]) * small.shape[1] // SIZE[0]
        where = small[np.ix_(rows, columns)]
        pixels[where > 127, :3] = (120, 90, 80)
    return freeze(pixels)


def play(gpu, tmp_path, hands, *, asked=True):
    path = tmp_path / "look.fs"
    path.write_text(LOOK)
    face = face_at(320, 150, 80)
    tick = Tick(0, 0.0, 0.0, frame_of(picture(hands)), (face,), hands=tuple(hands))
    with Chain(gpu, presets.load(str(path)), SIZE, hands=asked) as chain:
        assert chain.needs_hands == asked
        return chain.render(tick).astype(int)


def test_the_face_is_hidden_under_the_hand_only(gpu, tmp_path):
    hand = hand_at(320, 260)
    bare, covered = play(gpu, tmp_path, []), play(gpu, tmp_path, [hand])
    x, y = hand[10].astype(int)  # on the middle finger, over the face
    assert bare[y, x, 0] == 255
    assert covered[y, x, :2].max() < 20
    far = np.s_[90:130, 240:270]
    assert (covered[far] == bare[far]).all()
    changed = (covered != bare).any(axis=2)
    assert 0.05 < changed.sum() / (bare[..., 0] > 0).sum() < 0.6


@pytest.mark.parametrize("case", ["beside", "not asked", "tiny", "wild"])
def test_a_clean_face_is_never_touched(gpu, tmp_path, case):
    hand = {
        "beside": hand_at(60, 340, 40),
        "not asked": hand_at(320, 260),
        "tiny": hand_at(320, 200, 0.5),
        "wild": freeze(np.full((21, 2), 1e8, np.float32)),
    }[case]
    bare = play(gpu, tmp_path, [], asked=False)
    shown = play(gpu, tmp_path, [hand], asked=case != "not asked")
    assert (shown == bare).all()


def test_no_hand_costs_no_drawing(gpu):
    matte = HandMatte(gpu, SIZE)
    texture = gpu.acquire(SIZE)
    assert matte.draw([hand_at(20, 340, 20)], [face_at(320, 150, 80)], texture).size == (1, 1)
    assert matte.draw([hand_at(320, 260)], [face_at(320, 150, 80)], texture).size == SIZE
    assert matte.draw([], [face_at(320, 150, 80)], texture).size == (1, 1)
    matte.release()
    gpu.release(texture)
