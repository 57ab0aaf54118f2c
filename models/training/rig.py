"""Learn what every ARKit blendshape does to the 478 landmarks (models/rig.npz).

    python models/training/rig.py FOLDER        # after blendshapes.py label and fit; needs torch

First a regression of tracked footage on what the teacher says of it, clip by clip around the
clip's own mean, mirrored footage added; a name pays for moving points far from its region. Then
the displacements are refined through kfx's own net, so that coefficients put on a face that was
never tracked are read from it again; the corrections stay in the space of tracked expressions.
Names that the teacher never says (`SCULPTED`) are made by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from blendshapes import FLIP, SEED, canonical_shapes, clips_of, rotation  # noqa: E402

from kfx import canonical as c  # noqa: E402
from kfx.tracking.arkit import NAMES, POINTS, TAUGHT  # noqa: E402
from kfx.tracking.blendshapes import from_rest, resting  # noqa: E402

OUT = ROOT / "models" / "rig.npz"
RIDGE = 0.02
OUTSIDE = 0.02  # the weight of a point far from a name's region
MODES = 60
STEPS = 1500
SMALL = 0.004  # what a correction costs; at 0.001 people held out come back worse
EYES = {"Left": (*c.LEFT_LIDS, *range(473, 478)), "Right": (*c.RIGHT_LIDS, *range(468, 473))}
# name: landmarks, reach in iod, displacement in iod (x to the performer's left, y down, z away)
SCULPTED = {
    "cheekPuff": ((205, 425, 50, 280, 207, 427), 0.28, (0.0, 0.0, -0.06)),
    "cheekSquintLeft": ((280, 330, 347), 0.22, (0.0, -0.05, -0.015)),
    "cheekSquintRight": ((50, 101, 118), 0.22, (0.0, -0.05, -0.015)),
    "noseSneerLeft": ((279, 358, 331), 0.16, (0.015, -0.06, 0.0)),
    "noseSneerRight": ((49, 129, 102), 0.16, (-0.015, -0.06, 0.0)),
    "jawForward": ((152, 148, 377, 175, 199, 17, 14), 0.38, (0.0, 0.01, -0.09)),
}


def twin(name: str) -> str:
    """The name of the same thing on the other side."""
    for a, b in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(a):
            return name.removesuffix(a) + b
    return name


SWAP = [TAUGHT.index(twin(name)) for name in TAUGHT]


def near(members: tuple[int, ...], full: float, reach: float) -> np.ndarray:
    """(478,) 1 up to `full` iod from the members, falling to 0 at `reach`."""
    points = c.canonical().vertices
    gap = np.linalg.norm(points[:, None] - points[None, list(members)], axis=2).min(axis=1)
    t = np.clip((reach - gap) / (reach - full), 0, 1)
    return t * t * (3 - 2 * t)


def regions() -> np.ndarray:
    """(51, 478) weights: where each name may move points."""
    low = np.clip((c.canonical().vertices[:, 1] - 0.22) / 0.35, 0, 1)
    low = low * low * (3 - 2 * low)
    rows = []
    for name in TAUGHT:
        side = next((s for s in EYES if name.endswith(s)), None)
        if name.startswith("eye"):
            look = "Look" in name
            rows.append(near(EYES[side][16:] if look else EYES[side], 0.05, 0.3))
            if look:  # lids follow the eye
                rows[-1] = np.maximum(rows[-1], near(EYES[side], 0.03, 0.15))
        elif name.startswith("brow"):
            rows.append(near(c.BROWS, 0.08, 0.4))
        elif name.startswith("noseSneer"):
            rows.append(near((49, 279, 129, 358), 0.1, 0.35))
        elif name.startswith("cheek"):
            rows.append(near((50, 280, 205, 425), 0.2, 0.45))
        else:
            rows.append(low)
    return np.maximum(np.array(rows), 0)


def footage(folder: Path, held_out: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Shapes (n, 478, 3) and corrected coefficients (n, 51) of each clip, mirrored ones too."""
    known, mirror = np.load(folder / "_known.npz"), c.canonical().mirror.astype(int)
    out = []
    for name, landmarks in clips_of(folder, held_out).items():
        if len(landmarks) > 3:
            shapes, values = canonical_shapes(landmarks), from_rest(known[name])
            out += [(shapes, values), (shapes[:, mirror] * FLIP, values[:, SWAP])]
    return out


def regress(clips: list[tuple[np.ndarray, np.ndarray]], where: np.ndarray) -> np.ndarray:
    """(51, 478, 3): ridge regression of the shapes' changes, a solution for each landmark."""
    changes = np.concatenate([(s - s.mean(0)) / np.sqrt(len(s)) for s, _ in clips])
    values = np.concatenate([(v - v.mean(0)) / np.sqrt(len(v)) for _, v in clips])
    gram = values.T @ values
    right = np.einsum("nk,npd->kpd", values, changes)
    result = np.zeros((len(TAUGHT), 478, 3))
    for point in range(478):
        penalty = RIDGE * len(clips) / 20 / np.maximum(where[:, point], OUTSIDE) ** 2
        result[:, point] = np.linalg.solve(gram + np.diag(penalty), right[:, point])
    return result * (where > 0.004)[:, :, None]


def torch_net():
    """kfx's net on torch, (n, 146, 2) → corrected coefficients (n, 51), not clipped."""
    import onnx
    import torch

    model = onnx.load(str(ROOT / "models" / "blendshapes.onnx"))
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    count = sum(name.startswith("b") for name in stored)
    layers = [
        tuple(torch.from_numpy(stored[n].astype(np.float32)) for n in (f"w{k}_half", f"b{k}"))
        for k in range(count)
    ]
    rest = torch.from_numpy(resting().copy())

    def net(points: torch.Tensor) -> torch.Tensor:
        x = points - points.mean(dim=1, keepdim=True)
        x = (x / x.norm(dim=2).mean(dim=1)[:, None, None]).flatten(1)
        for k, (weight, bias) in enumerate(layers):
            x = x @ weight + bias
            x = torch.sigmoid(x) if k == count - 1 else x * torch.sigmoid(x)
        return (x - rest) / (1 - rest)

    return net


def refine(start: np.ndarray, clips: list, where: np.ndarray, steps: int) -> np.ndarray:
    """The displacements corrected so that the net reads from a driven face what was asked for."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    net = torch_net()
    changes = np.concatenate([(s - s.mean(0)) / np.sqrt(len(s)) for s, _ in clips])
    modes = np.linalg.svd(changes.reshape(len(changes), -1), full_matrices=False)[2][:MODES]
    modes = torch.from_numpy(modes.reshape(MODES, 478, 3).astype(np.float32))
    mask = torch.from_numpy(where.astype(np.float32))[:, :, None]
    base = torch.from_numpy(start.astype(np.float32))
    rests = [s[np.argsort(v.sum(1))[: max(1, len(v) // 8)]].astype(np.float32) for s, v in clips]
    wanted = [v.astype(np.float32) for _, v in clips]
    mixing = torch.zeros(len(TAUGHT), MODES, requires_grad=True)
    optimiser = torch.optim.Adam([mixing], lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng(SEED)
    points = list(POINTS)
    for step in range(steps):
        pick = rng.integers(len(rests), size=64)
        faces = torch.from_numpy(np.array([rests[k][rng.integers(len(rests[k]))] for k in pick]))
        pick = rng.integers(len(wanted), size=64)
        ask = torch.from_numpy(np.array([wanted[k][rng.integers(len(wanted[k]))] for k in pick]))
        turn = rotation(rng.normal(0, (8, 6, 4), (64, 3))).astype(np.float32)
        turned = torch.from_numpy(turn).transpose(1, 2)
        extra = mask * torch.einsum("km,mpd->kpd", mixing, modes)
        with torch.no_grad():
            own = net((faces[:, points] @ turned)[..., :2]).clamp(0, 1)
        moved = faces + torch.einsum("nk,kpd->npd", ask - own, base + extra)
        read = net((moved[:, points] @ turned)[..., :2])
        # Only what lies outside 0..1 on the wrong side is wrong there: it is clipped later.
        read = torch.where((ask <= 0) & (read < 0), ask, read)
        loss = ((read - ask) ** 2).sum(dim=1).mean() + SMALL * (extra**2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 0 or step == steps - 1:
            rms = float(((read.detach().clamp(0, 1) - ask) ** 2).mean().sqrt())
            print(f"{step}: loss {float(loss.detach()):.3f} rms {rms:.4f}", flush=True)
    return (base + mask * torch.einsum("km,mpd->kpd", mixing, modes)).detach().numpy()


def sculpt(rig: np.ndarray) -> np.ndarray:
    """The 52 displacements in the order of `NAMES`."""
    mesh = c.canonical()
    whole = np.zeros((len(NAMES), 478, 3))
    for k, name in enumerate(NAMES):
        if name in SCULPTED:
            members, reach, move = SCULPTED[name]
            weight = near(members, 0.0, reach)[:, None]
            whole[k] = weight * np.array(move)
            if name == "cheekPuff":  # outwards
                whole[k] += weight * np.sign(mesh.vertices[:, :1]) * np.array([0.07, 0, 0])
        elif name in TAUGHT:
            whole[k] = rig[TAUGHT.index(name)]
    return whole


def main() -> None:
    folder = Path(sys.argv[1])
    where = regions()
    clips = footage(folder, held_out=False)
    rig = regress(clips, where)
    print(f"regression: largest displacement {np.abs(rig).max():.3f} iod")
    rig = refine(rig, clips, where, STEPS)
    mirror = c.canonical().mirror.astype(int)
    rig = (rig + rig[SWAP][:, mirror] * FLIP) / 2
    whole = sculpt(rig)
    whole[np.abs(whole) < 2e-4] = 0
    learned = np.array([name in TAUGHT and name not in SCULPTED for name in NAMES])
    np.savez_compressed(
        OUT, names=np.array(NAMES), displacements=whole.astype(np.float16), learned=learned
    )
    print(f"{OUT}: {OUT.stat().st_size} bytes, largest {np.abs(whole).max():.3f} iod")


if __name__ == "__main__":
    main()
