"""The performer's head and body turned in 2.5D and drawn into a frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np

from kfx.sources.performer_motion import Moment
from kfx.sources.performer_portrait import GRID, MARGIN, SIZE, anatomy, person_matte
from kfx.sources.performer_resample import Lattice

NECK = (0.0, 1.25, 0.95)  # where the head turns, iod from between the irises
BODY = (262.0 + MARGIN[0], 410.0 + MARGIN[1], 80.0)
BAND = 64  # rows resampled at once: they stay in the cache


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """3×3 for column vectors x right, y down, z away; the signs are those of `Moment`."""
    cy, sy, cp, sp, cr, sr = cos(yaw), sin(yaw), cos(pitch), sin(pitch), cos(roll), sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


@dataclass(frozen=True, slots=True)
class Placing:
    """Canvas → frame: frame = (canvas - anchor) * scale + at, all in pixels, (x, y)."""

    anchor: tuple[float, float]
    at: tuple[float, float]
    scale: float


@dataclass(frozen=True, slots=True)
class Cover:
    """Where a performer hides what is behind: lattice nodes (rows, cols) from column `first`."""

    seen: np.ndarray
    cell: int
    first: int

    def hides(self, xy: np.ndarray) -> np.ndarray:
        """(n,) bool for frame points (n, 2)."""
        col, row = np.floor(xy / self.cell + 1).astype(int).T
        col -= self.first
        rows, cols = self.seen.shape
        inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
        return inside & self.seen[row.clip(0, rows - 1), col.clip(0, cols - 1)]


class Body:
    """A moment's forward motion: canvas points with depth → canvas points."""

    def __init__(self, now: Moment) -> None:
        known = anatomy()
        self.turn = rotation(now.yaw, now.pitch, now.roll)
        self.head = self.turn @ known.rotation.T
        self.neck = known.centre + known.rotation @ (np.array(NECK) * known.iod)
        self.body = rotation(now.body_turn, 0.0, now.body_roll)
        upright = known.centre + np.array(NECK) * known.iod
        self.rest = self.body @ (upright - BODY) + BODY  # the body carries the neck
        self.lift = -1.1 * now.breath

    def points(self, xy: np.ndarray, z: np.ndarray, head: np.ndarray) -> np.ndarray:
        """(…, 2), (…), (…) → (…, 3); `head` is the head weight."""
        xyz = np.concatenate([xy, z[..., None]], axis=-1)
        by_head = (xyz - self.neck) @ self.head.T + self.rest
        by_body = (xyz - BODY) @ self.body.T + BODY
        by_body[..., 1] += self.lift
        return by_body + (by_head - by_body) * head[..., None]

    def amounts(self) -> np.ndarray:
        """`points` as a table: (2, 8) for 1, x, y, z and the same times the head weight."""
        by_body = np.column_stack([BODY - self.body @ BODY + (0, self.lift, 0), self.body])
        by_head = np.column_stack([self.rest - self.head @ self.neck, self.head])
        return np.concatenate([by_body, by_head - by_body], axis=1)[:2].astype(np.float32)


class Warp:
    """Draws one performer per call into frames of one size."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        known = anatomy()
        rows, cols = known.depth.shape
        x, y = np.meshgrid(np.arange(cols) * GRID, np.arange(rows) * GRID)
        self._x, self._y = x, y
        # The forward motion is linear in these eight fields; so are its derivatives.
        plain = [np.ones_like(x), x, y, known.depth]
        terms = np.array([*plain, *(known.head * p for p in plain)], np.float32)
        across, down = np.gradient(terms, GRID, axis=(2, 1))
        self._terms, self._across, self._down = (
            np.ascontiguousarray(t.reshape(8, -1), np.float32) for t in (terms, across, down)
        )
        matte = cv2.copyMakeBorder(
            person_matte(), 0, rows * int(GRID) - SIZE[1], 0, cols * int(GRID) - SIZE[0],
            cv2.BORDER_CONSTANT, value=0,
        )  # fmt: skip
        present = cv2.dilate(matte, np.ones((13, 13)))[:: int(GRID), :: int(GRID)]
        self._present = (present[:rows, :cols] > 0.01).astype(np.float32)
        self._inside = np.flatnonzero(self._present)
        self._lattices: dict[int, Lattice] = {}

    def draw(self, frame: np.ndarray, texture: np.ndarray, body: Body, placing: Placing) -> Cover:
        """Lay the premultiplied `texture` (SIZE × its scale) over `frame` (h, w, 4) in place."""
        cell = 1 << int(np.clip(np.log2(max(placing.scale, 1e-3) * 8), 0, 4))
        lattice = self._lattices.get(cell)
        if lattice is None:
            lattice = self._lattices[cell] = Lattice(self.width, self.height, cell)
        amounts = body.amounts()
        moved = amounts @ self._terms
        steps = np.empty((*self._x.shape, 4), np.float32)  # moved x, y and a Newton step's gain
        steps[..., 0] = moved[0].reshape(self._x.shape)
        steps[..., 1] = moved[1].reshape(self._x.shape)
        for channel, slope in ((2, amounts[0] @ self._across), (3, amounts[1] @ self._down)):
            steps[..., channel] = (1 / np.clip(slope, 0.35, 2.5)).reshape(self._x.shape)
        steps[..., 0] -= self._x
        steps[..., 1] -= self._y
        x, y = lattice.nodes()
        first, last = self._columns(moved[0], placing, cell)
        part = slice(first, last + 2)
        to_canvas = 1 / placing.scale
        here = np.empty((x.shape[0], last + 2 - first, 2), np.float32)
        here[..., 0] = (x[:, part] + 0.5 - placing.at[0]) * to_canvas + placing.anchor[0]
        here[..., 1] = (y[:, part] + 0.5 - placing.at[1]) * to_canvas + placing.anchor[1]
        source = here.copy()
        for _ in range(6):
            at = cv2.remap(
                steps, source * np.float32(1 / GRID), None, cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
            source += (here - source - at[..., :2]) * at[..., 2:]
        seen = cv2.remap(
            self._present, source * np.float32(1 / GRID), None, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ) > 0.01  # fmt: skip
        fine = texture.shape[1] / SIZE[0]
        nodes = source * np.float32(fine) - np.float32(0.5)
        self._bands(frame, texture, nodes, seen, cell, first)
        return Cover(seen, cell, first)

    def _columns(self, moved_x: np.ndarray, placing: Placing, cell: int) -> tuple[int, int]:
        """First and last + 1 lattice column that the performer can touch."""
        x = (moved_x[self._inside] - placing.anchor[0]) * placing.scale + placing.at[0]
        last = -(-self.width // cell)
        low = int(np.clip(x.min() // cell - 1, 0, last - 1))
        high = int(np.clip(x.max() // cell + 2, low + 1, last))
        return low, high

    def _bands(self, frame, texture, nodes, seen, cell: int, first: int) -> None:
        """Enlarge the map band by band, resample and composite where the performer is."""
        step = max(1, BAND // cell)
        for r in range(0, nodes.shape[0] - 2, step):
            rows = min(step, nodes.shape[0] - 2 - r)
            used = np.flatnonzero(seen[r : r + rows + 2].any(axis=0))
            if not len(used):
                continue
            c0 = max(0, int(used[0]) - 1)
            c1 = min(nodes.shape[1] - 2, int(used[-1]) + 1)
            if c1 <= c0:
                continue
            block = nodes[r : r + rows + 2, c0 : c1 + 2]
            h, w = rows * cell, (c1 - c0) * cell
            where = cv2.resize(block, (w + 2 * cell, h + 2 * cell), interpolation=cv2.INTER_LINEAR)[
                cell:-cell, cell:-cell
            ]
            y, x = r * cell, (first + c0) * cell
            target = frame[y : y + h, x : x + w]
            where = where[: target.shape[0], : target.shape[1]]
            drawn = cv2.remap(
                texture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
            )
            over(target, drawn)


def over(target: np.ndarray, drawn: np.ndarray) -> None:
    """Premultiplied `drawn` over opaque `target`, (h, w, 4) uint8, in place."""
    alpha = drawn[..., 3]
    cv2.copyTo(drawn, cv2.compare(alpha, 255, cv2.CMP_EQ), target)
    mixed = cv2.findNonZero(cv2.inRange(alpha, 1, 254))
    if mixed is not None:
        cols, rows = mixed[:, 0].T
        top = drawn[rows, cols].astype(np.uint16)
        under = target[rows, cols].astype(np.uint16)
        blended = top + (under * (255 - top[:, 3:]) + 127) // 255
        target[rows, cols] = np.minimum(blended, 255).astype(np.uint8)
