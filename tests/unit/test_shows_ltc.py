"""The whole way: a sound with timecode is played, a cue fires, on which frame?"""

import wave
from fractions import Fraction

import numpy as np
import pytest

from kfx import shows, sync, timecode
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.loop.switches import Switches
from kfx.engine.takes import rendered_show
from kfx.shows import Fired
from kfx.sync import ltc_track
from kfx.sync.follow import Fix
from kfx.sync.grid import steady
from kfx.sync.ltc_encode import encode
from kfx.sync.ltc_time import rate_of
from kfx.sync.traced import Traced
from kfx.types import Frame
from tests.faces import picture

SONG_S = 6.0
SAMPLE_RATE = 24000
RATES = {
    "23.976": (Fraction(24000, 1001), "01:00:00:00"),
    "24": (Fraction(24), "01:00:00:00"),
    "25": (Fraction(25), "10:00:00:00"),
    "29.97 DF": (Fraction(30000, 1001), "01:00:58;00"),  # crosses a minute that drops two
    "30": (Fraction(30), "00:59:59:00"),
    "59.94": (Fraction(60000, 1001), "01:00:58;00"),
}
CUES = (2.5, 3.31, 4.0, 5.2)  # seconds of the song
PICTURE = picture(32, 32)


def track(path, rate, offset, speed):
    """A sound whose timecode starts one second before the song, played at a speed."""
    counted = rate_of(rate)
    start = timecode.text(
        round(timecode.parse(offset, rate) / rate * counted) - round(counted),
        counted,
        drop=";" in offset,
    )
    frames = round((SONG_S + 1.0) * counted)
    sound = encode(start, frames, counted, sample_rate=SAMPLE_RATE, clock=lambda t: t / speed)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        both = np.stack([np.zeros_like(sound), sound], axis=1)
        file.writeframes((both * 32767).astype("<i2").tobytes())
    first = (timecode.parse(start, counted) / counted) - timecode.parse(offset, rate) / rate
    return float(first)


def show_of(path, rate, offset):
    fps = f"{rate.numerator}/{rate.denominator}"
    cues = "".join(f'[[cue]]\nat = {one}\nname = "{one}"\nflash = true\n' for one in CUES)
    path.write_text(f'bpm = 120\nlength = 7\noffset = "{offset}"\nfps = "{fps}"\n{cues}')
    return path


def fired(clock, player, rate, count):
    """Cue → the frame it fires on, for frames at `rate`."""
    found = {}
    for frame in range(count):
        now = clock.now(float(frame / rate))
        for action in player.at(now.time_s, now.rate).actions:
            if isinstance(action, Fired):
                assert action.cue.name not in found, "it fired twice"
                found[action.cue.name] = frame
    return found


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", RATES)
def test_a_cue_fires_within_a_frame_of_its_timecode(tmp_path, name, speed):
    rate, offset = RATES[name]
    sound = tmp_path / "playback.wav"
    first = track(sound, rate, offset, speed)
    path = show_of(tmp_path / "show.toml", rate, offset)
    live = LiveShow(path, Switches(), frame_s=float(1 / rate))
    (spec,) = live.sync_of((f"ltc:{sound}",))
    followed = sync.open([spec], live.show.grid, frame_s=float(1 / rate))
    known = rendered_show.played(path, rate=rate, ltc=str(sound)).ticks.song
    count = int((SONG_S + 0.9) / speed * rate)
    for how, clock, within in (("followed", followed, 1), ("known", known, 1)):
        player = shows.Player(live.conductor.timeline, frame_s=float(1 / rate))
        found = fired(clock, player, rate, count)
        wanted = {str(cue): round(Fraction((cue - first) / speed) * rate) for cue in CUES}
        assert found.keys() == wanted.keys(), how
        off = {cue: found[cue] - frame for cue, frame in wanted.items()}
        assert all(abs(one) <= within for one in off.values()), (how, off)


def test_a_rendered_clip_takes_its_song_time_from_its_own_timecode_or_a_second(tmp_path):
    rate, offset = RATES["25"]
    path = show_of(tmp_path / "show.toml", rate, offset)

    def frames(**where):
        played = rendered_show.played(path, rate=rate, **where)
        for i in range(25 * 8):
            played.ticks.tick(Frame(PICTURE, i, Fraction(i, 25), 0.0), ())
            for cue in played.conductor.fired:
                seen.setdefault(cue.name, i)
        return list(seen.values())

    seen = {}
    assert frames() == [62, 83, 100, 130]  # both begin together
    seen = {}
    assert frames(song_start_s=1.0) == [87, 108, 125, 155]
    seen = {}
    assert frames(start_timecode="10:00:02:00") == [12, 33, 50, 80]
    seen = {}
    assert frames(start_timecode="00:00:00:00") == [62, 83, 100, 130]  # that of another clock


def test_the_track_is_followed_through_a_hole_and_over_a_jump():
    def fixes(start, stop, shift):
        return [Fix(i / 25, i / 25 + shift, 1.0) for i in range(start, stop)]

    clock = Traced(
        steady(120.0), [*fixes(25, 50, 0.0), *fixes(60, 100, 0.0), *fixes(100, 150, 9.0)]
    )
    assert clock.now(0.5).time_s == pytest.approx(0.5)  # before the first frame
    assert clock.now(1.53).time_s == pytest.approx(1.53)
    assert clock.now(2.2).lock == "freerun"  # in the hole
    assert clock.now(2.2).time_s == pytest.approx(2.2)
    assert clock.now(3.9).seeks == 0
    assert clock.now(3.94).time_s == pytest.approx(3.94)
    assert clock.now(4.5).time_s == pytest.approx(13.5)
    assert clock.now(4.5).seeks == 1
    assert clock.now(30.0).rate == 0.0  # the tape has ended


def test_a_file_of_timecode_is_what_the_decoder_heard(tmp_path):
    rate, offset = RATES["24"]
    sound = tmp_path / "playback.wav"
    track(sound, rate, offset, 1.0)
    assert ltc_track.read(sound, fps=rate).channel == 2
