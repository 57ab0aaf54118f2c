"""Guesses the card of a net that has none, from names, shapes and a probe run on a portrait.

The portrait is the embedded performer's: a person in the middle, so a segmentation shows by which
class and polarity it marks her, and an image net by what it makes of a photograph.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural import families, fitting, guess_points, layout, onnx_file, roles
from kfx.neural.card import Card
from kfx.neural.channels import alike, picture_in
from kfx.neural.onnx_file import OnnxFile
from kfx.neural.portrait import (
    FREE,
    OWN,
    SCALES,
    Probe,
    correlation,
    finite,
    luma_of,
    open_session,
)
from kfx.neural.ports import Port

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

FED = ("picture", "picture2", "mask")
NO_WEIGHTS = 16_000  # bytes: so small a net was written, not trained
MOST_CHANNELS = 32  # of an answer that holds pictures among others
LEAST_STD = 0.02  # of an answer that is a picture
_WHOLE = (
    *("light", "llie", "lle", "llnet", "dce", "enhance", "denoise", "dehaze", "depth", "seg"),
    *("matting", "background", "sci_", "uretinex", "tbefn", "night", "sky", "derain", "deblur"),
)
_MATTE = ("pha", "alpha", "matte", "mask", "seg")
_FLOW = ("flow", "warp", "disp", "offset", "grid", "motion")


def inspect(path: Path) -> Card:
    """The guessed card of the net at `path`.

    Raises `KfxError` where the file is no net that kfx can run at all.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the path right?") from error
    return _inspect(path.resolve(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _inspect(path: Path, _changed: int, _bytes: int) -> Card:
    file = onnx_file.read(path)
    inputs = roles.inputs_of(file)
    base = Card(
        name=path.stem,
        kind="other",
        path=path,
        inputs=tuple(inputs),
        # Lists and texts are left where they are: nothing can be drawn of them.
        outputs=tuple(Port(one.name, "unused", type=one.type) for one in file.outputs if one.type),
        doc="guessed from the net; look at it: kfx model try",
        sha256=fitting.hash_of(path, *file.weights),
        training="procedural" if file.bytes < NO_WEIGHTS else "generative",
    )
    if not base.outputs:
        raise KfxError(f"{path}: it answers lists or texts alone: nothing that can be drawn")
    session = open_session(path)
    fixed = [one for one in file.inputs if len(one.shape) == 4 and one.shape[0] not in (1, "?")]
    if fixed and isinstance(fixed[0].shape[0], int):
        many = fixed[0].shape[0]
        return replace(base, doc=f"{fixed[0].name} takes {many} pictures at once, kfx has one")
    if not any(port.role == "picture" for port in inputs):
        base = replace(base, doc=_no_picture(file))
        return guess_points.without_picture(base, file, session)
    if (size := base.picture.size) and 0 in size:
        raise KfxError(f"{path}: its input {base.picture.name} has a side of 0: nothing fits in")
    first = Probe(base, session)
    if base.picture.size is None and (multiple := first.multiple()) > 1:
        base = replace(
            base,
            inputs=tuple(
                replace(port, multiple=multiple) if port.role in FED else port for port in inputs
            ),
        )
    answers = first.run(first.scales[0])
    if all(_void(first.run(scale)) for scale in first.scales):
        return replace(_told(base, answers), doc="it answers nothing but NaN to a portrait")
    name, decoded = _main_output(base, file, answers)
    if name is None:
        return guess_points.dots(base, first, answers) or _told(base, answers)
    if decoded == "flow" and base.role("picture2"):
        return replace(_told(base, answers), doc="motion between two pictures, nothing to draw")
    states = {port.source for port in inputs if port.role == "state"} - {name}
    if decoded == "image":
        best = _image(base, file, first, name)
    elif decoded == "colours":
        best = _colours(base, name, answers)
    elif decoded == "flow":
        best = replace(base, kind="flow", outputs=_with(base, name, "flow", answers))
    else:
        best = _matte(base, first, name)
    larger = _larger(answers[name], next(p for p in best.outputs if p.name == name), first.size)
    outputs = tuple(
        replace(port, role="state")
        if port.name in states
        else replace(port, scale=larger)
        if port.name == name
        else port
        for port in best.outputs
    )
    return replace(best, outputs=outputs, region=_region(best, file))


def _void(answers: dict[str, Array]) -> bool:
    """Whether there is no number in what a net answers."""
    numbers = [one for one in answers.values() if one.dtype.kind == "f"]
    return len(numbers) == len(answers) and not any(np.isfinite(one).any() for one in numbers)


def _no_picture(file: OnnxFile) -> str:
    wanted = "; ".join(f"{one.name} is {'×'.join(map(str, one.shape))}" for one in file.inputs)
    return f"no input takes a picture or a face's landmarks ({wanted[:160]})"


def _answer_port(name: str, array: Array, size: tuple[int, int]) -> Port | None:
    """The port of an answer that covers the picture, with its layout; None for other answers."""
    shape = array.shape
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3, 4):
        return None
    if array.ndim == 4 and shape[0] != 1:
        return None
    sides = shape[1:] if array.ndim == 4 else shape
    prefix = "N" if array.ndim == 4 else ""
    if array.ndim == 2:
        candidates = {"HW": sides}
    else:
        candidates = {"CHW": sides[1:], "HWC": sides[:2], "NHW": sides[1:] if sides[0] == 1 else ()}
    aspect = size[0] / size[1]
    best, least = None, 0.12
    for word, plane in candidates.items():
        if len(plane) != 2 or min(plane) < 8:
            continue
        off = abs(np.log(plane[1] / plane[0] / aspect))
        if off < least:
            best, least = word, off
    if best is None:
        return None
    kind = array.dtype.name if array.dtype.name in onnx_file.TYPES.values() else "float32"
    return Port(name, "unused", type=kind, layout=best if best == "NHW" else prefix + best)


def _main_output(card: Card, file: OnnxFile, answers: dict[str, Array]) -> tuple[str | None, str]:
    """The output that is drawn, and as what: image, matte or flow."""
    width, height = card.picture.size or FREE
    states = {port.source for port in card.inputs if port.role == "state"}
    states = states if states < answers.keys() else set()  # what is drawn is remembered itself
    found = []
    for name, array in answers.items():
        port = None if name in states else _answer_port(name, array, (width, height))
        if port is None:
            continue
        shape = layout.planes(finite(array), port).shape
        tall = shape[0] / height
        if tall < 0.3 or (tall < 0.5 and shape[2] > 4):
            continue  # a grid of detections or heatmaps
        word = name.lower()
        flow = shape[2] == 2 and any(hint in f"{word} {card.name.lower()}" for hint in _FLOW)
        kind = "image" if shape[2] in (3, 4) else "flow" if flow else "matte"
        grey = card.picture.colour == "L"
        if shape[2] == 2 and not flow and (grey or families.colourises(card.name)):
            kind = "colours"
        if shape[2] == 1 and (
            families.draws_edges(card.name) or (grey and alike(card, array, port))
        ):
            kind = "image"
        if 4 < shape[2] <= MOST_CHANNELS and picture_in(card, array, port) is not None:
            kind = "image"
        rank = 2 if kind == "matte" else 1
        if kind == "matte" and any(hint in word for hint in _MATTE) and len(answers) > 1:
            rank = 0
        # Nets for edges answer them at every depth, the best ones last.
        order = -len(found) if families.draws_edges(card.name) else len(found)
        found.append((rank, -tall, order, name, kind))
    if not found:
        return None, ""
    _, _, _, name, kind = min(found)
    return name, kind


def _colours(card: Card, name: str, answers: dict[str, Array]) -> Card:
    """A net that adds colours to a grey picture: CIE a*, b* to its L*, or to itself as it is."""
    inputs = card.inputs
    if card.picture.colour == "L":
        inputs = tuple(
            replace(port, colour="LAB-L", range=(0.0, 100.0)) if port.role == "picture" else port
            for port in inputs
        )
    outputs = _with(card, name, "picture", answers)
    outputs = tuple(replace(p, colour="LAB-AB") if p.name == name else p for p in outputs)
    return replace(card, kind="image", inputs=inputs, outputs=outputs, stick="change")


def _larger(array: Array, port: Port, size: tuple[int, int]) -> float:
    """How many times larger than the picture the answer is."""
    height = layout.planes(finite(array), port).shape[0]
    return max(1.0, round(height / size[1], 2))


def _with(card: Card, name: str, role: str, answers: dict[str, Array]) -> tuple[Port, ...]:
    """The outputs, the named one with its layout and role."""
    size = card.picture.size or FREE
    ports = []
    for port in card.outputs:
        if port.name == name:
            found = _answer_port(name, answers[name], size)
            assert found is not None
            port = replace(found, role=role)
        ports.append(port)
    return tuple(ports)


def _image(card: Card, file: OnnxFile, probe: Probe, name: str) -> Card:
    """Ranges of an image net: the answer tells its own; the input's is tried."""
    picture = probe.portrait
    scored = []
    usual = ""  # the scale of the answer to 0..1
    known = families.scale_of(card.name)
    scales = ["0..1", "0..255", "-1..1", *({known} & {"BGR", "ImageNet"} & {*probe.scales})]
    scales = probe.scales if probe.scales == [OWN] else scales
    for order, scale in enumerate(scales):
        answers = probe.run(scale)
        port = next(p for p in _with(card, name, "picture", answers) if p.name == name)
        array = finite(answers[name])
        values = layout.planes(array, port)
        if values.shape[2] > 4 or values.shape[2] == 4:
            channels = picture_in(card, array, port) or (0, 1, 2)
            port, values = replace(port, channels=channels), values[..., list(channels)]
        own = _answer_scale(values, file.last_ops.get(name, ""))
        if values.shape[2] == 1 and families.draws_edges(card.name) and float(values.min()) < -0.5:
            port, own = replace(port, activation="sigmoid"), "0..1"
        port = _as_answered(port, own, card.picture)
        seen = layout.to_picture(array, port)
        luma = seen @ layout.LUMA
        like = abs(correlation(luma, luma_of(picture, luma.shape)))
        stuck = float(((seen <= 0.002) | (seen >= 0.998)).mean())
        flat = float(luma.std()) < LEAST_STD
        level = abs(float(luma.mean()) - float(luma_of(picture, luma.shape).mean()) / 255)
        # A net answers in the scale it is fed with more often than not.
        score = like - 0.6 * stuck - 0.5 * level - 0.5 * flat + 0.25 * (own == scale) - 0.02 * order
        usual = usual or own
        # Filters for 0..1 do all sorts of things elsewhere.
        if scale not in ("0..1", OWN) and scale != usual:
            score -= 1.5 if scale == "-1..1" else 0.3
        score += 2.0 * (scale == known)
        scored.append((score, scale, port, seen))
    _, scale, port, seen = max(scored, key=lambda one: one[0])
    outputs = tuple(port if one.name == name else one for one in card.outputs)
    return replace(
        card,
        kind="image",
        inputs=tuple(probe.scaled(one, scale) for one in card.inputs),
        outputs=outputs,
        stick=_stick(seen, picture, grey=card.picture.colour == "L"),
    )


def _as_answered(port: Port, own: str, given: Port) -> Port:
    """An answer that is a picture, in its scale; named BGR goes in, so it comes out the same."""
    if given.colour == "BGR" and port.type == given.type:
        port = replace(port, colour="BGR")
    if port.type in roles.WHOLE_RANGES:
        return replace(port, range=roles.WHOLE_RANGES[port.type])
    return replace(port, **SCALES[own])


def _answer_scale(values: Floats, last: str) -> str:
    low, high = (float(np.percentile(values, p)) for p in (0.5, 99.5))
    if high > 3.0 or low < -3.0:
        return "0..255"
    if last == "Tanh" or low < -0.25:
        return "-1..1"
    return "0..1"


def _stick(seen: Floats, picture: Array, *, grey: bool) -> str:
    """``change`` for a net that keeps the picture's detail, so that the plate's own is shown."""
    import cv2

    height, width = seen.shape[:2]
    if grey:
        picture = np.repeat((picture[..., :3] @ layout.LUMA)[..., None], 3, axis=2)
    before = cv2.resize(picture[..., :3], (width, height), interpolation=cv2.INTER_AREA)
    a, b = (
        (one - cv2.GaussianBlur(one, (0, 0), 2.0)).ravel()
        for one in (before.astype(np.float32) / 255.0, seen)
    )
    energy = float((a * a).sum())
    slope = float((a * b).sum()) / max(energy, 1e-9)
    if grey:  # its luma alone is changed, so that the plate keeps its colours
        return "change" if correlation(seen.ravel(), before.ravel()) > 0.7 else "result"
    return "change" if correlation(a, b) > 0.93 and 0.75 < slope < 1.35 else "result"


def _matte(card: Card, probe: Probe, name: str) -> Card:
    """Scale, class and polarity by which the net tells the person from the background best."""
    best: tuple[float, str, Port] | None = None
    known = families.scale_of(card.name)
    for order, scale in enumerate(probe.scales):
        answers = probe.run(scale)
        port = next(p for p in _with(card, name, "matte", answers) if p.name == name)
        array = finite(answers[name])
        for tried in _matte_ports(port, layout.planes(array, port)):
            contrast = _contrast(layout.to_matte(array, tried))
            score = contrast - 0.008 * order - 0.05 * tried.invert + 0.08 * (scale == known)
            if best is None or score > best[0]:
                best = (score, scale, tried)
    assert best is not None
    outputs = tuple(best[2] if one.name == name else one for one in card.outputs)
    return replace(
        card,
        kind="matte",
        inputs=tuple(probe.scaled(one, best[1]) for one in card.inputs),
        outputs=outputs,
    )


def _matte_ports(port: Port, values: Floats) -> list[Port]:
    """The ways to read an answer as a matte."""
    low, high = float(values.min()), float(values.max())
    channels = values.shape[2]
    if channels == 1:
        if low >= -0.01 and high <= 1.01:
            return [port, replace(port, invert=True)]
        if np.array_equal(values, np.rint(values)) and high < 300 and len(np.unique(values)) < 40:
            found = np.unique(values).astype(int)
            return [replace(port, role="classes", classes=(int(one),)) for one in found]
        if low < -0.01 and high < 30 and low > -30 and high > 0.5:
            return [replace(port, activation="sigmoid"), replace(port, normalise=True)]
        return [replace(port, normalise=True), replace(port, normalise=True, invert=True)]
    sums = values.sum(axis=2)
    sure = low >= -0.01 and float(np.abs(sums - 1.0).mean()) < 0.02
    activation = "" if sure else "softmax"
    return [
        replace(port, role="classes", classes=(k,), activation=activation) for k in range(channels)
    ]


def _contrast(matte: Floats) -> float:
    """How much more of the person than of the portrait's upper corners a matte marks."""
    h, w = matte.shape
    person = matte[int(0.35 * h) :, int(0.4 * w) : max(int(0.6 * w), int(0.4 * w) + 1)]
    top = matte[: max(1, int(0.2 * h))]
    side = max(1, int(0.15 * w))
    away = np.concatenate([top[:, :side].ravel(), top[:, -side:].ravel()])
    return float(person.mean() - away.mean())


def _region(card: Card, file: OnnxFile) -> str:
    """``face`` for image nets of one square size, unless their name speaks of whole pictures."""
    size = card.picture.size
    if card.kind != "matte" and families.for_faces(card.name):
        return "face"
    if card.kind == "matte" or size is None or abs(size[0] / size[1] - 1) > 0.05:
        return "frame"
    words = f"{card.name} {file.doc}".lower()
    whole = families.whole(card.name) or any(hint in words for hint in _WHOLE)
    return "frame" if whole else "face"


def _told(card: Card, answers: dict[str, Array]) -> Card:
    """The card of a net that answers no picture: it says what there is instead."""
    outputs = []
    for port in card.outputs:
        shape = tuple(int(side) for side in answers[port.name].shape)
        maps = len(shape) == 4 and min(shape[2:]) >= 4
        boxes = len(shape) in (2, 3) and shape[-2] > 100 and shape[-1] <= 20
        role = "heatmaps" if maps else "boxes" if boxes else "coefficients"
        outputs.append(replace(port, role=role, shape=shape))
    kinds = {port.role for port in outputs}
    many = any(port.role == "heatmaps" and port.shape[1] >= 40 for port in outputs)
    detector = "boxes" in kinds or ("heatmaps" in kinds and not many and "detect" in card.name)
    doc = {
        True: "a detector: boxes and scores, nothing to draw",
        False: "heatmaps of points, nothing to draw" if many else "numbers, nothing to draw",
    }[detector]
    return replace(card, kind="detector" if detector else "other", outputs=tuple(outputs), doc=doc)
