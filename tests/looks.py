"""Presets made of effects by name, for tests."""

from kfx import effects
from kfx.presets import Link, Preset

CAST = ("face_exchange", "morph_cycle", "retarget")  # what takes two performers to be seen


def preset_of(*names, **values):
    """A chain of effects, or shader files, as they come but for `values`."""
    links = []
    for name in names:
        spec = effects.find(name)
        known = {knob: one.default for knob, one in spec.knobs.items()}
        links.append(Link(spec, {**known, **values}))
    return Preset("test", "", tuple(links))
