"""Coarse face images: when they are, what they hold, and that looks stay as they were."""

import cv2
import numpy as np
import pytest

from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.render import gbuffer
from kfx.render.gbuffer import COARSE_IOD_PX, NAMES, GBuffer
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, smiling, tick_of
from tests.isf_files import write

SIZE = (480, 360)
WHOLE = (0, 0, *SIZE)
LARGE = face_at(240, 170, 90, shape=smiling(0.4))
LARGER = face_at(240, 170, 104, shape=smiling(0.4))
SMALL = face_at(60, 60, 20, slot=1)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def read(gpu, texture):
    data = gpu.target(texture).read(components=4, dtype="f4")
    return np.frombuffer(data, np.float32).reshape(texture.size[1], texture.size[0], 4)


@pytest.mark.parametrize(
    ("faces", "scale"),
    [
        ([LARGE], 0.5),
        ([face_at(240, 170, 104)], 0.4),
        ([face_at(110, 170, 104), face_at(370, 170, 84, slot=2)], 0.5),
        ([], 0.4),
        ([SMALL], 1.0),
        ([LARGE, SMALL], 1.0),
        ([LARGE, face_at(300, 170, 84, slot=2)], 1.0),
        ([face_at(110, 170, 84), face_at(370, 170, 84, slot=2)], 0.5),
        ([face_at(240, 170, float("nan"))], 1.0),
        ([face_at(110, 170, 104), face_at(370, 170, float("nan"), slot=2)], 1.0),
    ],
)
def test_less_than_full_size_is_for_large_faces_apart(gpu, faces, scale):
    buffer = GBuffer(gpu, SIZE, NAMES, coarse=True)
    images = buffer.draw(faces, WHOLE)
    assert buffer.scale == scale
    assert {images[name].size for name in NAMES} == {(SIZE[0] * scale, SIZE[1] * scale)}
    buffer.release()


@pytest.mark.parametrize("edge", ["mesh", "skin"])
@pytest.mark.parametrize("name", NAMES)
def test_it_holds_the_same_less_finely(gpu, name, edge):
    plate = gpu.acquire(SIZE)
    plate.write(np.full((SIZE[1], SIZE[0], 4), (190, 140, 120, 255), np.uint8))
    shown = []
    for coarse in (True, False):
        buffer = GBuffer(gpu, SIZE, NAMES, coarse=coarse, edge=edge)
        buffer.draw([face_at(236, 172, 90)], WHOLE, picture=plate)
        images = buffer.draw([LARGE], WHOLE, picture=plate)
        shown.append(cv2.resize(read(gpu, images[name]), SIZE, interpolation=cv2.INTER_LINEAR))
        buffer.release()
    away = np.abs(shown[0] - shown[1]).max(axis=2)
    span = np.ptp(shown[1])
    assert np.median(away[shown[1].any(axis=2)]) < 0.002 * span
    assert (away > 0.25 * span).mean() < 0.01, "but for the edges"


def test_sizes_change_without_ghosts(gpu):
    buffer = GBuffer(gpu, SIZE, NAMES, coarse=True)
    for faces in ([LARGE], [SMALL], [LARGER], [LARGE], [SMALL]):
        images = buffer.draw(faces, WHOLE)
    away = face_at(400, 300, 20, slot=1)
    images = buffer.draw([away], (350, 10, 120, 110))
    seen = read(gpu, images["faceUV"])[..., 3]
    assert seen[10:120, 350:470].max() > 0.9
    assert seen[:, :350].max() == seen[120:].max() == 0.0
    images = buffer.draw([], None)
    assert not read(gpu, images["faceUV"]).any()
    buffer.release()


LOOKS = ["chrome_skin", "decal_uv", "eye_glow", "hologram", "iridescent", "nebula_skin"]


@pytest.mark.parametrize("name", [*LOOKS, "point_cloud", "power_veins", "wireframe"])
def test_looks_stay_as_they_were(gpu, monkeypatch, name):
    knobs = [f"{name}.beats=0"] if name == "chrome_skin" else []
    preset = presets.with_settings(presets.alone(effects.find(name)), knobs)
    plate = cv2.GaussianBlur(picture(*SIZE), (0, 0), 2.0)
    shown = []
    for least in (COARSE_IOD_PX, ()):
        monkeypatch.setattr(gbuffer, "COARSE_IOD_PX", least)
        with Chain(gpu, preset, SIZE) as chain:
            shown.append(np.array(chain.render(tick_of(frame_of(plate, 9), [LARGER]))))
    assert cv2.PSNR(*shown) > 32.0
    assert (shown[0] != shown[1]).any()
    assert np.abs(shown[0].astype(int) - plate).max() > 16, "it shows"


def test_only_who_asks_for_the_scale_is_given_less(gpu, tmp_path):
    wide = "void main() { gl_FragColor = vec4(vec3(textureSize(faceUV, 0).x) / 960.0, 1.0); }"
    uv = {"NAME": "faceUV", "TYPE": "image"}
    told = {"NAME": "kfx_scale", "TYPE": "float"}
    face = {"region": "face"}
    files = [
        write(tmp_path, wide, uv, name="fine.fs", KFX=face),
        write(tmp_path, wide, uv, told, name="coarse.fs", KFX=face),
    ]
    for path, expected in zip(files, (0.5, 0.25), strict=True):
        with Chain(gpu, presets.load(str(path)), SIZE) as chain:
            shown = chain.render(tick_of(frame_of(picture(*SIZE)), [LARGE]))
        assert abs(shown[170, 240, 0] / 255 - expected) < 0.01
