"""What is drawn over a picture in place is what is drawn from a copy of it."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.render import facemesh, isf_glsl
from kfx.render.gpu import Gpu
from kfx.render.isf import load
from kfx.render.isf_glsl import FETCH
from kfx.render.isf_program import Program, automatic_values
from kfx.render.warp import Warp
from tests.faces import face_at, frame_of, picture, smiling, tick_of
from tests.isf_files import write

SIZE = (192, 108)
PIXELS = picture(*SIZE)
OTHER = np.ascontiguousarray(255 - PIXELS[:, ::-1])


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def fetching(gpu):
    if not (gpu.software and FETCH in gpu.ctx.extensions):
        pytest.skip(f"this driver isn't asked to draw in place: {gpu.renderer}")
    return gpu


def texture(gpu, pixels):
    made = gpu.acquire((pixels.shape[1], pixels.shape[0]))
    gpu.upload(made, pixels, np.empty_like(pixels))
    return made


def read(gpu, made):
    data = np.frombuffer(gpu.target(made).read(components=4), np.uint8)
    return data.reshape(made.size[1], made.size[0], 4)[::-1]


def both(gpu, shader, frames=2, **given):
    """The last picture drawn in place and the last one drawn from a copy, and the programs."""
    knobs = {name: knob.default for name, knob in shader.knobs.items()}
    values = {**knobs, "kfx_seed": 0.0, "kfx_mix": 1.0, **given}
    shown, programs = [], []
    for in_place in (True, False):
        program = Program(gpu, shader, SIZE, values, in_place=in_place)
        for i in range(frames):
            plate, target = texture(gpu, PIXELS), texture(gpu, OTHER)
            now = values | automatic_values(i, i / 30, 1 / 30)
            if program.draws_over(now):
                target = plate
            program.draw(target, {"inputImage": plate}, now)
        shown.append(read(gpu, target).astype(int))
        programs.append(program)
    return *shown, programs


@pytest.mark.parametrize("mix", [1.0, 0.4])
@pytest.mark.parametrize("name", ["film", "flash", "lut_grade"])
def test_looks_are_the_same_in_place(fetching, name, mix):
    here, apart, (over, beside) = both(
        fetching, effects.find(name).source, kfx_mix=mix, beat=0.2, bar=0.1
    )
    assert over.draws_over({"kfx_mix": mix})
    assert not beside.draws_over({"kfx_mix": mix})
    assert np.abs(here - apart).max() <= 1
    assert np.abs(here - PIXELS).max() > 8, "it shows"


@pytest.mark.parametrize(
    "change",
    [
        "c",
        "vec4(1.0 - c.r, c.gba)",
        "vec4(c.r, 1.0 - c.gb, c.a)",
        "vec4(1.0 - c.rgb, c.a)",
        "vec4(c.rgb, 0.5 * c.a)",
    ],
)
def test_what_a_shader_leaves_as_it_was_stays(fetching, tmp_path, change):
    body = f"void main() {{ vec4 c = IMG_THIS_PIXEL(inputImage); gl_FragColor = {change}; }}"
    here, apart, (over, _) = both(fetching, load(write(tmp_path, body)))
    assert over.draws_over({})
    assert np.abs(here - apart).max() <= 1


def test_a_target_that_is_not_the_picture_is_given_it_first(fetching):
    shader = effects.find("flash").source
    values = {name: knob.default for name, knob in shader.knobs.items()}
    values |= {"kfx_seed": 0.0, "kfx_mix": 0.5, "beat": 0.0, **automatic_values(0, 0.0, 0.0)}
    plate, target = texture(fetching, PIXELS), texture(fetching, OTHER)
    Program(fetching, shader, SIZE, values, in_place=True).draw(
        target, {"inputImage": plate}, values
    )
    beside = texture(fetching, OTHER)
    Program(fetching, shader, SIZE, values).draw(beside, {"inputImage": plate}, values)
    assert (read(fetching, target) == read(fetching, beside)).all()


def test_a_generator_lies_over_what_is_there(fetching, tmp_path):
    body = "void main() { gl_FragColor = vec4(isf_FragNormCoord, 1.0, 0.5); }"
    here, apart, (over, _) = both(fetching, load(write(tmp_path, body, plate=False)))
    assert over.draws_over({})
    assert np.abs(here - apart).max() <= 1


@pytest.mark.parametrize(
    "body",
    [
        "IMG_NORM_PIXEL(inputImage, 1.0 - isf_FragNormCoord)",
        "IMG_THIS_PIXEL(inputImage) - IMG_PIXEL(inputImage, gl_FragCoord.xy + 2.0)",
        "texelFetch(inputImage, ivec2(3, 4), 0)",
    ],
)
def test_what_reads_elsewhere_draws_elsewhere(gpu, tmp_path, body):
    shader = load(write(tmp_path, f"void main() {{ gl_FragColor = {body}; }}"))
    here, apart, (over, _) = both(gpu, shader)
    assert not over.draws_over({})
    assert (here == apart).all()


def test_a_transition_reads_its_picture_by_other_names(gpu, tmp_path):
    inputs = [{"NAME": name, "TYPE": "image"} for name in ("startImage", "endImage")]
    inputs.append({"NAME": "progress", "TYPE": "float", "DEFAULT": 0.5})
    body = "void main() { gl_FragColor = IMG_NORM_PIXEL(startImage, 1.0 - isf_FragNormCoord); }"
    here, apart, (over, _) = both(gpu, load(write(tmp_path, body, *inputs, plate=False)))
    assert not over.draws_over({})
    assert (here == apart).all()


def test_only_a_box_is_copied(gpu):
    source, target = texture(gpu, PIXELS), texture(gpu, OTHER)
    gpu.copy(source, target, (20, 10, 50, 40))
    expected = OTHER[::-1].copy()
    expected[10:50, 20:70] = PIXELS[::-1][10:50, 20:70]
    assert (read(gpu, target)[::-1] == expected).all()
    gpu.copy(source, target)
    assert (read(gpu, target) == PIXELS).all()


def test_the_warp_keeps_what_it_reads_itself(gpu):
    faces = [face_at(70, 50, 24), face_at(104, 56, 30, slot=1)]  # one before the other
    moved = [(one, one.landmarks + np.float32([5, -4, 0])) for one in faces]
    shown = []
    for plate in (PIXELS, OTHER):
        canvas = texture(gpu, PIXELS)
        assert len(Warp(gpu, SIZE).draw(canvas, texture(gpu, plate), moved)) == 2
        shown.append(read(gpu, canvas))
    assert (shown[0] == shown[1]).all()
    assert (shown[0] != PIXELS).any()


def test_a_warp_that_fails_leaves_the_picture(gpu, monkeypatch):
    face = face_at(96, 50, 30)
    canvas, warp = texture(gpu, PIXELS), Warp(gpu, SIZE)
    drawn = Warp._draw_face

    def fails(self, *given):
        drawn(self, *given)
        raise RuntimeError("lost")

    monkeypatch.setattr(Warp, "_draw_face", fails)
    with pytest.raises(RuntimeError, match="lost"):
        warp.draw(canvas, texture(gpu, OTHER), [(face, face.landmarks + np.float32([6, 0, 0]))])
    assert (read(gpu, canvas) == PIXELS).all()


@pytest.mark.parametrize("name", ["iris_nova", "power_veins", "wireframe", "eye_glow"])
@pytest.mark.parametrize("iod", [60, 110])
def test_looks_read_no_further_than_they_say(gpu, monkeypatch, name, iod):
    """With a part of the plate kept they draw what they draw with all of it."""
    monkeypatch.setattr(isf_glsl, "FETCH", "none")  # as on a driver that can't draw in place
    face = face_at(96, 50, iod=iod, shape=smiling(0.5))
    limits = []
    told = Program.reads_of

    def noted(self, boxes, values):
        limits.append(told(self, boxes, values))
        return limits[-1]

    def shown(reads_of):
        monkeypatch.setattr(Program, "reads_of", reads_of)
        with Chain(gpu, presets.alone(effects.find(name)), SIZE) as chain:
            chain._spare.write(OTHER)
            return np.array(chain.render(tick_of(frame_of(PIXELS), [face], 0.0)))

    part, whole = shown(noted), shown(lambda *given: None)
    assert limits[0], "it says how far it reads"
    assert (part == whole).all()
    assert (part != PIXELS).any()


CAST = [face_at(60, 50, 30), face_at(104, 56, 38, slot=1), face_at(150, 48, 26, slot=2)]
FACE_LOOKS = ["chrome_skin", "decal_uv", "eye_glow", "hologram", "iridescent", "nebula_skin"]


@pytest.mark.parametrize("name", [*FACE_LOOKS, "power_veins", "wireframe"])
def test_faces_that_overlap_are_the_same_in_place(fetching, monkeypatch, name):
    """Their boxes do as well: what was drawn over twice would be changed twice."""
    tick = replace(tick_of(frame_of(PIXELS), CAST, 0.0), beat=4.5)
    shown = []
    for there in (True, False):
        if not there:
            monkeypatch.setattr(isf_glsl, "FETCH", "none")
        with Chain(fetching, presets.alone(effects.find(name)), SIZE) as chain:
            shown.append(np.array(chain.render(tick)).astype(int))
            program, values = next(iter(chain.programs.values())), {"kfx_mix": 1.0}
            assert program.draws_over(values) == there
    assert np.abs(shown[0] - shown[1]).max() <= 1
    assert np.abs(shown[0] - PIXELS).max() > 8, "it shows"


def test_boxes_apart_cover_the_same_and_nothing_twice():
    random = np.random.default_rng(4)
    for _ in range(50):
        boxes = [(*map(int, random.integers(0, 60, 2)), *map(int, random.integers(1, 40, 2)))
                 for _ in range(5)]  # fmt: skip
        asked, drawn = np.zeros((100, 100), int), np.zeros((100, 100), int)
        for some, grid in ((boxes, asked), (facemesh.apart(boxes), drawn)):
            for x, y, width, height in some:
                grid[y : y + height, x : x + width] += 1
        assert (drawn == (asked > 0)).all()


def test_a_box_of_a_face_holds_so_much_round_its_eyes():
    face, size = face_at(200, 150, 40), (400, 300)
    plain = facemesh.region_boxes(face, "face", 0.1, size)[0]
    (box,) = facemesh.region_boxes(face, "face", 0.1, size, 1.0)
    assert facemesh.region_boxes(face, "face", 0.1, size, 0.1) == [plain]
    for eye in facemesh.region_boxes(face, "eyes", 1.0, size):
        assert facemesh.union([box, eye]) == box
    assert box[2] > plain[2]
    assert box[1] == plain[1], "and no more below"
