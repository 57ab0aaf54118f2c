"""Wrong command lines: one line that names place and remedy, and nothing is overwritten."""

import errno
import os
import signal
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from kfx import cli
from kfx.params import Choice, Float, Int, parse


def said(capsys, *words: str) -> tuple[int, str]:
    """The exit code of a command line and what it wrote to stderr, without the last line break."""
    try:
        code = cli.main(words)
    except SystemExit as end:
        code = end.code
    return code, capsys.readouterr().err.rstrip("\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("rendr", "kfx: there is no 'rendr'; did you mean render?; see kfx --help"),
        ("list foo", "kfx: there is no 'foo'; there are sources, sinks, effects, presets"),
        ("render", "kfx: the following arguments are required: INPUT, -o/--out; see kfx render"),
        ("render x.mp4 -o a.mp4 --bpm fast", "kfx: --bpm: 'fast' is no number; see kfx render"),
        ("beats x.wav --beats-per-bar 4.5", "kfx: --beats-per-bar: '4.5' is no whole number"),
        ("render x.mp4 -o a.mp4 --aov-format tif", "kfx: --aov-format: there is no 'tif'; there"),
        ("render x.mp4 -o a.mp4 --size", "kfx: --size: expected one argument; see kfx render"),
        ("render x.mp4 -o a.mp4 --report x.mp4", "kfx: --report: x.mp4: reports are written as"),
        ("live -o null --seconds nan", "kfx: --seconds nan: must be more than 0"),
        ("live --secs 3", "kfx: unrecognized arguments: --secs 3; did you mean --seconds?; see"),
        ("bench live --jsn", "kfx: unrecognized arguments: --jsn; did you mean --json?; see kfx b"),
        ("preset unpack x --bogus", "kfx: unrecognized arguments: --bogus; see kfx preset unpack"),
        ("ctl panic x y", "kfx: unrecognized arguments: x y; see kfx ctl panic --help"),
        ("--bogus list effects", "kfx: unrecognized arguments: --bogus; see kfx --help"),
        ("preset nw", "kfx: there is no 'nw'; did you mean new?; see kfx preset --help"),
        ("render x.mp4 -o a.mp4 --to 1:2:3:4", "kfx: --to: '1:2:3:4' looks like timecode; write"),
        ("render x.mp4 -o a.avi", "kfx: a.avi: no sink understands this; a file ends in .mp4"),
        ("render x.mp4 -o new/", "kfx: new/: is a folder; name a file in it: new/out.mp4"),
        ("bench live --openseeface .", "kfx: --openseeface .: holds no tracker.py; name its"),
        ("bench neural --seconds 0", "kfx: --seconds 0: use 1..3600"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(words, text, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, line = said(capsys, *words.split())
    assert code == 2
    assert line.startswith(text)
    assert "\n" not in line
    assert not any(tmp_path.iterdir())


def test_kfx_alone_shows_its_help(capsys):
    code, text = said(capsys)
    assert code == 2
    assert "kfx render clip.mp4" in text


@pytest.mark.parametrize(
    "words",
    [
        "render f/%04d.png?fps=24 -o f/../f/%04d.png --force",
        "render a.png -o ./a.png --force",
        "beats s.wav -o s.wav --force",
        "beats s.wav --tempo-map map.mid -o map.mid --force",
    ],
)
def test_not_even_force_overwrites_what_is_read(words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").mkdir()
    cv2.imwrite("a.png", np.zeros((32, 32, 3), np.uint8))
    cv2.imwrite("f/0001.png", np.zeros((32, 32, 3), np.uint8))
    code, line = said(capsys, *words.split())
    assert code == 1
    assert line.endswith("is what is read; write to another name")


def test_a_schema_is_replaced_only_by_force(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text("mine")
    code, line = said(capsys, "schema", "-o", "a.json")
    assert (code, line) == (1, "kfx: a.json: exists; add --force to replace it")
    assert (tmp_path / "a.json").read_text() == "mine"
    assert cli.main(["schema", "-o", "a.json", "--force"]) == 0
    assert (tmp_path / "a.json").read_text() != "mine"


@pytest.mark.parametrize(
    ("knob", "text", "message"),
    [
        (Choice("a", ("a", "b"), ("soft", "hard")), "sof", "'sof' is none of soft, hard"),
        (Float(1.0, 0.0, 4.0), "abc", "'abc' is no number; use 0..4"),
        (Int(1, 0, 9), "inf", "inf is no whole number; use 0..9"),
        (Int(1, 0, 9), "nan", "nan is no whole number; use 0..9"),
    ],
)
def test_a_wrong_value_is_told_what_it_could_be(knob, text, message):
    with pytest.raises(ValueError, match=message):
        parse(knob, text)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_command_as_ctrl_c_does(name, capsys, monkeypatch, tmp_path):
    number = getattr(signal, name)
    unfinished = tmp_path / "half"

    def work(options):
        unfinished.touch()
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(10)
        finally:
            unfinished.unlink()
        return 0

    from kfx.cli import doctor

    before = signal.getsignal(number)
    monkeypatch.setattr(doctor, "run", work)
    assert said(capsys, "doctor") == (128 + number, "kfx: stopped")
    assert not unfinished.exists()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("words", ["schema -o a.json", "preset new a.toml --effects film"])
def test_a_full_disk_leaves_no_half_file(words, capsys, monkeypatch, tmp_path):
    def full(path, text, **options):
        with path.open("w") as file:
            file.write(text[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "write_text", full)
    code, line = said(capsys, *words.split())
    assert code == 1
    assert line.endswith(": the disk is full; make room and begin again")
    assert not any(tmp_path.iterdir())
