"""Fit the net of skin_net.py to the samples that skin_nets.py has drawn."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import skin_net as s
import torch
from torch.nn import functional as f

PAIRS = 4  # pictures in a batch; each is seen twice, in another light and a little moved
RATE = 2.5e-3
KEPT = 0.995  # of the running mean of the weights, which is what is exported
STEADY = 1.5  # weight of: both views must say the same
SEED = 5
EVERY = 50  # steps: telling, keeping


class Pictures:
    """Draws pictures at random, a clip at a time, so that long clips count no more than stills."""

    def __init__(self, folder: Path) -> None:
        self.clips = []
        self.chance = []
        for path in sorted(folder.glob("*.npz")):
            with np.load(path) as data:
                self.clips.append([data[key] for key in ("picture", "normal", "parts")])
            self.chance.append(math.sqrt(len(self.clips[-1][0])))

    def take(self, n: int, rng: np.random.Generator) -> list[torch.Tensor]:
        """Pictures, normals (x, y, counts) and parts, each (n, 3, h, w) 0..1."""
        share = np.array(self.chance) / sum(self.chance)
        picks = []
        for clip in rng.choice(len(self.clips), n, p=share):
            one = rng.integers(len(self.clips[clip][0]))
            picks.append([stack[one] for stack in self.clips[clip]])
        return [
            torch.from_numpy(np.stack(stack)).permute(0, 3, 1, 2).float() / 255
            for stack in zip(*picks, strict=True)
        ]


def covers(n: int, seed: int) -> torch.Tensor:
    """(n, 256, 256) 0..1: hands, microphones, strands of hair."""
    import cv2

    rng = np.random.default_rng(seed)
    out = []
    for kind in rng.integers(0, 3, n):
        mask = np.zeros((s.SIZE, s.SIZE), np.float32)
        if kind == 0:  # fingers
            at, turn = rng.uniform(40, 216, 2), rng.uniform(0, 2 * np.pi)
            along = np.array([np.cos(turn), np.sin(turn)])
            for i in range(rng.integers(1, 5)):
                a = at + np.array([-along[1], along[0]]) * i * 22 + along * rng.uniform(-12, 12)
                wide = int(rng.integers(12, 24))
                cv2.line(mask, _point(a), _point(a + along * 260), 1.0, wide, cv2.LINE_AA)
        elif kind == 1:  # a microphone, a phone
            at, axes = _point(rng.uniform(30, 226, 2)), _point(rng.uniform(14, 70, 2))
            turn = rng.uniform(0, 180)
            cv2.ellipse(mask, at, axes, turn, 0, 360, 1.0, -1, cv2.LINE_AA)
        else:  # strands
            # A fringe, never a single line across a cheek: that is a fold.
            root, reach = rng.uniform(30, 226), rng.uniform(60, 120)
            for _ in range(rng.integers(6, 40)):
                x = root + rng.normal(0, 22) + np.cumsum(rng.normal(0, 2, 12).cumsum())
                y = np.linspace(-10, reach * rng.uniform(0.7, 1.0), 12)
                line = np.stack([x, y], 1).round().astype(np.int32)
                cv2.polylines(mask, [line], False, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA)
        out.append(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.2)))
    return torch.from_numpy(np.stack(out))


def _point(values: np.ndarray) -> tuple[int, int]:
    x, y = values.round().astype(int)
    return int(x), int(y)


def fit(pictures: Pictures, steps: int, keep: Path, start: Path | None = None) -> None:
    """Train for `steps` batches, maybe on from `start`; `keep` gets the weights every so often."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng, chance = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    net = s.Surface().to(memory_format=torch.channels_last)
    if start is not None:
        net.load_state_dict(torch.load(start, weights_only=True))
    mean = copy.deepcopy(net)
    masks = covers(160, SEED)
    best = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    sums = np.zeros(2)
    for step in range(steps):
        share = step / steps
        rate = RATE * min(1.0, step / 60) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * share)))
        for group in best.param_groups:
            group["lr"] = rate
        picture, drawn, parts = pictures.take(PAIRS, chance)
        at = s.place(PAIRS, large=True, rng=rng)
        nudge = s.place(PAIRS, large=False, rng=rng)
        size, shift = nudge[:, 0, 0].view(-1, 1, 1) / s.CUT, nudge[:, :, 2:]
        linear = at[:, :, :2]
        second = torch.cat([linear * size, linear @ shift + at[:, :, 2:]], 2)
        both = torch.cat([at, second])
        stack = s.cut(torch.cat([picture, drawn, parts[:, :2]], 1).repeat(2, 1, 1, 1), both)
        seen, told = stack[:, :3], stack[:, 6:8]
        normal = s.turned(stack[:, 3:5] * 2 - 1, both)
        counts = (stack[:, 5:6] > 0.98).float()
        lit = s.relit(seen, normal * counts, rng)
        covered, mask = s.hidden(lit, masks, lit.roll(1, 0).flip(3), rng)
        told = told * (1 - mask)
        covered = covered.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(covered)
        out = out.float()
        value = s.loss(out, normal, told, counts)
        # the second view, brought onto the first: x2 = nudge⁻¹ x1
        undo = torch.cat([torch.eye(2) / size, -shift / size], 2)
        grid = f.affine_grid(undo, [PAIRS, 1, s.SIZE, s.SIZE], align_corners=False)
        there = f.grid_sample(out[PAIRS:], grid, padding_mode="border", align_corners=False)
        clear = 1 - f.grid_sample(mask[PAIRS:], grid, align_corners=False)
        shown = counts[:PAIRS] * told[:PAIRS, :1] * clear
        steady = ((out[:PAIRS, :2] - there[:, :2]).abs() * shown).mean()
        total = value + STEADY * steady
        best.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        best.step()
        kept = min(KEPT, step / (step + 20))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - kept) if a.is_floating_point() else a.copy_(b)
        sums += [value.item(), steady.item()]
        if (step + 1) % EVERY == 0:
            print(f"{step + 1}: {sums[0] / EVERY:.4f} {sums[1] / EVERY:.5f}", flush=True)
            sums[:] = 0
            torch.save(mean.state_dict(), keep)
