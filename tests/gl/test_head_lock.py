"""head_lock nails a face to its place; captcha_grid deals, ticks, and keeps its stills."""

import numpy as np
import pytest

from kfx import effects
from kfx.engine.look.chain import Chain
from kfx.presets import Link, Preset
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of

SIZE = (640, 360)
EYE_CORNERS = (33, 263)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def preset_of(name, **values):
    spec = effects.find(name)
    known = {knob: one.default for knob, one in spec.knobs.items()}
    return Preset("test", "", (Link(spec, {**known, **values}),))


def dotted(face):
    """A grey picture with a white dot on the outer corners of the eyes."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    pixels = np.full((SIZE[1], SIZE[0], 4), 40, np.uint8)
    for i in EYE_CORNERS:
        px, py = face.landmarks[i, :2]
        light = np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
        pixels[..., :3] = np.maximum(pixels[..., :3], (255 * light).astype(np.uint8)[..., None])
    pixels[..., 3] = 255
    return freeze(pixels)


def dots(pixels):
    """Where the two dots are shown, from left to right."""
    light = np.maximum(pixels[..., 0].astype(float) - 90, 0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    middle = (light * x).sum() / light.sum()
    found = []
    for side in (x < middle, x >= middle):
        total = (light * side).sum()
        found.append(((light * side * x).sum() / total, (light * side * y).sum() / total))
    return np.array(found)


def shaken(n):
    """A head that sways, leans and comes closer."""
    return [
        face_at(300 + 40 * np.sin(i / 4), 150 + 15 * np.cos(i / 3), 60 + i, roll=12 * np.sin(i / 5))
        for i in range(n)
    ]


def play(gpu, preset, faces):
    pictures = []
    with Chain(gpu, preset, SIZE) as chain:
        for i, face in enumerate(faces):
            tick = tick_of(frame_of(dotted(face), i), [face], 0.0 if i == 0 else 1 / 30)
            pictures.append(np.array(chain.render(tick)))
    return pictures


def test_the_face_stands_still_where_the_head_sways(gpu):
    faces = shaken(24)
    free = np.array([dots(dotted(face)) for face in faces])
    held = np.array(
        [dots(p) for p in play(gpu, preset_of("head_lock", smooth=0.0, scale=1.0), faces)]
    )
    assert np.ptp(free[:, 0, 0]) > 50
    assert np.ptp(held, axis=0).max() < 2.0
    smooth = np.array([dots(p) for p in play(gpu, preset_of("head_lock", scale=1.0), faces)])
    assert np.ptp(smooth, axis=0).max() < 12.0, "it follows too late"
    upright = held[0, 1] - held[0, 0]
    assert abs(upright[1]) < 1.5, "the eyes aren't level"


def test_the_face_is_as_large_as_it_is_asked_to_be(gpu):
    knobs = dict(smooth=0.0, scale=1.0)
    small, large = (
        np.diff(dots(play(gpu, preset_of("head_lock", **knobs, size=size), shaken(3))[-1])[:, 0])
        for size in (0.3, 0.45)
    )
    assert large / small == pytest.approx(1.5, rel=0.02)


def test_no_knob_no_move(gpu):
    """With all locks open the picture is the plate, to a rounding."""
    faces = shaken(4)
    shown = play(gpu, preset_of("head_lock", position=0.0, rotation=0.0, scale=0.0), faces)
    for face, pixels in zip(faces, shown, strict=True):
        assert np.abs(pixels.astype(int) - dotted(face)).max() <= 2


def test_a_lost_face_is_let_go_softly(gpu):
    face = shaken(1)[0]
    plate = dotted(face)
    where = []
    with Chain(gpu, preset_of("head_lock"), SIZE) as chain:
        for i in range(60):
            tick = tick_of(frame_of(plate, i), [face] if i < 10 else [], 1 / 30 * bool(i))
            where.append(dots(np.array(chain.render(tick)))[0])
    steps = np.linalg.norm(np.diff(where, axis=0), axis=1)
    assert steps[9:].max() < 20.0, "it jumps back"
    assert np.linalg.norm(where[-1] - dots(plate)[0]) < 2.0, "it never comes back"


def accents(pixels):
    """Pixels in the colour of the ticks."""
    r, g, b = (pixels[..., i].astype(int) for i in range(3))
    return int(((abs(r - 201) < 12) & (abs(g - 255) < 12) & (abs(b - 61) < 12)).sum())


def deal(gpu, frames, pictures=None, **knobs):
    shown = []
    with Chain(gpu, preset_of("captcha_grid", **knobs), SIZE) as chain:
        for i in range(frames):
            pixels = picture(*SIZE, seed=1 if pictures is None else pictures(i))
            face = face_at(320, 140, 70)
            tick = tick_of(frame_of(pixels, i), [face], 0.0 if i == 0 else 1 / 30)
            shown.append(np.array(chain.render(tick)))
    return shown


def test_ticks_fall_on_the_beat(gpu):
    """Half a beat is 7.5 frames; nothing but ticks has the accent while lamps stand still."""
    shown = deal(gpu, 40, treated=1.0, tick=1.0, truth=1.0)
    size = [accents(p) for p in shown]
    assert size[14] < size[24] < size[39]
    assert size[20] > size[14] + 300, "no tick with its frame after the first beat"
    none = [accents(p) for p in deal(gpu, 40, treated=0.0, truth=1.0)]
    assert none[14] < size[24], "live tiles are ticked as well"


def test_the_tiles_are_dealt_anew_on_the_bar(gpu):
    shown = deal(gpu, 80)
    grid = (slice(95, 270), slice(215, 425))
    within = np.abs(shown[55][grid].astype(int) - shown[45][grid]).mean()
    across = np.abs(shown[79][grid].astype(int) - shown[55][grid]).mean()
    assert across > 2 * within


def test_a_frozen_tile_keeps_its_moment(gpu):
    """The plate goes black after a second: what is frozen goes on being seen."""

    def last(lit, **knobs):
        with Chain(gpu, preset_of("captcha_grid", tick=4.0, **knobs), SIZE) as chain:
            for i in range(50):
                pixels = np.array(picture(*SIZE))
                pixels[..., :3] = pixels[..., :3] if i < lit else 0
                tick = tick_of(frame_of(freeze(pixels), i), [face_at(320, 140, 70)], bool(i) / 30)
                shown = np.array(chain.render(tick))
        return shown[95:270, 215:425, :3].astype(int)

    # Cursor and print are there whatever the plate shows, and fall out of the difference.
    assert np.abs(last(30, treated=1.0) - last(0, treated=1.0)).max() > 60
    assert np.abs(last(30, treated=0.0) - last(0, treated=0.0)).max() < 10


@pytest.mark.parametrize("place", ["full", "pip right", "pip left"])
@pytest.mark.parametrize("n", [2, 4])
def test_the_card_stands_where_it_is_asked_to(gpu, place, n):
    spec = effects.find("captcha_grid")
    shown = deal(gpu, 2, place=spec.knobs["place"].check(place), n=n)[-1]
    paper = (shown[..., :3] > 220).all(axis=2)
    columns = np.flatnonzero(paper.mean(axis=0) > 0.1)
    middle = (columns.min() + columns.max()) / 2 / SIZE[0]
    low, high = {"full": (0.48, 0.52), "pip right": (0.7, 0.95), "pip left": (0.05, 0.3)}[place]
    assert low < middle < high
