"""Render every look and preset as one contact sheet: on the performer, and on a clip if given.

python examples/looks.py looks.jpg [clip.mp4]
"""

import sys
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from kfx import effects, presets, sources
from kfx.engine.fit import fitted
from kfx.engine.look.chain import Chain
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from kfx.tracking.person import Person
from kfx.tracking.tracker import Tracker

SIZE = (640, 360)
TILE = (180, 180)  # a square of the frame round the face
COLUMNS = 10
SECONDS = Fraction(3, 10)  # of each look; the last frame is shown


def ticks_of(spec):
    """A moment of the source with its faces and person mattes, ready for any chain."""
    ticks, found = Ticks(), []
    with sources.open(spec, stop_s=SECONDS) as source, Tracker() as tracker, Person() as person:
        for frame in source.frames():
            frame = fitted(frame, SIZE)
            tick = ticks.tick(frame, tracker.track(frame))
            found.append(replace(tick, matte=person.matte(frame)))
    return found


def tile(gpu, preset, ticks):
    with Chain(gpu, preset, SIZE) as chain:
        for tick in ticks:
            shown = chain.render(tick)
    x, y, side = SIZE[0] / 2, SIZE[1] / 2, SIZE[1]
    if ticks[-1].faces:
        face = ticks[-1].faces[0]
        x, y = face.landmarks[:, :2].mean(axis=0)
        side = min(side, int(5.4 * face.iod))
    left = int(np.clip(x - side / 2, 0, SIZE[0] - side))
    top = int(np.clip(y - side / 2, 0, SIZE[1] - side))
    square = np.ascontiguousarray(shown[top : top + side, left : left + side, 2::-1])
    square = cv2.resize(square, TILE, interpolation=cv2.INTER_AREA)
    cv2.putText(square, preset.name, (6, 173), 0, 0.38, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(square, preset.name, (6, 173), 0, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return square


if len(sys.argv) < 2:
    sys.exit(__doc__)
out, clips = sys.argv[1], ["performer", *sys.argv[2:]]
looks = [presets.load("none"), *(presets.load(name) for name in presets.names())]
looks += [presets.alone(effects.find(name)) for name in effects.names()]
tiles = []
with Gpu() as gpu:
    for clip in clips:
        moment = ticks_of(clip)
        tiles += [tile(gpu, look, moment) for look in looks]
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
if not cv2.imwrite(out, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 50]):
    raise KfxError(f"{out}: it can't be written; is the folder there?")
print(f"{out}: {len(looks)} looks on {', '.join(clips)}")
