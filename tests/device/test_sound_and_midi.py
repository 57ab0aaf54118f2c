"""Timecode, music, MIDI timecode, MIDI clock and a controller through devices of this machine.

JACK's dummy driver stands in for a sound card and for MIDI sockets: PortAudio and RtMidi see
devices, and what one program plays another one hears.
"""

import json
import statistics
import sys
from itertools import pairwise

import pytest

from tests.device.jack_server import Jack

PLAYER = "PortAudio"  # as a sound input: the client that plays


@pytest.fixture(scope="module")
def jack():
    with Jack() as server:
        yield server


def test_timecode_from_a_sound_device_leads_the_song_and_fires_cues(jack, tmp_path):
    """Left the timecode, right the music, of one device: song clock, cues, bands and onsets."""
    cues = "".join(
        f"[[cue]]\nat = {second}.0\n{'black' if second % 2 else 'live'} = true\n"
        for second in range(1, 90)
    )
    show = tmp_path / "show.toml"
    show.write_text(
        f'version = 1\nbpm = 120\nlength = 90\noffset = "01:00:00:00"\nfps = "25"\n{cues}'
    )
    player = jack.start("tests.device.jack_player", 25, 90, 120)
    listed = jack.kfx("list", "devices").stdout
    assert f"{PLAYER}  sound input, 2 channels, 48000 Hz" in listed
    ran = jack.kfx(
        *("live", "-i", "performer?size=192x108&fps=24", "-o", "null", "--tracker", "truth"),
        *("-s", show, "--sync", f"ltc:{PLAYER}?channel=1", "--audio", f"{PLAYER}?channel=2"),
        *("--take", tmp_path, "--seconds", "5", "--plain", "--mode", "exact"),
        *("--osc-in", "off", "--panel", "off"),
    )
    player.kill()
    assert ran.returncode == 0, ran.stderr
    take = tmp_path / "A001_T01"
    said = json.loads((take / "take.json").read_text())
    assert said["clock"]["source"] == "ltc"
    moments = [
        json.loads(line) for line in (take / "A001_T01_clock.jsonl").read_text().splitlines()
    ]
    signals = [one["tick"]["signals"] for one in moments if not one["filler"]]
    led = [one for one in signals if one.get("song.lock", 1.0) and one["song.time"] > 0.5]
    assert len(led) > 0.6 * len(signals)
    # The song runs as fast as the tape, which a busy machine plays more slowly.
    assert 0.6 < statistics.median(one["song.rate"] for one in led) < 1.1
    shown = [
        (one["tick"]["signals"]["song.time"], one["mode"])
        for one in moments
        # What stands in for a late picture is told with the time of the one before.
        if not one["filler"] and (one["drawn"] or one["mode"] == "black")
    ]
    changes = [
        (before, after, mode)
        for (before, was), (after, mode) in pairwise(shown)
        if was != mode and after - before < 0.5 and before > 0.5
    ]
    assert len(changes) >= 2, shown[:: len(shown) // 20]
    for before, after, mode in changes:
        second = round((before + after) / 2)
        assert before - 1 / 24 <= second <= after + 1 / 24, (before, after)
        assert mode == ("black" if second % 2 else "live")
    # Kicks have bass, and the channel with the timecode isn't heard as music.
    assert max(one["audio.low"] for one in signals) > 0.5
    assert statistics.median(one["audio.high"] for one in signals) < 0.2
    onsets = [one["audio.onset"] for one in signals]
    assert sum(b > 0.5 >= a for a, b in pairwise(onsets)) >= 5


@pytest.mark.parametrize("kind", ["mtc", "midi"])
def test_midi_timecode_and_clock_lead_the_song_through_a_port(jack, kind):
    ran = jack.run(sys.executable, "-m", "tests.device.jack_midi", kind, "4")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert f"kfx {kind}" in told["port"]
    *rows, stopped = told["rows"]
    locked = [row for row in rows if row[2] == "locked" and row[3] == kind]
    assert len(locked) > (200 if kind == "mtc" else 96), "two seconds of them"
    # Beats of the clock begin at the ninth: 4 s. What scatters is this machine's load.
    errors = [song - heard - (4.0 if kind == "midi" else 0.0) for heard, song, *_ in locked]
    assert abs(statistics.median(errors)) < 1 / 25
    assert statistics.median(row[4] for row in locked) == pytest.approx(1.0, abs=0.1)
    if kind == "midi":
        assert stopped[4] == 0.0  # it stands
        assert stopped[1] == pytest.approx(4.0 + stopped[0], abs=0.3)


def test_a_fader_is_learned_through_a_port(jack, tmp_path):
    path = tmp_path / "map.toml"
    ran = jack.run(sys.executable, "-m", "tests.device.jack_midi", "fader", str(path))
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["values"][1:] == [0.2, pytest.approx(0.2 * 64 / 127, abs=1e-3)]  # of 0..0.2
    assert told["signals"]["midi.cc7"] == pytest.approx(64 / 127, abs=1e-3)
    assert "/kfx/v1/film/grain" in path.read_text()  # learned for the next show


def test_a_controller_that_was_unplugged_is_opened_again(jack):
    ran = jack.run(sys.executable, "-m", "tests.device.jack_midi", "unplugged")
    assert ran.returncode == 0, ran.stderr
    gone, back = json.loads(ran.stdout)
    assert gone.endswith("knobs: is gone; plug it in again, it is opened by itself")
    assert back.endswith("knobs: is back")
