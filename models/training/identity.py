"""Learn by what in a face's shape people differ (models/identity.npz).

    python models/training/blendshapes.py track FOLDER CLIP…   # in kfx's environment
    python models/training/identity.py FOLDER                  # in kfx's environment

The shape of one person's face, as FaceMesh sees it, changes with their expression and turn of the
head, in some directions much more than in others. `fit` measures that within each clip and weighs
every direction by how little it changes there (within-class covariance normalisation: Hatch and
others, 2006), so that a difference is one between people. `judge` says on people who were kept out
how often they are taken for themselves, and others for them.

Clips: see blendshapes.py (never to be committed); one person each.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from kfx.tracking import identity  # noqa: E402
from kfx.tracking.identity import Sighting, Track  # noqa: E402

HELD_OUT = ("lp_d3", "lp_d10", "lp_d20", "lp_s29", "grid_sbia1a")  # as blendshapes.py
SAME_MAN = ("pyfeat_face_noface",)  # as in pyfeat_single_face
FEWEST = 60  # sightings of a person whose changes count
RIDGE_IOD = 0.015  # nobody keeps their shape more exactly than so
KNOWN = 40  # sightings after which the rest of a clip is tried


def read(folder: Path) -> dict[str, list[Sighting]]:
    """Name → sightings of the clips that are long enough."""
    people = {}
    for path in sorted(folder.glob("[!_]*.npz")):
        rows = np.load(path)["landmarks"]
        if len(rows) >= FEWEST and path.stem not in SAME_MAN:
            people[path.stem] = [Sighting.of(row) for row in rows]
    return people


def fit(people: dict[str, list[Sighting]]) -> np.ndarray:
    """(2n, 2n): shapes (n, 2) as rows times this differ by 1 between most people."""
    shapes = {k: np.array([s.plain.ravel() for s in v], float) for k, v in people.items()}
    away = [(one - one.mean(axis=0)) / np.sqrt(len(one)) for one in shapes.values()]
    within = np.concatenate(away).T @ np.concatenate(away) / len(away)
    size, axes = np.linalg.eigh(within + RIDGE_IOD**2 * np.eye(len(within)))
    weights = axes / np.sqrt(size)
    means = np.array([one.mean(axis=0) for one in shapes.values()]) @ weights
    a, b = np.triu_indices(len(means), 1)
    return (weights / np.median(np.linalg.norm(means[a] - means[b], axis=1))).astype(np.float32)


def judge(people: dict[str, list[Sighting]]) -> None:
    """Print how often those kept out, and others, are below the limit."""
    own, others = [], []
    for name in HELD_OUT:
        track = Track(0, people[name][0], 0.0, people[name][0].shape)
        for k, one in enumerate(people[name][:KNOWN]):
            track.update(one, k / 30)
        mine = [track.unlike(one) for one in people[name][KNOWN:]]
        strange = [track.unlike(s) for k, v in people.items() if k != name for s in v[::4]]
        own.append(mine)
        others.append(strange)
        print(f"{name}: own p50 {np.median(mine):.2f} p95 {np.percentile(mine, 95):.2f}", end="; ")
        print(f"others p2 {np.percentile(strange, 2):.2f} p50 {np.median(strange):.2f}")
    own, others = np.concatenate(own), np.concatenate(others)
    for limit in (identity.SAME_SHAPE, *np.percentile(others, [1, 2, 5])):
        known, taken = (own < limit).mean(), (others < limit).mean()
        print(f"limit {limit:.2f}: {known:.2f} of their own sightings, {taken:.3f} of others'")


def main() -> None:
    people = read(Path(sys.argv[1]))
    taught = {name: one for name, one in people.items() if name not in HELD_OUT}
    np.savez_compressed(ROOT / "models" / "identity.npz", weights=fit(taught))
    print(f"identity.npz: {len(taught)} people, {sum(map(len, taught.values()))} sightings")
    judge({name: [Sighting.of(s.landmarks) for s in one] for name, one in people.items()})


if __name__ == "__main__":
    main()
