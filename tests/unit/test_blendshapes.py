"""Blendshapes: the names, the net's answers, rest and calibration, and what the bench says."""

import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest

from kfx import assets
from kfx.canonical import canonical
from kfx.cli import main
from kfx.engine.bench import blendshapes as bench_blendshapes
from kfx.errors import KfxError
from kfx.tracking import calibration
from kfx.tracking.arkit import NAMES, POINTS, TAUGHT, UNSEEN
from kfx.tracking.blendshapes import Blendshapes, card, resting
from kfx.tracking.tracker import Tracker
from kfx.types import Frame, freeze
from tests.faces import face_at, landmarks_of, picture, pose_of, smiling

UPPER_LEFT, LOWER_LEFT = (466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)


@pytest.fixture(scope="module")
def net():
    return Blendshapes()


def head(shape=None, **pose):
    return landmarks_of(pose_of(300, 200, 80, **pose), shape)


def winking():
    """The canonical face with the performer's left eye shut."""
    shape = canonical().vertices.copy()
    for upper, lower in zip(UPPER_LEFT, LOWER_LEFT, strict=True):
        shape[upper, 1] = shape[lower, 1] - 0.01
    return shape


def open_mouthed():
    shape = canonical().vertices.copy()
    below = np.clip((shape[:, 1] - 0.98) / 0.1, 0, 1)
    shape[:, 1] += 0.4 * below
    return shape


def held_out():
    with np.load(assets.folder("models") / "blendshapes_test.npz") as data:
        return data["points"] / bench_blendshapes.UNIT, data["truth"].astype(np.float32)


def test_the_names_are_arkits():
    assert len(NAMES) == len(set(NAMES)) == 52
    assert len(TAUGHT) == 51
    assert len(set(POINTS)) == 146
    for name in NAMES:
        if name.endswith("Left"):
            assert name.removesuffix("Left") + "Right" in NAMES


def test_the_card_tells_the_truth():
    net_file = assets.folder("models") / "blendshapes.onnx"
    assert net_file.stat().st_size < 1_000_000
    assert card()["sha256"] == hashlib.sha256(net_file.read_bytes()).hexdigest()
    assert card()["licence"] == "Apache-2.0"
    assert resting().shape == (51,)
    assert ((resting() >= 0) & (resting() < 0.5)).all()


def test_all_52_come_in_range_and_read_only(net):
    shapes = net.of(head())
    assert tuple(shapes) == NAMES
    assert all(0.0 <= value <= 1.0 for value in shapes.values())
    with pytest.raises(TypeError):
        shapes["jawOpen"] = 1.0


def test_the_tongue_is_never_seen(net):
    assert UNSEEN == ("tongueOut",)
    assert net.of(head(open_mouthed()))["tongueOut"] == 0.0


def test_expressions_are_told_apart_and_by_side(net):
    # The canonical face is a mean of photographs, in which people smile a little.
    rest, smile = net.of(head(smiling(-1.0))), net.of(head(smiling()))
    wink, open_mouth = net.of(head(winking())), net.of(head(open_mouthed()))
    assert min(smile["mouthSmileLeft"], smile["mouthSmileRight"]) > 0.5
    assert max(rest["mouthSmileLeft"], rest["mouthSmileRight"]) < 0.2
    assert wink["eyeBlinkLeft"] > 0.4
    assert wink["eyeBlinkLeft"] > wink["eyeBlinkRight"] + 0.3
    assert open_mouth["jawOpen"] > rest["jawOpen"] + 0.3


def test_where_and_how_large_a_face_is_does_not_matter(net):
    near = net.of(landmarks_of(pose_of(900, 500, 300), smiling()))
    far = net.of(landmarks_of(pose_of(40, 30, 12), smiling()))
    assert max(abs(near[n] - far[n]) for n in NAMES) < 1e-3


@pytest.mark.parametrize("roll", [-170, -90, -45, 45, 90, 180])
def test_a_head_on_its_side_still_smiles(net, roll):
    lean = max(-20, min(20, roll))
    here, there = net.of(head(smiling(), roll=roll)), net.of(head(smiling(), roll=lean))
    assert max(abs(here[n] - there[n]) for n in NAMES) < 0.02
    assert here["mouthSmileLeft"] > 0.5


def test_a_resting_face_answers_near_nothing(net):
    """The usual rest is taken off: less than the net itself says, and no name stands out."""
    of, raw = net.of(head()), net.raw(head())
    assert sum(of.values()) < sum(raw.values())
    assert all(of[n] <= raw[n] + 1e-6 for n in NAMES)
    at_rest = dict(zip(TAUGHT, resting(), strict=True))
    assert raw["eyeSquintLeft"] - of["eyeSquintLeft"] > 0.3 * at_rest["eyeSquintLeft"]


@pytest.mark.parametrize("broken", ["nan", "inf", "a point", "a line", "huge"])
def test_degenerate_faces_give_numbers(net, broken):
    points = head().copy()
    if broken in ("nan", "inf"):
        points[7] = float(broken)
    elif broken == "a point":
        points[:] = 5.0
    elif broken == "a line":
        points[:, 1] = 5.0
    else:
        points *= 1e30
    values = np.array(list(net.of(points).values()))
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()
    if broken != "a line":
        assert not values.any()


def test_the_net_repeats_its_teacher_on_people_it_never_saw():
    result = bench_blendshapes.measure(rounds=5)
    assert tuple(result["r2"]) == TAUGHT
    assert result["r2_mean"] > 0.97
    assert result["rms_error"] < 0.03
    assert result["rig"]["rms"] < min(0.08, 0.4 * result["rig"]["unmoved_rms"])
    moving = [value for value in result["r2"].values() if value is not None]
    assert len(moving) >= 35
    # What these clips don't show has no R² rather than a flattering or a meaningless one.
    assert {n for n, value in result["r2"].items() if value is None} == set(result["still"][:-1])
    assert result["still"][-1] == "tongueOut"


def test_r2_is_r2():
    truth = held_out()[1]
    exact, _ = bench_blendshapes.scores(truth, truth)
    mean, still = bench_blendshapes.scores(truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    assert {v for v in exact.values() if v is not None} == {1.0}
    assert all(v is None or abs(v) < 1e-3 for v in mean.values())
    assert "noseSneerLeft" in still


def test_the_bench_command_prints_json(capsys, monkeypatch):
    monkeypatch.setattr(bench_blendshapes, "ROUNDS", 5)
    assert main(["bench", "blendshapes", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"r2_mean", "r2", "ms"} <= result.keys()
    assert main(["bench", "blendshapes"]) == 0
    said = capsys.readouterr().out
    assert "hardly moves" in said
    assert f"R² mean {result['r2_mean']:.3f}" in said


def samples_of(net, gain=1.0):
    """Five seconds: a rest that is no zero, then a smile and a wink."""
    shapes = [smiling(-1.0)] * 60 + [smiling(gain)] * 45 + [winking()] * 45
    return [net.raw(head(shape)) for shape in shapes]


def test_calibration_makes_rest_zero_and_effort_one(net):
    own = calibration.calibrate(samples_of(net))
    rest, smile = net.of(head(smiling(-1.0)), own), net.of(head(smiling()), own)
    assert max(rest.values()) < 0.1
    assert smile["mouthSmileLeft"] > 0.95
    # Halfway is still in between, and what was never shown keeps its range.
    assert 0.02 < net.of(head(open_mouthed()), own)["jawOpen"] <= 1.0
    assert own.full[TAUGHT.index("browInnerUp")] == 1.0


def test_calibrations_are_kept_by_name(net, tmp_path):
    own = calibration.calibrate(samples_of(net))
    for name in ("lead", "김 민지", "../../etc/passwd", "a/b.json"):
        path = calibration.save(name, own, tmp_path)
        assert path.parent == tmp_path
        loaded = calibration.load(name, tmp_path)
        np.testing.assert_allclose(loaded.neutral, own.neutral, atol=1e-5)
        np.testing.assert_allclose(loaded.full, own.full, atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 4


def test_the_data_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert calibration.folder() == tmp_path / "kfx" / "performers"


def test_calibration_errors_say_what_to_do(net, tmp_path):
    with pytest.raises(KfxError, match="record five seconds"):
        calibration.calibrate(samples_of(net)[:10])
    with pytest.raises(KfxError, match="no numbers"):
        calibration.calibrate([{"jawOpen": float("nan")}] * 50)
    with pytest.raises(KfxError, match="isn't calibrated yet"):
        calibration.load("nobody", tmp_path)
    with pytest.raises(KfxError, match="needs a name"):
        calibration.path_of("  ")
    for text in ("{", "[]", '{"neutral_and_full": {"jawOpen": 3}}'):
        calibration.path_of("x", tmp_path).write_text(text)
        with pytest.raises(KfxError, match="damaged"):
            calibration.load("x", tmp_path)


def test_the_tracker_fills_blendshapes_only_when_asked():
    frames = [
        Frame(picture(64, 36), i, Fraction(i, 30), 0.0, truth=(face_at(),) if i < 3 else ())
        for i in range(5)
    ]
    with Tracker("truth") as tracker:
        assert not tracker.track(frames[0])[0].blendshapes
    with Tracker("truth", blendshapes=True) as tracker:
        faces = [tracker.track(frame)[0] for frame in frames]
    assert all(tuple(face.blendshapes) == NAMES for face in faces)
    assert not faces[-1].found
    assert faces[-1].blendshapes == faces[2].blendshapes


def test_the_input_is_left_alone(net):
    points = freeze(head())
    before = points.copy()
    assert net.of(points) == net.of(points)
    assert (points == before).all()


def test_the_tracker_tells_who_is_pinned_by_their_own_range(net, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    own = calibration.calibrate(samples_of(net))
    calibration.save("lead", own)
    face = face_at(shape=smiling())
    frame = Frame(picture(64, 36), 0, Fraction(0), 0.0, truth=(face,))
    with Tracker("truth", blendshapes=True) as tracker:
        usual = tracker.track(frame)[0]
    with Tracker("truth", blendshapes=True) as tracker:
        tracker.pin(0, "lead")
        theirs = tracker.track(frame)[0]
        tracker.pin(1, "somebody nobody has calibrated")
    assert theirs.blendshapes == net.of(theirs.landmarks, calibration.load("lead"))
    assert theirs.blendshapes != usual.blendshapes == net.of(usual.landmarks)
