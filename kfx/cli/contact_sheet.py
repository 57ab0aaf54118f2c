"""A contact sheet: stills of a run, the plate above and the finished picture below."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels, Shot

TILE_PX = 400  # height of a tile, the face's surroundings


class ContactSheet:
    """Collects `stills` shots spread over `frames`, then saves them as one PNG."""

    def __init__(self, frames: int, stills: int) -> None:
        self._wanted = {int((i + 0.5) * frames / stills) for i in range(stills)}
        self._columns: list[Pixels] = []
        self._seen = 0

    def add(self, shot: Shot) -> None:
        """Look at the next shot of the run."""
        if self._seen in self._wanted:
            tiles = [_tile(pixels, shot) for pixels in (shot.tick.frame.pixels, shot.pixels)]
            self._columns.append(np.vstack(tiles))
        self._seen += 1

    def save(self, path: Path) -> None:
        """Write the PNG. Raises `KfxError` if it can't be written or nothing was collected."""
        if not self._columns:
            raise KfxError(f"{path}: no frame was rendered")
        sheet = cv2.cvtColor(np.hstack(self._columns), cv2.COLOR_RGBA2BGR)
        done, data = cv2.imencode(".png", sheet)
        assert done
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data.tobytes())
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise KfxError(f"{path}: {error.strerror}; is there room on the disk?") from error


def _tile(pixels: Pixels, shot: Shot) -> Pixels:
    """A square round the first face, or the middle of the frame."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    x, y = width / 2, height / 2
    if shot.tick.faces:
        x0, y0, x1, y1 = shot.tick.faces[0].box
        side = min(side, int(max(x1 - x0, y1 - y0) * 1.5))
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
    left = int(min(max(0, x - side / 2), width - side))
    top = int(min(max(0, y - side / 2), height - side))
    crop = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    return cv2.resize(crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
