"""The net of skin_nets.py, on torch: a face's crop to normals, where material lies, and lips."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as f

SIZE = 256
WIDTHS = (16, 32, 48, 72, 96)  # at 128, 64, 32, 16, 8 pixels
CUT = 0.75  # of a drawn picture's side is what the net sees: margin 0.1 within 0.3
OUT = 4  # normal x, y; material, lips as logits


def _conv(a: int, b: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)
    )


class Surface(nn.Module):
    """(n, 3, 256, 256) RGB 0..1 → (n, 4, 256, 256): a U-net whose finest maps are half size."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _conv(12, WIDTHS[0])
        self.down = nn.ModuleList()
        for a, b in pairwise(WIDTHS):
            more = [_conv(b, b)] if b > 48 else []
            self.down.append(nn.Sequential(_conv(a, b, 2), _conv(b, b), *more))
        self.up = nn.ModuleList()
        self.side = nn.ModuleList()
        for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True):
            self.side.append(nn.Conv2d(a, b, 1))
            self.up.append(_conv(b, b))
        self.last = _conv(WIDTHS[0] + 12, WIDTHS[0])
        self.out = nn.Conv2d(WIDTHS[0], 4 * OUT, 3, 1, 1)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        x = f.pixel_unshuffle(picture * 2 - 1, 2)
        kept = [self.first(x)]
        for down in self.down:
            kept.append(down(kept[-1]))
        y = kept.pop()
        for side, up in zip(self.side, self.up, strict=True):
            y = f.interpolate(side(y), scale_factor=2.0, mode="bilinear", align_corners=False)
            y = up(y + kept.pop())
        return f.pixel_shuffle(self.out(self.last(torch.cat([y, x], 1))), 2)


def place(n: int, *, large: bool, rng: torch.Generator) -> torch.Tensor:
    """(n, 2, 3) for affine_grid: where in the drawn picture the net's crop lies."""

    def normal(scale: float) -> torch.Tensor:
        return torch.randn(n, generator=rng) * scale

    turn = normal(0.14 if large else 0.015)
    size = CUT * torch.exp(normal(0.10 if large else 0.01))
    mirror = (torch.rand(n, generator=rng) < 0.5).float() * 2 - 1 if large else torch.ones(n)
    cos, sin = size * torch.cos(turn), size * torch.sin(turn)
    shift = torch.stack([normal(0.06 if large else 0.006), normal(0.06 if large else 0.006)], 1)
    rows = [torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)]
    linear = torch.stack(rows, 1)
    return torch.cat([linear, shift[..., None].clamp(-0.22, 0.22)], 2)


def cut(stack: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Crops (n, c, 256, 256) of pictures (n, c, h, w)."""
    grid = f.affine_grid(at, [len(stack), stack.shape[1], SIZE, SIZE], align_corners=False)
    return f.grid_sample(stack, grid, padding_mode="border", align_corners=False)


def turned(normal: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Normals (n, 2, h, w), y up, as they stand in a crop cut at `at`."""
    # picture directions (y down) in the drawn picture = linear @ those in the crop
    linear = at[:, :, :2]
    unit = linear / linear[:, :, :1].square().sum(1, keepdim=True).sqrt()
    down = normal * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
    back = torch.einsum("nji,njhw->nihw", unit, down)  # the transpose turns back
    return back * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)


def relit(picture: torch.Tensor, normal: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """The same skin under another light, camera and colour balance."""
    n = len(picture)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(n, *shape, generator=rng)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(n, *shape, generator=rng)

    linear = picture.clamp(0, 1) ** 2
    angle, strength = rand(1, 1, 1) * 2 * math.pi, randn(1, 1, 1).abs() * 0.7
    slope = normal[:, :1] * torch.cos(angle) + normal[:, 1:] * torch.sin(angle)
    colour = torch.exp(randn(3, 1, 1) * 0.12)
    second = torch.exp(randn(3, 1, 1) * 0.25 * (rand(1, 1, 1) < 0.4))  # coloured from one side
    amount = torch.sigmoid(slope * 3)
    linear = linear * torch.exp(strength * slope) * colour * (1 + amount * (second - 1))
    field = f.interpolate(randn(1, 4, 4) * 0.15, size=picture.shape[2:], mode="bicubic")
    linear = linear * torch.exp(field + randn(1, 1, 1) * 0.35)
    out = linear.clamp(1e-4, 1) ** (0.5 * torch.exp(randn(1, 1, 1) * 0.18))
    grey = out.mean(1, keepdim=True)
    share = torch.where(rand(1, 1, 1) < 0.12, torch.zeros(n, 1, 1, 1), 1 + randn(1, 1, 1) * 0.3)
    out = grey + (out - grey) * share.clamp(0, 1.9)
    soft = f.avg_pool2d(f.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
    softer = f.interpolate(f.avg_pool2d(out, 4), scale_factor=4.0, mode="bilinear")
    which = rand(1, 1, 1)
    out = torch.where(which < 0.25, soft, torch.where(which > 0.88, softer, out))
    return (out + randn(*out.shape[1:]) * (rand(1, 1, 1) ** 2 * 0.035)).clamp(0, 1)


def hidden(
    picture: torch.Tensor, covers: torch.Tensor, others: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Something before the face: the picture, and (n, 1, h, w) 1 where it lies."""
    n = len(picture)
    pick = torch.randint(len(covers), (n,), generator=rng)
    mask = covers[pick][:, None] * (torch.rand(n, 1, 1, 1, generator=rng) < 0.30)
    plain = torch.rand(n, 3, 1, 1, generator=rng) ** 2
    is_plain = torch.rand(n, 1, 1, 1, generator=rng) < 0.5
    texture = torch.where(is_plain, plain.expand_as(picture), others)
    texture = texture * torch.exp(torch.randn(n, 1, 1, 1, generator=rng) * 0.3)
    return picture * (1 - mask) + texture.clamp(0, 1) * mask, mask


def loss(
    out: torch.Tensor, normal: torch.Tensor, parts: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """Normals by value and by slope, what is where by cross entropy; only where it is known."""
    shown = counts * parts[:, :1]
    away = (out[:, :2] - normal) * shown
    total = away.abs().mean() * 6
    for step in (1, 2, 4):
        both = shown[..., step:] * shown[..., :-step]
        total = total + 2.5 * ((away[..., step:] - away[..., :-step]).abs() * both).mean()
        both = shown[:, :, step:] * shown[:, :, :-step]
        total = total + 2.5 * ((away[:, :, step:] - away[:, :, :-step]).abs() * both).mean()
    cross = f.binary_cross_entropy_with_logits(out[:, 2:], parts, reduction="none")
    # Outlines count most: of eyes and mouth, and there are few such pixels.
    wide = f.avg_pool2d(parts, 9, 1, 4, count_include_pad=False)
    edge = ((wide - parts).abs().amax(1, keepdim=True) * 3).clamp(max=1)
    weight = counts * (1 + 2 * (1 - parts[:, :1]) + parts[:, 1:] + 6 * edge)
    return total + 1.5 * (cross * weight).mean()
