"""Takes on disk: names, documents, faces, clocks, and a recorder that never ends the show."""

import contextlib
import errno
import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kfx
from kfx import effects, presets, takes
from kfx.cli import main
from kfx.engine.desk.tree import Change
from kfx.engine.stats import Stats
from kfx.engine.takes import kept_preset, take_files, take_recorder
from kfx.engine.takes.take_effects import Asked, TakeEffects, class_of
from kfx.engine.takes.take_files import About, Facts
from kfx.engine.takes.take_recorder import TakeRecorder
from kfx.errors import KfxError, UsageError
from kfx.presets import Preset
from kfx.sync.grid import steady
from kfx.takes import clock_log, document, naming
from kfx.takes.faces import FaceLog, FaceTrack
from kfx.types import Frame, Shot, SourceInfo, StreamInfo, Tick
from tests.faces import face_at, picture
from tests.waiting import LONG_S

SIZE = (64, 36)
RATE = Fraction(24000, 1001)
PIXELS = picture(*SIZE)
FACE = face_at(32, 18, 9)


def shot(n, code="01:00:00:00", signals=None):
    frame = Frame(PIXELS, n, n / RATE, 0.0, code if n == 0 else None)
    signals = MappingProxyType(signals or {"song.time": 10.0 + n / 24, "song.rate": 1.0})
    tick = Tick(n, float(n / RATE), 0.04, frame, (FACE,), beat=n / 12, signals=signals)
    return Shot(PIXELS, tick, tick)


def facts(**about):
    info = SourceInfo("camera:test", "camera", SIZE, RATE, live=True)
    return Facts(info, StreamInfo(SIZE, RATE), grid=steady(120.0), about=About(**about))


def opened(folder, **options):
    recorder = TakeRecorder(folder, "A001", **options)
    stats = Stats(SIZE, RATE, "test", "truth")
    recorder.open(facts(), stats, lambda: Asked(Preset("look", "", ())))
    return recorder, stats


def test_takes_are_numbered_by_slate(tmp_path):
    assert takes.next_name(tmp_path / "new", "A001") == "A001_T01"
    for name in ("A001_T01", "A001_T07", "B_T03", "A001_Txx"):
        (tmp_path / name).mkdir()
    assert takes.next_name(tmp_path, "A001") == "A001_T08"
    assert takes.next_name(tmp_path, "B") == "B_T04"
    for slate in ("", "../x", "a/b", "A001_T01", "x" * 99):
        with pytest.raises(UsageError, match="slate"):
            takes.next_name(tmp_path, slate)
    assert naming.split("A003C012_S12_T04") == ("A003C012_S12", 4)


def test_faces_come_back_to_the_bit_even_after_a_crash(tmp_path):
    shapes = {"jawOpen": 0.1 + 0.2, "tongueOut": 0.0}
    faces = (FACE, replace(FACE, slot=3, presence=1 / 3, found=False, blendshapes=shapes))
    log = FaceLog(tmp_path / "faces.npy")
    log.write(0, faces)
    log.write(2, faces[1:])
    log._file.flush()
    crashed = (tmp_path / "faces.npy").read_bytes()
    log.close()
    assert len(np.load(tmp_path / "faces.npy")) == 3
    (tmp_path / "crashed.npy").write_bytes(crashed + b"half a row")
    for name in ("faces.npy", "crashed.npy"):
        track = FaceTrack(tmp_path / name)
        assert track.at(1) == ()
        (third,) = track.at(2)
        assert (third.slot, third.presence, third.found) == (3, 1 / 3, False)
        assert dict(third.blendshapes) == shapes
        first = track.at(0)[0]
        assert np.array_equal(first.landmarks, FACE.landmarks)
        assert np.array_equal(first.pose, FACE.pose)
    (tmp_path / "other.npy").write_bytes(b"x" * 5000)
    with pytest.raises(KfxError, match="holds no faces"):
        FaceTrack(tmp_path / "other.npy")


def test_a_clock_reads_back_to_the_bit_and_names_a_damaged_line(tmp_path):
    path = tmp_path / "clock.jsonl"
    one = shot(7, signals={"song.time": 0.1 + 0.2, "song.rate": 2.0, "audio.low": 1 / 3})
    one = replace(one, drawn=replace(one.drawn, date=(2031.0, 2.0, 3.0, 4.5)))
    path.write_text(clock_log.line(one, 3, "01:00:00:03", 0.1, lead_s=0.05) + '{"half')
    (moment,) = clock_log.load(path)
    assert moment.tick_of(PIXELS, ()).date == (2031.0, 2.0, 3.0, 4.5)
    tick = moment.tick_of(PIXELS, (FACE,))
    want = one.tick
    assert (tick.time, tick.dt, tick.beat, tick.index) == (want.time, want.dt, want.beat, 7)
    assert dict(tick.signals) == dict(want.signals)
    assert tick.frame.time == want.frame.time
    assert moment.song_s == (0.1 + 0.2) - 0.05 * 2.0  # as the speakers had it
    path.write_text("{}\n")
    with pytest.raises(KfxError, match="line 1: is damaged"):
        clock_log.load(path)


def test_a_take_is_rolled_cut_circled_and_annotated(tmp_path):
    recorder, _ = opened(tmp_path, rolls=False)
    recorder.put(shot(0))  # nothing rolls yet
    with pytest.raises(UsageError, match="no take yet"):
        recorder.circle()
    assert recorder.roll() == "A001_T01"
    with pytest.raises(UsageError, match="A001_T01 is rolling"):
        recorder.roll()
    recorder.put(shot(0))
    recorder.heard(Change("/kfx/v1/fade", 0.5, "panel", 3))
    recorder.note("too dark", "dop")
    recorder.put(shot(1))
    assert recorder.cut() == "A001_T01"
    with pytest.raises(UsageError, match="no take is rolling"):
        recorder.cut()
    recorder.slate = "B002"
    recorder.roll()
    recorder.put(shot(2))
    recorder.finish()
    recorder.circle()
    one, two = takes.takes_in(tmp_path)
    assert (one.name, one.data["frames"], two.name) == ("A001_T01", 2, "B002_T01")
    assert one.data["start_tc"] == "01:00:00:00"
    assert one.notes[0]["text"] == "too dark"
    assert (one.circled, two.circled) == (False, True)
    (line,) = one.file("controls").read_text().splitlines()
    assert json.loads(line)["address"] == "/kfx/v1/fade"


def test_without_a_cameras_timecode_a_take_has_the_playbacks(tmp_path):
    files = take_files.TakeFiles(
        tmp_path, "A001_T01", facts(offset_s=3603.6, drop=False), Preset("look", "", ())
    )
    files.write(shot(0, code=None))
    take = files.finish({"frames": 1}, [])
    assert take.data["start_tc"] == "01:00:10:00"  # 3613.6 s at 23.976


def test_a_slow_disk_ends_the_take_and_not_the_show(tmp_path, monkeypatch):
    gate = threading.Event()
    write = take_files.TakeFiles.write

    def slow(self, one):
        gate.wait(LONG_S)
        write(self, one)

    monkeypatch.setattr(take_files.TakeFiles, "write", slow)
    monkeypatch.setattr(take_recorder, "MOST_QUEUE_BYTES", 0)
    recorder, stats = opened(tmp_path)
    for n in range(take_recorder.LEAST_QUEUE + 5):
        recorder.put(shot(n))
    assert recorder.name == ""
    assert any("the take ends here" in text for text in stats.warnings)
    gate.set()
    recorder.finish()
    (take,) = takes.takes_in(tmp_path)
    assert take_recorder.LEAST_QUEUE <= take.data["frames"] <= take_recorder.LEAST_QUEUE + 1


def test_a_full_disk_ends_the_take_with_files_that_play(tmp_path, monkeypatch):
    from kfx import sources

    write = FaceLog.write

    def full(self, number, faces):
        if number == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, number, faces)

    monkeypatch.setattr(FaceLog, "write", full)
    recorder, stats = opened(tmp_path)
    for n in range(6):
        recorder.put(shot(n))
    recorder._all[0].thread.join(LONG_S)
    for n in range(6, 9):
        recorder.put(shot(n))  # the show goes on
    recorder.finish()
    assert any("the disk is full" in text for text in stats.warnings)
    (take,) = takes.takes_in(tmp_path)
    assert take.data["frames"] == 5
    assert "the disk is full" in take.data["warnings"][0]
    for role in ("plate", "picture"):
        with sources.open(str(take.file(role))) as source:
            assert len(list(source.frames())) >= 5
    assert len(clock_log.load(take.file("clock"))) == 5


def test_a_take_tells_in_which_frames_its_effects_were_seen():
    link = presets.alone(effects.find("expr_amp")).chain[0]
    first = Preset("first", "", (link,))
    then = Preset("then", "", presets.alone(effects.find("film")).chain)
    seen = TakeEffects(first)
    assert [row["on_ranges"] for row in seen.rows()] == [None]
    plate = shot(0)
    for number, (one, asked) in enumerate(
        [
            (plate, Asked(first)),
            (replace(plate, mode="clean"), Asked(first)),
            (replace(plate, drawn=None, mode="freeze"), Asked(first)),  # the plate is held
            (plate, Asked(first, frozenset({0}))),
            (plate, Asked(first)),
            (replace(plate, drawn=None, mode="freeze"), Asked(then, settled=False)),
            (plate, Asked(then, settled=False)),  # the first look is fading
            (plate, Asked(then)),
            (replace(plate, drawn=None, mode="black"), Asked(then)),
        ]
    ):
        seen.see(number, one, asked)
    motion, film = seen.rows()
    assert (motion["id"], motion["dst_class"]) == ("expr_amp", "reenact")
    assert motion["on_ranges"] == [[1001, 1001], [1005, 1007]]
    assert (film["id"], film["dst_class"]) == ("film", "procedural")
    assert film["on_ranges"] == [[1007, 1008]]
    assert (seen.bypassed, seen.changed) == ([], [1004, 1005, 1006])
    assert film["version"] == kfx.__version__
    assert film["sha256"] == document.sha256(Path(effects.find("film").where))


def test_a_take_keeps_the_look_it_began_with(tmp_path):
    look = presets.with_settings(presets.load("ballad_film"), ["film.grain=0.123"])
    files = take_files.TakeFiles(tmp_path, "A001_T01", facts(), look)
    for number in range(2):
        files.write(shot(number, signals={"song.time": 1.0, "song.rate": 0.5}))
        files.effects.see(number, shot(number), Asked(look, clock="LTC" if number else "tap"))
    files.finish({"frames": 2}, [])
    moved = tmp_path / "elsewhere"
    (tmp_path / "A001_T01").rename(moved)
    take = takes.load(moved)
    assert take.data["warnings"] == []
    clock = take.data["clock"]
    assert (clock["source"], clock["sources"], clock["rate"]) == ("tap", ["tap", "LTC"], 0.5)
    kept, notes = kept_preset.load(take)
    assert [link.effect.name for link in kept.chain] == [link.effect.name for link in look.chain]
    assert [dict(link.values) for link in kept.chain if link.effect.name == "film"] == [
        dict(link.values) for link in look.chain if link.effect.name == "film"
    ]
    assert all(
        Path(link.effect.where).is_relative_to(moved)
        for link in kept.chain
        if link.effect.kind == "shader"
    )
    assert notes == []
    for one in take.data["files"]:
        assert document.sha256(moved / one["path"]) == one["sha256"]
    take.data["preset"]["changed"] = [1002]
    assert "changed at frame 1002" in kept_preset.load(take)[1][0]
    (preset,) = [one for one in take.data["files"] if one["role"] == "preset"]
    preset["path"] = "../../look.toml"  # a path that leads out of the take
    with pytest.raises(KfxError, match=f"{moved}/look.toml: is missing"):
        take.file("preset")
    take.data["files"].remove(preset)
    assert kept_preset.load(take)[0] == kept  # as after a crash
    (moved / "A001_T01_preset" / "ballad_film.toml").unlink()
    with pytest.raises(KfxError, match="name one by -p"):
        kept_preset.load(take)


def test_effects_have_the_class_that_labels_go_by():
    wanted = {"face_exchange": "likeness", "retarget": "reenact", "film": "procedural"}
    assert {name: class_of(effects.find(name)) for name in wanted} == wanted
    net = replace(effects.find("film"), kind="net", source=SimpleNamespace(training="generative"))
    assert class_of(net) == "generative"


def test_a_take_without_a_shot_leaves_nothing(tmp_path):
    recorder, _ = opened(tmp_path, rolls=False)
    recorder.roll()
    recorder.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[]", "is no kfx.take/1"),
        ("{", "is no JSON"),
        ('{"schema": "kfx.take/1"}', "slate: is missing"),
        (json.dumps({"schema": "kfx.take/1", "slate": "A", "take": 1, "fps": [24, 0],
                     "size": [1, 1], "files": []}), "fps and size"),
    ],
)  # fmt: skip
def test_a_damaged_document_is_named(tmp_path, data, said):
    (tmp_path / "take.json").write_text(data)
    with pytest.raises(KfxError, match=said):
        takes.load(tmp_path)


def test_kfx_take_lists_circles_and_notes(tmp_path, capsys):
    recorder, _ = opened(tmp_path)
    recorder.put(shot(0))
    recorder.finish()
    folder = str(tmp_path / "A001_T01")
    assert main(["take", "circle", folder]) == 0
    assert main(["take", "note", folder, "good light", "--by", "dop", "--at", "01:00:00:00"]) == 0
    assert main(["take", "note", folder, " "]) == 2
    (tmp_path / "A001_T02").mkdir()
    (tmp_path / "A001_T02" / document.FILE).write_text("{")
    capsys.readouterr()
    assert main(["take", "list", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("o A001_T01")
    assert "01:00:00:00 dop: good light" in said.out
    assert "A001_T02" in said.err
    assert main(["take", "list", str(tmp_path / "none")]) == 1


DIES = """
import os, sys
from pathlib import Path
from kfx.engine.takes.take_files import TakeFiles
from kfx.presets import Preset
from tests.unit.test_takes import facts, shot
files = TakeFiles(Path(sys.argv[1]), "A001_T01", facts(), Preset("look", "", ()))
for n in range(80):
    files.write(shot(n))
os._exit(9)
"""


def test_a_take_that_a_dying_kfx_left_can_be_used(tmp_path, repo_root):
    from kfx import sources

    command = [sys.executable, "-c", DIES, str(tmp_path)]
    assert subprocess.run(command, cwd=repo_root, timeout=120).returncode == 9
    (take,) = takes.takes_in(tmp_path)
    with sources.open(str(take.file("plate"))) as source:
        frames = list(source.frames())
    assert len(frames) >= 48  # all but the last fragment of a second
    assert np.array_equal(frames[40].pixels, PIXELS)
    assert len(clock_log.load(take.file("clock"))) == 80
    assert takes.next_name(tmp_path, "A001") == "A001_T02"


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_whatever_the_files_of_a_take_hold_it_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "take.json").write_bytes(data)
        for read in (takes.load, FaceTrack, clock_log.load):
            path = folder / "take.json"
            with contextlib.suppress(KfxError):
                read(path)
