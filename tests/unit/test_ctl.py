"""``kfx ctl``: a running show from a shell."""

import json
import threading

import pytest

from kfx import cli
from kfx.cli import ctl
from kfx.engine.desk.tree import Parameter
from kfx.sync.osc_in import Inbox
from kfx.sync.oscquery import OscQuery
from tests.desks import desk_of

GRAIN = "/kfx/v1/chain/1/film/grain"


@pytest.fixture(scope="module")
def show():
    desk, _, switches = desk_of()
    server = OscQuery(desk, Inbox(desk))
    yield desk, switches, server
    server.close()
    desk.close()


@pytest.fixture
def run(show, capsys):
    def call(*words):
        code = cli.main(["ctl", *words, "--port", str(show[2].port)])
        said = capsys.readouterr()
        return code, said.out.strip(), said.err.strip()

    return call


def test_a_value_is_set_and_read(run, show):
    assert run("set", "film/grain", "0.125") == (0, "", "")
    assert run("get", "film/grain")[1] == "0.125"
    assert run("get", GRAIN)[1] == "0.125"
    assert show[0].get(GRAIN) == 0.125
    assert run("set", "chain/1/film/grain/norm", "0.5")[0] == 0
    assert run("get", "film/grain")[1] == "0.1"
    assert json.loads(run("get", "film/grain", "--json")[1])["RANGE"] == [{"MIN": 0.0, "MAX": 0.2}]
    assert run("undo")[0] == 0


def test_a_vector_a_choice_and_a_switch(run, show):
    colour = next(one for one in show[0].parameters() if one.kind == "vector")
    assert run("set", colour.address, "0.5", "0.25", "0", "1")[0] == 0
    assert show[0].get(colour.address) == (0.5, 0.25, 0.0, 1.0)
    assert run("get", colour.address)[1] == "0.5 0.25 0 1"
    assert run("set", "mode", "freeze")[0] == 0
    assert run("get", "mode")[1] == "freeze"
    assert run("set", "hold", "true")[0] == 0
    assert run("get", "hold")[1] == "true"


def test_panic_and_presets(run, show):
    desk, switches, _ = show
    assert run("panic")[0] == 0
    assert switches.mode == "clean"
    before = desk.get("/kfx/v1/preset")
    assert run("preset", "supernova", "--fade", "1.5")[0] == 0
    assert desk.get("/kfx/v1/preset") == "supernova"
    assert desk.get("/kfx/v1/fade") == 0.0
    desk.undo()
    assert desk.get("/kfx/v1/preset") == before


def test_a_presets_file_is_found_from_the_shells_own_folder(run, show, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('version = 1\n[[chain]]\neffect = "bloom"\n')
    monkeypatch.chdir(tmp_path)
    assert run("preset", "mine.toml")[0] == 0
    assert show[0].get("/kfx/v1/preset") == str(tmp_path / "mine.toml")
    show[0].undo()
    code, _, said = run("set", "load", "/etc/passwd")
    assert code == 2
    assert "no preset's file" in said


def test_cues(run, show):
    nothing = "kfx: /kfx/v1/cue/go: no show is played; start it by kfx live -s SHOW.toml"
    assert run("cue") == run("cue", "chorus") == (2, "", nothing)
    gone = []
    show[0].register(Parameter("/kfx/v1/cue/go", "event"), gone.append)
    show[0].register(
        Parameter("/kfx/v1/cue/goto", "choice", None, None, ("verse", "chorus")), gone.append
    )
    assert run("cue", "chorus")[0] == 0
    assert run("cue")[0] == 0
    assert gone == ["chorus", True]
    code, _, said = run("cue", "bridge")
    assert code == 2
    assert "none of verse, chorus" in said


def test_the_list(run, show):
    lines = run("list")[1].splitlines()
    assert len(lines) == len(show[0].parameters())
    film = run("list", "film")[1].splitlines()
    assert all("/film/" in line for line in film)
    assert any("0..0.2" in line for line in film)
    assert len(json.loads(run("list", "chain/1", "--json")[1])) == len(film)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "nope"), "/kfx/v1/nope: there is no such address; see: kfx ctl list"),
        (("set", "learn", "film/grain"), "/kfx/v1/learn: no MIDI is listened to; start it by"),
        (("get", "chain"), "is no value"),
        (("list", "nope"), "no such address"),
        (("set", "film/grain", "7"), "7 is outside 0..0.2"),
        (("set", "film/grain", "x"), "no number"),
        (("preset", "nope"), "none of"),
    ],
)
def test_what_cant_be_says_why(run, words, said):
    code, out, error = run(*words)
    assert (code, out) == (2, "")
    assert said in error
    assert "Traceback" not in error


def test_nobody_there(capsys):
    assert cli.main(["ctl", "panic", "--port", "9"]) == 1
    assert "127.0.0.1:9: no kfx answers there" in capsys.readouterr().err


def test_watching_prints_each_change(show, capsys, monkeypatch):
    desk, _, server = show
    printed, news = [], threading.Event()

    def take(*words, **options):
        printed.append(" ".join(map(str, words)))
        news.set()

    monkeypatch.setattr("builtins.print", take)
    words = ["ctl", "watch", "film", "--json", "--port", str(server.port)]
    thread = threading.Thread(target=cli.main, args=(words,), daemon=True)
    thread.start()
    for i in range(200):
        desk.set(GRAIN, 0.01 + (i % 2) / 100)
        if news.wait(0.05):
            break
    change = json.loads(printed[0])
    assert change["address"] == GRAIN
    assert change["values"][0] in (0.01, 0.02)


def test_addresses_may_be_short():
    assert ctl.full("film/grain") == ctl.full("/film/grain") == "/kfx/v1/film/grain"
    assert ctl.full("/kfx/v1/mode") == "/kfx/v1/mode"
    assert ctl.full("") == "/kfx/v1"
