"""Guesses the cards of nets that are given landmarks, and of those that find them in pictures."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.arkit import NAMES, TAUGHT
from kfx.canonical import canonical
from kfx.errors import KfxError
from kfx.neural import points, providers, roles
from kfx.neural.card import Card
from kfx.neural.onnx_file import OnnxFile
from kfx.neural.portrait import SCALES, Probe, finite
from kfx.neural.ports import Port

NEUTRAL = "_neutral"  # what MediaPipe's net says first
LIKE = 0.9  # correlation with what went in, from which on an answer is where landmarks go
STILL = 0.25  # of the face's extent: what is added to landmarks is smaller
MOST_NUMBERS = 512
LEAST_MAP = 12  # cells of a heatmap's side


def without_picture(card: Card, file: OnnxFile, session: Any) -> Card:
    """The card of a net from landmarks to landmarks or numbers; other nets stay untold."""
    given = [port for port in card.inputs if port.role == "landmarks"]
    if len(given) != 1:
        return card
    try:
        answers = _run(card, given[0], session)
    except KfxError as error:  # landmarks that kfx doesn't know
        outputs = tuple(replace(port, role="coefficients") for port in card.outputs)
        doc = f"guessed from the net; before it can be played: {error}"
        return replace(card, kind="other", outputs=outputs, doc=doc)
    states = {port.source for port in card.inputs if port.role == "state"}
    moved = _first(card, answers, states, lambda one: one.size in _sizes(given[0]))
    numbers = _first(card, answers, states, lambda one: 0 < one.size <= MOST_NUMBERS)
    main = moved or numbers
    if main is None:
        return card
    outputs = []
    for port in card.outputs:
        if port.name in states:
            port = replace(port, role="state")
        elif port.name == main:
            shape = tuple(int(side) for side in answers[main].shape)
            if main == moved:
                port = replace(port, role="landmarks", shape=shape, points=given[0].points)
            else:
                names = _names(answers[main].size, given[0])
                port = replace(port, role="coefficients", shape=shape, names=names)
                port = replace(port, activation=_activation(answers[main], file, main))
        outputs.append(port)
    stick = _stick(given[0], answers[main]) if main == moved else "result"
    return replace(
        card,
        kind="landmarks",
        outputs=tuple(outputs),
        stick=stick,
        region="face",
        doc=_doc(main, moved),
    )


def dots(card: Card, probe: Probe, answers: dict[str, npt.NDArray[Any]]) -> Card | None:
    """The card of a net that answers a heatmap for each landmark of a face; None for others."""
    for port in card.outputs:
        shape = answers[port.name].shape
        if len(shape) != 4 or shape[0] != 1 or min(shape[2:]) < LEAST_MAP:
            continue
        # Offsets within a cell come as further maps behind those of the points.
        count = next((n for n in roles.LANDMARKS if shape[1] in (n, 2 * n, 3 * n)), 0)
        if not count:
            continue
        peaks = {
            scale: float(finite(probe.run(scale)[port.name])[0, :count].max(axis=(1, 2)).mean())
            for scale in probe.scales
        }
        scale = max(peaks, key=lambda one: peaks[one] if peaks[one] <= 1.5 else 0.0)
        drawn = Port(port.name, "heatmaps", type=port.type, channels=tuple(range(count)))
        return replace(
            card,
            kind="matte",
            region="face",
            inputs=tuple(
                replace(one, **SCALES[scale]) if one.role == "picture" else one
                for one in card.inputs
            ),
            outputs=tuple(drawn if one.name == port.name else one for one in card.outputs),
            doc=f"finds {count} points and draws them on the face as light; guessed from the net",
        )
    return None


def _doc(main: str, moved: str | None) -> str:
    what = "moves landmarks" if main == moved else "says numbers of a face"
    return f"{what}; guessed from the net: check `space`, and `names` of numbers"


def _run(card: Card, given: Port, session: Any) -> dict[str, npt.NDArray[Any]]:
    feeds = {port.name: np.full(port.shape, port.default, port.type) for port in card.inputs}
    points.pack(_face(), given, feeds[given.name])
    names = [port.name for port in card.outputs]
    try:
        with providers.ending() as how:
            return dict(zip(names, session.run(names, feeds, how), strict=True))
    except Exception as error:  # onnxruntime's own kinds
        told = providers.said(error)
        raise KfxError(f"{card.path}: the net fails on a face: {told}") from error


def _face() -> npt.NDArray[np.float32]:
    """The canonical face as it lies in a crop."""
    shape = canonical().vertices * np.float32(0.3)
    return (shape + np.float32([0.5, 0.5, 0.0])).astype(np.float32)


def _sizes(given: Port) -> tuple[int, ...]:
    count = len(points.indices(given, math.prod(given.shape)))
    return (2 * count, 3 * count)


def _first(card: Card, answers: dict[str, Any], states: set[str], fits: Any) -> str | None:
    names = [port.name for port in card.outputs if port.name not in states]
    return next((name for name in names if fits(answers[name])), None)


def _stick(given: Port, answer: npt.NDArray[Any]) -> str:
    """``change`` where the answer is what is to be added."""
    there, moved = points.unpack(np.nan_to_num(answer.astype(np.float32)), given)
    face = _face()[list(there), : moved.shape[1]]
    if np.corrcoef(face[:, :2].ravel(), moved[:, :2].ravel())[0, 1] > LIKE:
        return "result"
    extent = float(np.ptp(face[:, :2], axis=0).max())
    return "change" if float(np.abs(moved).mean()) < STILL * extent else "result"


def _names(count: int, given: Port) -> tuple[str, ...]:
    of_mediapipe = count == 52 and math.prod(given.shape) in (2 * 146, 3 * 146)
    if of_mediapipe:
        return (NEUTRAL, *TAUGHT)
    known = {len(NAMES): NAMES, len(TAUGHT): TAUGHT}
    return known.get(count) or tuple(f"value{i}" for i in range(count))


def _activation(answer: npt.NDArray[Any], file: OnnxFile, name: str) -> str:
    """``softmax`` for what is no share yet: a few numbers that go far beyond 0..1."""
    if file.last_ops.get(name) in ("Softmax", "Sigmoid", "Clip", "Tanh", "HardSigmoid"):
        return ""
    values = answer.astype(np.float32).ravel()
    wild = float(np.abs(values).max()) > 1.5 or float(values.min()) < -0.5
    return "softmax" if 2 <= values.size <= 16 and wild else ""
