"""The embedded performer: a portrait that moves, speaks and knows where its landmarks are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil

import cv2
import numpy as np

from kfx import clock, timecode
from kfx.errors import UsageError
from kfx.sources import Request
from kfx.sources.performer_face import Expression
from kfx.sources.performer_motion import STILL, Moment, moment, path
from kfx.sources.performer_portrait import GRID, anatomy
from kfx.sources.performer_stage import backdrop
from kfx.sources.performer_warp import Body, Cover, Placing, Warp, rotation
from kfx.types import Face, Frame, SourceInfo, freeze

DEFAULT_SIZE = (1280, 720)
DEFAULT_RATE = Fraction(30)
# One face's inter-ocular distance as a share of the stage's height, by number of faces.
CLOSENESS = {1: 0.1444, 2: 0.118, 3: 0.094, 4: 0.076}
# The portrait counts as level; the canonical face calls a head level that looks up this much less.
LEVEL_PITCH = 0.0843
SHARPEST = 3.0  # texture pixels per portrait pixel: the photograph holds no more
OPTIONS = {
    "faces": (1, 1, 4),
    "seed": (1, 0, 2**31 - 1),
    "cross": (0, 0, 1),
    "still": (0, 0, 1),
}


def open_source(request: Request) -> PerformerSource:
    """Open the performer; `UsageError` names an option that is unknown or out of range."""
    request.reject_unknown_options({*OPTIONS, "noise"})
    if request.rest:
        raise UsageError(
            f"{request.spec}: {request.rest!r} means nothing here; write performer?faces=2&seed=1"
        )
    chosen = {name: _number(request, name, *OPTIONS[name], int) for name in OPTIONS}
    noise = _number(request, "noise", 1.0, 0.0, 20.0, float)
    return PerformerSource(request, noise=noise, **chosen)


def _number(request: Request, name: str, default, low, high, kind: type):
    text = request.option(name, str(default))
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise UsageError(
            f"{request.spec}: {name}={text} is not within {low}..{high}; "
            f"write {name}={default}, the default, or leave it out"
        )
    return value


class PerformerSource:
    """Endless or cut takes of one to four moving faces, the same bytes for the same spec.

    Frame `n` lies at n / rate on the performer's timeline and never depends on other frames.
    `Frame.truth` holds every face, lowest slot first; a face behind another one keeps its
    landmarks, and its `presence` is the share of them that can be seen.
    """

    def __init__(
        self, request: Request, *, faces: int, seed: int, cross: int, still: int, noise: float
    ) -> None:
        self._size = request.size or DEFAULT_SIZE
        self._rate = request.rate or DEFAULT_RATE
        self._faces, self._seed, self._cross, self._still = faces, seed, bool(cross), bool(still)
        self._first = ceil(max(Fraction(0), request.start_s) * self._rate)
        self._last = None if request.stop_s is None else ceil(request.stop_s * self._rate)
        if self._last is not None and self._last <= self._first:
            raise UsageError(
                f"{request.spec}: nothing lies between start {float(request.start_s):g} s and stop "
                f"{float(request.stop_s):g} s; make the stop later"
            )
        width, height = self._size
        self._iod_px = min(
            CLOSENESS[faces] * height, width / (4.3 + 2.6 * faces), 0.2 * max(width, height)
        )
        texture_scale = self._iod_px / anatomy().iod * (1.25 if faces == 1 else 1.35)
        self._expression = Expression(float(np.clip(texture_scale, 0.12, SHARPEST)))
        self._backdrop = backdrop(width, height, seed)
        self._warp = Warp(width, height)
        self._noise = _SensorNoise(width, height, noise, seed) if noise > 0 else None
        self._canvas = np.empty((height, width, 4), np.uint8)
        self._pool: list[np.ndarray] = []
        self._closed = False
        count = None if self._last is None else self._last - self._first
        self.info = SourceInfo(
            spec=request.spec,
            kind="performer",
            size=self._size,
            rate=self._rate,
            frame_count=count,
            timecode=timecode.text(self._first, self._rate),
        )

    def frames(self) -> Iterator[Frame]:
        index = self._first
        while not self._closed and (self._last is None or index < self._last):
            yield self.frame(index)
            index += 1

    def frame(self, index: int) -> Frame:
        """Frame `index` of the timeline, whatever was asked for before. One thread at a time."""
        time = Fraction(index) / self._rate
        pixels, truth = self._perform(float(time), index)
        return Frame(
            pixels=pixels,
            index=index,
            time=time,
            captured=clock.now(),
            timecode=timecode.text(index, self._rate),
            truth=truth,
        )

    @property
    def seed(self) -> int:
        return self._seed

    def seam(self, x: np.ndarray) -> np.ndarray:
        """The closed mouth's line in portrait pixels."""
        return self._expression.seam(x)

    def close(self) -> None:
        self._closed = True

    def __enter__(self) -> PerformerSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _perform(self, t: float, index: int) -> tuple[np.ndarray, tuple[Face, ...]]:
        canvas = self._canvas
        np.copyto(canvas, self._backdrop)
        cast = []
        for slot in range(self._faces):
            own_seed = self._seed * 16 + slot
            now = STILL if self._still else moment(t + 7.7 * slot, own_seed)
            where = path(0.0 if self._still else t, slot, self._faces, self._cross, self._seed)
            cast.append((where[1], slot, now, self.place(now, where)))
        cast.sort(key=lambda entry: -entry[0])  # the farthest is drawn first
        truth: list[Face] = []
        for _, slot, now, placing in cast:
            body = Body(now)
            cover = self._warp.draw(canvas, self._expression.draw(now), body, placing)
            truth = [_behind(cover, face) for face in truth]
            truth.append(self._truth(slot, index, now, body, placing))
        pixels = self._fresh()
        if self._noise is None:
            np.copyto(pixels, canvas)
        else:
            self._noise.add(canvas, index, pixels)
        shared = pixels.view()
        return freeze(shared), tuple(sorted(truth, key=lambda face: face.slot))

    def place(self, now: Moment, where: tuple[float, float, float]) -> Placing:
        """Where this performer stands in the frame."""
        width, height = self._size
        x, depth, y = where
        near = 1 - 0.13 * depth if self._faces > 1 else 1.0
        iod = self._iod_px * near * now.scale
        known = anatomy()
        stage = min(width, height * 2.0) if self._faces == 1 else width
        below = (5.45 if self._faces == 1 else 6.1) * self._iod_px * near  # body under the eyes
        level = max(0.375 * height, height - below) + self._iod_px * y
        at_x = width / 2 + (x - 0.5) * stage + now.shift_x * self._iod_px
        return Placing(
            anchor=(float(known.centre[0]), float(known.centre[1])),
            at=(at_x, level + now.shift_y * self._iod_px),
            scale=iod / known.iod,
        )

    def _truth(self, slot: int, index: int, now: Moment, body: Body, placing: Placing) -> Face:
        known = anatomy()
        xy = self._expression.landmarks(now)
        z, head = sample(known.depth, xy), sample(known.head, xy)
        points = body.points(xy, z, head)
        deep = (np.concatenate([xy, known.landmarks[:, 2:]], axis=1) - known.centre) @ body.head.T
        points[:, 2] = deep[:, 2]
        flat = (points[:, :2] - placing.anchor) * placing.scale + placing.at
        landmarks = np.concatenate([flat, points[:, 2:] * placing.scale], axis=1)
        iod = known.iod * placing.scale
        centre = body.head @ (known.centre - body.neck) + body.rest
        pose = np.eye(4)
        pose[:3, :3] = body.turn @ rotation(0.0, LEVEL_PITCH, 0.0) * iod
        pose[:2, 3] = (centre[:2] - placing.anchor) * placing.scale + placing.at
        return Face(
            slot=slot,
            landmarks=freeze(landmarks.astype(np.float32)),
            pose=freeze(pose.astype(np.float32)),
            iod=float(iod),
            age=index,
        )

    def _fresh(self) -> np.ndarray:
        """A frame buffer nobody holds any more: saves a page fault per 4 kB."""
        for buffer in self._pool:
            if sys.getrefcount(buffer) == 3:  # the pool, the loop and the call itself
                return buffer
        buffer = np.empty_like(self._canvas)
        if len(self._pool) < 6:
            self._pool.append(buffer)
        return buffer


def _behind(cover: Cover, face: Face) -> Face:
    """`face` with the share of it that `cover` leaves to be seen as its presence."""
    hidden = cover.hides(face.landmarks[:, :2])
    return (
        replace(face, presence=face.presence * float(1 - hidden.mean())) if hidden.any() else face
    )


def sample(grid: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Bilinear values of a `GRID` node array at canvas points (n, 2)."""
    u = np.clip(xy / GRID, 0, np.array(grid.shape[::-1]) - 1.001)
    i = u.astype(int)
    fx, fy = (u - i).T
    x, y = i.T
    top = grid[y, x] * (1 - fx) + grid[y, x + 1] * fx
    low = grid[y + 1, x] * (1 - fx) + grid[y + 1, x + 1] * fx
    return top * (1 - fy) + low * fy


class _SensorNoise:
    """Gaussian noise of a given sigma (of 255), seeded by frame: a tile at a random place."""

    REACH = 128

    def __init__(self, width: int, height: int, sigma: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 99])
        shape = (height + self.REACH, width + self.REACH)
        grain = np.zeros((*shape, 4), np.float32)
        rng.standard_normal(dtype=np.float32, out=grain)
        grain *= sigma
        grain[..., 3] = 0
        whole = np.rint(grain)
        self._brighter = np.clip(whole, 0, 255).astype(np.uint8)
        self._darker = np.clip(-whole, 0, 255).astype(np.uint8)
        self._seed = seed

    def add(self, picture: np.ndarray, index: int, out: np.ndarray) -> None:
        x, y, swap = np.random.default_rng([self._seed, index, 98]).integers(0, self.REACH, 3)
        h, w = picture.shape[:2]
        up, down = self._brighter, self._darker
        if swap % 2:
            up, down = down, up
        cv2.add(picture, up[y : y + h, x : x + w], dst=out)
        cv2.subtract(out, down[y : y + h, x : x + w], dst=out)
