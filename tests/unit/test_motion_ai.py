"""Motion made by a net: the net itself over minutes, and the effect that plays it on faces."""

import hashlib
import tomllib
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from kfx import assets, effects, own_nets
from kfx.canonical import BROWS, INNER_LIPS, LEFT_IRIS, OUTER_LIPS, canonical
from kfx.engine.look.autobypass import Strict
from kfx.engine.look.motions import Motions
from kfx.motion import motion_net, painted_mouth
from kfx.motion.full_lips import full_lips
from kfx.motion.guard import FARTHEST_LOOK_IOD, believable
from kfx.motion.motion_net import HEAD, LEAST, MOST, Play
from kfx.presets import Link, Preset
from kfx.render import gaze
from kfx.tracking import pose as poses
from kfx.tracking.arkit import NAMES
from kfx.types import freeze
from tests.faces import face_at, frame_of, picture, tick_of

PIXELS = picture(320, 180)
RATE = 30
JAW, BLINK = NAMES.index("jawOpen"), NAMES.index("eyeBlinkLeft")


def played(seconds, energy=0.65, seed=1, bpm=120.0, life=0.9, rate=RATE):
    play = Play(seed, 2)
    times = np.arange(int(seconds * rate)) / rate
    return np.array([play.at(t, t * bpm / 60, energy, life) for t in times])


@pytest.fixture(scope="module")
def minute():
    """One minute of singing."""
    return played(60)


@pytest.fixture(scope="module")
def three_minutes():
    """Three minutes at changing energy; `motion.py judge` looks at ten."""
    play = Play(5, 2)
    times = np.arange(3 * 60 * RATE) / RATE
    return np.array([play.at(t, 2 * t, 0.5 + 0.5 * np.sin(t / 7), 0.9) for t in times])


def test_the_card_tells_of_this_net():
    folder = assets.folder("models")
    card = tomllib.loads((folder / "motion.toml").read_text("utf-8"))
    data = (folder / "motion.onnx").read_bytes()
    assert card["sha256"] == hashlib.sha256(data).hexdigest()
    assert len(data) < 3_000_000
    inputs = {one.name: one.shape[1] for one in own_nets.session("motion").get_inputs()}
    assert inputs == {name: one["shape"][1] for name, one in card["input"].items()}
    assert inputs["past"] == motion_net.COUNT
    assert inputs["state"] == motion_net.STATE


def test_values_are_coefficients_and_a_head(minute):
    assert minute.shape == (60 * RATE, len(NAMES) + 5)
    assert np.isfinite(minute).all()
    assert (minute >= LEAST).all()
    assert (minute <= MOST).all()
    assert not minute[:, NAMES.index("tongueOut")].any()


def test_it_blinks_as_people_do(minute):
    shut = minute[:, BLINK] > 0.45
    starts = np.flatnonzero(~shut[:-1] & shut[1:])
    assert 4 <= len(starts) <= 45, "blinks a minute"
    assert shut.mean() < 0.25


def test_it_never_freezes_and_never_shakes(three_minutes):
    last = three_minutes[-60 * RATE :]
    for second in last[: 59 * RATE].reshape(59, RATE, -1):
        assert np.ptp(second[:, HEAD], axis=0).max() + np.ptp(second[:, :52], axis=0).max() > 0.02
    steps = np.abs(np.diff(last[:, :52], axis=0))
    assert np.percentile(steps, 99.9) < 0.5
    turns = np.diff(last[:, HEAD][:, :3], axis=0)
    assert np.abs(turns).max() < 4.0, "degrees in a thirtieth of a second"
    back = np.sign(turns[1:]) * np.sign(turns[:-1])
    assert ((back < 0) & (np.abs(turns[1:]) > 0.4)).mean() < 0.08, "the head trembles"


def test_three_minutes_stay_where_the_first_was(three_minutes):
    first, last = three_minutes[: 60 * RATE], three_minutes[-60 * RATE :]
    assert np.abs(first.mean(axis=0) - last.mean(axis=0))[:52].max() < 0.2
    assert 0.5 < last[:, JAW].std() / first[:, JAW].std() < 2.0


def test_energy_is_how_much_is_sung(minute):
    silent = played(20, energy=0.0)
    assert silent[:, JAW].mean() < 0.6 * minute[:, JAW].mean()
    loud = played(20, energy=1.0)
    assert np.abs(np.diff(loud[:, JAW])).mean() > 2.0 * np.abs(np.diff(silent[:, JAW])).mean()


def test_a_seed_is_a_take():
    one, again, other = played(2), played(2), played(2, seed=9)
    assert (one == again).all()
    assert np.abs(one - other).max() > 0.05


def test_other_frame_rates_play_the_same():
    thirty, sixty = played(2), played(2, rate=60)
    np.testing.assert_allclose(thirty[5:], sixty[10::2], atol=0.02)
    between = sixty[11:-1:2] - (sixty[10:-2:2] + sixty[12::2]) / 2
    assert np.abs(between).max() < 0.02


def test_a_gap_does_not_stop_it():
    play = Play(1, 2)
    play.at(0.0, 0.0, 0.5, 0.9)
    after = play.at(100.0, 200.0, 0.5, 0.9)
    assert np.isfinite(after).all()
    assert (play.at(100.5, 201.0, 0.5, 0.9) != after).any()


def ticks_of(casts, signals=None):
    marks = MappingProxyType(signals or {})
    return [
        replace(tick_of(frame_of(PIXELS, k), faces, 0.0 if k == 0 else 1 / RATE), signals=marks)
        for k, faces in enumerate(casts)
    ]


def run(ticks, *links):
    """Driven faces and the scene of every tick, for a chain of (effect, knobs)."""
    chain = []
    for place, (name, knobs) in enumerate(links):
        spec = effects.find(name)
        values = {knob: one.default for knob, one in spec.knobs.items()} | knobs
        chain.append((place, Link(spec, values)))
    cast = Preset("tried", "", tuple(link for _, link in chain))
    motions = Motions(chain, Strict(cast))
    return [(motions.drive(tick, {}), motions.scene) for tick in ticks]


def shapes(shown):
    return np.array([poses.to_canonical(d[0][0].pose, d[0][1]) for d, _ in shown])


OFF = {"mouth": 0.0, "eyes": 0.0, "brows": 0.0, "head": 0.0}
STILL = [[face_at(160, 80, 40, age=k + 2)] for k in range(60)]


def test_nothing_of_the_net_leaves_the_performer():
    for driven, scene in run(ticks_of(STILL[:8]), ("ai_motion", OFF)):
        assert scene is None
        np.testing.assert_allclose(driven[0][1], driven[0][0].landmarks, atol=0.01)


@pytest.mark.parametrize(
    ("region", "moves", "rests"),
    [
        ("mouth", list(INNER_LIPS), [*BROWS[:5], 159]),
        ("brows", list(BROWS), [13, 14, 61, 291]),
        ("eyes", [159, 386], [13, 14, 61, 291]),
        ("head", [4, 10, 152], []),
    ],
)
def test_each_region_has_its_knob(region, moves, rests):
    shape = shapes(run(ticks_of(STILL), ("ai_motion", OFF | {region: 1.0})))
    travel = np.ptp(shape[:, :, :2], axis=0).max(axis=1)
    assert travel[moves].max() > 0.02
    if rests:
        assert travel[rests].max() < 0.35 * travel[moves].max()


def test_a_mouth_is_painted_where_the_net_sings():
    scene = run(ticks_of(STILL[:3]), ("ai_motion", {}))[-1][1]
    assert scene.whole
    assert set(scene.mouths) == {0}
    assert run(ticks_of(STILL[:3]), ("ai_motion", {"mouth": 0.0}))[-1][1] is None


def test_a_frozen_portrait_goes_on_when_its_performer_leaves():
    casts = STILL[:20] + [[]] * 40
    shown = run(ticks_of(casts), ("frozen_portrait", {"mode": "full"}), ("ai_motion", {}))
    lips = np.array([p[14] - p[13] for d, _ in shown[25:] for _, p in d])
    assert len(lips) == 35
    assert np.ptp(lips[:, 1]) > 0.03 * 40
    assert 0 in shown[-1][1].mouths


def test_the_song_rules_the_energy():
    quiet = shapes(run(ticks_of(STILL, {"audio.level": 0.0}), ("ai_motion", {"music": 1.0})))
    loud = shapes(run(ticks_of(STILL, {"audio.level": 1.0}), ("ai_motion", {"music": 1.0})))
    gaps = [np.abs(np.diff(s[:, 14, 1] - s[:, 13, 1])).mean() for s in (quiet, loud)]
    assert gaps[1] > 1.5 * gaps[0]
    run(ticks_of(STILL[:2], {"audio.level": float("nan")}), ("ai_motion", {}))


def test_takes_repeat_and_slots_differ():
    casts = [[one[0], face_at(60, 80, 30, slot=3, age=9)] for one in STILL[:30]]
    first, again = (run(ticks_of(casts), ("ai_motion", {})) for _ in range(2))
    for (a, _), (b, _) in zip(first, again, strict=True):
        assert all((p == q).all() for (_, p), (_, q) in zip(a, b, strict=True))
    a, b = (poses.to_canonical(f.pose, p) for f, p in first[-1][0])
    assert np.abs(a - b).max() > 0.01


def test_broken_faces_do_no_harm():
    nan = face_at(slot=1)
    nan = replace(nan, landmarks=freeze(np.full_like(nan.landmarks, np.nan)))
    casts = [
        [nan, face_at(slot=2, iod=1e-3), face_at(-500, -400, 40, slot=3)],
        [face_at(160, 80, 40, slot=4, roll=180.0), face_at(160, 80, 40, slot=5)],
        [replace(face_at(), found=False, presence=0.2)],
        [],
    ]
    for driven, _ in run(ticks_of(casts), ("ai_motion", {})):
        for face, points in driven:
            if np.isfinite(face.landmarks).all():
                assert np.isfinite(points).all()
                assert np.abs(points - face.landmarks).max() < max(face.iod, 1.0)


def test_an_iris_looks_aside_and_its_eye_stays():
    face = face_at(160, 80, 40)
    driven = face.landmarks.copy()
    driven[LEFT_IRIS : LEFT_IRIS + 5, 0] += 0.2 * 40
    live = believable(face.landmarks, driven, 40.0)
    np.testing.assert_allclose(live[LEFT_IRIS], face.landmarks[LEFT_IRIS], atol=1e-3)
    held = believable(face.landmarks, driven, 40.0, filled=True)
    moved = held[LEFT_IRIS, 0] - face.landmarks[LEFT_IRIS, 0]
    assert 0.04 * 40 < moved <= FARTHEST_LOOK_IOD[0] * 40 + 1e-3
    lids, iris = gaze.EYES[1]
    source = face.landmarks[:, :2]
    position, from_ = gaze.look(face.landmarks, held, source, lids, iris, 40.0)
    np.testing.assert_allclose(position[:16], from_[:16], atol=1e-3)
    np.testing.assert_allclose(position[16:, 0] - from_[16:, 0], moved, atol=0.02 * 40)
    areas = [_areas(p) for p in (position, from_)]
    assert (np.sign(areas[0]) == np.sign(areas[1])).mean() > 0.9, "the eye folds"
    right = gaze.look(face.landmarks, held, source, *gaze.EYES[0], 40.0)
    assert right is None, "this one looks where it did"


def _areas(points):
    a, b, d = (points[gaze.mesh()[:, i]] for i in range(3))
    return (b[:, 0] - a[:, 0]) * (d[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (d[:, 0] - a[:, 0])


def test_painted_teeth_stay_while_the_jaw_drops():
    rest = canonical().vertices
    lips = rest[list(INNER_LIPS), :2].copy()
    skin = np.float32([180, 140, 120])
    shut = painted_mouth.mouth(lips, rest, skin)
    lower = lips.copy()
    lower[11:20, 1] += 0.3
    wide = painted_mouth.mouth(lower, rest, skin)
    np.testing.assert_allclose(shut.lips[:11], wide.lips[:11])
    assert wide.lips[15, 1] > shut.lips[15, 1] + 50
    dark = painted_mouth.mouth(lips, rest, skin / 6)
    assert (dark.tone < 0.3 * shut.tone).all()


def test_a_lip_keeps_its_flesh_when_the_jaw_drops():
    shape = canonical().vertices
    inner, outer = INNER_LIPS[15], OUTER_LIPS[15]
    driven = shape.copy()
    driven[[INNER_LIPS[k] for k in range(11, 20)], 1] += 0.3  # the outer contour stays behind
    own = shape[outer] - shape[inner]
    kept = full_lips(shape, driven)
    assert (driven[outer] - driven[inner]) @ own < 0.0, "the lip was turned over"
    assert (kept[outer] - kept[inner]) @ own > 0.5 * (own @ own)
    np.testing.assert_allclose(kept[list(INNER_LIPS)], driven[list(INNER_LIPS)], atol=1e-6)
    assert (full_lips(shape, shape) == shape).all()


def test_the_song_opens_the_jaw_of_a_still_whose_singer_has_left():
    casts = STILL[:10] + [[]] * 20
    gaps = {}
    for level in (None, 0.0, 1.0):
        ticks = ticks_of(casts, None if level is None else {"audio.level": level})
        shown = run(ticks, ("frozen_portrait", {"blink": 0.0}))
        ((face, points),) = shown[-1][0]
        shape = poses.to_canonical(face.pose, points)
        gaps[level] = shape[14, 1] - shape[13, 1]
        assert (0 in shown[-1][1].mouths) or level is None
    assert gaps[1.0] > gaps[0.0] + 0.15
    assert gaps[0.0] == pytest.approx(gaps[None], abs=0.05)
    silent = run(ticks_of(casts, {"audio.level": 1.0}), ("frozen_portrait", {"voice": 0.0}))
    ((face, points),) = silent[-1][0]
    shape = poses.to_canonical(face.pose, points)
    assert shape[14, 1] - shape[13, 1] == pytest.approx(gaps[None], abs=0.05)
