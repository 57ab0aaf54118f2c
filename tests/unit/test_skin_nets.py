"""The nets that turn skin into a material: cards, what they leave alone, light, and calm."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import onnx
import pytest

from kfx import assets, effects, presets, sources
from kfx import canonical as c
from kfx.engine.look.modulate import Knobs
from kfx.neural import aligned, answer
from kfx.neural.fitting import check_hash
from kfx.neural.session import Given, Net
from tests.faces import frame_of, tick_of
from tests.faces import picture as plain_picture

NAMES = ("skin_chrome", "skin_porcelain", "skin_nova")
MOST_BYTES = 3_000_000
SIDE = 256
CHEEKS = (205, 425)  # the performer's right, left
pytestmark = pytest.mark.filterwarnings("error")


class Skin:
    """One net, and the performer's face as it is given to it."""

    def __init__(self, name):
        self.card = effects.find(name).source
        self.net = Net(self.card, (SIDE, SIDE))

    def of(self, picture, landmarks=None, **given):
        """The picture 0..1 that is shown for a crop (h, w, 4)."""
        given = Given(picture, landmarks=landmarks, **given)
        change = answer.drawn(self.card, self.net.run(given), picture, {})
        return picture[..., :3] / 255.0 + change[..., :3].astype(np.float64)


@pytest.fixture(scope="module")
def face():
    """The performer's crop (256, 256, 4) and landmarks (478, 3) in its pixels."""
    with sources.open("performer", size=(640, 480), stop_s=Fraction(1, 10)) as source:
        frame = next(iter(source.frames()))
    one = frame.truth[0]
    to_crop = aligned.crop(one, "face", (SIDE, SIDE), 0.1)
    picture = cv2.warpAffine(frame.pixels, to_crop, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    scale = np.linalg.norm(to_crop[0, :2])
    points = np.hstack([aligned.apply(to_crop, one.landmarks), one.landmarks[:, 2:] * scale])
    return picture, points.astype(np.float32)


@pytest.fixture(scope="module", params=NAMES)
def skin(request):
    skin = Skin(request.param)
    with skin.net:
        yield skin


def inside(points, ring, shrink=0.8):
    """A mask of what lies well inside a ring of landmarks."""
    polygon = points[list(ring), :2]
    polygon = polygon.mean(axis=0) + shrink * (polygon - polygon.mean(axis=0))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon).astype(np.int32)], 1)
    return mask > 0


def skin_of(points):
    """Where skin surely is: the oval, without eyes, mouth, brows and rim."""
    out = inside(points, c.OVAL, 0.8)
    for ring in (c.RIGHT_LIDS, c.LEFT_LIDS, c.OUTER_LIPS):
        out &= ~inside(points, ring, 1.7)
    return out


def test_cards_and_files(skin):
    card = skin.card
    assert card.name in effects.names()
    assert (card.kind, card.region, card.stick) == ("image", "face", "change")
    assert card.licence == "Apache-2.0"
    assert card.notes["data"]["held_out"]
    check_hash(card)
    assert card.path == assets.folder("models") / f"{card.name}.onnx"
    assert card.path.stat().st_size < MOST_BYTES
    model = onnx.load(str(card.path))
    onnx.checker.check_model(model)
    assert [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")] == [17]


def test_skin_changes_and_eyes_stay(skin, face):
    picture, points = face
    shown = skin.of(picture, points / SIDE)
    assert np.isfinite(shown).all()
    change = np.abs(shown - picture[..., :3] / 255.0).mean(axis=2)
    assert change[skin_of(points)].mean() > 0.08
    for lids in (c.RIGHT_LIDS, c.LEFT_LIDS):
        assert change[inside(points, lids, 0.7)].mean() < 0.04


def test_the_face_stays_who_it_is(skin, face):
    """Folds and features keep their drawing: the fine structure still goes along with the plate."""
    picture, points = face
    shown = skin.of(picture, points / SIDE).mean(axis=2)
    plate = picture[..., :3].mean(axis=2) / 255.0
    middle = inside(points, c.OVAL, 0.8)
    blur = cv2.GaussianBlur
    a, b = (blur(x, (0, 0), 1.0) - blur(x, (0, 0), 5.0) for x in (shown, plate))
    assert np.corrcoef(a[middle], b[middle])[0, 1] > 0.35


def test_light_from_one_side_is_followed(skin, face):
    picture, points = face
    ramp = np.linspace(-1, 1, SIDE)[None, :, None]
    sides = []
    for way in (-1.0, 1.0):
        lit = picture.copy()
        lit[..., :3] = np.clip(picture[..., :3] * (0.75 + 0.45 * way * ramp), 0, 255)
        shown = skin.of(lit, points / SIDE)
        grey = cv2.blur(shown.mean(axis=2), (25, 25))
        right, left = (grey[round(float(y)), round(float(x))] for x, y in points[list(CHEEKS), :2])
        sides.append(left / right)
    assert sides[1] > 1.25 * sides[0]


def test_it_is_calm(skin, face):
    """Noise isn't made larger much, and what moves takes its material along."""
    picture, points = face
    rng = np.random.default_rng(4)
    where = skin_of(points)
    noisy = [
        np.clip(picture + rng.normal(0, 2.0, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(2)
    ]
    a, b = (skin.of(one, points / SIDE) for one in noisy)
    plate = np.abs(noisy[0][..., :3].astype(float) - noisy[1][..., :3])[where].mean() / 255
    assert np.abs(a - b)[where].mean() < 2.5 * plate
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 1.5, 1.01) + [[0, 0, 1.7], [0, 0, -1.3]]
    moved = cv2.warpAffine(picture, turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    there = points.copy()
    there[:, :2] = aligned.apply(turn, points)
    shown = skin.of(moved, there / SIDE)
    back = cv2.warpAffine(shown, turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    still = skin.of(picture, points / SIDE)
    error = np.abs(cv2.GaussianBlur(back - still, (0, 0), 1.0))[where].mean()
    assert error < 0.03


def test_every_knob_does_something(skin, face):
    picture, points = face
    ports = skin.card.role("knob")
    assert ports
    for port in ports:
        low, high = (
            skin.of(picture, points / SIDE, knobs={port.name: value})
            for value in (port.min, port.max)
        )
        assert np.abs(high - low)[inside(points, c.OVAL, 0.8)].mean() > 0.004


def test_what_hides_the_face_stays(skin, face):
    """A microphone before the cheek is no skin, and the cheek beside it still is."""
    plate, points = face
    x, y = np.rint(points[CHEEKS[0], :2]).astype(int)
    hidden = plate.copy()
    cv2.ellipse(hidden, (int(x), int(y) + 40), (20, 60), 20, 0, 360, (24, 30, 62, 255), -1)
    inner = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(inner, (int(x), int(y) + 40), (14, 50), 20, 0, 360, 1, -1)
    change = np.abs(skin.of(hidden, points / SIDE) - hidden[..., :3] / 255.0).mean(axis=2)
    cheek = inside(points, c.OVAL, 0.8) & (hidden == plate).all(axis=2)
    assert change[inner > 0].mean() < 0.35 * change[cheek].mean()


def test_it_runs_without_a_face(skin):
    """`kfx model try` and a lost face give no landmarks; noise and black must not blow up."""
    rng = np.random.default_rng(0)
    for picture in (
        np.zeros((SIDE, SIDE, 4), np.uint8),
        rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8),
        np.full((SIDE, SIDE, 4), 255, np.uint8),
    ):
        shown = skin.of(picture)
        assert np.isfinite(shown).all()
        assert shown.min() > -0.01
        assert shown.max() < 1.01


def test_the_galaxy_is_fixed_to_the_skin(face):
    """Nova's sky goes where the landmarks go, whatever the picture."""
    picture, points = face
    soft = cv2.blur(picture, (31, 31))  # what is drawn is the sky's, not a fold's
    nova = Skin("skin_nova")

    def sky(landmarks):
        given = [nova.of(soft, landmarks / SIDE, knobs={"glow": glow}) for glow in (0.0, 1.0)]
        return given[1] - given[0]

    with nova.net:
        here, shifted = (sky(points + np.float32([x, 0.0, 0.0])) for x in (0.0, 6.0))
    where = skin_of(points)
    grey = [np.asarray(one.mean(axis=2), np.float32) for one in (here, shifted)]
    grey = [one - cv2.GaussianBlur(one, (0, 0), 6.0) for one in grey]
    along = {
        dx: float((np.roll(grey[0], dx, axis=1) * grey[1])[where].mean()) for dx in range(-3, 10)
    }
    assert max(along, key=along.get) in (5, 6, 7)


@pytest.mark.parametrize("name", ["sn_metal_ai", "style_flip", "porcelain_doll"])
def test_presets_play_them(name):
    chain = presets.load(name).chain
    assert any(link.effect.name in NAMES for link in chain)


@pytest.mark.parametrize(
    ("beat", "worn"),
    [(0.02, 0), (0.97, 0), (1.03, 1), (1.97, 1), (2.5, None), (3.03, 2), (4.03, 0)],
)
def test_styles_flip_on_the_beat(beat, worn):
    """One style at a time, each awake in the beat before: a net that sleeps comes late."""
    preset = presets.load("style_flip")
    tick = replace(tick_of(frame_of(plain_picture(64, 36)), (), 1 / 30), beat=beat, bar=beat / 4)
    values = Knobs(preset).at(tick)
    mixes = {
        link.effect.name: now["mix"]
        for link, now in zip(preset.chain, values, strict=True)
        if link.effect.name in NAMES
    }
    for i, name in enumerate(NAMES):
        if i == worn:
            assert mixes[name] > 0.99
        else:
            assert mixes[name] < 1 / 255
        if (0, 1, 3)[i] == (int(beat) + 1) % 4:
            assert mixes[name] > 0.0


def test_what_is_left_of_skin_around_the_eyes_is_not_red(skin, face):
    """Red rims beside metal look like sore eyes."""
    picture, points = face
    plate = picture[..., :3] / 255.0
    shown = skin.of(picture, points / SIDE)
    for lids in (c.RIGHT_LIDS, c.LEFT_LIDS):
        eye = inside(points, lids, 0.9)
        before, after = (np.mean((one[..., 0] - one[..., 1])[eye]) for one in (plate, shown))
        assert after < 0.8 * before
