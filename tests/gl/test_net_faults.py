"""Nets in their own thread that fail in every way: no picture waits, none is left out.

Pictures are counted, not timed: each tick gives one with all else drawn, whatever the net does, as
in the same run without it.
"""

import os
import sys
import threading

import numpy as np
import pytest

from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.look.chain import Chain
from kfx.engine.look.net_rehearsal import TICKS
from kfx.errors import KfxError
from kfx.neural import memory, providers, session
from kfx.neural.worker import NICENESS, Threaded
from kfx.presets import Preset
from kfx.render import reflow, reproject
from kfx.render.gpu import Gpu
from kfx.render.isf_program import Program
from tests import nets
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of
from tests.waiting import LONG_S, until

SIZE = (320, 180)
PIXELS = picture(*SIZE)
FRAMES = 40
AT = 15  # the frame from which on it fails: half a second


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def drawing(monkeypatch):
    """Fails where the thread that draws waits for anything, or runs a net itself."""
    main, real_wait, real_run = threading.get_ident(), threading.Condition.wait, session.Net.run
    inside = []

    def wait(self, timeout=None):
        assert not (inside and threading.get_ident() == main), "drawing waits"
        return real_wait(self, timeout)

    def run(self, *given):
        assert threading.get_ident() != main, "the net runs where pictures are drawn"
        return real_run(self, *given)

    monkeypatch.setattr(threading.Condition, "wait", wait)
    monkeypatch.setattr(session.Net, "run", run)
    return inside


class Played:
    """A look of a net and a film, drawn tick by tick; what became of it."""

    def __init__(self, gpu, card, drawing, monkeypatch, after=lambda chain: None):
        self.told, self.pictures, self.films, self.missing = [], [], 0, []
        links = (*(preset_of(card).chain if card else ()), *preset_of("film").chain)
        real = Program.draw

        def draw(*given):
            self.films += 1
            return real(*given)

        def care(preset):
            return AutoBypass(
                preset, budget_s=60.0, tell=self.told.append, drop=lambda: None, now=lambda: 0.0
            )

        with (
            monkeypatch.context() as patch,
            Chain(gpu, Preset("x", "", links), SIZE, pace=Threaded, care=care) as chain,
        ):
            patch.setattr(Program, "draw", draw)
            for i in range(FRAMES):
                tick = tick_of(frame_of(PIXELS, i), [face_at()], 1 / 30 if i else 0.0)
                drawing.append(True)
                self.pictures.append(np.array(chain.render(tick)))
                drawing.clear()
                chain.care.judge(0.001)
                self.missing += chain.care.missing
                after(chain)
            self.told += chain.news()
            self.nets = [dict(one) for one in chain.nets]


def settled(chain):
    """Wait outside of the drawing until the net's thread has nothing to do."""
    for net in chain._nets.values():
        until(lambda net=net: net._runner.free(0.0), "the net's end")


@pytest.fixture
def without(gpu, drawing, monkeypatch):
    """The same run with no net in it."""
    return Played(gpu, None, drawing, monkeypatch)


def same_rate(played, without):
    assert len(played.pictures) == len(without.pictures) == FRAMES
    assert played.films == without.films == FRAMES
    assert played.missing == []


@pytest.mark.parametrize("fault", ["throws", "nan", "size"])
def test_from_frame_n_on_it_fails(gpu, tmp_path, drawing, without, monkeypatch, fault):
    net = nets.faulty_net(tmp_path / "bad.onnx", fault)
    text = nets.card_text(region="frame", size=(16, 16)) + '\n[input.time]\nis = "time"\n'
    net.with_suffix(".toml").write_text(text)
    played = Played(gpu, str(net.with_suffix(".toml")), drawing, monkeypatch, settled)
    same_rate(played, without)
    assert len([text for text in played.told if "the plate is shown" in text]) == len(played.told)
    assert len(played.told) == 1
    differs = [bool((a != b).any()) for a, b in zip(played.pictures, without.pictures, strict=True)]
    assert any(differs[5:AT]), "its results weren't drawn before it failed"
    assert not any(differs[AT + 10 :])


def test_it_sleeps(gpu, tmp_path, drawing, without, monkeypatch):
    """Its thread is held in a run until all pictures are drawn."""
    card = str(nets.with_card(nets.scale_net(tmp_path / "turn.onnx")))
    go, real, held = threading.Event(), session.Net.run, []

    def run(self, *given):
        if threading.current_thread().name == "kfx-net":  # opening it is another thread's
            held.append(True)
            go.wait(LONG_S)
        return real(self, *given)

    monkeypatch.setattr(session.Net, "run", run)
    try:
        played = Played(gpu, card, drawing, monkeypatch)
    finally:
        go.set()
    same_rate(played, without)
    assert held == [True], "another job was given to a net that hadn't answered"
    assert len(played.told) == 1
    assert "no answer for" in played.told[0]
    same = [(a == b).all() for a, b in zip(played.pictures, without.pictures, strict=True)]
    assert all(same)


def check_told(told, fault):
    """Each time once, and that it is back in between."""
    assert told
    for i, text in enumerate(told):
        assert text.endswith(" is back") if i % 2 else fault in text


def test_it_leaks_what_it_remembers(gpu, tmp_path, drawing, without, monkeypatch):
    from kfx.neural import card as cards
    from kfx.neural import inspect

    monkeypatch.setattr(session, "MOST_STATE", 12)
    net = nets.leaking_net(tmp_path / "leak.onnx")
    with monkeypatch.context() as patch:
        patch.undo()
        text = cards.dumps(inspect.inspect(net)).replace('region = "face"', 'region = "frame"')
    net.with_suffix(".toml").write_text(text)
    played = Played(gpu, str(net.with_suffix(".toml")), drawing, monkeypatch, settled)
    same_rate(played, without)
    check_told(played.told, "has grown")


def test_it_leaks_memory_that_nobody_can_see(gpu, tmp_path, drawing, without, monkeypatch):
    """Each run keeps 300 MB; the net is opened anew, in its own thread, and told of once."""
    card = str(nets.with_card(nets.scale_net(tmp_path / "turn.onnx")))
    asked, opened, real = [0], [], session.Net._open

    def resident():  # before and after each run
        asked[0] += 1
        return 300_000_000 * (asked[0] // 2)

    def open_(self):
        opened.append(threading.current_thread().name)
        return real(self)

    monkeypatch.setattr(memory, "resident", resident)
    monkeypatch.setattr(session.Net, "_open", open_)
    played = Played(gpu, card, drawing, monkeypatch, settled)
    same_rate(played, without)
    check_told(played.told, "its runs have kept 1200 MB")
    assert opened[0] == "kfx-net-open"
    assert 2 <= len(opened) <= 1 + FRAMES // 4
    assert set(opened[1:]) == {"kfx-net"}


def test_a_net_that_wants_more_memory_than_there_is_fails_alone(tmp_path, monkeypatch):
    """What a net computes in comes from an arena with an end."""
    if not providers.runtime() or not providers._bounded:
        pytest.skip("this onnxruntime has no arena that could be given a limit")
    count = memory.limit() // 4 + (1 << 20)  # floats: just above the limit
    weights = [("many", np.int64([count])), ("zero", np.float32(0)), ("flat", np.int64([-1]))]
    nodes = [
        nets.node("ReduceMean", ["x"], ["mean"], keepdims=0),
        nets.node("Expand", ["mean", "many"], ["huge"]),
        nets.node("ReduceMean", ["huge"], ["back"], keepdims=0),
        nets.node("Mul", ["back", "zero"], ["nothing"]),
        nets.node("Add", ["x", "nothing"], ["y"]),
    ]
    shape = [1, 3, 16, 16]
    net = nets.save(tmp_path / "huge.onnx", nodes, [("x", shape)], [("y", shape)], weights)
    from kfx.neural import card as cards

    card = cards.load(nets.with_card(net, size=(16, 16)))
    before = memory.resident()
    with pytest.raises(KfxError, match="it wants more memory than the"):
        session.Net(card, SIZE)
    assert memory.resident() - before < 200_000_000


def test_memory_of_nets_that_are_gone_is_given_back(tmp_path):
    if not providers.runtime() or not providers._bounded or not memory.resident():
        pytest.skip("nothing to ask here")
    weights = [("many", np.int64([40_000_000])), ("zero", np.float32(0))]
    nodes = [
        nets.node("ReduceMean", ["x"], ["mean"], keepdims=0),
        nets.node("Expand", ["mean", "many"], ["large"]),
        nets.node("ReduceMean", ["large"], ["back"], keepdims=0),
        nets.node("Mul", ["back", "zero"], ["nothing"]),
        nets.node("Add", ["x", "nothing"], ["y"]),
    ]
    shape = [1, 3, 16, 16]
    net = nets.save(tmp_path / "large.onnx", nodes, [("x", shape)], [("y", shape)], weights)
    from kfx.neural import card as cards

    providers.shrink()
    before = memory.resident()
    session.Net(cards.load(nets.with_card(net, size=(16, 16))), SIZE)
    kept = memory.resident() - before
    providers.shrink()
    assert memory.resident() - before < max(0.5 * kept, 60_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness of their own")
def test_the_net_draws_back_behind_the_drawing(gpu, tmp_path, monkeypatch):
    """Opening and running it, and the threads that onnxruntime starts meanwhile, are nicer."""
    card = str(nets.with_card(nets.scale_net(tmp_path / "turn.onnx")))
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    wanted = min(19, own + NICENESS)
    seen, real = {}, session.Net.run

    def run(self, *given):
        tid = threading.get_native_id()
        seen[threading.current_thread().name] = os.getpriority(os.PRIO_PROCESS, tid)
        return real(self, *given)

    monkeypatch.setattr(session.Net, "run", run)
    with Chain(gpu, preset_of(card), SIZE, pace=Threaded) as chain:
        for i in range(3):
            chain.render(tick_of(frame_of(PIXELS, i), [face_at()], 1 / 30 if i else 0.0))
            settled(chain)
    assert seen == {"kfx-net-open": wanted, "kfx-net": wanted}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    cores = len(os.sched_getaffinity(0))
    assert providers.threads() == max(1, cores - 1)
    options = providers.options(4)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    ("region", "drawer"), [("face", reproject.Reprojector), ("frame", reflow.Reflow)]
)
def test_results_are_rehearsed_before_the_show(gpu, tmp_path, monkeypatch, region, drawer):
    """The first result costs no more than later ones: all of it was drawn once, and forgotten."""
    drawn, name = [], "draw"
    real = getattr(drawer, name)
    monkeypatch.setattr(drawer, name, lambda *a, **k: (drawn.append(k["fade"]), real(*a, **k)))
    size = {"size": (96, 96)} if region == "face" else {}
    shape = (1, 3, 96, 96) if region == "face" else ("N", 3, "H", "W")
    card = nets.with_card(nets.scale_net(tmp_path / "x.onnx", shape=shape), region=region, **size)
    with Chain(gpu, preset_of(str(card)), SIZE, pace=Threaded) as chain:
        assert len(drawn) == TICKS - 2  # asked; answered, faded in from 0; drawn
        assert "hz" not in chain.nets[0]
        tick = tick_of(frame_of(PIXELS), [face_at()], 0.0)
        assert (np.array(chain.render(tick)) == PIXELS).all()
        assert len(drawn) == TICKS - 2
        assert chain.news() == []


def test_a_net_is_opened_while_pictures_are_drawn(gpu, tmp_path, monkeypatch):
    """A look that comes compiles a step a frame; the net is opened beside it meanwhile."""
    from kfx.engine.look.look import Look

    card = str(nets.with_card(nets.scale_net(tmp_path / "turn.onnx")))
    go, real = threading.Event(), session.Net._open

    def open_(self):
        go.wait(LONG_S)
        return real(self)

    monkeypatch.setattr(session.Net, "_open", open_)
    ticks = [tick_of(frame_of(PIXELS, i), [], 1 / 30 if i else 0.0) for i in range(400)]
    with Look(gpu, Preset("none", "", ()), SIZE, pace=Threaded) as look:
        look.change(preset_of(card))
        for tick in ticks[:FRAMES]:
            assert (np.array(look.render(tick)) == PIXELS).all()
        assert not look.settled
        go.set()
        for tick in ticks[FRAMES:]:
            look.render(tick)
            if look.settled:
                break
        assert look.settled
        assert look.nets
