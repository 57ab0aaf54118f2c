"""Slots, smoothing, pose and presence, on landmarks that are known exactly."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx import tracking
from kfx.canonical import OVAL, canonical
from kfx.errors import KfxError, UsageError
from kfx.tracking import pose as poses
from kfx.tracking.predict import Predictor, Sight, Tracked
from kfx.tracking.smooth import OneEuro
from kfx.tracking.tracker import FADE_OUT_S, Tracker
from kfx.types import Face, Frame
from tests.faces import face_at, landmarks_of, picture, pose_of
from tests.finders import Script

PIXELS = picture(64, 36)


def run(frames, rate=30):
    """The faces the tracker gives for each prepared frame."""
    with Tracker(Script(frames)) as tracker:
        return [tracker.track(Frame(PIXELS, i, Fraction(i, rate), 0.0)) for i in range(len(frames))]


def head(x, y=200.0, iod=60.0, **pose):
    return landmarks_of(pose_of(x, y, iod, **pose))


def test_the_canonical_face_is_whole():
    mesh = canonical()
    assert mesh.vertices.shape == (478, 3)
    assert (len(mesh.triangles), len(mesh.eye_triangles), len(mesh.mouth_triangles)) == (
        852,
        28,
        18,
    )
    twin = mesh.mirror.astype(int)
    assert (twin[twin] == np.arange(478)).all()
    np.testing.assert_allclose(mesh.vertices[twin] * (-1, 1, 1), mesh.vertices, atol=1e-5)
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    # One closed surface: every inner edge belongs to two triangles, the rim is the oval.
    edges = {}
    for t in np.concatenate([mesh.triangles, mesh.eye_triangles, mesh.mouth_triangles]).tolist():
        for a, b in zip(t, t[1:] + t[:1], strict=True):
            edges[frozenset((a, b))] = edges.get(frozenset((a, b)), 0) + 1
    assert set(edges.values()) == {1, 2}
    assert {v for edge, n in edges.items() if n == 1 for v in edge} == set(OVAL)


@pytest.mark.parametrize(("yaw", "roll"), [(0, 0), (30, 0), (-25, 12), (10, -40)])
def test_pose_is_recovered(yaw, roll):
    pose = poses.fit(head(300, 150, 55, yaw=yaw, roll=roll))
    found = poses.yaw_pitch_roll(pose)
    assert found[0] == pytest.approx(yaw, abs=0.05)
    assert found[1] == pytest.approx(0, abs=0.05)
    assert found[2] == pytest.approx(roll, abs=0.05)
    assert poses.scale(pose) == pytest.approx(55, rel=1e-3)
    points = head(300, 150, 55, yaw=yaw)
    there = poses.to_canonical(poses.fit(points), points)
    np.testing.assert_allclose(there, canonical().vertices, atol=1e-4)


@pytest.mark.parametrize("yaw", [-25, 0, 25])
def test_gaze_is_that_of_the_eyes_and_not_of_the_head(yaw):
    shape = canonical().vertices.copy()
    level = poses.gaze(poses.fit(head(300, yaw=yaw)), head(300, yaw=yaw))
    assert level[0] == pytest.approx(0, abs=0.02)
    shape[[468, 473]] += (0.08, -0.03, 0)
    points = landmarks_of(pose_of(300, 200, 60, yaw=yaw, roll=10), shape)
    x, y = poses.gaze(poses.fit(points), points)
    assert x - level[0] > 0.15
    assert y < level[1] - 0.04


def test_one_euro_calms_rest_and_follows_motion():
    rng = np.random.default_rng(3)
    calm = OneEuro()
    noise = rng.normal(0, 0.4, (90, 5, 2)).astype(np.float32)
    still = np.array([calm(n, 1 / 30, 100.0) for n in noise])
    assert still[30:].std() < 0.6 * noise[30:].std()
    moving = OneEuro()
    ramp = [np.full((5, 2), 10.0 * i, np.float32) for i in range(30)]  # 3 iod/s
    out = [moving(r, 1 / 30, 100.0) for r in ramp]
    assert abs(out[-1] - ramp[-1]).max() < 0.02 * 100


def test_a_first_frame_shows_its_faces_at_once_and_later_ones_fade_in():
    shown = run([[head(100)]] * 3 + [[head(100), head(400)]] * 6)
    assert shown[0][0].presence == 1.0
    presences = [faces[1].presence for faces in shown[3:]]
    assert presences[0] < 0.5
    assert presences == sorted(presences)
    assert presences[-1] == 1.0


def test_a_turning_head_does_not_open_the_filter_for_the_lips():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.4, (90, 478, 3)).astype(np.float32)

    def unrest(reach):
        way = [reach * np.sin(i / 8) for i in range(90)]
        frames = [[head(300 + 80 * w, yaw=20 * w) + n] for w, n in zip(way, noise, strict=True)]
        shown = [faces[0] for faces in run(frames)][30:]
        late = [a.landmarks[1, 0] - b[0][1, 0] for a, b in zip(shown, frames[30:], strict=True)]
        assert np.abs(late).max() < 4
        shape = np.array([poses.to_canonical(f.pose, f.landmarks) for f in shown])
        return np.diff(shape, axis=0).std()

    assert unrest(1.0) < 1.2 * unrest(0.0)


def test_a_prediction_goes_on_as_the_head_went_and_a_new_face_stays():
    frames = [[head(100 + 6 * i, yaw=i)] for i in range(20)]
    with Tracker(Script(frames)) as tracker:
        tracker.track(Frame(PIXELS, 0, Fraction(0), 0.0))
        new = tracker.predicted(0.05)[0]
        assert (new.landmarks == tracker.predicted(0.0)[0].landmarks).all()
        for i in range(1, 20):
            (face,) = tracker.track(Frame(PIXELS, i, Fraction(i, 30), 0.0))
        at = {s: tracker.predicted(s)[0] for s in (0.0, 0.033, 0.05, 0.1, 5.0)}
    assert (at[0.0].landmarks == face.landmarks).all()
    assert (at[5.0].landmarks == at[0.1].landmarks).all()
    moved = [at[s].landmarks[1, 0] - face.landmarks[1, 0] for s in (0.033, 0.05, 0.1)]
    for ahead, px in zip((0.033, 0.05, 0.1), moved, strict=True):
        assert 0.7 * 180 * ahead < px < 1.5 * 180 * ahead  # it moves at 180 px/s
    assert poses.yaw_pitch_roll(at[0.1].pose)[0] > poses.yaw_pitch_roll(face.pose)[0] + 1.5


def foretold(frames, ahead=2):
    """Rms error of prediction over that of the last landmarks, for heads known exactly."""
    now, future = Predictor(), []
    for i, points in enumerate(frames):
        pose = poses.fit(points)
        now.add(Face(0, points, pose, poses.scale(pose), age=i + 2), i / 30)
        future.append(now.predict(ahead / 30).landmarks)
        assert (now.predict(ahead / 30).landmarks == future[-1]).all(), "asking changes nothing"
    frames, future = np.array(frames), np.array(future)
    late = slice(45, -ahead)
    misses = [(np.roll(frames, -ahead, 0) - other)[late, :, :2] for other in (future, frames)]
    return float(np.sqrt((misses[0] ** 2).mean()) / max(np.sqrt((misses[1] ** 2).mean()), 1e-3))


def test_a_prediction_goes_only_as_far_as_it_has_held():
    rng = np.random.default_rng(6)
    sway = [head(300 + 60 * np.sin(i / 9), yaw=15 * np.sin(i / 11)) for i in range(150)]
    assert foretold(sway) < 0.5
    # Who twitches from frame to frame can't be foretold: then the last place is the best.
    twitch = [head(300) + rng.normal(0, 1.5, (478, 3)).astype(np.float32) for _ in range(150)]
    assert foretold(twitch) < 1.02
    assert foretold([head(300)] * 150) == pytest.approx(0.0, abs=0.01), "nobody moved"


def swaying(scale=1.0):
    """A head that sways, shown half a frame late, as the finder sees it."""
    for i in range(60):
        points = [head(300 + 60 * np.sin(j / 9), yaw=15 * np.sin(j / 11)) for j in (i - 0.5, i)]
        late, now = ((p, poses.fit(p)) for p in points)
        size = np.diag([scale, scale, scale, 1.0]).astype(np.float32)
        pose = size @ late[1]
        sight = Sight(*late, *now)
        yield Tracked(0, late[0] * scale, pose, poses.scale(pose), age=i + 2, sight=sight), now[0]


def test_a_prediction_catches_up_with_what_calming_holds_back():
    now, late = Predictor(), Predictor()
    for i in range(12):
        calm, seen = (head(300 + reach * max(0, i - 9)) for reach in (3, 9))
        sight = Sight(calm, poses.fit(calm), seen, poses.fit(seen))
        face = Tracked(0, calm, sight[1], poses.scale(sight[1]), age=i + 2, sight=sight)
        now.add(face, i / 30)
        late.add(replace(face, sight=None), i / 30)
    ways = [np.mean(p.predict(1 / 30).landmarks - calm, axis=0)[0] for p in (now, late)]
    assert ways[0] > 0.9 * np.mean(seen - calm, axis=0)[0] > 2 * ways[1]


def test_a_face_moved_to_a_smaller_picture_is_predicted_there():
    large, small = Predictor(), Predictor()
    for i, ((one, _), (half, _)) in enumerate(zip(swaying(), swaying(0.5), strict=True)):
        large.add(one, i / 30)
        small.add(half, i / 30)
    futures = [future.predict(0.05) for future in (large, small)]
    np.testing.assert_allclose(futures[0].landmarks / 2, futures[1].landmarks, atol=0.05)
    assert futures[1].iod == pytest.approx(futures[0].iod / 2, rel=1e-3)


def test_a_face_gone_mad_does_not_end_prediction():
    frames = [head(300 + 6 * i) for i in range(20)]
    frames += [head(300) * np.float32(1e18 * (-1) ** i) for i in range(8)]
    frames += [head(300 + 60 * np.sin(i / 9)) for i in range(150)]
    with np.errstate(all="ignore"):
        assert foretold(frames[-150:]) < 0.5
        now = Predictor()
        for i, points in enumerate(frames):
            pose = poses.fit(points)
            now.add(Face(0, points, pose, poses.scale(pose), age=i + 2), i / 30)
            face = now.predict(0.05)
            assert np.isfinite(face.landmarks).all()
    assert abs(face.landmarks - frames[-1]).max() > 1.0


def test_two_faces_keep_their_slots_when_they_cross():
    frames = []
    for i in range(60):
        a, b = head(100 + 6 * i, 200), head(460 - 6 * i, 245)
        frames.append([a, b] if i % 3 else [b, a])  # the finder's order means nothing
    shown = run(frames)
    first = {f.slot: f.landmarks[1, 0] < 280 for f in shown[0]}
    last = {f.slot: f.landmarks[1, 0] < 280 for f in shown[-1]}
    assert first.keys() == last.keys() == {0, 1}
    assert all(first[slot] != last[slot] for slot in first)


def test_a_short_loss_keeps_the_slot_and_fades():
    frames = [[head(200), head(500)]] * 10 + [[head(500)]] * 12 + [[head(215), head(500)]] * 5
    shown = run(frames)
    left = next(f.slot for f in shown[9] if f.landmarks[1, 0] < 350)
    fading = [next((f.presence for f in faces if f.slot == left), 0.0) for faces in shown[10:22]]
    assert fading[0] < 1.0
    assert fading == sorted(fading, reverse=True)
    assert fading[int(FADE_OUT_S * 30) + 1] == 0.0
    assert next(f.slot for f in shown[-1] if f.landmarks[1, 0] < 350) == left


def test_reentry_at_the_same_place_takes_the_old_slot_and_a_stranger_gets_a_new_one():
    shown = run([[head(200)]] * 10 + [[]] * 30 + [[head(230)]] * 3)
    assert {f.slot for f in shown[-1]} == {0}
    wide = canonical().vertices * np.float32([1.3, 0.8, 1])
    stranger = landmarks_of(pose_of(560, 200, 60), wide.astype(np.float32))
    shown = run([[head(200)]] * 10 + [[stranger]] * 5)
    assert [f.slot for f in shown[-1] if f.found] == [1]


def shaped(x, seed, iod=60, **pose):
    """Somebody's head: the canonical face made longer, wider and narrower by chance."""
    rng = np.random.default_rng(seed)
    shape = canonical().vertices * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    return landmarks_of(pose_of(x, 200, iod, **pose), shape)


def test_two_who_leave_and_return_elsewhere_get_their_slots_by_their_faces():
    frames = [[shaped(200, 8), shaped(500, 2)]] * 20 + [[]] * 75  # 2.5 s away
    shown = run(frames + [[shaped(480, 8), shaped(220, 2)]] * 3)
    before = {f.slot: f.landmarks[1, 0] < 350 for f in shown[19]}
    after = {f.slot: f.landmarks[1, 0] < 350 for f in shown[-1] if f.found}
    assert after == {slot: not left for slot, left in before.items()}


def shots(*parts):
    """What is shown of (picture, faces of each frame) after one another."""
    frames = [faces for _, part in parts for faces in part]
    pictures = [pixels for pixels, part in parts for _ in part]
    with Tracker(Script(frames)) as tracker:
        return [
            tracker.track(Frame(pixels, i, Fraction(i, 30), 0.0))
            for i, pixels in enumerate(pictures)
        ]


def scenery(seed):
    """A picture of large patches, unlike that of another seed."""
    patches = np.random.default_rng(seed).integers(0, 255, (9, 16, 4), np.uint8)
    return patches.repeat(10, axis=0).repeat(10, axis=1)


def test_performers_keep_their_slots_over_a_cut():
    close = [shaped(640, 8, iod=150)]
    shown = shots(
        (scenery(1), [[shaped(200, 8), shaped(500, 2)]] * 20),
        (scenery(2), [close] * 20),
        (scenery(3), [[shaped(480, 8), shaped(220, 2)]] * 2),
    )
    left, right = (
        [f.landmarks[1, 0] < 350 for f in sorted(at, key=slot_of)] for at in shown[19::22]
    )
    assert left == [not other for other in right]
    lead = next(f.slot for f in shown[19] if f.landmarks[1, 0] < 350)
    assert [(f.slot, f.presence) for f in shown[20]] == [(lead, 1.0)]
    np.testing.assert_allclose(shown[20][0].landmarks[:, :2], close[0][:, :2], atol=0.5)


def slot_of(face):
    return face.slot


def test_a_strobe_takes_nobodys_slot():
    pair = [head(200), head(500)]  # the same face twice: only their places tell
    shown = shots(*((scenery(k % 2), [pair] * 2) for k in range(10)))
    slots = {tuple((f.slot, f.landmarks[1, 0] < 350) for f in faces) for faces in shown}
    assert len(slots) == 1


def test_who_is_known_again_late_gets_their_slot_back():
    frames = [[shaped(200, 8), shaped(500, 2)]] * 20 + [[shaped(500, 2)]] * 75
    frames += [[shaped(500, 2), shaped(900, 6)]] * 4 + [[shaped(500, 2), shaped(900, 8)]] * 2
    shown = run(frames)
    before = next(f for f in shown[19] if f.landmarks[1, 0] < 350)
    stranger = next(f for f in shown[-3] if f.landmarks[1, 0] > 700)
    again = next(f for f in shown[-1] if f.landmarks[1, 0] > 700)
    assert stranger.slot != before.slot == again.slot
    assert again.presence >= stranger.presence
    assert len(shown[-1]) == 2


def test_a_pinned_slot_waits_for_its_performer_over_a_cut_and_any_time():
    frames = [[shaped(200, 1), shaped(500, 2)]] * 20
    frames += [[shaped(300, 8), shaped(600, 4), shaped(100, 6)]] * 240  # 8 s of other people
    frames += [[shaped(700, 2, yaw=10)]] * 3
    with Tracker(Script(frames)) as tracker:
        at = [tracker.track(Frame(PIXELS, i, Fraction(i, 30), 0.0)) for i in range(20)]
        lead = next(f.slot for f in at[-1] if f.landmarks[1, 0] > 350)
        tracker.pin(lead, "lead")
        assert tracker.names == {lead: "lead"}
        tracker.reset()
        for i in range(20, len(frames)):
            faces = tracker.track(Frame(PIXELS, i, Fraction(i, 30), 0.0))
            if i < 260:
                assert lead not in {f.slot for f in faces}
        assert [f.slot for f in faces if f.found] == [lead]


def test_a_pin_names_what_is_wrong():
    identity = Tracker(Script([]), max_faces=2)
    identity.pin(1, "lead")
    with pytest.raises(UsageError, match=r"slots 0\.\.1"):
        identity.pin(2, "x")
    with pytest.raises(UsageError, match="another slot"):
        identity.pin(0, "lead")


def test_at_most_eight_faces_are_kept():
    crowd = [head(80 * i + 60, 100, 20) for i in range(10)]
    assert len(run([crowd] * 3)[-1]) == 8


def test_same_input_gives_the_same_faces():
    frames = [[head(100 + i, yaw=i)] for i in range(20)]
    one, two = run(frames)[-1][0], run(frames)[-1][0]
    assert (one.landmarks == two.landmarks).all()


def test_faces_are_frozen():
    face = run([[head(100)]])[0][0]
    with pytest.raises(ValueError, match="read-only"):
        face.landmarks[0] = 0


def test_finders_are_found_by_their_file():
    assert {"mediapipe", "truth"} <= set(tracking.finder_names())
    with pytest.raises(UsageError, match="there are mediapipe, truth"):
        tracking.open_finder("magic")
    with Tracker("truth") as tracker, pytest.raises(KfxError, match="knows no faces"):
        tracker.track(Frame(PIXELS, 0, Fraction(0), 0.0))
    with Tracker("truth") as tracker:
        faces = tracker.track(Frame(PIXELS, 0, Fraction(0), 0.0, truth=(face_at(),)))
        assert len(faces) == 1
