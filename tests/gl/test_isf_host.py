"""The ISF host: passes that remember, sizes that move, pictures from files, history, sound."""

import gc

import cv2
import moderngl
import numpy as np
import pytest

from kfx.errors import KfxError
from kfx.render import isf, isf_glsl
from kfx.render.gpu import Gpu
from tests.isf_files import GREEN, PIXELS, SIZE, Player, write

COUNT = """void main() {
    if (PASSINDEX == 0) gl_FragColor = IMG_THIS_PIXEL(sum) + vec4(10.0 / 255.0);
    else gl_FragColor = IMG_THIS_PIXEL(sum);
}"""
TEN = (10, 10, 10, 10)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def knob(name, default=0.5, low=0.0, high=1.0):
    return {"NAME": name, "TYPE": "float", "DEFAULT": default, "MIN": low, "MAX": high}


def live_textures():
    """How many textures exist in all contexts; moderngl marks those that are released."""
    found = (one for one in gc.get_objects() if isinstance(one, moderngl.Texture))
    return sum(not isinstance(one.mglo, moderngl.InvalidObject) for one in found)


def cell(picture, row, column):
    return tuple(int(one) for one in picture[row, column])


@pytest.mark.parametrize("true", [True, 1, 1.0, "true", "1"])
def test_a_persistent_target_remembers_until_a_reset(gpu, tmp_path, true):
    path = write(tmp_path, COUNT, PASSES=[{"TARGET": "sum", "PERSISTENT": true}, {}])
    player = Player(gpu, path)
    assert [player.colour()[0] for _ in range(4)] == [10, 20, 30, 40]
    player.program.reset()
    assert player.colour() == TEN, "a reset leaves transparent black"


@pytest.mark.parametrize("false", [{}, {"PERSISTENT": False}, {"PERSISTENT": 0}, {"persistent": 1}])
def test_any_other_target_starts_empty_each_frame(gpu, tmp_path, false):
    dirty = [gpu.acquire(SIZE) for _ in range(3)]
    for texture in dirty:
        gpu.target(texture).clear(1.0, 1.0, 1.0, 1.0)
        gpu.release(texture)
    player = Player(gpu, write(tmp_path, COUNT, PASSES=[{"TARGET": "sum", **false}, {}]))
    assert [player.colour() for _ in range(3)] == [TEN] * 3


def test_what_a_pass_shares_is_read_once_and_is_the_same(gpu, tmp_path):
    body = """vec4 other(sampler2D wide) { return texelFetch(wide, ivec2(0, 1), 0); }
    void main() {
        if (PASSINDEX == 0) {
            gl_FragColor = vec4(-2.5, gl_FragCoord.x, gl_FragCoord.y, float(FRAMEINDEX));
            return;
        }
        vec4 a = texelFetch(wide, ivec2(2, 1), 0), b = IMG_PIXEL(wide, vec2(1.0, 1.0)),
            c = IMG_NORM_PIXEL(wide,
                               vec2(0.25)), d = other(wide);
        bool good = a == vec4(-2.5, 2.5, 1.5, float(FRAMEINDEX)) && b.xyz == vec3(-2.5, 1.0, 1.0)
            && c.xyz == vec3(-2.5, 1.0, 0.5) && d.xyz == vec3(-2.5, 0.5, 1.5);
        gl_FragColor = vec4(0.0, good ? 1.0 : 0.0, 0.0, 1.0);
    }"""
    passes = [{"TARGET": "wide", "FLOAT": True, "WIDTH": 4, "HEIGHT": 2}, {}]
    player = Player(gpu, write(tmp_path, body, PASSES=passes))
    assert [player.colour() for _ in range(3)] == [GREEN] * 3
    named = body.replace("sampler2D wide", "sampler2D t").replace("(wide, ivec2(0", "(t, ivec2(0")
    shader = isf.load(write(tmp_path, named, PASSES=passes))
    source, vertex = isf_glsl.stages(shader, 1, blended=True)
    assert vertex.count("    kfx_flat") == source.count("flat in vec4") == 3
    assert Player(gpu, shader).colour() == GREEN


@pytest.mark.parametrize("buffers", [["sum"], {"sum": {"WIDTH": 8, "HEIGHT": "$HEIGHT/20"}}])
def test_version_1_says_apart_which_buffers_persist(gpu, tmp_path, buffers):
    path = write(tmp_path, COUNT, PASSES=[{"TARGET": "sum"}, {}], PERSISTENT_BUFFERS=buffers)
    player = Player(gpu, path)
    assert [player.colour()[0] for _ in range(3)] == [10, 20, 30]
    wanted = SIZE if isinstance(buffers, list) else (8, 9)
    assert player.program._targets.textures["sum"].size == wanted


def test_a_target_written_twice_in_a_frame_is_read_as_it_was_left(gpu, tmp_path):
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = vec4(0.2);
        else if (PASSINDEX == 1) gl_FragColor = IMG_THIS_PIXEL(a) + 0.2;
        else gl_FragColor = IMG_THIS_PIXEL(a);
    }"""
    player = Player(gpu, write(tmp_path, body, PASSES=[{"TARGET": "a"}, {"TARGET": "a"}, {}]))
    assert [player.colour()[0] for _ in range(2)] == [102, 102]


def test_float_keeps_32_bits_and_everything_beyond_0_and_1(gpu, tmp_path):
    body = """void main() {
        if (PASSINDEX < 2) gl_FragColor = vec4(-12345.678, 16777215.0, 1e-9, 1.0);
        else {
            vec4 f = IMG_THIS_PIXEL(wide), b = IMG_THIS_PIXEL(narrow);
            bool exact = f.r == -12345.678 && f.g == 16777215.0 && f.b == 1e-9;
            gl_FragColor = vec4(b.r == 0.0 && b.g == 1.0 ? 0.0 : 1.0, exact ? 1.0 : 0.0, 0.0, 1.0);
        }
    }"""
    passes = [{"TARGET": "wide", "FLOAT": True}, {"TARGET": "narrow"}, {}]
    assert Player(gpu, write(tmp_path, body, PASSES=passes)).colour() == GREEN


def test_sizes_follow_the_knobs_and_keep_what_persists(gpu, tmp_path):
    body = """void main() {
        vec2 p = isf_FragNormCoord;
        vec4 old = IMG_NORM_PIXEL(t, vec2(0.25, 0.75));
        if (PASSINDEX == 1) gl_FragColor = vec4(old.rg, RENDERSIZE / 255.0).rgba;
        else if (FRAMEINDEX > 0) gl_FragColor = IMG_THIS_PIXEL(t);
        else gl_FragColor = vec4(step(p.x, 0.5), step(0.5, p.y), 0.0, 1.0);
    }"""
    passes = [
        {"TARGET": "t", "WIDTH": "$WIDTH * $scale", "HEIGHT": "$lines", "PERSISTENT": True},
        {"TARGET": "t2", "WIDTH": "$WIDTH * $scale", "HEIGHT": "$lines"},
    ]
    lines = {"NAME": "lines", "TYPE": "long", "MIN": 1, "MAX": 500, "DEFAULT": 60}
    player = Player(gpu, write(tmp_path, body, knob("scale", 0.5), lines, PASSES=passes))
    assert player.colour() == (255, 255, 160, 60)
    assert player.colour(scale=0.25, lines=90) == (255, 255, 80, 90)
    assert player.colour(scale=0.75) == (255, 255, 240, 60)
    assert player.colour(scale=0.0, lines=0) != (255, 255, 0, 0), "one pixel is the least"


def test_sizes_that_move_for_ever_use_no_more_memory(gpu, tmp_path):
    passes = [{"TARGET": "sum", "WIDTH": "1 + 300 * $w", "PERSISTENT": True}, {}]
    player = Player(gpu, write(tmp_path, COUNT, knob("w"), PASSES=passes))

    for i in range(5):
        player.frame(w=i / 99)
    before = live_textures(), len(gpu._framebuffers)
    for i in range(90):
        player.frame(w=i / 99)
    assert (live_textures(), len(gpu._framebuffers)) == before


def test_a_last_pass_with_a_target_is_shown_and_stored(gpu, tmp_path):
    body = """void main() {
        gl_FragColor = vec4(RENDERSIZE / 255.0, IMG_THIS_PIXEL(t).b + 0.2, 1.0);
    }"""
    passes = [{"TARGET": "t", "WIDTH": 40, "HEIGHT": 20, "PERSISTENT": True, "FLOAT": True}]
    player = Player(gpu, write(tmp_path, body, PASSES=passes))
    shown = player.frame()
    assert (shown == shown[0, 0]).all()
    assert cell(shown, 0, 0) == (40, 20, 51, 255)
    assert player.colour()[2] == 102


def test_what_is_stored_is_not_mixed(gpu, tmp_path):
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(t) + vec4(0.2, 0.2, 0.2, 1.0); }"
    player = Player(gpu, write(tmp_path, body, PASSES=[{"TARGET": "t", "PERSISTENT": True}]))
    player.show((0, 0, 0, 255))
    assert [player.colour(kfx_mix=0.5)[0] for _ in range(3)] == pytest.approx([25, 51, 76], abs=1)


def test_boxes_bound_what_is_seen_and_a_frame_is_one_step(gpu, tmp_path):
    path = write(tmp_path, COUNT, PASSES=[{"TARGET": "sum", "PERSISTENT": True}, {}])
    player = Player(gpu, path)
    boxes = [(10, 20, 30, 40), (30, 30, 50, 20)]
    seen = np.zeros((SIZE[1], SIZE[0]), bool)
    for x, y, width, height in boxes:
        seen[SIZE[1] - y - height : SIZE[1] - y, x : x + width] = True
    for n in (1, 2, 3):
        shown = player.frame(boxes)
        assert (shown[seen] == 10 * n).all()
        assert (shown[~seen] == PIXELS[~seen]).all()
    assert (player.frame([]) == PIXELS).all(), "no box, nothing seen"
    assert player.frame()[0, 0, 0] == 50, "but the frame has counted"


def test_a_pass_before_boxes_is_whole_where_its_neighbours_are_read(gpu, tmp_path):
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = IMG_THIS_PIXEL(inputImage);
        else if (PASSINDEX == 1) gl_FragColor = IMG_NORM_PIXEL(a, 1.0 - isf_FragNormCoord);
        else gl_FragColor = IMG_THIS_PIXEL(b);
    }"""
    player = Player(gpu, write(tmp_path, body, PASSES=[{"TARGET": "a"}, {"TARGET": "b"}, {}]))
    whole = player.frame()
    program = player.program
    assert [run.boxed for run in program._runs] == [False, True, True]
    for texture in program._targets.textures.values():
        gpu.target(texture).clear(1.0, 0.0, 0.0, 1.0)
    assert (whole[100:120, 40:90] == player.frame([(40, 60, 50, 20)])[100:120, 40:90]).all()


def test_a_pass_with_a_reach_is_drawn_only_where_it_is_read(gpu, tmp_path):
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0);
        else gl_FragColor = texture(soft, isf_FragNormCoord + vec2(away, 0.0));
    }"""
    passes = [{"TARGET": "soft", "WIDTH": "$WIDTH/2", "HEIGHT": "$HEIGHT/2", "REACH_IOD": 0.5}, {}]
    player = Player(gpu, write(tmp_path, body, knob("away"), PASSES=passes))
    box = [(100, 50, 40, 20)]

    def seen(away):
        return tuple(player.frame(box, away=away, iod=40.0)[-60, 139])

    assert seen(19 / SIZE[0]) == GREEN
    assert seen(-55 / SIZE[0]) == GREEN, "as far to the other side, from this pixel"
    assert seen(30 / SIZE[0]) != GREEN, "it isn't drawn where nobody should look"
    for reach in ("far", -1, True, float("nan"), float("inf"), None):
        passes[0]["REACH_IOD"] = reach
        assert isf.load(write(tmp_path, body, PASSES=passes)).passes[0].reach_iod is None


@pytest.mark.parametrize("size", [(640, 360), (33, 17)])
def test_scaled_boxes_cover_what_is_read(gpu, tmp_path, size):
    body = """void main() {
        if (PASSINDEX == 0) gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0);
        else gl_FragColor = IMG_THIS_PIXEL(a);
    }"""
    passes = [{"TARGET": "a", "WIDTH": "$WIDTH/3", "HEIGHT": "$HEIGHT/5"}, {}]
    player = Player(gpu, write(tmp_path, body, PASSES=passes), size)
    box = (size[0] // 3 + 1, size[1] // 4, 7, 5)
    player.frame([])
    gpu.target(player.program._targets.textures["a"]).clear(1.0, 0.0, 0.0, 1.0)
    shown = player.frame([box])[::-1]
    inside = shown[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    assert (inside == GREEN).all()


def test_time_starts_with_the_program_and_again_after_a_reset(gpu, tmp_path):
    body = (
        "void main() { gl_FragColor = vec4(float(FRAMEINDEX) / 255.0, TIMEDELTA * 30.0, TIME, 1); }"
    )
    player = Player(gpu, write(tmp_path, body))
    player.index = 7
    assert [player.colour()[:2] for _ in range(2)] == [(0, 0), (1, 255)]
    player.program.reset()
    assert [player.colour()[:2] for _ in range(2)] == [(0, 0), (1, 255)]


def test_an_event_is_true_for_one_frame(gpu, tmp_path):
    body = "void main() { gl_FragColor = vec4(go ? 1.0 : 0.0); }"
    player = Player(gpu, write(tmp_path, body, {"NAME": "go", "TYPE": "event"}))
    fired = [player.colour(go=value)[0] for value in (False, True, True, False, True)]
    assert fired == [0, 255, 0, 0, 255]


HISTORY = {"NAME": "history", "TYPE": "image"}


def remembering(tmp_path, age, frames=4, height=90, **header):
    body = f"void main() {{ gl_FragColor = kfx_history({age}, isf_FragNormCoord); }}"
    own = {"history": {"frames": frames, "height": height}}
    return write(tmp_path, body, HISTORY, KFX=own, **header)


def test_history_gives_frames_by_age_and_stops_at_the_oldest(gpu, tmp_path):
    reds = {}
    for age in ("0.0", "2.0", "0.5", "99.0"):
        player = Player(gpu, remembering(tmp_path, age))
        reds[age] = []
        for i in range(7):
            player.show((20 * i, 0, 0, 255))
            reds[age].append(player.colour()[0])
    assert reds["0.0"] == [0, 20, 40, 60, 80, 100, 120]
    assert reds["2.0"] == [0, 0, 0, 20, 40, 60, 80]
    assert reds["0.5"] == [0, 10, 30, 50, 70, 90, 110]
    assert reds["99.0"] == [0, 0, 0, 0, 20, 40, 60], "four frames are kept"


def test_history_forgets_at_a_reset(gpu, tmp_path):
    player = Player(gpu, remembering(tmp_path, "3.0"))
    player.show((200, 0, 0, 255))
    player.frame()
    player.program.reset()
    player.show((10, 0, 0, 255))
    assert player.colour()[0] == 10


@pytest.mark.parametrize("frames", [1, 5, 48])
def test_history_of_full_height_is_the_picture_to_the_bit(gpu, tmp_path, frames):
    player = Player(gpu, remembering(tmp_path, "0.0", frames, 2000))
    for _ in range(frames + 1):
        shown = player.frame()
    assert np.abs(shown.astype(int) - PIXELS).max() <= 1


def test_history_shrinks_by_area_and_never_reads_its_neighbours(gpu, tmp_path):
    player = Player(gpu, remembering(tmp_path, "0.0", 9, 45))
    fine = np.zeros((180, 320, 4), np.uint8)
    fine[::2, ::2] = 255
    for colour in ((255, 0, 0, 255), (0, 0, 255, 255)):
        player.show(colour)
        player.frame()
    player.show(fine)
    shown = player.frame()
    assert np.abs(shown.astype(int) - 64).max() <= 2, "a quarter of the pixels is white"


def transition(tmp_path, body, *inputs):
    images = [{"NAME": name, "TYPE": "image"} for name in ("startImage", "endImage")]
    return write(tmp_path, body, *images, knob("progress"), *inputs, plate=False)


MIX = """void main() {
    gl_FragColor = mix(IMG_THIS_PIXEL(startImage), IMG_THIS_PIXEL(endImage), progress);
}"""


def test_a_transition_goes_from_the_plate_to_a_picture(gpu, tmp_path):
    cv2.imwrite(str(tmp_path / "end.png"), np.full((9, 9, 3), (0, 255, 0), np.uint8))
    player = Player(gpu, transition(tmp_path, MIX))
    assert player.shader.kind == "transition"
    end = str(tmp_path / "end.png")
    assert (player.frame(progress=0.0, endImage=end) == PIXELS).all()
    assert player.colour(progress=1.0, endImage=end) == GREEN
    assert (player.frame(progress=1.0) == PIXELS).all(), "without a file both ends are the plate"
    assert (player.frame(progress=1.0, endImage=end, kfx_mix=0.0) == PIXELS).all()


def test_a_generator_lies_over_the_picture(gpu, tmp_path):
    body = "void main() { gl_FragColor = vec4(0.0, 1.0, 0.0, step(0.5, isf_FragNormCoord.x) * a); }"
    player = Player(gpu, write(tmp_path, body, knob("a", 1.0), plate=False))
    assert player.shader.kind == "generator"
    shown = player.frame()
    assert (shown[:, :160] == PIXELS[:, :160]).all()
    assert (shown[:, 160:] == GREEN).all()
    player.show((100, 100, 100, 255))
    assert player.colour(0.9, kfx_mix=0.5) == pytest.approx((50, 178, 50, 255), abs=1)
    assert player.colour(0.9, a=0.5) == pytest.approx((50, 178, 50, 255), abs=1)
    player.show((100, 100, 100, 0))
    assert player.colour(0.9, a=0.5) == pytest.approx((0, 255, 0, 128), abs=1)


def test_a_generator_without_alpha_can_be_made_opaque(gpu, tmp_path):
    body = "void main() { gl_FragColor = vec4(0.0, 1.0, 0.0, 0.0); }"
    player = Player(gpu, write(tmp_path, body, plate=False))
    assert (player.frame() == PIXELS).all()
    assert player.colour(opaque=True) == GREEN
    own = write(tmp_path, body, {"NAME": "opaque", "TYPE": "float"}, plate=False)
    assert (Player(gpu, own).frame(opaque=1.0) == PIXELS).all(), "an input of that name is its own"


def mask(tmp_path, name="mask.png"):
    pixels = np.zeros((4, 8, 4), np.uint8)
    pixels[:2] = (0, 255, 0, 255)
    pixels[2:] = (255, 0, 0, 51)
    cv2.imwrite(str(tmp_path / name), pixels)
    return tmp_path / name


def test_an_image_input_is_a_file_and_nothing_is_transparent_black(gpu, tmp_path):
    path = mask(tmp_path)
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(mask); }"
    player = Player(gpu, write(tmp_path, body, {"NAME": "mask", "TYPE": "image"}))
    assert player.colour() == (0, 0, 0, 0)
    assert player.colour(y=0.9, mask=str(path)) == GREEN, "the top row is on top"
    assert player.colour(y=0.1, mask=str(path)) == (0, 0, 255, 51)
    assert player.colour() == (0, 0, 0, 0)


def test_an_image_input_may_have_a_file_as_its_default(gpu, tmp_path):
    mask(tmp_path)
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(mask); }"
    entry = {"NAME": "mask", "TYPE": "image", "DEFAULT": "mask.png"}
    assert Player(gpu, write(tmp_path, body, entry)).colour(y=0.9) == GREEN
    missing = Player(gpu, write(tmp_path, body, {**entry, "DEFAULT": "gone.png"}))
    assert missing.colour(y=0.9) == (0, 0, 0, 0)
    assert any("gone.png" in warning for warning in missing.shader.warnings)


def test_a_cube_file_comes_as_numbers(gpu, tmp_path):
    table = "LUT_3D_SIZE 2\n" + "".join(
        f"{r + 2} {g} {b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1)
    )
    (tmp_path / "x.cube").write_text(table)
    body = """void main() {
        vec4 head = texelFetch(lut, ivec2(0, 1), 0);
        vec4 entry = texelFetch(lut, ivec2(1, int(head.b) + 3), 0);
        gl_FragColor = vec4(0.0, float(entry.rgb == vec3(3.0, 1.0, 1.0)), 0.0, 1.0);
    }"""
    from kfx.render.cube import load_cube

    start = int(load_cube(tmp_path / "x.cube")[1, 0, 3])
    body = body.replace("int(head.b)", str(start))
    player = Player(gpu, write(tmp_path, body, {"NAME": "lut", "TYPE": "image"}))
    assert player.colour(lut=str(tmp_path / "x.cube")) == GREEN


@pytest.mark.parametrize(
    "imported",
    [
        {"t": {"PATH": "mask.png"}},
        [{"NAME": "t", "PATH": "mask.png"}],
        {"t": {"PATH": ["mask.png"]}},
    ],
)
def test_imported_pictures(gpu, tmp_path, imported):
    mask(tmp_path)
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(t); }"
    assert Player(gpu, write(tmp_path, body, IMPORTED=imported)).colour(y=0.9) == GREEN


def test_a_missing_import_is_black_with_a_warning(gpu, tmp_path):
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(t); }"
    player = Player(gpu, write(tmp_path, body, IMPORTED={"t": {"PATH": "gone.png"}}))
    assert player.colour() == (0, 0, 0, 0)
    assert any("gone.png is missing" in warning for warning in player.shader.warnings)


def test_imported_pictures_wrap_and_keep_their_texels_if_asked(gpu, tmp_path):
    mask(tmp_path)
    body = "void main() { gl_FragColor = IMG_NORM_PIXEL(t, vec2(0.5, %s)); }"
    seen = {}
    for y in ("-0.125", "0.45"):
        for extra in ({}, {"WRAP": "repeat"}, {"FILTER": "nearest"}):
            entry = {"t": {"PATH": "mask.png", **extra}}
            player = Player(gpu, write(tmp_path, body % y, IMPORTED=entry))
            seen[y, *extra] = player.colour()
    assert seen["-0.125", "WRAP"] == GREEN
    assert seen["-0.125",] == (0, 0, 255, 51)
    assert seen["0.45", "FILTER"] == (0, 0, 255, 51)
    assert seen["0.45",][1] > 20


def test_a_pass_is_read_texel_by_texel_if_asked(gpu, tmp_path):
    body = (
        "void main() { gl_FragColor = PASSINDEX == 0"
        " ? vec4(step(0.5, isf_FragNormCoord.x)) : IMG_NORM_PIXEL(two, vec2(0.45, 0.5)); }"
    )
    seen = []
    for extra in ({}, {"FILTER": "nearest"}):
        passes = [{"TARGET": "two", "WIDTH": "2", "HEIGHT": "1", **extra}, {}]
        seen.append(Player(gpu, write(tmp_path, body, PASSES=passes)).colour()[0])
    assert seen[0] > 60
    assert seen[1] == 0


def test_cube_maps(gpu, tmp_path):
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((4, 4, 3), 40 * i, np.uint8))
    entry = {"NAME": "sky", "TYPE": "cube", "PATH": [f"{i}.png" for i in range(6)]}
    for axis, wanted in (("1, 0, 0", 0), ("-1, 0, 0", 40), ("0, 0, -1", 200)):
        body = f"void main() {{ gl_FragColor = textureCube(sky, vec3({axis})); }}"
        assert Player(gpu, write(tmp_path, body, IMPORTED=[entry])).colour()[0] == wanted
    body = "void main() { gl_FragColor = textureCube(c, vec3(1.0)) + vec4(0, 1, 0, 1); }"
    assert Player(gpu, write(tmp_path, body, {"NAME": "c", "TYPE": "cube"})).colour() == GREEN


def test_sound_is_silent_until_it_is_given(gpu, tmp_path):
    inputs = [
        {"NAME": "wave", "TYPE": "audio", "MAX": 64},
        {"NAME": "bars", "TYPE": "audioFFT", "MAX": 4},
    ]
    body = """void main() {
        gl_FragColor = vec4(IMG_NORM_PIXEL(wave, vec2(0.3, 0.5)).r, IMG_SIZE(wave).x / 255.0,
            IMG_NORM_PIXEL(bars, vec2(0.9, 0.75)).r, 1.0);
    }"""
    player = Player(gpu, write(tmp_path, body, *inputs))
    assert player.colour() == (128, 64, 0, 255)
    bars = np.float32([[0, 0, 0, 0.1], [0, 0, 0, 0.6]])
    assert player.colour(images={"bars": bars}) == (128, 64, 153, 255)
    assert player.colour() == (128, 64, 0, 255)


def test_a_shader_that_reads_beside_its_pixel_reads_between_pixels(gpu, tmp_path):
    beside = "void main() { gl_FragColor = IMG_PIXEL(inputImage, gl_FragCoord.xy + vec2(0.5, 0)); }"
    shown = Player(gpu, write(tmp_path, beside)).frame().astype(int)
    between = (PIXELS[:, :-1].astype(int) + PIXELS[:, 1:]) / 2
    assert np.abs(shown[:, :-1] - between).max() <= 1


def test_an_image_that_nobody_gives_is_black(gpu, tmp_path):
    body = "void main() { gl_FragColor = IMG_THIS_PIXEL(personMatte) + vec4(0, 1, 0, 1); }"
    assert Player(
        gpu, write(tmp_path, body, {"NAME": "personMatte", "TYPE": "image"})
    ).colour() == (GREEN)


VERTEX = """varying vec2 left;
void main() {
    isf_vertShaderInit();
    left = isf_FragNormCoord - vec2(1.0, 0.0) / RENDERSIZE;
}
"""


def test_a_vertex_shader_shares_its_varyings(gpu, tmp_path):
    path = write(
        tmp_path,
        "varying vec2 left;\nvoid main() { gl_FragColor = IMG_NORM_PIXEL(inputImage, left); }",
    )
    path.with_suffix(".vs").write_text(VERTEX)
    shown = Player(gpu, path).frame().astype(int)
    assert np.abs(shown[:, 1:] - PIXELS[:, :-1]).max() <= 2


def test_what_a_vertex_shader_leaves_free_is_transparent_and_mixed(gpu, tmp_path):
    path = write(tmp_path, "void main() { gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0); }")
    path.with_suffix(".vs").write_text(
        "void main() { isf_vertShaderInit(); gl_Position.xy *= 0.5; }"
    )
    player = Player(gpu, path)
    shown = player.frame()
    assert (shown[45:135, 80:240] == GREEN).all()
    assert (shown[:44] == 0).all()
    assert (shown[:, :79] == 0).all()
    assert (player.frame(kfx_mix=0.0) == PIXELS).all()


def test_what_is_discarded_is_transparent(gpu, tmp_path):
    body = (
        "void main() { if (isf_FragNormCoord.x < 0.5) discard; gl_FragColor = vec4(0, 1, 0, 1); }"
    )
    for _ in range(2):
        shown = Player(gpu, write(tmp_path, body)).frame()
        assert (shown[:, :160] == 0).all()
        assert (shown[:, 160:] == GREEN).all()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("// two\nvoid main() {\n  oops = 1.0;\n}\n", r"test\.fs:4: .*oops"),
        ("void main() {\n gl_FragColor = vec4(1.0)\n}", r"test\.fs:4: .*syntax"),
        ("#if 1\nvoid main() {}\n", r"test\.fs:\d: .*#if"),
        ("\n#include <noise.glsl>\nvoid main() {}", r"test\.fs:3: #include <noise.glsl>"),
        ("float f() { return 1.0; }", "no void main"),
        ("\nvoid main() { if (true) {\n}", r"test\.fs:3: this { is never closed"),
        ("void main() {}\n/* the end\n\n", r"test\.fs:3: .*this /\* is never closed"),
        ("void main() {}\n// (\nfloat f(float x) { return f(x); }", r"test\.fs:\d: .*f"),
        ("float f();\nvoid main() {\n gl_FragColor = vec4(f());\n}", r"test\.fs:[24]: .*`f'"),
        ("// “\nvoid main() {\n float a = “;\n}", r"test\.fs:4: '“' \(U\+201C\) is no char"),
        (
            "varying vec2 nowhere;\nvoid main() { gl_FragColor = nowhere.xyxy; }",
            r"test\.fs: .*nowhere",
        ),
        ("", "no void main"),
    ],
)
def test_an_error_names_the_authors_file_and_line(gpu, tmp_path, body, fault):
    with pytest.raises(KfxError, match=fault):
        Player(gpu, write(tmp_path, body))


def test_an_error_in_a_vertex_shader_names_that_file(gpu, tmp_path):
    path = write(tmp_path, "void main() { gl_FragColor = vec4(1.0); }")
    path.with_suffix(".vs").write_text("// one\nvoid main() {\n isf_vertShaderInit(); oops = 1; }")
    with pytest.raises(KfxError, match=r"test\.vs:3: .*oops"):
        Player(gpu, path)


def test_an_input_called_seed_or_mix_is_its_own(gpu, tmp_path):
    body = "void main() { gl_FragColor = vec4(seed, mix, kfx_seed, 1.0); }"
    player = Player(gpu, write(tmp_path, body, knob("seed", 0.2), knob("mix", 0.4)))
    assert player.colour() == (51, 102, 0, 255)
    assert player.colour(seed_input=1.0) == (255, 102, 0, 255)


def test_beat_belongs_to_the_host_and_a_knob_of_that_name_to_the_file(gpu, tmp_path):
    body = "void main() { gl_FragColor = vec4(beat, energy, 0.0, 1.0); }"
    host = {"NAME": "beat", "TYPE": "float"}
    player = Player(gpu, write(tmp_path, body, host, knob("energy", 0.2)))
    assert "beat" not in player.shader.knobs
    assert player.colour(beat=0.4) == (102, 51, 0, 255)


def test_sizes_of_images_are_there_in_every_spelling(gpu, tmp_path):
    body = """void main() {
        vec2 a = IMG_SIZE(inputImage), b = _inputImage_imgSize, c = _inputImage_imgRect.zw;
        bool good = a == RENDERSIZE && b == a && c == vec2(1.0) && !_inputImage_flip;
        gl_FragColor = good ? vec4(0, 1, 0, 1) : vec4(1, 0, 0, 1);
    }"""
    assert Player(gpu, write(tmp_path, body)).colour() == GREEN


def test_a_program_gives_everything_back(gpu, tmp_path):
    mask(tmp_path)
    passes = [{"TARGET": "sum", "PERSISTENT": True}, {"TARGET": "sum"}]
    entries = [HISTORY, {"NAME": "w", "TYPE": "audio"}, {"NAME": "m", "TYPE": "image"}]
    body = COUNT.replace(
        "void main() {", "void main() { vec4 u = IMG_THIS_PIXEL(w) + IMG_THIS_PIXEL(m);"
    )
    path = write(
        tmp_path,
        body,
        *entries,
        PASSES=passes,
        IMPORTED={"t": {"PATH": "mask.png"}},
        KFX={"history": {"frames": 2, "height": 9}},
    )

    def once():
        player = Player(gpu, path)
        player.frame(m=str(tmp_path / "mask.png"))
        player.program.release()
        gpu.release(player.canvas)
        gpu.release(player.plate)
        return live_textures()

    once()
    assert once() == once()
