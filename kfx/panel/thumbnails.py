"""Small pictures of looks as they were last seen in this show; kept in memory, never on disk.

They show the performer on set; until then a look has the one that was drawn ahead.
"""

from __future__ import annotations

from kfx.panel.pictures import jpeg
from kfx.types import Pixels

WIDTH = 192
SETTLED = 4  # half seconds that a look must have been shown, fades and first beats over
AGAIN = 40  # half seconds after which it is taken anew
MOST = 200


class Thumbnails:
    """Asked twice a second by `due`; `versions` says which names have a picture, counting them."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self._jpegs: dict[str, bytes] = {}
        self._name, self._since = "", 0

    def due(self, name: str, is_shown: bool) -> bool:
        """Whether the look `name` should be pictured now."""
        if name != self._name or not is_shown:
            self._name, self._since = name, 0
            return False
        self._since += 1
        return self._since == SETTLED or self._since % AGAIN == 0

    def take(self, name: str, pixels: Pixels) -> bool:
        """Picture a look; False where there is room for no more names."""
        if len(self._jpegs) >= MOST and name not in self._jpegs:
            return False
        self._jpegs[name] = jpeg(pixels, min(WIDTH, pixels.shape[1]))
        self.versions[name] = self.versions.get(name, 0) + 1
        return True

    def get(self, name: str) -> bytes | None:
        return self._jpegs.get(name)
