"""A panel over a desk and a picture that shows what the desk says, without GL or a camera."""

import threading
from contextlib import contextmanager
from fractions import Fraction

import numpy as np

from kfx import clock
from kfx.engine.stats import Stats
from kfx.panel.server import Panel
from kfx.types import Frame, Shot, Tick, freeze
from tests.desks import desk_of
from tests.faces import face_at

GRAIN = "/kfx/v1/chain/1/film/grain"
SIZE = (640, 360)
FACES = (face_at(200.0, 100.0),)


def shot_of(desk, number, size=SIZE):
    """A picture as bright as film's grain is strong: 0..0.2 gives 20..220. Its plate is black."""
    film = next((link for link in desk.preset.chain if link.effect.name == "film"), None)
    level = 20 + round(1000 * film.values["grain"]) if film else 5
    pixels = np.full((size[1], size[0], 4), level, np.uint8)
    pixels[..., 3] = 255
    plate = np.zeros_like(pixels)
    plate[..., 3] = 255
    now = clock.now()
    frame = Frame(freeze(plate), number, Fraction(number, 30), now)
    tick = Tick(number, number / 30, 1 / 30, frame, faces=FACES, beat=number / 15)
    return Shot(freeze(pixels), tick)


class Rolling:
    """Writes pictures at 30 a second until it is closed."""

    def __init__(self, desk, panel):
        self.over = threading.Event()
        self._desk, self._panel = desk, panel
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self.over.wait(1 / 30):
            number += 1
            self._panel.pictures.put(shot_of(self._desk, number))
            self._desk.drawn()

    def close(self):
        self.over.set()
        self._thread.join()


@contextmanager
def rolling(tmp_path, **options):
    """A panel that serves a running show: the panel, its desk and its switches."""
    desk, _, switches = desk_of()
    stats = Stats(SIZE, Fraction(30), "none", "none")
    with Panel(desk, port=0, folder=tmp_path, **options) as panel:
        panel.show(stats)
        pictures = Rolling(desk, panel)
        try:
            yield panel, desk, switches
        finally:
            pictures.close()
    desk.close()
