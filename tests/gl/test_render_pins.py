"""An offline render names slots, and looks are drawn by the names."""

from fractions import Fraction

from kfx import presets, sources
from kfx.engine import offline

LOOK = """version = 1
[[chain]]
effect = "chrome_skin"
slots = ["karina"]
"""


def drawn(pins):
    """The slots whose faces the render has changed."""
    found = set()

    def look_at(shot):
        plate = shot.tick.frame.pixels
        for face in shot.tick.faces:
            x0, y0, x1, y1 = (int(v) for v in face.box)
            if (shot.pixels[y0:y1, x0:x1] != plate[y0:y1, x0:x1]).any():
                found.add(face.slot)

    with sources.open("performer?faces=2", size=(320, 180), stop_s=Fraction(1, 5)) as source:
        preset = presets.read(LOOK, "look.toml", "look")
        offline.render(source, preset, "null", tracker="truth", pins=pins, on_shot=look_at)
    return found


def test_a_render_pins_slots_by_name():
    assert drawn({1: "Karina"}) == {1}
    assert drawn({}) == set()
