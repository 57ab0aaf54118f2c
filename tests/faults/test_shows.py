"""A show goes on whatever breaks: what is seen, what is told once, and how it recovers."""

from __future__ import annotations

import errno
import itertools
import re
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx import assets, clock, effects, presets, sinks, sources
from kfx.engine import live
from kfx.engine.look.chain import Chain
from kfx.engine.loop import capture
from kfx.engine.loop.switches import Switches
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError
from kfx.render import canary, isf
from kfx.render.gpu import Gpu
from kfx.sinks import rescue
from kfx.tracking.tracker import Tracker
from kfx.types import Frame
from tests.faces import face_at, picture
from tests.faults import faulty
from tests.faults.faulty import Camera, Sink
from tests.looks import preset_of
from tests.shows import Shown

CLEAN = presets.load("none")
pytestmark = pytest.mark.gl


@pytest.fixture
def show(monkeypatch):
    """Run a camera into named sinks, or real ones; returns the stats."""
    monkeypatch.setattr(capture, "RETRY_S", 0.02)
    real, kind_of = sinks.open, sinks.kind_of

    def run(camera, ends=(), *specs, preset=CLEAN, **options):
        ends = dict(ends)
        if "rate" not in options:  # which leaves frames out
            camera.shown = Shown(monkeypatch)
        monkeypatch.setattr(live.sinks, "open", faulty.opening(ends, real))
        monkeypatch.setattr(
            live.sinks, "kind_of", lambda spec: "null" if spec in ends else kind_of(spec)
        )
        return live.run(camera, preset, [*ends, *specs], tracker="truth", **options)

    return run


def sane(sink: Sink) -> None:
    """What every sink may rely on."""
    times = [shot.tick.time for shot in sink.shots]
    assert all(b > a for a, b in itertools.pairwise(times))
    assert {shot.pixels.shape for shot in sink.shots} == {(36, 64, 4)}
    assert {shot.pixels.dtype for shot in sink.shots} == {np.dtype(np.uint8)}


def told(stats, words: str) -> int:
    """How many pieces of news match, but those that say that it has happened again."""
    new = [text for text in stats.warnings if not re.search(r" \(again, \d+\w\w time\)$", text)]
    return sum(bool(re.search(words, text)) for text in new)


@pytest.mark.parametrize(
    ("fault", "words", "openings"),
    [
        (
            "unplugged",
            r"^camera:faulty: it stopped sending; plug it in again \(it is opened again",
            2,
        ),
        ("crash", r"^capture: MemoryError\('driver'\) \(it is opened again by itself\)$", 2),
        ("stall", "", 1),
        ("size", r"^capture: the source sends 96x40 now, fitted into 64x36; start kfx again", 1),
        ("shape", r"^capture: a frame of the shape \(36, 64, 3\)", 1),
        ("dtype", r"^capture: a frame of float32", 1),
        ("empty", r"^capture: a frame of the shape \(0, 64, 4\)", 1),
        ("backwards", "^capture: the source's clock jumped; the show's time goes on$", 1),
        ("forwards", "^capture: the source's clock jumped; the show's time goes on$", 1),
        ("nan", "", 1),
        ("nobody", "", 1),
        ("twenty", "", 1),
    ],
)
def test_a_camera_at_fault(show, fault, words, openings):
    camera, sink = Camera({20: fault, 40: fault}), Sink()
    stats = show(camera, {"a": sink}, preset=presets.load("supernova"))
    sane(sink)
    assert told(stats, words) == 1 or not words
    assert camera.opened == 2 * openings - 1
    assert sink.ended == "closed"
    # Every frame was shown or is counted among the drops.
    lost = {"unplugged": 2, "crash": 2}.get(fault, 0)
    assert stats.frames + sum(stats.dropped.values()) - stats.dropped.get("track.nan", 0) >= (
        60 - lost
    )
    last = sink.shots[-1].tick.frame
    assert last.index >= 55
    assert sink.shots[-1].tick.time - sink.shots[0].tick.time < 3000  # whatever its clock did
    assert stats.state["source"] == "ok"


def test_what_a_stalled_camera_leaves_is_filled(show):
    sink = Sink()
    stats = show(Camera({30: "stall"}), {"a": sink})
    assert stats.repeated > 5
    sane(sink)


def test_a_camera_that_ends_ends_the_show(show):
    sink = Sink()
    stats = show(Camera({30: "end"}), {"a": sink})
    own = [shot for shot in sink.shots if not shot.filler]
    assert 10 < len(own) <= 30
    assert stats.warnings == []


def test_nobody_and_a_crowd(show):
    sink = Sink()
    stats = show(Camera({15: "nobody", 30: "twenty"}, count=45), {"a": sink})
    counts = {len([f for f in shot.tick.faces if f.found]) for shot in sink.shots}
    assert {0, 1} <= counts
    assert 2 < stats.max_faces <= 20
    assert len(sink.shots) >= 20


def test_the_systems_clock_is_set_back_by_an_hour(show, monkeypatch):
    """A laptop finds its time server in the middle of a show: nothing of it goes by that clock."""
    real = time.time

    class Setting(Sink):
        def write(self, shot):
            super().write(shot)
            if len(self.shots) == 20:
                monkeypatch.setattr(time, "time", lambda: real() - 3600)

    sink = Setting()
    stats = show(Camera({}), {"a": sink}, preset=presets.load("supernova"), rate=Fraction(100))
    sane(sink)
    assert stats.warnings == []
    times = [shot.tick.time for shot in sink.shots]
    assert max(b - a for a, b in itertools.pairwise(times)) < 10


def test_no_face_for_an_hour_and_then_one():
    """An empty stage, a frame a second: the plate to the bit; the face that comes is drawn."""
    face, seen, pixels = face_at(32, 15, 8), [], picture(64, 36)
    look = preset_of("liquify", "iris_nova")
    with Tracker("truth") as tracker, Gpu() as gpu, Chain(gpu, look, (64, 36)) as chain:
        ticks = Ticks()
        for number in range(3603):
            truth = (face,) if number == 0 or number > 3600 else ()
            frame = Frame(pixels, number, Fraction(number), 0.0, truth=truth)
            tick = ticks.tick(frame, tracker.track(frame))
            drawn = chain.render(tick)
            seen.append([one.slot for one in tick.faces if one.found])
            assert not 2 < number < 3601 or drawn is pixels
    assert seen[0] == seen[-1] == [0]
    assert not any(seen[1:-2])
    assert (drawn != pixels).any()


def test_a_sink_that_fails_and_a_slow_one_cost_the_others_nothing(show):
    ends = {"good": Sink(), "gone": Sink({5: "raise"}), "slow": Sink({5: 0.1, 6: 0.1})}
    stats = show(Camera({}), ends)
    assert told(stats, r"^gone: the receiver is gone \(it is opened again by itself\)$") == 1
    assert len(ends["gone"].shots) == 5
    assert stats.dropped["slow"] > 0
    assert stats.dropped["good"] <= stats.dropped["slow"]
    assert ends["slow"].shots[-1].tick.frame.index >= 55
    assert [end.ended for end in ends.values()] == ["closed"] * 3


def test_a_full_disk_ends_the_recording_playable_and_not_the_show(show, monkeypatch, tmp_path):
    write = rescue.Disk.write

    def full_at_150_kb(disk, data):
        if disk.tell() + len(data) > 150_000:
            disk.error = disk.error or OSError(errno.ENOSPC, "No space left on device")
        return write(disk, data)

    monkeypatch.setattr(rescue.Disk, "write", full_at_150_kb)
    monkeypatch.setitem(rescue.OPTIONS, "frag_duration", "100000")
    path, sink = tmp_path / "take.mp4", Sink()
    camera = Camera({}, count=250)
    camera.noisy = True
    stats = show(camera, {"a": sink}, str(path))
    assert (
        told(stats, r"^[^:]*take\.mp4: the disk is full; .*what was recorded before is kept$") == 1
    )
    assert stats.state[str(path)] == "failed"
    assert "the disk is full" in stats.report()["failed"][str(path)]
    assert sink.shots[-1].tick.frame.index > 240
    with sources.open(str(path)) as film:
        assert len(list(film.frames())) > 20
    assert [one.name for one in tmp_path.iterdir()] == ["take.mp4"]


@pytest.mark.parametrize("method", ["draw", "read"])
def test_a_single_fault_of_an_effect_costs_a_single_frame(show, monkeypatch, method):
    real, calls = getattr(live.Chain, method), []

    def broken(self, *arguments):
        calls.append(1)
        if len(calls) == 8:
            raise RuntimeError("GL_OUT_OF_MEMORY")
        return real(self, *arguments)

    monkeypatch.setattr(live.Chain, method, broken)
    camera, sink = Camera({}, count=200), Sink()
    stats = show(camera, {"a": sink}, preset=presets.load("supernova"))
    own = [shot for shot in sink.shots if not shot.filler]
    plates = [bool((shot.pixels == camera.pixels).all()) for shot in own]
    assert sum(plates) == stats.dropped["render.bypassed"] == 1
    assert told(stats, "^effects bypassed: GL_OUT_OF_MEMORY; tried again later$") == 1
    sane(sink)


def test_an_effect_that_is_too_slow_is_left_out(show, monkeypatch):
    render = live.Chain.render

    def slow(self, tick):
        clock.pause(0.1)  # LEAST_BUDGET_S
        return render(self, tick)

    monkeypatch.setattr(live.Chain, "render", slow)
    camera, sink = Camera({}, count=40), Sink()
    stats = show(camera, {"a": sink}, preset=presets.load("supernova"))
    assert told(stats, "effects bypassed: slower than 100 ms five frames running") == 1
    assert (sink.shots[-1].pixels == camera.pixels).all()
    assert sink.shots[-1].tick.frame.index > 30


@pytest.mark.parametrize(
    ("drive", "words"),
    [
        (lambda face: face.landmarks * np.float32(np.nan), "drives landmarks to where no number"),
        (lambda face: face.landmarks[999], "index 999 is out of bounds"),
    ],
)
def test_a_motion_at_fault_goes_alone(show, monkeypatch, drive, words):
    kind = effects.find("liquify").source
    monkeypatch.setattr(kind, "drive", lambda self, face, tick: drive(face))
    camera, sink, without = Camera({}), Sink(), Sink()
    look = preset_of("liquify", "film")
    stats = show(camera, {"a": sink}, preset=look)
    show(Camera({}), {"b": without}, preset=preset_of("film"))
    assert told(stats, rf"^chain\[0\] \(liquify\): {words}.*; left out$") == 1
    assert stats.state["effects"] == "chain[0] (liquify) left out; trying again later"
    assert stats.dropped["render.bypassed"] == 5, "from then on it isn't tried"
    both = {shot.tick.frame.index: shot for shot in without.shots}
    shots = [shot for shot in sink.shots if shot.tick.frame.index in both]
    assert len(shots) > 20
    for shot in shots:
        film = both[shot.tick.frame.index].pixels[..., :3].astype(int)
        assert abs(shot.pixels[..., :3] - film).mean() < 3.0, "the film is still on it"
        assert abs(shot.pixels[..., :3].astype(int) - camera.pixels[..., :3]).mean() > 1.0
    sane(sink)


def test_a_sink_that_can_not_be_closed_costs_neither_the_others_nor_the_report(show):
    class Stuck(Sink):
        def close(self):
            raise OSError("device busy")

    ends = {"stuck": Stuck(), "good": Sink()}
    stats = show(Camera({}, count=20), ends)
    assert told(stats, "^stuck: device busy$") == 1
    assert (stats.state["stuck"], stats.state["good"]) == ("failed", "ok")
    assert ends["good"].ended == "closed"
    assert stats.frames > 10


def test_what_a_reader_of_a_sink_asks_for_holds_for_the_whole_show(show):
    sink, asked, switches = Sink(), [], Switches()
    sink.on_command = sink.show_mode = None

    def command(verb, value):
        asked.append((verb, value))
        return True

    def status(stats):
        sink.on_command("preset", "film")

    show(Camera({}, count=200), {"a": sink}, status=status, command=command)
    assert ("preset", "film") in asked
    show(Camera({}, count=20), {"a": sink}, switches=switches)  # nobody there knows presets
    assert sink.on_command("mode", "black")
    assert (switches.mode, sink.show_mode()) == ("black", "black")
    assert not sink.on_command("preset", "film")


def test_pinned_names_route_from_the_first_frame_on(show):
    look = preset_of("halftone")
    look = replace(look, chain=(replace(look.chain[0], slots=("mina",)),))
    seen = {}
    for pins in ({0: "mina"}, {0: "jisoo"}):
        sink = Sink()
        show(Camera({}, count=20), {"a": sink}, preset=look, pins=pins)
        seen[pins[0]] = sink.shots[-1].pixels
    assert (seen["jisoo"] == Camera({}).pixels).all()
    assert (seen["mina"] != seen["jisoo"]).any()


HEAD = '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'


def test_a_shader_that_does_not_compile_is_named_with_its_line(show, tmp_path):
    path = tmp_path / "broken.fs"
    path.write_text(HEAD + "void main() { gl_FragColor = vec4(undeclared); }")
    with pytest.raises(KfxError, match=r"broken\.fs.*2.*undeclared"):
        show(Camera({}), {"a": Sink()}, preset=presets.load(str(path)))
    with pytest.raises(KfxError, match=r"broken\.fs.*2.*undeclared"):
        canary.prove([isf.load(path)], (64, 36), 10.0)
    canary.stop()


def test_a_preset_that_is_half_written_is_an_error_or_a_preset(tmp_path):
    """An editor may save in pieces: every prefix is either refused with its name or works."""
    text = (assets.folder("presets") / "supernova.toml").read_bytes()
    path = tmp_path / "look.toml"
    refusals = []
    for end in range(0, len(text), 11):
        path.write_bytes(text[:end])
        try:
            presets.load(str(path))
        except KfxError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert all("look.toml" in refusal for refusal in refusals)


def test_rates_of_fraction(show):
    """A camera of 59.94 into sinks at 23.976: nothing is owed."""
    sink = Sink()
    stats = show(Camera({}, count=100), {"a": sink}, rate=Fraction(24000, 1001))
    sane(sink)
    span_s = sink.shots[-1].tick.time - sink.shots[0].tick.time
    assert len(sink.shots) <= 1.5 + 24 / 1.001 * span_s
    assert len(sink.shots) < 80, "a busy machine's camera is late"
    assert stats.frames <= 100
