"""Fakes for live shows: a camera of so many frames, a sink that collects, and their stage."""

import threading
from fractions import Fraction

from kfx import clock, presets
from kfx.engine import live
from kfx.engine.loop import keeper
from kfx.engine.loop import picture as budgets
from kfx.engine.loop.deliver import Outputs
from kfx.errors import KfxError
from kfx.types import Frame, SourceInfo
from tests.faces import face_at, picture
from tests.waiting import LONG_S

SIZE = (64, 36)
PIXELS = picture(*SIZE)
CLEAN = presets.load("none")


class Shown:
    """Lets a camera wait for its frame to be sent to the sinks, so that none is left out.

    On a busy machine most of them would be. It doesn't wait for a loop that hangs.
    """

    def __init__(self, monkeypatch):
        self._changed, self._captured = threading.Condition(), 0.0
        real = Outputs.send

        def send(outputs, pixels, tick, **how):
            real(outputs, pixels, tick, **how)
            with self._changed:
                self._captured = tick.frame.captured
                self._changed.notify_all()

        monkeypatch.setattr(Outputs, "send", send)

    def wait_for(self, frame):
        with self._changed:
            self._changed.wait_for(lambda: self._captured >= frame.captured, 0.5)


class Camera:
    """A live source of `count` frames, at 200 a second; then it ends, or is lost.

    Unless it is `hasty` it waits for each one to be shown.
    """

    def __init__(self, count=30, lost=False, hasty=False):
        self.info = SourceInfo("camera:test", "camera", SIZE, Fraction(200), live=True)
        self.shown = None
        self._count, self._lost, self._hasty = count, lost, hasty

    def frames(self):
        for i in range(self._count):
            clock.pause(0.005)
            face = face_at(32, 15, 8)
            frame = Frame(PIXELS, i, Fraction(i, 200), clock.now(), truth=(face,))
            yield frame
            if self.shown and not self._hasty:
                self.shown.wait_for(frame)
        if self._lost:
            raise KfxError("camera:test: it stopped sending; plug it in again")

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Sink:
    """Collects shots; `fails_at` makes a write fail, `slow` makes each one slow."""

    def __init__(self, fails_at=None, slow=0.0):
        self.shots, self.closed, self.aborted = [], False, False
        self._fails_at, self._slow = fails_at, slow

    def write(self, shot):
        if self._fails_at is not None and len(self.shots) == self._fails_at:
            raise KfxError("the receiver is gone")
        clock.pause(self._slow)
        self.shots.append(shot)

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        self.abort() if kind else self.close()


def stage(monkeypatch):
    """A `live.run` whose sinks are given as objects by name; it returns the stats."""

    def run(opener, sinks, preset=CLEAN, kinds="null", **options):
        monkeypatch.setattr(live.sinks, "open", lambda spec, stream: sinks[spec])
        monkeypatch.setattr(live.sinks, "kind_of", lambda spec: kinds)
        # However slow this machine is, nothing may be left out of the picture.
        monkeypatch.setattr(budgets, "LEAST_BUDGET_S", LONG_S)
        monkeypatch.setattr(keeper, "STUCK_S", LONG_S)
        shown = Shown(monkeypatch)

        def opened():
            camera = opener()
            camera.shown = shown
            return camera

        return live.run(opened, preset, list(sinks), tracker="truth", **options)

    return run
