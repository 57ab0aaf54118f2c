"""Materials on a surface, as torch modules that become part of the exported nets.

What a net is bad at (a sharp reflection) is a formula here; what no formula can do (where the skin
lies and how it is bent, from a picture) is the net's. Both leave in one ONNX file. All pictures are
(1, c, h, w), colours linear unless they are called `picture`.

The light of the set is found in closed form: with the normals known, brightness is fitted by
least squares as ``colour · (1 + a·nx + b·ny)``, a weight in the middle of the face.
"""

from __future__ import annotations

import numpy as np
import skin_rooms as rooms
import torch
from torch import nn
from torch.nn import functional as f

LUMA = (0.2126, 0.7152, 0.0722)
Tensor = torch.Tensor


class Scene:
    """What a material may know of a crop; what is smooth, on cells of `CELL` pixels."""

    CELL = 4

    def __init__(self, picture: Tensor, out: Tensor, weight: Tensor) -> None:
        self.picture = picture
        self.linear = picture * picture
        weigh = torch.tensor(LUMA).view(1, 3, 1, 1)
        self.luma = (self.linear * weigh).sum(1, keepdim=True)
        self.material = smooth(torch.sigmoid(out[:, 2:3]), 0.15, 0.65)
        self.lips = torch.sigmoid(out[:, 3:4])
        # Half-size maps come out woven, and a mirror shows it.
        slope = f.avg_pool2d(out[:, :2], 3, 1, 1, count_include_pad=False)
        length = (slope * slope).sum(1, keepdim=True).clamp(min=1e-6).sqrt()
        self.slope = slope * (length.clamp(max=0.96) / length)
        self.z = (1 - (self.slope * self.slope).sum(1, keepdim=True)).clamp(min=0.02).sqrt()
        self._cells = {
            "linear": f.avg_pool2d(self.linear, self.CELL),
            "slope": f.avg_pool2d(self.slope, self.CELL),
            "material": f.avg_pool2d(self.material, self.CELL),
        }
        share = f.avg_pool2d(self.material, self.CELL) * f.avg_pool2d(weight, self.CELL)
        self._share = share / (share.mean(dim=(2, 3), keepdim=True) + 1e-4)
        self._cells["luma"] = (self._cells["linear"] * weigh).sum(1, keepdim=True)
        self.near = self.wide("luma", 1)  # brightness without folds
        self.colour = self._mean(self._cells["linear"]).clamp(min=0.012)  # of the skin
        self.key = (self.colour * weigh).sum(1, keepdim=True)
        self.middle = self._mean(self._cells["slope"])
        away = self._cells["slope"] - self.middle
        spread = self._mean(away * away) + 0.02
        relative = (self._cells["linear"] / self.colour).clamp(max=3.0) * self._share
        # (1, 3, 1, 1) each: how each colour grows towards x and y
        x, y = ((relative * away[:, i : i + 1]).mean(dim=(2, 3), keepdim=True) for i in (0, 1))
        self.to_x = (x / spread[:, :1]).clamp(-1.1, 1.1)
        self.to_y = (y / spread[:, 1:]).clamp(-0.9, 0.9)

    def _mean(self, cells: Tensor) -> Tensor:
        """Over the material, (1, c, 1, 1)."""
        return (cells * self._share).mean(dim=(2, 3), keepdim=True)

    def wide(self, name: str, by: int) -> Tensor:
        """`linear`, `luma`, `slope` or `material`, blurred over some `by` cells: (1, c, h, w)."""
        cells = self._cells[name]
        if by > 1:
            cells = f.avg_pool2d(cells, by)
        cells = f.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
        scale = float(self.CELL * by)
        return f.interpolate(cells, scale_factor=scale, mode="bilinear", align_corners=False)

    def kept(self) -> tuple[Tensor, Tensor]:
        """How much of the picture stays, and the grey beside it: where the material has holes.

        What the net leaves of skin around eyes and in the corners of the mouth is red beside any
        material: it is darkened, as a make-up artist would line it, and loses its red.
        """
        around = self.wide("material", 1)
        left = (1 - self.material) * (1.35 - around).clamp(0.60, 1.0)
        redder = (self.picture[:, :1] - self.picture[:, 1:2]).clamp(0.02, 0.12)
        sober = left * ((redder - 0.02) * (8.0 * around).clamp(max=5.5))
        return left - sober, sober * self.picture[:, 1:2]

    def light(self, x: Tensor, y: Tensor) -> Tensor:
        """(1, 3, h, w): the set's light, about 1, on normals x, y, of 1 or 3 channels."""
        level = 1 - self.to_x * self.middle[:, :1] - self.to_y * self.middle[:, 1:]
        return (level + self.to_x * x + self.to_y * y).clamp(0.12, 2.4)

    def grey_light(self, slope: Tensor) -> Tensor:
        """(1, 1, h, w): the same without colour."""
        to_x, to_y = self.to_x.mean(1, keepdim=True), self.to_y.mean(1, keepdim=True)
        level = 1 - to_x * self.middle[:, :1] - to_y * self.middle[:, 1:]
        return (level + to_x * slope[:, :1] + to_y * slope[:, 1:]).clamp(0.12, 2.4)


def smooth(x: Tensor, low: float, high: float) -> Tensor:
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


FINER = 3  # a ball is enlarged so far once, when the net is loaded, and then read without blending


def look(ball: Tensor, at: Tensor) -> Tensor:
    """The ball's picture (1, 3, s, s), first row at the bottom, at (1, 2, h, w), |at| <= 1.

    A gather from an enlarged ball takes a tenth of the time of onnxruntime's GridSample.
    """
    large = f.interpolate(ball, scale_factor=float(FINER), mode="bilinear", align_corners=False)
    side = large.shape[-1]
    cell = ((at + 1) * (side / 2)).clamp(0, side - 1).floor()
    index = (cell[:, 1] * side + cell[:, 0]).to(torch.int32).reshape(-1)
    rows = large.reshape(3, -1).transpose(0, 1)
    found = torch.index_select(rows, 0, index)
    return found.transpose(0, 1).reshape(1, 3, at.shape[2], at.shape[3])


class Material(nn.Module):
    """``forward(scene, knob…)`` → linear colour (1, 3, h, w)."""

    knobs: tuple[tuple[str, float, str], ...] = ()  # name, default (of 0..1), doc
    inputs: tuple[str, ...] = ()  # what else goes in, after the knobs

    def __init__(self, size: int) -> None:
        super().__init__()
        axis = (torch.arange(size) + 0.5) / size * 2 - 1
        self.register_buffer("x", axis.view(1, 1, 1, size))
        self.register_buffer("y", -axis.view(1, 1, size, 1))

    @property
    def place(self) -> Tensor:
        """(1, 2, h, w): where in the crop, -1..1, y up."""
        both = self.x + self.y
        return torch.cat([both - self.y, both - self.x], 1)

    @property
    def weight(self) -> Tensor:
        """(1, 1, h, w): much in the middle, where the crop's face is sure to be."""
        return torch.exp(-((self.x / 0.45) ** 2) - ((self.y / 0.55) ** 2))


class Chrome(Material):
    """A mirror in a black studio, turned into the light that is there."""

    knobs = (("roughness", 0.15, "0 = mercury, 1 = brushed steel"),)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        balls = [rooms.ball(rooms.stage, spread) for spread in (0.012, 0.10, 0.26)]
        self.register_buffer("balls", torch.from_numpy(np.stack(balls)))

    def forward(self, scene: Scene, roughness: Tensor) -> Tensor:
        level = roughness.clamp(0, 1) * 2
        ends = (1 - level).clamp(min=0), (level - 1).clamp(min=0)
        share = torch.cat([ends[0], 1 - (level - 1).abs(), ends[1]])
        ball = (self.balls * share.view(3, 1, 1, 1)).sum(0, keepdim=True)
        at = scene.slope * 0.97 + 0.10 * self.place * (1 - scene.slope.abs())
        metal = look(ball, at)
        light = scene.light(scene.slope[:, :1], scene.slope[:, 1:])
        even = scene.key * scene.grey_light(scene.wide("slope", 2))
        hollow = (scene.near / even).clamp(0, 1.6)
        line = ((scene.luma + 0.02) / (scene.near + 0.02)).clamp(0.3, 1.5)
        shade = (0.22 + (0.86 - 0.16 * hollow) * hollow) * line.sqrt() * (0.62 + 0.9 * scene.key)
        tinted = 0.08 + 0.35 * scene.lips
        tint = (1 - tinted) + (tinted / scene.luma.clamp(min=0.03)) * scene.linear
        return 1 - torch.exp(metal * light * tint * (-1.55 * shade))


class Porcelain(Material):
    """White clay that light goes into, under glaze that mirrors a window."""

    knobs = (("glaze", 0.7, "how strongly it mirrors"), ("paint", 0.8, "lips and brows, painted"))

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("ball", torch.tensor(rooms.ball(rooms.window, 0.02))[None])

    def forward(self, scene: Scene, glaze: Tensor, paint: Tensor) -> Tensor:
        glaze, paint = glaze.view(1, 1, 1, 1), paint.view(1, 1, 1, 1)
        fine, wide = scene.slope, scene.wide("slope", 2)
        # Red goes deepest: it sees the widest mean of the normals.
        deep = torch.tensor([0.85, 0.62, 0.50]).view(1, 3, 1, 1)
        x, y = (fine[:, i : i + 1] + deep * (wide - fine)[:, i : i + 1] for i in (0, 1))
        light = scene.light(x, y)
        wrapped = (0.22 + 0.78 * light).clamp(min=0.05)
        broad, broader = scene.wide("luma", 2), scene.wide("luma", 4).clamp(min=1e-3)
        hollow = (broad / (scene.key * scene.grey_light(wide))).clamp(0.15, 1.25)
        fold = (scene.near / broader).clamp(0.35, 1.15)
        shade = hollow.sqrt() * (0.4 + 0.6 * fold)
        warm = torch.tensor([0.80, 0.785, 0.76]).view(1, 3, 1, 1)
        inner = torch.tensor([0.132, 0.044, 0.0]).view(1, 3, 1, 1)  # light that has been inside
        exposure = (1.35 * scene.key.sqrt()).clamp(max=0.86)  # in dim light it stays white clay
        cast = (scene.colour / scene.key).clamp(0.6, 1.6)
        cast = cast / torch.tensor([1.28, 0.93, 0.80]).view(1, 3, 1, 1) - 1
        # How people's skins differ isn't the light: only a strong cast is.
        cast = 1 + (0.08 + 0.55 * cast.abs()) * cast
        red = torch.tensor([0.46, 0.035, 0.05]).view(1, 3, 1, 1)
        dark = ((scene.luma + 0.01) / (scene.near + 0.01)).clamp(0.1, 1.0)
        brows = smooth(broader / scene.near.clamp(min=1e-3), 1.25, 2.2) * (1 - scene.lips)
        ink = torch.tensor([0.06, 0.05, 0.05]).view(1, 3, 1, 1)
        painted = 1 + (paint * scene.lips) * (red / warm - 1)
        painted = painted * (1 + (0.8 * paint * brows) * (ink / warm - 1))
        clay = (inner + shade * (1 - inner)) * painted * wrapped
        body = clay * (0.5 + 0.5 * dark) * (warm * exposure * cast)
        at = (fine * 0.65 + wide * 0.35) * 0.97 + 0.06 * self.place
        away = (1 - scene.z).clamp(0, 1)
        fresnel = 0.045 + 0.60 * away * away * away * away
        strength = fresnel * scene.grey_light(fine) * hollow * (glaze * (0.9 + 3.3 * scene.key))
        out = body + look(self.ball, at) * strength
        return out / (1 + 0.18 * out)  # a shoulder


class Nova(Material):
    """Black glass over a galaxy that is fixed to the skin, and a thin film where it turns away."""

    knobs = (("glow", 0.6, "how bright the galaxy is"),)
    inputs = ("beat", "landmarks")
    CELLS = 16  # the grid on which canonical UV is found
    NEAR = 0.055  # of the crop: how far a landmark counts

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("sky", torch.from_numpy(rooms.nebula())[None])
        picked = torch.arange(0, 468, 3)
        self.register_buffer("picked", picked)
        uv = torch.from_numpy(np.array(rooms.canonical_uv()))[picked] * 2 - 1
        self.register_buffer("uv", uv)

    def skin(self, landmarks: Tensor) -> Tensor:
        """(1, 2, h, w): canonical UV, -1..1, of each pixel.

        An affine fit, and what it misses at landmarks spread over their neighbourhood. Without
        landmarks (all 0) the crop itself is taken for the face.
        """
        known = (landmarks.abs().sum() > 1e-3).to(landmarks.dtype)
        points = torch.index_select(landmarks[0], 0, self.picked)
        points = points * torch.tensor([2.0, -2.0]) + torch.tensor([-1.0, 1.0])  # as `place`
        middle, target = points.mean(0, keepdim=True), self.uv.mean(0, keepdim=True)
        p, q = points - middle, self.uv - target
        xx, xy, yy = (p[:, 0] ** 2).sum(), (p[:, 0] * p[:, 1]).sum(), (p[:, 1] ** 2).sum()
        det = (xx * yy - xy * xy).clamp(min=1e-6)
        cross = p.transpose(0, 1) @ q  # (2, 2)
        undo = torch.stack([torch.stack([yy, -xy]), torch.stack([-xy, xx])]) / det
        linear = undo @ cross
        missed = q - p @ linear
        cells = f.avg_pool2d(self.place, self.x.shape[3] // self.CELLS)
        cells = cells[0].reshape(2, -1).transpose(0, 1)
        across = cells @ points.transpose(0, 1)
        away = cells.square().sum(1, keepdim=True) + points.square().sum(1)[None] - 2 * across
        near = torch.exp(away * (-0.5 / (2 * self.NEAR) ** 2))
        spread = (near @ missed) / (near.sum(1, keepdim=True) + 0.02)
        uv = (cells - middle) @ linear + target + spread
        uv = uv * known + cells * (1 - known)
        grid = uv.transpose(0, 1).reshape(1, 2, self.CELLS, self.CELLS)
        large = float(self.x.shape[3] // self.CELLS)
        return f.interpolate(grid, scale_factor=large, mode="bilinear", align_corners=False)

    def forward(self, scene: Scene, glow: Tensor, beat: Tensor, landmarks: Tensor) -> Tensor:
        glow = glow.view(1, 1, 1, 1)
        turn = beat.view(1, 1, 1, 1) * (2 * torch.pi / 64)
        wide = scene.wide("slope", 1)
        at = self.skin(landmarks) * 0.80 - (scene.slope * 0.4 + wide * 0.6) * 0.05
        sky = look(self.sky, at)
        hollow = (scene.near / scene.key).clamp(0, 1.6)
        line = ((scene.luma + 0.02) / (scene.near + 0.02)).clamp(0.3, 1.5)
        away = (1 - scene.z).clamp(0, 1)
        light = scene.light(scene.slope[:, :1], scene.slope[:, 1:])
        # The skin's own light goes into the glass: highlights burn, hollows are the night.
        shine = (0.08 + 0.92 * hollow * hollow.sqrt()) * scene.grey_light(scene.slope).sqrt() * line
        inner = sky * (shine * (0.3 + 2.6 * glow))
        body = torch.tensor([0.006, 0.008, 0.030]).view(1, 3, 1, 1) * hollow
        # Two lamps, far out of focus: a second room to look into would cost a millisecond.
        x, y = scene.slope[:, :1] + 0.08 * self.x, scene.slope[:, 1:] + 0.08 * self.y
        lamps = 4.5 * torch.exp(((x + 0.38) ** 2 + (y - 0.36) ** 2) * -28)
        lamps = lamps + 1.3 * torch.exp((x - 0.70) ** 2 * -60)
        fresnel = 0.035 + 0.60 * away * away * away
        gloss = light * (lamps * fresnel * (0.22 + 0.72 * scene.key))
        phase = 5.0 * away + 1.0 * wide[:, 1:] + turn * 2
        shift = torch.tensor([0.0, 2.6, 1.2]).view(1, 3, 1, 1)
        film = (1 + torch.cos(phase + shift)) * (0.2 + 0.8 * light)
        colour = torch.tensor([0.150, 0.035, 0.190]).view(1, 3, 1, 1)
        rim = film * colour * smooth(away, 0.25, 0.90)
        rose = torch.tensor([0.16, 0.015, 0.10]).view(1, 3, 1, 1)
        lips = (scene.lips * hollow * line) * rose
        return 1 - torch.exp(-1.35 * (inner + body + gloss + rim + lips))


class Skin(nn.Module):
    """Surface and material in one: a picture 0..1 (1, 3, h, w), and knobs → a picture."""

    def __init__(self, surface: nn.Module, material: Material) -> None:
        super().__init__()
        self.surface, self.material = surface, material

    def forward(self, picture: Tensor, *knobs: Tensor) -> Tensor:
        return self.dress(picture, self.surface(picture), *knobs)

    def dress(self, picture: Tensor, out: Tensor, *knobs: Tensor) -> Tensor:
        """The picture in its material, where the surface is known."""
        scene = Scene(picture, out, self.material.weight)
        shown = self.material(scene, *knobs).clamp(1e-6, 1.0).sqrt()
        own, grey = scene.kept()
        return picture * own + grey + shown * scene.material


MATERIALS = {"chrome": Chrome, "porcelain": Porcelain, "nova": Nova}
