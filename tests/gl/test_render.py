"""Warp, face G-buffer and ISF shaders against what is known by geometry."""

import numpy as np
import pytest

from kfx.canonical import INNER_LIPS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS, canonical
from kfx.errors import KfxError
from kfx.render import gbuffer_mesh, isf
from kfx.render.gbuffer import GBuffer
from kfx.render.gpu import Gpu
from kfx.render.isf_program import Program, automatic_values
from kfx.render.isf_size import evaluate
from kfx.render.warp import Warp
from tests.faces import face_at, picture, smiling

SIZE = (320, 180)
PIXELS = picture(*SIZE)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def read(gpu, texture, dtype="f1"):
    """The texture top row first: uint8 for f1, float for the others."""
    kind = np.uint8 if dtype == "f1" else np.float32
    data = gpu.target(texture).read(components=4, dtype="f1" if dtype == "f1" else "f4")
    return np.frombuffer(data, kind).reshape(texture.size[1], texture.size[0], 4)[::-1]


def upload(gpu, pixels):
    texture = gpu.acquire((pixels.shape[1], pixels.shape[0]))
    gpu.upload(texture, pixels, np.empty_like(pixels))
    return texture


def warped(gpu, face, driven):
    canvas, plate = upload(gpu, PIXELS), upload(gpu, PIXELS)
    Warp(gpu, SIZE).draw(canvas, plate, [(face, driven)])
    return read(gpu, canvas)


def test_upload_and_read_back_are_exact(gpu):
    assert (read(gpu, upload(gpu, PIXELS)) == PIXELS).all()


def test_a_face_that_stays_is_left_alone(gpu):
    face = face_at()
    assert (warped(gpu, face, face.landmarks) == PIXELS).all()


def test_a_moved_face_shows_the_plate_moved(gpu):
    face = face_at(150, 80, 40)
    driven = face.landmarks + np.float32([4, 0, 0])
    shown = warped(gpu, face, driven)
    # Inside the mesh a whole number of pixels is an exact copy from there.
    inside = (slice(75, 110), slice(140, 165))
    moved = PIXELS[inside[0], inside[1].start - 4 : inside[1].stop - 4]
    assert np.abs(shown[inside].astype(int) - moved).max() <= 1


def test_the_warp_fades_to_nothing_without_a_seam(gpu):
    pixels = np.zeros((180, 320, 4), np.uint8)
    pixels[..., 3] = 255
    x = np.linspace(0, 255, 320)
    pixels[..., :3] = x[None, :, None]
    canvas, plate = upload(gpu, pixels), upload(gpu, pixels)
    face = face_at(150, 80, 40)
    driven = face.landmarks + np.float32([6, 0, 0])
    boxes = Warp(gpu, SIZE).draw(canvas, plate, [(face, driven)])
    shown = read(gpu, canvas)[..., 0].astype(int)
    # On a ramp a seam is a jump between neighbours; the plate's own step is below 1.
    assert np.abs(np.diff(shown, axis=1)).max() <= 3
    assert np.abs(np.diff(shown, axis=0)).max() <= 4
    x0, y0, width, height = boxes[0]
    outside = np.ones((180, 320), bool)
    outside[180 - y0 - height : 180 - y0, x0 : x0 + width] = False
    assert (shown[outside] == pixels[..., 0][outside]).all()


def test_parts_lie_where_the_landmarks_are(gpu):
    face = face_at(160, 80, 60, shape=smiling(0.5))
    buffer = GBuffer(gpu, SIZE, ("faceUV", "faceNormal", "faceParts"))
    images = buffer.draw([face], (0, 0, *SIZE))
    parts = read(gpu, images["faceParts"]).astype(int)
    uv = read(gpu, images["faceUV"], "f2")
    normal = read(gpu, images["faceNormal"], "f2")

    def at(image, landmark):
        x, y = np.asarray(landmark)[:2]
        return image[int(y), int(x)]

    points = face.landmarks
    skin, lips, eye, mouth = range(4)
    assert at(parts, points[50])[skin] == 255
    assert at(parts, points[468])[eye] == 255
    assert at(parts, points[473])[eye] == 255
    assert at(parts, (points[0] + points[13]) / 2)[lips] > 200
    assert at(parts, (points[13] + points[14]) / 2)[mouth] > 200
    np.testing.assert_allclose(at(uv, points[50])[:2], canonical().uv[50], atol=0.02)
    assert at(uv, points[4])[2] == pytest.approx(0.5 / 8, abs=1e-3)
    assert at(uv, points[4])[3] == pytest.approx(1, abs=0.01)
    assert at(normal, points[4])[2] > 0.7
    assert at(normal, points[50])[0] < -0.1, "the right cheek faces left on screen"
    assert at(normal, points[280])[0] > 0.1
    assert (parts[:, :40] == 0).all()
    # The four parts share the face: nowhere do they add up to more than all.
    assert parts.sum(axis=2).max() <= 258


def test_eyes_vanish_from_the_parts_when_the_lids_meet(gpu):
    shape = canonical().vertices.copy()
    for upper, lower in (
        (246, 7),
        (161, 163),
        (160, 144),
        (159, 145),
        (158, 153),
        (157, 154),
        (173, 155),
    ):
        shape[upper, :2] = shape[lower, :2] - np.float32([0, 0.002])
    buffer = GBuffer(gpu, SIZE, ("faceParts",))
    images = buffer.draw([face_at(160, 80, 60, shape=shape)], (0, 0, *SIZE))
    parts = read(gpu, images["faceParts"])
    right_eye = parts[60:100, 110:150, 2]
    assert right_eye.max() < 40


def test_the_buffer_is_clean_after_a_face_has_left(gpu):
    buffer = GBuffer(gpu, SIZE, ("faceParts",))
    buffer.draw([face_at(80, 80, 40)], (0, 0, 200, 180))
    images = buffer.draw([], None)
    assert read(gpu, images["faceParts"]).max() == 0


def test_face_data_holds_the_landmarks_with_y_up(gpu):
    face = face_at(100, 50, 30, slot=2, presence=0.5)
    images = GBuffer(gpu, SIZE, ()).draw([face], None)
    data = np.frombuffer(images["faceData"].read(), np.float32).reshape(8, 478, 4)
    np.testing.assert_allclose(data[2, :, 0], face.landmarks[:, 0])
    np.testing.assert_allclose(data[2, :, 1], 180 - face.landmarks[:, 1], atol=1e-4)
    assert (data[2, :, 3] == 0.5).all()
    assert (data[[0, 1, 3, 4, 5, 6, 7]] == 0).all()


def shader(tmp_path, header, body, name="test.fs"):
    path = tmp_path / name
    path.write_text(f"/*{header}*/\n{body}")
    return isf.load(path)


FILTER = '{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}%s]%s}'


def draw(gpu, one, **values):
    program = Program(gpu, one, SIZE)
    target, image = gpu.acquire(SIZE), upload(gpu, PIXELS)
    knobs = {name: knob.default for name, knob in one.knobs.items() if name not in ("mix", "seed")}
    program.draw(
        target,
        {"inputImage": image},
        {**automatic_values(3, 1.5, 0.1), "kfx_seed": 0.0, **knobs, "kfx_mix": 1.0, **values},
    )
    return read(gpu, target)


def test_isf_sees_a_bottom_left_origin(gpu, tmp_path):
    one = shader(
        tmp_path,
        FILTER % ("", ""),
        "void main() { gl_FragColor = vec4(isf_FragNormCoord, 0.0, 1.0); }",
    )
    shown = draw(gpu, one)
    assert shown[0, 0, 1] > 250, "the top row has y near 1"
    assert shown[-1, 0, 1] < 5
    assert shown[0, -1, 0] > 250


@pytest.mark.parametrize(
    "call",
    [
        "IMG_THIS_PIXEL(inputImage)",
        "IMG_THIS_NORM_PIXEL( inputImage )",
        "IMG_NORM_PIXEL(inputImage, isf_FragNormCoord)",
        "IMG_PIXEL(inputImage, gl_FragCoord.xy)",
        "IMG_NORM_PIXEL(inputImage, gl_FragCoord.xy / IMG_SIZE(inputImage), 0.0)",
    ],
)
def test_every_way_to_read_this_pixel_is_exact(gpu, tmp_path, call):
    one = shader(tmp_path, FILTER % ("", ""), f"void main() {{ gl_FragColor = {call}; }}")
    assert (draw(gpu, one) == PIXELS).all()


def test_passes_have_their_sizes_and_feed_each_other(gpu, tmp_path):
    passes = ', "PASSES": [{"TARGET": "small", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": 9}, {}]'
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = vec4(RENDERSIZE.x / 255.0, RENDERSIZE.y / 255.0, 0, 1);
        else gl_FragColor = IMG_NORM_PIXEL(small, vec2(0.5));
    }"""
    shown = draw(gpu, shader(tmp_path, FILTER % ("", passes), body))
    assert (shown[..., 0] == 80).all()
    assert (shown[..., 1] == 9).all()


def test_knobs_reach_the_shader(gpu, tmp_path):
    inputs = """, {"NAME": "a", "TYPE": "float", "DEFAULT": 0.2},
        {"NAME": "b", "TYPE": "bool", "DEFAULT": 1}, {"NAME": "c", "TYPE": "color",
         "DEFAULT": [0, 0.4, 0, 1]}, {"NAME": "d", "TYPE": "long", "VALUES": [5, 7],
         "LABELS": ["x", "y"], "DEFAULT": 7}, {"NAME": "p", "TYPE": "point2D", "DEFAULT": [0, 1]}"""
    body = "void main() { gl_FragColor = vec4(b ? a : 0.0, c.g, float(d) / 255.0 * p.y, 1.0); }"
    shown = draw(gpu, shader(tmp_path, FILTER % (inputs, ""), body))
    assert tuple(shown[0, 0]) == (51, 102, 7, 255)


def test_a_compile_error_names_the_authors_line(gpu, tmp_path):
    one = shader(tmp_path, FILTER % ("", ""), "// two\nvoid main() {\n  oops = 1.0;\n}\n")
    with pytest.raises(KfxError, match=r"test\.fs:4: .*oops"):
        Program(gpu, one, SIZE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("void main() {}", "no ISF header"),
        ('/*{\n"INPUTS": [}\n*/ void main() {}', r"bad\.fs:2: the ISF header is no JSON"),
        ('/*{"IMPORTED": {"t": {"PATH": "../../etc/passwd"}}}*/', "leaves the shader's folder"),
        ('/*{"KFX": {"region": "ears"}}*/', "'ears' is none of frame, face, eyes"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, text, fault):
    path = tmp_path / "bad.fs"
    path.write_text(text)
    with pytest.raises(KfxError, match=fault):
        isf.load(path)


def test_dirty_headers_are_read(tmp_path):
    path = tmp_path / "dirty.fs"
    path.write_bytes(
        b'\xef\xbb\xbf/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"},\r\n'
        b'{"NAME": "x", "TYPE": "float", "MIN": 0, "MAX": 2, "DEFAULT": 5,},]}*/\r\nvoid main(){}'
    )
    one = isf.load(path)
    assert one.knobs["x"].default == 2
    assert any("outside" in warning for warning in one.warnings)


def test_size_expressions():
    names = {"WIDTH": 1280, "HEIGHT": 720, "x": 2}
    assert evaluate("max(floor($WIDTH*0.25), 1.0) / $x", names) == 160
    for bad in ("__import__('os')", "$WIDTH ** 9", "unknown", "1 +", "'a'"):
        with pytest.raises(ValueError, match=r"only|no expression|unknown"):
            evaluate(bad, names)


def test_bands_straddle_their_contours():
    face = face_at(160, 80, 60)
    outer, inner = gbuffer_mesh.bands(face.landmarks, np.full(4, 2.0, np.float32))
    contours = [*OUTER_LIPS, *INNER_LIPS, *RIGHT_LIDS, *LEFT_LIDS]
    np.testing.assert_allclose((outer + inner) / 2, face.landmarks[contours], atol=1e-3)
    lips = face.landmarks[list(OUTER_LIPS), :2]
    away = np.linalg.norm(outer[:20, :2] - lips.mean(axis=0), axis=1)
    assert (away > np.linalg.norm(inner[:20, :2] - lips.mean(axis=0), axis=1)).all()
    np.testing.assert_allclose(np.linalg.norm(outer - inner, axis=1), 2.0, atol=1e-3)
