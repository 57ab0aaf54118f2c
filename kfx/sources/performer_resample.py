"""Backward maps from forward shifts, solved on a coarse lattice and enlarged."""

from __future__ import annotations

import cv2
import numpy as np


class Lattice:
    """Nodes in the centres of `cell`-sized blocks, one more all around, over a picture.

    `size` is (width, height) rounded up to whole cells, at least as large as asked for.
    """

    def __init__(self, width: float, height: float, cell: int) -> None:
        self.cell = cell
        self.cols, self.rows = -(-int(width) // cell), -(-int(height) // cell)
        self.size = self.cols * cell, self.rows * cell
        x, y = self.nodes()
        self._here = np.stack([x, y], axis=2).astype(np.float32)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Array x, y of the nodes: two (rows + 2, cols + 2)."""
        x = (np.arange(self.cols + 2) - 0.5) * self.cell - 0.5
        y = (np.arange(self.rows + 2) - 0.5) * self.cell - 0.5
        return np.meshgrid(x, y)

    def inverse(self, shift: np.ndarray, rounds: int = 6) -> np.ndarray:
        """Where each node's picture comes from, given `shift` (rows + 2, cols + 2, 2) forward."""
        to_index = np.float32(1 / self.cell)
        offset = np.float32(0.5 / self.cell + 0.5)
        source = self._here
        for _ in range(rounds):
            index = source * to_index + offset
            moved = cv2.remap(shift, index, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            source = self._here - moved
        return source

    def enlarge(self, nodes: np.ndarray, top: int, bottom: int) -> np.ndarray:
        """The map for picture rows `top`..`bottom`: (bottom - top, width, 2) float32."""
        first, last = top // self.cell, -(-bottom // self.cell)
        part = nodes[first : last + 2]
        cell = self.cell
        large = cv2.resize(
            part,
            (part.shape[1] * cell, part.shape[0] * cell),
            interpolation=cv2.INTER_LINEAR,
        )
        start = top - first * cell + cell
        return large[start : start + bottom - top, cell : cell + self.size[0]]
