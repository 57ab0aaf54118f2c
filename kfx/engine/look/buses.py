"""Draws the effects of a chain that stand on its buses: small pictures that a later one shows.

A bus begins with the plate, whatever is drawn before, and has all that the chain has: motion,
held pictures, shaders. It is drawn by a chain of its own, at the size and of the part of the frame
that the shader which shows it asks for, with the knobs of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import moderngl
import numpy as np

from kfx.engine.look.modulate import Knobs, Values
from kfx.engine.loop.picture import scaled
from kfx.presets.preset import BUSES
from kfx.render.gpu import Box, Gpu
from kfx.render.isf_history import History
from kfx.render.isf_own import Buses as Spec
from kfx.render.stretch import Stretch
from kfx.types import Face, Tick, freeze

if TYPE_CHECKING:
    from kfx.engine.look.chain import Chain
    from kfx.engine.look.plan import Plan

HEAD = 0.69  # half of a head's square, in faces from the top of the forehead to the chin
FOLLOWS_S = 0.15  # how late the square goes along with the head
STEP_PX = 4  # its size changes by so much at least, or still pictures would swim


class Told:
    """Gives a chain on a bus the values that the whole has worked out for this tick."""

    def __init__(self, values: Callable[[], list[Values]]) -> None:
        self._values = values

    def at(self, tick: Tick) -> list[Values]:
        return list(self._values())

    def reset(self) -> None:
        """There is nothing to forget."""


class Buses:
    """The buses of one chain, empty where no shader shows them."""

    def __init__(
        self, gpu: Gpu, plan: Plan, size: tuple[int, int], make: Callable[..., Chain]
    ) -> None:
        """`make(size=…, bus=…)` gives the chain of a bus, still to be compiled."""
        self._gpu, self._full = gpu, size
        spec = plan.shows_buses
        used = sorted(plan.buses) if spec else []
        self._crop = spec.crop if spec else "frame"
        self._turns = spec.turns if spec else 1
        self.chains: dict[str, Chain] = {}
        self.images: dict[str, moderngl.Texture] = {}
        self.values: dict[str, Any] = {}
        self._window: tuple[float, float, float] | None = None
        self._windows: dict[str, tuple[float, ...]] = {}  # by bus, as it was drawn last
        self._waited: dict[str, float] = {}  # s since then
        self._shown = (0.0, 0.0, 1.0, 1.0)  # the window of this tick
        self._history: History | None = None
        self._atlas: moderngl.Texture | None = None
        self._copy: Stretch | None = None
        if spec is None or not used:
            return
        self._size = _size_of(spec, size)
        for bus in used:
            self.chains[bus] = make(size=self._size, bus=bus)
        columns = BUSES.index(used[-1]) + 1
        there = tuple(float(one in used) for one in BUSES)
        self.values = {"kfx_bus_columns": float(columns), "kfx_bus_there": there}
        atlas = (columns * self._size[0], self._size[1])
        self._atlas = gpu.acquire(atlas) if columns > 1 else None  # one alone is its own
        self._copy = Stretch(gpu)
        past = plan.bus_history
        if past is not None:
            self._history = History(gpu, past.frames, past.height, atlas)
            self.images["kfx_bus_past"] = self._history.texture

    def build(self) -> Iterator[None]:
        for chain in self.chains.values():
            yield from chain.build()

    def warm(self, tick: Tick) -> Iterator[None]:
        for chain in self.chains.values():
            yield from chain.warm(self._part(tick))

    def draw(self, tick: Tick, knobs: Knobs) -> None:
        """Draw each bus of this tick, by the `knobs` of the whole, and put it into the atlas."""
        if not self.chains:
            return
        due = [bus for n, bus in enumerate(self.chains) if self._is_due(bus, tick, n)]
        part = self._part(tick)
        width, height = self._size
        for bus in due:
            chain = self.chains[bus]
            since, self._waited[bus] = self._waited[bus], 0.0
            self._windows[bus] = self._shown
            part = replace(part, dt=since)
            chain.knobs = knobs
            chain.upload(part)
            chain.draw(part)
            self.images["buses"] = self._atlas or chain.canvas
            if self._atlas is not None and self._copy is not None:
                self._copy(chain.canvas, self._atlas, (BUSES.index(bus) * width, 0, width, height))
        nowhere = (0.0, 0.0, 1.0, 1.0)
        windows = [self._windows.get(bus, nowhere) for bus in BUSES]
        self.values["kfx_bus_windows"] = tuple(one for four in windows for one in four)
        if self._history is not None:
            self._history.add(self.images["buses"])
            self.values["kfx_bus_grid"] = self._history.grid

    def inherit(self, old: Buses) -> None:
        """Go on where the same buses stand at another size."""
        for bus in self.chains.keys() & old.chains.keys():
            self.chains[bus].inherit(old.chains[bus])
        height, before = self._full[1], old._full[1]
        if old._window is not None:
            x, y, half = (one * height / before for one in old._window)
            self._window = (x, y, half)
        self._waited = dict(old._waited)
        if self._history is not None and old._history is not None:
            self._history.inherit(old._history)

    def reset(self) -> None:
        self._window = None
        self._waited.clear()
        self._windows.clear()
        for chain in self.chains.values():
            chain.reset()
        if self._history is not None:
            self._history.reset()

    def release(self) -> None:
        for chain in self.chains.values():
            chain.close()
        if self._history is not None:
            self._history.release()
        if self._atlas is not None:
            self._gpu.release(self._atlas)
        if self._copy is not None:
            self._copy.release()
        self.chains, self.images = {}, {}
        self._history = self._atlas = self._copy = None

    def _is_due(self, bus: str, tick: Tick, number: int) -> bool:
        """Whether it is this bus's turn; all are drawn at a cut, and where none was yet."""
        cut = tick.dt == 0.0 or bus not in self._waited
        self._waited[bus] = 0.0 if cut else self._waited[bus] + tick.dt
        new = bus not in self._windows
        return cut or new or (tick.index + number) % self._turns == 0

    def _part(self, tick: Tick) -> Tick:
        """What the buses are drawn from: the frame or a head of it, at their size."""
        height, width = tick.frame.pixels.shape[:2]
        if self._crop == "frame":
            self._shown = (0.0, 0.0, 1.0, 1.0)
            return scaled(tick, self._size)
        x, y, side, _ = self._square(tick)
        low = 1.0 - (y + side) / height
        self._shown = (x / width, low, width / side, height / side)
        return scaled(cut_out(tick, (x, y, side, side)), self._size)

    def _square(self, tick: Tick) -> Box:
        """The square about the largest face, which follows it softly; top left and side."""
        height, width = tick.frame.pixels.shape[:2]
        largest = 0.5 * min(width, height)
        wanted = (0.5 * width, 0.5 * height, largest)
        sound = [one for one in tick.faces if np.isfinite(one.landmarks).all()]
        if sound:
            points = max(sound, key=_tall).landmarks
            x, y = 0.5 * (points[10, :2] + points[152, :2])
            half = HEAD * float(np.linalg.norm(points[10, :2] - points[152, :2]))
            wanted = (float(x), float(y), min(largest, max(16.0, half)))
        last = self._window
        if last is not None and tick.dt > 0.0:
            share = 1.0 - float(np.exp(-tick.dt / FOLLOWS_S))
            (a, b, c), (d, e, f) = last, wanted
            wanted = (a + share * (d - a), b + share * (e - b), c + share * (f - c))
        self._window = wanted
        size = STEP_PX * max(4, round(wanted[2] / STEP_PX))
        size = min(size, min(width, height) // 2)
        left = min(max(0, round(wanted[0]) - size), width - 2 * size)
        top = min(max(0, round(wanted[1]) - size), height - 2 * size)
        return left, top, 2 * size, 2 * size


def cut_out(tick: Tick, box: Box) -> Tick:
    """The tick as a camera would see it that shows only a box (left, top, width, height)."""
    x, y, wide, high = box
    height, width = tick.frame.pixels.shape[:2]
    frame = replace(tick.frame, pixels=tick.frame.pixels[y : y + high, x : x + wide], truth=None)
    faces = tuple(
        _moved(face, x, y)
        for face in tick.faces
        if np.isfinite(face.landmarks).all() and _meets(face, box)
    )
    hands = tuple(freeze(hand - np.array((x, y), np.float32)) for hand in tick.hands)
    matte = tick.matte
    if matte is not None:
        down, across = matte.shape[0] / height, matte.shape[1] / width
        rows = slice(int(y * down), max(int(y * down) + 1, round((y + high) * down)))
        columns = slice(int(x * across), max(int(x * across) + 1, round((x + wide) * across)))
        matte = freeze(matte[rows, columns].copy())
    return replace(tick, frame=frame, faces=faces, hands=hands, matte=matte)


def _size_of(spec: Spec, size: tuple[int, int]) -> tuple[int, int]:
    height = max(16, round(spec.height * size[1]))
    return (height, height) if spec.crop == "head" else (round(height * size[0] / size[1]), height)


def _tall(face: Face) -> float:
    return float(np.linalg.norm(face.landmarks[10, :2] - face.landmarks[152, :2]))


def _meets(face: Face, box: Box) -> bool:
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    x, y, wide, tall = box
    return bool(low[0] < x + wide and high[0] > x and low[1] < y + tall and high[1] > y)


def _moved(face: Face, x: int, y: int) -> Face:
    pose = face.pose.copy()
    pose[:2, 3] -= (x, y)
    points = face.landmarks - np.array((x, y, 0.0), np.float32)
    return replace(face, landmarks=freeze(points), pose=freeze(pose))
