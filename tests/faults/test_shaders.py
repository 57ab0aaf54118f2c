"""Shaders at fault while they are shown: one that hangs the GPU, one that makes no numbers."""

import numpy as np
import pytest

from kfx import clock, presets
from kfx.engine.desk.desk import Desk
from kfx.engine.look import proof
from kfx.engine.look.chain import Chain
from kfx.errors import KfxError
from kfx.render import canary
from kfx.render.gpu import Gpu
from tests.desks import desk_of
from tests.gl.test_chain import PIXELS, SIZE, frame_of, tick_of
from tests.gl.test_live_controls import Stage

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
    monkeypatch.setattr(proof, "LIMIT_S", 1.5)
    path = tmp_path / "own.fs"
    path.write_text(PAINTS % "1.0, 0.0, 0.0")
    yield path
    canary.stop()


def is_red(shot):
    return tuple(shot.pixels[5, 5]) == (255, 0, 0, 255)


def told(stage, words):
    end = clock.now() + 30
    while not any(words in text for text in stage.session._stats.warnings):
        assert clock.now() < end, stage.session._stats.warnings
        clock.pause(0.02)


def test_a_shader_saved_with_an_endless_loop_never_reaches_the_show(monkeypatch, look):
    with Stage(monkeypatch, presets.load(str(look))) as stage:
        stage.sink.until(is_red)
        for text, words in ((ENDLESS, "isn't drawn within 1.5 s"), (BROKEN, "undeclared")):
            before = len(stage.sink.shots)
            look.write_text(text)
            told(stage, words)
            assert all(is_red(shot) for shot in stage.sink.shots[before:])
            assert len(stage.sink.shots) > before + 20, "pictures go on while it is tried"
        assert all("; the old look stays" in one for one in stage.session._stats.warnings)
        look.write_text(PAINTS % "0.0, 1.0, 0.0")
        stage.sink.until(lambda shot: tuple(shot.pixels[5, 5]) == (0, 255, 0, 255))
    assert stage.stats.dropped.get("render.bypassed", 0) == 0


def test_who_loads_a_shader_that_hangs_is_told(look):
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
    monkeypatch.setattr(canary, "prove", lambda paths, *rest: tried.extend(paths))
    for _ in range(2):
        proof.prove(presets.load(str(look)))
    assert tried == [look]
    look.write_text(PAINTS % "0.0, 0.0, 1.0")
    proof.prove(presets.load(str(look)))
    assert tried == [look, look]


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
