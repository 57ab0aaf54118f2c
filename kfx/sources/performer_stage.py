"""The set behind the performer: a dark backdrop, soft coloured light, lamps out of focus."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

# x, y of the frame (0..1 of width, of height), radius in heights, colour, strength
_LAMPS = [
    (0.075, 0.20, 0.050, (1.0, 0.62, 0.30), 0.30),
    (0.155, 0.115, 0.034, (1.0, 0.50, 0.28), 0.22),
    (0.205, 0.30, 0.022, (1.0, 0.70, 0.42), 0.13),
    (0.035, 0.40, 0.030, (0.95, 0.42, 0.40), 0.12),
    (0.925, 0.16, 0.046, (0.30, 0.72, 1.0), 0.24),
    (0.845, 0.26, 0.028, (0.42, 0.62, 1.0), 0.16),
    (0.965, 0.33, 0.036, (0.45, 0.42, 1.0), 0.15),
    (0.785, 0.10, 0.020, (0.55, 0.80, 1.0), 0.12),
]


LONGEST = 1920  # nothing in the set is sharp: larger frames get it enlarged


@lru_cache(maxsize=2)
def backdrop(width: int, height: int, seed: int) -> np.ndarray:
    """(height, width, 4) uint8, alpha 255, dithered so that the dark gradients don't band."""
    rng = np.random.default_rng([seed, 77])
    share = min(1.0, LONGEST / max(width, height))
    scene = _scene(max(1, round(width * share)), max(1, round(height * share)), rng) * 255
    if share < 1:
        scene = cv2.resize(scene, (width, height), interpolation=cv2.INTER_LINEAR)
    scene += rng.random((height, width, 1), dtype=np.float32)
    out = np.empty((height, width, 4), np.uint8)
    out[..., :3] = np.clip(scene, 0, 255, out=scene)
    out[..., 3] = 255
    out.flags.writeable = False
    return out


def _scene(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) float32, 0..1."""
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / width
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
    aspect = width / height

    def pool(cx: float, cy: float, reach: float) -> np.ndarray:
        far = ((x - cx) * aspect) ** 2 + (y - cy) ** 2
        return np.exp(-far / (2 * reach * reach))[..., None]

    def tint(*rgb: float) -> np.ndarray:
        return np.array(rgb, np.float32)

    scene = tint(0.022, 0.022, 0.032) + np.zeros((height, width, 1), np.float32)
    scene = scene + pool(0.5, 0.36, 0.42) * tint(0.070, 0.072, 0.115)  # a glow behind the head
    scene += pool(0.10, 0.34, 0.36) * tint(0.200, 0.078, 0.052)
    scene += pool(0.93, 0.32, 0.40) * tint(0.030, 0.098, 0.150)
    floor = np.clip((y - 0.80) / 0.05, 0, 1)[..., None]  # the seam of paper and floor, blurred
    scene *= 1 - 0.25 * floor * floor * (3 - 2 * floor)
    mottle = rng.standard_normal((6, 10)).astype(np.float32)
    mottle = cv2.resize(mottle, (width, height), interpolation=cv2.INTER_CUBIC)
    scene *= 1 + 0.07 * mottle[..., None]
    for cx, cy, radius, colour, strength in _LAMPS:
        jx, jy = rng.uniform(-0.012, 0.012, 2)
        far = np.sqrt(((x - cx - jx) * aspect) ** 2 + (y - cy - jy) ** 2) / radius
        disc = np.clip((1.0 - far) / 0.10 + 0.5, 0, 1)
        disc = disc * disc * (3 - 2 * disc) * (0.72 + 0.28 * np.clip(far, 0, 1) ** 3)
        halo = np.exp(-far * far / 5.0) * 0.16
        scene += ((disc + halo) * strength)[..., None] * np.array(colour, np.float32)
    corner = ((x - 0.5) * 1.25) ** 2 + ((y - 0.47) * 1.15) ** 2
    return scene * (1 - 0.75 * np.clip(corner, 0, 1))[..., None]
