"""Linear timecode from sound: samples in, labelled frames with their exact positions out.

Works from 0.25 to 4 times the speed, forwards and backwards, in either polarity. Edges are zero
crossings between two levels that follow the signal; an interval is a whole or a half bit cell
against a half cell that adapts with each bit. A frame is believed when a neighbour confirms it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kfx.sync import ltc_frame
from kfx.sync.ltc_frame import BITS, SYNC, Label

HOP = 256  # samples that share one pair of levels; `feed` answers in these steps
WINDOW = 4  # hops the levels look back on: 21 ms at 48 kHz, over 15 bits at quarter speed
SILENCE = 5e-4  # mean deviation of full scale under which nothing is heard
HYSTERESIS = 0.35  # of the mean deviation
ACQUIRE = 130  # edges; more than a frame, so that a sync word's short cells are among them
GIVE_UP = 240  # edges without a sync word after which the speed is measured anew
ADAPT = 0.06  # weight of one bit in the half cell: ±10 % wow at 4 Hz is followed
GAP = 3.2  # half cells without an edge: a drop-out
SHORTEST = 1.2  # samples: under it no half cell of 4x speed lies, at 44.1 kHz and up

_MIRRORED_SYNC = 0x3FFD


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame: positions in samples since the first one fed, `start` < `end`.

    Played forwards the frame after `label` begins at `end`; backwards `label` itself does.
    """

    label: Label
    start: float
    end: float
    reverse: bool = False


class Decoder:
    """Feed it one channel in blocks of any size; results don't depend on their sizes."""

    def __init__(self) -> None:
        self._rest = np.zeros(0)
        self._at = 0  # samples analysed
        self._means: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._state = 0.0  # the side of the last sample beyond the hysteresis
        self._last: tuple[float, float] = (0.0, 0.0)  # its position and value
        self._bits = _Bits()

    def feed(self, samples: npt.ArrayLike) -> list[Heard]:
        """Frames completed by these samples (mono, full scale ±1); other values are silence."""
        with np.errstate(invalid="ignore"):  # signalling NaNs
            block = np.asarray(samples, np.float64).reshape(-1)
        if not np.isfinite(block).all():
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        data = np.concatenate([self._rest, np.clip(block, -4.0, 4.0)])
        hops = len(data) // HOP
        self._rest = data[hops * HOP :]
        if not hops:
            return []
        edges = self._edges(data[: hops * HOP].reshape(hops, HOP))
        self._at += hops * HOP
        return self._bits.feed(edges)

    def _edges(self, data: npt.NDArray[np.float64]) -> list[float]:
        """Zero crossings between leaving one side of the hysteresis and reaching the other."""
        middle, swing = self._levels(data)
        signal = (data - middle[:, None]).ravel()
        threshold = np.repeat(HYSTERESIS * swing, HOP)
        threshold[np.repeat(swing < SILENCE, HOP)] = np.inf
        sides = np.where(signal > threshold, 1.0, np.where(signal < -threshold, -1.0, 0.0))
        beyond = np.flatnonzero(sides)
        if not beyond.size:
            return []
        positions = np.concatenate([[self._last[0]], beyond + float(self._at)])
        values = np.concatenate([[self._last[1]], signal[beyond]])
        states = np.concatenate([[self._state], sides[beyond]])
        self._last = (float(positions[-1]), float(values[-1]))
        self._state = float(states[-1])
        turned = np.flatnonzero(states[1:] * states[:-1] < 0)
        x0, x1, y0, y1 = (
            positions[turned],
            positions[turned + 1],
            values[turned],
            values[turned + 1],
        )
        crossings: list[float] = (x0 + (x1 - x0) * y0 / (y0 - y1)).tolist()
        return crossings

    def _levels(
        self, data: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Per hop: the mean of the last hops, and the mean deviation from it."""
        middles, swings = np.empty(len(data)), np.empty(len(data))
        hop_means = data.mean(axis=1)
        hop_squares = np.square(data).mean(axis=1)
        for i, pair in enumerate(zip(hop_means.tolist(), hop_squares.tolist(), strict=True)):
            self._means.append(pair)
            mean = sum(one for one, _ in self._means) / len(self._means)
            square = sum(one for _, one in self._means) / len(self._means)
            middles[i] = mean
            swings[i] = max(0.0, square - mean * mean) ** 0.5
        return middles, swings


class _Bits:
    """Edges → bits → confirmed frames."""

    def __init__(self) -> None:
        self._edges: list[float] = []  # while the half cell is being measured
        self._half = 0.0  # 0: not known
        self._edge = 0.0
        self._short = 0.0  # first half of a 1, in samples; 0: at a cell's start
        self._register = 0
        self._ends: deque[float] = deque(maxlen=BITS + 1)  # where the last bits ended
        self._quiet = 0  # edges since the last sync word
        self._pending: Heard | None = None
        self._confirmed = False

    def feed(self, edges: list[float]) -> list[Heard]:
        found: list[Heard] = []
        todo = edges
        while todo:
            if not self._half:
                need = ACQUIRE - len(self._edges)
                self._edges += todo[:need]
                todo = todo[need:]
                if len(self._edges) < ACQUIRE:
                    break
                waiting, self._edges = self._edges, []
                self._half = _half_cell(waiting)
                if not self._half:
                    self._edges = waiting[ACQUIRE // 2 :]
                    continue
                todo = waiting + todo
                self._align(todo[0])
            todo = self._read(todo, found)
        return found

    def _align(self, edge: float) -> None:
        self._edge, self._short, self._quiet = edge, 0.0, 0
        self._ends.clear()
        self._ends.append(edge)

    def _read(self, edges: list[float], found: list[Heard]) -> list[float]:
        """Read bits; returns the edges left when the half cell must be measured anew."""
        half, last, short = self._half, self._edge, self._short
        register, ends, quiet = self._register, self._ends, self._quiet
        top = BITS - 1
        for index, edge in enumerate(edges):
            width = edge - last
            if width <= 0.0:
                continue
            last = edge
            quiet += 1
            if width < 1.5 * half:
                if not short:
                    short = width
                    continue
                half += ADAPT * ((short + width) / 2 - half)
                short = 0.0
                register = register >> 1 | 1 << top
            elif width < GAP * half:
                if short:  # half a cell too much: this edge is a cell's start
                    short = 0.0
                    ends.clear()
                else:
                    half += ADAPT * (width / 2 - half)
                register = register >> 1
            else:
                short = 0.0
                ends.clear()
                self._forget()
            ends.append(edge)
            if len(ends) > BITS:
                if register >> 64 == SYNC:
                    quiet = 0
                    self._frame(register, False, found)
                elif register & 0xFFFF == _MIRRORED_SYNC:
                    quiet = 0
                    self._frame(ltc_frame.mirrored(register), True, found)
            if quiet > GIVE_UP or half < SHORTEST:
                self._half, self._edges = 0.0, []
                self._register = 0
                self._forget()
                # The last edges tell the new speed at once.
                back = max(0, index + 1 - ACQUIRE // 2)
                return edges[back if back and half >= SHORTEST else index + 1 :]
        self._half, self._edge, self._short = half, last, short
        self._register, self._quiet = register, quiet
        return []

    def _forget(self) -> None:
        self._pending, self._confirmed = None, False

    def _frame(self, bits: int, reverse: bool, found: list[Heard]) -> None:
        label = ltc_frame.unpack(bits)
        if label is None:
            return
        heard = Heard(label, self._ends[0], self._ends[-1], reverse)
        before = self._pending
        self._pending = heard
        if before is None or before.reverse != reverse:
            self._confirmed = False
            return
        one, two = (heard, before) if reverse else (before, heard)
        if not ltc_frame.follows(one.label, two.label) or not _near(before, heard):
            self._confirmed = False
            return
        if not self._confirmed:
            found.append(before)
        self._confirmed = True
        found.append(heard)


def _near(before: Heard, after: Heard) -> bool:
    """Whether `after` comes right behind `before`, as far as its length tells."""
    return abs(after.start - before.end) < 0.2 * (after.end - after.start)


def _half_cell(edges: list[float]) -> float:
    """Half a bit cell in samples, measured over more than a frame; 0 where there is no LTC."""
    widths = np.diff(np.asarray(edges))
    short = float(np.percentile(widths, 10))
    half = float(np.median(widths[widths < 1.5 * short])) if short > 0 else 0.0
    return half if half >= SHORTEST else 0.0
