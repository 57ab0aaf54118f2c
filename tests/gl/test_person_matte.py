"""The person matte brought up to the frame's size, on pictures whose edges are known."""

import numpy as np
import pytest

from kfx import presets
from kfx.engine.look.chain import Chain
from kfx.render.gpu import Gpu
from kfx.render.person_matte import PersonMatte
from kfx.types import Tick, freeze
from tests.faces import face_at, frame_of, picture

SIZE = (640, 360)
SMALL = (256, 144)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def disc(size, x, y, radius):
    """(h, w) 0..1, anti-aliased; all in shares of the width."""
    rows, columns = np.mgrid[: size[1], : size[0]] + 0.5
    away = np.hypot(columns - x * size[0], rows - y * size[0])
    return np.clip(radius * size[0] - away + 0.5, 0, 1).astype(np.float32)


def scene(noise=3.0):
    """A bright disc on a dark ground, and where it is."""
    person = disc(SIZE, 0.5, 0.28, 0.15)
    rgb = 60 + 130 * person[..., None] * np.float32([1, 0.8, 0.7])
    rgb = rgb + np.random.default_rng(3).normal(0, noise, rgb.shape)
    pixels = np.full((SIZE[1], SIZE[0], 4), 255, np.uint8)
    pixels[..., :3] = np.clip(rgb, 0, 255)
    return pixels, person


def drawn(gpu, pixels, matte, faces=()):
    """(h, w) 0..1, top row first."""
    texture = gpu.acquire(SIZE)
    gpu.upload(texture, pixels, np.empty_like(pixels))
    person = PersonMatte(gpu, SIZE)
    image = person.draw(matte, faces, texture)
    data = gpu.target(image).read(components=1)
    person.release()
    gpu.release(texture)
    return np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0])[::-1] / 255.0


def test_the_pictures_edge_wins_over_the_small_mattes(gpu):
    pixels, person = scene()
    # A pixel and a half too large, as coarse and as soft as a net's.
    small = (disc(SMALL, 0.5, 0.28, 0.15 + 1.5 / 256) * 255).astype(np.uint8)
    result = drawn(gpu, pixels, freeze(small))
    wrong = np.abs(result - person)
    enlarged = np.abs(disc(SIZE, 0.5, 0.28, 0.15 + 1.5 / 256) - person)
    assert wrong.mean() < 0.6 * enlarged.mean()
    assert (wrong[np.abs(np.gradient(person)[0]) == 0] < 0.5).mean() > 0.99


@pytest.mark.parametrize("value", [0, 255])
def test_one_value_stays_exact(gpu, value):
    matte = np.full((144, 256), value, np.uint8)
    assert (drawn(gpu, picture(*SIZE), matte) == value / 255).all()


def test_top_is_top(gpu):
    matte = np.zeros((144, 256), np.uint8)
    matte[:60] = 255
    result = drawn(gpu, picture(*SIZE), matte)
    assert (result[:100] == 1).all()
    assert (result[250:] == 0).all()


def test_a_flat_picture_keeps_the_matte(gpu):
    grey = np.full((SIZE[1], SIZE[0], 4), 128, np.uint8)
    small = (disc(SMALL, 0.5, 0.28, 0.15) * 255).astype(np.uint8)
    result = drawn(gpu, grey, small)
    assert np.abs(result - disc(SIZE, 0.5, 0.28, 0.15)).mean() < 0.01


def test_a_tracked_face_is_person_whatever_the_net_says(gpu):
    face = face_at(320, 160, 60)
    grey = np.full((SIZE[1], SIZE[0], 4), 128, np.uint8)
    for matte in (None, np.zeros((144, 256), np.uint8)):
        result = drawn(gpu, grey, matte, [face])
        x, y = face.landmarks[:468, :2].astype(int).T
        low, high = face.box[1], face.box[3]
        inner = np.abs(face.landmarks[:468, 1] - (low + high) / 2) < 0.3 * (high - low)
        middle = np.abs(face.landmarks[:468, 0] - 320) < 45
        assert (result[y[inner & middle], x[inner & middle]] > 0.98).all()
        assert (result[:, :200] == 0).all()
    faded = drawn(gpu, grey, None, [face_at(320, 160, 60, presence=0.5)])
    assert faded[170, 320] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("shape", [(256, 256), (45, 80), (33, 47)])
def test_any_small_size(gpu, shape):
    matte = np.zeros(shape, np.uint8)
    matte[shape[0] // 3 : -shape[0] // 3 or None, shape[1] // 3 : 2 * shape[1] // 3] = 255
    result = drawn(gpu, picture(*SIZE), matte)
    assert result[180, 320] == 1
    assert result[180, 20] == 0


def test_faces_without_sense_do_no_harm(gpu):
    wild = [face_at(-9000, 50, 40), face_at(100, 100, 1e5, slot=1), face_at(5, 5, 1e-3, slot=2)]
    assert np.isfinite(drawn(gpu, picture(*SIZE), None, wild)).all()


def test_a_shader_reads_the_matte_in_r_and_a(gpu, tmp_path):
    path = tmp_path / "cut_out.fs"
    path.write_text(
        '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"},'
        '{"NAME": "personMatte", "TYPE": "image"}]}*/\n'
        "void main() { vec4 m = IMG_THIS_PIXEL(personMatte);\n"
        "gl_FragColor = vec4(m.r, m.a, IMG_NORM_PIXEL(personMatte, vec2(0.5)).r, 1.0); }"
    )
    small = (disc(SMALL, 0.5, 0.28, 0.15) * 255).astype(np.uint8)
    frame = frame_of(scene()[0])
    with Chain(gpu, presets.load(str(path)), SIZE) as chain:
        assert chain.needs_person
        shown = chain.render(Tick(0, 0.0, 0.0, frame, matte=freeze(small))).copy()
        without = chain.render(Tick(1, 0.1, 0.1, frame)).copy()
    assert (shown[..., 0] == shown[..., 1]).all()
    assert shown[180, 320, 0] == 255
    assert shown[180, 10, 0] == 0
    assert (shown[..., 2] == 255).all()
    assert without[..., 0].max() == 0


def test_what_it_drew_before_leaves_nothing_behind(gpu):
    """Tiles that keep their value aren't drawn again; all others are."""
    pixels, _ = scene()
    texture = gpu.acquire(SIZE)
    gpu.upload(texture, pixels, np.empty_like(pixels))
    person = PersonMatte(gpu, SIZE)
    places = [
        (0.3, 0.2),
        (0.7, 0.35),
        (0.7, 0.35),
        (-1.0, 0.0),
        (-1.0, 0.0),
        (0.5, 0.3),
        (0.3, 0.2),
    ]
    mattes = [freeze((disc(SMALL, x, y, 0.12) * 255).astype(np.uint8)) for x, y in places]
    mattes += [freeze(np.full((144, 256), 255, np.uint8)), None]
    for matte in mattes:
        image = person.draw(matte, (), texture)
        data = gpu.target(image).read(components=1)
        again = np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0])[::-1] / 255.0
        assert (again == drawn(gpu, pixels, matte)).all()
    person.release()
    gpu.release(texture)
