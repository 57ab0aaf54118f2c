"""Buses: effects that are drawn onto small pictures of their own, for a later one to show."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kfx import presets
from kfx.engine.look import buses
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.engine.loop.picture import scaled
from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of

SIZE = (480, 270)
HEAD = "version = 1\n"
GRID = """
[[chain]]
effect = "captcha_grid"
tile_fx = "{tiles}"
dusk = 1.0
ticked = "0"
"""
NEGATIVE = """
[[chain]]
effect = "shader.fs"
bus = "{bus}"
"""
# Red on every other picture that it draws: it tells how often it was asked.
SHADER = """/*{"ISFVSN": "2", "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "level", "TYPE": "float", "DEFAULT": 1.0}],
  "PASSES": [{"TARGET": "count", "WIDTH": "1", "HEIGHT": "1", "PERSISTENT": true, "FLOAT": true},
             {}]}*/
void main() {
    vec4 known = texelFetch(count, ivec2(0), 0);
    if (PASSINDEX == 0) gl_FragColor = known + vec4(1.0, TIMEDELTA, 0.0, 0.0);
    else gl_FragColor = vec4(level, mod(known.x, 2.0), known.y, 1.0);
}"""


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def look(folder, text):
    (folder / "shader.fs").write_text(SHADER)
    return presets.read(HEAD + text, str(folder / "look.toml"), "look")


def ticks(many=12, x=240.0):
    for i in range(many):
        face = face_at(x, 105, 50)
        yield tick_of(frame_of(picture(*SIZE, seed=i), i), [face], bool(i) / 30)


def tile(pixels, k):
    """The middle of tile k of nine, see test_captcha_words."""
    side = 180 * (1 - 2 * 0.034) / 3
    x = 150 + 180 * 0.034 + side * (k % 3 + 0.5)
    y = 10 + 180 * (0.034 + 0.235) + side * (k // 3 + 0.5)
    return np.array(pixels[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12, :3]).astype(int)


def test_a_tile_shows_its_bus_and_the_frame_doesnt(gpu, tmp_path):
    tiles = GRID.format(tiles="live, a, b, c")
    preset = look(tmp_path, NEGATIVE.format(bus="a") + NEGATIVE.format(bus="b") + tiles)
    preset = preset.with_value(1, "level", 0.25)
    bare = look(tmp_path, tiles)
    with Chain(gpu, preset, SIZE) as chain, Chain(gpu, bare, SIZE) as other:
        for tick in ticks():
            shown, plain = chain.render(tick), other.render(tick)
        np.testing.assert_array_equal(tile(shown, 0), tile(plain, 0))
        np.testing.assert_array_equal(tile(shown, 3), tile(plain, 3), "nothing is on bus c")
        red = [np.median(tile(shown, k)[..., 0]) for k in (1, 2)]
        assert red[0] > 240
        assert 50 < red[1] < 70, "each bus has knobs of its own"
        chain.set(0, "level", 0.5)
        chain.bypass(1, True)
        for tick in ticks():
            shown = chain.render(tick)
        assert 115 < np.median(tile(shown, 1)[..., 0]) < 140, "a knob that is turned is seen"
        assert np.abs(tile(shown, 2) - tile(shown, 2)[0, 0]).max() > 20, "what is left out: plate"


def test_buses_are_drawn_in_turns_and_lose_no_time(gpu, tmp_path):
    text = NEGATIVE.format(bus="a") + NEGATIVE.format(bus="b") + GRID.format(tiles="a, b")
    with Chain(gpu, look(tmp_path, text), SIZE) as chain:
        green, passed = [], []
        for tick in ticks(13):
            shown = chain.render(tick)
            green.append([np.median(tile(shown, k)[..., 1]) > 127 for k in (0, 1)])
            passed.append([np.median(tile(shown, k)[..., 2]) for k in (0, 1)])
        late = green[9:]
        changes = [[a != b for a, b in zip(*pair, strict=True)] for pair in pairwise(late)]
        assert all(sum(one) == 1 for one in changes), "one of both is drawn with each picture"
        assert np.abs(np.diff(passed[-1])) < 15, "and knows of the time between"
        assert abs(max(passed[-1]) - 255 * 12 / 30) < 8


def test_what_a_bus_shows_lies_where_it_does_in_the_frame(gpu, tmp_path):
    """A bus on which nothing is drawn that shows gives the same tiles as the frame."""
    idle = """
[[chain]]
effect = "deadpan_step"
bus = "a"
mix = { base = 0.0, "midi.cc1" = 1.0 }
"""
    for x in (240.0, 120.0):
        with Chain(gpu, look(tmp_path, idle + GRID.format(tiles="a")), SIZE) as chain:
            for tick in ticks(x=x):
                held = replace(tick, frame=replace(tick.frame, pixels=picture(*SIZE)))
                shown = chain.render(held)
        with Chain(gpu, look(tmp_path, GRID.format(tiles="live")), SIZE) as chain:
            for tick in ticks(x=x):
                held = replace(tick, frame=replace(tick.frame, pixels=picture(*SIZE)))
                live = chain.render(held)
        off = [np.abs(tile(shown, k) - tile(live, k)).mean() for k in range(9)]
        assert np.median(off) < 9, off  # the noise of the picture is finer than the bus


def test_a_bus_goes_on_at_another_size(gpu, tmp_path):
    preset = look(tmp_path, NEGATIVE.format(bus="a") + GRID.format(tiles="a"))
    half = (SIZE[0] // 2, SIZE[1] // 2)
    *before, last = ticks(14)
    with Chain(gpu, preset, SIZE) as large, Chain(gpu, preset, half) as heir:
        for tick in before:
            large.render(tick)
        for _ in heir.warm(scaled(last, half)):
            pass
        heir.inherit(large)
        shown = heir.render(scaled(last, half))
        passed = np.median(shown[half[1] // 2 - 4 : half[1] // 2 + 4, half[0] // 2 - 4 :][:, :8, 2])
        assert abs(passed - 255 * 13 / 30) < 12, "it began anew"


def test_a_hand_has_a_tile(gpu, tmp_path):
    """The tile that shows the chin shows a hand where one is seen, wherever it is."""
    preset = look(tmp_path, GRID.format(tiles="live"))
    assert compile_plan(preset).reads_hands
    hand = np.zeros((21, 2), np.float32)
    hand[:] = np.linspace((40, 200), (70, 240), 21)
    shown = []
    with Chain(gpu, preset, SIZE) as chain:
        assert chain.needs_hands
        for hands in ((), (freeze(hand),)):
            chain.reset()
            for tick in ticks():
                pixels = np.array(picture(*SIZE))
                pixels[190:250, 30:80] = (0, 0, 255, 255)
                frame = replace(tick.frame, pixels=freeze(pixels))
                last = chain.render(replace(tick, frame=frame, hands=hands))
            shown.append([tile(last, k) for k in range(9)])
    blue = [k for k in range(9) if (np.median(shown[1][k], axis=(0, 1)) @ [-1, -1, 1]) > 150]
    assert len(blue) == 1
    same = [np.abs(a - b).max() < 3 for a, b in zip(*shown, strict=True)]
    assert [k for k in range(9) if not same[k]] == blue


def test_doubles_show_their_bus(gpu, tmp_path):
    text = """
[[chain]]
effect = "multiply"
copies = 2
enter = 0.0
dusk = 0.0
delay = 0.0
"""
    person = np.zeros((144, 256), np.uint8)
    person[20:, 98:158] = 255
    shown = []
    for doubles in ("", 'doubles = ["plain", "a"]\n'):
        preset = look(tmp_path, NEGATIVE.format(bus="a") + text + doubles)
        with Chain(gpu, preset, SIZE) as chain:
            for tick in ticks(6):
                last = chain.render(replace(tick, matte=freeze(person)))
        shown.append(np.array(last[..., :3]).astype(int))
    changed = np.abs(shown[0] - shown[1]).max(axis=2) > 30
    left, right = changed[:, : SIZE[0] // 2].mean(), changed[:, SIZE[0] // 2 :].mean()
    assert max(left, right) > 4 * min(left, right) + 0.001, "one double alone is another"


def test_a_square_follows_the_largest_head_within_the_frame(gpu, tmp_path):
    text = NEGATIVE.format(bus="a") + GRID.format(tiles="a")
    with Chain(gpu, look(tmp_path, text), SIZE) as chain:
        part = chain._buses
        for x in (-300.0, 20.0, 240.0, 470.0, 900.0):
            chain.reset()
            for i in range(3):
                small = face_at(100, 60, 12, slot=1)
                tick = tick_of(frame_of(picture(*SIZE), i), [small, face_at(x, 105, 50)], i / 30)
                left, top, wide, high = part._square(tick)
                assert wide == high
                assert 0 <= left <= SIZE[0] - wide
                assert 0 <= top <= SIZE[1] - high
        broken = replace(face_at(), landmarks=freeze(np.full((478, 3), np.nan, np.float32)))
        chain.render(tick_of(frame_of(picture(*SIZE)), [broken], 0.0))


def test_a_tick_cut_out_keeps_what_lies_in_it():
    face = face_at(240, 105, 50)
    tick = replace(next(ticks(1)), hands=(freeze(np.full((21, 2), 200, np.float32)),))
    tick = replace(tick, matte=freeze(np.arange(27 * 48, dtype=np.uint8).reshape(27, 48)))
    part = buses.cut_out(tick, (140, 20, 200, 180))
    np.testing.assert_array_equal(part.frame.pixels, tick.frame.pixels[20:200, 140:340])
    np.testing.assert_allclose(part.faces[0].landmarks[:, :2], face.landmarks[:, :2] - (140, 20))
    np.testing.assert_allclose(part.faces[0].pose[:2, 3], face.pose[:2, 3] - (140, 20))
    np.testing.assert_array_equal(part.matte, tick.matte[2:20, 14:34])
    assert (part.hands[0] == (60, 180)).all()
    assert not buses.cut_out(tick, (0, 0, 40, 40)).faces


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('effect = "film"\nbus = "e"', "'e' is none of a, b, c, d"),
        ('effect = "film"\nbus = 1', "1 is none of a, b, c, d"),
        ('effect = "captcha_grid"\nbus = "a"', "captcha_grid can't be drawn on a bus"),
        ('effect = "skin_chrome"\nbus = "a"', "skin_chrome can't be drawn on a bus"),
    ],
)
def test_faults_are_told(text, said):
    with pytest.raises(KfxError, match=said):
        presets.read(f"{HEAD}[[chain]]\n{text}\n", "x.toml", "x")


def test_a_bus_is_planned_saved_and_told(tmp_path):
    preset = presets.load("sn_captcha")
    plan = compile_plan(preset)
    assert sorted(plan.buses) == ["a", "b", "c"]
    assert [step.kind for step in plan.steps] == ["frame", "frame"]
    assert plan.places == frozenset(range(len(preset.chain)))
    presets.save(preset, tmp_path / "again.toml")
    again = presets.load(str(tmp_path / "again.toml"))
    assert [link.bus for link in again.chain] == [link.bus for link in preset.chain]
    assert again.chain == preset.chain
