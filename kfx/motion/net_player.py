"""Runs a net from landmarks to landmarks or numbers on the faces of each tick.

Live it runs in its own thread; what it said last is kept in face space, goes over softly to what
it says next, and is used on the face as it now is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural import aligned, points
from kfx.neural.card import Card, knob_name
from kfx.neural.providers import short
from kfx.neural.session import Given, Net, State
from kfx.neural.worker import Pace, Runner
from kfx.tracking import pose as poses
from kfx.types import Face, Tick

Values = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

STALE_S = 1.0  # what was said longer ago is used no more, unless the net always takes so long
STALE_PERIODS = 3.0
RETRY_S = (0.1, 2.0)  # after the first fault, and at most
CROP = (256, 256)  # its 0..1 is given; the size cancels out


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    time: float
    asks: tuple[tuple[Face, Matrix, Given], ...]
    cut: bool
    epoch: int


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """Two answers for one slot; `since` is when the newer one came."""

    older: Values
    newer: Values
    since: float


class Player:
    """``at(slot, tick, knobs)``: what the net says of a face now, None while it has said nothing.

    Landmarks come as (478, 3) to add in canonical iod units, numbers as (n,).
    """

    def __init__(self, net: Net, pace: Pace) -> None:
        self.net = net
        self._runner: Runner = pace(self._work)
        self._states: dict[int, State] = {}  # of the thread that runs the net
        self._said: dict[int, _Said] = {}
        self._time: float | None = None
        self._epoch, self._cut = 0, True
        self._due = self._period_s = 0.0
        self._taken: float | None = None
        self._faults = 0
        self._news: list[str] = []
        self._hung = False
        self.facts: dict[str, Any] = {
            "name": net.card.name,
            "provider": short(net.provider),
            "ms": round(net.ms, 2),
            "passed_over": list(net.fallbacks),
        }

    def close(self) -> None:
        self._runner.close()

    def news(self) -> list[str]:
        """What is to be told since the last call."""
        news, self._news = self._news, []
        return news

    def reset(self) -> None:
        self._epoch += 1
        self._cut, self._due, self._taken, self._time = True, 0.0, None, None
        self._said.clear()

    def at(self, slot: int, tick: Tick, knobs: Mapping[str, Any]) -> Values | None:
        """Raises `KfxError` at the tick at which the net is known to have failed."""
        if tick.time != self._time:
            self._step(tick, knobs)
        said = self._said.get(slot)
        if said is None or (not self._runner.exact and self._late_s(tick) > self._limit_s):
            return None
        if self._runner.exact or self._period_s <= 0.0:
            return said.newer
        share = np.float32(min(1.0, (tick.time - said.since + tick.dt) / self._period_s))
        return said.older + share * (said.newer - said.older)

    @property
    def _limit_s(self) -> float:
        return max(STALE_S, STALE_PERIODS * self._period_s)

    def _late_s(self, tick: Tick) -> float:
        return 0.0 if self._taken is None else tick.time - self._taken

    def _step(self, tick: Tick, knobs: Mapping[str, Any]) -> None:
        if tick.dt == 0.0:
            self.reset()
        self._time = tick.time
        self._take(tick)
        if not self._hung and self._runner.waiting_s(tick.time) > self._limit_s:
            self._hung = True
            name, limit_s = self.net.card.name, self._limit_s
            self._news.append(f"{name}: no answer for {limit_s:.1f} s; faces stay as they are")
        faces = [face for face in tick.faces if np.isfinite(face.landmarks).all()]
        self._said = {face.slot: self._said[face.slot] for face in faces if face.slot in self._said}
        if not faces or tick.time < self._due - 1e-6 or not self._runner.free(tick.time):
            return
        height, width = tick.frame.pixels.shape[:2]
        space = self.net.card.role("landmarks")[0].space
        asks = []
        for face in faces:
            matrix = into(face, space, (width, height), self.net.card.margin)
            asks.append((face, matrix, self._given(face, matrix, tick, knobs)))
        rate = float(knobs.get("rate_hz", 0.0))
        self._due = tick.time + (1.0 / rate if rate > 0.0 and not self._runner.exact else 0.0)
        self._runner.offer(_Job(tick.time, tuple(asks), self._cut, self._epoch), tick.time)
        self._cut = False
        if self._runner.exact:
            self._take(tick)

    def _given(self, face: Face, matrix: Matrix, tick: Tick, knobs: Mapping[str, Any]) -> Given:
        seen = face.landmarks @ matrix[:, :3].T + matrix[:, 3]
        return Given(
            NOTHING,
            landmarks=seen.astype(np.float32),
            time=tick.time,
            beat=tick.beat,
            knobs={
                port.name: float(knobs.get(knob_name(port.name), port.default))
                for port in self.net.card.role("knob")
            },
        )

    def _take(self, tick: Tick) -> None:
        done = self._runner.take(tick.time)
        if done is None or done.job.epoch != self._epoch:
            return
        if done.error:
            self._said.clear()
            self._taken, self._cut = None, True
            self._faults += 1
            if not self._runner.exact:
                wait_s = min(RETRY_S[1], RETRY_S[0] * 2.0 ** min(self._faults, 10))
                self._due = tick.time + wait_s
            raise KfxError(done.error)
        self._faults = 0
        self.facts["ms"] = round(done.ms, 2)
        if self._taken is not None:
            self._period_s = min(tick.time - self._taken, STALE_S)
            if self._period_s > 0.0 and not self._runner.exact:
                self.facts["hz"] = round(1.0 / self._period_s, 1)
        self._taken = tick.time
        for slot, values in done.result.items():
            before = self._said.get(slot)
            older = values if before is None else before.newer
            self._said[slot] = _Said(older, values, tick.time)

    def _work(self, job: _Job) -> dict[int, Values]:
        """What the runner does, maybe in its own thread."""
        card = self.net.card
        if job.cut:
            self._states.clear()
        out = {}
        with self.net.lock:
            for face, matrix, given in job.asks:
                wanted = card.role("state")
                state = self._states.setdefault(face.slot, {}) if wanted else None
                answer = self.net.run(given, state)[card.answer.name]
                out[face.slot] = (
                    _change(card, answer, face, matrix, given)
                    if card.answer.role == "landmarks"
                    else numbers(card, answer)
                )
        for slot in self._states.keys() - out.keys():
            del self._states[slot]
        return out


NOTHING = np.zeros((1, 1, 4), np.uint8)


def into(face: Face, space: str, frame: tuple[int, int], margin: float) -> Matrix:
    """(3, 4): pixels of the frame → what a net in this space is given."""
    matrix = np.eye(4)
    if space == "frame":
        matrix[:3, :3] = np.diag([1 / frame[0], 1 / frame[1], 1 / frame[0]])
    elif space == "crop":
        to_crop = aligned.crop(face, "face", CROP, margin) / CROP[0]
        matrix[:2, :2], matrix[:2, 3] = to_crop[:, :2], to_crop[:, 2]
        matrix[2, 2] = float(np.linalg.norm(to_crop[0, :2]))
    elif space == "canonical":
        matrix = np.linalg.inv(face.pose.astype(np.float64))
    return matrix[:3]


def numbers(card: Card, answer: npt.NDArray[Any]) -> Values:
    """The coefficients of an answer, finite or `KfxError`."""
    values = np.asarray(answer, np.float32).ravel()
    if not np.isfinite(values).all():
        raise KfxError(f"{card.name}: its output {card.answer.name} holds NaN or infinite numbers")
    if card.answer.activation == "softmax":
        values = np.exp(values - values.max())
        return np.asarray(values / values.sum(), np.float32)
    if card.answer.activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -60, 60))), np.float32)
    return np.tanh(values) if card.answer.activation == "tanh" else values


def _change(
    card: Card, answer: npt.NDArray[Any], face: Face, matrix: Matrix, given: Given
) -> Values:
    """What a net has done to landmarks, (478, 3) in canonical iod units."""
    there, moved = points.unpack(answer, card.answer)
    step = np.zeros((len(there), 3), np.float32)
    step[:, : moved.shape[1]] = moved
    if card.stick == "result":
        assert given.landmarks is not None
        step[:, : moved.shape[1]] -= given.landmarks[list(there), : moved.shape[1]]
    pixels = step @ np.linalg.inv(matrix[:, :3]).T
    turned = pixels @ np.linalg.inv(face.pose[:3, :3].astype(np.float64)).T
    return np.asarray(points.spread(there) @ turned.astype(np.float32), np.float32)


def carried(face: Face, change: Values) -> npt.NDArray[np.float32]:
    """A face's landmarks with a change of canonical units added, in its pixels."""
    shape = poses.to_canonical(face.pose, face.landmarks)
    return poses.to_pixels(face.pose, shape + change)
