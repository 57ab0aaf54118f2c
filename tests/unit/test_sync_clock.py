"""The song clock: followed through jitter, drop-outs, varispeed and seeks; grid and priorities."""

import json
import math
import random
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx.errors import KfxError
from kfx.sync import grid as grids
from kfx.sync import ltc_time
from kfx.sync.follow import Fix, Follower
from kfx.sync.ltc import Decoder
from kfx.sync.ltc_encode import encode
from kfx.sync.song import Recorded, SongClock

STEP_S = 0.002
LONG_S = 16.0
FRAME_S = 1 / 24


@dataclass
class Playback:
    """A true playback: its position and speed every 2 ms, and when what happened to it."""

    position: list[float]
    speed: list[float]
    events: list[tuple[float, str]]
    silent: list[tuple[float, float]]

    def at(self, time: float) -> int:
        return min(max(int(time / STEP_S), 0), len(self.position) - 1)


def playback(seed: int, kinds: tuple[str, ...]) -> Playback:
    chance = random.Random(seed)
    times = sorted(chance.uniform(2, LONG_S - 2) for _ in range(4))
    events = [(time, chance.choice(kinds)) for time in times]
    todo, silent = list(events), []
    position, speed, wanted = 100 * chance.random(), 1.0, 1.0
    positions, speeds = [], []
    for i in range(int(LONG_S / STEP_S)):
        time = i * STEP_S
        while todo and todo[0][0] <= time:
            kind = todo.pop(0)[1]
            if kind == "seek":
                position += chance.choice([-1, 1]) * chance.uniform(0.5, 50)
            elif kind == "drop-out":
                silent.append((time, time + chance.uniform(0.2, 4.5)))
            else:
                wanted = chance.choice([0.5, 0.75, 1.25, 1.5, 2.0])
                speed = wanted if kind == "step" else speed
        speed += max(-0.5 * STEP_S, min(0.5 * STEP_S, wanted - speed))
        position += speed * STEP_S
        positions.append(position)
        speeds.append(speed)
    return Playback(positions, speeds, events, silent)


def readings(play: Playback, seed: int, interval: float, jitter: float, told: bool) -> list[Fix]:
    chance = random.Random(seed + 1)
    fixes = []
    for k in range(int(LONG_S / interval)):
        time = k * interval
        if any(start <= time < end for start, end in play.silent):
            continue
        i = play.at(time)
        late = chance.uniform(-jitter, jitter)
        fixes.append(Fix(time + late, play.position[i], play.speed[i] if told else None))
    return sorted(fixes, key=lambda fix: fix.at)


SOURCES = {  # seconds between readings, jitter, speed told, what may happen besides seeks and gaps
    "LTC from a file": (1 / 24, 0.0, True, ("ramp", "step")),
    "LTC from a device": (1 / 24, 0.01, True, ("ramp", "step")),
    "LTC, worst": (1 / 24, 0.03, True, ("ramp",)),
    "MTC": (1 / 96, 0.004, False, ("ramp", "step")),
    "MTC, worst": (1 / 96, 0.03, False, ()),
    "MIDI clock": (1 / 48, 0.01, False, ("ramp",)),
    "OSC, 20 a second": (0.05, 0.01, False, ()),
    "OSC, worst": (0.05, 0.03, False, ()),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seed", range(8))
def test_locked_means_within_a_frame_and_no_step_back(source, seed):
    interval, jitter, told, more = SOURCES[source]
    play = playback(seed, ("seek", "drop-out", *more))
    fixes = readings(play, seed, interval, jitter, told)
    follower, following = Follower(frame_s=FRAME_S), 0
    last, seeks, locked = -math.inf, 0, 0
    # Nobody can know of a seek or a step before it was heard of, despite the jitter.
    blind = {"seek": interval + 2 * jitter + 0.01, "step": 0.1 + 4 * interval + 3 * jitter}
    for k in range(int(LONG_S * 60)):
        at = k / 60
        while following < len(fixes) and fixes[following].at <= at:
            follower.feed(fixes[following])
            following += 1
        where = follower.where(at)
        assert where.value >= last or where.seeks > seeks, f"runs back at {at:.2f} s"
        last, seeks = where.value, where.seeks
        unknowable = any(0 <= at - time < blind.get(kind, 0) for time, kind in play.events)
        if where.lock != "locked" or unknowable:
            continue
        locked += 1
        true = play.at(at)
        error_s = (where.value - play.position[true]) / max(1.0, play.speed[true])
        assert abs(error_s) < FRAME_S, f"{error_s / FRAME_S:.2f} frames off at {at:.2f} s"
    silence = sum(end - start for start, end in play.silent)
    assert locked / 60 > LONG_S - silence - 1.2 * (len(play.events) + 1)
    expected = sum(kind == "seek" for _, kind in play.events)
    assert follower.where(LONG_S).seeks >= (expected > 0)


def test_free_run_lasts_five_seconds_and_then_the_song_stands():
    follower = Follower()
    for i in range(50):
        follower.feed(Fix(i / 25, 10 + i / 25, 1.0))
    last = 49 / 25
    assert follower.where(last).lock == "locked"
    running = follower.where(last + 4.9)
    assert running.lock == "freerun"
    assert running.value == pytest.approx(10 + last + 4.9, abs=0.01)
    held = follower.where(last + 60)
    assert (held.lock, held.speed) == ("held", 0.0)
    assert held.value == pytest.approx(10 + last + 5, abs=0.01)
    follower.feed(Fix(last + 70, 200.0, 1.0))
    assert follower.where(last + 70).value == 200.0
    assert follower.where(last + 70).seeks == 1


def test_free_run_drifts_less_than_a_frame_after_jittery_readings():
    chance = random.Random(4)
    follower = Follower()
    for i in range(250):
        follower.feed(Fix(i / 25 + chance.uniform(-0.01, 0.01), i / 25))
    assert follower.where(14.9).value == pytest.approx(14.9, abs=FRAME_S)


def test_a_stop_stands_where_it_was_seen():
    follower = Follower()
    for i in range(30):
        follower.feed(Fix(i / 25, i / 25, 1.0))
    seen = follower.where(1.19).value
    follower.feed(Fix(1.18, 1.18, 0.0))  # told a little late
    stopped = follower.where(1.3)
    assert (stopped.lock, stopped.speed) == ("held", 0.0)
    assert seen <= stopped.value < seen + 0.02
    assert follower.where(99).value == stopped.value


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(allow_nan=True, width=32)] * 3, st.booleans()), max_size=30))
def test_any_reading_is_followed_or_ignored(rows):
    follower = Follower()
    for at, value, speed, seek in rows:
        follower.feed(Fix(at, value, speed, seek))
    where = follower.where(10.0)
    assert where.lock in ("none", "locking", "locked", "freerun", "held")


# The clock


def test_without_sources_the_grid_runs_from_time_0():
    now = SongClock(grids.steady(120, 0.5)).now(2.0)
    assert (now.time_s, now.rate, now.source, now.lock) == (2.0, 1.0, "grid", "locked")
    assert (now.beat, now.bar, now.phase) == (3.0, 0.75, 0.0)


def test_the_first_running_source_wins_and_a_silent_one_is_left():
    first = Recorded([Fix(1 + i / 25, 100 + i / 25, 1.0) for i in range(50)], name="ltc")
    second = Recorded([Fix(i / 25, i / 25, 1.0) for i in range(500)], name="mtc")
    clock = SongClock(grids.steady(120), [first, second])
    seen = [clock.now(at) for at in (0.5, 2.0, 5.0, 9.0)]
    assert [one.source for one in seen] == ["mtc", "ltc", "ltc", "mtc"]
    assert [one.lock for one in seen] == ["locked", "locked", "freerun", "locked"]
    assert [one.time_s for one in seen] == pytest.approx([0.5, 101, 104, 9.0], abs=0.01)
    assert [one.seeks for one in seen] == [0, 1, 1, 2]


def test_beats_of_a_source_find_their_time_in_the_grid():
    grid = grids.from_dict({"bpm": 120, "beats": [1.0, 1.5, 2.1, 2.6], "downbeats": [1.0]})
    link = Recorded([Fix(i / 50, i / 25, 2.0) for i in range(100)], name="link", unit="beats")
    now = SongClock(grid, [link]).now(1.0)
    assert now.beat == pytest.approx(2.0, abs=0.02)
    assert now.time_s == pytest.approx(2.1, abs=0.02)
    assert now.rate == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, -1.0])
@pytest.mark.parametrize(
    ("fps", "start"),
    [
        ("24000/1001", "01:00:00:00"),
        ("24", "01:00:00:00"),
        ("25", "01:00:00:00"),
        ("30000/1001", "01:00:58;00"),
        ("30", "01:00:00:00"),
        ("60000/1001", "01:00:58;00"),
    ],
)
def test_sound_to_song_time_is_right_to_a_frame(fps, start, speed):
    """LTC at any rate and speed → the frame of the song, at each frame of a 60 fps output."""
    project = Fraction(fps)
    rate = ltc_time.rate_of(project)
    frames, seconds = 60, float(60 / rate)
    clock = (lambda t: t / speed) if speed > 0 else (lambda t: (t - seconds) / speed)
    decoder, guess = Decoder(), ltc_time.Rate(project)
    wave = np.concatenate([encode(start, frames, rate, clock=clock), np.zeros(1024, np.float32)])
    zero = ltc_time.seconds_of(start, rate)
    fixes = [
        ltc_time.fix(one, guess.see(one, 48000), 48000, 0.0, zero) for one in decoder.feed(wave)
    ]
    song = SongClock(grids.steady(120), [Recorded(fixes, name="ltc")])
    end = seconds / abs(speed)
    wrong = []
    for k in range(int(end * 60)):
        now = song.now(k / 60)
        if now.lock in ("locked", "freerun"):
            true = k / 60 * speed if speed > 0 else seconds + k / 60 * speed
            wrong.append(abs(math.floor(now.time_s * project) - math.floor(true * project)))
            assert abs(now.time_s - true) < 1 / project
    assert len(wrong) > 0.6 * end * 60
    assert max(wrong) <= 1
    assert now.rate == pytest.approx(speed, rel=0.01)


def test_the_same_calls_give_the_same_answers():
    def run() -> list:
        fixes = readings(playback(3, ("seek", "ramp")), 3, 1 / 24, 0.02, True)
        clock = SongClock(grids.steady(128), [Recorded(fixes)])
        return [clock.now(k / 60) for k in range(900)]

    assert run() == run()


# The grid


def test_a_steady_grid_counts_from_1():
    grid = grids.steady(120, first_downbeat=0.25, beats_per_bar=3)
    assert grid.position(0.25) == (1, 1.0)
    assert grid.position(0.25 + 3.5 * 0.5) == (2, 1.5)
    assert grid.position(-0.25) == (0, 3.0)
    assert grid.time_of(2, 1.5) == pytest.approx(2.0)


WRITTEN = {
    "bpm": 120.0,
    "beats": [0.4, 0.9, 1.4, 1.9, 2.4, 2.9, 3.5, 4.1, 4.7, 5.3, 5.8],
    "downbeats": [0.9, 2.9, 5.3],
}


def test_a_written_grid_has_its_own_bars_and_tempi():
    grid = grids.from_dict(WRITTEN)
    assert grid.beats_per_bar == 4
    assert grid.position(0.4) == (0, 4.0)
    assert grid.position(2.9) == (2, 1.0)
    assert grid.position(3.2) == (2, 1.5)
    assert grid.position(5.3) == (3, 1.0)
    assert grid.time_of(2, 2.0) == pytest.approx(3.5)
    assert grid.tempo_at(3.0) == pytest.approx(100)
    assert grid.beat_at(6.3) == pytest.approx(grid.beat_at(5.8) + 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.2, 1.5), min_size=2, max_size=40), st.floats(-20, 80))
def test_beats_and_times_are_inverse(gaps, time):
    beats = list(np.cumsum(gaps))
    grid = grids.from_dict({"beats": beats, "downbeats": beats[::4], "bpm": 100})
    assert grid.time_at(grid.beat_at(time)) == pytest.approx(time, abs=1e-6)
    bar, beat = grid.position(time)
    assert grid.time_of(bar, beat) == pytest.approx(time, abs=1e-6)


def test_a_grid_file_survives_the_way_there_and_back(tmp_path):
    path = tmp_path / "grid.json"
    grid = grids.from_dict(WRITTEN | {"source": "tap", "confidence": 0.5, "audio_sha256": "ab"})
    path.write_text(grids.text_of(grid), encoding="utf-8")
    assert grids.load(path) == grid
    assert set(json.loads(path.read_text())) >= {
        *("bpm", "beats", "downbeats", "source", "confidence", "audio_sha256")
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "is no grid"),
        ({"bpm": 0}, r"bpm: 0 is outside 20\.\.400"),
        ({"bpm": "fast"}, "bpm: 'fast' is no number"),
        ({"bpm": 120, "beats": [1, 0.5]}, r"beats\[1\]: 0\.5 s doesn't lie after"),
        ({"bpm": 120, "beats": [0, 0.5], "downbeats": [0.25]}, r"downbeats\[0\]: 0\.25 s lies on"),
        ({"bpm": 120, "beats": {}}, "beats: is no list"),
        ({"bpm": 120, "schema": "kfx.grid/9"}, "this kfx reads kfx.grid/1"),
        ({"bpm": 120, "beats_per_bar": 0}, "beats_per_bar: 0 is no whole number"),
    ],
)
def test_a_bad_grid_says_where(tmp_path, data, said):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(data))
    with pytest.raises(KfxError, match=r"grid\.json: .*" + said):
        grids.load(path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_grid_file_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_bytes(data)
    with pytest.raises(KfxError, match=r"fuzz\.json: "):
        grids.load(path)


JSON = st.none() | st.booleans() | st.floats() | st.lists(st.floats() | st.none(), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("bpm", "beats", "downbeats"), JSON)))
def test_any_json_is_a_grid_or_refused(data):
    try:
        grid = grids.from_dict(data)
    except KfxError:
        return
    assert math.isfinite(grid.beat_at(1.0))
