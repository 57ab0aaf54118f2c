"""The commands as people call them: what they print, write and return."""

import json
import os
import signal
import subprocess
import sys

import av
import numpy as np
import pytest

from kfx import clock
from kfx.cli import main
from tests.waiting import LONG_S, until

SMALL = ["--size", "320x180", "--tracker", "truth"]


def frames_of(path):
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def test_render_writes_every_frame_and_a_report(tmp_path, capsys):
    out, report = tmp_path / "out.mp4", tmp_path / "r.json"
    code = main(
        [
            "render",
            "performer",
            "-p",
            "supernova",
            "-o",
            str(out),
            "--to",
            "0.5",
            "--report",
            str(report),
            *SMALL,
        ]
    )
    assert code == 0
    assert len(frames_of(out)) == 15
    said = json.loads(report.read_text())
    assert said["frames"] == 15
    assert said["source_fps"] == 30
    assert said["size"] == [320, 180]
    assert said["faces"] == {"frames_with_face": 15, "max_faces": 1, "slots": [0]}
    assert said["dropped"] == 0
    assert said["tracker"] == "truth"
    assert said["renderer"]
    for stage in ("read", "track", "render", "write"):
        times = said["stage_ms"][stage]
        assert 0 <= times["p50"] <= times["p95"] <= times["p99"]
    assert "15 frames 320x180" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "r.json"]


def test_the_same_render_twice_is_the_same(tmp_path):
    for name in ("a", "b"):
        code = main(
            [
                "render",
                "performer?faces=2",
                "-p",
                "supernova",
                "--size",
                "320x180",
                "-o",
                str(tmp_path / name / "%06d.png"),
                "--to",
                "0.4",
            ]
        )
        assert code == 0
    first = sorted((tmp_path / "a").iterdir())
    assert len(first) == 12
    for path in first:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_clean_plate_passes_unchanged(tmp_path):
    from kfx import sources

    main(
        [
            "render",
            "performer",
            "-p",
            "none",
            "-o",
            str(tmp_path / "%06d.png"),
            "--to",
            "0.1",
            *SMALL,
        ]
    )
    import cv2

    with sources.open("performer", size=(320, 180)) as source:
        plate = next(iter(source.frames())).pixels
    shown = cv2.cvtColor(cv2.imread(str(tmp_path / "001001.png")), cv2.COLOR_BGR2RGB)
    assert (shown == plate[..., :3]).all()


def test_set_changes_the_picture(tmp_path):
    pictures = []
    for setting in ("film.vignette=0", "film.vignette=1"):
        out = tmp_path / f"{setting[-1]}.mov"
        main(
            [
                "render",
                "performer",
                "-p",
                "supernova",
                "-o",
                str(out),
                "--to",
                "0.1",
                "--set",
                setting,
                *SMALL,
            ]
        )
        pictures.append(frames_of(out)[0])
    assert pictures[0][0].mean() > pictures[1][0].mean()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["render", "performer", "-o", "x.mp4"], "add --to"),
        (["render", "performer", "-o", "x.avi", "--to", "1"], "no sink understands"),
        (["render", "performer", "-o", "vcam", "--to", "1"], "use kfx live"),
        (["render", "performer", "-o", "x.mp4", "--to", "1", "--from", "2"], "must lie after"),
        (["render", "performer", "-o", "x.mp4", "--to", "soon"], "no time"),
        (["render", "performer", "-o", "x.mp4", "--to", "1", "--size", "big"], "no size"),
        (["render", "performer?wings=2", "-o", "x.mp4", "--to", "1"], "unknown option 'wings'"),
        (["render", "camera:0", "-o", "x.mp4"], "use kfx live"),
        (["render", "performer", "-o", "x.mp4", "--to", "1", "--set", "film.x=1"], "no knob"),
        (["live", "-i", "performer", "-o", "null", "--seconds", "-1"], "more than 0"),
        (["live", "-i", "performer", "-o", "nowhere"], "no sink understands"),
        (["live", "-i", "performer", "-o", "null", "--fps", "lots"], "no frame rate"),
    ],
)
def test_wrong_usage_is_2_and_says_why(arguments, fault, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert fault in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["render", "no.mp4", "-o", "x.mp4"], "no.mp4"),
        (["render", "performer", "-p", "nope", "-o", "x.mp4", "--to", "1"], "there is none"),
        (["check", "nope"], "there is none"),
        (["show", "nope"], "unknown"),
    ],
)
def test_a_failure_is_1_and_says_why(arguments, fault, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert fault in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_argparse_errors_are_2():
    for arguments in ([], ["fly"], ["render"], ["list", "dreams"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_existing_files_are_safe(tmp_path, capsys):
    out = tmp_path / "take.mp4"
    out.write_text("precious")
    arguments = ["render", "performer", "-p", "none", "-o", str(out), "--to", "0.1", *SMALL]
    assert main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main([*arguments, "--force"]) == 0
    assert len(frames_of(out)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_leaves_no_half_file(tmp_path):
    command = [
        sys.executable,
        "-m",
        "kfx",
        "render",
        "performer",
        "-p",
        "supernova",
        "-o",
        str(tmp_path / "out.mp4"),
        "--to",
        "600",
        *SMALL,
    ]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: list(tmp_path.iterdir()), "a file that it writes")
        clock.pause(0.5)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=LONG_S)
    finally:
        child.kill()
    assert child.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_live_records_and_reports(tmp_path):
    out, report = tmp_path / "live.mp4", tmp_path / "r.json"
    code = main(
        [
            "live",
            "-i",
            "performer",
            "-p",
            "supernova",
            "-o",
            str(out),
            "-o",
            "null",
            "--seconds",
            "4",  # a busy machine needs two to the first frame
            "--report",
            str(report),
            *SMALL,
        ]
    )
    assert code == 0
    said = json.loads(report.read_text())
    assert said["frames"] > 3
    assert set(said["latency_ms"]) == {str(out), "null"}
    assert len(frames_of(out)) >= said["frames"] - 1


def test_demo_makes_a_film_and_a_contact_sheet(tmp_path, capsys):
    folder = tmp_path / "demo"
    assert main(["demo", "--out", str(folder), "--seconds", "0.6", "--size", "320x180"]) == 0
    assert sorted(os.listdir(folder)) == ["demo.mp4", "demo.png"]
    assert len(frames_of(folder / "demo.mp4")) == 18
    assert "supernova below" in capsys.readouterr().out
    sheet = frames_of(folder / "demo.png")[0]
    half = sheet.shape[0] // 2
    assert np.abs(sheet[:half].astype(int) - sheet[half:]).mean() > 1, "nothing has changed"


@pytest.mark.parametrize("things", ["sources", "sinks", "effects", "presets", "trackers"])
def test_list(things, capsys):
    assert main(["list", things]) == 0
    assert len(capsys.readouterr().out.splitlines()) > (things != "presets")


def test_show_and_check(capsys):
    assert main(["show", "film"]) == 0
    assert "halation" in capsys.readouterr().out
    assert main(["show", "supernova"]) == 0
    assert "one warp" in capsys.readouterr().out
    assert main(["check", "supernova"]) == 0
