"""Shaders at fault while they are shown: one that hangs the GPU, one that makes no numbers."""

import threading

import numpy as np
import pytest

from kfx import presets
from kfx.engine.desk.desk import Desk
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.look import proof
from kfx.engine.look.chain import Chain
from kfx.errors import KfxError
from kfx.render import canary
from kfx.render.gpu import Gpu
from tests.desks import desk_of
from tests.gl.test_chain import PIXELS, SIZE, frame_of, tick_of
from tests.gl.test_live_controls import Stage, clean
from tests.waiting import until

pytestmark = pytest.mark.gl
HEAD = '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'
PAINTS = HEAD + "void main() { gl_FragColor = vec4(%s, 1.0); }"
ENDLESS = (
    HEAD
    + """void main() {
    vec4 c = vec4(0.5);
    while (c.r < 2.0) c = fract(c * 1.7 + gl_FragCoord.x);
    gl_FragColor = c;
}"""
)
BROKEN = HEAD + "void main() { gl_FragColor = vec4(undeclared); }"
POISON = """/*{
  "INPUTS": [{"NAME": "inputImage", "TYPE": "image"}],
  "PASSES": [{"TARGET": "kept", "PERSISTENT": true, "FLOAT": true}, {}]
}*/
void main() {
    vec4 here = IMG_THIS_PIXEL(inputImage);
    if (PASSINDEX == 1) { gl_FragColor = vec4(IMG_THIS_PIXEL(kept).rgb, 1.0); return; }
    gl_FragColor = mix(here, IMG_THIS_PIXEL(kept), 0.25);
    if (FRAMEINDEX == 2) gl_FragColor = SICK;
}"""


@pytest.fixture
def look(tmp_path, monkeypatch):
    """A user's own shader that paints the picture red."""
    path = tmp_path / "own.fs"
    path.write_text(PAINTS % "1.0, 0.0, 0.0")
    yield path
    canary.stop()


def is_red(shot):
    return tuple(shot.pixels[5, 5]) == (255, 0, 0, 255)


def told(stage, words):
    warnings = stage.session._stats.warnings
    until(lambda: any(words in text for text in warnings), warnings)


def test_a_shader_saved_with_an_endless_loop_never_reaches_the_show(monkeypatch, look):
    with Stage(monkeypatch, presets.load(str(look))) as stage:
        stage.sink.until(is_red)
        for text, words in ((ENDLESS, "isn't drawn within 1.5 s"), (BROKEN, "undeclared")):
            monkeypatch.setattr(proof, "LIMIT_S", 1.5 if text is ENDLESS else 20.0)
            before = len(stage.sink.shots)
            look.write_text(text)
            told(stage, words)
            assert all(is_red(shot) for shot in stage.sink.shots[before:])
            assert len(stage.sink.shots) > before + 20, "pictures go on while it is tried"
        assert all("; the old look stays" in one for one in stage.session._stats.warnings)
        look.write_text(PAINTS % "0.0, 1.0, 0.0")
        stage.sink.until(lambda shot: tuple(shot.pixels[5, 5]) == (0, 255, 0, 255))
    assert stage.stats.dropped.get("render.bypassed", 0) == 0


def test_who_loads_a_shader_that_hangs_is_told(monkeypatch, look):
    monkeypatch.setattr(proof, "LIMIT_S", 1.5)
    desk, fake, _ = desk_of()
    assert isinstance(desk, Desk)
    look.write_text(ENDLESS)
    with pytest.raises(KfxError, match=r"own\.fs: isn't drawn within 1\.5 s"):
        desk.load(str(look))
    assert fake.changes == []
    desk.load("supernova")  # what comes with kfx needs no proof
    assert canary._worker is None


def test_a_shader_is_tried_once_until_it_changes(look, monkeypatch):
    tried = []
    monkeypatch.setattr(canary, "prove", lambda shaders, *rest: tried.extend(shaders))
    for _ in range(2):
        proof.prove(presets.load(str(look)))
    assert [one.path for one in tried] == [look]
    for text in (PAINTS % "0.0, 0.0, 1.0", PAINTS % "1.0, 0.0, 0.0"):
        look.write_text(text)
        proof.prove(presets.load(str(look)))
    assert len(tried) == 2, "the first text is back, and known"
    look.with_suffix(".vs").write_text("void main() { isf_vertShaderInit(); }")
    proof.prove(presets.load(str(look)))
    assert len(tried) == 3, "its vertex shader is a part of it"


SHOW = """bpm = 120
length = 3
preset = "none"
"""


def by_a_cue(stage, preset):
    """Added to a running show, and gone to."""
    show = LiveShow(preset.parent / "show.toml", stage.switches, frame_s=1 / 200)
    close = show.extra(stage.session)
    desk = stage.session.desk
    desk.set("/kfx/v1/cue/add", f'at = 2.5, preset = "{preset.name}", name = "new"')
    desk.set("/kfx/v1/cue/goto", "new")
    return close


def prepared(stage, preset):
    """Wanted in good time, by a cue that comes."""
    look = presets.load(str(preset))
    stage.session.look.prepare(look)
    stage.session.desk.change(look)


def by_osc(stage, preset):
    stage.send("/kfx/v1/load", str(preset))


def faded(stage, preset):
    stage.session.desk.change(presets.load(str(preset)), seconds=0.2)


@pytest.mark.parametrize("road", [by_a_cue, prepared, by_osc, faded])
def test_no_road_leads_past_the_canary(monkeypatch, look, road):
    """Whatever brings a shader that hangs, the pictures go on and the old look stays."""
    preset = look.with_name("two.toml")
    preset.write_text('version = 1\n[[chain]]\neffect = "two.fs"\n')
    look.with_name("show.toml").write_text(SHOW)
    two = look.with_name("two.fs")
    two.write_text(PAINTS % "0.0, 1.0, 0.0")
    asked, given_up = threading.Event(), threading.Event()

    def hang(shaders, *rest):
        if shaders[0].name == "two":
            asked.set()
            given_up.wait(30)
            raise KfxError(f"{two}: isn't drawn within 5 s")

    monkeypatch.setattr(canary, "prove", hang)
    with Stage(monkeypatch, presets.load(str(look))) as stage:
        stage.sink.until(is_red)
        before = len(stage.sink.shots)
        close = road(stage, preset)
        assert asked.wait(30)
        since = len(stage.sink.shots)
        stage.sink.until(lambda shot: len(stage.sink.shots) > since + 20)
        given_up.set()
        told(stage, "two.fs: isn't drawn within 5 s")
        stage.sink.until(lambda shot: True)
        assert all(is_red(shot) for shot in stage.sink.shots[before:])
        if close:
            close()
    assert stage.stats.dropped.get("render.bypassed", 0) == 0


def test_what_an_edit_adds_is_tried_as_well(monkeypatch, look):
    """A shader of the library that was changed since kfx began, put into the chain by hand."""
    tried, real = [], canary.prove
    with Stage(monkeypatch, presets.load("none")) as stage:
        stage.sink.until(clean)
        monkeypatch.setattr(proof, "_began", 0.0)
        monkeypatch.setattr(
            canary, "prove", lambda some, *rest: (tried.extend(some), real(some, *rest))
        )
        stage.session.desk.add("halftone")
        stage.sink.until(lambda shot: not clean(shot))
    assert [one.name for one in tried] == ["halftone"]


def test_undo_brings_back_the_shader_that_was_drawn_not_its_file(monkeypatch, look):
    with Stage(monkeypatch, presets.load(str(look))) as stage:
        stage.sink.until(is_red)
        desk = stage.session.desk
        desk.load("none")
        stage.sink.until(lambda shot: not is_red(shot))
        look.write_text(ENDLESS)
        desk.undo()
        stage.sink.until(is_red)


@pytest.mark.parametrize("sick", ["vec4(sqrt(-1.0 - here.r))", "vec4(1.0 / (here.r * 0.0))"])
def test_a_number_that_is_none_passes_and_does_not_stay(tmp_path, sick):
    path = tmp_path / "poison.fs"
    path.write_text(POISON.replace("SICK", sick))
    with Gpu() as gpu, Chain(gpu, presets.load(str(path)), SIZE) as chain:
        pictures = [
            np.asarray(chain.render(tick_of(frame_of(PIXELS, i), [], 1 / 30 * bool(i))), int)
            for i in range(10)
        ]
    away = [float(np.abs(one[..., :3] - PIXELS[..., :3]).mean()) for one in pictures]
    assert away[2] > 20, "that frame is lost"
    assert away[-1] < 1.0, "and no other one"
