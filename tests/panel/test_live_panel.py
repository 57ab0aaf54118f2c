"""The panel as an option of kfx live."""

import argparse
import socket
from types import SimpleNamespace

import pytest

from kfx import shows
from kfx.cli import live_panel
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.loop.switches import Switches
from kfx.errors import KfxError, UsageError
from kfx.panel.cues import MOST_BARS, cue_sheet
from tests.desks import desk_of
from tests.panel.shows import SIZE, shot_of
from tests.panel.test_server import control, tell, until

SHOW = """version = 1
bpm = 120
length = 32
[[cue]]
at = "3:1"
name = "verse"
preset = "supernova"
[[cue]]
at = "5:2"
panic = true
"""


def options(panel):
    return argparse.Namespace(panel=panel)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (None, ("127.0.0.1", 8770)),
        ("9000", ("127.0.0.1", 9000)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("off", None),
    ],
)
def test_addresses_are_read(text, address):
    assert live_panel.address_of(text) == address


@pytest.mark.parametrize("text", ["", ":", "nine", "0", "70000", "host:", "1.2.3.4"])
def test_other_texts_are_refused(text):
    if text == "":
        assert live_panel.address_of(text) == ("127.0.0.1", 8770)
        return
    with pytest.raises(UsageError, match="--panel"):
        live_panel.address_of(text)


def test_off_opens_nothing():
    extra = live_panel.PanelExtra(options("off"))
    assert (extra.ends, extra.begins, extra.url) == ([], [], None)


def test_it_opens_with_the_desk_and_takes_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    desk, _, _ = desk_of()
    path = tmp_path / "show.toml"
    path.write_text(SHOW, encoding="utf-8")
    show = LiveShow(path, Switches(), frame_s=1 / 30)
    extra = live_panel.PanelExtra(options(str(port)), show)
    said = []
    close = extra.begins[0](SimpleNamespace(desk=desk, fault=said.append))
    try:
        assert extra.url == f"http://127.0.0.1:{extra.panel.port}/"
        (end,) = extra.ends
        end.start()
        end.put(shot_of(desk, 1, SIZE))
        end.note_news()
        end.finish()
        assert extra.panel.pictures.count == 1
        with control(extra.panel) as one:
            sheet = until(one, "cues")
            rows = [(row["at"], row["name"]) for row in sheet["cues"]]
            assert rows == [("3:1", "verse"), ("5:2", "")]
            assert sheet["bars"][:3] == [[0.0, 4], [2.0, 4], [4.0, 4]]
            show.edits.change('0 at = "2:1"')
            sheet = until(one, "cues")
            assert (sheet["cues"][0]["at"], sheet["steps"]) == ("2:1", [1, 0])
            tell(one, t="set", a="/kfx/v1/panic", v=True)
            until(one, "set")
    finally:
        close()
        desk.close()
    assert not said


def test_a_port_that_is_taken_ends_the_show_only_where_it_was_asked_for(monkeypatch):
    def taken(*_):
        raise KfxError("panel: ports 1 to 20 can't be used")

    monkeypatch.setattr("kfx.panel.server._bound", taken)
    desk, _, _ = desk_of()
    said = []
    session = SimpleNamespace(desk=desk, fault=said.append)
    with pytest.raises(KfxError, match="can't be used"):
        live_panel.PanelExtra(options("9000")).begins[0](session)
    live_panel.PanelExtra(options(None)).begins[0](session)()
    assert said == ["panel: ports 1 to 20 can't be used"]
    desk.close()


def test_a_qr_code_can_be_drawn_with_letters():
    assert "█" in live_panel.qr("http://192.168.1.5:8770/#pair=123456")


def test_a_long_song_has_only_so_many_bars():
    show = shows.read("version = 1\nbpm = 200\nlength = 3600\n", "show.toml")
    assert 100 < len(cue_sheet(show)["bars"]) <= MOST_BARS
