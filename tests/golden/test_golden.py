"""Pictures of every effect as they were judged by eye, round the performer's face.

``KFX_GOLDEN=write pytest tests/golden`` renews them: open the contact sheet before committing.
A failure leaves the picture, the golden one and their difference in ``out/golden``.
"""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from kfx import effects, presets, sources
from kfx.engine.look.chain import Chain
from kfx.engine.ticks import Ticks
from kfx.render.gpu import Gpu
from kfx.tracking.person import Person
from tests.looks import CAST

SIZE = (960, 540)
CROP = (320, 180)
FRAME = 20
EARLIER = {"flash": 1, "snap_zoom": 5, "supernova_burst": 9, "shockwave": 8}  # nearer to the hit
FOLDER = Path(__file__).parent / "pictures"
FAILED = Path(__file__).resolve().parents[2] / "out" / "golden"
# Renderers differ in the last bits of a filter or a power; a look that changed differs by more.
LEAST_PSNR_DB = 34.0

# 4:4:4: 45 pictures in 1.5 MB, and some 42 dB from what was drawn.
QUALITY = [
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]

pytestmark = pytest.mark.gl


def moments(spec):
    """A performer's first moments, with true faces and person mattes."""
    stop, ticks = Fraction(FRAME + 1, 30), Ticks()
    with sources.open(spec, size=SIZE, stop_s=stop) as source, Person() as person:
        return [
            replace(ticks.tick(frame, frame.truth), matte=person.matte(frame))
            for frame in source.frames()
        ]


@pytest.fixture(scope="module")
def alone():
    return moments("performer")


@pytest.fixture(scope="module")
def pair():
    return moments("performer?faces=2")


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def preset_of(name):
    return presets.load(name) if name in presets.names() else presets.alone(effects.find(name))


@pytest.mark.parametrize("name", [*effects.names(), *presets.names()])
def test_it_looks_as_it_was_judged(name, gpu, alone, pair):
    preset = preset_of(name)
    ticks = pair if any(link.effect.name in CAST for link in preset.chain) else alone
    with Chain(gpu, preset, SIZE) as chain:
        for tick in ticks[: EARLIER.get(name, FRAME) + 1]:
            shown = chain.render(tick)
    x, y = tick.frame.truth[0].landmarks[4, :2].astype(int) - (CROP[0] // 2, CROP[1] // 2)
    shown = np.ascontiguousarray(shown[y : y + CROP[1], x : x + CROP[0]])
    picture = cv2.cvtColor(shown, cv2.COLOR_RGBA2BGR)
    path = FOLDER / f"{name}.jpg"
    if os.environ.get("KFX_GOLDEN") == "write":
        FOLDER.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture, QUALITY)
    golden = cv2.imread(str(path))
    assert golden is not None, f"{path.name} is missing; KFX_GOLDEN=write makes it"
    error = np.mean((picture.astype(float) - golden) ** 2)
    psnr = 99.0 if error == 0 else 10 * np.log10(255**2 / error)
    if psnr < LEAST_PSNR_DB:
        FAILED.mkdir(parents=True, exist_ok=True)
        difference = cv2.convertScaleAbs(cv2.absdiff(picture, golden), alpha=4)
        cv2.imwrite(str(FAILED / f"{name}.png"), np.hstack([golden, picture, difference]))
    assert psnr >= LEAST_PSNR_DB, f"{name}: {psnr:.1f} dB, see out/golden/{name}.png"
