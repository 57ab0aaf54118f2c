"""Linear timecode: kfx's decoder against its own encoder, libltc, bad tape and garbage."""

import ctypes
import ctypes.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import timecode
from kfx.errors import KfxError
from kfx.sync import ltc_frame, ltc_time, ltc_track
from kfx.sync.ltc import Decoder, Heard
from kfx.sync.ltc_encode import encode

RATE = 48000
NTSC = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)
CASES = [  # start, rate; each runs over an end of a second, some over a dropped number
    ("01:00:00:12", FILM),
    ("00:00:59:00", Fraction(24)),
    ("10:09:59:05", Fraction(25)),
    ("00:00:59;10", NTSC),
    ("00:09:59;10", NTSC),
    ("01:00:00:20", NTSC),
    ("23:59:58:25", Fraction(30)),
]
SPEEDS = (0.25, 1.0, 2.0, 4.0, -0.25, -1.0, -4.0)


def decode(wave: np.ndarray, block: int = 4096) -> list[Heard]:
    decoder = Decoder()
    tail = np.concatenate([wave, np.zeros(2048, np.float32)])
    return [h for at in range(0, len(tail), block) for h in decoder.feed(tail[at : at + block])]


def at_speed(speed: float, seconds: float):
    if speed > 0:
        return lambda tape: tape / speed
    return lambda tape: (tape - seconds) / speed


def errors_s(found: list[Heard], start: str, rate: Fraction, clock) -> list[float]:
    """How far each frame's end lies from where the tape was then."""
    first = timecode.parse(start, rate)
    out = []
    for one in found:
        frames = one.label.count(rate) - first + (not one.reverse)
        out.append(one.end / RATE - float(clock(np.float64(float(frames / rate)))))
    return out


@pytest.mark.parametrize(("start", "rate"), CASES)
@pytest.mark.parametrize("speed", SPEEDS)
def test_every_frame_is_found_to_ten_microseconds(start, rate, speed):
    frames = 40
    clock = at_speed(speed, float(frames / rate))
    wave = encode(start, frames, rate, clock=clock)
    noise = np.random.default_rng(5).normal(0, 0.02, len(wave))
    found = decode(wave + noise)
    assert len(found) >= frames - 2  # the first edge and the last have no neighbour
    assert all(one.reverse == (speed < 0) for one in found)
    if not start.startswith("23:59:58"):
        assert max(map(abs, errors_s(found, start, rate, clock))) < 1e-5
    texts = [one.label.text for one in found]
    wanted = [timecode.advance(start, i, rate) for i in range(frames)]
    wanted = wanted if speed > 0 else wanted[::-1]
    assert texts == wanted[wanted.index(texts[0]) :][: len(texts)]


@pytest.mark.parametrize("change", [lambda w: -w, lambda w: w * 0.01, lambda w: w * 0.5 + 0.3])
def test_polarity_level_and_dc_do_not_matter(change):
    wave = encode("01:00:00:00", 20, Fraction(25))
    found = decode(change(wave).astype(np.float32))
    assert [one.label.frames for one in found] == list(range(1, 19))


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 40000), max_size=30))
def test_the_sizes_of_blocks_do_not_matter(cuts):
    wave = encode("01:00:00:00", 20, Fraction(25))
    whole = Decoder().feed(wave)
    decoder, parts = Decoder(), []
    for part in np.split(wave, sorted(cuts)):
        parts += decoder.feed(part)
    assert parts == whole


def test_wow_and_a_ramp_of_speed_are_followed():
    def clock(tape):  # 1.1x on average, ±8 % at 4 Hz
        return tape / 1.1 + 0.08 / (2 * np.pi * 4) * np.sin(2 * np.pi * 4 * tape)

    found = decode(encode("01:00:00:00", 100, Fraction(25), clock=clock))
    assert len(found) >= 98
    assert max(map(abs, errors_s(found, "01:00:00:00", Fraction(25), clock))) < 1e-5

    def ramp(tape):  # 0.25x to 4x within 8 seconds of tape
        return 8 / np.log(16) * 4 * (1 - 16 ** (-tape / 8))

    found = decode(encode("01:00:00:00", 200, Fraction(25), clock=ramp))
    assert len(found) >= 190
    assert max(map(abs, errors_s(found, "01:00:00:00", Fraction(25), ramp))) < 2e-5


def test_a_drop_out_and_a_jump_of_speed_cost_three_frames_at_most():
    one = encode("01:00:00:00", 50, Fraction(25))
    fast = encode("01:00:03:00", 50, Fraction(25), clock=lambda tape: tape / 2)
    wave = np.concatenate([one, np.zeros(RATE, np.float32), one, fast])
    found = decode(wave)
    texts = [h.label.text for h in found]
    assert texts[:48] == [timecode.text(90000 + i, Fraction(25)) for i in range(1, 49)]
    assert sum(text < "01:00:02" for text in texts[48:]) >= 46
    assert sum(text >= "01:00:03" for text in texts) >= 45


def test_user_bits_travel():
    found = decode(encode("01:00:00:00", 6, Fraction(30), user=0xDEADBEEF))
    assert {one.label.user for one in found} == {0xDEADBEEF}


@pytest.mark.parametrize("kind", ["white", "music", "hum", "square"])
def test_what_is_no_timecode_gives_none(kind):
    random = np.random.default_rng(11)
    time = np.arange(6 * RATE) / RATE
    wave = {
        "white": lambda: random.normal(0, 0.3, len(time)),
        "music": lambda: sum(np.sin(2 * np.pi * f * time + f) for f in (110, 277, 659, 1760)) / 5,
        "hum": lambda: 0.4 * np.sin(2 * np.pi * 50 * time),
        "square": lambda: np.sign(np.sin(2 * np.pi * 1000 * time)),
    }[kind]()
    assert decode(wave) == []


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=6000), st.sampled_from(["<f4", "<i2", "u1", "<f8"]))
def test_garbage_never_raises(data, kind):
    wave = np.frombuffer(data[: len(data) // 8 * 8], kind)
    decoder = Decoder()
    decoder.feed(wave)
    decoder.feed([])
    decoder.feed(np.array([np.nan, np.inf, -np.inf] * 500))
    # And it still works afterwards.
    assert decoder.feed(encode("00:00:00:00", 12, Fraction(25)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**80 - 1))
def test_any_80_bits_are_a_label_or_none(bits):
    label = ltc_frame.unpack(bits)
    assert label is None or ltc_frame.unpack(ltc_frame.pack(label)) == label
    forced = ltc_frame.unpack(bits & (1 << 64) - 1 | ltc_frame.SYNC << 64)
    assert forced is None or ltc_frame.unpack(ltc_frame.pack(forced)) == forced
    assert ltc_frame.mirrored(ltc_frame.mirrored(bits)) == bits


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3 * 107892), st.sampled_from([FILM, Fraction(25), NTSC, Fraction(30)]))
def test_a_label_follows_the_one_before(frame, rate):
    drop = timecode.can_drop(rate)
    one, two = (ltc_frame.label(frame + i, rate, drop=drop) for i in (0, 1))
    assert ltc_frame.follows(one, two)
    assert not ltc_frame.follows(two, one)
    assert not ltc_frame.follows(one, ltc_frame.label(frame + 3, rate, drop=drop))
    assert one.count(rate) == frame


def test_a_rate_above_30_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="every second frame"):
        encode("00:00:00:00", 2, Fraction(60))


@pytest.mark.parametrize(
    ("fps", "rate"), [("60000/1001", NTSC), ("48", 24), ("120", 30), ("24000/1001", FILM)]
)
def test_high_rates_count_every_second_frame(fps, rate):
    assert ltc_time.rate_of(Fraction(fps)) == rate


@pytest.mark.parametrize(
    "rate", [FILM, Fraction(24), Fraction(25), NTSC, Fraction(30)], ids=lambda r: f"{float(r):.2f}"
)
def test_the_rate_is_found_out(rate):
    guess = ltc_time.Rate()
    length = float(RATE / rate)
    for i in range(400):
        label = ltc_frame.label(1000 + i, rate)
        found = guess.see(Heard(label, i * length, (i + 1) * length), RATE)
    assert found == rate


# Files


def write_wav(path: Path, *channels: np.ndarray, codec: str = "pcm_s16le") -> Path:
    size = max(map(len, channels))
    planes = np.stack([np.pad(one, (0, size - len(one))) for one in channels])
    layout = {1: "mono", 2: "stereo"}[len(channels)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = layout
        for at in range(0, size, 4096):
            part = np.ascontiguousarray(planes[:, at : at + 4096].astype(np.float32))
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [("t.wav", "pcm_s16le"), ("t.m4a", "aac")])
def test_a_track_is_read_from_the_channel_that_has_it(tmp_path, name, codec):
    code = encode("01:00:00:00", 75, Fraction(25))
    music = np.random.default_rng(2).normal(0, 0.2, len(code))
    track = ltc_track.read(write_wav(tmp_path / name, music, code, codec=codec))
    assert (track.channel, track.rate) == (2, 25)
    fixes = track.fixes("01:00:01:00")
    assert max(abs(fix.value - (fix.at - 1.0)) for fix in fixes) < 2e-4
    assert all(fix.speed == pytest.approx(1.0, abs=0.02) for fix in fixes)
    assert track.text(1.02) == "01:00:01:00"


def test_a_file_without_timecode_says_so(tmp_path):
    path = write_wav(tmp_path / "music.wav", np.random.default_rng(2).normal(0, 0.2, RATE))
    with pytest.raises(KfxError, match=r"music\.wav: no LTC was heard"):
        ltc_track.read(path)
    with pytest.raises(KfxError, match="no channel 3; it has 1"):
        ltc_track.read(path, channel=3)
    (tmp_path / "no.wav").write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(KfxError, match=r"can't be read as sound|has no sound"):
        ltc_track.read(tmp_path / "no.wav")


def test_a_wrong_fps_says_so(tmp_path):
    path = write_wav(tmp_path / "t.wav", encode("01:00:00:00", 60, Fraction(30)))
    with pytest.raises(KfxError, match="frame numbers up to 29"):
        ltc_track.read(path, fps=Fraction(25))


# libltc, the library behind ltcdump, ltcgen, Ardour and JACK's timecode tools


class _LibLtc:
    """The few calls of libltc 1.3 that encode and decode."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("ltc")
        if not name:
            pytest.skip("libltc is missing; apt install libltc11")
        self.lib = lib = ctypes.CDLL(name)
        lib.ltc_encoder_create.restype = ctypes.c_void_p
        lib.ltc_encoder_create.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_int] * 1 + [
            ctypes.c_int
        ]
        lib.ltc_decoder_create.restype = ctypes.c_void_p
        lib.ltc_decoder_create.argtypes = [ctypes.c_int, ctypes.c_int]

    def encode(self, start: str, frames: int, rate: Fraction) -> np.ndarray:
        lib = self.lib
        standard = 1 if rate == 25 else 0  # LTC_TV_625_50, LTC_TV_525_60
        encoder = ctypes.c_void_p(lib.ltc_encoder_create(float(RATE), float(rate), standard, 0))
        fields = bytes(6) + bytes([0]) * 3  # timezone, years, months, days
        hours, minutes, seconds, number = (int(start[i : i + 2]) for i in (0, 3, 6, 9))
        stamp = ctypes.create_string_buffer(fields + bytes([hours, minutes, seconds, number]), 13)
        lib.ltc_encoder_set_timecode(encoder, stamp)
        if ";" in start:
            raw = ctypes.create_string_buffer(10)
            lib.ltc_encoder_get_frame(encoder, raw)
            raw[1] = bytes([raw[1][0] | 4])  # bit 10: drop-frame
            lib.ltc_encoder_set_frame(encoder, raw)
        out = []
        size = lib.ltc_encoder_get_buffersize(encoder)
        for _ in range(frames):
            lib.ltc_encoder_encode_frame(encoder)
            buffer = (ctypes.c_uint8 * size)()
            count = lib.ltc_encoder_get_buffer(encoder, buffer)
            out.append(np.frombuffer(buffer, np.uint8, count).astype(np.float32) / 128 - 1)
            lib.ltc_encoder_inc_timecode(encoder)
        lib.ltc_encoder_free(encoder)
        return np.concatenate(out)

    def decode(self, wave: np.ndarray, rate: Fraction) -> list[tuple[bytes, int, bool]]:
        """(the ten bytes, last sample, reverse) of each frame."""
        lib = self.lib
        decoder = ctypes.c_void_p(lib.ltc_decoder_create(round(RATE / rate), 4096))
        found = []
        extended = ctypes.create_string_buffer(4096)
        for at in range(0, len(wave), 1024):
            part = np.ascontiguousarray(wave[at : at + 1024], np.float32)
            pointer = part.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            lib.ltc_decoder_write_float(
                decoder, pointer, ctypes.c_size_t(len(part)), ctypes.c_longlong(at)
            )
            while lib.ltc_decoder_read(decoder, extended):
                raw = extended.raw
                # LTCFrame, then two 64-bit offsets, then the flag: off_start is 8-aligned.
                end = int.from_bytes(raw[24:32], "little", signed=True)
                reverse = int.from_bytes(raw[32:36], "little", signed=True)
                found.append((raw[:10], end, bool(reverse)))
        lib.ltc_decoder_free(decoder)
        return found


LIBLTC_CASES = [("00:00:59:00", Fraction(25)), ("00:00:59;10", NTSC), ("01:00:00:00", Fraction(24))]


@pytest.mark.parametrize(("start", "rate"), LIBLTC_CASES)
def test_kfx_reads_what_libltc_writes(start, rate):
    wave = _LibLtc().encode(start, 50, rate)
    found = decode(wave)
    assert len(found) >= 47
    first = timecode.parse(start, rate)
    offsets = {one.label.count(rate) - first - round(one.end / RATE * rate) for one in found}
    assert offsets == {-1}


@pytest.mark.parametrize(("start", "rate"), LIBLTC_CASES)
@pytest.mark.parametrize("speed", [1.0, 0.5, 2.0, -1.0])
def test_libltc_reads_what_kfx_writes(start, rate, speed):
    wave = encode(start, 50, rate, clock=at_speed(speed, float(50 / rate)), user=0x12345678)
    theirs = _LibLtc().decode(wave, rate)
    assert len(theirs) >= 44
    assert all(reverse == (speed < 0) for _, _, reverse in theirs)
    ours = {one.label for one in decode(wave)}
    # libltc leaves the sync word of reverse frames as it came.
    words = [int.from_bytes(raw[:8], "little") | ltc_frame.SYNC << 64 for raw, _, _ in theirs]
    labels = [ltc_frame.unpack(word) for word in words]
    assert len(ours.intersection(labels)) >= 42
    assert labels[10].user == 0x12345678
