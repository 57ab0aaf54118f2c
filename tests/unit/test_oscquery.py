"""OSCQuery: the tree as others read it, changes as they hear them, strangers kept out."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from kfx import clock
from kfx.engine.desk.tree import Parameter
from kfx.errors import KfxError, UsageError
from kfx.sync import announce as mdns
from kfx.sync import osc_packet, oscquery, oscquery_tree
from kfx.sync.announce import Announce
from kfx.sync.controls import AllowList
from kfx.sync.osc_in import Inbox
from kfx.sync.oscquery import OscQuery
from kfx.sync.oscquery_client import Client
from tests.desks import Heard, desk_of
from tests.waiting import LONG_S

GRAIN = "/kfx/v1/chain/1/film/grain"
# The proposal's attributes by the type that each must have.
TYPES = {
    "FULL_PATH": str,
    "CONTENTS": dict,
    "TYPE": str,
    "ACCESS": int,
    "VALUE": list,
    "RANGE": list,
    "DESCRIPTION": str,
    "TAGS": list,
    "EXTENDED_TYPE": list,
    "UNIT": list,
    "CLIPMODE": list,
    "CRITICAL": bool,
}


@pytest.fixture(scope="module")
def served():
    desk, _, _ = desk_of()
    server = OscQuery(desk, Inbox(desk))
    yield desk, server
    server.close()
    desk.close()


def get(server, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=LONG_S) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, None


def nodes(root):
    yield root
    for child in root.get("CONTENTS", {}).values():
        yield from nodes(child)


def test_the_whole_tree_is_well_formed(served):
    desk, server = served
    status, root = get(server, "/")
    assert status == 200
    assert root["FULL_PATH"] == "/"
    methods = {}
    for one in nodes(root):
        for key, value in one.items():
            assert isinstance(value, TYPES[key]), key
        for name, child in one.get("CONTENTS", {}).items():
            assert child["FULL_PATH"] == f"{one['FULL_PATH'].rstrip('/')}/{name}"
        if "TYPE" in one:
            methods[one["FULL_PATH"]] = one
            count = len(one["TYPE"])
            assert len(one.get("VALUE", [0] * count)) == count
            assert len(one.get("RANGE", [0] * count)) == count
        else:
            assert one["ACCESS"] == 0
    raw = {path: one for path, one in methods.items() if one["TAGS"] != ["norm"]}
    assert list(raw) == [one.address for one in desk.parameters()]
    ranged = [path for path, one in raw.items() if "CONTENTS" in one]
    assert [path.removesuffix("/norm") for path in methods if path not in raw] == ranged
    assert GRAIN in ranged
    assert "/kfx/v1/chain/1/film/mix" in ranged


def test_a_knob_says_all_that_a_slider_needs(served):
    _, server = served
    _, found = get(server, GRAIN)
    assert found["TYPE"] == "f"
    assert found["ACCESS"] == 3
    assert found["RANGE"] == [{"MIN": 0.0, "MAX": 0.2}]
    assert found["DESCRIPTION"]
    assert get(server, f"{GRAIN}?RANGE") == (200, {"RANGE": [{"MIN": 0.0, "MAX": 0.2}]})
    _, mode = get(server, "/kfx/v1/mode")
    assert mode["RANGE"][0]["VALS"][:2] == ["live", "clean"]
    _, panic = get(server, "/kfx/v1/panic")
    assert (panic["TYPE"], panic["ACCESS"]) == ("I", 2)
    _, hz = get(server, "/kfx/v1/chain/0/deadpan_step/hz")
    assert hz["UNIT"] == ["Hz"]


def test_a_number_without_a_value_has_no_place_in_its_range():
    found = oscquery_tree.node(Parameter("/kfx/v1/cue/remove", "int", range=(0, 99)))
    assert "VALUE" not in found
    assert "CONTENTS" not in found
    still = oscquery_tree.node(Parameter("/kfx/v1/x", "float", 1.0, range=(1.0, 1.0)))
    assert still["CONTENTS"]["norm"]["VALUE"] == [0.0]


def test_a_knob_is_read_set_and_heard_by_its_place_in_its_range(served):
    desk, server = served
    desk.set(GRAIN, 0.05)
    _, found = get(server, f"{GRAIN}/norm")
    assert (found["TYPE"], found["ACCESS"], found["VALUE"]) == ("f", 3, [0.25])
    assert found["RANGE"] == [{"MIN": 0.0, "MAX": 1.0}]
    with connect(f"ws://127.0.0.1:{server.port}") as client:
        for path in (f"{GRAIN}/norm", "/kfx/v1/mode"):
            client.send(json.dumps({"COMMAND": "LISTEN", "DATA": path}))
        client.send(json.dumps({"COMMAND": "SET", "DATA": {"PATH": f"{GRAIN}/norm", "VALUE": 0.5}}))
        heard = [client.recv(timeout=LONG_S) for _ in range(2)]
        (packet,) = [one for one in heard if isinstance(one, bytes)]
        assert osc_packet.read(packet) == [(f"{GRAIN}/norm", (0.5,))]
    assert desk.get(GRAIN) == 0.1


def test_status_codes(served):
    _, server = served
    assert get(server, "/nope")[0] == 404
    assert get(server, "/?NONSENSE")[0] == 400
    assert get(server, "/kfx?VALUE")[0] == 204
    assert get(server, "/kfx/v1/mode?HTML")[0] == 204
    for method, status in (("HEAD", 200), ("POST", 405), ("DELETE", 405)):
        asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        asked.request(method, "/")
        assert asked.getresponse().status == status
        asked.close()


def test_host_info_names_the_ports(served):
    _, server = served
    status, info = get(server, "/?HOST_INFO")
    assert status == 200
    assert info["OSC_PORT"] == info["WS_PORT"] == server.port
    assert info["OSC_TRANSPORT"] == "UDP"
    assert info["EXTENSIONS"]["LISTEN"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:9600"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_web_pages_are_kept_out(served, headers):
    desk, server = served
    assert get(server, "/", **headers)[0] == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{server.port}", additional_headers=headers, proxy=None).close()
    assert desk.get("/kfx/v1/mode") == "live"


def test_who_isnt_allowed_is_refused(monkeypatch):
    desk, _, _ = desk_of()
    allow = AllowList()
    monkeypatch.setattr(allow, "welcomes", lambda host: False)
    server = OscQuery(desk, Inbox(desk), allow=allow)
    assert get(server, "/")[0] == 403
    server.close()
    desk.close()


def test_listeners_hear_their_paths_as_osc(served):
    desk, server = served
    with connect(f"ws://127.0.0.1:{server.port}", proxy=None) as client:
        client.send(json.dumps({"COMMAND": "LISTEN", "DATA": GRAIN}))
        client.send(json.dumps({"COMMAND": "SET", "DATA": {"PATH": GRAIN, "VALUE": 0.11}}))
        said = [client.recv(timeout=LONG_S) for _ in range(2)]
        packet = next(one for one in said if isinstance(one, bytes))
        assert osc_packet.read(packet) == [(GRAIN, (pytest.approx(0.11),))]
        client.send(osc_packet.write(f"{GRAIN}/norm", [1.0]))
        assert osc_packet.read(client.recv(timeout=LONG_S))[0].values == (pytest.approx(0.2),)
        client.send(json.dumps({"COMMAND": "IGNORE", "DATA": GRAIN}))
        client.send(json.dumps({"COMMAND": "SET", "DATA": {"PATH": "/kfx/v1/nope", "VALUE": 1}}))
        assert json.loads(client.recv(timeout=LONG_S))["COMMAND"] == "SET_REFUSED"
        desk.move(0, 1)
        assert json.loads(client.recv(timeout=LONG_S))["COMMAND"] == "PATH_CHANGED"
        desk.move(1, 0)


def test_garbage_is_passed_over_and_counted(served):
    _, server = served
    before = server._inbox.counts["malformed"]
    with connect(f"ws://127.0.0.1:{server.port}", proxy=None) as client:
        for text in ("", "{", "[]", "7", '{"COMMAND": 3}', '{"COMMAND": "LISTEN", "DATA": {}}'):
            client.send(text)
        client.send(b"\xff" * 30)
        client.send(json.dumps({"COMMAND": "SET", "DATA": {"PATH": GRAIN, "VALUE": {"a": []}}}))
        assert json.loads(client.recv(timeout=LONG_S))["COMMAND"] == "SET_REFUSED"
    assert server._inbox.counts["malformed"] == before + 7


def test_a_message_that_is_too_large_ends_only_its_connection(served):
    _, server = served
    with connect(f"ws://127.0.0.1:{server.port}", proxy=None) as client:
        client.send("x" * (1 << 17))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=LONG_S)
    assert get(server, "/kfx/v1/mode")[0] == 200


def test_a_client_that_never_reads_is_let_go_and_the_others_hear_on(served, monkeypatch):
    desk, server = served
    monkeypatch.setattr(oscquery, "MOST_UNSENT", 10)
    desk.register(Parameter("/kfx/v1/text", "text", ""), lambda value: None)
    with connect(
        f"ws://127.0.0.1:{server.port}", proxy=None, max_queue=1, close_timeout=0.1
    ) as deaf:
        deaf.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/"}))
        for i in range(2000):
            desk.tell("/kfx/v1/text", f"{i} " + "x" * 200_000)
            clock.pause(0.001)
            if server._inbox.counts["too slow"]:
                break
        assert server._inbox.counts["too slow"]
    with connect(f"ws://127.0.0.1:{server.port}", proxy=None) as good:
        good.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/kfx/v1/text"}))
        good.send(json.dumps({"COMMAND": "SET", "DATA": {"PATH": "/kfx/v1/text", "VALUE": "on"}}))
        said = [good.recv(timeout=LONG_S) for _ in range(2)]
        assert osc_packet.write("/kfx/v1/text", ["on"]) in said
    desk.unregister("/kfx/v1/text")


@given(st.text(max_size=40), st.text(max_size=20))
@settings(max_examples=25, deadline=None)
def test_no_path_breaks_the_answers(path, query):
    desk, _, _ = desk_of()
    server = object.__new__(OscQuery)
    server._controls, server.name, server.port = desk, "kfx", 1
    status, body = server.answer(path, query)
    assert status in (200, 204, 400, 404)
    json.dumps(body)
    desk.close()


def test_the_client_reads_sets_and_is_told_no(served):
    desk, server = served
    with Client(port=server.port) as show:
        assert [one["FULL_PATH"] for one in show.methods(GRAIN)] == [GRAIN]
        heard = Heard(desk)
        show.set(GRAIN, 0.07)
        assert heard.until(GRAIN).by == "ctl 127.0.0.1"
        heard.end()
        with pytest.raises(UsageError, match=r"9 is outside 0\.\.0\.2"):
            show.set(GRAIN, 9)
        with pytest.raises(UsageError, match="no such address"):
            show.node("/kfx/v1/nope")


def test_a_colour_is_four_numbers_with_a_name():
    desk, _, _ = desk_of('version = 1\n[[chain]]\neffect = "flash"\n')
    vectors = [one for one in desk.parameters() if one.kind == "vector"]
    for one in vectors:
        node = oscquery_tree.node(one)
        assert len(node["TYPE"]) == len(node["VALUE"]) == len(node["RANGE"]) == len(one.value)
    assert vectors
    desk.close()


def test_a_taken_port_says_so(served):
    desk, server = served
    with pytest.raises(KfxError, match="use another --osc-in PORT"):
        OscQuery(desk, Inbox(desk), port=server.port)


def test_nobody_there_says_what_to_do():
    with pytest.raises(KfxError, match="start kfx live"), Client(port=9) as show:
        show.set("/kfx/v1/panic")
    with pytest.raises(KfxError, match="start kfx live"):
        Client(port=9).node()


def test_a_show_is_found_by_its_name():
    """By mDNS on loopback, where this machine's loopback carries multicast."""
    zeroconf = pytest.importorskip("zeroconf")
    try:
        listener = zeroconf.Zeroconf(["127.0.0.1"])
    except OSError as error:
        pytest.skip(f"no multicast on loopback: {error}")
    announce = Announce("kfx test", "127.0.0.1", 9600)
    try:
        if not announce.announced.wait(15.0):
            pytest.skip("mDNS can't announce anything on this machine's loopback")
        info = listener.get_service_info("_oscjson._tcp.local.", "kfx test._oscjson._tcp.local.")
        if info is None:
            pytest.skip("no multicast on loopback reaches another socket")
        assert info.port == 9600
        assert info.parsed_addresses() == ["127.0.0.1"]
    finally:
        announce.close()
        listener.close()


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="Linux ties sockets to a device")
def test_mdns_of_a_show_on_loopback_hears_no_network():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        transport = SimpleNamespace(get_extra_info=lambda name: heard)
        engine = SimpleNamespace(readers=[SimpleNamespace(transport=transport)])
        mdns._hear_only_this_machine(SimpleNamespace(engine=engine))
        device = heard.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    if device == b"":
        pytest.skip("this kernel lets root alone tie a socket to a device")
    assert device == b"lo\0"
