"""Train the nets that turn skin into a material (models/skin_*.onnx).

    python models/training/skin_nets.py draw FOLDER performer CLIP…   # in kfx's environment
    python models/training/skin_nets.py fit FOLDER            # needs torch and opencv-python
    python models/training/skin_nets.py export FOLDER         # needs onnx as well

`draw` keeps what kfx itself knows of every face that it tracks: normals, where skin lies, lips
(skin_targets.py). `fit` teaches one net to say that from the picture alone (skin_net.py,
skin_fit.py). `export` puts each material behind it (skin_materials.py) and writes
``models/skin_*.onnx`` with their cards.

The weights in the repository come from 3200 steps, three quarters of an hour at the lowest
priority, in four goes: after the first, single dark strands were taken out of what hides a face,
since the net had come to take folds for hair; the last took the performer in, whose contrast it
had taken for a hand.

Thrown away: a galaxy fixed to the crop, which slid over the skin; a hard horizon in the studio,
which drew contour lines on cheeks; reading rooms by GridSample, a quarter to a half of a net's
time.

Clips: ``../shared/data/faces`` and LivePortrait's driving and source clips and stills, under the
names ``lp_driving_d0.mp4``, ``lp_source_s9.jpg`` … (never to be committed).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# People of these clips are in no other clip that is trained on.
HELD_OUT = ("lp_source_s32", "lp_driving_d18", "grid_bbaf2n", "pyfeat_WolfgangLanger_Pexels")
OF_A_CLIP = 36


def draw(folder: Path, clips: list[Path]) -> None:
    """Store the samples of every clip, a file each."""
    import skin_targets

    folder.mkdir(parents=True, exist_ok=True)
    teacher = skin_targets.Teacher()
    for clip in clips:
        if clip.stem in HELD_OUT:
            continue
        found = list(skin_targets.samples(clip, teacher, OF_A_CLIP))
        print(f"{clip.name}: {len(found)}", flush=True)
        if found:
            stacks = {
                key: np.stack([getattr(one, key) for one in found])
                for key in ("picture", "normal", "parts")
            }
            np.savez(folder / f"{clip.name.replace('.', '_')}.npz", **stacks)
    teacher.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("draw", "fit", "export"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    options = parser.parse_args()
    weights = options.folder / "surface.pt"
    if options.step == "draw":
        draw(options.folder, options.clips)
    elif options.step == "fit":
        import skin_fit

        pictures = skin_fit.Pictures(options.folder)
        skin_fit.fit(pictures, options.steps, weights, options.start)
    else:
        import skin_export

        for kind in skin_export.DOCS:
            skin_export.export(weights, kind, ROOT / "models" / f"skin_{kind}.onnx")


if __name__ == "__main__":
    main()
