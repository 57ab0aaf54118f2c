"""``kfx live`` on a terminal: its keys, its screen, and a recording that is always finished."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from fractions import Fraction

import av
import pytest

from kfx import cli, clock
from kfx.cli import Ended, live
from kfx.engine import live as engine_live
from kfx.engine.stats import Stats
from tests.waiting import LONG_S

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
termios = pytest.importorskip("termios", reason="this system has no POSIX terminals")

WIDTH, HEIGHT = 128, 72


def read_until(screen, wanted):
    """What a terminal shows until it has shown `wanted`."""
    text, deadline = "", clock.now() + LONG_S
    while clock.now() < deadline:
        if select.select([screen], [], [], 0.1)[0]:
            try:
                text += os.read(screen, 65536).decode("utf-8", "replace")
            except OSError:  # how Linux says that the other end is closed
                break
        if wanted in text:
            return text
    raise AssertionError(f"never saw {wanted!r} in {text[-2000:]}")


def test_a_show_that_ended_before_its_first_picture_is_no_success(monkeypatch, capsys, tmp_path):
    report = tmp_path / "r.json"
    stats = Stats((WIDTH, HEIGHT), Fraction(30), "nobody", "truth", ended=clock.now())
    monkeypatch.setattr(engine_live, "run", lambda *args, **options: stats)
    words = ["live", "-i", "performer", "-o", "null", "--osc-in", "off", "--panel", "off"]
    words += ["--plain", "--report", str(report)]
    assert cli.main(words) == 1
    assert capsys.readouterr().err == "kfx: performer: the show ended before its first picture\n"
    assert json.loads(report.read_text())["frames"] == 0
    assert cli.main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["frames"] == 0
    stats.frames = 1
    assert cli.main(words) == 0


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_recording_that_has_failed_is_told_at_the_end_and_by_the_code(monkeypatch, capsys, json_):
    """It was told when it happened, hours before."""
    stats = Stats((WIDTH, HEIGHT), Fraction(30), "nobody", "truth", frames=9, ended=clock.now())
    stats.show["failed"] = {"take.mov": "take.mov: the disk is full; what was recorded is kept"}
    monkeypatch.setattr(engine_live, "run", lambda *args, **options: stats)
    words = ["live", "-i", "performer", "-o", "null", "--osc-in", "off", "--panel", "off"]
    assert cli.main([*words, "--plain", *json_]) == 1
    said = capsys.readouterr()
    if json_:
        assert json.loads(said.out)["failed"] == stats.show["failed"]
    else:
        assert said.err == "kfx: failed: take.mov: the disk is full; what was recorded is kept\n"
        assert said.out.startswith("9 frames")


def test_keys_change_the_output_and_sigterm_finishes_the_recording(tmp_path):
    out, report = tmp_path / "take.mp4", tmp_path / "r.json"
    screen, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    command = [sys.executable, "-m", "kfx", "live", "-i", "performer?size=128x72", "-p", "none"]
    command += ["-o", str(out), "-o", "null", "--tracker", "truth", "--report", str(report)]
    child = subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
    )  # fmt: skip
    try:
        assert "LIVE" in read_until(screen, "panic")  # the last of its lines
        assert termios.tcgetattr(terminal)[3] & termios.ICANON == 0
        os.write(screen, b"k")
        read_until(screen, "BLACK")
        os.write(screen, b"p")
        read_until(screen, "CLEAN")
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=LONG_S)
    finally:
        child.kill()
        after = termios.tcgetattr(terminal)
        os.close(screen)
        os.close(terminal)
    assert child.returncode == 0
    assert after == before, "the terminal is as it was"
    assert b"frames" in said
    told = json.loads(report.read_text())
    assert told["output"] == "clean"
    with av.open(str(out)) as film:
        levels = [frame.to_ndarray(format="gray").mean() for frame in film.decode(video=0)]
    assert len(levels) + 1 >= told["frames"]
    assert min(levels) < 5 < max(levels)
    assert levels[-1] > 5


def events():
    """A show that has begun."""
    stop, begun = threading.Event(), threading.Event()
    begun.set()
    return stop, begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_show_and_is_given_back(number):
    before, (stop, begun) = signal.getsignal(number), events()
    with live._ended_by_signals(stop, begun):
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_waits_for_nothing():
    stop, begun = events()
    with live._ended_by_signals(stop, begun):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.is_set()


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, Ended),
        (signal.SIGHUP, Ended),
    ],
)
def test_a_show_that_is_still_loading_is_left_at_once(number, raised):
    with live._ended_by_signals(threading.Event(), threading.Event()), pytest.raises(raised):
        signal.raise_signal(number)


def test_what_is_ignored_stays_so():
    """nohup kfx live … outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop, begun = events()
        with live._ended_by_signals(stop, begun):
            signal.raise_signal(signal.SIGHUP)
        assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_could_not_be_written_at_the_end_is_refused_at_the_start(tmp_path, capsys):
    """A plain file where a folder should be, as on a disk that can only be read."""
    blocked = tmp_path / "taken"
    blocked.touch()
    for option in (["--report", str(blocked / "live.json")], ["--take", str(blocked)]):
        assert cli.main(["live", "-i", "performer", "-o", "null", "-p", "none", *option]) == 1
        assert "taken: a part of its path is a file" in capsys.readouterr().err
