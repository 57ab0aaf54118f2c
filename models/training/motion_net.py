"""The net of motion.py: a recurrent mixture-density net on torch, and how it becomes ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from motion import (
    BATCH,
    CARRY,
    HEAD,
    HEAD_GAIN,
    HEAD_KERNEL,
    HIDDEN,
    KINDS,
    LEAST_SIGMA,
    MODES,
    SEED,
    SIZES,
    STATE,
)
from torch import nn

IN = 2 * MODES + 4
FADE = 0.93  # what is left of an error after a step
HEAD_FADE = 0.97  # of the head's: what it says goes through a kernel, and comes back smoother so
OUT = KINDS * sum(1 + 2 * size for size in SIZES)


class Net(nn.Module):
    """(n, t, IN) → (n, t, OUT): for each region logits, means and log sigmas of a mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(IN, HIDDEN, batch_first=True)
        self.first = nn.Linear(HIDDEN + IN, 192)
        self.last = nn.Linear(192, OUT)
        with torch.no_grad():
            self.last.weight *= 0.1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.gru(x)
        return self.last(nn.functional.silu(self.first(torch.cat([hidden, x], dim=2))))


def split(out: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """For each region logits (…, k), means and sigmas (…, k, size)."""
    parts, at = [], 0
    for size in SIZES:
        logits = out[..., at : at + KINDS]
        at += KINDS
        mean, wide = (out[..., at + j * KINDS * size : at + (j + 1) * KINDS * size] for j in (0, 1))
        at += 2 * KINDS * size
        shape = (*out.shape[:-1], KINDS, size)
        sigma = LEAST_SIGMA + nn.functional.softplus(wide.reshape(shape) - 2.0)
        parts.append((logits, mean.reshape(shape), sigma))
    return parts


def surprise(out: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """(…,) negative log likelihood of a step's change, all regions together."""
    total, at = torch.zeros(out.shape[:-1]), 0
    for (logits, mean, sigma), size in zip(split(out), SIZES, strict=True):
        away = (change[..., None, at : at + size] - mean) / sigma
        at += size
        each = -0.5 * (away**2).sum(-1) - torch.log(sigma).sum(-1)
        total = total - torch.logsumexp(torch.log_softmax(logits, -1) + each, dim=-1)
    return total


def given(z: torch.Tensor, drive: torch.Tensor, rough: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The net's input at each step but the last, and the change it should say.

    The past is off by something that now and then changes, and what is asked for is that it
    fades: so the net learns to come back from where its own chance has led it, without haste.
    """
    fade = torch.full((MODES,), FADE)
    fade[-len(HEAD) :] = HEAD_FADE
    size = rough * torch.rand(len(z), 1, 1) ** 2
    off = size[:, 0] * torch.randn_like(z[:, 0])
    offs = [off]
    for _ in range(1, z.shape[1]):
        kick = (torch.rand(len(z), 1) < 0.03).float() * size[:, 0] * 0.5
        off = fade * off + kick * torch.randn_like(off)
        offs.append(off)
    wrong = torch.stack(offs, dim=1)
    past = z + wrong
    speed = past[:, 1:-1] - past[:, :-2]
    x = torch.cat([past[:, 1:-1], speed, drive[:, 2:]], dim=2)
    goal = z[:, 2:] + fade * wrong[:, 1:-1]
    return x, goal - past[:, 1:-1] - CARRY * speed


def train(pool: Any, test: Any, steps: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The weights after `steps`, and the surprise per step on training and test sequences."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    net = Net()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    kept = [tuple(map(torch.from_numpy, pool.batch(BATCH))) for _ in range(60)]
    test_z, test_drive, test_there = map(torch.from_numpy, test)
    result: dict[str, float] = {}
    for step in range(steps):
        if step % 6 == 0:  # the pool is renewed slowly: drawing costs as much as a step
            kept[(step // 6) % len(kept)] = tuple(map(torch.from_numpy, pool.batch(BATCH)))
        z, drive, there = kept[int(torch.randint(len(kept), (1,)))]
        x, change = given(z, drive, 0.6)
        out = net(x)
        loss = (surprise(out, change) * there[:, 2:]).sum() / there[:, 2:].sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 250 == 0 or step == steps - 1:
            with torch.no_grad():
                x, change = given(test_z, test_drive, 0.0)
                wrong = surprise(net(x), change) * test_there[:, 2:]
                unseen = float(wrong.sum() / test_there[:, 2:].sum())
                result = {"train": float(loss), "test": unseen}
            print(step, {k: round(v, 3) for k, v in result.items()}, flush=True)
    return {name: one.detach().numpy() for name, one in net.state_dict().items()}, result


def onnx_of(weights: dict[str, np.ndarray], modes: Any, levels: np.ndarray) -> bytes:
    """The whole step as ONNX: past, state, drive, noise, pick → next, state."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, stored, count = [], [], [0]

    def const(value: Any, kind: Any = np.float32) -> str:
        count[0] += 1
        stored.append(numpy_helper.from_array(np.asarray(value, kind), f"c{count[0]}"))
        return f"c{count[0]}"

    def op(kind: str, *inputs: str, **attributes: Any) -> str:
        count[0] += 1
        nodes.append(helper.make_node(kind, list(inputs), [f"t{count[0]}"], **attributes))
        return f"t{count[0]}"

    def part(value: str, start: int, end: int) -> str:
        ends = (const([k], np.int64) for k in (start, end, 1))
        return op("Slice", value, *ends)

    def linear(value: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return op("Add", op("MatMul", value, const(weight.T)), const(bias))

    # What the net last said of the head is in the state: `past` holds what was given out of it.
    said, face = STATE - len(HEAD), MODES - len(HEAD)
    z = op("MatMul", op("Sub", "past", const(modes.mean)), const(modes.into))
    z = op("Concat", part(z, 0, face), part("state", said, STATE), axis=1)
    hidden, before = part("state", 0, HIDDEN), part("state", HIDDEN, HIDDEN + MODES)
    speed = op("Sub", z, before)
    x = op("Concat", z, speed, part("drive", 0, 4), axis=1)
    gates = linear(x, weights["gru.weight_ih_l0"], weights["gru.bias_ih_l0"])
    own = linear(hidden, weights["gru.weight_hh_l0"], weights["gru.bias_hh_l0"])
    h = HIDDEN
    reset, keep = (
        op("Sigmoid", op("Add", part(gates, k * h, k * h + h), part(own, k * h, k * h + h)))
        for k in (0, 1)
    )
    late = op("Mul", reset, part(own, 2 * h, 3 * h))
    fresh = op("Tanh", op("Add", part(gates, 2 * h, 3 * h), late))
    hidden = op("Add", fresh, op("Mul", keep, op("Sub", hidden, fresh)))
    inner = linear(op("Concat", hidden, x, axis=1), weights["first.weight"], weights["first.bias"])
    inner = op("Mul", inner, op("Sigmoid", inner))
    out = linear(inner, weights["last.weight"], weights["last.bias"])
    at, mode, changes = 0, 0, []
    for region, size in enumerate(SIZES):
        share = op("Softmax", part(out, at, at + KINDS), axis=1)
        at += KINDS
        upto = op("CumSum", share, const(1, np.int64))
        below = op("Sub", upto, share)
        pick = part("pick", region, region + 1)
        # The last member takes what rounding leaves over.
        upto = op("Add", upto, const([0.0] * (KINDS - 1) + [1.0]))
        this = op("And", op("Greater", upto, pick), op("LessOrEqual", below, pick))
        this = op("Unsqueeze", op("Cast", this, to=TensorProto.FLOAT), const([1], np.int64))
        drawn = []
        for _ in range(2):
            whole = part(out, at, at + KINDS * size)
            whole = op("Reshape", whole, const([-1, KINDS, size], np.int64))
            drawn.append(op("Squeeze", op("MatMul", this, whole), const([1], np.int64)))
            at += KINDS * size
        sigma = op("Softplus", op("Sub", drawn[1], const(2.0)))
        sigma = op("Mul", op("Add", sigma, const(LEAST_SIGMA)), part("drive", 4, 5))
        swing = op("Mul", sigma, part("noise", mode, mode + size))
        changes.append(op("Add", drawn[0], swing))
        mode += size
    moved = op("Add", op("Concat", *changes, axis=1), op("Mul", speed, const(CARRY)))
    moved = op("Add", z, moved)
    moved = op("Max", op("Min", moved, const(modes.high)), const(modes.low))
    heads = part("state", HIDDEN + MODES + len(HEAD), STATE)
    heads = op("Concat", heads, part(moved, face, MODES), axis=1)
    kernel = np.kron(HEAD_GAIN * HEAD_KERNEL[:, None], np.eye(len(HEAD)))
    shown = op("Concat", part(moved, 0, face), op("MatMul", heads, const(kernel)), axis=1)
    shown = op("MatMul", shown, const(modes.back))
    nodes.append(helper.make_node("Add", [shown, const(modes.mean)], ["next"]))
    nodes.append(helper.make_node("Concat", [hidden, z, heads], ["new_state"], axis=1))

    def info(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])

    sizes = {"past": 57, "state": STATE, "drive": 5, "noise": MODES, "pick": len(SIZES)}
    graph = helper.make_graph(
        nodes,
        "motion",
        [info(name, size) for name, size in sizes.items()],
        [info("next", 57), info("new_state", STATE)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
