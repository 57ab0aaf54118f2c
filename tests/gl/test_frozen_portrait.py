"""Held pictures as drawn: the still, the live mouth in it, faces set into a live frame."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kfx import effects
from kfx.canonical import INNER_LIPS
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.presets import Link, Preset
from kfx.render import facemesh
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of
from tests.unit.test_frozen_portrait import silent, speaking

SIZE = (320, 180)
QUIET = {"push": 0.0, "sway": 0.0, "blink": 0.0}
WHITE = 255


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def preset_of(name="frozen_portrait", **values):
    spec = effects.find(name)
    known = {knob: one.default for knob, one in spec.knobs.items()}
    return Preset("test", "", (Link(spec, {**known, **values}),))


def face_of(i, x=160.0, iod=60.0):
    return face_at(x, 60, iod, shape=silent() if i < 2 else speaking(0.25))


def plate(i, face=None):
    """Another picture every frame; the inside of the face's mouth is white."""
    import cv2

    pixels = np.array(picture(*SIZE, seed=1 + i))
    pixels[..., :3] = pixels[..., :3] // 2 + 5 * i
    if face is not None:
        lips = face.landmarks[list(INNER_LIPS), :2]
        cv2.fillPoly(pixels, [np.round(lips).astype(np.int32)], (WHITE, WHITE, WHITE, 255))
    return freeze(pixels)


def play(gpu, preset, frames=8, *, there=lambda i: True, face=face_of, beats=0.0):
    plates, pictures, shown = [], [], []
    with Chain(gpu, preset, SIZE) as chain:
        for i in range(frames):
            faces = [face(i)] if there(i) else []
            plates.append(plate(i, faces[0] if faces else None))
            tick = tick_of(frame_of(plates[-1], i), faces, 1 / 30 * bool(i))
            pictures.append(np.array(chain.render(replace(tick, beat=i * beats))))
            shown.append(chain.shown)
    return plates, pictures, shown


def test_the_world_stands_and_the_live_mouth_is_in_it(gpu):
    plates, pictures, shown = play(gpu, preset_of(**QUIET))
    assert np.abs(pictures[0].astype(int) - plates[0]).mean() < 1.5
    face = shown[-1][0]
    low, high = np.array(face.box[:2]) - 45, np.array(face.box[2:]) + 45
    outside = np.ones(SIZE[::-1], bool)
    outside[max(0, int(low[1])) : int(high[1]), max(0, int(low[0])) : int(high[0])] = False
    assert outside.any()
    for one in pictures:
        assert (one[outside] == plates[0][outside]).all()
    x, y = face.landmarks[[13, 14], :2].mean(axis=0).astype(int)
    assert pictures[-1][y, x, :3].min() > 180, "the mouth of the live frame isn't seen"
    assert pictures[0][y + 2, x, :3].max() < 180
    x, y = face.landmarks[4, :2].astype(int)
    assert np.abs(pictures[-1][y, x].astype(int) - plates[0][y, x]).max() <= 2, "the nose moved"


def test_a_face_set_in_leaves_the_frame_live(gpu):
    plates, pictures, shown = play(gpu, preset_of(mode="face", **QUIET), face=lambda i: face_of(0))
    face = shown[-1][0]
    box = facemesh.box_of(face.landmarks, 2.0, SIZE)
    outside = np.ones(SIZE[::-1], bool)
    outside[SIZE[1] - box[1] - box[3] : SIZE[1] - box[1], box[0] : box[0] + box[2]] = False
    assert (pictures[-1][outside] == plates[-1][outside]).all()
    x, y = face.landmarks[4, :2].astype(int)
    assert np.abs(pictures[-1][y, x].astype(int) - plates[0][y, x]).max() <= 2
    assert np.abs(pictures[-1][y, x].astype(int) - plates[-1][y, x]).max() > 10


def test_mix_dissolves_between_the_live_frame_and_the_still(gpu):
    plates, whole, _ = play(gpu, preset_of(**QUIET))
    _, half, _ = play(gpu, preset_of(mix=0.5, **QUIET))
    wish = (plates[-1].astype(float) + whole[-1]) / 2
    assert np.abs(half[-1] - wish).max() <= 1.5


def test_the_still_stays_when_the_performer_leaves_and_lets_go_on_the_beat(gpu):
    preset = preset_of(length=1.0, **QUIET)
    plates, pictures, _ = play(gpu, preset, 12, there=lambda i: i < 4, beats=0.1)
    assert (pictures[8][:, :30] == plates[0][:, :30]).all()
    assert (pictures[10] == plates[10]).all()
    assert (pictures[11] == plates[11]).all()


def test_before_there_is_a_face_the_picture_is_live_to_the_bit(gpu):
    plates, pictures, _ = play(gpu, preset_of(), there=lambda i: False)
    assert all((a == b).all() for a, b in zip(plates, pictures, strict=True))


def test_the_camera_moves_in_on_the_face(gpu):
    _, _, shown = play(gpu, preset_of(push=4.0, sway=0.0, blink=0.0), 16, face=lambda i: face_of(0))
    first, last = shown[0][0], shown[-1][0]
    assert last.iod == pytest.approx(first.iod * 1.02, rel=0.003)
    between = [one[0].landmarks[168] for one in shown]
    np.testing.assert_allclose(between[-1][:2], between[0][:2], atol=0.01)


def test_several_faces_sing_in_one_still_and_strangers_do_not(gpu):
    with Chain(gpu, preset_of(**QUIET), SIZE) as chain:
        for i in range(6):
            faces = [face_at(80 + 80 * n, 60, 20, slot=n, shape=silent()) for n in range(2)]
            faces += [face_at(280, 60, 20, slot=5)] if i > 2 else []
            chain.render(tick_of(frame_of(plate(i), i), faces, 1 / 30 * bool(i)))
        assert [face.slot for face in chain.shown] == [0, 1]


def test_wild_faces_do_no_harm(gpu):
    wild = [face_at(-400, 80, 40), face_at(310, 170, 90, yaw=70), face_at(160, 20, 400, roll=80)]
    wild += [face_at(100, 90, 1.5), face_at(160, 60, 60, roll=180)]
    for mode in ("full", "face"):
        for first in wild:
            some = [first, *wild]
            _, pictures, _ = play(gpu, preset_of(mode=mode), 6, face=some.__getitem__)
            assert pictures[-1].shape == (180, 320, 4)


def test_the_plan_says_how_much_is_drawn():
    whole, face = (compile_plan(preset_of(mode=mode)).steps[0].text for mode in ("full", "face"))
    assert "full frame" in whole
    assert "face boxes" in face


# time_freeze


def frozen(gpu, frames=12, mattes=None, beats=0.25, **values):
    plates, pictures = [], []
    knobs = {"drain": 0.0, "every": 0.0, "hold": 2.0, **values}
    with Chain(gpu, preset_of("time_freeze", **knobs), SIZE) as chain:
        for i in range(frames):
            plates.append(plate(i))
            tick = tick_of(frame_of(plates[-1], i), [], 1 / 30 * bool(i))
            matte = None if mattes is None else mattes(i)
            pictures.append(np.array(chain.render(replace(tick, beat=i * beats, matte=matte))))
    return plates, pictures


def body(i):
    """A body that stands on the left and crosses to the right from frame 4 on."""
    matte = np.zeros((90, 160), np.uint8)
    left = 20 if i < 4 else 100
    matte[20:, left : left + 30] = 255
    return matte


def test_the_world_stops_behind_the_body_and_goes_on_after_four_frames(gpu):
    plates, pictures = frozen(gpu, 14, body)
    for i in range(1, 8):
        assert (pictures[i][:20] == plates[0][:20]).all(), "the world goes on"
    assert (pictures[3][120:170, 60:80] == plates[3][120:170, 60:80]).all(), "the body stands"
    assert (pictures[7][120:170, 225:235] == plates[7][120:170, 225:235]).all()
    both = zip(pictures[8:13], plates[8:13], strict=True)
    away = [float(np.abs(shown[:20].astype(int) - live[:20]).mean()) for shown, live in both]
    assert all(a > b for a, b in pairwise(away))
    assert away[-1] == 0
    assert (pictures[13] == plates[13]).all()


def test_what_the_body_uncovers_freezes_as_it_appears(gpu):
    plates, pictures = frozen(gpu, 8, body)
    where = np.s_[120:170, 60:80]
    assert (pictures[7][where] == plates[4][where]).all(), "not the body that stood there"


def test_all_but_the_mouth_stops(gpu):
    preset = preset_of("time_freeze", frozen=2, drain=0.0, feather=0.05)
    plates, pictures, shown = play(gpu, preset, 6, face=lambda i: face_of(5))
    x, y = shown[-1][0].landmarks[14, :2].astype(int)
    assert (pictures[-1][y, x] == plates[-1][y, x]).all()
    assert (pictures[-1][:, :40] == plates[0][:, :40]).all()
