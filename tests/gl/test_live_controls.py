"""Controls of a running show: what is sent is seen in the picture, and nothing sent stops it."""

import json
import socket
import threading
import urllib.request

import numpy as np
import pytest

from kfx import presets
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.loop.switches import Switches
from kfx.sync import osc_packet
from kfx.sync.oscquery_client import Client
from tests import shows
from tests.shows import PIXELS, Camera, Sink
from tests.waiting import LONG_S, until

FLASH = """version = 1
[[chain]]
effect = "flash"
mix = { base = 0.0, "osc.fader1" = 1.0 }
[[chain]]
effect = "film"
mix = 0.0
"""


class Watched(Sink):
    """A sink that wakes whoever waits for a picture that fits."""

    def __init__(self):
        super().__init__()
        self._news = threading.Condition()

    def write(self, shot):
        with self._news:
            self.shots.append(shot)
            self._news.notify_all()

    def until(self, fits):
        """The first picture from now on that fits."""
        start = len(self.shots)
        with self._news:
            found = self._news.wait_for(
                lambda: next((s for s in self.shots[start:] if fits(s)), None), LONG_S
            )
        assert found is not None, "no such picture came"
        return found


class Stage:
    """A show that runs in a thread, as long as the `with` block does."""

    def __init__(self, monkeypatch, preset, inputs=None, **options):
        self.sink, self.switches, self.stop = Watched(), Switches(), threading.Event()
        inputs = inputs or Inputs(osc_in=("127.0.0.1", 0))
        self.session = Session(inputs, self.switches, frame_s=1 / 200)
        self._run = shows.stage(monkeypatch)
        self._preset, self._options, self._begun = preset, options, threading.Event()
        self._thread = threading.Thread(target=self._go)
        self.stats, self.error = None, None

    def _go(self):
        def ready(stats, sinks):
            self.session.ready(stats)
            self._begun.set()

        try:
            self.stats = self._run(
                lambda: Camera(count=100_000),
                {"a": self.sink},
                self._preset,
                switches=self.switches,
                ticks=self.session.ticks,
                on_look=self.session.begin,
                ready=ready,
                stop=self.stop,
                **self._options,
            )
        except BaseException as error:
            self.error = error
        finally:
            self._begun.set()

    def __enter__(self):
        self._thread.start()
        assert self._begun.wait(LONG_S)
        assert self.error is None, self.error
        self.port = int(self.session.url.rsplit(":", 1)[1].strip("/"))
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self._thread.join(LONG_S)
        self.session.close()

    def send(self, address, *values):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(osc_packet.write(address, values), ("127.0.0.1", self.port))


def clean(shot):
    return (shot.pixels == PIXELS).all()


def test_a_show_is_played_by_osc_and_oscquery(monkeypatch, tmp_path):
    path = tmp_path / "flash.toml"
    path.write_text(FLASH)
    with Stage(monkeypatch, presets.load(str(path))) as stage, Client(port=stage.port) as client:
        sink = stage.sink
        assert clean(sink.until(lambda shot: True))

        # A fader that the preset follows, listed because it does.
        assert "/kfx/v1/osc/fader1" in [one["FULL_PATH"] for one in client.methods()]
        stage.send("/kfx/v1/osc/fader1", 1.0)
        lit = sink.until(lambda shot: not clean(shot))
        assert lit.tick.signals["osc.fader1"] == 1.0
        stage.send("/kfx/v1/osc/fader1", 0.0)
        sink.until(clean)

        # A knob, raw; and its undo.
        client.set("/kfx/v1/film/mix", 1.0)
        sink.until(lambda shot: not clean(shot))
        client.set("/kfx/v1/undo")
        sink.until(clean)

        # Panic, black, and back.
        client.set("/kfx/v1/film/mix", 1.0)
        sink.until(lambda shot: not clean(shot))
        stage.send("/kfx/v1/panic")
        sink.until(clean)
        client.set("/kfx/v1/mode", "black")
        sink.until(lambda shot: not shot.pixels[..., :3].any())
        client.set("/kfx/v1/mode", "live")
        sink.until(lambda shot: not clean(shot) and shot.pixels[..., :3].any())

        # An editor saves the file.
        path.write_text(FLASH.replace("mix = 0.0\n", "mix = 0.0\ngrain = 0.1\n"))
        sink.until(clean)
        assert client.node("/kfx/v1/chain/1/film/grain")["VALUE"] == [0.1]
        path.write_text("version = 1\n[[chain]\n")
        until(lambda: any("flash.toml" in one for one in stage.session._stats.warnings))
        assert clean(sink.until(lambda shot: True))

        # Nonsense changes nothing.
        stage.send("/kfx/v1/film/mix", 99.0)
        stage.send("/nonsense", "x")
        client.set("/kfx/v1/song/bpm", 90)
        assert clean(sink.until(lambda shot: True))
        before = sink.until(lambda shot: True).tick
        since = before.frame.captured
        later = sink.until(lambda shot: shot.tick.frame.captured > since + 0.3).tick
        tempo = (later.beat - before.beat) / (later.frame.captured - since)
        assert tempo == pytest.approx(1.5, abs=0.05)
    assert stage.stats.show["control"]["osc"]["refused"] == 2
    assert stage.stats.frames > 50
    indices = [shot.tick.index for shot in sink.shots]
    assert indices == sorted(indices)


def test_a_preset_is_changed_while_the_show_runs(monkeypatch):
    with Stage(monkeypatch, shows.CLEAN) as stage, Client(port=stage.port) as client:
        assert clean(stage.sink.until(lambda shot: True))
        client.set("/kfx/v1/preset", "ballad_film")
        stage.sink.until(lambda shot: not clean(shot))
        stage.session.desk.load("none")
        stage.sink.until(clean)
        with urllib.request.urlopen(stage.session.url, timeout=LONG_S) as answer:
            assert json.loads(answer.read())["FULL_PATH"] == "/"


def test_two_shows_at_once_have_two_ports(monkeypatch):
    inputs = Inputs(osc_in=("127.0.0.1", 19600), exact_port=False)
    with Stage(monkeypatch, shows.CLEAN, inputs) as stage:
        other = Session(inputs, Switches())
        other.begin(stage.session.look)
        assert other.url != stage.session.url
        other.close()
    assert np.array_equal(stage.sink.shots[0].pixels, PIXELS)


def test_a_preset_that_fails_is_left_for_one_that_does_not(monkeypatch):
    """The running look raises at every frame; the next one comes all the same."""
    from kfx.engine.look.chain import Chain

    draw = Chain.render

    def broken(self, tick):
        if any(link.effect.name == "flash" for link in self.knobs.preset.chain):
            raise RuntimeError("it always fails")
        return draw(self, tick)

    monkeypatch.setattr(Chain, "render", broken)
    preset = presets.alone(presets.effects.find("flash"))
    with Stage(monkeypatch, preset) as stage:
        until(lambda: "bypassed" in stage.session._stats.state["effects"])
        assert clean(stage.sink.until(lambda shot: True))
        stage.session.desk.load("ballad_film")
        stage.sink.until(lambda shot: not clean(shot))
