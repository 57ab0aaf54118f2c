"""MIDI controllers: maps, learning, soft take-over and 14 bits, without any hardware."""

import threading

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx.errors import KfxError
from kfx.sync import midi_map
from kfx.sync.controls import Signals
from kfx.sync.midi_controls import MidiControls
from kfx.sync.midi_map import Mapping
from tests.desks import desk_of
from tests.waiting import LONG_S

GRAIN = "/kfx/v1/film/grain"


@pytest.fixture
def desk():
    made, _, _ = desk_of()
    yield made
    made.close()


def cc(number, value, channel=0):
    message = mido.Message("control_change", control=number, value=value, channel=channel)
    return bytes(message.bytes())


def note(number, velocity, channel=0):
    kind = "note_on" if velocity else "note_off"
    return bytes(mido.Message(kind, note=number, velocity=velocity, channel=channel).bytes())


def sweep(midi, number, values):
    for value in values:
        midi.message(cc(number, value))


def test_a_knob_moves_nothing_until_it_meets_the_value(desk):
    midi = MidiControls(desk, [Mapping("cc7", GRAIN)])  # grain is at 0.05 of 0..0.2
    sweep(midi, 7, [127, 100, 60])
    assert desk.get(GRAIN) == 0.05
    assert midi.counts["waiting"] == 3
    sweep(midi, 7, [20])  # past it
    assert desk.get(GRAIN) == pytest.approx(0.2 * 20 / 127)
    sweep(midi, 7, [127])
    assert desk.get(GRAIN) == 0.2


def test_after_another_hand_it_waits_again(desk):
    midi = MidiControls(desk, [Mapping("cc7", GRAIN)])
    sweep(midi, 7, [0, 127])
    desk.set(GRAIN, 0.02, "panel")
    sweep(midi, 7, [126, 125])
    assert desk.get(GRAIN) == 0.02
    sweep(midi, 7, [5])
    assert desk.get(GRAIN) == pytest.approx(0.2 * 5 / 127)


def test_a_jump_is_a_jump_and_a_part_of_the_range_is_a_part(desk):
    midi = MidiControls(desk, [Mapping("cc7", GRAIN, low=0.5, high=1.0, takeover="jump")])
    sweep(midi, 7, [0])
    assert desk.get(GRAIN) == pytest.approx(0.1)
    sweep(midi, 7, [127])
    assert desk.get(GRAIN) == pytest.approx(0.2)


def test_turned_round(desk):
    midi = MidiControls(desk, [Mapping("cc7", GRAIN, low=1.0, high=0.0, takeover="jump")])
    sweep(midi, 7, [127])
    assert desk.get(GRAIN) == 0.0


def test_fourteen_bits_are_finer_than_seven(desk):
    midi = MidiControls(desk, [Mapping("cc1", GRAIN, bits=14, takeover="jump")])
    midi.message(cc(1, 64))
    midi.message(cc(33, 0))
    coarse = desk.get(GRAIN)
    midi.message(cc(1, 64))
    assert desk.get(GRAIN) == coarse  # waits for the fine byte, now that there is one
    midi.message(cc(33, 1))
    assert desk.get(GRAIN) - coarse == pytest.approx(0.2 / 16383)
    midi.message(cc(1, 127))
    midi.message(cc(33, 127))
    assert desk.get(GRAIN) == 0.2


def test_a_sender_of_seven_bits_moves_a_fourteen_bit_map(desk):
    midi = MidiControls(desk, [Mapping("cc1", GRAIN, bits=14, takeover="jump")])
    sweep(midi, 1, [127])
    assert desk.get(GRAIN) == 0.2


def test_pads_fire_hold_and_toggle():
    desk, _, switches = desk_of()
    midi = MidiControls(
        desk,
        [
            Mapping("note36", "/kfx/v1/panic"),
            Mapping("note37", "/kfx/v1/hold"),
            Mapping("note38", "/kfx/v1/chain/1/film/bypass", toggle=True),
        ],
    )
    midi.message(note(37, 90))
    assert switches.hold
    midi.message(note(37, 0))
    assert not switches.hold
    pressed = []
    for _ in range(3):
        midi.message(note(38, 100))
        midi.message(note(38, 0))
        pressed.append(desk.get("/kfx/v1/chain/1/film/bypass"))
    assert pressed == [True, False, True]
    midi.message(note(36, 1))
    assert switches.shown == "clean"
    switches.set("live")
    midi.message(note(36, 0))
    assert switches.shown == "live"
    desk.close()


def test_channels_are_kept_apart(desk):
    midi = MidiControls(desk, [Mapping("cc7@3", GRAIN, takeover="jump")])
    midi.message(cc(7, 127, channel=0))
    assert desk.get(GRAIN) == 0.05
    midi.message(cc(7, 127, channel=2))
    assert desk.get(GRAIN) == 0.2


def test_every_control_is_a_signal(desk):
    signals = Signals()
    midi = MidiControls(desk, signals=signals)
    midi.message(cc(7, 127))
    midi.message(note(60, 127))
    midi.message(bytes(mido.Message("pitchwheel", pitch=8191).bytes()))
    assert dict(signals.at(0.0)) == {"midi.cc7": 1.0, "midi.note60": 1.0, "midi.bend": 1.0}


def test_learning_maps_the_next_control_and_writes_it_down(desk, tmp_path):
    path, learned = tmp_path / "midi.toml", []
    path.write_text("# my nanoKONTROL\n")
    midi = MidiControls(desk, path=path, on_learned=learned.append)
    midi.learn(GRAIN)
    midi.message(note(60, 0))  # a pad let go is no choice
    midi.message(cc(21, 64, channel=1))
    assert midi.learning == ""
    assert learned == [Mapping("cc21@2", GRAIN)]
    midi.close()
    assert midi_map.load(path) == learned
    assert path.read_text().startswith("# my nanoKONTROL")
    midi.message(cc(21, 10, channel=1))
    midi.message(cc(21, 40, channel=1))
    assert desk.get(GRAIN) == pytest.approx(0.2 * 40 / 127)
    midi.learn("/kfx/v1/hold")  # the same knob again: it moves on
    midi.message(cc(21, 64, channel=1))
    midi.close()
    assert midi_map.load(path) == [Mapping("cc21@2", "/kfx/v1/hold")]
    midi.forget("/kfx/v1/hold")
    midi.close()
    assert midi_map.load(path) == []


def test_a_slow_disk_holds_up_no_message(desk, tmp_path, monkeypatch):
    """What comes while the map is written is heard, and the newest map is the one that stays."""
    writing, goes_on, saved = threading.Event(), threading.Event(), []

    def save(path, mappings):
        writing.set()
        assert goes_on.wait(LONG_S)
        saved.append([one.control for one in mappings])

    monkeypatch.setattr(midi_map, "save", save)
    midi = MidiControls(desk, path=tmp_path / "midi.toml")
    midi.learn(GRAIN)
    midi.message(cc(7, 64))
    assert writing.wait(LONG_S)
    midi.message(cc(7, 0))  # all this while the file is being written
    midi.message(cc(7, 127))
    assert desk.get(GRAIN) == 0.2
    for number in (8, 9):
        midi.learn(GRAIN)
        midi.message(cc(number, 64))
    assert saved == []
    goes_on.set()
    midi.close()
    assert saved == [["cc7@1"], ["cc7@1", "cc8@1", "cc9@1"]]


def test_a_map_that_cannot_be_written_is_told_and_stays(desk, tmp_path):
    (tmp_path / "file").touch()
    told = []
    midi = MidiControls(desk, path=tmp_path / "file" / "midi.toml", on_fault=told.append)
    midi.learn(GRAIN)
    midi.message(cc(7, 64))
    midi.close()
    assert len(told) == 1
    assert "midi.toml: a part of its path is a file" in told[0]
    assert midi.mappings == (Mapping("cc7@1", GRAIN),)


def test_an_address_there_isnt_cant_be_learned(desk):
    midi = MidiControls(desk)
    with pytest.raises(KfxError, match="no such address"):
        midi.learn("/kfx/v1/nope")
    midi.learn("film/grain")
    assert midi.learning == GRAIN


def test_an_effect_that_goes_while_it_is_learned_is_told(desk):
    told = []
    midi = MidiControls(desk, on_fault=told.append)
    midi.learn(GRAIN)
    desk.remove(1)
    midi.message(cc(1, 1))
    assert "no such address" in told[0]
    assert midi.mappings == ()


def test_a_map_for_an_effect_that_is_gone_is_told_once(desk):
    told = []
    midi = MidiControls(desk, [Mapping("cc7", "/kfx/v1/bloom/size")], on_fault=told.append)
    sweep(midi, 7, range(20))
    assert len(told) == 1


@given(st.lists(st.binary(max_size=6), max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_bytes_break_it(messages):
    desk, _, _ = desk_of()
    maps = [Mapping("cc1", GRAIN, bits=14), Mapping("bend", GRAIN), Mapping("note1", GRAIN)]
    midi = MidiControls(desk, maps)
    for data in [*messages, b"", b"\xb0", b"\xb0\xff\xff", b"\xf0\x7f\x7f", cc(1, 3)]:
        midi.message(data)
    assert midi.counts["refused"] == 0
    assert 0.0 <= desk.get(GRAIN) <= 0.2
    desk.close()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('control = "cc200"\naddress = "/a"', "write cc7, note60"),
        ('control = "cc7@17"\naddress = "/a"', "write cc7, note60"),
        ('control = 7\naddress = "/a"', "write cc7, note60"),
        ('control = "cc7"', "needs control and address"),
        ('control = "cc7"\naddress = "film"', "begins with /"),
        ('control = "cc7"\naddress = 3', "name one"),
        ('control = "cc7"\naddress = "/a"\nlow = 2', "outside 0..1"),
        ('control = "cc7"\naddress = "/a"\nhigh = nan', "outside 0..1"),
        ('control = "cc40"\naddress = "/a"\nbits = 14', "only cc0..cc31"),
        ('control = "cc7"\naddress = "/a"\nbits = 8', "neither 7 nor 14"),
        ('control = "cc7"\naddress = "/a"\ntakeover = "hard"', "soft, jump"),
        ('control = "cc7"\naddress = "/a"\ntoggle = 1', "neither true nor false"),
        ('control = "cc7"\naddress = "/a"\ncurve = 1', "'curve' is none of"),
    ],
)
def test_a_map_says_where_its_fault_is(tmp_path, entry, said):
    path = tmp_path / "midi.toml"
    path.write_text(f'[[map]]\ncontrol = "cc1"\naddress = "/b"\n[[map]]\n{entry}\n')
    with pytest.raises(KfxError) as error:
        midi_map.load(path)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{path}: map[1]: ")


@pytest.mark.parametrize("text", ["map = 3", "map = [1]", "[[map]", "\0"])
def test_a_file_that_is_no_map(tmp_path, text):
    path = tmp_path / "midi.toml"
    path.write_text(text)
    with pytest.raises(KfxError, match=r"midi\.toml"):
        midi_map.load(path)


def test_an_absent_file_is_an_empty_map(tmp_path):
    assert midi_map.load(tmp_path / "none.toml") == []
