"""``kfx track`` as people call it: what it prints, writes, refuses and leaves behind."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest

from kfx import sources
from kfx.cli import main
from kfx.engine.tracks import track
from kfx.engine.tracks.livelink import SHAPES
from kfx.errors import KfxError
from kfx.tracking.blendshapes import Blendshapes
from kfx.types import SourceInfo
from tests.faces import face_at, frame_of, picture
from tests.unit import media

SMALL = ["--size", "320x180", "--tracker", "truth"]
NAMES = [name[0].lower() + name[1:] for name in SHAPES]


@pytest.fixture
def expressions(monkeypatch):
    """Known blendshapes, so that these tests need no net."""
    values = dict.fromkeys(NAMES, 0.25)
    monkeypatch.setattr(Blendshapes, "of", lambda self, landmarks, calibration=None: values)


def table(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines[1:] if lines[0].startswith("#") else lines))


class Prepared:
    """A source of prepared frames; an exception among them is raised."""

    def __init__(self, frames, rate=Fraction(30), variable=False):
        self.info = SourceInfo(
            "prepared", "file", (320, 180), rate, frame_count=len(frames), variable_rate=variable
        )
        self._frames = frames
        self.closed = False

    def frames(self):
        for one in self._frames:
            if isinstance(one, Exception):
                raise one
            yield one

    def close(self):
        self.closed = True


PIXELS = picture()


def prepared(n=10, **options):
    faces = [(face_at(100 + i, age=i),) for i in range(n)]
    return Prepared([frame_of(PIXELS, i, truth=faces[i]) for i in range(n)], **options)


def test_the_performers_truth_comes_out_as_it_is(tmp_path, capsys):
    out = tmp_path / "take.csv"
    code = main(["track", "performer", "-o", str(out), "--to", "0.4", *SMALL])
    assert code == 0
    rows = table(out)
    assert len(rows) == 12
    with sources.open("performer", size=(320, 180), stop_s=Fraction(2, 5)) as source:
        for row, frame in zip(rows, source.frames(), strict=True):
            truth = frame.truth[0]
            shown = np.array([[float(row[f"p{i:03d}_{a}"]) for a in "xy"] for i in range(478)])
            np.testing.assert_allclose(shown, truth.landmarks[:, :2], atol=6e-4)
            assert row["tc"] == frame.timecode
    said = capsys.readouterr().out
    assert "take.csv: 12 frames, 12 with a face (slot 0 12 rows)" in said
    assert [p.name for p in tmp_path.iterdir()] == ["take.csv"]


def test_a_pinned_slot_is_named(tmp_path):
    out = tmp_path / "duet.csv"
    spec = ["performer?faces=2", "-o", str(out), "--to", "0.1", *SMALL]
    assert main(["track", *spec, "--pin", "1=lead"]) == 0
    assert {(row["face_id"], row["name"]) for row in table(out)} == {("0", ""), ("1", "lead")}
    assert main(["track", *spec, "--force", "--pin", "9=lead"]) == 2


def test_a_cut_keeps_the_numbers_and_the_timecode_of_the_take(tmp_path):
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    spec = ["performer?faces=2", *SMALL]
    assert main(["track", *spec, "-o", str(whole), "--to", "0.5"]) == 0
    assert main(["track", *spec, "-o", str(part), "--from", "0.2", "--to", "0.5"]) == 0
    rows = [r for r in table(whole) if int(r["frame"]) >= 1007]
    assert len(rows) == 9 * 2
    key = [(r["frame"], r["tc"], r["p001_x"]) for r in rows]
    assert sorted(key) == sorted((r["frame"], r["tc"], r["p001_x"]) for r in table(part))


def test_the_same_take_twice_is_the_same_file(tmp_path):
    for name in ("a.csv", "b.csv"):
        assert main(["track", "performer", "-o", str(tmp_path / name), "--to", "0.3", *SMALL]) == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_smooth_points_are_those_the_effects_see(tmp_path):
    raw, calm = tmp_path / "raw.csv", tmp_path / "calm.csv"
    main(["track", "performer", "-o", str(raw), "--to", "0.4", *SMALL])
    main(["track", "performer", "-o", str(calm), "--to", "0.4", "--smooth", *SMALL])
    a, b = (np.array([float(r["p001_x"]) for r in table(p)]) for p in (raw, calm))
    assert a[0] == b[0]
    assert np.abs(a - b)[3:].max() > 0.002
    assert np.abs(a - b).max() < 3


def test_a_video_file_without_a_face_has_its_frames(tmp_path):
    clip = media.make(tmp_path / "grey.mp4", [media.numbered(i) for i in range(8)])
    out = tmp_path / "out" / "take.csv"
    assert main(["track", str(clip), "-o", str(out)]) == 0
    rows = table(out)
    assert [int(r["frame"]) for r in rows] == list(range(1001, 1009))
    assert {r["conf"] for r in rows} == {"0"}
    assert {r["p000_x"] for r in rows} == {""}


def test_livelink_writes_a_file_and_its_sidecar(tmp_path, expressions, capsys):
    out = tmp_path / "S1_T2_lead.csv"
    code = main(
        ["track", "performer?fps=24", "-o", str(out), "--to", "1", "--format", "livelink", *SMALL]
    )
    assert code == 0
    rows = table(out)
    assert len(rows) == 29  # 0 … 28/30 lie before the last of 24 frames, at 23/24 s
    assert {r["JawOpen"] for r in rows} == {"0.250000"}
    side = json.loads((tmp_path / "S1_T2_lead.source.json").read_text())
    assert side["source_fps"] == [24, 1]
    assert side["files"][0]["rows"] == 29
    assert "S1_T2_lead.csv" in capsys.readouterr().out


def test_livelink_writes_a_file_per_slot_and_force_replaces_the_whole_take(tmp_path, expressions):
    out = tmp_path / "take.csv"
    command = ["track", "-o", str(out), "--to", "0.3", "--format", "livelink", *SMALL]
    assert main([*command, "performer?faces=2"]) == 0
    names = ["take.slot0.csv", "take.slot1.csv", "take.source.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert main([*command, "performer"]) == 1
    assert main([*command, "performer", "--force"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["take.csv", "take.source.json"]


def test_missing_blendshapes_are_said_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Blendshapes, "of", lambda self, landmarks, calibration=None: {})
    out = tmp_path / "take.csv"
    command = ["track", "performer", "-o", str(out), "--to", "9", "--format", "livelink", *SMALL]
    assert main(command) == 1
    assert "blendshapes are missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["performer"], "never ends; add --to"),
        (["camera:0"], "kfx live tracks it"),
        (["performer", "--to", "1", "--format", "fbx"], "there are csv, livelink"),
        (["performer", "--to", "1", "--fps", "30"], "only livelink is resampled"),
        (["performer", "--to", "1", "--format", "livelink", "--fps", "24"], "30 or 60"),
        (["performer", "--from", "2", "--to", "1"], "must lie after --from"),
        (["performer", "--to", "1", "--tracker", "magic"], "there are mediapipe, truth"),
        (["performer", "--to", "1", "--bpm", "0"], "outside 1..1000"),
    ],
)
def test_wrong_usage_is_named(words, says, tmp_path, capsys):
    assert main(["track", *words, "-o", str(tmp_path / "a.csv")]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_are_refused(tmp_path, capsys):
    assert main(["track", "performer", "--to", "1", "-o", str(tmp_path / "a.mov")]) == 2
    assert "name it a.csv" in capsys.readouterr().err
    assert main(["track", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "a.csv")]) == 1
    assert "no such file" in capsys.readouterr().err
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert main(["track", "performer", "--to", "1", "-o", str(kept), *SMALL]) == 1
    assert "add --force" in capsys.readouterr().err
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("form", track.FORMATS)
def test_ctrl_c_leaves_nothing(tmp_path, form, expressions):
    def progress(done, total):
        if done == 3:
            raise KeyboardInterrupt

    source = prepared()
    with pytest.raises(KeyboardInterrupt):
        track.track(source, str(tmp_path / "a.csv"), form=form, tracker="truth", progress=progress)
    assert source.closed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", track.FORMATS)
def test_a_source_that_breaks_leaves_nothing_and_the_old_file(tmp_path, form, expressions):
    out = tmp_path / "a.csv"
    out.write_text("old")
    source = prepared()
    source._frames[5] = KfxError("clip.mov: is damaged")
    with pytest.raises(KfxError, match="is damaged"):
        track.track(source, str(out), form=form, tracker="truth", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert out.read_text() == "old"


def test_a_source_without_frames_is_an_error(tmp_path):
    with pytest.raises(KfxError, match="no frame came"):
        track.track(Prepared([]), str(tmp_path / "a.csv"), tracker="truth")
    assert list(tmp_path.iterdir()) == []


def test_an_unsteady_source_gets_the_exact_times_beside_it(tmp_path):
    result = track.track(prepared(3, variable=True), str(tmp_path / "a.csv"), tracker="truth")
    assert [p.name for p in result.files] == ["a.csv", "a.source.json"]
    side = json.loads((tmp_path / "a.source.json").read_text())
    assert side["times_s"] == {"1001": "0", "1002": "1/30", "1003": "1/15"}


def test_points_as_found_go_to_the_nearest_face_once():
    faces = [face_at(100, slot=0), face_at(104, slot=1), face_at(250, slot=2)]
    found = [face.landmarks + np.float32(0.5) for face in (faces[2], faces[1], faces[0])]
    shown = track.as_found(faces, found)
    assert [f.slot for f in shown] == [0, 1, 2]
    for face, points in zip(shown, reversed(found), strict=True):
        np.testing.assert_array_equal(face.landmarks, points)
    lost = face_at(100, slot=0)
    alone = track.as_found([lost], found)
    np.testing.assert_array_equal(alone[0].landmarks, found[2])
    assert track.as_found([lost], []) == (lost,)
