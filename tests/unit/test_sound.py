"""Samples up to a moment, of files and of inputs, and what shaders see of them."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from kfx.engine import song_ticks
from kfx.engine.ticks import Moment, Ticks
from kfx.errors import KfxError
from kfx.render.sound import spectrum, waveform
from kfx.sync import audio_in
from kfx.sync.audio_live import AudioLive
from kfx.sync.sound import BlockSound, Recording
from kfx.types import Frame
from tests.unit.test_sync_audio import wav

RATE = 48000


def tone(hertz, level=1.0, seconds=0.5, rate=RATE):
    return level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def heard(*channels, rate=RATE):
    return BlockSound((np.stack(channels, axis=1).astype(np.float32),), rate)


def ramp(count=1000):
    """Samples that tell their number: n / 4096."""
    return (np.arange(count, dtype=np.float32) / 4096)[:, None]


@pytest.mark.parametrize("columns", [16, 64, 256, 512, 2048])
@pytest.mark.parametrize("hertz", [440, 3000, 11000])
def test_a_tone_is_in_the_column_of_its_frequency(hertz, columns):
    both = spectrum(heard(tone(hertz), 0 * tone(hertz)), columns)
    assert both.shape == (2, columns)
    assert both.dtype == np.float32
    assert abs(int(both[0].argmax()) - hertz * columns / 24000) <= 1
    assert both[0].max() > 0.85
    assert not both[1].any()
    far = np.abs(np.arange(columns) - both[0].argmax()) * 24000 / columns > 2000
    assert both[0][far].max(initial=0.0) < 0.25


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000, 192000])
def test_a_column_means_the_same_at_any_sample_rate(rate):
    shown = spectrum(heard(tone(5200, rate=rate), rate=rate), 48)[0]
    top = min(24000, rate / 2)
    assert int(shown.argmax()) == int(5200 / top * 48)


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01, 0.001])
def test_one_column_is_the_loudness_in_decibels(level):
    wanted = 1 + 20 * np.log10(level) / 80
    assert spectrum(heard(tone(700, level)), 1)[0, 0] == pytest.approx(wanted, abs=0.002)
    two = tone(700, level / np.sqrt(2)) + tone(9000, level / np.sqrt(2))
    assert spectrum(heard(two), 1)[0, 0] == pytest.approx(wanted, abs=0.002)


def test_silence_is_flat():
    silence = heard(np.zeros(9000))
    assert (waveform(silence, 300) == 0.5).all()
    assert not spectrum(silence, 300).any()
    assert not spectrum(heard(np.full(9000, 0.5)), 300)[0, 9:].any(), "an offset isn't heard"
    nothing = BlockSound((), RATE)
    assert (waveform(nothing, 7) == 0.5).all()
    assert not spectrum(nothing, 7).any()


def test_a_waveform_is_the_newest_samples_about_one_half():
    shown = waveform(heard([0, 0, 0.5, -1.0, 4.0], [0, 0, 0, 0, -0.25]), 3)
    assert shown.tolist() == [[0.75, 0.0, 1.0], [0.5, 0.5, 0.375]]


def test_blocks_of_any_size_are_one_sound():
    whole = ramp()
    for size, count in itertools.product((1, 7, 999, 1000), (1, 8, 600, 1000)):
        blocks = tuple(whole[i : i + size] for i in range(0, 1000, size))
        assert (BlockSound(blocks, RATE).newest(count)[0] == whole[1000 - count :, 0]).all()
    early = BlockSound((whole,), RATE).newest(1010)[0]
    assert not early[:11].any()
    assert (early[10:] == whole[:, 0]).all()


@pytest.mark.parametrize("at", [-1.0, 0.0, 0.1, 0.5, 0.999, 1.0, 1.05, 9.0])
def test_a_recording_is_silent_around_itself(at):
    whole = ramp()
    shown = Recording.of("x", whole, 1000).newest(at, 300)[0]
    end = round(at * 1000)
    wanted = [whole[n, 0] if 0 <= n < 1000 else 0.0 for n in range(end - 300, end)]
    assert shown == pytest.approx(wanted, abs=1 / 32767)


def test_a_file_is_read_when_it_is_asked_for_and_says_what_is_wrong(tmp_path):
    gone = Recording(tmp_path / "gone.wav").sound(1.0)  # as nobody asks, nobody is told
    with pytest.raises(KfxError, match=r"gone\.wav: can't be read as sound"):
        gone.newest(3)
    wave = tone(440, 0.5)
    sound = Recording(wav(tmp_path / "a.wav", wave)).sound(0.25)
    assert sound.rate == RATE
    assert sound.newest(500)[0] == pytest.approx(wave[11500:12000], abs=2 / 32767)


def test_ticks_hear_the_song_where_the_song_is(tmp_path):
    wave = tone(440, 0.5)
    ticks = song_ticks.rendered(song=str(wav(tmp_path / "song.wav", wave)), start_s=1.0)
    pixels = np.zeros((2, 2, 4), np.uint8)
    for number in (35, 20, 35):  # a jump back and forth leaves nothing behind
        tick = ticks.tick(Frame(pixels, number, Fraction(number, 30), 0.0), ())
        shown = tick.sound.newest(500)[0]
    assert shown == pytest.approx(wave[7500:8000], abs=2 / 32767)
    asked = []
    ticks = Ticks(120.0, lead_s=0.5, sound=lambda moment: asked.append(moment))
    assert ticks.tick(Frame(pixels, 30, Fraction(1), 0.0), ()).sound is None
    assert asked == [Moment(1.0, 1.5, 1.5)]
    assert Ticks().tick(Frame(pixels, 0, Fraction(0), 0.0), ()).sound is None


class Input:
    """A stereo input: 512 samples a block, a tone left, silence right."""

    channels, sample_rate = 2, RATE

    def __init__(self):
        self.both = np.stack([tone(440, 0.5, 3.0), 0 * tone(440, 0.5, 3.0)], 1).astype(np.float32)
        self.heard = 0

    def reader(self, name): ...

    def close(self): ...

    def read(self, name):
        first, self.heard = self.heard, self.heard + 2048
        return [
            audio_in.Block(100 + at / RATE, self.both[at : at + 512])
            for at in range(first, min(self.heard, len(self.both)), 512)
        ]


@pytest.mark.parametrize(("channel", "rows"), [(None, 2), (1, 1), (2, 1)])
def test_an_input_gives_its_newest_samples_and_keeps_no_more(channel, rows):
    device = Input()
    live = AudioLive(device, channel=channel)
    sounds = []
    while device.heard < 2.5 * RATE:
        live.signals(100 + device.heard / RATE)
        sounds.append((device.heard, live.sound(100 + device.heard / RATE)))
    for _, sound in sounds[20:]:
        kept = sum(len(block) for block in sound.blocks)
        assert RATE / 2 <= kept < RATE / 2 + 512
    for until, sound in (sounds[9], sounds[-1]):  # the older one is still what it was
        until += 2048  # `sound` has read on
        shown = sound.newest(600)
        assert shown.shape == (rows, 600)
        picked = device.both.T if channel is None else device.both.T[channel - 1 : channel]
        assert (shown == picked[:, until - 600 : until]).all()
    assert live.sound(200.0) is None, "a device that fell silent"
