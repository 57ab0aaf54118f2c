"""Learn the linear modes of facial expression from tracked clips (for the effect expr_amp).

    python models/training/expression_basis.py ../shared/data/faces/video/{grid_*.mpg,pyfeat_*.m*}

Landmarks are taken into canonical space, each clip's median face is subtracted, the mirror image
of every sample is added, and the first `MODES` principal components are kept. Writes
``models/expression_basis.npz``: modes (k, 1434) float16 orthonormal, sigma (k,) float32 in iod.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from kfx.canonical import canonical
from kfx.tracking import pose as poses
from kfx.tracking.tracker import Tracker
from kfx.types import Frame

OUT = Path(__file__).resolve().parents[1] / "expression_basis.npz"
MODES = 20


def shapes_of(clip: str) -> list[np.ndarray]:
    """Canonical shapes (n, 478, 3) of the first face, frames with a turned head left out."""
    shapes = []
    with Tracker() as tracker, av.open(clip) as container:
        for i, picture in enumerate(container.decode(video=0)):
            frame = Frame(picture.to_ndarray(format="rgba"), i, Fraction(i, 25), 0.0)
            for face in tracker.track(frame):
                yaw, pitch, _ = poses.yaw_pitch_roll(face.pose)
                if face.slot == 0 and face.found and abs(yaw) < 25 and abs(pitch) < 25:
                    shapes.append(poses.to_canonical(face.pose, face.landmarks))
    return shapes


def main() -> None:
    mirror = canonical().mirror.astype(int)
    flip = np.array([-1, 1, 1], np.float32)
    samples = []
    for clip in sys.argv[1:]:
        shapes = np.array(shapes_of(clip))
        if not len(shapes):
            continue
        change = shapes - np.median(shapes, axis=0)
        # Every clip counts the same, whatever its length.
        weight = np.sqrt(100 / len(change))
        samples += [change * weight, change[:, mirror] * flip * weight]
        print(f"{Path(clip).name}: {len(shapes)} frames, rms {change.std():.4f} iod")
    data = np.concatenate(samples).reshape(-1, 478 * 3)
    _, s, modes = np.linalg.svd(data, full_matrices=False)
    energy = (s**2).cumsum() / (s**2).sum()
    sigma = s[:MODES] / np.sqrt(200 * len(samples) / 2)
    print(f"{MODES} modes hold {energy[MODES - 1]:.1%}; sigma {sigma[0]:.3f} … {sigma[-1]:.3f} iod")
    np.savez_compressed(OUT, modes=modes[:MODES].astype(np.float16), sigma=sigma.astype(np.float32))


if __name__ == "__main__":
    main()
