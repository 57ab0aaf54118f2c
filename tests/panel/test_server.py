"""The panel's server: who comes in, what they may do, and that nothing of it reaches the show."""

import asyncio
import contextlib
import json
import socket
import struct
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from kfx import clock, presets
from kfx.panel import door, messages, sockets
from kfx.panel.eight import Eight
from kfx.panel.limits import Bucket
from kfx.panel.roles import MISS_S, MISSES, Roles, Waiting
from kfx.panel.thumbnails import SETTLED, Thumbnails
from kfx.panel.viewer import Viewer, steps
from kfx.panel.watching import understood
from kfx.presets import packing
from tests.panel.crowd import crowd
from tests.panel.shows import GRAIN, rolling
from tests.waiting import LONG_S
from tests.waiting import until as eventually

KINDS = {"hello", "tree", "minute", "people"}


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    """A panel on this machine alone, with a show that runs."""
    with rolling(tmp_path_factory.mktemp("own")) as running:
        yield running


@contextlib.contextmanager
def control(panel, **headers):
    url = f"ws://127.0.0.1:{panel.port}/control"
    # Without pings of its own, which go astray among two hundred clients in this very process.
    with connect(url, additional_headers=headers, ping_interval=None) as one:
        yield one


def until(socket, kind, wanted=lambda said: True):
    """The first message of a kind that is wanted."""
    deadline = clock.now() + LONG_S
    while clock.now() < deadline:
        said = json.loads(socket.recv(timeout=LONG_S))
        if said["t"] == kind and wanted(said):
            return said
    raise AssertionError(f"no {kind}")


def tells(*what):
    """Whether a message tells of this address, or of this value there."""
    return lambda said: list(what) in [one[: len(what)] for one in said["c"]]


def until_closed(socket, answer=None):
    """The server closes the socket before long, whatever it still sends."""
    deadline = clock.now() + LONG_S
    with contextlib.suppress(ConnectionClosed):
        while clock.now() < deadline:
            data = socket.recv(timeout=LONG_S)
            if answer:
                socket.send(answer(data))
    assert socket.protocol.state.name != "OPEN"


def tell(socket, **message):
    socket.send(json.dumps(message))


def picture_of(data):
    (length,) = struct.unpack(">I", data[:4])
    head = json.loads(data[4 : 4 + length])
    rest, parts = data[4 + length :], []
    for size in head["l"]:
        parts.append(rest[:size])
        rest = rest[size:]
    assert not rest
    return head, parts


def decoded(jpeg):
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_a_page_is_told_all_it_is_built_from(show):
    panel, desk, _ = show
    with control(panel) as one:
        said = {}
        while KINDS - said.keys():
            message = json.loads(one.recv(timeout=LONG_S))
            said[message["t"]] = message
    assert said["hello"]["role"] == "operator"
    addresses = [row["a"] for row in said["tree"]["parameters"]]
    assert addresses == [each.address for each in desk.parameters()]
    assert [link["effect"] for link in said["tree"]["chain"]] == ["deadpan_step", "film", "flash"]


def test_what_one_page_sets_all_pages_see_and_whose_it_was(show):
    panel, desk, _ = show
    with control(panel) as one, control(panel) as other:
        name = until(one, "hello")["you"]
        until(other, "tree")
        tell(one, t="set", a=GRAIN, v=0.125)
        for page in (one, other):
            said = until(page, "set", tells(GRAIN))
            assert [GRAIN, 0.125, name] in said["c"]
        assert until(other, "steps")["steps"][0] > 0
    assert desk.get(GRAIN) == 0.125


def test_the_chain_is_edited_and_taken_back(show):
    panel, desk, _ = show
    with control(panel) as one:
        until(one, "tree")
        for what, wanted in (
            ({"what": "move", "place": 0, "to": 2}, ["film", "flash", "deadpan_step"]),
            (
                {"what": "add", "effect": "bloom", "place": 0},
                ["bloom", "film", "flash", "deadpan_step"],
            ),
            ({"what": "remove", "place": 0}, ["film", "flash", "deadpan_step"]),
        ):
            tell(one, t="do", **what)
            until(one, "tree", lambda said, w=wanted: [x["effect"] for x in said["chain"]] == w)
        for _ in range(3):
            tell(one, t="set", a="/kfx/v1/undo", v=True)
        want = ["deadpan_step", "film", "flash"]
        until(one, "tree", lambda said: [x["effect"] for x in said["chain"]] == want)
    assert [link.effect.name for link in desk.preset.chain] == ["deadpan_step", "film", "flash"]


def test_a_look_is_saved_under_a_name_and_loaded(show):
    panel, desk, _ = show
    kept = desk.get(GRAIN)
    with control(panel) as one:
        until(one, "tree")
        tell(one, t="do", what="save", name="mine 1", overwrite=False)
        assert until(one, "saved")["name"] == "mine 1"
        tell(one, t="do", what="save", name="mine 1", overwrite=False)
        assert until(one, "exists")["name"] == "mine 1"
        tell(one, t="set", a=GRAIN, v=0.01)
        until(one, "set", tells(GRAIN))
        tell(one, t="do", what="differences")
        assert any("grain" in row[0] for row in until(one, "differences")["rows"])
        tell(one, t="do", what="load", name="mine 1", seconds=0.5)
        until(one, "set", tells(GRAIN))
        assert desk.get(GRAIN) == kept
        assert desk.preset.name == "mine 1"
    answer = httpx.get(f"{panel.url}library").json()
    assert "mine 1" in [each["name"] for each in answer["presets"] if each.get("own")]
    assert "film" in [each["name"] for each in answer["effects"]]


def test_a_pack_is_taken_in_and_anything_else_is_not(show, tmp_path):
    panel, desk, _ = show
    packing.pack(presets.load("camcorder_band"), tmp_path / "band.zip")
    url, data = f"{panel.url}pack", (tmp_path / "band.zip").read_bytes()
    assert httpx.post(url, params={"name": "band"}, content=data).json() == {"name": "band"}
    assert httpx.post(url, params={"name": "band"}, content=data).status_code == 400
    assert httpx.post(url, params={"name": "../band"}, content=data).status_code == 400
    assert httpx.post(url, params={"name": "b"}, content=b"PK nonsense").status_code == 400
    with_origin = httpx.post(
        url, params={"name": "c"}, content=data, headers={"Origin": "http://x"}
    )
    assert with_origin.status_code == 403
    with control(panel) as one:
        until(one, "tree")
        before = [link.effect.name for link in desk.preset.chain]
        tell(one, t="do", what="load", name="band", seconds=0)
        until(one, "tree", lambda said: said["preset"]["name"] == "camcorder_band")
        tell(one, t="set", a="/kfx/v1/undo", v=True)
        until(one, "tree", lambda said: [x["effect"] for x in said["chain"]] == before)
    names = [one["name"] for one in httpx.get(f"{panel.url}library").json()["presets"]]
    assert "band" in names


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", "", ".hidden", "x" * 99, "a\x00b"])
def test_no_name_leaves_the_folder(show, name):
    panel, _, _ = show
    with control(panel) as one:
        until(one, "tree")
        tell(one, t="do", what="load", name=name, seconds=0)
        assert until(one, "error")["what"] == "load"


def test_errors_are_told_to_whoever_made_them(show):
    panel, _, _ = show
    with control(panel) as one:
        until(one, "tree")
        tell(one, t="set", a=GRAIN, v=9)
        said = until(one, "error")
        assert said["a"] == GRAIN
        assert "outside 0..0.2" in said["text"]


def test_panic_and_modes_work(show):
    panel, _, switches = show
    with control(panel) as one:
        until(one, "tree")
        tell(one, t="set", a="/kfx/v1/panic", v=True)
        until(one, "set", tells("/kfx/v1/mode", "clean"))
        assert switches.shown == "clean"
        tell(one, t="set", a="/kfx/v1/mode", v="live")
        until(one, "set", tells("/kfx/v1/mode", "live"))


def test_the_picture_comes_in_the_size_asked_for_with_its_plate(show):
    panel, _, _ = show
    with connect(f"ws://127.0.0.1:{panel.port}/picture", max_size=2**22) as one:
        one.send(json.dumps({"width": 300, "plate": True, "faces": True}))
        for _ in range(10):
            head, parts = picture_of(one.recv(timeout=LONG_S))
            one.send(str(head["n"]))
            if len(parts) == 2:
                break
        assert [decoded(part).shape for part in parts] == [(180, 320, 3)] * 2
        assert decoded(parts[1]).max() < 8
        assert decoded(parts[0]).min() > 12
        ((slot, left, top, right, bottom),) = head["faces"]
        assert slot == 0
        assert 0 < left < 200 / 640 < right < 1
        assert 0 <= top < 100 / 360 < bottom < 1
        numbers = []
        for _ in range(5):
            head, _ = picture_of(one.recv(timeout=LONG_S))
            one.send(str(head["n"]))
            numbers.append(head["n"])
        shown = [one for one in numbers if one > 0]  # below 0 are empty ones that ask the way
        assert shown == sorted(set(shown))


def test_a_viewer_who_says_nothing_gets_two_pictures_and_no_more(show):
    panel, _, _ = show
    with connect(f"ws://127.0.0.1:{panel.port}/picture", max_size=2**22) as one:
        came = [picture_of(one.recv(timeout=LONG_S)) for _ in range(3)]
        with pytest.raises(TimeoutError):
            one.recv(timeout=0.3)
    # The first is empty, to be answered at once: it asks how long the way is.
    assert [(head["n"] > 0, len(parts)) for head, parts in came] == [(False, 0)] + [(True, 1)] * 2


def test_many_viewers_share_what_is_encoded(show, monkeypatch):
    panel, _, _ = show
    # A line that stalls gets smaller pictures, which no other viewer wants.
    monkeypatch.setattr(Viewer, "step", lambda self, full: steps(self.width, full)[0])
    with contextlib.ExitStack() as stack:
        url = f"ws://127.0.0.1:{panel.port}/picture"
        viewers = [stack.enter_context(connect(url, max_size=2**22)) for _ in range(6)]
        count, encoded = panel.pictures.count, panel.pictures.encoded
        for _ in range(4):
            for one in viewers:
                head, _ = picture_of(one.recv(timeout=LONG_S))
                one.send(str(head["n"]))
        made = panel.pictures.encoded - encoded
        written = panel.pictures.count - count
    assert made <= written + 1  # once a picture, not once a viewer


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_strangers_are_turned_away(show, headers):
    panel, _, _ = show
    before = panel._door.refused
    answer = httpx.get(f"{panel.url}library", headers=headers)
    assert answer.status_code == 403
    if "Host" not in headers:
        for path in ("control", "picture"):
            with pytest.raises(InvalidStatus):
                connect(f"ws://127.0.0.1:{panel.port}/{path}", additional_headers=headers)
    assert panel._door.refused > before
    assert "access-control-allow-origin" not in answer.headers


def test_pages_are_closed_to_frames_and_other_scripts(show):
    panel, _, _ = show
    answer = httpx.get(panel.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    again = httpx.get(panel.url, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for path in ("../server.py", "%2e%2e/server.py", "nothing.js"):
        assert httpx.get(f"{panel.url}{path}").status_code in (403, 404)


def test_the_pages_are_small_and_name_no_other_host(show):
    panel, _, _ = show
    total = 0
    for name, (body, _, _) in panel._web.pages.items():
        total += len(body)
        text = body.decode().replace("http://www.w3.org/2000/svg", "")
        for word in ("http://", "https://", "//cdn"):
            assert word not in text, name
    assert total < 300_000


def test_garbage_is_counted_then_the_socket_is_closed(show):
    panel, desk, _ = show
    before, numbers = panel.garbage, desk.steps
    with control(panel) as one:
        until(one, "tree")
        with contextlib.suppress(ConnectionClosed):  # it may be closed before the last one
            for _ in range(40):
                one.send("{not json")
        until_closed(one)
    eventually(lambda: panel.garbage > before)
    assert desk.steps == numbers


def test_a_message_that_is_too_long_ends_the_socket(show):
    panel, _, _ = show
    with control(panel) as one:
        one.send("x" * 200_000)
        until_closed(one)


def test_there_are_only_so_many_sockets(show, monkeypatch):
    panel, _, _ = show
    eventually(lambda: panel._door.sockets == 0)
    monkeypatch.setattr(door, "MOST_SOCKETS", 2)
    with control(panel), control(panel), pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{panel.port}/control")


def test_raw_nonsense_on_the_port_harms_nothing(show):
    panel, _, _ = show
    for data in (b"\x00" * 500, b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"A" * 70_000):
        with (
            socket.create_connection(("127.0.0.1", panel.port), timeout=LONG_S) as one,
            contextlib.suppress(OSError),
        ):
            one.sendall(data)
            one.settimeout(0.2)
            one.recv(100)
    assert httpx.get(panel.url).status_code == 200


def test_lan_devices_pair_look_and_change_nothing(tmp_path, monkeypatch):
    """Everybody is taken for a device of the network."""
    monkeypatch.setattr(door.Door, "_role", _as_if_from_the_lan)
    with rolling(tmp_path, host="0.0.0.0", tokens=tmp_path / "tokens.json") as (panel, desk, _):
        base = f"http://127.0.0.1:{panel.port}/"
        with control(panel) as one, pytest.raises(ConnectionClosed) as closed:
            one.recv(timeout=LONG_S)
        assert closed.value.rcvd.code == 4401
        assert httpx.get(f"{base}library").status_code == 401
        assert httpx.post(f"{base}pair", json={"code": "x"}).status_code == 403
        assert httpx.post(f"{base}pair", content=b"[" * 900).status_code == 400
        assert httpx.post(f"{base}pair", content=b"x" * 5000).status_code == 413
        code = panel.roles.code
        answer = httpx.post(f"{base}pair", json={"code": code, "name": "tablet"})
        assert answer.status_code == 200
        assert "HttpOnly" in answer.headers["set-cookie"]
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert httpx.post(f"{base}pair", json={"code": code}).status_code == 403  # used up
        before = desk.get(GRAIN)
        with control(panel, **cookie) as one:
            assert until(one, "hello")["role"] == "viewer"
            said = until(one, "people")
            assert "code" not in said
            for message in (
                {"t": "set", "a": GRAIN, "v": 0.2},
                {"t": "set", "a": "/kfx/v1/panic", "v": True},
                {"t": "do", "what": "remove", "place": 0},
                {"t": "do", "what": "code"},
            ):
                tell(one, **message)
                assert "may look" in until(one, "error")["text"]
            assert desk.get(GRAIN) == before
            dropped = httpx.post(f"{base}pack", params={"name": "x"}, headers=cookie, content=b"")
            assert dropped.status_code == 403
            with connect(
                f"ws://127.0.0.1:{panel.port}/picture", additional_headers=cookie, max_size=2**22
            ) as pictures:
                picture_of(pictures.recv(timeout=LONG_S))
                (device,) = panel.roles.devices
                panel.roles.revoke(device.id)
                panel._changed()
                until_closed(one)
                until_closed(pictures, answer=lambda data: str(picture_of(data)[0]["n"]))
        assert httpx.get(f"{base}library", headers=cookie).status_code == 401


def _as_if_from_the_lan(self, headers, scope):
    device = self._roles.device(door._cookie(headers.get("cookie", "")))
    return (device.role, device) if device else (None, None)


def test_a_device_may_be_let_play_and_decides_on_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(door.Door, "_role", _as_if_from_the_lan)
    with rolling(tmp_path, host="0.0.0.0", tokens=tmp_path / "panel.json") as (panel, desk, _):
        token = panel.roles.pair(panel.roles.code, "tablet", "10.0.0.8", 0.0)
        (device,) = panel.roles.devices
        cookie = {"Cookie": f"{door.COOKIE}={token}"}
        with control(panel, **cookie) as one:
            assert until(one, "hello")["role"] == "viewer"
            tell(one, t="do", what="appoint", id=device.id, plays=True)
            assert "may look" in until(one, "error")["text"]
            panel.roles.appoint(device.id, "operator")
            panel._changed()
            until_closed(one)
        with control(panel, **cookie) as one:
            assert until(one, "hello")["role"] == "operator"
            assert "code" not in until(one, "people")
            tell(one, t="set", a=GRAIN, v=0.2)
            eventually(lambda: desk.get(GRAIN) == 0.2)
            for message in (
                {"what": "code"},
                {"what": "revoke", "id": device.id},
                {"what": "appoint", "id": device.id, "plays": True},
            ):
                tell(one, t="do", **message)
                assert "at the machine" in until(one, "error")["text"]
            assert httpx.get(f"{panel.url}pairing.svg", headers=cookie).status_code == 404
            assert Roles(tmp_path / "panel.json").devices[0].role == "operator"
            panel.roles.appoint(device.id, "viewer")
            panel._changed()
            until_closed(one)
        assert not panel.roles.appoint("nobody", "operator")


def test_the_code_is_drawn_for_the_operator(tmp_path):
    with rolling(tmp_path) as (panel, _, _):
        assert httpx.get(f"{panel.url}pairing.svg").status_code == 404  # nobody can come in
    with rolling(tmp_path, host="0.0.0.0") as (panel, _, _):
        answer = httpx.get(f"{panel.url}pairing.svg")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.content.startswith(b"<?xml")


def test_eight_looks_are_within_reach_in_every_page_and_the_next_show(tmp_path):
    tokens = tmp_path / "state" / "panel.json"
    with rolling(tmp_path, tokens=tokens) as (panel, _, _), control(panel) as one:
        tell(one, t="do", what="eight", names=["supernova", "sn_metal"])
        until(one, "eight", lambda said: said["names"] == ["supernova", "sn_metal"])
        for names, said in (
            ([f"look {i}" for i in range(9)], "8 places"),
            (["a", "a"], "each once"),
            ([1], "by name"),
        ):
            tell(one, t="do", what="eight", names=names)
            assert said in until(one, "error")["text"]
    file = tokens.with_name("panel-eight.json")
    assert Eight(file).names == ("supernova", "sn_metal")
    for text in ("{", "3", "[1]"):
        file.write_text(text)
        assert Eight(file).names == ()


def test_names_are_checked_as_the_address_it_is_bound_to_wants():
    here = door.Door(None, loopback_only=True, roles=Roles())
    wide = door.Door(None, loopback_only=False, roles=Roles())
    for host in ("127.0.0.1:8770", "localhost", "[::1]:1"):
        assert here._our_name(host, {})
        assert wide._our_name(host, {})
    assert not here._our_name("192.168.1.5:8770", {})
    assert wide._our_name("192.168.1.5:8770", {})
    assert wide._our_name(socket.gethostname(), {})
    for host in ("", "evil.example", "192.168.1.5.evil.example", ":80", "a" * 5000):
        assert not wide._our_name(host, {})


def test_codes_cant_be_guessed_and_tokens_outlive_the_process(tmp_path):
    roles = Roles(tmp_path / "panel" / "tokens.json")
    code = roles.code
    for _ in range(MISSES):
        assert roles.pair("wrong", "x", "10.0.0.9", 0.0) is None
    assert roles.code != code
    with pytest.raises(Waiting):
        roles.pair(roles.code, "x", "10.0.0.9", 1.0)
    token = roles.pair(roles.code, "tablet", "10.0.0.8", 1.0)
    assert roles.pair(roles.code, "y", "10.0.0.9", MISS_S + 1.0)
    text = (tmp_path / "panel" / "tokens.json").read_text()
    assert token not in text
    assert (tmp_path / "panel" / "tokens.json").stat().st_mode & 0o077 == 0
    again = Roles(tmp_path / "panel" / "tokens.json")
    device = again.device(token)
    assert device.name == "tablet"
    assert again.revoke(device.id)
    assert again.device(token) is None
    assert Roles(tmp_path / "panel" / "tokens.json").device(token) is None
    (tmp_path / "panel" / "tokens.json").write_text("{broken")
    assert Roles(tmp_path / "panel" / "tokens.json").devices == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.text(max_size=200)
    | json_values.map(json.dumps)
    | st.fixed_dictionaries(
        {"t": st.sampled_from(["set", "do", "x"]), "a": json_values, "v": json_values},
        optional={
            "what": st.sampled_from([*messages.ACTIONS, 3]),
            "place": json_values,
            "to": json_values,
            "effect": json_values,
            "name": json_values,
        },
    ).map(json.dumps)
)
def test_any_message_is_understood_or_refused(text):
    try:
        said = messages.parse(text)
    except ValueError:
        pass
    else:
        assert isinstance(said, messages.Set | messages.Do)
    understood(Viewer(), text)


def test_deep_and_long_messages_are_refused():
    for text in ("[" * 15_000, '{"t":"set","a":"/x","v":' + "[" * 9_000, "x" * 20_000, None, b"{}"):
        with pytest.raises(ValueError, match=r".+"):
            messages.parse(text)


def test_a_bucket_lets_bursts_through_and_holds_a_rate():
    bucket = Bucket(10.0, 5.0, 0.0)
    assert [bucket.wait_s(0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.wait_s(0.0) == pytest.approx(0.1)
    assert bucket.wait_s(10.0) == 0.0


def test_a_look_that_was_seen_has_a_thumbnail(show):
    panel, desk, _ = show
    shots = Thumbnails()
    assert [shots.due("x", True) for _ in range(SETTLED + 1)][-1]
    assert not shots.due("y", True)
    assert not any(shots.due("y", False) for _ in range(SETTLED + 1))
    with control(panel) as one:
        name = desk.preset.name
        said = until(one, "thumbnails", lambda said: name in said["versions"])
    answer = httpx.get(f"{panel.url}thumbnail", params={"name": name, "v": said["versions"][name]})
    assert decoded(answer.content).shape == (108, 192, 3)
    assert httpx.get(f"{panel.url}thumbnail", params={"name": "nope"}).status_code == 404


def test_a_closed_panel_leaves_no_thread_behind(tmp_path):
    before = set(threading.enumerate())
    with rolling(tmp_path) as (panel, _, _), control(panel) as one:
        until(one, "tree")
    eventually(lambda: not set(threading.enumerate()) - before)


CROWD_S = 1.0


def test_a_crowd_of_two_hundred_never_reaches_the_show(tmp_path):
    """Viewers, slow readers and liars; whoever was there before goes on unharmed."""

    with rolling(tmp_path) as (panel, desk, _), control(panel) as operator:
        until(operator, "tree")
        chain, before = desk.preset.chain, panel.pictures.count

        def come():
            end = clock.now() + LONG_S  # on a busy machine they need many stretches to get in
            while not panel.garbage and clock.now() < end:
                asyncio.run(crowd(panel.port, CROWD_S))

        around = threading.Thread(target=come)
        around.start()
        for i in range(5):
            tell(operator, t="set", a=GRAIN, v=i / 100)
            until(operator, "set", tells(GRAIN, i / 100))
        around.join()
        assert panel.pictures.count > before + 10
        assert panel._door.sockets <= door.MOST_SOCKETS
        eventually(lambda: panel._door.sockets == 1)
        eventually(lambda: panel.garbage > 0)
        assert [link.effect for link in desk.preset.chain] == [link.effect for link in chain]
        assert desk.get(GRAIN) == 0.04


def test_who_comes_too_often_is_not_listened_to(tmp_path, monkeypatch):
    monkeypatch.setattr(sockets, "RATE", 0.5)  # on a busy machine nobody comes often
    with rolling(tmp_path) as (panel, _, _), control(panel) as operator:
        until(operator, "tree")
        refused = 0
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", panel.port), timeout=LONG_S) as one:
                try:
                    one.sendall(b"GET /icon.svg HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    refused += not one.recv(100)
                except OSError:
                    refused += 1
        assert refused > 50
        tell(operator, t="set", a=GRAIN, v=0.07)
        until(operator, "set", tells(GRAIN, 0.07))
