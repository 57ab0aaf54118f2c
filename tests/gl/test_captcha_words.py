"""captcha_grid in words: a header of one's own, tiles, ticks and their times by list."""

from itertools import pairwise

import numpy as np
import pytest

from kfx import effects
from kfx.engine.look.chain import Chain
from kfx.errors import KfxError
from kfx.render import lettering
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of

SIZE = (480, 270)
FRAMES = 12
# Left and top of the card at SIZE, and how wide it is, as the shader works it out.
WIDE = 180
LEFT, TOP = (SIZE[0] - WIDE) // 2, (SIZE[1] - 250) // 2


@pytest.fixture(scope="module")
def chain():
    """One look for all tests: they set its knobs and begin with a cut."""
    with Gpu() as gpu, Chain(gpu, preset_of("captcha_grid"), SIZE) as chain:
        yield chain


def shown(chain, frames=FRAMES, **knobs):
    known = {name: one.default for name, one in effects.find("captcha_grid").knobs.items()}
    known["dusk"] = 1.0
    for name, value in {**known, **knobs}.items():
        chain.set(0, name, known[name] if value is None else value)
    face, pictures = face_at(240, 105, 50), []
    for i in range(frames):
        tick = tick_of(frame_of(picture(*SIZE, seed=i), i), [face], bool(i) / 30)
        pictures.append(np.array(chain.render(tick)).astype(int)[..., :3])
    return pictures


def tile(pixels, k):
    """The middle of tile k, counted from 0 at the top left of nine."""
    side = WIDE * (1 - 2 * 0.034) / 3
    x = LEFT + WIDE * 0.034 + side * (k % 3 + 0.5)
    y = TOP + WIDE * (0.034 + 0.235) + side * (k // 3 + 0.5)
    return pixels[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12]


def changes(pictures, k):
    """How many times the tile shows something else after it has landed."""
    late = pictures[8:]
    return sum(np.abs(tile(a, k) - tile(b, k)).mean() > 1 for a, b in pairwise(late))


def test_tiles_show_what_the_list_says_and_treatments_add_up(chain):
    pictures = shown(
        chain, 20, tile_fx="live, frozen, deadpan, live+blocks, frozen+print", hold=0.5
    )
    assert changes(pictures, 0) >= 10, "a live tile stands"
    assert changes(pictures, 5) >= 10, "the list isn't repeated from its beginning"
    assert changes(pictures, 1) == 0, "a frozen tile moves"
    assert changes(pictures, 2) == 1, "a deadpan tile holds its picture for half a beat"
    blocks = tile(pictures[-1], 3)
    assert (np.abs(np.diff(blocks, axis=1)).max(axis=(0, 2)) < 3).mean() > 0.5, "no blocks"
    ink = tile(pictures[-1], 4).reshape(-1, 3)
    assert (np.abs(ink - [201, 255, 61]).max(axis=1) < 40).mean() > 0.1, "a still isn't printed"


def test_ticks_fall_on_the_tiles_and_beats_of_the_lists(chain):
    """The accent frames a ticked tile; a third of a beat is five frames."""

    def ticked(pixels, k):
        around = pixels[TOP + 48 : TOP + 216, LEFT + 6 : LEFT + 174]
        side = around.shape[0] // 3
        part = around[k // 3 * side :, k % 3 * side :][:side, :side]
        return (np.abs(part - [201, 255, 61]).max(axis=2) < 30).sum() > 200

    pictures = shown(chain, 24, tile_fx="live", ticked="9, 1", tick_times="0.34, 1.0")
    assert [k for k in range(9) if ticked(pictures[4], k)] == []
    assert [k for k in range(9) if ticked(pictures[12], k)] == [8]
    assert [k for k in range(9) if ticked(pictures[23], k)] == [0, 8]
    none = shown(chain, 24, tile_fx="live, frozen", ticked="0", tick=0.125)
    assert [k for k in range(9) if ticked(none[23], k)] == []


def test_the_header_says_what_is_written(chain):
    def header(**knobs):
        return shown(chain, 2, **knobs)[-1][TOP + 8 : TOP + 46, LEFT + 8 : LEFT + 172]

    own, other = header(header="WHO IS REAL?"), header(header="WHO IS REAL!")
    assert (own > 150).any(axis=2).mean() > 0.05, "nothing is written"
    assert np.abs(own - other).max() > 60
    assert np.abs(own - header()).max() > 60
    assert np.abs(header() - header(language=1)).max() == 0, "the words it brings along are gone"


def test_a_line_is_set_to_the_bit_and_lacking_letters_are_told():
    field = lettering.drawn("AI 42")
    assert field.shape[0] == lettering.ROW_PX
    assert 0.05 < (field > 128).mean() < 0.6
    np.testing.assert_array_equal(field, lettering.drawn("AI 42"))
    with pytest.raises(KfxError, match="font = "):
        lettering.drawn("A\U0010fffd")
    with pytest.raises(KfxError, match="no font that can be read"):
        lettering.drawn("A", __file__)


def test_a_list_comes_back_from_its_texels():
    numbers = (0.0, 0.25, 3.125, 512.0, 1023.0)
    texels = lettering.listed(numbers)[0].astype(float)
    whole = texels[:, :3] @ [1.0, 256.0, 65536.0]
    np.testing.assert_allclose(whole / lettering.STEPS, numbers)
    assert (texels[:, 3] == 255).all()
