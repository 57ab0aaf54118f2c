"""Whether a card and its net fit: hash, names, types, layouts, sizes, what a first run answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from kfx.errors import KfxError
from kfx.neural import layout, onnx_file
from kfx.neural.card import Card
from kfx.neural.ports import PICTURES, Port

_RANKS = {"NCHW": 4, "NHWC": 4, "CHW": 3, "HWC": 3, "NHW": 3, "HW": 2}


def check_hash(card: Card, weights: Sequence[Path] = ()) -> None:
    """Raise `KfxError` when the net isn't the one that the card was written for."""
    if not card.sha256:
        return
    found = hash_of(card.path, *weights)
    if found != card.sha256:
        raise KfxError(
            f"{card.path}: this isn't the net that {card.where or 'its card'} was written for: its "
            f"sha256 is {found[:12]}…, the card says {card.sha256[:12]}…; get that file, or if the "
            "change is wanted, write the new sha256 into the card"
        )


def hash_of(*paths: Path) -> str:
    """The SHA-256 in hex of files one after another. Raises `KfxError` where one can't be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
        except OSError as error:
            raise KfxError(f"{path}: {error.strerror}; put the net beside its card") from error
    return digest.hexdigest()


def check(card: Card, file: onnx_file.OnnxFile) -> None:
    """Raise `KfxError` where the card says what the file doesn't have."""
    place = card.where or str(card.path)
    for kind, ports, values in (
        ("input", card.inputs, {value.name: value for value in file.inputs}),
        ("output", card.outputs, {value.name: value for value in file.outputs}),
    ):
        there = ", ".join(values) or "none"
        for port in ports:
            if port.name not in values:
                raise KfxError(
                    f"{place}: {kind}.{port.name}: the net has no such one; it has {there}"
                )
            value = values[port.name]
            if not value.type or (kind == "input" and value.type != port.type):
                has = value.type or "a type that kfx can't hand over"
                raise KfxError(
                    f"{place}: {kind}.{port.name}: type: the net has {has}, not {port.type}"
                )
            if port.role in PICTURES:
                _fit_picture(f"{place}: {kind}.{port.name}", port, value.shape, kind == "input")
        if kind == "input":
            known = {port.name for port in ports}
            missing = [name for name in values if name not in known]
            if missing:
                raise KfxError(
                    f"{place}: the net also wants {', '.join(missing)}; add a table for it"
                )


def _fit_picture(place: str, port: Port, shape: tuple[int | str, ...], given: bool) -> None:
    sides = "×".join(map(str, shape))
    rank = _RANKS[port.layout]
    # Answers may lack the axis of the batch; what goes in must have the axes that it is given.
    loose = not given and port.layout.startswith("N") and len(shape) == rank - 1
    if not shape and not given:
        return  # the file doesn't say
    if len(shape) != rank and not loose:
        raise KfxError(f"{place}: layout: {port.layout} has {rank} axes, the net has {sides}")
    if not given:
        return
    _fit_scale(place, port, layout.channels_of(port))
    wanted = {"N": 1, "C": layout.channels_of(port)}
    if port.size:
        wanted |= {"W": port.size[0], "H": port.size[1]}
    for axis, side in zip(port.layout, shape, strict=True):
        if not isinstance(side, int):
            continue
        if axis not in wanted:
            raise KfxError(f"{place}: size is missing: the net is fixed to {sides}")
        if wanted[axis] != side:
            key = {"C": "colour", "N": "layout"}.get(axis, "size")
            raise KfxError(
                f"{place}: {key}: the card gives {wanted[axis]} along {axis} of {port.layout}, "
                f"the net wants {sides}"
            )


def check_answer(card: Card, port: Port, shape: tuple[int, ...]) -> None:
    place = card.where or str(card.path)
    if min(shape[:2]) < 2:
        raise KfxError(
            f"{place}: output.{port.name}: layout: as {port.layout} its picture is "
            f"{shape[1]}×{shape[0]}: no picture"
        )
    least = 1 + max(port.channels, default=-1)
    if shape[2] < least or (port.role == "picture" and not port.channels and shape[2] > 4):
        raise KfxError(
            f"{place}: output.{port.name}: channels: it has {shape[2]}; name those that are meant"
        )
    _fit_scale(f"{place}: output.{port.name}", port, len(port.channels) or shape[2])


def _fit_scale(place: str, port: Port, channels: int) -> None:
    """A mean and a std are one number for all channels, or one for each (but for alpha)."""
    for key, values in (("mean", port.mean), ("std", port.std)):
        if len(values) not in (0, 1, channels, min(channels, 3)):
            raise KfxError(
                f"{place}: {key}: {len(values)} numbers for {channels} "
                f"channel{'s' * (channels != 1)}; write one, or one for each"
            )


def check_names(card: Card, port: Port, values: int) -> None:
    if card.kind == "landmarks" and len(port.names) != values:
        place = card.where or str(card.path)
        raise KfxError(
            f"{place}: output.{port.name}: names: there are {len(port.names)} for {values} numbers"
        )
