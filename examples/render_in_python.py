"""Render the performer through a preset from Python, with one knob turned.

python examples/render_in_python.py out.mp4
"""

import sys
from fractions import Fraction

from kfx import presets, sources
from kfx.engine import offline

if len(sys.argv) != 2:
    sys.exit(__doc__)
preset = presets.with_settings(presets.load("supernova"), ["iris_nova.design=star"])
out = sys.argv[1]
stop = Fraction(1, 2)
with sources.open("performer", size=(640, 360), stop_s=stop) as source:
    stats = offline.render(source, preset, out, stop_s=stop, overwrite=True)
print(f"{out}: {stats.frames} frames, {stats.frames_with_face} with a face")
