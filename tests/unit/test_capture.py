"""The capture thread: sources that end, fail, come back, jump in time or send rubbish."""

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kfx import clock
from kfx.engine.loop.capture import Capture, Timeline
from kfx.engine.mailbox import Closed
from kfx.engine.stats import Stats
from kfx.errors import KfxError
from kfx.types import Frame, SourceInfo
from tests.waiting import LONG_S

SIZE = (8, 4)
PERIOD = Fraction(1, 100)
PIXELS = np.zeros((4, 8, 4), np.uint8)


def frame_of(time, captured, index=0):
    return Frame(PIXELS, index, Fraction(time), captured)


class Source:
    """Sends what it is given; an error among it is raised. `info.live` by default."""

    def __init__(self, sends, live=True, size=SIZE):
        self.info = SourceInfo("camera:test", "camera", size, 1 / PERIOD, live=live)
        self.sends, self.closed = sends, 0

    def frames(self):
        for one in self.sends:
            if isinstance(one, Exception):
                raise one
            if callable(one):
                one = one()
            yield one

    def close(self):
        self.closed += 1


@pytest.fixture
def capture():
    """Run sources one after the other; the frames taken, the stats and the warnings."""
    stop = threading.Event()

    def run(*sources, take=None, **options):
        stats = Stats(SIZE, 1 / PERIOD, "", "")
        rest = iter(sources[1:])

        def reopen():
            one = next(rest, None)
            if one is None:
                stop.set()
                raise KfxError("nothing there")
            if isinstance(one, Exception):
                raise one
            return one

        thread = Capture(sources[0], reopen, SIZE, stats, stop, retry_s=0.001, **options)
        kept = []
        thread.box.put = kept.append  # every frame, however fast they come
        thread.start()
        thread._thread.join(LONG_S)
        assert not thread._thread.is_alive()
        stop.set()
        thread.close()
        with pytest.raises(Closed):
            thread.box.take(0.0)
        return kept, stats

    return run


def test_the_timeline_of_one_source_is_its_own():
    line = Timeline()
    times = [line.place(frame_of(t, 5.0 + t), PERIOD, live=True).time for t in (3, 4, 5)]
    assert times == [3, 4, 5]
    assert line.jumps == 0


def test_a_camera_that_is_back_goes_on_after_the_pause_it_made():
    line = Timeline()
    line.place(frame_of(10, 20.0), PERIOD, live=True)
    line.restart()
    assert line.place(frame_of(0, 23.5), PERIOD, live=True).time == Fraction(27, 2)
    assert line.place(frame_of(Fraction(1, 10), 23.6), PERIOD, live=True).time == Fraction(136, 10)
    assert line.jumps == 0


def test_a_file_that_starts_again_goes_on_with_its_next_frame():
    line = Timeline()
    line.place(frame_of(Fraction(99, 100), 20.0), PERIOD, live=False)
    line.restart()
    assert line.place(frame_of(0, 21.7), PERIOD, live=False).time == 1


def test_a_clock_that_runs_backwards_moves_no_show():
    line = Timeline()
    times = [
        line.place(frame_of(t, captured), PERIOD, live=True).time
        for t, captured in ((100, 1.0), (101, 2.0), (5, 3.0), (6, 4.0), (6, 4.0))
    ]
    assert times[:4] == [100, 101, 102, 103]
    assert times[4] > times[3]
    assert line.jumps == 2


def test_a_clock_that_leaps_ahead_moves_no_show_and_a_pause_is_no_leap():
    line = Timeline()
    times = [
        line.place(frame_of(t, captured), PERIOD, live=True).time
        for t, captured in ((100, 1.0), (101, 2.0), (3701, 3.0), (3702, 4.0), (3709, 11.0))
    ]
    assert times == [100, 101, 102, 103, 110]
    assert line.jumps == 1


def test_a_file_may_leave_as_much_time_between_its_frames_as_it_likes():
    line = Timeline()
    times = [line.place(frame_of(t, t), PERIOD, live=False).time for t in (0, 30)]
    assert times == [0, 30]
    assert line.jumps == 0


@pytest.mark.parametrize("fault", [KfxError("camera:test: it stopped sending"), ValueError("cv2")])
def test_a_camera_is_opened_again_until_it_is_back(capture, fault):
    first = Source([frame_of(0, 1.0), fault])
    second = Source([frame_of(0, 3.0), frame_of(1, 4.0)])
    frames, stats = capture(first, KfxError("busy"), OSError("gone"), second)
    assert [frame.time for frame in frames] == [0, 2, 3]
    assert first.closed
    assert second.closed
    assert len([w for w in stats.warnings if "stopped" in w or "cv2" in w]) == 1
    assert any("is back after" in warning for warning in stats.warnings)


def test_a_broken_file_ends(capture):
    frames, stats = capture(Source([frame_of(0, 1.0), KfxError("clip.mp4: broken")], live=False))
    assert len(frames) == 1
    assert stats.warnings == ["clip.mp4: broken"]


def test_a_file_keeps_its_pace_and_may_loop(capture):
    def again():
        return Source([frame_of(k * PERIOD, 0.0, k) for k in range(3)], live=False)

    began = clock.now()
    frames, _ = capture(again(), again(), again(), loop=True)
    assert [frame.time for frame in frames] == [k * PERIOD for k in range(9)]
    assert frames[2].captured - began >= 0.019
    assert frames[2].captured - frames[0].captured >= 0.019


def test_a_file_that_is_read_too_slowly_does_not_hurry_after(capture, monkeypatch):
    skew = [0.0]
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + skew[0])

    def late():
        skew[0] += 3600.0  # the machine slept
        return frame_of(PERIOD, 0.0)

    sends = [frame_of(0, 0.0), late, *(frame_of(k * PERIOD, 0.0) for k in range(2, 6))]
    frames, stats = capture(Source(sends, live=False))
    assert frames[5].captured - frames[1].captured >= 0.039
    assert any("own rate" in warning for warning in stats.warnings)


def test_rubbish_is_counted_and_other_sizes_are_fitted(capture):
    grey = replace(frame_of(1, 2.0), pixels=np.zeros((4, 8), np.uint8))
    empty = replace(frame_of(2, 3.0), pixels=np.zeros((0, 0, 4), np.uint8))
    large = replace(frame_of(3, 4.0), pixels=np.full((8, 8, 4), 9, np.uint8))
    floats = replace(frame_of(2, 3.0), pixels=np.zeros((4, 8, 4), np.float32))
    frames, stats = capture(Source([frame_of(0, 1.0), grey, empty, floats, large]))
    assert [frame.time for frame in frames] == [0, 3]
    assert frames[1].pixels.shape == (4, 8, 4)
    assert stats.dropped["capture.broken"] == 3
    assert stats.warnings[2].startswith("capture: a frame of float32 was left out; unplug")
    assert stats.warnings[3] == (
        "capture: the source sends 8x8 now, fitted into 8x4; start kfx again to show it as it is"
    )
