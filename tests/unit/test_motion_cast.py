"""Faces of others: retarget, face_exchange and morph_cycle on posed and broken faces."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from kfx import effects
from kfx.canonical import INNER_LIPS, OVAL, canonical
from kfx.engine.look.autobypass import Strict
from kfx.engine.look.motions import Motions
from kfx.motion.face_exchange import FaceExchange
from kfx.motion.morph_cycle import MorphCycle
from kfx.motion.retarget import INCOMING, Retarget
from kfx.presets import Link, Preset
from kfx.tracking import pose as poses
from kfx.tracking.blendshapes import Blendshapes
from kfx.tracking.rig import rig
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of

PIXELS = picture(640, 360)
NAMES = ["retarget", "face_exchange", "morph_cycle"]
ALL = frozenset(range(8))


def opened(amount, x=160.0, slot=0, iod=60.0, age=5):
    """A face with shut lips whose jaw is open by `amount`."""
    shape = canonical().vertices.copy()
    gap = (shape[INNER_LIPS[15], 1] - shape[INNER_LIPS[5], 1]) * 0.9
    lower = [INNER_LIPS[k] for k in range(11, 20)]
    shape[lower, 1] -= gap
    face = face_at(x, 150, iod, slot=slot, age=age, shape=shape)
    if amount == 0.0:
        return face
    return replace(face, landmarks=freeze(rig().pose(face, {"jawOpen": amount}, {"jawOpen": 0.0})))


def two(k=0, slot=(0, 1)):
    """A performer who opens and shuts the mouth, and one who keeps still."""
    moving = opened(0.4 * (1 - np.cos(0.5 * k)), slot=slot[0], age=k + 2)
    return [moving, opened(0.0, x=460.0, slot=slot[1], iod=50.0, age=k + 2)]


def run(name, ticks, **knobs):
    """What the chain would be told at every tick: [(face, driven)…], scene."""
    spec = effects.find(name)
    values = {knob: one.default for knob, one in spec.knobs.items()} | knobs
    link = Link(spec, values)
    motions = Motions([(0, link)], Strict(Preset("tried", "", (link,))))
    return [(motions.drive(tick, {}), motions.scene) for tick in ticks]


def ticks_of(casts, rate=30):
    return [
        tick_of(frame_of(PIXELS, k), faces, 0.0 if k == 0 else 1 / rate)
        for k, faces in enumerate(casts)
    ]


def gap_of(points, face):
    shape = poses.to_canonical(face.pose, points)
    return shape[INNER_LIPS[15], 1] - shape[INNER_LIPS[5], 1]


def test_they_say_what_they_do_to_people():
    assert effects.find("retarget").source.reenact
    assert effects.find("face_exchange").source.likeness
    assert effects.find("morph_cycle").source.likeness


def test_retarget_moves_the_target_with_the_driver_and_leaves_the_driver():
    shown = run("retarget", ticks_of([two(k) for k in range(30)]))
    wide, target = [], []
    for driven, _ in shown[6:]:
        (driver, points), (other, moved) = driven
        np.testing.assert_allclose(points[:468], driver.landmarks[:468], atol=1e-2)
        wide.append(gap_of(driver.landmarks, driver))
        target.append(gap_of(moved, other))
    assert np.ptp(target) > 0.3 * np.ptp(wide)
    assert np.corrcoef(wide, target)[0, 1] > 0.9


def test_retarget_paints_a_mouth_for_the_target_alone():
    _, scene = run("retarget", ticks_of([two(k) for k in range(8)]))[-1]
    assert scene is not None
    assert scene.whole
    assert set(scene.mouths) == {1}
    assert set(scene.placed) == {0, 1}


def test_a_lost_driver_lets_go_softly():
    casts = [two(k) for k in range(7)] + [two(6)[1:]] * 20
    shown = run("retarget", ticks_of(casts))
    away = [np.abs(driven[-1][1] - driven[-1][0].landmarks).max() for driven, _ in shown]
    assert away[6] > 2.0, away
    assert 0.3 * away[6] < away[9] < away[6]
    assert away[-1] == 0.0
    seen = [0.0 if scene is None else scene.mouths[1].opacity for _, scene in shown]
    assert seen[6] == 1.0
    assert max(-np.diff(seen)) < 0.35, "the painted mouth goes at once"
    assert seen[-1] == 0.0


def test_retarget_takes_a_stream():
    face = opened(0.0)
    ticks = ticks_of([[face]] * 4)
    said = MappingProxyType({INCOMING + "jawOpen": 0.7, INCOMING + "eyeBlinkLeft": float("nan")})
    still = run("retarget", ticks, driver="stream")[-1]
    assert (still[0][0][1] == face.landmarks).all()
    assert still[1] is None
    moved = run("retarget", [replace(t, signals=said) for t in ticks], driver="stream")[-1]
    assert gap_of(moved[0][0][1], face) > gap_of(face.landmarks, face) + 0.1


def test_retarget_shows_what_the_driver_adds_to_rest():
    """A target that rests with a smile of its own keeps it while the driver rests."""
    net = Blendshapes()
    smiling = face_at(460, 150, 50, slot=1)
    smile = rig().pose(smiling, {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4}, {})
    target = replace(smiling, landmarks=freeze(smile))
    casts = [[opened(0.0, age=k + 2), replace(target, age=k + 2)] for k in range(20)]
    driven, _ = run("retarget", ticks_of(casts))[-1]
    before, after = (net.of(p)["mouthSmileLeft"] for p in (target.landmarks, driven[1][1]))
    assert abs(after - before) < 0.1


def test_two_faces_change_places():
    _, scene = run("face_exchange", ticks_of([two(k) for k in range(3)]))[-1]
    assert {slot: one.face.slot for slot, one in scene.stills.items()} == {0: 1, 1: 0}
    assert not scene.whole
    for slot, one in scene.stills.items():
        assert scene.placed[slot].slot == slot
        assert one.cover[list(OVAL)].max() == 0.0, "the edge isn't soft"
        assert one.cover.max() > 0.9
        assert np.isfinite(one.tint).all()


def test_each_wears_another_and_the_round_goes_on():
    cast = [opened(0.0, x=100 + 150 * k, slot=2 * k, iod=30, age=9) for k in range(4)]
    ticks = ticks_of([cast] * 61)  # 120 beats a minute: the last is at beat 4
    shown = run("face_exchange", ticks, every=1.0)
    for k in (0, 20, 40):
        wears = {slot: one.face.slot for slot, one in shown[k][1].stills.items()}
        assert sorted(wears.values()) == sorted(wears), "no permutation"
        assert all(slot != other for slot, other in wears.items())
    assert shown[0][1].stills[0].face.slot != shown[20][1].stills[0].face.slot
    assert shown[50][1] is None, "after a whole round everyone is themselves"


def test_alone_nobody_changes():
    for name in ("face_exchange", "morph_cycle"):
        driven, scene = run(name, ticks_of([[opened(0.3)]] * 40))[-1]
        assert scene is None
        assert (driven[0][1] == driven[0][0].landmarks).all()


def test_light_is_brought_over():
    pixels = PIXELS.copy()
    pixels[:, :320, :3], pixels[:, 320:, :3] = 60, 180
    frame = frame_of(freeze(pixels))
    motion = FaceExchange({"match": 1.0})
    scene = motion.hold(tick_of(frame, two(), 0.0))
    for slot, here, there in ((0, 60, 180), (1, 180, 60)):
        factor, added = np.split(scene.stills[slot].tint, 2, axis=1)
        np.testing.assert_allclose(factor * there / 255 + added, here / 255, atol=0.02)


def test_who_looks_away_is_not_worn():
    turned = face_at(460, 150, 50, slot=1, yaw=60.0)
    scene = FaceExchange().hold(tick_of(frame_of(PIXELS), [opened(0.0), turned], 0.0))
    assert max(one.cover.max() for one in scene.stills.values()) == 0.0


def test_a_morph_goes_over_without_a_jump_the_mouth_first():
    ticks = ticks_of([two(0)] * 121)  # four beats are 60 frames: 36 of change, 24 of rest
    shown = run("morph_cycle", ticks, length=4.0, stay=0.4)
    assert shown[0][1] is None
    half = shown[18][1].stills[0].cover
    assert half[13] > half[151] + 0.05
    assert shown[40][1].stills[0].face.slot == 1
    cover = [0.0 if s is None else float(s.stills[0].cover[5]) for _, s in shown[:60]]
    assert min(cover[36:]) > 0.95
    assert np.abs(np.diff(cover)).max() < 0.12
    driven = np.array([d[0][1] for d, _ in shown])
    assert np.abs(np.diff(driven, axis=0)).max() < 0.1 * 60
    assert shown[70][1].stills[0].face.slot == 0, "two come back after two steps"
    assert shown[70][1].under[0].face.slot == 1
    assert shown[100][1] is None, "everyone is themselves again: the plate"


@pytest.mark.parametrize("name", NAMES)
def test_takes_repeat_and_reset_forgets(name):
    ticks = ticks_of([two(k) for k in range(45)])
    first, again = (run(name, ticks) for _ in range(2))
    for (a, _), (b, _) in zip(first, again, strict=True):
        assert all((p == q).all() for (_, p), (_, q) in zip(a, b, strict=True))
    motion = effects.find(name).source()
    seen = []
    for _ in range(2):
        for tick in ticks[:20]:
            motion.stage(motion.hold(tick), tick, ALL)
            seen.append(motion.drive(tick.faces[1], tick))
        motion.reset()
    assert (seen[19] == seen[39]).all()


@pytest.mark.parametrize("name", NAMES)
def test_broken_faces_do_no_harm(name):
    nan = face_at(slot=1)
    nan = replace(nan, landmarks=freeze(np.full_like(nan.landmarks, np.nan)))
    spot = face_at(slot=2, iod=1e-3)
    outside = face_at(-500, -400, 40, slot=3)
    upside = face_at(300, 150, 50, slot=4, roll=180.0)
    casts = [
        [opened(0.2), nan, spot],
        [opened(0.4), outside, upside],
        [opened(0.1), replace(opened(0.0), slot=5)],
        [],
        [upside, replace(outside, found=False, presence=0.3)],
    ]
    for k, (driven, _) in enumerate(run(name, ticks_of(casts), **_eager(name))):
        for face, points in driven:
            if np.isfinite(face.landmarks).all():
                assert np.isfinite(points).all(), f"cast {k}, slot {face.slot}"
                assert np.abs(points - face.landmarks).max() < max(face.iod, 1.0)


def _eager(name):
    return {"length": 0.25, "stay": 0.0} if name == "morph_cycle" else {}


def test_an_empty_stage_stays_empty():
    assert MorphCycle().hold(tick_of(frame_of(PIXELS), [], 0.0)) is None
    assert Retarget().stage(None, tick_of(frame_of(PIXELS), [], 0.0), ALL) is None
