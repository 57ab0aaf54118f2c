"""Light on faces, layers over them, pictures that flow; and what time_freeze does to a picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from kfx import effects
from kfx.engine.look.chain import Chain
from kfx.presets import Link, Preset
from kfx.render.gpu import Gpu
from kfx.render.held import Held
from kfx.render.still import Scene, Still
from kfx.render.warp import Warp
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of
from tests.gl.test_render import read, upload

SIZE = (320, 180)
PIXELS = picture(*SIZE)
CHEEK = (205, 425)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def around(pixels, point, px=2):
    x, y = np.asarray(point[:2]).astype(int)
    return pixels[y - px : y + px + 1, x - px : x + px + 1, :3].astype(float)


def test_light_brightens_a_face_that_stays_where_it_is(gpu):
    face = face_at(150, 80, 40)
    light = np.ones(478, np.float32)
    light[:468] = 1.0 + 0.3 * np.exp(
        -np.linalg.norm(face.landmarks[:468, :2] - face.landmarks[205, :2], axis=1) / 12
    )
    canvas, plate = upload(gpu, PIXELS), upload(gpu, PIXELS)
    Warp(gpu, SIZE).draw(canvas, plate, [(face, face.landmarks)], {0: light})
    shown = read(gpu, canvas)
    lit = around(shown, face.landmarks[205]).mean() / around(PIXELS, face.landmarks[205]).mean()
    assert 1.1 < lit < 1.4
    assert (shown[:20] == PIXELS[:20]).all()


def test_a_layer_is_drawn_over_the_driven_face_as_far_as_it_covers(gpu):
    face = face_at(150, 80, 40)
    red = np.zeros_like(PIXELS)
    red[..., 0] = red[..., 3] = 255
    cover = np.zeros(478, np.float32)
    cover[:468] = face.landmarks[:468, 0] > 155
    held, canvas = Held(gpu, SIZE), upload(gpu, PIXELS)
    driven = face.landmarks + np.float32([0, 6, 0])
    held.lay_over(canvas, [(Still(freeze(red), face, cover=cover), face, driven)])
    shown = read(gpu, canvas)
    x, y = face.landmarks[425, :2]
    assert np.abs(around(shown, (x, y + 6)) - [255, 0, 0]).max() <= 2
    right = face.landmarks[205, :2]
    assert (around(shown, right) == around(PIXELS, right)).all()


def test_a_still_of_now_is_read_from_the_canvas(gpu):
    face = face_at(150, 80, 40)
    scene = Scene(False, {0: Still(PIXELS, face)}, {0: face})
    driven = face.landmarks + np.float32([3, 2, 0])
    shown = []
    for plate in (None, PIXELS):
        held, canvas, spare = Held(gpu, SIZE), upload(gpu, PIXELS), upload(gpu, PIXELS)
        assert held.draw(canvas, spare, scene, [(face, driven)], 1.0, plate=plate)
        shown.append(read(gpu, spare).copy())
    assert (shown[0] == shown[1]).all()
    assert (shown[0] != PIXELS).any()


def test_a_picture_on_its_way_lies_between_the_two(gpu):
    wide = picture(360, 180)
    one, half = freeze(wide[:, 20:340].copy()), wide[:, 16:336]
    flow = np.zeros((18, 32, 2), np.float32)
    flow[..., 0] = 4.0
    face = face_at(150, 80, 40)
    there = replace(face, landmarks=freeze(face.landmarks + np.float32([4, 0, 0])))
    scene = Scene(True, {0: Still(one, face)}, {0: there}, flow=flow)
    held, canvas, spare = Held(gpu, SIZE), upload(gpu, one), upload(gpu, one)
    held.draw(canvas, spare, scene, [(there, there.landmarks)], 1.0)
    shown = read(gpu, spare)[8:-8, 12:-8, :3].astype(int)
    assert np.abs(shown - half[8:-8, 12:-8, :3]).mean() < 1.5
    assert np.abs(shown - one[8:-8, 12:-8, :3]).mean() > 8.0
    moved = there.landmarks + np.float32([0, 3, 0])  # and other effects go on from there
    held.draw(canvas, spare, scene, [(there, moved)], 1.0)
    nose = moved[4, :2]
    assert np.abs(around(read(gpu, spare), nose) - around(half, nose - [0, 3])).mean() < 14.0


def preset_of(name, **values):
    spec = effects.find(name)
    known = {knob: one.default for knob, one in spec.knobs.items()}
    return Preset("test", "", (Link(spec, {**known, **values}),))


def handheld(n, size=(480, 270)):
    """A wall before a camera in somebody's hand, and a matte of a person in the middle."""
    noise = np.random.default_rng(3).integers(0, 255, (2 * size[1], 2 * size[0], 3))
    wall = cv2.normalize(cv2.GaussianBlur(noise.astype(np.uint8), (0, 0), 6), None, 0, 255, 32)
    matte = np.zeros((36, 64), np.uint8)
    matte[9:, 24:40] = 255
    for k in range(n):
        angle, scale = np.radians(1.2 * np.sin(k / 9)), 1.0 + 0.015 * np.sin(k / 13)
        turn = scale * np.float64([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.float64(size) / 2
        way = middle - turn @ (2 * middle) + [5 * np.sin(k / 5), 3 * np.cos(k / 4)]
        seen = cv2.warpAffine(wall, np.column_stack([turn, way]), size)
        pixels = np.dstack([seen, np.full(size[::-1], 255, np.uint8)])
        tick = tick_of(frame_of(freeze(pixels), k), (), (k > 0) / 30)
        yield replace(tick, matte=freeze(matte))


def test_a_frozen_world_follows_the_camera_where_it_is_stabilised(gpu):
    off = {}
    for on in (False, True):
        knobs = {"stabilise": on, "drain": 0.0, "every": 0.0, "hold": 0.0}
        with Chain(gpu, preset_of("time_freeze", **knobs), (480, 270)) as chain:
            found = []
            for tick in handheld(24):
                shown = chain.render(tick)
                beside = np.abs(
                    shown[40:-40, 40:150, :3].astype(int) - tick.frame.pixels[40:-40, 40:150, :3]
                )
                found.append(beside.mean())
        off[on] = np.mean(found[4:])
    assert off[False] > 8.0, "the still stands, the wall moves"
    assert off[True] < 0.2 * off[False]


def test_time_goes_on_with_a_flash_if_one_is_asked_for(gpu):
    dark = freeze(np.full((90, 160, 4), 40, np.uint8))
    levels = {}
    for flash in (0.0, 1.0):
        knobs = {"every": 0.0, "hold": 1.0, "flash": flash}
        with Chain(gpu, preset_of("time_freeze", **knobs), (160, 90)) as chain:
            levels[flash] = [
                float(chain.render(tick_of(frame_of(dark, k), (), (k > 0) / 30))[..., :3].mean())
                for k in range(24)
            ]
    assert max(levels[0.0]) < 45
    assert levels[1.0][15] > 150, "on the frame on which time goes on"
    assert max(levels[1.0][:15]) < 45
    assert levels[1.0][22] < 60


def test_hair_lives_on_while_all_else_stands(gpu):
    face = face_at(160, 100, 36)
    matte = np.zeros((180, 320), np.uint8)
    matte[20:, 100:220] = 255
    with Chain(gpu, preset_of("time_freeze", frozen=8, drain=0.0, hold=0.0), SIZE) as chain:
        for k, level in enumerate((60, 60, 160)):
            pixels = freeze(np.full((180, 320, 4), level, np.uint8))
            tick = tick_of(frame_of(pixels, k), [face], (k > 0) / 30)
            shown = chain.render(replace(tick, matte=freeze(matte)))
    x, top = int(face.landmarks[10, 0]), int(face.landmarks[10, 1])
    assert shown[top - 14, x, 0] > 130, "hair above the forehead"
    assert shown[int(face.landmarks[4, 1]), int(face.landmarks[4, 0]), 0] < 80, "the face"
    assert shown[90, 20, 0] < 70, "the world"
