"""Tracks as files: landmarks and Live Link Face, read back and held against what was put in."""

import csv
import errno
import io
import json
import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx.canonical import LEFT_IRIS, RIGHT_IRIS, canonical
from kfx.engine.tracks import csv_landmarks as track_csv
from kfx.engine.tracks import livelink as track_livelink
from kfx.engine.tracks import resample
from kfx.engine.tracks.csv_landmarks import LandmarksCsv
from kfx.engine.tracks.livelink import SHAPES, LiveLinkCsv, Sample, gaze, head_angles, label, stamp
from kfx.errors import KfxError
from kfx.sinks.osc import decompose
from kfx.types import Face, Frame, SourceInfo, freeze
from tests.faces import face_at, picture

PIXELS = picture(64, 36)
NTSC = Fraction(24000, 1001)
NAMES = [name[0].lower() + name[1:] for name in SHAPES]


def info(rate=Fraction(30), timecode=None, size=(1280, 720)):
    return SourceInfo("take.mov", "file", size, Fraction(rate), timecode=timecode)


def frame(index, rate=Fraction(30), timecode=None):
    return Frame(PIXELS, index, Fraction(index) / rate, 0.0, timecode=timecode)


def shaped(face, **values):
    return replace(face, blendshapes={name: values.get(name, 0.0) for name in NAMES})


def landmarks(path, frames, **options):
    """Write (frame, faces) pairs; returns the comment, and the rows as dictionaries."""
    writer = LandmarksCsv(str(path), options.pop("info", info()), **options)
    for one, faces in frames:
        writer.write(one, faces)
    assert writer.land() == [path]
    return read(path)


def read(path):
    text = path.read_text(encoding="utf-8")
    comment, _, table = text.partition("\n")
    return comment, list(csv.DictReader(io.StringIO(table)))


def livelink(path, frames, rate=Fraction(30), timecode=None, fps=None):
    writer = LiveLinkCsv(str(path), info(rate, timecode), rate=fps)
    for one, faces in frames:
        writer.write(one, faces)
    files = writer.land()
    tables = [list(csv.DictReader(io.StringIO(file.read_text("utf-8")))) for file in files[:-1]]
    return tables, json.loads(files[-1].read_text()), writer


def points_of(row):
    return np.array([[float(row[f"p{i:03d}_{a}"]) for a in "xyz"] for i in range(478)])


# Landmarks


def test_the_header_is_the_one_agreed_upon(tmp_path):
    path = tmp_path / "take.csv"
    landmarks(
        path,
        [(frame(0, NTSC, "01:02:03:04"), ())],
        info=info(NTSC, "01:02:03:04", (1920, 1080)),
    )
    lines = path.read_text().splitlines()
    assert lines[0] == (
        "# kfx-landmarks v1; size=1920x1080; origin=top-left; fps=24000/1001; start_tc=01:02:03:04"
    )
    names = lines[1].split(",")
    assert names[:8] == "frame tc song_bar song_beat face_id name conf p000_x".split()
    assert names[-3:] == ["p477_x", "p477_y", "p477_z"]
    assert len(names) == 7 + 478 * 3
    assert all(len(line.split(",")) == len(names) for line in lines[2:])


def test_values_come_back_within_the_printed_digits(tmp_path):
    face = face_at(300.1234, 200, 55, yaw=20, slot=3, presence=0.25)
    _, rows = landmarks(tmp_path / "a.csv", [(frame(7), [face])])
    back = points_of(rows[0])
    np.testing.assert_allclose(back[:, :2], face.landmarks[:, :2], atol=6e-4)
    np.testing.assert_allclose(back[:, 2] * face.iod, face.landmarks[:, 2], atol=6e-6 * 55)
    assert (rows[0]["frame"], rows[0]["face_id"], rows[0]["conf"]) == ("1008", "3", "0.250")
    assert rows[0]["tc"] == "00:00:00:07"
    assert (rows[0]["song_bar"], rows[0]["song_beat"]) == ("", "")


def test_rows_are_frames_times_faces_and_a_gap_is_a_row_without_points(tmp_path):
    two = [face_at(slot=0), face_at(300, slot=1)]
    lost = replace(two[0], found=False, presence=0.5)
    frames = [(frame(i), two) for i in range(5)] + [(frame(5), [lost]), (frame(6), [])]
    _, rows = landmarks(tmp_path / "a.csv", frames)
    assert len(rows) == 5 * 2 + 2
    assert [int(r["frame"]) for r in rows] == sorted([*range(1001, 1006)] * 2) + [1006, 1007]
    for row in rows[10:]:
        assert row["conf"] == "0"
        assert row["face_id"] == row["p000_x"] == row["p477_z"] == ""


def test_bars_and_beats_count_from_one(tmp_path):
    frames = [(frame(i), ()) for i in range(0, 121, 15)]
    _, rows = landmarks(tmp_path / "a.csv", frames, bpm=120.0)
    assert [(r["song_bar"], float(r["song_beat"])) for r in rows[:5]] == [
        *[("1", b) for b in (1, 2, 3, 4)],
        ("2", 1),
    ]
    assert rows[8]["song_bar"] == "3"


def test_drop_frame_timecode_is_kept(tmp_path):
    comment, rows = landmarks(
        tmp_path / "a.csv",
        [(frame(0, timecode="00:00:59;29"), ()), (frame(1, timecode="00:01:00;02"), ())],
        info=info(Fraction(30000, 1001), "00:00:59;29"),
    )
    assert comment.endswith("fps=30000/1001; start_tc=00:00:59;29")
    assert rows[1]["tc"] == "00:01:00;02"


def test_nan_is_never_written(tmp_path):
    face = face_at()
    points = face.landmarks.copy()
    points[5] = np.nan
    points[6] = np.inf
    bad = replace(face, landmarks=freeze(points), iod=0.0)
    landmarks(tmp_path / "a.csv", [(frame(0), [bad])])
    assert not re.search("nan|inf", (tmp_path / "a.csv").read_text())


@pytest.mark.parametrize("writer", [LandmarksCsv, LiveLinkCsv])
def test_a_discarded_take_leaves_nothing(tmp_path, writer):
    one = writer(str(tmp_path / "new" / "a.csv"), info())
    one.write(frame(0), [shaped(face_at())])
    one.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writer", [LandmarksCsv, LiveLinkCsv])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, writer, monkeypatch):
    class Full(io.TextIOWrapper):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = io.open
    monkeypatch.setattr(io, "open", lambda path, *a, **k: Full(real(path, "wb"), encoding="utf-8"))
    one = writer(str(tmp_path / "a.csv"), info())

    def take():
        for i in range(3):
            one.write(frame(i), [shaped(face_at())])
        one.land()

    with pytest.raises(KfxError, match=r"a\.csv: the disk is full"):
        take()
    one.discard()
    assert os.listdir(tmp_path) == []


# Live Link Face


def test_the_columns_are_those_of_live_link_face(tmp_path):
    tables, side, _ = livelink(tmp_path / "S12_T04_lead.csv", steady(40))
    lines = (tmp_path / "S12_T04_lead.csv").read_text().splitlines()
    names = lines[0].split(",")
    assert len(names) == len(set(names)) == 63
    assert names[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert names[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert names[53:58] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw"]
    assert names[-1] == "RightEyeRoll"
    assert all(len(line.split(",")) == 63 and line.split(",")[1] == "61" for line in lines[1:])
    assert len(tables[0]) == 40
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\.\d{3}", r["Timecode"]) for r in tables[0])
    assert side["schema"] == "kfx.livelink/1"


def steady(n, rate=Fraction(30), slots=(0,), start=0, **values):
    return [
        (
            frame(start + i, rate),
            [shaped(face_at(100 + 90 * s, slot=s, age=i), **values) for s in slots],
        )
        for i in range(n)
    ]


@pytest.mark.parametrize("fps", [30, 60])
def test_a_sine_survives_resampling(tmp_path, fps):
    """2 Hz, as fast as jaws go in song; at 24 frames a second cubics keep it within 1 %."""

    def wave(t):
        return 0.5 + 0.4 * np.sin(2 * np.pi * 2 * t)

    frames = [
        (f, [shaped(face_at(age=f.index), jawOpen=wave(float(f.time)))])
        for f in (frame(i, NTSC, "01:00:00:12") for i in range(96))
    ]
    (rows,), side, _ = livelink(tmp_path / "a.csv", frames, NTSC, "01:00:00:12", fps)
    last = frames[-1][0].time
    assert len(rows) == int(last * fps) + 1
    jaw = np.array([float(r["JawOpen"]) for r in rows])
    away = np.abs(jaw - wave(np.arange(len(rows)) / fps))
    assert away[2:-3].max() < 0.01
    assert away.max() < 0.03
    assert rows[0]["Timecode"] == f"01:00:00:{fps // 2:02d}.000"
    assert rows[fps]["Timecode"] == f"01:00:01:{fps // 2:02d}.000"
    assert side["source_start_tc"] == "01:00:00:12"
    assert side["source_fps"] == [24000, 1001]
    assert side["fps"] == [fps, 1]


@pytest.mark.parametrize(
    ("rate", "fps"),
    [(NTSC, 30), (Fraction(25), 30), (Fraction(30), 30), (Fraction(50), 60), (Fraction(120), 60)],
)
def test_the_rate_is_the_next_that_unreal_knows(tmp_path, rate, fps):
    (rows,), side, _ = livelink(tmp_path / "a.csv", steady(60, rate), rate)
    assert side["fps"] == [fps, 1]
    assert len(rows) == int(Fraction(59) / rate * fps) + 1


def test_the_same_rate_gives_the_same_values(tmp_path):
    rng = np.random.default_rng(4)
    values = rng.uniform(0, 1, 50)
    frames = [(frame(i), [shaped(face_at(age=i), mouthFunnel=v)]) for i, v in enumerate(values)]
    (rows,), _, _ = livelink(tmp_path / "a.csv", frames)
    np.testing.assert_allclose([float(r["MouthFunnel"]) for r in rows], values, atol=6e-7)


def test_steps_do_not_leave_zero_to_one(tmp_path):
    frames = [
        (frame(i), [shaped(face_at(age=i), eyeBlinkLeft=float(i % 7 < 3))]) for i in range(60)
    ]
    (rows,), _, _ = livelink(tmp_path / "a.csv", frames, fps=60)
    blink = np.array([float(r["EyeBlinkLeft"]) for r in rows])
    assert blink.min() == 0.0
    assert blink.max() == 1.0


@pytest.mark.parametrize(("lost", "bridged"), [(3, True), (4, False), (30, False)])
def test_only_short_losses_are_bridged(tmp_path, lost, bridged):
    """At 30 frames a second three lost ones leave 133 ms, four 167 ms."""
    frames = steady(20)
    frames += [(frame(20 + i), ()) for i in range(lost)]
    frames += [
        (f, [replace(faces[0], age=20 + i)])
        for i, (f, faces) in enumerate(steady(20, start=20 + lost))
    ]
    (rows,), side, _ = livelink(tmp_path / "a.csv", frames)
    assert len(rows) == 40 + (lost if bridged else 0)
    assert len(side["files"][0]["spans_s"]) == (1 if bridged else 2)
    assert rows[-1]["Timecode"] == stamp(Fraction(0), 39 + lost, 30)


def test_another_performer_in_the_same_slot_is_no_continuation(tmp_path):
    frames = steady(10, jawOpen=0.0) + steady(10, start=10, jawOpen=1.0)
    (rows,), side, _ = livelink(tmp_path / "a.csv", frames, fps=60)
    assert {r["JawOpen"] for r in rows} == {"0.000000", "1.000000"}
    assert len(side["files"][0]["spans_s"]) == 2


def test_a_slow_source_is_not_all_gaps(tmp_path):
    (rows,), _, _ = livelink(tmp_path / "a.csv", steady(5, Fraction(5)), Fraction(5))
    assert len(rows) == 25 - 30 // 5 + 6


def test_a_file_for_each_slot(tmp_path):
    tables, side, writer = livelink(tmp_path / "take.csv", steady(40, slots=(0, 2)))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "take.slot0.csv",
        "take.slot2.csv",
        "take.source.json",
    ]
    assert [len(t) for t in tables] == [40, 40]
    assert writer.rows == {0: 40, 2: 40}
    assert [f["file"] for f in side["files"]] == ["take.slot0.csv", "take.slot2.csv"]


def test_missing_expressions_are_said_and_not_made_up(tmp_path):
    writer = LiveLinkCsv(str(tmp_path / "a.csv"), info())
    with pytest.raises(KfxError, match="blendshapes are missing"):
        writer.write(frame(0), [face_at()])
    some = {name: 0.1 for name in NAMES if name not in ("jawOpen", "tongueOut")}
    with pytest.raises(KfxError, match="jawOpen is missing"):
        writer.write(frame(0), [replace(face_at(), blendshapes=some)])


def test_no_face_means_no_file(tmp_path):
    writer = LiveLinkCsv(str(tmp_path / "a.csv"), info())
    writer.write(frame(0), ())
    with pytest.raises(KfxError, match="no face was found"):
        writer.land()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_take_too_short_to_show_sixty_is_named(tmp_path):
    _, _, short = livelink(tmp_path / "a.csv", steady(10), fps=60)
    assert "write it with --fps 30" in short.warnings[0]
    _, _, long = livelink(tmp_path / "b.csv", steady(40), fps=60)
    assert not long.warnings


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 25), (-35, 12, -40)]
)
def test_head_angles_are_unreals(yaw, pitch, roll):
    """Turned in the face's own axes: x to the subject's left, y up, z out of the face."""
    a, b, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    flip = np.diag([1.0, -1, -1])
    pose = np.eye(4)
    pose[:3, :3] = 50 * flip @ turn @ nod @ lean @ flip
    found = head_angles(np.array([decompose(pose)[0]]))[0]
    np.testing.assert_allclose(found, (yaw, pitch, roll), atol=1e-4)


def test_head_angles_are_written_over_180(tmp_path):
    frames = [(frame(i), [shaped(face_at(age=i, yaw=18.0))]) for i in range(10)]
    (rows,), _, _ = livelink(tmp_path / "a.csv", frames)
    assert float(rows[5]["HeadYaw"]) == pytest.approx(0.1, abs=1e-4)
    frames = [(frame(i), [shaped(face_at(age=i, roll=18.0))]) for i in range(10)]
    (rows,), _, _ = livelink(tmp_path / "b.csv", frames)
    assert float(rows[5]["HeadRoll"]) == pytest.approx(-0.1, abs=1e-4)  # kfx leans to the left


def test_eyes_look_where_the_irises_are():
    rest = gaze(face_at())
    np.testing.assert_allclose(rest, 0, atol=0.05)
    shape = canonical().vertices.copy()
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        shape[iris : iris + 5] += np.float32([0.05, 0.02, 0])  # to the subject's left, down
    left_yaw, left_pitch, right_yaw, right_pitch = gaze(face_at(shape=shape, yaw=15, roll=10))
    assert left_yaw == pytest.approx(right_yaw, abs=2)
    assert 12 < left_yaw < 18
    assert 4 < left_pitch < 8
    assert right_pitch == pytest.approx(left_pitch, abs=2)
    shape[LEFT_IRIS] += np.float32([5, 5, 0])
    assert np.abs(gaze(face_at(shape=shape))).max() <= track_livelink.FARTHEST_DEG


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 86399),
    number=st.integers(0, 10**6),
    rate=st.sampled_from([30, 60]),
    part=st.integers(0, 23),
)
def test_stamps_rise_by_one_frame_and_never_reach_the_rate(start, number, rate, part):
    s = Fraction(start) + Fraction(part, 24)
    now, then = stamp(s, number, rate), stamp(s, number + 1, rate)

    def count(text):
        h, m, sec, f = text.split(":")
        assert float(f) < rate
        return ((int(h) * 60 + int(m)) * 60 + int(sec)) * rate + Fraction(f)

    assert (count(then) - count(now)) % (86400 * rate) == 1


def test_a_label_is_what_the_clock_shows():
    assert label("01:02:03:12", NTSC) == 3723 + Fraction(1, 2)
    assert label("01:00:00;15", Fraction(30000, 1001)) == 3600 + Fraction(1, 2)


@settings(max_examples=80, deadline=None)
@given(
    gaps=st.lists(st.fractions(Fraction(1, 240), Fraction(1, 2)), min_size=1, max_size=30),
    rate=st.sampled_from([30, 60]),
    data=st.data(),
)
def test_any_times_give_rising_finite_rows_within_the_take(gaps, rate, data):
    times = [sum(gaps[:i], Fraction(0)) for i in range(len(gaps) + 1)]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    samples = [
        Sample(t, 2 * i, i, rng.uniform(0, 1, 56), tuple(_unit(rng.normal(size=4))))
        for i, t in enumerate(times)
    ]
    lines, spans = track_livelink.rows(samples, Fraction(0), Fraction(0), rate)
    stamps = [line.split(",")[0] for line in lines]
    assert stamps == sorted(set(stamps))
    assert all(len(line.split(",")) == 63 for line in lines)
    values = np.array([[float(v) for v in line.split(",")[2:]] for line in lines]).reshape(-1, 61)
    assert np.isfinite(values).all()
    assert np.abs(values).max(initial=0) <= 1.0
    inside = sum(
        Fraction(a) <= Fraction(k, rate) <= Fraction(b)
        for k in range(int(times[-1] * rate) + 1)
        for a, b in spans
    )
    assert len(lines) == inside


def _unit(values):
    return (values / np.linalg.norm(values)).tolist()


def test_turns_go_the_short_way_at_an_even_pace():
    angle = np.radians([0.0, 90.0])
    q = np.stack([np.sin(angle / 2), [0, 0], [0, 0], np.cos(angle / 2)], axis=1)
    q[1] = -q[1]  # the same turn, written the other way
    at = np.array([0.0, 0.25, 0.5, 1.0])
    out = resample.turns(np.array([0.0, 1.0]), q, at)
    np.testing.assert_allclose(2 * np.degrees(np.arcsin(out[:, 0])), at * 90, atol=1e-9)


def test_a_degenerate_face_is_written_all_the_same(tmp_path):
    flat = np.zeros((478, 3), np.float32)
    face = Face(0, freeze(flat), freeze(np.zeros((4, 4), np.float32)), 0.0)
    landmarks(tmp_path / "a.csv", [(frame(0), [face])])
    (rows,), _, _ = livelink(tmp_path / "b.csv", [(frame(i), [shaped(face)]) for i in range(3)])
    assert len(rows) == 3
    assert not re.search("nan|inf", (tmp_path / "b.csv").read_text())


def test_columns_are_declared_once():
    assert len(track_csv.COLUMNS) == 7 + 478 * 3
    assert len(track_livelink.COLUMNS) == 63
    assert Path(track_livelink.slot_path("a/take.csv", 2)) == Path("a/take.slot2.csv")


def test_a_pinned_slot_has_its_name(tmp_path):
    faces = [face_at(20, 20, 10), face_at(40, 20, 10, slot=3)]
    _, rows = landmarks(tmp_path / "t.csv", [(frame(0), faces)], names={3: 'J-Hope, "lead"'})
    assert [(row["face_id"], row["name"]) for row in rows] == [("0", ""), ("3", 'J-Hope, "lead"')]


def test_a_pinned_slot_is_the_subject_of_its_live_link_file(tmp_path):
    writer = LiveLinkCsv(str(tmp_path / "S1_T2.csv"), info(), names={1: "lead/rap"})
    for k in range(10):
        writer.write(frame(k), [shaped(face_at(20 * s, 20, 8, slot=s)) for s in (1, 2)])
    names = [path.name for path in writer.land()]
    assert names == ["S1_T2_lead%2Frap.csv", "S1_T2.slot2.csv", "S1_T2.source.json"]
    files = json.loads((tmp_path / names[-1]).read_text("utf-8"))["files"]
    assert [one["name"] for one in files] == ["lead/rap", ""]
