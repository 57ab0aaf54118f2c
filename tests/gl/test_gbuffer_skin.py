"""A G-buffer that goes on over skin: where it does, where hair or a collar ends it, who asks."""

import cv2
import numpy as np
import pytest

from kfx import canonical as c
from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.errors import KfxError
from kfx.render import facemesh, gbuffer, isf
from kfx.render.gbuffer import NAMES, GBuffer
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, frame_of, tick_of

SIZE = (480, 480)
WHOLE = (0, 0, *SIZE)
FACE = face_at(240, 230, 100)
SKIN, SHADE, HAIR, BLUE = (205, 150, 122), (150, 104, 84), (60, 42, 34), (60, 110, 190)
TOP = FACE.landmarks[10, :2].astype(int)  # of the oval


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def painted(behind, skin=SKIN):
    """A face of one colour before another, and a forehead, ears and throat of its own."""
    pixels = np.full((SIZE[1], SIZE[0], 4), 255, np.uint8)
    pixels[..., :3] = behind
    oval = FACE.landmarks[list(c.OVAL), :2].astype(np.int32)
    cv2.fillPoly(pixels, [oval], (*skin, 255))
    return pixels


def covered(gpu, pixels, *, edge="skin", face=FACE, names=("faceUV", "faceNormal", "faceParts")):
    plate = gpu.acquire(SIZE)
    gpu.upload(plate, freeze(pixels.copy()), np.empty((SIZE[1], SIZE[0], 4), np.uint8))
    buffer = GBuffer(gpu, SIZE, names, edge=edge)
    images = buffer.draw([face], WHOLE, picture=plate)
    read = {}
    for name in names:
        texture = images[name]
        kind = np.uint8 if texture.dtype == "f1" else np.float32
        data = gpu.target(texture).read(components=4, dtype=texture.dtype)
        read[name] = np.frombuffer(data, kind).reshape(SIZE[1], SIZE[0], 4)[::-1]
    buffer.release()
    gpu.release(plate)
    return read


def test_it_goes_on_over_skin_and_the_mesh_is_still_known(gpu):
    read = covered(gpu, painted(SKIN))
    x, y = TOP
    assert read["faceUV"][y - 25, x, 3] > 0.9  # a quarter of an iod above the oval
    assert read["faceNormal"][y - 25, x, 3] == 0.0
    assert read["faceUV"][y - 25, x, 1] > 1.0  # v goes on upwards
    assert read["faceParts"][y - 25, x, 0] == 255
    assert (read["faceUV"][: y - 60, x, 3] == 0.0).all()
    mesh = covered(gpu, painted(SKIN), edge="mesh")
    np.testing.assert_allclose(read["faceNormal"][..., 3], mesh["faceNormal"][..., 3], atol=1e-6)


@pytest.mark.parametrize("face", [FACE, face_at(240, 230, 100, yaw=35)])
def test_well_inside_no_look_at_the_picture_is_needed(gpu, monkeypatch, face):
    read = covered(gpu, painted(HAIR), face=face)
    monkeypatch.setattr(gbuffer, "WHOLE", 2.0)  # every triangle looks at it
    slowly = covered(gpu, painted(HAIR), face=face)
    for name in ("faceUV", "faceNormal"):
        np.testing.assert_allclose(read[name], slowly[name], atol=0.003)
    open_parts = read["faceParts"][..., 2:].max(axis=2) > 0
    np.testing.assert_array_equal(read["faceParts"][~open_parts], slowly["faceParts"][~open_parts])
    assert (read["faceUV"][..., 3] > 0.99).sum() > 5000


def test_nothing_is_missing_under_lips_and_eyes(gpu, monkeypatch):
    read = covered(gpu, painted(SKIN), edge="mesh")
    assert facemesh.bare().sum() < len(facemesh.skin_triangles()) - 100
    monkeypatch.setattr(facemesh, "bare", lambda: np.ones(len(facemesh.skin_triangles()), bool))
    whole = covered(gpu, painted(SKIN), edge="mesh")
    for name, image in read.items():
        np.testing.assert_array_equal(image, whole[name])


@pytest.mark.parametrize("behind", [HAIR, BLUE, (250, 250, 250), (20, 20, 22)])
def test_hair_and_what_is_behind_end_it(gpu, behind):
    beyond = covered(gpu, painted(behind))["faceUV"][..., 3]
    oval = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillPoly(oval, [FACE.landmarks[list(c.OVAL), :2].astype(np.int32)], 1)
    outside = cv2.dilate(oval, np.ones((7, 7), np.uint8)) == 0
    assert beyond[outside].max() < 0.05
    assert beyond[~outside].max() > 0.99


def test_skin_that_hair_parts_from_the_face_is_not_reached(gpu):
    pixels = painted(SKIN)
    x, y = TOP
    joined = covered(gpu, pixels)["faceUV"][..., 3]
    cv2.rectangle(pixels, (0, y - 24), (SIZE[0], y - 2), (*HAIR, 255), -1)  # a fringe
    parted = covered(gpu, pixels)["faceUV"][..., 3]
    assert joined[y - 34, x] > 0.7
    assert parted[y - 34, x] < 0.5 * joined[y - 34, x]


def test_an_ear_in_the_shade_of_a_face_lit_from_one_side_is_skin(gpu):
    pixels = painted(SHADE)
    ramp = np.linspace(0.0, 1.0, 160)[None, :, None]
    part = pixels[:, 160:320, :3]
    part[:] = (np.array(SHADE) * (1 - ramp) + np.array(SKIN) * ramp).astype(np.uint8)
    left = FACE.landmarks[234, :2].astype(int)
    assert covered(gpu, pixels)["faceUV"][left[1], left[0] - 15, 3] > 0.6


def test_two_edges_in_one_chain_each_have_their_own(gpu, tmp_path):
    inputs = '[{"NAME": "inputImage", "TYPE": "image"}, {"NAME": "faceUV", "TYPE": "image"}]'
    for name, edge, channel in (("own", "mesh", "r"), ("beyond", "skin", "b")):
        own = f'{{"region": "face", "margin_iod": 0.5, "edge": "{edge}"}}'
        (tmp_path / f"{name}.fs").write_text(
            f'/*{{"ISFVSN": "2", "INPUTS": {inputs}, "KFX": {own}}}*/\n'
            "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage);\n"
            f"  gl_FragColor.{channel} = IMG_THIS_PIXEL(faceUV).a; }}\n"
        )
    text = 'version = 1\n[[chain]]\neffect = "own.fs"\n[[chain]]\neffect = "beyond.fs"\n'
    (tmp_path / "both.toml").write_text(text)
    preset = presets.load(str(tmp_path / "both.toml"))
    assert len(compile_plan(preset).steps) == 2
    pixels = painted(SKIN)
    with Chain(gpu, preset, SIZE) as chain:
        picture = chain.render(tick_of(frame_of(freeze(pixels.copy())), (FACE,), 0.0))
    x, y = TOP
    assert picture[y - 20, x, 0] == 0
    assert picture[y - 20, x, 2] > 230


@pytest.mark.parametrize("name", ["chrome_skin", "nebula_skin", "hologram"])
def test_without_reach_a_material_ends_with_the_face(gpu, name):
    pixels = painted(SKIN)
    ends = {}
    for reach in (0.0, 1.0):
        preset = presets.with_settings(presets.alone(effects.find(name)), [f"{name}.reach={reach}"])
        with Chain(gpu, preset, SIZE) as chain:
            for i in range(30):
                tick = tick_of(frame_of(freeze(pixels.copy()), 2 * i), (FACE,), i / 15)
                shown = chain.render(tick)
        column = np.abs(shown[: TOP[1], TOP[0], :3].astype(int) - SKIN).max(axis=1)
        ends[reach] = int((column > 12).sum())
    assert ends[0.0] <= 4
    assert ends[1.0] > 20


def test_an_unknown_edge_is_refused(tmp_path):
    path = tmp_path / "x.fs"
    path.write_text('/*{"ISFVSN": "2", "KFX": {"edge": "hair"}}*/ void main() {}')
    with pytest.raises(KfxError, match=r"x\.fs: KFX edge: 'hair' is none of mesh, skin"):
        isf.load(path)


def test_all_of_it_is_drawn_for_profiles_and_faces_half_out_of_the_frame(gpu):
    for face in (face_at(240, 230, 100, yaw=60), face_at(5, 230, 100), face_at(240, 230, 4)):
        read = covered(gpu, painted(SKIN), face=face, names=NAMES)
        assert all(np.isfinite(one).all() for one in read.values())
