"""A broken link of a chain is left out alone: the picture is that of the chain without it."""

from functools import partial

import numpy as np
import pytest

from kfx import effects
from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.look.chain import Chain
from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from kfx.render.isf_program import Program
from tests.faces import face_at
from tests.gl.test_chain import PIXELS, SIZE, frame_of, smiling, tick_of
from tests.looks import preset_of

pytestmark = pytest.mark.gl


class Show:
    """Draws three ticks of a look with a care that writes down what it tells."""

    def __init__(self, gpu):
        self.gpu, self.told, self.now = gpu, [], 0.0

    def play(self, *names, count=3):
        care = partial(
            AutoBypass,
            budget_s=0.1,
            tell=self.told.append,
            drop=lambda: None,
            now=lambda: self.now,
        )
        pictures = []
        with Chain(self.gpu, preset_of(*names), SIZE, care=care) as chain:
            for i in range(count):
                faces = [face_at(shape=smiling(0.2 + i / 10))]
                started = self.now
                tick = tick_of(frame_of(PIXELS, i), faces, 1 / 30 * bool(i))
                pictures.append(np.array(chain.render(tick)))
                chain.care.judge(self.now - started)
            self.left_out = chain.care.left_out
        return pictures


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def show(gpu):
    return Show(gpu)


def same(one, other):
    return all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("fault", ["raises", "nan"])
def test_a_motion_at_fault(show, monkeypatch, fault):
    without = show.play("expr_amp", "film")
    kind = effects.find("liquify").source

    def broken(self, face, tick):
        if fault == "raises":
            raise IndexError("no such landmark")
        return np.full_like(face.landmarks, np.nan)

    monkeypatch.setattr(kind, "drive", broken)
    assert same(show.play("expr_amp", "liquify", "film", count=3), without)
    says = {"raises": "no such landmark", "nan": "drives landmarks to where no number is finite"}
    assert set(show.told) == {f"chain[1] (liquify): {says[fault]}; left out"}
    with pytest.raises((KfxError, IndexError)), Chain(show.gpu, preset_of("liquify"), SIZE) as one:
        one.render(tick_of(frame_of(PIXELS, 0), [face_at()], 0.0))


@pytest.mark.parametrize("name", ["eye_glow", "echo_trails"])  # drawn in place, and as a frame
def test_a_shader_that_raises_halfway(show, monkeypatch, name):
    without = show.play("liquify", "film")
    real = Program._draw_run

    def broken(self, *arguments):
        real(self, *arguments)  # what it has drawn by then must not be seen
        if self.shader.name == name:
            raise RuntimeError("GL_OUT_OF_MEMORY")

    monkeypatch.setattr(Program, "_draw_run", broken)
    assert same(show.play("liquify", name, "film"), without)
    assert set(show.told) == {f"chain[1] ({name}): GL_OUT_OF_MEMORY; left out"}


def test_a_shader_that_is_too_slow(show, monkeypatch):
    real = Program.draw

    def slow(self, *arguments):
        real(self, *arguments)
        show.now += 0.2 if self.shader.name == "echo_trails" else 0.001

    monkeypatch.setattr(Program, "draw", slow)
    show.play("liquify", "echo_trails", "eye_glow", count=7)
    assert show.left_out == ("chain[1] (echo_trails)",)


def test_when_all_motions_are_out_nothing_is_resampled(show, monkeypatch):
    def broken(self, face, tick):
        raise RuntimeError

    monkeypatch.setattr(effects.find("liquify").source, "drive", broken)
    assert (show.play("liquify", count=7)[-1] == PIXELS).all()
