"""A show goes on whatever breaks: what is seen, what is told once, and how it recovers."""

from __future__ import annotations

import errno
import itertools
import re
from fractions import Fraction

import numpy as np
import pytest

from kfx import assets, clock, presets, sinks, sources
from kfx.engine import capture, live
from kfx.errors import KfxError
from kfx.render import canary
from kfx.sinks import rescue
from tests.faults import faulty
from tests.faults.faulty import Camera, Sink

CLEAN = presets.load("none")
pytestmark = pytest.mark.gl


@pytest.fixture
def show(monkeypatch):
    """Run a camera into named sinks, or real ones; returns the stats."""
    monkeypatch.setattr(capture, "RETRY_S", 0.02)
    real, kind_of = sinks.open, sinks.kind_of

    def run(camera, ends=(), *specs, preset=CLEAN, **options):
        ends = dict(ends)
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
    return sum(bool(re.search(words, warning)) for warning in stats.warnings)


@pytest.mark.parametrize(
    ("fault", "words", "openings"),
    [
        ("unplugged", r"^camera:faulty: it stopped sending; plug it in again$", 2),
        ("crash", r"^capture: MemoryError\('driver'\)$", 2),
        ("stall", "", 1),
        ("size", "", 1),
        ("shape", r"^capture: a frame of the shape \(36, 64, 3\)", 1),
        ("dtype", r"^capture: a frame of float32", 1),
        ("empty", r"^capture: a frame of the shape \(0, 64, 4\)", 1),
        ("backwards", "^capture: the source's clock ran backwards", 1),
        ("forwards", "", 1),
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
    assert stats.state["source"] == "ok"


def test_what_a_stalled_camera_leaves_is_filled(show):
    sink = Sink()
    stats = show(Camera({30: "stall"}), {"a": sink})
    assert stats.repeated > 5
    sane(sink)


def test_a_camera_that_ends_ends_the_show(show):
    sink = Sink()
    stats = show(Camera({30: "end"}), {"a": sink})
    assert 10 < len(sink.shots) <= 30
    assert stats.warnings == []


def test_nobody_and_a_crowd(show):
    sink = Sink()
    stats = show(Camera({15: "nobody", 30: "twenty"}, count=45), {"a": sink})
    counts = {len([f for f in shot.tick.faces if f.found]) for shot in sink.shots}
    assert {0, 1} <= counts
    assert 2 < stats.max_faces <= 20
    assert len(sink.shots) >= 20


def test_a_sink_that_fails_and_a_slow_one_cost_the_others_nothing(show):
    ends = {"good": Sink(), "gone": Sink({5: "raise"}), "slow": Sink({5: 0.1, 6: 0.1})}
    stats = show(Camera({}), ends)
    assert told(stats, "^gone: the receiver is gone$") == 1
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
    assert told(stats, r"take\.mp4: .*the disk is full; .*what was recorded before is kept$") == 1
    assert stats.state[str(path)] == "failed"
    assert sink.shots[-1].tick.frame.index > 240
    with sources.open(str(path)) as film:
        assert len(list(film.frames())) > 20
    assert [one.name for one in tmp_path.iterdir()] == ["take.mp4"]


@pytest.mark.parametrize("method", ["draw", "read"])
def test_a_single_fault_of_an_effect_costs_a_single_frame(show, monkeypatch, method):
    real, calls = getattr(live.Chain, method), []

    def broken(self, *arguments):
        calls.append(1)
        if len(calls) == 20:
            raise RuntimeError("GL_OUT_OF_MEMORY")
        return real(self, *arguments)

    monkeypatch.setattr(live.Chain, method, broken)
    camera, sink = Camera({}), Sink()
    stats = show(camera, {"a": sink}, preset=presets.load("supernova"))
    plates = [bool((shot.pixels == camera.pixels).all()) for shot in sink.shots]
    assert sum(plates) == stats.dropped["render.bypassed"] == 1
    assert told(stats, "^effects bypassed: GL_OUT_OF_MEMORY$") == 1
    sane(sink)


def test_an_effect_that_is_too_slow_is_left_out(show, monkeypatch):
    render = live.Chain.render

    def slow(self, tick):
        clock.pause(0.1)  # LEAST_BUDGET_S
        return render(self, tick)

    monkeypatch.setattr(live.Chain, "render", slow)
    camera, sink = Camera({}, count=300), Sink()
    stats = show(camera, {"a": sink}, preset=presets.load("supernova"))
    assert told(stats, "effects bypassed: slower than 100 ms five frames running") == 1
    assert (sink.shots[-1].pixels == camera.pixels).all()
    assert sink.shots[-1].tick.frame.index > 290


def test_a_motion_that_makes_nan_is_no_black_picture(show, monkeypatch):
    from kfx.render.warp import Warp

    assert Warp  # what would be fed with it
    preset = presets.with_settings(presets.load("supernova"), [])
    motions = [link for link in preset.chain if hasattr(link.effect.source, "drive")]
    if not motions:
        pytest.skip("supernova has no motion effect")
    kind = motions[0].effect.source
    monkeypatch.setattr(
        kind, "drive", lambda self, face, tick: np.full_like(face.landmarks, np.nan)
    )
    camera, sink = Camera({}), Sink()
    show(camera, {"a": sink}, preset=preset)
    for shot in sink.shots:
        assert shot.pixels[..., :3].mean() > 0.5 * camera.pixels[..., :3].mean()
    sane(sink)


HEAD = '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'


def test_a_shader_that_does_not_compile_is_named_with_its_line(show, tmp_path):
    path = tmp_path / "broken.fs"
    path.write_text(HEAD + "void main() { gl_FragColor = vec4(undeclared); }")
    with pytest.raises(KfxError, match=r"broken\.fs.*2.*undeclared"):
        show(Camera({}), {"a": Sink()}, preset=presets.load(str(path)))
    with pytest.raises(KfxError, match=r"broken\.fs.*2.*undeclared"):
        canary.prove([path], (64, 36), 10.0)
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
    assert len(sink.shots) < 40
    assert stats.frames <= 100
