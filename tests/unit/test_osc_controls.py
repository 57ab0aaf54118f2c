"""Faders of an OSC controller are learned, move what they were mapped to, and are remembered."""

import pytest

from kfx.engine.desk.learning import Learning
from kfx.engine.desk.tree import Parameter
from kfx.errors import KfxError, UsageError
from kfx.sync import osc_controls
from kfx.sync.osc_controls import OscControls
from kfx.sync.osc_in import Inbox
from tests.desks import desk_of

GRAIN = "/kfx/v1/chain/1/film/grain"


@pytest.fixture
def desk():
    made, _, _ = desk_of()
    yield made
    made.close()


def test_the_fader_that_moves_first_is_learned_and_moves_the_knob(desk, tmp_path):
    path = tmp_path / "osc.toml"
    learning, others = Learning(desk), []
    controls = OscControls(desk, path=path, on_learned=learning.learned)
    learning.add(controls.learn, controls.forget)
    learning.add(others.append, others.append)
    faults = []
    inbox = Inbox(desk, others=(controls.message,), on_fault=faults.append)

    def send(address, *values):
        inbox.carry_out((address, values), "osc 10.0.0.7")

    send("/1/fader3", 0.5)
    assert faults.pop().endswith("there is no such address; see: kfx ctl list")
    desk.set("/kfx/v1/learn", GRAIN)
    send("/1/name", "hello")  # no number: it isn't a fader
    before = desk.get(GRAIN)
    send("/1/fader3", 0.9)
    assert desk.get(GRAIN) == before  # it was only shown
    assert (desk.get("/kfx/v1/learn"), others) == ("", [GRAIN, ""])
    for sent, value in ((0.5, 0.1), (1, 0.2), (127, 0.2), (64, 0.2 * 64 / 127), (-3.0, 0.0)):
        send("/1/fader3", sent)
        assert desk.get(GRAIN) == pytest.approx(value)
    # kfx's own addresses are what they were; an event fires where a button goes down.
    send(GRAIN, 0.05)
    assert desk.get(GRAIN) == 0.05
    fired = []
    desk.register(Parameter("/kfx/v1/take/roll", "event"), fired.append)
    desk.set("/kfx/v1/learn", "take/roll")
    for value in (1.0, 1.0, 0.0):
        send("/1/push", value)
    assert fired == [True]
    controls.close()
    again = OscControls(desk, path=path)
    assert again.mappings == {"/1/fader3": GRAIN, "/1/push": "/kfx/v1/take/roll"}
    desk.set("/kfx/v1/forget", GRAIN)
    controls.close()
    assert osc_controls.load(path) == {"/1/push": "/kfx/v1/take/roll"}
    with pytest.raises(UsageError, match="no such address"):
        desk.set("/kfx/v1/learn", "/kfx/v1/nothing")


@pytest.mark.parametrize(
    "text", ["map = 3", "[[map]]\nosc = '/a'", "[[map]]\nosc = 1\naddress = '/b'", "[", "[[map]]"]
)
def test_a_map_with_a_fault_is_named(tmp_path, text):
    path = tmp_path / "osc.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KfxError, match=r"osc\.toml"):
        osc_controls.load(path)
