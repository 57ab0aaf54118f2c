"""What brings the song's position: MIDI timecode and clock, taps, OSC, Link, specs."""

import ast
import importlib.util
import socket
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import clock, sync, timecode
from kfx.errors import KfxError, UsageError
from kfx.sync import audio_in, grid, midi_in
from kfx.sync.follow import Fix
from kfx.sync.link import Link, Session
from kfx.sync.ltc_encode import encode
from kfx.sync.ltc_in import LtcIn
from kfx.sync.midi_clock import MidiClock
from kfx.sync.mtc import RATES, Mtc
from kfx.sync.osc_transport import OscTransport
from kfx.sync.song import SongClock
from kfx.sync.tap import Tap
from tests.unit.test_sync_ltc import write_wav
from tests.waiting import LONG_S, until

# MIDI timecode


def quarters(start: str, count: int, code: int) -> list[tuple[bytes, float]]:
    """The quarter frames of a tape that plays from `start`: (message, true frame), as the
    specification lays them out; a negative count plays backwards.
    """
    rate = RATES[code]
    first = timecode.parse(start, rate)
    out = []
    step = 1 if count > 0 else -1
    for k in range(0, count, step):
        frame, piece = first + (k // 8) * 2, k % 8
        text = timecode.text(frame, rate, drop=code == 2)
        hours, minutes, seconds, frames = (int(text[i : i + 2]) for i in (0, 3, 6, 9))
        fields = (frames, seconds, minutes, hours | code << 5)
        nibble = fields[piece // 2] >> 4 * (piece % 2) & 15
        out.append((bytes([0xF1, piece << 4 | nibble]), first + k / 4))
    return out


@pytest.mark.parametrize("code", range(4))
@pytest.mark.parametrize("count", [200, -200])
def test_quarter_frames_tell_every_quarter_of_a_frame(code, count):
    reader, rate = Mtc(), RATES[code]
    start = "01:00:00;00" if code == 2 else "01:00:00:00"
    fixes = []
    for i, (data, frame) in enumerate(quarters(start, count, code)):
        fix = reader.message(data, i / 100)
        if fix:
            fixes.append(fix)
            assert fix.value == pytest.approx(frame / float(rate), abs=1e-9)
    assert len(fixes) > 180


def test_a_locate_between_quarter_frames_is_noticed():
    reader = Mtc()
    values = []
    stream = quarters("01:00:00:00", 20, 1) + quarters("01:00:30:00", 40, 1)
    for i, (data, frame) in enumerate(stream):
        fix = reader.message(data, i / 100)
        if fix:
            values.append((fix.value * 25, frame))
    assert values[-1][0] == pytest.approx(values[-1][1])
    assert sum(abs(a - b) > 3 for a, b in values) <= 8


def test_a_full_frame_is_a_place_to_stand():
    fix = Mtc(offset="01:00:00:00").message(
        bytes([0xF0, 0x7F, 0x7F, 1, 1, 0x21, 0, 10, 5, 0xF7]), 3.0
    )
    assert fix == Fix(3.0, 10.2, 0.0)


def test_mtc_at_24_may_mean_23976():
    reader = Mtc(fps=Fraction(24000, 1001))
    fix = reader.message(bytes([0xF0, 0x7F, 0x7F, 1, 1, 0x01, 0, 0, 0, 0xF7]), 0.0)
    assert fix.value == pytest.approx(3603.6)


# MIDI clock


def test_clock_start_stop_continue_and_position():
    reader = MidiClock()
    assert reader.message(b"\xf8", 0.0) is None  # a stopped master only keeps the tempo
    reader.message(b"\xfa", 0.1)
    fixes = [reader.message(b"\xf8", 0.2 + i / 48) for i in range(49)]
    assert [fix.value for fix in fixes[::24]] == [0.0, 1.0, 2.0]
    assert fixes[0].seek
    assert not fixes[1].seek
    assert reader.message(b"\xfc", 1.3) == Fix(1.3, 49 / 24, 0.0)
    assert reader.message(bytes([0xF2, 16, 1]), 1.4) == Fix(1.4, 36.0, 0.0, True)
    reader.message(b"\xfb", 1.5)
    assert reader.message(b"\xf8", 1.6) == Fix(1.6, 36.0, seek=True)


def test_midi_clock_drives_a_song():
    reader, fixes = MidiClock(), []
    for i, data in enumerate([b"\xfa", *[b"\xf8"] * 480]):
        fix = reader.message(data, i * 60 / 140 / 24)
        fixes += [fix] if fix else []

    class Port:
        name, unit, free_run_s = "midi", "beats", 5.0

        def read(self, at):
            due = [fix for fix in fixes if fix.at <= at]
            fixes[:] = fixes[len(due) :]
            return due

    song = SongClock(grid.steady(140), [Port()])
    seen = [song.now(k / 60) for k in range(480)]
    assert seen[-1].lock == "locked"
    assert seen[-1].rate == pytest.approx(1.0, abs=0.01)
    assert seen[-1].beat == pytest.approx((479 / 60) * 140 / 60, abs=0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=12), max_size=60))
def test_any_midi_bytes_are_read_or_ignored(messages):
    for reader in (Mtc(), MidiClock()):
        for i, data in enumerate(messages):
            fix = reader.message(data, float(i))
            assert fix is None or np.isfinite(fix.value)


# Taps, OSC, Link


def test_taps_become_a_tempo_and_a_downbeat():
    tap = Tap()
    song = SongClock(grid.steady(100), [tap])
    off = np.random.default_rng(1).normal(0, 0.015, 12)
    for i in range(12):
        tap.tap(10 + i * 60 / 128 + off[i])
    now = song.now(10 + 16 * 60 / 128)
    assert tap.bpm == pytest.approx(128, abs=2.5)
    assert now.beat == pytest.approx(16, abs=0.2)
    assert now.source == "tap"
    tap.tap(90.0)  # long after: a new row, whose first tap is a downbeat again
    tap.tap(90.5)
    tap.tap(91.0)
    assert song.now(91.5).beat == pytest.approx(3.0, abs=0.01)
    assert tap.bpm == pytest.approx(120)
    assert song.now(1000.5).lock == "freerun"


def test_osc_moves_the_song():
    transport = OscTransport(offset_s=100.0)
    song = SongClock(grid.steady(120), [transport])
    base = "/kfx/v1/transport/"
    assert transport.message(base + "play", (130.0,), 1.0)
    assert song.now(2.0).time_s == pytest.approx(31.0)
    assert transport.message(base + "rate", (0.5,), 3.0)
    assert song.now(5.0).time_s == pytest.approx(33.0, abs=0.1)
    assert transport.message(base + "stop", (), 6.0)
    assert song.now(60.0).time_s == pytest.approx(33.5, abs=0.1)
    assert song.now(60.0).rate == 0.0
    assert transport.message(base + "play", (), 61.0)
    assert song.now(62.0).time_s == pytest.approx(34.0, abs=0.1)
    for address, values in [
        ("time", ()),
        ("time", ("soon",)),
        ("time", (float("nan"),)),
        ("time", (1e9,)),
        ("rate", (99,)),
        ("jump", (1.0,)),
    ]:
        assert not transport.message(base + address, values, 63.0)


def test_osc_over_udp():
    from pythonosc.udp_client import SimpleUDPClient

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    client = SimpleUDPClient("127.0.0.1", port)
    song = sync.open([f"osc:{port}"], grid.steady(120))
    try:
        with pytest.raises(KfxError, match=f"osc:{port}: the port can't be opened"):
            sync.open([f"osc:{port}"], grid.steady(120))

        def heard():
            client.send_message("/kfx/v1/transport/play", 60.0)
            return song.now(clock.now()).source == "osc"

        until(heard)
        assert 59 < song.now(clock.now()).time_s < 60 + LONG_S
    finally:
        song.close()
        client._sock.close()


def test_link_counts_bars_from_where_the_transport_started():
    session = Session()
    assert session.line("6.25 120.0 0 1", 1.0) == Fix(1.0, 6.25, 2.0)
    assert session.line("8.5 120.0 1 1", 2.0) == Fix(2.0, 0.5, 2.0, True)
    assert session.line("9.5 126.0 1 2", 2.5) == Fix(2.5, 1.5, 2.1)
    assert session.peers == 2
    for broken in ("", "1 2 3", "nan 120 0 0", "1 inf 0 0", "error: x y", "1 0 0 0"):
        assert session.line(broken, 3.0) is None


@pytest.mark.skipif(
    importlib.util.find_spec("aalink") is not None, reason="aalink is here: nothing is missing"
)
def test_without_aalink_link_says_what_to_install():
    with pytest.raises(KfxError, match=r"link: aalink is missing .*pip install 'kfx\[link\]'"):
        Link()


# LTC from a device


class Device:
    """A sound input that plays a wave, with the jitter of a real one's callbacks."""

    channels, sample_rate = 2, 48000

    def __init__(self, wave: np.ndarray, start: float) -> None:
        random = np.random.default_rng(3)
        silent = np.zeros(256, np.float32)
        self.blocks = []
        for at in range(0, len(wave) - 256, 256):
            samples = np.stack([silent, wave[at : at + 256]], axis=1)
            when = start + at / self.sample_rate + random.uniform(0, 0.004)
            self.blocks.append(audio_in.Block(when, samples))

    def reader(self, name: str) -> None:
        self.name = name

    def read(self, name: str) -> list[audio_in.Block]:
        blocks, self.blocks = self.blocks[:6], self.blocks[6:]
        return blocks

    def close(self) -> None:
        self.closed = True


def test_ltc_on_the_second_channel_of_a_device():
    wave = encode("01:00:00:00", 100, Fraction(25))
    source = LtcIn(Device(wave, 50.0), channel=2, fps=Fraction(25), offset="01:00:01:00")
    song = SongClock(grid.steady(120), [source])
    seen = [(50 + k * 0.032, song.now(50 + k * 0.032)) for k in range(120)]
    at, now = seen[-1]
    assert now.lock == "locked"
    assert now.time_s == pytest.approx(at - 51.0, abs=0.01)
    assert now.rate == pytest.approx(1.0, abs=0.01)
    assert source.timecode.startswith("01:00:03:")
    with pytest.raises(KfxError, match="has 2 channels, not channel 3"):
        LtcIn(Device(wave, 0.0), channel=3)


# Specs


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("smpte", "--sync smpte: no such source; use timecode on a sound input"),
        ("ltc?gain=2", r"'gain' is no option of ltc \(there are: fps, offset, channel\)"),
        ("ltc?channel=two", "channel: 'two' is no number"),
        ("ltc:x.wav?fps=0", "fps: '0' is no number"),
        ("mtc?offset=soon", "'soon' is no timecode"),
        ("osc:", "name a port"),
        ("osc:70000", "name a port"),
    ],
)
def test_a_bad_spec_says_why(spec, said):
    with pytest.raises(UsageError, match=said):
        sync.open([spec], grid.steady(120))


def test_a_spec_is_taken_apart():
    assert sync.parse("ltc:USB%20Audio: 2?channel=2&fps=29.97&offset=01:00:00;00") == (
        "ltc",
        "USB Audio: 2",
        {"channel": 2, "fps": Fraction(30000, 1001), "offset": "01:00:00;00"},
    )
    assert sync.parse("mtc:IAC?fps=23.976")[2] == {"fps": Fraction(24000, 1001)}
    assert sync.parse("tap") == ("tap", "", {})


def test_the_right_port_is_chosen_and_a_wrong_one_refused(monkeypatch):
    monkeypatch.setattr(midi_in, "ports", lambda: ["IAC Bus 1", "IAC Bus 2", "QLab"])
    assert midi_in._choose("mtc", "qlab") == "QLab"
    assert midi_in._choose("mtc", "IAC Bus 2") == "IAC Bus 2"
    for port, said in [("IAC", "more than one port"), ("X", "no MIDI port"), ("", "which port")]:
        with pytest.raises(KfxError, match=said + r".*IAC Bus 1, IAC Bus 2, QLab"):
            midi_in._choose("mtc", port)


def test_without_sounddevice_audio_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(KfxError, match=r"pip install 'kfx\[audio\]'"):
        sync.open(["ltc"], grid.steady(120))


def test_a_sound_file_is_a_source_from_its_start_on(tmp_path):
    path = write_wav(tmp_path / "track.wav", encode("01:00:00:00", 100, Fraction(24000, 1001)))
    spec = f"ltc:{path}?fps=23.976&offset=01:00:00:00"
    song = sync.open([spec], grid.steady(120), start=500.0)
    seen = [song.now(500 + k / 60) for k in range(300)]
    assert seen[120].time_s == pytest.approx(2.0, abs=0.001)
    assert (seen[120].lock, seen[120].source) == ("locked", "ltc")
    assert seen[299].lock == "freerun"
    assert seen[299].time_s == pytest.approx(299 / 60, abs=0.01)
    song.close()


def test_only_the_link_process_imports_aalink(repo_root):
    """It is GPL-3, kfx is not."""
    importers = [
        path.name
        for path in (repo_root / "kfx").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(one.name == "aalink" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "aalink")
    ]
    assert importers == ["link_process.py"]
