"""OSC into the show: what is meant is done, what isn't is refused and counted, nothing breaks."""

import socket
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from kfx.engine.desk.tree import Parameter
from kfx.errors import KfxError, UsageError
from kfx.sync import osc_in, osc_packet
from kfx.sync.controls import AllowList, Signals
from kfx.sync.osc_in import Inbox, OscIn
from tests.desks import Heard, desk_of
from tests.waiting import LONG_S, until

GRAIN = "/kfx/v1/chain/1/film/grain"


def message(address, *values):
    """As python-osc, which nobody here wrote, packs it."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


@pytest.fixture
def desk():
    made, _, _ = desk_of()
    yield made
    made.close()


@pytest.fixture
def inbox(desk):
    return Inbox(desk)


def deliver(inbox, packet, by="osc test"):
    for one in inbox.packet(packet, by):
        inbox.carry_out(one, by)


def test_every_type_of_another_library_is_read():
    packet = message("/x", 1, 0.5, "text", True, False, b"blob!").dgram
    assert osc_packet.read(packet) == [("/x", (1, 0.5, "text", True, False, b"blob!"))]
    builder = OscMessageBuilder("/y")
    for value, kind in ((2**40, "h"), (0.1, "d"), (None, "N"), ([1, 2.5], None)):
        builder.add_arg(value, kind) if kind else builder.add_arg(value)
    assert osc_packet.read(builder.build().dgram) == [("/y", (2**40, 0.1, None, 1, 2.5))]


def test_the_bytes_of_the_specifications_examples():
    wire = bytes.fromhex("2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000")
    assert osc_packet.read(wire) == [("/oscillator/4/frequency", (440.0,))]
    assert osc_packet.write("/oscillator/4/frequency", [440.0]) == wire


def test_bundles_in_bundles_are_read_in_order():
    inner, outer = OscBundleBuilder(IMMEDIATELY), OscBundleBuilder(IMMEDIATELY)
    inner.add_content(message("/b", 2))
    outer.add_content(message("/a", 1))
    outer.add_content(inner.build())
    outer.add_content(message("/c"))
    found = osc_packet.read(outer.build().dgram)
    assert found == [("/a", (1,)), ("/b", (2,)), ("/c", ())]


@given(st.binary(max_size=200))
@example(b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xff")
@example(b"#bundle\0" * 40)
@example(b"/a\0\0,b\0\0\x7f\xff\xff\xff")
@example(b"/a\0\0,ffff\0\0\0")
@example(b"/\xff\xfe\0,\0\0\0")
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_reader(data):
    try:
        found = osc_packet.read(data)
    except ValueError:
        return
    assert all(one.address.startswith("/") for one in found)


@given(st.text(max_size=40), st.lists(st.one_of(st.floats(), st.text(max_size=5), st.booleans())))
@settings(max_examples=100, deadline=None)
def test_no_message_breaks_the_inbox(address, values):
    desk, _, _ = desk_of()
    inbox = Inbox(desk, others=[Signals().message])
    for path in (f"/{address}", f"/kfx/v1/{address}", f"{GRAIN}{address}", f"/kfx/v1/*/{address}"):
        deliver(inbox, osc_packet.write(path, values))
    assert sum(inbox.counts.as_dict().values()) >= 4
    desk.close()


def test_a_knob_raw_and_normalised(desk, inbox):
    deliver(inbox, message(GRAIN, 0.1).dgram)
    assert desk.get(GRAIN) == pytest.approx(0.1)
    deliver(inbox, message("/kfx/v1/film/grain/norm", 0.25).dgram)
    assert desk.get(GRAIN) == pytest.approx(0.05)
    assert inbox.counts.as_dict() == {"done": 2}


def test_patterns_reach_several(desk, inbox):
    deliver(inbox, message("/kfx/v1/chain/*/*/mix", 0.5).dgram)
    deliver(inbox, message("/kfx/v1/chain/{0,2}/*/bypass", 1).dgram)
    deliver(inbox, message("/kfx/v1/chain/[!0]/f?lm/grain", 0.2).dgram)
    mixes = [one.value for one in desk.parameters() if one.address.endswith("/mix")]
    assert mixes == [0.5, 0.5, 0.5]
    bypassed = [one.value for one in desk.parameters() if one.address.endswith("/bypass")]
    assert bypassed == [True, False, True]
    assert desk.get(GRAIN) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "pattern", ["/kfx/[", "/{a", "/" + "*a" * 30, "/[z-a]", "/[]", "/[\\", "/*x"]
)
def test_broken_and_mean_patterns_are_refused(inbox, pattern):
    deliver(inbox, message(pattern, 1).dgram)
    assert inbox.counts["refused"] == 1


def test_the_same_fault_is_told_once(desk):
    told = []
    inbox = Inbox(desk, on_fault=told.append)
    for _ in range(5):
        deliver(inbox, message(GRAIN, 9.0).dgram)
    assert told == [f"osc test: {GRAIN}: 9 is outside 0..0.2"]
    assert inbox.counts["refused"] == 5


def test_another_fault_of_an_address_is_told_again_but_not_another_value(desk):
    told = []
    inbox = Inbox(desk, on_fault=told.append)
    for value in (9.0, 9.5, 1e9, -7.0, "much", "more", '"', 9.0, "much"):
        deliver(inbox, message(GRAIN, value).dgram)
    assert told == [
        f"osc test: {GRAIN}: 9 is outside 0..0.2",
        f"osc test: {GRAIN}: 'much' is no number; use 0..0.2",
    ]
    desk.remove(1)
    deliver(inbox, message(GRAIN, 0.1).dgram)
    assert "no such address" in told[2]
    assert inbox.counts["refused"] == 10


def test_whoever_finds_ever_new_faults_is_not_told_of_without_end(desk):
    told = []

    def odd(address, values, at):
        raise KfxError("x" * values[0])

    inbox = Inbox(desk, others=(odd,), on_fault=told.append)
    for i in range(1, 50):
        deliver(inbox, message(GRAIN, i).dgram)
    assert len(told) == osc_in.MOST_KINDS
    for i in range(400):
        deliver(inbox, message(f"/kfx/v1/{i}", 1).dgram)
    assert len(told) == osc_in.MOST_KINDS + osc_in.MOST_PLACES - 1


def test_panic_goes_before_all_that_came_with_it():
    desk, _, switches = desk_of()
    inbox = Inbox(desk)
    bundle = OscBundleBuilder(IMMEDIATELY)
    bundle.add_content(message(GRAIN, 0.1))
    bundle.add_content(message("/kfx/v1/panic"))
    left = inbox.packet(bundle.build().dgram, "osc test")
    assert switches.shown == "clean"
    assert [one.address for one in left] == [GRAIN]
    desk.close()


def test_signals_are_kept_for_looks(desk):
    signals = Signals()
    inbox = Inbox(desk, others=[signals.message])
    deliver(inbox, message("/kfx/v1/osc/fader1", 0.7).dgram)
    deliver(inbox, message("/kfx/v1/midi/cc7", 1).dgram)
    deliver(inbox, message("/kfx/v1/osc/fader2", "loud").dgram)
    deliver(inbox, message("/kfx/v1/osc/bad name", 1.0).dgram)
    assert dict(signals.at(0.0)) == {"osc.fader1": pytest.approx(0.7), "midi.cc7": 1.0}
    assert inbox.counts["refused"] == 2


def test_signals_without_end_are_left_out():
    signals = Signals()
    for i in range(2000):
        try:
            signals.put(f"osc.{i}", 1.0)
        except UsageError:
            break
    assert len(signals.at(0.0)) == 512


def test_by_udp_from_another_library(desk):
    heard = Heard(desk)
    port = OscIn(Inbox(desk))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"garbage", ("127.0.0.1", port.port))
        sender.sendto(message(GRAIN, 0.15).dgram, ("127.0.0.1", port.port))
        assert heard.until(GRAIN).by == "osc 127.0.0.1"
    port.close()
    assert port.counts.as_dict() == {"malformed": 1, "done": 1}


def test_a_flood_ends_with_the_last_value_and_bounded_work(desk):
    """The clock stands still, so only the burst is carried out until it moves on."""
    now, lock = [0.0], threading.Lock()

    def frozen():
        with lock:
            return now[0]

    port = OscIn(Inbox(desk), now=frozen)

    def read():
        return sum(port.counts.as_dict().values()) + len(port._waiting)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for batch in range(10):
            for i in range(200):
                sender.sendto(message(GRAIN, i / 1000).dgram, ("127.0.0.1", port.port))
            # More than the system keeps for a reader that gets no processor would be lost.
            until(lambda batch=batch: read() >= 200 * (batch + 1), lambda: f"{read()} read")
        sender.sendto(message("/kfx/v1/panic").dgram, ("127.0.0.1", port.port))
        until(lambda: desk.get("/kfx/v1/mode") == "clean")
    assert port.counts["done"] <= osc_in.BURST + 1
    with lock:
        now[0] += 1.0
    until(lambda: desk.get(GRAIN) == pytest.approx(0.199), lambda: desk.get(GRAIN))
    port.close()
    assert port.counts["replaced"] > 0


def test_strangers_are_refused():
    allowed = AllowList(["10.0.0.5", "192.168.4.0/24", "fe80::1"])
    assert all(map(allowed.welcomes, ["127.0.0.1", "::1", "10.0.0.5", "192.168.4.77"]))
    assert all(map(allowed.welcomes, ["::ffff:10.0.0.5", "fe80::1%eth0"]))
    assert not any(map(allowed.welcomes, ["10.0.0.6", "192.168.5.1", "nonsense", ""]))
    with pytest.raises(UsageError, match="name an address"):
        AllowList(["desk.local"])


def test_a_taken_port_says_so(desk):
    first = OscIn(Inbox(desk))
    with pytest.raises(KfxError, match="use another --osc-in PORT"):
        OscIn(Inbox(desk), port=first.port)
    first.close()


@pytest.mark.parametrize("spec", ["", "x", "host:", "1:2:x", "70000", "-1", "٣"])
def test_a_spec_that_is_none(spec):
    with pytest.raises(UsageError, match="write"):
        osc_in.parse(spec)


def test_specs():
    assert osc_in.parse("9600") == ("127.0.0.1", 9600)
    assert osc_in.parse("0.0.0.0:9600") == ("0.0.0.0", 9600)
    assert osc_in.parse("[::1]:9600") == ("::1", 9600)


def test_panic_comes_through_while_a_setter_hangs_and_the_desk_is_busy():
    desk, _, switches = desk_of()
    hangs, go = threading.Event(), threading.Event()

    def slow(value):
        hangs.set()
        go.wait(LONG_S)

    desk.register(Parameter("/kfx/v1/slow", "event"), slow)
    port = OscIn(Inbox(desk))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message("/kfx/v1/slow").dgram, ("127.0.0.1", port.port))
        assert hangs.wait(LONG_S)
        with desk._lock:  # a preset is being written to a slow disk
            sender.sendto(message("/kfx/v1/panic").dgram, ("127.0.0.1", port.port))
            switches.changed.wait(LONG_S)
            assert switches.shown == "clean"
    go.set()
    port.close()
    desk.close()
