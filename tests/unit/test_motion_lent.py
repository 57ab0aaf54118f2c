"""Faces out of files in a morph: found once, shown again to the bit, hair by their matte."""

from fractions import Fraction

import numpy as np
import pytest

from kfx import sources
from kfx.engine.look.plan import compile_plan
from kfx.errors import KfxError
from kfx.motion.lent import Lender
from kfx.motion.morph_cycle import MorphCycle
from kfx.motion.patch import cut
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of
from tests.unit import media

RATE = 30


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A picture of the performer, and a clip of six frames."""
    import cv2

    folder = tmp_path_factory.mktemp("lent")
    with sources.open("performer?size=320x240&fps=25", stop_s=Fraction(6, 25)) as source:
        pictures = [np.array(frame.pixels) for frame in source.frames()]
    still, clip = folder / "still.png", folder / "clip.mp4"
    cv2.imwrite(str(still), cv2.cvtColor(pictures[0], cv2.COLOR_RGBA2BGR))
    media.make(clip, pictures)
    return still, clip


def scenes(n, **knobs):
    motion, found = MorphCycle({"length": 2.0, "stay": 0.3, **knobs}), []
    for k in range(n):
        face = face_at(300, 150, 60, age=k + 2)
        tick = tick_of(frame_of(PIXELS, k), [face], bool(k) / RATE)
        found.append((motion.hold(tick), motion.drive(face, tick)))
    return found


PIXELS = picture(640, 360)


def test_a_face_out_of_a_file_joins_the_round(portrait):
    still, _ = portrait
    alone = scenes(8)
    assert all(scene is None for scene, _ in alone), "one performer has nobody to turn into"
    found = scenes(60, file_1=str(still), hair=0.8)
    assert found[0][0] is None
    half, whole, back = found[10][0], found[28][0], found[55][0]
    assert half.stills[0].face.slot == whole.stills[0].face.slot >= 8
    assert 0.0 <= half.stills[0].around < whole.stills[0].around == pytest.approx(0.8)
    assert back is None or back.under[0].around < 0.1, "its hair stays when the face has gone"
    alpha = whole.stills[0].pixels[..., 3]
    assert (alpha > 200).mean() > 0.2, "nobody is cut out"
    assert (alpha < 50).mean() > 0.1, "the background comes along"
    moved = np.array([points for _, points in found])
    assert np.isfinite(moved).all()
    assert np.abs(np.diff(moved, axis=0)).max() < 0.12 * 60
    for (one, points), (other, same) in zip(
        found, scenes(12, file_1=str(still), hair=0.8), strict=False
    ):
        np.testing.assert_array_equal(points, same)
        if one is not None:
            np.testing.assert_array_equal(one.stills[0].pixels, other.stills[0].pixels)
            np.testing.assert_array_equal(one.stills[0].cover, other.stills[0].cover)
    assert all(s is None or s.stills[0].around == 0.0 for s, _ in scenes(20, file_1=str(still)))


def test_a_clip_goes_forth_and_back(portrait):
    lender = Lender(str(portrait[1]), 8)
    forth = [lender.at(k / 25) for k in range(6)]
    assert len({id(one) for one in forth}) == 6
    assert lender.at(0.2 + 0.04) is forth[4]
    assert lender.at(0.4) is forth[0]
    assert Lender(str(portrait[0]), 8).at(99.0).patch.face.slot == 8


def test_a_file_without_a_face_is_told(tmp_path):
    import cv2

    path = tmp_path / "nobody.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 90, np.uint8))
    with pytest.raises(KfxError, match=r"nobody\.png: no face is found"):
        scenes(1, file_1=str(path))


def test_the_matte_is_asked_for_where_hair_comes_along():
    assert not compile_plan(preset_of("morph_cycle")).needs_person
    assert compile_plan(preset_of("morph_cycle", hair=0.5)).needs_person
    assert not compile_plan(preset_of("morph_cycle", hair=0.5, mix=0.0)).needs_person


def test_hair_fades_where_the_frame_cuts_it_off():
    matte = freeze(np.full((36, 64), 255, np.uint8))
    inside = cut(PIXELS, face_at(320, 160, 40), around_iod=1.0, matte=matte)
    assert inside.pixels[..., 3].max() == 255
    assert inside.pixels[2:8, 100, 3].min() == 255
    edge = cut(PIXELS, face_at(320, 60, 40), around_iod=1.0, matte=matte)
    assert edge.pixels[0, 100, 3] == 0
    assert 100 < edge.pixels[8, 100, 3] < 160
