"""Render every look and preset as one contact sheet: on the performer, and on a clip if given.

python examples/looks.py looks.jpg [clip.mp4] [seconds]
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
SECONDS = "2"  # of each look, at the performer's 120 bpm a whole bar
TELLING = 0.93  # of its moments in order of how far they are from the plate, this one is shown


def ticks_of(spec, seconds):
    """The source's first seconds with faces and person mattes, ready for any chain."""
    ticks, found = Ticks(), []
    with sources.open(spec, stop_s=seconds) as source, Tracker() as tracker, Person() as person:
        for frame in source.frames():
            frame = fitted(frame, SIZE)
            tick = ticks.tick(frame, tracker.track(frame))
            found.append(replace(tick, matte=person.matte(frame)))
    return found


def square(pixels, face):
    """What lies round the face, or the middle of the frame: (side, side, 3) BGR."""
    x, y, side = SIZE[0] / 2, SIZE[1] / 2, SIZE[1]
    if face:
        x, y = face.landmarks[:, :2].mean(axis=0)
        side = min(side, int(5.4 * face.iod))
    left = int(np.clip(x - side / 2, 0, SIZE[0] - side))
    top = int(np.clip(y - side / 2, 0, SIZE[1] - side))
    return cv2.resize(pixels[top : top + side, left : left + side, 2::-1], TILE, interpolation=3)


def tile(gpu, preset, ticks):
    shown = []  # (how far from the plate, picture)
    with Chain(gpu, preset, SIZE) as chain:
        for tick in ticks:
            face = tick.faces[0] if tick.faces else None
            picture = square(chain.render(tick), face)
            far = np.abs(picture.astype(int) - square(tick.frame.pixels, face)).mean()
            shown.append((far, picture))
    later = sorted(shown[len(shown) // 4 :], key=lambda one: one[0])
    picture = later[int(TELLING * (len(later) - 1))][1]
    cv2.putText(picture, preset.name, (6, 173), 0, 0.38, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, preset.name, (6, 173), 0, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


if len(sys.argv) < 2:
    sys.exit(__doc__)
out, *more = sys.argv[1:]
is_time = bool(more) and more[-1].replace(".", "").isdecimal()
seconds = Fraction(more.pop() if is_time else SECONDS)
clips = ["performer", *more]
looks = [presets.load("none"), *(presets.load(name) for name in presets.names())]
looks += [presets.alone(effects.find(name)) for name in effects.names()]
tiles = []
with Gpu() as gpu:
    for clip in clips:
        moment = ticks_of(clip, seconds)
        tiles += [tile(gpu, look, moment) for look in looks]
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
if not cv2.imwrite(out, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 50]):
    raise KfxError(f"{out}: it can't be written; is the folder there?")
print(f"{out}: {len(looks)} looks on {', '.join(clips)}")
