"""Switches, modes, rates and the governor in a running show."""

import gc
import threading
from fractions import Fraction

import numpy as np
import pytest

from kfx import clock, presets
from kfx.engine import live
from kfx.engine.loop import capture
from kfx.engine.loop.governor import Lever
from kfx.engine.loop.switches import Switches
from kfx.errors import KfxError, UsageError
from kfx.tracking.tracker import Tracker
from kfx.types import Frame
from tests import shows
from tests.faces import face_at
from tests.shows import PIXELS, Camera, Sink
from tests.waiting import LONG_S

GREY = np.full_like(PIXELS, 77)


@pytest.fixture
def show(monkeypatch):
    """Run a source into named sinks; returns the stats."""
    return shows.stage(monkeypatch)


@pytest.fixture
def drawn(monkeypatch):
    """Chains paint grey; `calls` are their ticks. `before` runs inside each."""
    calls = []

    def render(self, tick):
        calls.append(tick)
        for act in render.before:
            act(len(calls))
        return np.broadcast_to(GREY[:1, :1], (self.size[1], self.size[0], 4))

    render.before = []
    monkeypatch.setattr(live.Chain, "render", render)
    calls.append(None)  # the warm-up's is not counted
    calls.clear()
    render.calls = calls
    return render


def levels(sink):
    """What each shot shows: "plate", or the level of its first pixel."""
    return [
        "plate" if (shot.pixels == PIXELS).all() else int(shot.pixels[0, 0, 0])
        for shot in sink.shots
    ]


class Steps(Sink):
    """A sink that acts on the n-th shot, and ends the show after `count` of them.

    Of a camera's frames a busy machine shows only some.
    """

    def __init__(self, count=60, **acts):
        super().__init__()
        self.over = threading.Event()
        self._acts = {int(name[2:]): act for name, act in acts.items()} | {count: self.over.set}

    def write(self, shot):
        super().write(shot)
        self._acts.get(len(self.shots), lambda: None)()


def test_panic_is_the_plate_within_a_frame_and_asks_neither_tracker_nor_chain(
    show,
    drawn,
    monkeypatch,
):
    switches, asked, before = Switches(), [], []

    def panic():
        switches.panic()
        before.extend((len(drawn.calls), len(asked)))

    sink = Steps(40, at5=panic)
    track = Tracker.track
    monkeypatch.setattr(
        Tracker, "track", lambda self, frame: asked.append(frame.index) or track(self, frame)
    )
    stats = show(lambda: Camera(10_000), {"a": sink}, switches=switches, stop=sink.over)
    shown = levels(sink)
    first = shown.index("plate")
    assert set(shown[:5]) == {77}
    assert first <= 7, "one may be on its way to the sink, one be drawn"
    assert set(shown[first:]) == {"plate"}
    assert len(drawn.calls) <= before[0] + 1, "the one that was on its way"
    assert len(asked) <= before[1] + 1
    assert stats.report()["output"] == "clean"


def test_panic_wins_over_a_picture_that_is_being_drawn(show, drawn):
    switches = Switches()
    drawn.before.append(lambda n: n == 6 and switches.panic())
    sink = Steps(30)
    show(lambda: Camera(10_000), {"a": sink}, switches=switches, stop=sink.over)
    during = drawn.calls[5].frame.index
    shown = [shot for shot in sink.shots if shot.tick.frame.index >= during]
    assert len(shown) > 5
    assert all((shot.pixels == PIXELS).all() for shot in shown)


def test_panic_reaches_the_sinks_while_the_chain_hangs(show, drawn):
    switches, release = Switches(), threading.Event()

    def hang(call):
        if call == 6:
            switches.panic()
            assert release.wait(LONG_S)

    drawn.before.append(hang)

    class Patient(Sink):
        def write(self, shot):
            super().write(shot)
            plates = levels(self).count("plate")
            if plates == 5:
                release.set()
            if plates == 30:
                stop.set()

    sink, stop = Patient(), threading.Event()
    show(lambda: Camera(10_000), {"a": sink}, switches=switches, stop=stop)
    assert release.is_set(), "plates came while the loop hung"
    times = [shot.tick.time for shot in sink.shots]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("mode", "shows", "draws"),
    [("bypass", "plate", False), ("black", 0, False), ("freeze", 77, False)],
)
def test_modes(show, drawn, mode, shows, draws):
    switches = Switches()
    sink = Steps(
        at5=lambda: switches.set(mode),
        at20=lambda: drawn.calls.append("back") or switches.set("live"),
    )
    show(lambda: Camera(10_000), {"a": sink}, switches=switches, stop=sink.over)
    shown = levels(sink)
    assert set(shown[8:18]) == {shows}
    assert set(shown[24:]) == {77}
    assert drawn.calls.index("back") <= 8
    if mode == "black":
        assert (sink.shots[12].pixels[..., 3] == 255).all()
    if mode == "bypass":
        assert sink.shots[12].tick.faces, "tracking goes on for data and for the way back"


def test_compare_shows_the_plate_and_draws_on(show, drawn):
    switches = Switches()
    sink = Steps(
        at5=lambda: setattr(switches, "hold", True), at20=lambda: setattr(switches, "hold", False)
    )
    show(lambda: Camera(10_000), {"a": sink}, switches=switches, stop=sink.over)
    shown = levels(sink)
    assert set(shown[8:18]) == {"plate"}
    assert set(shown[24:]) == {77}
    own = [shot for shot in sink.shots if not shot.filler]  # of the loop, not for one that is late
    assert len(drawn.calls) >= len(own) - 2


class Moving(Camera):
    """Its face moves 400 px a second to the right."""

    def frames(self):
        for frame in super().frames():
            face = face_at(10 + 400 * float(frame.time), 15, 8)
            yield Frame(frame.pixels, frame.index, frame.time, frame.captured, truth=(face,))


def test_latency_does_not_wait_for_the_tracker(show, monkeypatch):
    gate = threading.Event()
    track = Tracker.track

    def slow(self, frame):
        if frame.index > 5:
            gate.wait(LONG_S)
        return track(self, frame)

    monkeypatch.setattr(Tracker, "track", slow)
    sink = Steps(at30=gate.set)
    stats = show(lambda: Moving(10_000), {"a": sink}, mode="latency", stop=sink.over)
    assert gate.is_set()
    assert stats.report()["mode"] == "latency"
    assert any(shot.tick.faces for shot in sink.shots[3:30])


def test_exact_landmarks_belong_to_the_frame(show):
    sink = Sink()
    show(lambda: Moving(30), {"a": sink}, mode="exact")
    for shot in sink.shots:
        truth = shot.tick.frame.truth[0].landmarks[1, 0]
        # Smoothing costs less than half a frame, which is 2 px.
        assert shot.tick.faces[0].landmarks[1, 0] == pytest.approx(truth, abs=1.0)


def test_an_unknown_mode_is_refused(show):
    with pytest.raises(UsageError, match=r"'fast'.*exact or latency"):
        show(Camera, {"a": Sink()}, mode="fast")


@pytest.mark.parametrize("rate", [Fraction(60), Fraction(400)])
def test_any_source_rate_to_any_output_rate(show, rate):
    sink = Steps(int(rate))
    stats = show(lambda: Camera(10_000, hasty=True), {"a": sink}, rate=rate, stop=sink.over)
    report = stats.report()
    times = np.array([shot.tick.time for shot in sink.shots]) - sink.shots[0].tick.time
    assert np.allclose(times * float(rate), np.round(times * float(rate)), atol=1e-3)
    due = times[-1] * float(rate) + 1
    late = report["dropped_at"].get("output.late", 0)
    # On a busy machine the keeper steps in for pictures that are late.
    own = [shot for shot in sink.shots if not shot.filler]
    assert len(sink.shots) >= due - late - report["dropped_at"]["a"] - 1.01
    assert len(own) <= due - late + 1.01
    if rate > 200:
        assert stats.repeated > 0
        assert "capture.rate" not in stats.dropped
    else:
        assert stats.dropped["capture.rate"] > 0, "frames that the rate has no room for"
        assert stats.repeated < stats.frames


def test_while_a_camera_is_away_its_last_picture_goes_on(show, monkeypatch):
    monkeypatch.setattr(capture, "RETRY_S", 0.01)
    sink, cameras = Sink(), [Camera(20, lost=True), Camera(20)]

    def opener():
        if len(cameras) == 1 and len(sink.shots) < 40:
            raise KfxError("not there")
        return cameras.pop(0)

    stats = show(opener, {"a": sink})
    assert stats.repeated >= 15
    times = [shot.tick.time for shot in sink.shots]
    assert times == sorted(set(times))
    assert times[-1] - times[0] > 0.2, "the time that the camera was away counts"
    assert any("is back after" in warning for warning in stats.warnings)


def test_the_governor_gives_up_in_order_and_says_so(show, monkeypatch):
    applied, stop = [], threading.Event()
    monkeypatch.setattr(live.Chain, "render", lambda self, tick: clock.pause(0.012) or PIXELS)
    stats = show(
        lambda: Camera(4000, hasty=True),
        {"a": Sink()},
        mode="latency",
        govern=True,
        levers=[Lever("quality", ("all", "less"), lambda n: applied.append(n) or stop.set())],
        stop=stop,
    )
    said = [w.removeprefix("to hold the rate: ") for w in stats.warnings if "hold the" in w]
    assert said[:3] == ["tracking: every 2nd frame", "tracking: every 3rd frame", "quality: less"]
    assert applied[0] == 1
    assert stats.report()["governor"][0].startswith("tracking")


def test_the_governor_draws_smaller_and_the_output_keeps_its_size(show, monkeypatch):
    monkeypatch.setattr(live, "LEAST_SIDE", 16)
    sizes, render, stop = [], live.Chain.render, threading.Event()

    def slow(self, tick):
        sizes.append(self.size)
        if sizes.count((32, 18)) > 4:
            stop.set()
        clock.pause(0.012)
        return render(self, tick)

    monkeypatch.setattr(live.Chain, "render", slow)
    sink = Sink()
    show(
        lambda: Camera(4000, hasty=True),
        {"a": sink},
        presets.load("supernova"),
        govern=True,
        stop=stop,
    )
    assert sizes[-1] == (32, 18)
    assert sizes[3:] == sorted(sizes[3:], reverse=True), "one step after the other"
    assert {shot.pixels.shape for shot in sink.shots} == {PIXELS.shape}


def test_a_recording_keeps_its_size(show, monkeypatch):
    monkeypatch.setattr(live, "LEAST_SIDE", 16)
    monkeypatch.setattr(live.Chain, "render", lambda self, tick: clock.pause(0.012) or PIXELS)
    stats = show(lambda: Camera(60), {"a": Sink()}, kinds="file", govern=True)
    assert stats.report()["governor"] == []


def test_the_collector_is_as_it_was(show):
    frozen = gc.get_freeze_count()
    show(lambda: Camera(5), {"a": Sink()})
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_a_look_is_changed_while_it_is_shown(show):
    looks, stop = [], threading.Event()

    class Watching(Steps):
        def write(self, shot):
            super().write(shot)
            if len(self.shots) > 5 and levels(self)[-1] == "plate":
                stop.set()

    sink = Watching(at5=lambda: looks[0].change(presets.load("none")))
    show(
        lambda: Camera(10_000),
        {"a": sink},
        presets.load("supernova"),
        on_look=looks.append,
        stop=stop,
        seconds=LONG_S,
    )
    assert "plate" not in levels(sink)[:4]
    assert stop.is_set()
    assert levels(sink)[-1] == "plate"
