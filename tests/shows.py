"""Fakes for live shows: a camera of so many frames, a sink that collects, and their stage."""

from fractions import Fraction

from kfx import clock, presets
from kfx.engine import live
from kfx.errors import KfxError
from kfx.types import Frame, SourceInfo
from tests.faces import face_at, picture

SIZE = (64, 36)
PIXELS = picture(*SIZE)
CLEAN = presets.load("none")


class Camera:
    """A live source of `count` frames, at 200 a second; then it ends, or is lost."""

    def __init__(self, count=30, lost=False):
        self.info = SourceInfo("camera:test", "camera", SIZE, Fraction(200), live=True)
        self._count, self._lost = count, lost

    def frames(self):
        for i in range(self._count):
            clock.pause(0.005)
            yield Frame(PIXELS, i, Fraction(i, 200), clock.now(), truth=(face_at(32, 15, 8),))
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
        return live.run(opener, preset, list(sinks), tracker="truth", **options)

    return run
