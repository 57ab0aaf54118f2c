"""``kfx beats``: tempo, beats and downbeats, judged by mir_eval; maps and files."""

import json
from pathlib import Path

import numpy as np
import pytest

from kfx.cli import main
from kfx.errors import KfxError
from kfx.sync import audio_file, beats, grid, tempo_map
from tests.unit.test_sync_audio import RATE, wav

SR = 22050


def song(bpm: float, *, first: float = 0.3, seconds: float = 24.0, swing_s: float = 0.0):
    """Kick on 1 and 3, snare on 2 and 4, hats on eighths, a chord a bar; and its true beats."""
    random = np.random.default_rng(7)
    time = np.arange(int(seconds * SR)) / SR
    wave = 0.001 * random.normal(size=len(time))
    count = int((seconds - first - 0.3) * bpm / 60)
    beats = first + np.arange(count) * 60 / bpm + swing_s * np.sin(np.arange(count) / 9)
    for i, beat in enumerate(beats):
        start = int(np.ceil(beat * SR))
        since = time[start : start + SR // 4] - beat
        end = start + len(since)
        if i % 2 == 0:
            level = 1.0 if i % 4 == 0 else 0.8
            wave[start:end] += level * np.exp(-since / 0.1) * np.sin(2 * np.pi * 55 * since)
            wave[start:end] += 0.3 * np.exp(-since / 0.004) * np.sin(2 * np.pi * 900 * since)
        else:
            wave[start:end] += 0.4 * np.exp(-since / 0.06) * random.normal(size=len(since))
        if i % 4 == 0:
            root = 220 * 2 ** ([0, 5, 7, 3][i // 4 % 4] / 12)
            bar = slice(start, start + int(4 * 60 / bpm * SR))
            note = time[bar] - beat
            wave[bar] += 0.1 * sum(np.sin(2 * np.pi * root * k * note) for k in (1, 1.26, 1.5))
        half = beat + 30 / bpm
        start = int(np.ceil(half * SR))
        since = time[start : start + SR // 20] - half
        wave[start : start + len(since)] += (
            0.1 * np.exp(-since / 0.015) * random.normal(size=len(since))
        )
    return wave.astype(np.float32), beats


def scores(true: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """mir_eval's F-measure, CMLt and AMLt."""
    mir_eval = pytest.importorskip("mir_eval", reason="mir_eval is missing; uv sync --dev")
    _, correct, _, any_level = mir_eval.beat.continuity(true, found)
    return mir_eval.beat.f_measure(true, found), correct, any_level


@pytest.mark.parametrize("bpm", [88.0, 128.37, 172.0])
def test_a_steady_song_is_found_to_the_millisecond(bpm):
    wave, true = song(bpm)
    found = beats.find(wave, SR)
    assert found.bpm == pytest.approx(bpm, abs=0.05)
    near = [min(found.beats, key=lambda one: abs(one - beat)) - beat for beat in true]
    assert abs(float(np.median(near))) < 0.006
    assert max(map(abs, near)) < 0.015
    bars = [min(found.downbeats, key=lambda one: abs(one - beat)) - beat for beat in true[::4]]
    assert max(map(abs, bars)) < 0.015
    assert "one tempo" in found.source


@pytest.mark.parametrize(("bpm", "count"), [(136.884, 4), (97.0, 8), (148.0, 16)])
def test_a_loop_is_cut_on_its_beats(bpm, count):
    whole, _ = song(bpm, first=0.0, seconds=count * 60 / bpm + 1.0)
    length = count * 60 / bpm
    found = beats.find(whole[: round(length * SR)], SR)
    assert found.source == "kfx beats: a loop"
    assert found.bpm == pytest.approx(bpm, abs=0.01)
    np.testing.assert_allclose(found.beats, np.arange(count) * 60 / bpm, atol=1e-3)


def test_a_piece_of_a_song_is_no_loop():
    wave, _ = song(131.0, first=0.17, seconds=9.2)
    found = beats.find(wave, SR)
    assert found.source != "kfx beats: a loop"
    assert found.bpm == pytest.approx(131.0, abs=0.3)


def test_a_band_that_drifts_keeps_its_own_beats():
    wave, true = song(110, swing_s=0.12, seconds=40)
    found = beats.find(wave, SR)
    assert "free tempo" in found.source
    near = [min(found.beats, key=lambda one: abs(one - beat)) - beat for beat in true]
    assert np.mean(np.abs(near) < 0.03) > 0.9
    assert len(found.beats) == pytest.approx(len(true), abs=3)


@pytest.mark.parametrize(
    ("wave", "said"), [(np.zeros(3 * SR), "silent"), (np.ones(SR // 2), "lasts 0.5 s")]
)
def test_no_song_says_why(wave, said):
    with pytest.raises(KfxError, match=said):
        beats.find(wave.astype(np.float32), SR)


def test_where_nothing_marks_the_one_it_is_called_a_guess_and_can_be_moved(tmp_path, capsys):
    wave, _ = song(120)
    assert beats.GUESS not in beats.find(wave, SR).source
    alike, since = np.zeros(24 * RATE, np.float32), np.arange(RATE // 20) / RATE
    click = np.exp(-since / 0.01) * np.sin(since * 6000)
    for beat in np.arange(0.25, 23.0, 0.5):
        alike[int(beat * RATE) : int(beat * RATE) + len(click)] += click
    file, out = wav(tmp_path / "clicks.wav", alike), tmp_path / "grid.json"
    assert main(["beats", str(file), "-o", str(out)]) == 0
    assert "which beat is the 1 isn't clear" in capsys.readouterr().err
    first = grid.load(out)
    assert first.source.endswith(beats.GUESS)
    assert main(["beats", str(file), "-o", str(out), "--force", "--bar-shift", "2"]) == 0
    assert capsys.readouterr().err == ""
    moved = grid.load(out)
    assert moved.beats == first.beats
    assert min(abs(moved.downbeats[1] - one) for one in first.downbeats) == pytest.approx(1.0, 0.01)
    assert moved.first_downbeat == moved.downbeats[0]
    assert main(["beats", str(file), "--bar-shift", "4"]) == 2


LOOPS = {  # file: beats a minute, exact by its length; see shared/data/INDEX.md
    "loop_amen_full": 140.0,
    "loop_breakbeat": 126.0,
    "loop_compus": 148.0,
    "loop_garzul": 120.0,
    "loop_mika": 120.0,
    "loop_perc1": 97.0,
}


@pytest.mark.shared
@pytest.mark.parametrize("name", LOOPS)
def test_real_loops_are_found(shared, name):
    samples, rate = audio_file.load(shared / "data" / "audio" / f"{name}.flac")
    count = round(len(samples) / rate * LOOPS[name] / 60)
    times = int(np.ceil(20 * rate / len(samples)))
    period = len(samples) / rate / count
    found = beats.find(np.tile(samples, (times, 1)), rate)
    f_measure, correct, _ = scores(np.arange(times * count) * period, np.array(found.beats))
    assert found.bpm == pytest.approx(60 / period, abs=0.05)
    assert f_measure > 0.95
    assert correct > 0.95


# What is known needs no listening


@pytest.fixture
def file(tmp_path) -> Path:
    return wav(tmp_path / "song.wav", 0.1 * np.sin(np.arange(3 * 48000) / 20))


def test_a_given_tempo_is_written_down(file, tmp_path, capsys):
    out = tmp_path / "grid.json"
    order = ["beats", str(file), "--bpm", "120", "--first-downbeat", "0.75", "-o", str(out)]
    assert main(order) == 0
    found = grid.load(out)
    assert found.downbeats == (0.75, 2.75)
    assert found.beats[:3] == (0.25, 0.75, 1.25)
    assert found.position(0.75) == (1, 1.0)
    assert len(found.audio_sha256) == 64
    assert main(order) == 1
    assert "exists; add --force" in capsys.readouterr().err
    assert main([*order, "--force", "--nudge", "-10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["downbeats"] == [0.74, 2.74]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--first-downbeat", "1"], "needs --bpm"),
        (["--bpm", "9"], "9 is outside 20..400"),
        (["--bpm", "nan"], "is no number"),
        (["--beats-per-bar", "0"], "outside 1..32"),
        (["--bpm", "120", "--tempo-map", "x.mid"], "give one of them"),
        (["--tempo-map", "gone.mid"], "gone.mid: can't be read"),
    ],
)
def test_wrong_use_says_why(file, words, said, capsys):
    assert main(["beats", str(file), *words]) != 0
    assert said in capsys.readouterr().err


def test_a_midi_tempo_map_with_changes_of_tempo_and_time(tmp_path):
    import mido

    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    track += [
        mido.MetaMessage("set_tempo", tempo=500_000, time=0),
        mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0),
        mido.MetaMessage("set_tempo", tempo=600_000, time=480 * 8),
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=0),
        mido.Message("note_on", note=60, time=480 * 6),
    ]
    midi.tracks.append(track)
    midi.save(tmp_path / "map.mid")
    found = tempo_map.read(tmp_path / "map.mid", offset_s=1.0)
    assert found.beats[:3] == (1.0, 1.5, 2.0)
    assert found.beats[8:11] == pytest.approx((5.0, 5.6, 6.2))
    assert found.downbeats == pytest.approx((1.0, 3.0, 5.0, 6.8))
    longer = tempo_map.read(tmp_path / "map.mid", length_s=20.0)
    assert longer.beats[-1] == pytest.approx(20.0, abs=0.7)


def test_a_text_of_beats(tmp_path):
    path = tmp_path / "beats.txt"
    path.write_text("# from the label\n0.5\t1\n1.0 2\n1.5 3\n2.0 1\n2.5 2\n")
    found = tempo_map.read(path)
    assert found.beats == (0.5, 1.0, 1.5, 2.0, 2.5)
    assert found.downbeats == (0.5, 2.0)
    assert found.beats_per_bar == 3
    for text, said in [
        ("x", "line 1: 'x' is no time"),
        ("", "fewer than two"),
        ("2\n1\n", "after"),
    ]:
        path.write_text(text)
        with pytest.raises(KfxError, match=said):
            tempo_map.read(path)


def test_garbage_midi_is_refused(tmp_path):
    path = tmp_path / "x.mid"
    for seed in range(40):
        random = np.random.default_rng(seed)
        head = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x20"
        path.write_bytes(head[: random.integers(0, len(head) + 1)] + random.bytes(40))
        try:
            found = tempo_map.read(path).beats
        except KfxError as error:
            refused = str(error)
            assert "x.mid: " in refused
            continue
        assert len(found) > 1
