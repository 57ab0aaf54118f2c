"""The rooms that materials reflect, drawn offline: pictures of a ball, by how rough it is.

A ball's picture holds at (x, y), |(x, y)| ≤ 1, what a surface with the normal (x, y, z) shows to a
camera before it. Rough surfaces gather many directions: `SAMPLES` of them, the same for each texel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 96
SAMPLES = 160
EDGE = 0.985  # a ball's rim would hold half the room in a texel
LAMPS = (  # how bright, where, half its width and height, how soft, colour
    (5.0, (-0.75, 0.75, 0.75), 0.42, 0.36, 0.10, (1.0, 1.0, 1.0)),
    (2.6, (0.98, 0.10, 0.05), 0.16, 1.10, 0.08, (1.0, 0.93, 0.84)),
    (2.2, (-1.0, -0.05, -0.35), 0.20, 1.0, 0.10, (0.80, 0.90, 1.06)),
    (1.5, (0.25, 0.95, -0.2), 0.9, 0.16, 0.10, (1.0, 1.0, 1.0)),
    (0.55, (0.15, -0.75, 0.6), 0.8, 0.10, 0.12, (1.05, 0.95, 0.85)),
)
Array = npt.NDArray[np.float32]
Room = Callable[[Array], Array]
"""Directions (n, 3), x right, y up, z towards the camera → light (n, 3), linear."""


def ball(room: Room, spread: float, side: int = SIDE) -> Array:
    """(3, side, side), first row at the bottom: a mirror ball, its normals `spread` so far."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    length = np.maximum(np.hypot(x, y), 1e-6)
    inside = np.minimum(length, EDGE) / length
    normal = np.stack([x * inside, y * inside], axis=-1).reshape(-1, 2)
    normal = np.column_stack([normal, np.sqrt(1 - (normal**2).sum(1))])
    rng = np.random.default_rng(7)
    total = np.zeros((len(normal), 3))
    for _ in range(SAMPLES):
        bent = normal + rng.normal(0, max(spread, 0.006), 3)
        bent /= np.linalg.norm(bent, axis=1, keepdims=True)
        ray = 2 * bent[:, 2:] * bent
        ray[:, 2] -= 1  # the view's own direction is (0, 0, 1)
        total += room(ray.astype(np.float32))
    return np.asarray((total / SAMPLES).T.reshape(3, side, side), np.float32)


def canonical_uv() -> Array:
    """(478, 2), v up."""
    with np.load(Path(__file__).resolve().parents[1] / "canonical_face.npz") as data:
        return np.asarray(data["uv"], np.float32)


def _panel(
    ray: Array, at: tuple[float, float, float], wide: float, high: float, soft: float
) -> Array:
    """A soft rectangle of light around the direction `at`: 0..1."""
    z = np.array(at) / np.linalg.norm(at)
    x = np.cross([0, 1, 0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    front = ray @ z
    u = np.abs(ray @ x) / np.maximum(front, 1e-3)
    v = np.abs(ray @ y) / np.maximum(front, 1e-3)
    edge = np.clip((wide - u) / soft + 0.5, 0, 1) * np.clip((high - v) / soft + 0.5, 0, 1)
    return np.asarray(edge * (front > 0), np.float32)


def stage(ray: Array) -> Array:
    """A black studio: a large softbox from above, two strips, a horizon, a grey floor."""
    y, z = ray[:, 1], ray[:, 2]
    up = np.clip(y, 0, 1)
    sky = 0.05 + 0.34 * np.exp(-up * 4.5) + 0.12 * up**3
    floor = 0.045 + 0.26 * np.clip(-y, 0, 1) ** 1.3
    above = 1 / (1 + np.exp(-(y + 0.02) / 0.03))
    level = (sky * above)[:, None] * np.array([0.90, 0.96, 1.06])
    level = level + (floor * (1 - above))[:, None] * np.array([1.04, 0.98, 0.93])
    for power, at, wide, high, soft, colour in LAMPS:
        level = level + power * _panel(ray, at, wide, high, soft)[:, None] * np.array(colour)
    return level * (0.9 + 0.1 * z[:, None])


def window(ray: Array) -> Array:
    """What glaze mirrors: one window with its cross, a strip on the other side, dim walls."""
    y = ray[:, 1:2]
    level = 0.06 + 0.10 * np.clip(y, -0.5, 1) * np.ones(3)
    level = level + 1.1 * _panel(ray, (0.1, 1.0, 0.35), 0.9, 0.35, 0.5)[:, None]  # a pale ceiling
    pane = _panel(ray, (-0.62, 0.70, 0.72), 0.34, 0.40, 0.06)
    pane *= 1 - 0.85 * _panel(ray, (-0.62, 0.70, 0.72), 0.018, 0.6, 0.02)
    pane *= 1 - 0.85 * _panel(ray, (-0.62, 0.70, 0.72), 0.6, 0.018, 0.02)
    level = level + 6.0 * pane[:, None] * np.array([0.96, 0.99, 1.04])
    level += 1.6 * _panel(ray, (0.95, 0.15, 0.2), 0.12, 0.9, 0.08)[:, None]
    return np.asarray(level, np.float32)


def nebula(side: int = 208) -> Array:
    """(3, side, side), first row at the bottom: a galaxy, linear, in places brighter than 1."""
    rng = np.random.default_rng(11)

    def clouds(lowest: float, fall: float) -> Array:
        freq = np.hypot(*np.meshgrid(np.fft.fftfreq(side) * side, np.fft.fftfreq(side) * side))
        shape = np.where(freq >= lowest, np.maximum(freq, 1) ** -fall, 0)
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * shape).real
        return np.asarray(noise / noise.std(), np.float32)

    y, x = np.mgrid[:side, :side].astype(np.float32)
    warp = [clouds(1.5, 2.2) * side * 0.045 for _ in range(2)]

    def bent(layer: Array) -> Array:
        way = cv2.BORDER_WRAP
        return cv2.remap(layer, x + warp[0], y + warp[1], cv2.INTER_CUBIC, borderMode=way)

    def threads(fall: float, thin: float) -> Array:
        """Bright where a cloud's value crosses 0: filaments."""
        return np.exp(-np.abs(bent(clouds(1.5, fall))) * thin)

    where = [1 / (1 + np.exp(-2.2 * bent(clouds(1.0, 2.4)))) for _ in range(2)]
    gas = 1 / (1 + np.exp(-2.6 * (bent(clouds(2.0, 1.75)) - 0.4)))
    fine = threads(1.45, 3.4) * 0.6 + threads(1.6, 6.0) + 0.8 * threads(1.9, 9.0)
    rose, blue = np.array([1.0, 0.16, 0.55]), np.array([0.07, 0.36, 1.0])
    gold = np.array([1.0, 0.62, 0.30])
    hue = where[0][..., None] * rose + (1 - where[0][..., None]) * blue
    core = np.clip(gas - 0.55, 0, None)[..., None] * 2.2 * where[1][..., None]
    out = np.full((side, side, 3), (0.004, 0.004, 0.014)) + gas[..., None] * hue * 0.13
    out += (fine * gas)[..., None] * (hue * 0.55 + core * gold * 0.8)
    dust = 1 / (1 + np.exp(-3.0 * (bent(clouds(2.5, 1.5)) - 0.5)))
    out *= 1 - 0.85 * dust[..., None]
    level = out.mean(axis=2, keepdims=True)
    out *= 1.25 * level / (level + 0.05)  # gas alone is hardly seen: a dark sky, bright threads
    for _ in range(260):
        cx, cy = rng.uniform(0, side, 2)
        size, power = rng.uniform(0.52, 0.68), rng.pareto(1.4) * 0.20 + 0.06
        near = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2)) * min(power, 5.0)
        out += near[..., None] * rng.choice([[1, 0.9, 0.8], [0.8, 0.9, 1.1], [1, 0.75, 1]])
    return np.asarray(out.transpose(2, 0, 1), np.float32)
