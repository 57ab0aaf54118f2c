"""A desk over a look that isn't drawn, for tests of whoever controls a show."""

import threading
from dataclasses import replace

from kfx import presets
from kfx.engine.desk.desk import Desk
from kfx.engine.loop.switches import Switches
from kfx.presets.modulation import moved
from tests.waiting import LONG_S

FILM = """version = 1
[[chain]]
effect = "deadpan_step"
[[chain]]
effect = "film"
grain = 0.05 # fine
[[chain]]
effect = "flash"
"""


class FakeLook:
    """A `Look` without a GPU: what is asked for is there at once."""

    def __init__(self, preset):
        self.preset, self.bypassed = preset, frozenset()
        self.changes, self.names = [], {}

    @property
    def moved(self):
        """As though every signal were 1."""
        values = []
        for link in self.preset.chain:
            now = dict(link.values)
            for knob, sources in link.modulation.items():
                change = sum(one.amount for one in sources)
                now[knob] = moved(link.effect.knobs[knob], now[knob], change)
            values.append(now)
        return self.preset, values

    def change(self, preset, *, seconds=0.0, beats=0.0, rebuild=False, bypassed=frozenset()):
        self.changes.append((preset.name, seconds, beats, rebuild))
        self.preset, self.bypassed = preset, bypassed

    def set(self, place, knob, value):
        self.preset = self.preset.with_value(place, knob, value)

    def bypass(self, place, on):
        self.bypassed = self.bypassed | {place} if on else self.bypassed - {place}

    def bypass_only(self, places):
        self.bypassed = places


class Heard:
    """Changes a desk has told, in order; `until` waits for one at an address."""

    def __init__(self, desk):
        self.changes, self._news = [], threading.Condition()
        self.end = desk.subscribe(self._take)

    def _take(self, change):
        with self._news:
            self.changes.append(change)
            self._news.notify_all()

    def until(self, address):
        def there():
            return next((one for one in self.changes if one.address == address), None)

        with self._news:
            assert self._news.wait_for(there, LONG_S), f"{address} in {self.changes}"
            return there()


def desk_of(text=FILM, **options):
    """A desk, its look and its switches."""
    preset = replace(presets.read(text, "film.toml", "film"), path="")
    look, switches = FakeLook(preset), Switches()
    return Desk(look, switches, **options), look, switches
