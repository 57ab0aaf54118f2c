"""What an engine leaves to the next one: all that an operator would have to do again."""

import sys
from fractions import Fraction

import pytest

from kfx import presets
from kfx.cli import live_again
from kfx.engine.desk import last_state
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.loop import ready_made
from kfx.engine.loop.supervisor import LAST_LOOK
from kfx.engine.loop.switches import Switches
from kfx.engine.stats import Stats
from kfx.sinks.vcam_link import FOLDER_VARIABLE
from kfx.types import Frame
from tests.desks import FakeLook
from tests.faces import picture
from tests.waiting import until

LOOK = """version = 1
seed = 7
doc = "mine"
[[chain]]
effect = "deadpan_step"
slots = ["lead", 2]
[[chain]]
effect = "film"
grain = { base = 0.05, "beat.decay" = 0.02, release_ms = 90 }
when = "beat.decay >= 0.4"
[[chain]]
effect = "flash"
"""
NONE = presets.load("none")


class Engine:
    """A session over a look that isn't drawn, and whatever `live_again` makes of it."""

    def __init__(self, folder, monkeypatch, preset, *, cues=(), at=100.0):
        monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
        self.now, begins = at, []
        self.switches = Switches()
        self.began_with = live_again.look(preset, self.switches, begins, cues=cues)
        extras = begins[:-1]  # written down by hand
        self.session = Session(Inputs(), self.switches, extras=extras)
        self.session.begin(FakeLook(self.began_with))
        self.session._song_controls._now = lambda: self.now
        self.leaving = last_state.Leaving(folder, self.switches)

    @property
    def desk(self):
        return self.session.desk

    def song_at(self, at):
        """Where the song is at a monotonic time."""
        self.session.ticks.tick(Frame(picture(64, 36), 0, 0, at), ())
        return self.session.ticks.now

    def dies(self):
        self.leaving.write(self.session)
        self.session.close()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    made = []

    def make(preset=NONE, **options):
        made.append(Engine(tmp_path, monkeypatch, preset, **options))
        return made[-1]

    yield make
    for one in made:
        one.session.close()


def test_look_values_order_bypasses_and_mode_come_back(engine, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(LOOK)
    first = engine()
    first.desk.load(str(path))
    first.desk.set("/kfx/v1/film/grain", 0.11)
    first.desk.move(2, 0)
    first.desk.bypass(1)
    first.desk.set("/kfx/v1/mode", "freeze")
    first.desk.set("/kfx/v1/fade", 2.5)
    was = first.desk.preset
    first.dies()
    second = engine(presets.load("supernova"))
    assert second.desk.preset == was
    assert (was.path, was.seed) == (str(path), 7)
    assert was.chain[2].modulation["grain"][0].release_ms == 90
    assert was.chain[1].slots == ("lead", 2)
    assert second.session.look.bypassed == {1}
    assert (second.switches.mode, second.desk.get("/kfx/v1/fade")) == ("freeze", 2.5)
    assert engine(presets.load("supernova"), cues=(NONE,)).began_with.name == "supernova"


@pytest.mark.parametrize("name", ["supernova", "sn_metal_ai", "none"])
def test_any_look_comes_back(engine, name):
    first = engine(presets.load(name))
    first.dies()
    assert engine().desk.preset == first.began_with


def test_a_look_of_one_shader_file(engine, tmp_path):
    path = tmp_path / "own.fs"
    path.write_text('/*{"INPUTS": []}*/\nvoid main() { gl_FragColor = vec4(1.0); }')
    first = engine(presets.load(str(path)))
    first.dies()
    assert engine().desk.preset.path == str(path)
    path.unlink()
    assert engine().desk.preset == NONE


def test_a_panic_outlives_a_look_that_is_not_trusted(engine, tmp_path):
    first = engine(presets.load("supernova"))
    first.desk.panic()
    first.dies()
    (tmp_path / LAST_LOOK).unlink()
    second = engine()
    assert (second.desk.preset, second.switches.mode) == (NONE, "clean")


@pytest.mark.parametrize("rest", [b"", b"half", b"\x80\x05"])
def test_what_is_half_written_is_not_there(engine, tmp_path, rest):
    for name in (LAST_LOOK, last_state.LAST_SHOW):
        (tmp_path / name).write_bytes(rest)
    second = engine()
    assert (second.desk.preset, second.switches.mode) == (NONE, "live")


def test_the_song_goes_on(engine):
    first = engine()
    assert first.song_at(100.0).time_s == 0.0
    first.song_at(130.0)
    first.dies()
    second = engine(at=131.5)
    assert second.song_at(132.0).time_s == pytest.approx(32.0)
    assert second.song_at(132.0).source == "grid"


def test_a_tapped_tempo_goes_on_in_its_phase(engine):
    first = engine()
    first.song_at(100.0)
    for tap in (100.0, 100.6, 101.2, 101.8):
        first.session._tap.tap(tap)
    beat = first.song_at(102.0).beat
    first.dies()
    second = engine(at=104.0)
    now = second.song_at(105.2)
    assert now.source == "tap"
    assert now.beat == pytest.approx(beat + 3.2 / 0.6, abs=0.02)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_transport_goes_on_or_stands(engine, stopped):
    first = engine()
    first.song_at(100.0)
    first.now = 100.0
    first.desk.set("/kfx/v1/transport/time", 60.0)
    first.song_at(101.0)
    if stopped:
        first.now = 101.0
        first.desk.set("/kfx/v1/transport/stop", True)
        first.song_at(101.5)
    first.dies()
    second = engine(at=104.0)
    assert second.song_at(105.0).time_s == pytest.approx(61.0 if stopped else 65.0, abs=0.02)


def test_it_is_written_all_along_and_only_under_a_supervisor(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    begins = []
    assert live_again.look(NONE, Switches(), begins) is NONE
    assert begins == []
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    switches = Switches()
    live_again.look(NONE, switches, begins)
    session = Session(Inputs(), switches, extras=begins)
    session.begin(FakeLook(NONE))
    switches.panic()
    until(lambda: (left := last_state.left(tmp_path)) and left.mode == "clean")
    session.close()
    left = last_state.left(tmp_path)
    assert left is not None
    assert (left.mode, left.preset) == ("clean", NONE)


def test_who_stands_by_is_told_what_this_engine_is_made_of(engine, tmp_path, monkeypatch):
    one = engine()
    one.leaving.write(one.session)
    assert ready_made.left(tmp_path) == ready_made.MadeOf()  # there is no show yet
    one.session.ready(Stats((1280, 720), Fraction(30), "a GPU", "mediapipe"))
    one.leaving.write(one.session)
    told = ready_made.left(tmp_path)
    assert (told.tracker, told.size) == ("mediapipe", (1280, 720))
    assert "kfx.engine.desk.session" in told.modules
    monkeypatch.setitem(sys.modules, "loaded.since", ready_made)  # a net's library, for one
    one.leaving.write(one.session)
    assert "loaded.since" in ready_made.left(tmp_path).modules
