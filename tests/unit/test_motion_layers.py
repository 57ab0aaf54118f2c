"""What motion effects do beside moving faces: light, layers, retouched stills, names."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import effects, presets
from kfx.canonical import canonical
from kfx.engine.desk import tree
from kfx.engine.look.autobypass import Strict
from kfx.engine.look.motions import Motions
from kfx.engine.takes.take_effects import class_of
from kfx.errors import KfxError
from kfx.motion.cast import slot_of
from kfx.motion.frozen_portrait import FrozenPortrait
from kfx.motion.patch import STEP_PX, cut
from kfx.motion.smooth import bare, smoothed
from kfx.params import Performer, parse
from kfx.presets import Link, Preset
from kfx.presets.schema import schema
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, smiling, tick_of
from tests.unit.test_motion_cast import gap_of, ticks_of, two
from tests.unit.test_motion_effects import degenerate

PIXELS = picture(640, 360)
SMALL = picture(320, 180)
LAYERED = [
    name
    for name in effects.names()
    if effects.find(name).kind == "motion" and effects.find(name).source.layered
]
SHOWN = {"asymmetry": {"twin": 1.0}, "drift_features": {"cut": 1.0}, "expr_bank": {"density": 1.0}}


def motions_of(name, **knobs):
    spec = effects.find(name)
    values = {knob: one.default for knob, one in spec.knobs.items()} | knobs
    link = Link(spec, values)
    return Motions([(0, link)], Strict(Preset("tried", "", (link,))))


def laid(name, n=20, face=None, **knobs):
    """What is laid over a face at each of `n` ticks."""
    motions, found = motions_of(name, **SHOWN.get(name, {}), **knobs), []
    for k in range(n):
        one = face or face_at(300, 180, 60, age=k + 2, shape=smiling((k % 7) / 6))
        tick = tick_of(frame_of(PIXELS, k), [one], 0.0 if k == 0 else 1 / 30)
        found.append(motions.layers(motions.drive(tick, {})))
    return found


@pytest.mark.parametrize("name", LAYERED)
def test_what_is_laid_over_a_face_is_seen_bounded_and_repeats(name):
    found = laid(name)
    assert any(found)
    for layers in found:
        for still, face, points in layers:
            assert still.cover.shape == (478,)
            assert still.cover.min() >= 0.0
            assert still.cover.max() <= 1.0
            assert still.cover[[10, 152, 234, 454]].max() < 0.01, "it ends at the oval"
            assert still.pixels.shape[0] % STEP_PX == still.pixels.shape[1] % STEP_PX == 0
            high, wide = still.pixels.shape[:2]
            assert (still.face.landmarks[:468, :2] >= -1).all()
            assert (still.face.landmarks[:468, :2] <= [wide + 1, high + 1]).all()
            assert np.abs(points - face.landmarks)[:, :2].max() < 1.2 * face.iod
    again = laid(name)
    for one, other in zip(found, again, strict=True):
        for (a, _, _), (b, _, _) in zip(one, other, strict=True):
            assert (a.pixels == b.pixels).all()
            assert (a.cover == b.cover).all()


@pytest.mark.parametrize("name", LAYERED)
def test_no_mix_lays_nothing(name):
    assert not any(laid(name, mix=0.0))
    whole, half = (
        max(s.cover.max() for one in laid(name, mix=m) for s, _, _ in one) for m in (1, 0.5)
    )
    assert half == pytest.approx(0.5 * whole, abs=1e-3)


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("name", [*LAYERED, "micro_jitter"])
def test_degenerate_faces_do_no_harm(name, case):
    motions = motions_of(name, **SHOWN.get(name, {}))
    for k in range(6):
        faces = degenerate()[case]
        tick = tick_of(frame_of(SMALL, k), faces, 0.0 if k == 0 else 1 / 30)
        for still, _, points in motions.layers(motions.drive(tick, {})):
            for values in (still.cover, still.face.landmarks, points, still.tint):
                assert values is None or np.isfinite(values).all()
        assert all(np.isfinite(one).all() for one in motions.lights.values())


def test_a_twin_is_the_other_half_turned_over():
    face = face_at(300, 180, 60)
    patch = cut(PIXELS, face, mirrored=True)
    assert patch is not None
    mirror = canonical().mirror.astype(int)
    for i in (61, 105, 205):
        x, y = patch.face.landmarks[i, :2]
        theirs = face.landmarks[mirror[i], :2]
        shown = patch.pixels[int(y), int(x), :3].astype(int)
        meant = PIXELS[int(theirs[1]), int(theirs[0]), :3].astype(int)
        assert np.abs(shown - meant).max() <= 40, "a neighbour at most"
    (still, _, _), *_ = laid("asymmetry", 1, face)[0]
    assert still.cover[205] > 0.9
    assert still.cover[425] == 0.0, "the left half leads first"


def test_a_half_that_is_turned_away_is_not_mirrored():
    ways = [laid("asymmetry", 1, face_at(300, 180, 60, yaw=yaw))[0] for yaw in (-35, 0, 35)]
    covers = [max((s.cover.max() for s, _, _ in one), default=0.0) for one in ways]
    assert covers[1] > 0.9
    assert min(covers[0], covers[2]) == 0.0


def test_cut_out_features_leave_bare_skin_and_come_home():
    found = laid("drift_features", 60, face_at(300, 180, 60), amp=0.5)
    assert not found[0], "at home on the bar"
    skin, features = found[50]
    assert skin[0].away is None
    away = np.abs(features[0].away[:, :2]).max(axis=1) / 60
    assert 0.1 < away[features[0].cover > 0.5].max() < 0.9
    drawn = motions_of("drift_features", cut=1.0)
    tick = tick_of(frame_of(PIXELS, 3), [face_at(300, 180, 60)])
    (face, points), *_ = drawn.drive(tick, {})
    np.testing.assert_allclose(points, face.landmarks, atol=1e-3)


def test_the_bank_shows_the_skin_of_another_moment_in_the_light_of_now():
    motions, tints = motions_of("expr_bank", density=1.0, texmix=0.6), []
    for k in range(60):
        pixels = PIXELS if k < 30 else freeze(PIXELS // 2)
        tick = tick_of(frame_of(pixels, k), [face_at(300, 180, 60, age=k + 2)], (k > 0) / 30)
        for still, _, _ in motions.layers(motions.drive(tick, {})):
            assert still.cover.max() <= 0.6 + 1e-6
            if k > 32:
                tints.append(still.tint)
    white = np.float32([0.5])
    darker = [float((t[:, :3] * white + t[:, 3:]).mean()) for t in tints]
    assert min(darker) < 0.4, "what was remembered bright is shown dark"
    assert not any(laid("expr_bank", texmix=0.0))


def test_the_light_on_patches_flickers_a_little_and_not_at_the_edge():
    motions, seen = motions_of("micro_jitter", flicker=0.05), []
    for k in range(30):
        tick = tick_of(frame_of(PIXELS, k), [face_at(300, 180, 60)], (k > 0) / 30)
        motions.drive(tick, {})
        seen.append(motions.lights[0])
    lit = np.array(seen)
    assert 0.005 < np.abs(lit - 1.0).max() < 0.2
    assert lit.std(axis=0).max() > 0.004
    np.testing.assert_allclose(lit[:, [10, 152, 234]], 1.0, atol=1e-6)
    still = motions_of("micro_jitter", flicker=0.0)
    still.drive(tick, {})
    assert not still.lights


def noisy(face):
    """Skin with pores and blotches, a sharp black line on the lids."""
    noise = np.random.default_rng(2).normal(0, 14, (360, 640, 1))
    pixels = np.clip(np.float32([190, 150, 130]) + noise, 0, 255).astype(np.uint8)
    pixels = np.dstack([pixels, np.full((360, 640), 255, np.uint8)])
    x, y = face.landmarks[159, :2].astype(int)
    pixels[y - 1 : y + 1, x - 4 : x + 4, :3] = 0
    return freeze(pixels)


def test_retouched_skin_is_smooth_and_eyes_stay_sharp():
    face = face_at(300, 180, 70)
    pixels = noisy(face)
    x, y = face.landmarks[205, :2].astype(int)
    cheek = (slice(y - 8, y + 8), slice(x - 8, x + 8))
    eye_x, eye_y = face.landmarks[159, :2].astype(int)
    rough = [smoothed(pixels, [face], a)[cheek][..., 0].astype(float).std() for a in (0, 0.3, 1.0)]
    assert rough[0] > 1.15 * rough[1] > 1.15 * rough[2]
    assert rough[2] < 0.5 * rough[0]
    shown = smoothed(pixels, [face], 1.0)
    assert shown[eye_y - 1, eye_x, 0] < 30
    assert (shown[:40, :40] == pixels[:40, :40]).all()
    assert smoothed(pixels, [face], 0.0) is pixels
    assert not shown.flags.writeable


def test_bare_skin_has_no_features():
    face = face_at(300, 180, 70)
    patch = bare(noisy(face), face)
    assert patch is not None
    x, y = patch.face.landmarks[159, :2].astype(int)
    assert patch.pixels[y, x, 0] > 150, "nothing of the lid is left"


def test_a_still_is_retouched_when_it_is_taken():
    face = face_at(300, 180, 70)
    pixels = noisy(face)
    stills = []
    for amount in (0.0, 1.0):
        motion = FrozenPortrait({"smooth_skin": amount})
        for k in range(14):
            scene = motion.hold(tick_of(frame_of(pixels, k), [face], (k > 0) / 30))
        stills.append(scene.stills[0].pixels)
    assert stills[0] is pixels
    assert (stills[1] != pixels).any()


def test_the_mouth_of_a_still_locks_to_the_song():
    motion = FrozenPortrait({"lock": 2.0, "hz": 30.0})
    steps = []
    for k in range(45):
        tick = tick_of(frame_of(SMALL, k), [face_at(160, 90, 40)], (k > 0) / 30)
        if motion.hold(replace(tick, beat=k / 20)) is not None:
            steps.append(motion._stepped)
    assert steps.count(True) in (4, 5), "eighths of a song of 90 beats a minute, not 30 Hz"


def test_performers_are_meant_by_slot_or_name():
    knob = Performer("0")
    assert [knob.check(one) for one in (3, "3", 3.0, "lead", " Karina ", "")] == [
        *("3", "3", "3", "lead", "Karina", ""),
    ]
    for wrong in (8, "9", -1, 1.5, True, None, "x" * 65):
        with pytest.raises(ValueError, match=r"slot|performer"):
            knob.check(wrong)
    assert parse(knob, "2") == "2"
    assert parse(knob, "lead") == "lead"
    assert [slot_of(one, {4: "Lead"}) for one in ("2", "lead", "LEAD", "who", "", 5)] == [
        *(2, 4, 4, None, None, 5),
    ]
    assert slot_of("lead", {}) == 0
    spec = effects.find("retarget")
    assert tree.kind_of(spec.knobs["slot"]) == "text"
    said = schema()["definitions"]["effect.retarget"]["properties"]["slot"]
    assert {"type": "integer", "minimum": 0, "maximum": 7} in said["anyOf"]
    text = 'version = 1\n[[chain]]\neffect = "retarget"\nslot = {}\n'
    for written, kept in (("1", "1"), ('"lead"', "lead")):
        assert presets.read(text.format(written), "x.toml", "x").chain[0].values["slot"] == kept
    with pytest.raises(KfxError, match="slot"):
        presets.read(text.format("9"), "x.toml", "x")


def test_retarget_finds_its_driver_by_name():
    for names, moves in (({1: "singer"}, True), ({}, False)):
        motions = motions_of("retarget", slot="singer")
        casts = [two(k, slot=(1, 0)) for k in range(30)]
        gaps = []
        for tick in ticks_of(casts):
            driven = {face.slot: (face, points) for face, points in motions.drive(tick, names)}
            gaps.append(gap_of(driven[0][1], driven[0][0]))
        assert (np.ptp(gaps) > 0.05) == moves


def test_all_may_wear_one_face_and_keep_their_eyes():
    cast = [face_at(120 + 180 * k, 150, 50, slot=k) for k in range(3)]
    tick = tick_of(frame_of(PIXELS, 4), cast)
    motions = motions_of("face_exchange", worn_by_all="lead")
    motions.drive(tick, {2: "lead"})
    assert {slot: still.face.slot for slot, still in motions.scene.stills.items()} == {0: 2, 1: 2}
    nobody = motions_of("face_exchange", worn_by_all="who")
    nobody.drive(tick, {})
    assert nobody.scene is None
    kept = motions_of("face_exchange", keep_eyes=True)
    kept.drive(tick, {})
    for still in kept.scene.stills.values():
        assert still.cover[[159, 386, 468, 473]].max() < 0.05
        assert still.cover[[4, 205]].min() > 0.5


def test_a_net_that_acts_is_declared_as_one():
    source = effects.find("ai_motion").source
    assert (source.generative, source.reenact, source.likeness) == (True, True, False)
    assert class_of(effects.find("ai_motion")) == "generative"
    assert class_of(effects.find("frozen_portrait")) == "reenact"


def test_who_has_left_stays_in_the_round_of_a_morph():
    motions, seen = motions_of("morph_cycle", bank=True, length=1.0), []
    casts = [two(k) for k in range(20)] + [two(k)[:1] for k in range(20, 60)]
    for k, faces in enumerate(casts):
        motions.drive(tick_of(frame_of(PIXELS, k), faces, (k > 0) / 30), {})
        worn = {} if motions.scene is None else motions.scene.stills
        seen.append({slot: still.face.slot for slot, still in worn.items()})
    assert {0: 1} in seen[25:], "the one who is left wears the one who has gone"
    assert all(set(one) <= {0} for one in seen[20:])
    alone = motions_of("morph_cycle", length=1.0)
    for k, faces in enumerate(casts):
        alone.drive(tick_of(frame_of(PIXELS, k), faces, (k > 0) / 30), {})
    assert alone.scene is None


def test_a_layer_over_a_held_face_is_cut_from_what_is_held():
    links = []
    for name, knobs in (("frozen_portrait", {"smooth_skin": 0.0}), ("asymmetry", {"twin": 1.0})):
        spec = effects.find(name)
        values = {knob: one.default for knob, one in spec.knobs.items()} | knobs
        links.append(Link(spec, values))
    motions = Motions(list(enumerate(links)), Strict(Preset("tried", "", tuple(links))))
    dark = freeze(PIXELS // 4)
    for k in range(20):
        tick = tick_of(
            frame_of(PIXELS if k < 14 else dark, k), [face_at(300, 180, 60)], (k > 0) / 30
        )
        layers = motions.layers(motions.drive(tick, {}))
    assert motions.scene.stills[0].pixels is PIXELS
    (still, _, _), *_ = layers
    assert still.pixels[..., :3].max() > 200, "from the bright still, not the dark frame of now"


def test_a_snap_of_the_bank_leaves_a_ghost_of_one_frame():
    """The face before stands in the frame in which another expression begins, and in no other."""
    knobs = {"density": 1.0, "rate": 0.5, "gate": 0.7, "texmix": 0.0}
    plain, ghosts = motions_of("expr_bank", **knobs), motions_of("expr_bank", **knobs, ghost=0.5)
    before, seen = None, []
    for k in range(40):  # an eighth is 7.5 frames
        tick = tick_of(frame_of(PIXELS, k), [face_at(320, 150, 60, age=k + 2)], (k > 0) / 30)
        points = plain.drive(tick, {})[0][1]
        driven = ghosts.drive(tick, {})
        np.testing.assert_array_equal(driven[0][1], points)
        assert not plain.layers(driven)
        for still, _, lies in ghosts.layers(driven):
            seen.append(k)
            assert still.cover.max() == pytest.approx(0.5)
            away = np.abs(lies - before)[[4, 105, 107, 334, 336, 50, 280]]  # no lids, no lips
            assert away.max() < 0.01 * 60, "the ghost isn't the face before"
            assert np.abs(lies - points).max() < 60
        before = points
    assert seen == [8, 15, 23, 30, 38]
