"""The live loop: frames reach every sink in time order, and nothing that breaks stops the show."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from kfx import presets
from kfx.engine import live
from kfx.engine.loop import capture, deliver
from kfx.engine.loop.show import Show
from kfx.errors import KfxError
from kfx.tracking.tracker import Tracker
from tests import shows
from tests.shows import PIXELS, Camera, Sink


@pytest.fixture
def show(monkeypatch):
    """Run a source into named sinks; returns the stats."""
    return shows.stage(monkeypatch)


def test_every_sink_gets_the_frames_in_order(show):
    sinks = {"a": Sink(), "b": Sink()}
    stats = show(Camera, sinks)
    for sink in sinks.values():
        indices = [shot.tick.index for shot in sink.shots]
        assert indices == sorted(set(indices))
        assert sink.closed
        assert not sink.aborted
    assert stats.frames + stats.dropped["capture"] == 30
    assert stats.frames_with_face == stats.frames
    assert (sinks["a"].shots[0].pixels == PIXELS).all()


def test_a_slow_sink_drops_for_itself_only(show):
    sinks = {"quick": Sink(), "slow": Sink(slow=0.05)}
    stats = show(Camera, sinks)
    assert stats.dropped["slow"] > 0
    assert len(sinks["quick"].shots) > len(sinks["slow"].shots)
    assert sinks["slow"].shots[-1].tick.index > sinks["slow"].shots[0].tick.index


def test_a_failing_sink_is_reported_once_and_the_others_go_on(show):
    sinks = {"good": Sink(), "bad": Sink(fails_at=3)}
    stats = show(Camera, sinks)
    assert len(sinks["bad"].shots) == 3
    assert len(sinks["good"].shots) > 10
    assert [w for w in stats.warnings if "bad" in w] == [
        "bad: the receiver is gone (it is opened again by itself)"
    ]


def test_when_the_only_recording_fails_the_run_fails(show):
    with pytest.raises(KfxError, match="the receiver is gone"):
        show(Camera, {"only": Sink(fails_at=2)}, kinds="file")


def test_a_sink_that_is_gone_is_opened_again(show, monkeypatch):
    monkeypatch.setattr(deliver, "RETRY_S", 0.01)
    first, second, stop = Sink(fails_at=5), Sink(), threading.Event()
    collect = second.write
    second.write = lambda shot: [collect(shot), len(second.shots) > 5 and stop.set()]

    class Openings(dict):
        """By name, what each opening of a sink gives."""

        def __getitem__(self, spec):
            one = super().__getitem__(spec).pop(0)
            if isinstance(one, KfxError):
                raise one
            return one

    sinks = Openings(a=[first, KfxError("not there"), second], other=[Sink()])
    stats = show(lambda: Camera(10_000), sinks, stop=stop)
    assert first.closed
    assert second.closed
    assert len(first.shots) == 5
    assert len(second.shots) > 5
    assert stats.state["a"] == "ok"
    assert stats.dropped["a.gone"] > 0
    assert [w for w in stats.warnings if w.startswith("a:")] == [
        "a: the receiver is gone (it is opened again by itself)",
        "a: is back",
    ]


def test_a_recording_that_falls_too_far_behind_ends_and_the_show_goes_on(show, monkeypatch):
    monkeypatch.setattr(deliver, "FILE_QUEUE", 3)
    sinks = {"file": Sink(slow=0.2), "other": Sink()}
    stats = show(Camera, sinks, kinds="file")
    assert [warning for warning in stats.warnings if "the recording ends here" in warning] == [
        "file: can't be written as fast as pictures come, 3 frames wait; the recording ends here; "
        "use a faster disk, a smaller size, or .mp4"
    ]
    assert sinks["file"].closed


def test_a_failing_effect_means_the_clean_plate(show, monkeypatch):
    def broken(self, tick):
        raise RuntimeError("the driver has crashed")

    monkeypatch.setattr(live.Chain, "render", broken)
    sinks = {"a": Sink()}
    stats = show(Camera, sinks, presets.load("supernova"))
    assert (sinks["a"].shots[-1].pixels == PIXELS).all()
    assert [w for w in stats.warnings if "bypassed" in w] == [
        "effects bypassed: the driver has crashed; tried again later"
    ]


def test_a_failing_tracker_means_no_faces(show, monkeypatch):
    def broken(self, frame):
        raise RuntimeError("no model")

    monkeypatch.setattr(Tracker, "track", broken)
    sinks = {"a": Sink()}
    stats = show(Camera, sinks)
    assert stats.frames > 10
    assert stats.frames_with_face == 0
    assert "tracker: no model; no faces until it works again" in stats.warnings


def test_a_lost_camera_is_opened_again(show, monkeypatch):
    monkeypatch.setattr(capture, "RETRY_S", 0.01)
    cameras = iter([Camera(5, lost=True), KfxError("not there"), Camera(5)])

    def opener():
        camera = next(cameras)
        if isinstance(camera, KfxError):
            raise camera
        return camera

    sinks = {"a": Sink()}
    stats = show(opener, sinks)
    assert stats.frames + stats.dropped["capture"] == 10
    assert any("stopped sending" in warning for warning in stats.warnings)


def test_seconds_and_stop_end_a_show(show):
    stats = show(lambda: Camera(100000), {"a": Sink()}, seconds=0.3)
    assert stats.frames < 10_000
    assert stats.ended - stats.started >= 0.3
    stop = threading.Event()
    stop.set()
    stats = show(lambda: Camera(100000), {"a": Sink()}, stop=stop)
    assert stats.frames == 0


def test_seconds_count_from_the_first_picture(show):
    class Hesitant(Camera):
        def frames(self):
            threading.Event().wait(0.3)  # longer than the show is to last
            yield from super().frames()

    assert show(lambda: Hesitant(100000), {"a": Sink()}, seconds=0.05).frames > 0


def test_a_show_without_a_picture_ends_as_well():
    outputs, stats = SimpleNamespace(last_at=None), SimpleNamespace(started=100.0)
    parts = (None, None, None, outputs, None, None, stats, threading.Event())
    none, some = Show(*parts), Show(*parts)
    assert not none._over(None, 1e9)
    assert not none._over(5.0, 164.9)
    assert none._over(5.0, 165.0)
    outputs.last_at = 130.0
    assert not some._over(5.0, 134.9)
    outputs.last_at = 134.9  # the first one counts
    assert some._over(5.0, 135.0)


def test_pictures_of_another_size_get_bars(show):
    sinks = {"a": Sink()}
    show(Camera, sinks, size=(64, 64))
    shown = sinks["a"].shots[0].pixels
    assert shown.shape == (64, 64, 4)
    assert (shown[:14, :, :3] == 0).all()
    assert (shown[14:50] == PIXELS).all()
    assert np.array_equal(shown[..., 3], np.full((64, 64), 255))
