"""What looks may hear: bands, gain and onsets, the same from a device and from a file."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import sync
from kfx.errors import KfxError, UsageError
from kfx.sync import audio_file, audio_in, audio_live
from kfx.sync.audio_features import NAMES, SILENT, Features, Track, signals
from kfx.sync.audio_live import AudioLive
from kfx.sync.grid import steady
from kfx.sync.ltc_encode import encode

RATE = 48000


def sine(hertz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def kicks(times: np.ndarray, seconds: float, level: float = 0.8) -> np.ndarray:
    """Drum hits over a held chord."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = 0.02 * (np.sin(2 * np.pi * 220 * time) + np.sin(2 * np.pi * 330 * time))
    for start in times:
        since = time - start
        hit = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.08), 0)
        wave += level * hit * np.sin(2 * np.pi * 60 * since)
    return wave


def values(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    heard = Features(RATE).feed(wave)
    return np.array([one.at for one in heard]), np.array([one.values for one in heard])


@pytest.mark.parametrize(("hertz", "band"), [(80, 1), (800, 2), (6000, 3)])
def test_a_tone_is_in_its_band(hertz, band):
    _, all_values = values(sine(hertz, 1.0))
    last = all_values[-1]
    assert last[band] > 0.9
    others = [last[i] for i in (1, 2, 3) if i != band]
    assert max(others) < 0.5 or hertz == 80  # 47 Hz bins: a low tone leaks upwards


def test_loud_and_quiet_takes_look_alike():
    wave = kicks(np.arange(0.5, 8, 0.5), 8)
    _, loud = values(wave)
    _, quiet = values(wave * 0.1)
    # The gain comes down 1 dB a second: after the first hits it has met both takes.
    assert np.abs(loud[300:] - quiet[300:])[:, :3].mean() < 0.03


def test_silence_is_zero_and_all_values_stay_in_range():
    _, nothing = values(np.zeros(RATE))
    assert not nothing.any()
    _, noise = values(np.random.default_rng(0).normal(0, 2, RATE))
    assert noise.min() >= 0.0
    assert noise.max() <= 1.0


def test_every_kick_is_one_onset_within_20_ms():
    times = np.arange(1.0, 7.9, 60 / 128)
    at, all_values = values(kicks(times, 8))
    onset = all_values[:, 4]
    rises = at[1:][(np.diff(onset) > 0.1) & (at[1:] > 0.5)]
    assert len(rises) == len(times)
    assert np.abs(rises - times).max() < 0.02


def test_a_held_chord_has_no_onsets():
    at, all_values = values(sine(220, 3.0, 0.2) + sine(277, 3.0, 0.2))
    assert all_values[at > 0.5, 4].max() < 0.1


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, RATE), max_size=20))
def test_the_sizes_of_blocks_do_not_matter(cuts):
    wave = kicks(np.array([0.3, 0.6]), 1.0)
    features, parts = Features(RATE), []
    for part in np.split(wave, sorted(cuts)):
        parts += features.feed(part)
    whole = Features(RATE).feed(wave)
    assert [one.at for one in parts] == [one.at for one in whole]
    assert np.allclose([one.values for one in parts], [one.values for one in whole])


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=8000), st.sampled_from([8000, 44100, 192000]))
def test_garbage_never_raises(data, rate):
    wave = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
    for heard in Features(rate).feed(np.tile(wave, 4)):
        assert all(0.0 <= one <= 1.0 for one in heard.values)


def wav(path: Path, wave: np.ndarray, codec: str = "pcm_s16le") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = "mono"
        for at in range(0, len(wave), 4096):
            part = np.ascontiguousarray(wave[None, at : at + 4096].astype(np.float32))
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_and_a_device_give_the_same(tmp_path):
    wave = kicks(np.arange(0.5, 3, 0.5), 3.0)
    track = Track(wav(tmp_path / "song.wav", wave))

    class Device:
        channels, sample_rate = 2, RATE

        def __init__(self) -> None:
            both = np.stack([wave, wave], axis=1).astype(np.float32)
            self.blocks = [
                audio_in.Block(100 + at / RATE, both[at : at + 512])
                for at in range(0, len(wave), 512)
            ]

        def reader(self, name: str) -> None: ...

        def read(self, name: str) -> list[audio_in.Block]:
            blocks, self.blocks = self.blocks[:3], self.blocks[3:]
            return blocks

        def close(self) -> None: ...

    live = AudioLive(Device())
    for k in range(1, 90):
        at = k * 1536 / RATE
        now, recorded = live.signals(100 + at), track.signals(at)
        assert set(now) == set(NAMES)
        assert [now[name] for name in NAMES] == pytest.approx(
            [recorded[name] for name in NAMES], abs=0.03
        )
    assert live.signals(200.0) == SILENT
    assert track.signals(-1.0) == track.signals(99.0) == signals(None) == SILENT


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("a.m4a", "aac"), ("a.mp3", "libmp3lame")]
)
def test_any_file_is_read_at_its_right_time(tmp_path, name, codec):
    wave = np.zeros(RATE)
    wave[RATE // 2 : RATE // 2 + 200] = sine(2000, 1)[:200]
    samples, rate = audio_file.load(wav(tmp_path / name, wave, codec))
    assert rate == RATE
    peak = int(np.argmax(np.abs(samples[:, 0]) > 0.1))
    assert abs(peak - RATE // 2) < 0.01 * RATE


def test_what_is_no_sound_says_so(tmp_path):
    (tmp_path / "x.wav").write_text("no sound")
    with pytest.raises(KfxError, match=r"x\.wav: (can't be read as|has no) sound"):
        audio_file.load(tmp_path / "x.wav")
    with pytest.raises(KfxError, match=r"gone\.wav: can't be read as sound"):
        audio_file.load(tmp_path / "gone.wav")


def test_a_device_that_is_not_there_says_so():
    pytest.importorskip("sounddevice", reason="sounddevice is missing; pip install 'kfx[audio]'")
    with pytest.raises(KfxError, match=r"audio input .*no such device 7: can't be opened"):
        audio_in.AudioIn("no such device 7")


class FakeDevices:
    """``sounddevice`` with one stereo interface that can be opened only once."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        self.open = []

    def query_devices(self, device, kind):
        return {"max_input_channels": 2, "default_samplerate": 48000.0}

    def InputStream(self, **options):
        if self.open:
            raise self.PortAudioError("Device unavailable [PaErrorCode -9985]")
        stream = SimpleNamespace(
            start=lambda: None,
            close=lambda: self.open.remove(stream),
            hear=lambda data: options["callback"](
                data,
                len(data),
                SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0),
                SimpleNamespace(input_overflow=False),
            ),
        )
        self.open.append(stream)
        return stream


def test_timecode_and_music_share_an_interface_that_opens_once(monkeypatch):
    devices, now = FakeDevices(), 100.0
    monkeypatch.setattr(audio_in, "_sounddevice", lambda: devices)
    monkeypatch.setattr(audio_in.clock, "now", lambda: now)
    music = audio_live.listen("USB?channel=1")
    song = sync.open(["ltc:USB?channel=2&offset=01:00:00:00"], steady(120.0))
    assert len(devices.open) == 1
    count = 5 * RATE
    timecode = encode("01:00:00:00", 130, Fraction(25))[:count]
    sound = np.zeros((count, 2), np.float32)
    sound[: len(timecode), 1] = timecode
    at = np.arange(count) / RATE
    sound[:, 0] = 0.5 * np.sin(2 * np.pi * 60 * at) * (at % 0.5 < 0.1)
    low = []
    for start in range(0, count, 2048):
        now = 100.0 + (start + 2048) / RATE
        devices.open[0].hear(sound[start : start + 2048])
        low.append(music.signals(now)["audio.low"])
        told = song.now(now)
    assert max(low) > 0.5  # the kick
    assert (told.source, told.lock) == ("ltc", "locked")
    assert told.time_s == pytest.approx(now - 100.0, abs=0.005)
    music.close()
    assert len(devices.open) == 1  # the timecode goes on
    song.close()
    assert devices.open == []
    with pytest.raises(KfxError, match="2 channels, not channel 3"):
        audio_live.listen("USB?channel=3")
    assert devices.open == []


class Unplugged(FakeDevices):
    """It may be pulled and plugged in; PortAudio sees that only when it is loaded anew."""

    def __init__(self):
        super().__init__()
        self.there = self.known = True
        self.tried, self.loaded, self.channels = [], 0, 2

    def query_devices(self, device, kind):
        self.tried.append(self.now)
        if not (self.there and self.known):
            raise ValueError("No input device matching 'USB'")
        return {"max_input_channels": self.channels, "default_samplerate": 44100.0}

    def _terminate(self):
        assert self.open == [], "it would end a stream that runs"
        self.loaded += 1

    def _initialize(self):
        self.known = self.there


@pytest.fixture
def usb(monkeypatch):
    devices, told = Unplugged(), []
    devices.now, devices.told = 100.0, told
    monkeypatch.setattr(audio_in, "_sounddevice", lambda: devices)
    monkeypatch.setattr(audio_in.clock, "now", lambda: devices.now)
    monkeypatch.setattr(audio_in.AudioIn, "_watch", lambda self: None)  # told the time here
    return devices


BLOCK = np.full((480, 2), 0.25, np.float32)


def test_a_device_that_was_unplugged_is_opened_again_by_itself(usb):
    audio = audio_in.AudioIn("USB", on_fault=usb.told.append)
    audio.reader("music")
    usb.open[0].hear(BLOCK)
    usb.there = usb.known = False
    for usb.now in np.arange(100.0, 130.0, 0.25):
        audio.check(usb.now)
    lost = "audio input USB: sends nothing any more; plug it in again, it is opened by itself"
    assert usb.told == [lost], "once"
    assert np.diff(usb.tried[1:]).tolist() == [1.0, 2.0, *[5.0] * (len(usb.tried) - 4)]
    usb.there = True
    for usb.now in np.arange(130.0, 136.0, 0.25):
        audio.check(usb.now)
    assert len(usb.open) == 1
    usb.open[0].hear(BLOCK)
    audio.check(usb.now)
    assert usb.told == [lost, "audio input USB: is back"]
    assert [block.at for block in audio.read("music")][-1] == pytest.approx(usb.now - 480 / 44100)
    assert audio.sample_rate == 44100
    audio.close()
    assert usb.open == []


def test_another_device_that_plays_is_not_ended_for_it(usb, monkeypatch):
    audio = audio_in.AudioIn("USB")
    first = usb.open.pop()  # the fake knows one interface only
    other = audio_in.AudioIn("desk")
    second = usb.open.pop()
    usb.there = False
    for usb.now in np.arange(100.0, 110.0, 0.25):
        usb.open.append(second)
        second.hear(BLOCK)
        usb.open.remove(second)
        audio.check(usb.now)
        other.check(usb.now)
    assert usb.loaded == 0
    for one, stream in ((audio, first), (other, second)):
        usb.open.append(stream)
        one.close()


def test_one_that_comes_back_with_fewer_channels_is_waited_for(usb):
    audio = audio_in.AudioIn("USB")
    usb.channels = 1
    for usb.now in np.arange(100.0, 104.0, 0.25):
        audio.check(usb.now)
    assert usb.open == []
    usb.channels = 2
    for usb.now in np.arange(104.0, 110.0, 0.25):
        audio.check(usb.now)
    assert len(usb.open) == 1
    audio.close()


@pytest.mark.parametrize("spec", ["USB?channel=x", "USB?chan=1", "USB?channel=", "?channel=-1"])
def test_a_channel_that_cannot_be_understood_says_so(spec):
    with pytest.raises(UsageError, match=r"--audio .*channel=1"):
        audio_live.parse(spec)
