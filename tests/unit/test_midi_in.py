"""A MIDI port that is unplugged is told once and opened again by itself when it is back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import mido
import pytest

from kfx.errors import KfxError
from kfx.sync import midi_in
from kfx.sync.midi_in import MidiIn, Port
from kfx.sync.mtc import Mtc
from tests.waiting import until

KNOBS, AGAIN = "nanoKONTROL2:nanoKONTROL2 MIDI 1 24:0", "nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0"
THROUGH = "Midi Through:Midi Through Port-0 14:0"


class Usb:
    """The MIDI ports of a machine, in place of mido: `there` may change at any time."""

    def __init__(self) -> None:
        self.there = [THROUGH, KNOBS]
        self.open: dict[str, Any] = {}
        self.clients = 0  # made only to look at the list
        self.broken = False

    def get_input_names(self) -> list[str]:
        self.clients += 1
        return self._list()

    def open_input(self, name: str, callback: Any = None, virtual: bool = False) -> Any:
        if not virtual and name not in self.there:
            raise OSError(f"unknown port {name!r}")
        port = SimpleNamespace(callback=callback, close=lambda: self.open.pop(name))
        port._rt = SimpleNamespace(get_ports=self._list)
        self.open[name] = port
        return port

    def _list(self) -> list[str]:
        if self.broken:
            raise OSError("the sequencer is away")
        return list(self.there)

    def send(self, name: str, value: int) -> None:
        self.open[name].callback(mido.Message("control_change", control=1, value=value))


@pytest.fixture
def usb(monkeypatch: pytest.MonkeyPatch) -> Usb:
    made = Usb()
    monkeypatch.setattr(mido, "get_input_names", made.get_input_names)
    monkeypatch.setattr(mido, "open_input", made.open_input)
    return made


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Port, "_watch", lambda self: None)  # told to look here


GONE = "midi:nanoKONTROL2:nanoKONTROL2 MIDI 1: is gone; plug it in again, it is opened by itself"
BACK = "midi:nanoKONTROL2:nanoKONTROL2 MIDI 1: is back"


@pytest.mark.usefixtures("unwatched")
def test_a_port_that_was_unplugged_is_opened_again_under_its_new_number(usb: Usb) -> None:
    heard: list[int] = []
    told: list[str] = []
    port = Port("midi", "nano", lambda message: heard.append(message.value), told.append)
    usb.send(KNOBS, 1)
    clients = usb.clients
    port.check()
    assert (told, usb.clients) == ([], clients)  # the open port is asked, nobody sees a new one
    usb.there = [THROUGH]
    for _ in range(5):
        port.check()
    assert (told, usb.open) == ([GONE], {})
    usb.there = [THROUGH, AGAIN]
    for _ in range(3):
        port.check()
    assert (told, list(usb.open)) == ([GONE, BACK], [AGAIN])
    usb.send(AGAIN, 2)
    assert heard == [1, 2]
    usb.there = [THROUGH]
    port.check()
    assert told == [GONE, BACK, GONE]
    port.close()
    assert usb.open == {}


@pytest.mark.usefixtures("unwatched")
def test_another_port_is_not_taken_for_it(usb: Usb) -> None:
    port = Port("midi", "nano", lambda message: None)
    usb.there = [THROUGH, "nanoKONTROL2:nanoKONTROL2 CTRL 28:1"]
    port.check()
    assert usb.open == {}
    port.close()


@pytest.mark.usefixtures("unwatched")
def test_where_midi_itself_is_away_it_is_asked_again_later(usb: Usb) -> None:
    told: list[str] = []
    port = Port("midi", "nano", lambda message: None, told.append)
    usb.broken = True
    port.check()
    assert (told, list(usb.open)) == ([], [KNOBS])
    usb.broken, usb.there = False, []
    port.check()
    usb.broken = True
    port.check()
    usb.broken, usb.there = False, [KNOBS]
    port.check()
    assert (told, list(usb.open)) == ([GONE, BACK], [KNOBS])
    port.close()


def test_it_watches_by_itself(usb: Usb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_in, "WATCH_S", 0.005)
    told: list[str] = []
    source = MidiIn("mtc", "nano", Mtc(), "seconds", told.append)
    usb.there = []
    until(lambda: len(told) == 1)
    usb.there = [AGAIN]
    until(lambda: len(told) == 2)
    for piece in range(8):  # 01:00:00:00
        usb.open[AGAIN].callback(
            mido.Message("quarter_frame", frame_type=piece, frame_value=1 if piece == 6 else 0)
        )
    assert source.read(0.0)
    source.close()
    assert usb.open == {}


def test_a_port_of_kfx_s_own_is_never_gone(usb: Usb) -> None:
    usb.there = []
    port = Port("midi", "virtual", lambda message: None)
    assert list(usb.open) == ["kfx midi"]
    port.close()
    assert usb.open == {}


def test_a_port_there_isnt_names_those_there_are(usb: Usb) -> None:
    with pytest.raises(KfxError, match=r"midi:launchpad: is no MIDI port .*nanoKONTROL2"):
        Port("midi", "launchpad", lambda message: None)
