"""Shows on pictures: cues land on their frame, offline and live, compiled beforehand."""

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx import shows, sources
from kfx.cli import main
from kfx.engine import offline
from kfx.engine.desk.conductor import Conductor
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.look.look import Look
from kfx.engine.loop.switches import Switches
from kfx.engine.takes import rendered_show
from kfx.engine.ticks import Ticks
from kfx.errors import UsageError
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.sync.song import SongClock
from tests.faces import face_at, frame_of, picture, tick_of

SIZE = (96, 54)
PIXELS = picture(*SIZE)
RATE = Fraction(24)
LOOK = """version = 1
[[chain]]
effect = "film"
grain = 0.0
vignette = {vignette}
[[chain]]
effect = "{other}"
"""
SHOW = """bpm = 120
length = 3
preset = "one.toml"
[[cue]]
at = "1:2"
preset = "two.toml"
name = "two"
[[cue]]
at = 0.75
black = {{ seconds = 0.25 }}
[[cue]]
at = "1:4"
flash = {{ level = 1.0, tint = [0.0, 1.0, 0.0], attack_ms = 0, hold_ms = 90, decay_ms = 0 }}
{more}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "one.toml").write_text(LOOK.format(vignette=0.0, other="chromatic_ab"))
    (tmp_path / "two.toml").write_text(LOOK.format(vignette=1.0, other="bloom"))
    (tmp_path / "show.toml").write_text(SHOW.format(more=""))
    return tmp_path / "show.toml"


def rendered(path, tmp_path, count=44):
    shots = []
    played = rendered_show.played(path, rate=RATE)
    with sources.open(f"performer?size={SIZE[0]}x{SIZE[1]}&fps=24", stop_s=count / RATE) as source:
        offline.render(
            source,
            played.conductor.first,
            "null",
            tracker="truth",
            ticks=played.ticks,
            conductor=played.conductor,
            on_shot=shots.append,
        )
    return shots


def test_rendered_cues_land_on_their_frame(path, tmp_path, gl):
    shots = rendered(path, tmp_path)
    corner = [float(shot.pixels[:4, :4, :3].mean()) for shot in shots]
    plate = [float(shot.tick.frame.pixels[:4, :4, :3].mean()) for shot in shots]
    black = [i for i, shot in enumerate(shots) if not shot.pixels[..., :3].any()]
    assert black == list(range(18, 24))  # 0.75 to 1.0 s
    dark = [i for i in range(44) if corner[i] < 0.8 * plate[i] and i not in black]
    assert dark[0] == 12  # the vignette of the second look, from 1:2 on
    green = [i for i, s in enumerate(shots) if (s.pixels[..., 1] == 255).all()]
    assert green == [36, 37, 38]  # 1:4 is 1.5 s; 90 ms of light
    assert shots[40].tick.signals["song.time"] == pytest.approx(40 / 24)


def test_a_show_rendered_twice_is_the_same_to_the_bit_and_so_is_a_part(path, tmp_path, gl):
    one, two = rendered(path, tmp_path, 30), rendered(path, tmp_path, 30)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))


def test_a_look_that_was_prepared_is_seen_in_the_frame_of_its_cue(path, gl):
    timeline = shows.build(shows.load(path))
    conductor = Conductor(timeline, Switches(), frame_s=1 / 24)
    ticks = Ticks(SongClock(timeline.show.grid))
    ticks.cues = conductor.hear
    face = face_at(48, 27, 11)
    drawn = []
    with Gpu() as gpu, Look(gpu, conductor.first, SIZE) as look:
        conductor.play_on(look, look)
        for i in range(14):
            tick = ticks.tick(frame_of(PIXELS, i, RATE), (face,))
            drawn.append(float(look.render(tick)[:4, :4, :3].mean()))
    assert drawn[11] > 0.9 * drawn[0]
    assert drawn[12] < 0.8 * drawn[0]


def test_a_prepared_look_that_cant_be_drawn_is_told_when_it_is_shown(gl):
    from tests.looks import preset_of

    faults = []
    with Gpu() as gpu, Look(gpu, Preset("none", "", ()), SIZE, on_fault=faults.append) as look:
        broken = preset_of("film")
        link = broken.chain[0]
        bad = replace(link.effect.source, body="void main() { nonsense }")
        effect = replace(link.effect, source=bad)
        broken = replace(broken, chain=(replace(link, effect=effect),))
        look.prepare(broken)
        for i in range(4):
            look.render(tick_of(frame_of(PIXELS, i)))
        assert not faults
        look.change(broken)
        for i in range(4, 8):
            look.render(tick_of(frame_of(PIXELS, i)))
        assert len(faults) == 1


class FakeLook:
    """What a session needs of a look."""

    def __init__(self, preset):
        self.preset, self.bypassed = preset, frozenset()
        self.changes = []

    def change(self, preset, *, seconds=0.0, beats=0.0, rebuild=False, bypassed=frozenset()):
        self.preset = preset
        self.changes.append(preset)

    def prepare(self, preset):
        pass


def test_the_cues_of_a_live_show_are_in_the_control_tree(path, tmp_path):
    switches = Switches()
    show = LiveShow(path, switches, frame_s=1 / 24)
    look = FakeLook(show.conductor.first)
    inputs = Inputs(beats=show.show.grid)
    with Session(inputs, switches, frame_s=1 / 24, extras=[show.extra]) as session:
        session.begin(look)
        desk = session.desk
        heard, told = threading.Event(), []
        desk.subscribe(lambda change: (told.append(change.address), heard.set()))
        frame = frame_of(PIXELS)
        for i in range(14):
            now = 100.0 + i / 24
            session.ticks.tick(replace(frame, index=i, time=Fraction(i, 24), captured=now), ())
        assert [one.name for one in look.changes] == ["two"]
        assert "two" in desk.get("/kfx/v1/cue/last")
        assert "black" in desk.get("/kfx/v1/cue/next")
        desk.set("/kfx/v1/cue/goto", "1:4")
        with pytest.raises(UsageError, match="no cue is called 'gone'"):
            desk.set("/kfx/v1/cue/goto", "gone")
    assert session.ticks.cues is None


def test_a_live_show_tells_its_clock_where_the_song_starts(path):
    path.write_text(path.read_text() + 'name = "x"\n')
    text = path.read_text()
    path.write_text('offset = "01:00:00;00"\nfps = "59.94"\n' + text)
    show = LiveShow(path, Switches(), frame_s=1 / 60)
    assert show.sync_of(("ltc:USB?channel=2", "tap", "mtc")) == (
        "ltc:USB?channel=2&offset=01:00:00%3B00&fps=30000/1001",
        "tap",
        "mtc?offset=01:00:00%3B00&fps=30000/1001",
    )


def test_a_live_show_leads_by_the_outputs_latency(path):
    import argparse

    from kfx.cli.live_show import Extras

    path.write_text("lead_ms = 80\n" + path.read_text())
    options = argparse.Namespace(
        show=str(path), take=None, grid=None, song=None, set=[], consent=[]
    )
    inputs = Extras(options, Switches(), 1 / 24).inputs(Inputs())
    assert inputs.lead_s == 0.08
    assert inputs.beats.bpm == 120.0
    with Session(inputs, Switches(), frame_s=1 / 24) as session:
        assert session.ticks.lead_s == 0.08
        first = session.ticks.tick(frame_of(PIXELS), ())
        later = replace(frame_of(PIXELS, 1, RATE), captured=1 / 24)
        assert session.ticks.tick(later, ()).signals["song.time"] == pytest.approx(
            first.signals["song.time"] + 1 / 24
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grid", "x.json"], "--grid: with --show the show's file says this"),
        (["--ltc"], "offset"),
    ],
)
def test_what_a_show_already_says_isnt_asked_twice(path, tmp_path, capsys, words, said, gl):
    out = str(tmp_path / "o.mp4")
    spec = f"performer?size={SIZE[0]}x{SIZE[1]}"
    assert main(["render", spec, "--to", "0.1", "-s", str(path), "-o", out, *words]) == 2
    assert said in capsys.readouterr().err


def test_kfx_live_plays_a_show_and_records_a_take(path, tmp_path, capsys, gl):
    words = ["-i", f"performer?size={SIZE[0]}x{SIZE[1]}&fps=24", "-o", "null", "--plain"]
    words += ["--tracker", "truth", "--osc-in", "off", "--seconds", "4", "-s", str(path)]
    assert main(["live", *words, "--take", str(tmp_path / "takes"), "--slate", "S01"]) == 0
    assert main(["take", "list", str(tmp_path / "takes")]) == 0
    assert "S01_T01" in capsys.readouterr().out
