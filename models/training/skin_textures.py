"""Make the tiles, matcaps and maps of the skin looks: all computed here, none copied.

    python models/training/skin_textures.py [name …]

One function per texture; each writes ``shaders/textures/<function>.png``, seeded, the same bytes
every time.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

OUT = Path(__file__).resolve().parents[2] / "shaders" / "textures"
Array = npt.NDArray[np.float64]


def periodic_noise(size: int, slope: float, seed: int, low: float = 1.0) -> Array:
    """Seamless noise of spectrum 1/f^slope from `low` cycles on, mean 0, deviation 1."""
    white = np.random.default_rng(seed).standard_normal((size, size))
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]) * size
    gain = np.where(f >= low, np.maximum(f, 1e-9) ** -slope, 0.0)
    noise = np.fft.ifft2(np.fft.fft2(white) * gain).real
    return noise / noise.std()


def warped(tile: Array, x: Array, y: Array) -> Array:
    """The seamless `tile` read at its own place moved by x, y texels."""
    n = len(tile)
    rows, columns = np.mgrid[0:n, 0:n]
    padded = np.pad(tile, ((0, 1), (0, 1)), mode="wrap").astype(np.float32)
    return cv2.remap(
        padded,
        ((columns + x) % n).astype(np.float32),
        ((rows + y) % n).astype(np.float32),
        cv2.INTER_LINEAR,
    ).astype(np.float64)


def bytes_of(*layers: Array) -> npt.NDArray[np.uint8]:
    """Layers of 0..1 as one RGB picture."""
    return (np.clip(np.stack(layers, -1), 0, 1) * 255).round().astype(np.uint8)


def spread(noise: Array, deviations: float = 2.6) -> Array:
    """Noise of deviation 1 as 0..1 about 0.5."""
    return np.clip(0.5 + noise / (2 * deviations), 0, 1)


def liquid() -> npt.NDArray[np.uint8]:
    """Two smooth fields for warping and a ridged one; seamless, 256²."""
    a, b = periodic_noise(256, 2.7, 21, 2), periodic_noise(256, 2.7, 22, 2)
    c = periodic_noise(256, 1.7, 23)
    ridged = 1 - np.clip(np.abs(warped(c, 9 * a, 9 * b)) * 1.15, 0, 1)
    return bytes_of(spread(a), spread(b), ridged**1.5)


def studio() -> npt.NDArray[np.uint8]:
    """A portrait studio mirrored in a ball: four roughnesses in a 2×2 sheet of 256².

    Stored as sqrt(radiance / 3). Soft boxes left and above, a strip right, two rim lights
    behind, a floor that falls into a dark horizon.
    """
    rng = np.random.default_rng(31)
    side = (np.arange(256) + 0.5) / 128 - 1
    x, y = np.meshgrid(side, -side)
    r = np.hypot(x, y)
    over = np.maximum(r, 1e-9) / np.minimum(np.maximum(r, 1e-9), 0.995)
    x, y = x / over, y / over
    n = np.stack([x, y, np.sqrt(np.maximum(0.0, 1 - x * x - y * y))], -1)
    sheet = np.zeros((512, 512, 3))
    for level, rough in enumerate((0.012, 0.11, 0.24, 0.48)):
        total = np.zeros((256, 256, 3))
        rays = 48 if level == 0 else 320
        for _ in range(rays):
            # One jitter for the whole ball: no noise, only many faint copies that melt together.
            bent = n + rough * rng.standard_normal(3) * 0.7
            bent /= np.linalg.norm(bent, axis=-1, keepdims=True)
            total += _studio_light(2 * bent[..., 2:] * bent - np.array([0.0, 0.0, 1.0]))
        row, column = divmod(level, 2)
        sheet[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256] = total / rays
    return bytes_of(*np.moveaxis(np.sqrt(sheet / 3), -1, 0))


def _studio_light(d: Array) -> Array:
    """Radiance (…, 3) that comes from the unit directions d."""
    up = d[..., 1]
    # Walls: charcoal that lifts towards a cyclorama's horizon; floor: black there, lighter near.
    wall = 0.09 + 0.24 * np.exp(-np.maximum(up, 0) * 3.4) + 0.07 * np.clip(d[..., 2], 0, 1)
    floor = 0.015 + 0.46 * np.clip(-up - 0.10, 0, 1) ** 1.25
    t = np.clip((up + 0.03) / 0.05, 0, 1)
    base = (floor + (wall - floor) * t * t * (3 - 2 * t))[..., None]
    light = base * np.where(up[..., None] > 0, (0.93, 0.98, 1.08), (1.06, 0.99, 0.92))
    for towards, half, soft, colour in (
        ((-0.66, 0.48, 0.58), (0.52, 0.40), 0.10, (2.75, 2.66, 2.50)),  # key box, camera left
        ((0.86, 0.22, 0.46), (0.15, 0.86), 0.07, (1.55, 1.72, 2.00)),  # strip, camera right
        ((0.10, 0.97, 0.22), (0.95, 0.30), 0.12, (1.50, 1.52, 1.58)),  # bank overhead
        ((-0.90, 0.05, -0.42), (0.34, 0.95), 0.15, (1.50, 1.68, 2.10)),  # rims behind
        ((0.90, 0.10, -0.42), (0.30, 0.95), 0.15, (2.20, 2.05, 1.85)),
        ((0.34, -0.55, 0.76), (0.50, 0.11), 0.14, (0.52, 0.54, 0.58)),  # bounce under the chin
    ):
        light = light + _box_light(d, np.array(towards), half, soft)[..., None] * np.array(colour)
    return light


def _box_light(d: Array, towards: Array, half: tuple[float, float], soft: float) -> Array:
    """How much of a soft box stands in the directions d: 1 in it, 0 outside."""
    towards = towards / np.linalg.norm(towards)
    right = np.cross((0.0, 1.0, 0.0), towards)
    right /= np.linalg.norm(right)
    facing = d @ towards
    safe = np.maximum(facing, 1e-3)
    a, b = np.abs(d @ right) / safe, np.abs(d @ np.cross(towards, right)) / safe
    inside = np.clip((half[0] - a) / soft + 0.5, 0, 1) * np.clip((half[1] - b) / soft + 0.5, 0, 1)
    fall = 1 - 0.72 * (np.clip(a / half[0], 0, 1) ** 2 + np.clip(b / half[1], 0, 1) ** 2) / 2
    return np.where(facing > 0.02, inside * fall, 0.0)


def nebula() -> npt.NDArray[np.uint8]:
    """Gas in filaments, gas in clouds, stars; seamless, 384²."""
    n = 384
    rows, columns = np.mgrid[0:n, 0:n]
    ax, ay = periodic_noise(n, 2.9, 41, 2), periodic_noise(n, 2.9, 42, 2)
    bx, by = periodic_noise(n, 2.6, 43, 5), periodic_noise(n, 2.6, 44, 5)
    sheet = warped(periodic_noise(n, 1.95, 45, 2), 30 * ax + 8 * bx, 30 * ay + 8 * by)
    filaments = np.clip(1.12 - 1.05 * np.abs(sheet), 0, 1) ** 2.2
    filaments *= 0.35 + 0.65 * spread(warped(periodic_noise(n, 1.9, 46, 2), 20 * ay, 20 * ax), 1.6)
    clouds = spread(warped(periodic_noise(n, 1.85, 47, 2), 34 * ay, 34 * ax), 2.0) ** 1.5
    rng = np.random.default_rng(48)
    stars = np.zeros((n, n))
    for magnitude in rng.pareto(1.35, 560):
        y, x = rng.uniform(0, n, 2)
        power = min(0.16 + 0.10 * magnitude, 1.0)
        dx = (columns - x + n / 2) % n - n / 2
        dy = (rows - y + n / 2) % n - n / 2
        d2 = dx * dx + dy * dy
        stars = np.maximum(stars, power * np.exp(-d2 / (0.9 + 1.2 * power)))
        stars += 0.16 * power**3 * np.exp(-d2 / 60)
    return bytes_of(filaments, clouds, stars)


def thin_film() -> npt.NDArray[np.uint8]:
    """Colour of an oil film: cosine of the angle across, thickness 120 to 820 nm up, 64×128.

    Two-beam interference, n = 1.40, integrated over the spectrum with the fit of the CIE 1931
    observer by Wyman, Sloan & Shirley 2013 (single lobes), so that high orders pale as they do
    in nature. Stored as sqrt(linear sRGB).
    """
    wave = np.arange(390.0, 721.0, 5.0)

    def lobe(centre: float, below: float, above: float) -> Array:
        t = (wave - centre) * np.where(wave < centre, below, above)
        return np.exp(-0.5 * t * t)

    x = (
        1.056 * lobe(599.8, 0.0264, 0.0323)
        + 0.362 * lobe(442.0, 0.0624, 0.0374)
        - 0.065 * lobe(501.1, 0.0490, 0.0382)
    )
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    cosine = (np.arange(64) + 0.5) / 64
    inside = np.sqrt(1 - (1 - cosine**2) / 1.40**2)
    thick = 120 + 700 * (np.arange(128) + 0.5) / 128
    path = 2 * np.pi * 1.40 * thick[:, None] * inside[None]
    light = np.sin(path[..., None] / wave) ** 2
    xyz = light @ np.stack([x, y, z], 1) / y.sum()
    matrix = np.array(
        [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    )
    rgb = xyz @ matrix.T
    grey = rgb @ np.array([0.2126, 0.7152, 0.0722])
    low = rgb.min(-1)
    keep = np.where(low < 0, grey / np.maximum(grey - low, 1e-9), 1.0)[..., None]
    rgb = grey[..., None] + (rgb - grey[..., None]) * keep * 0.98
    return bytes_of(*np.moveaxis(np.sqrt(np.clip(rgb / 1.25, 0, 1)), -1, 0))[::-1]


IOD = np.array([0.292, 0.368])  # what one inter-ocular distance is in canonical UV


def uv_grid(size: int) -> Array:
    """(size, size, 2) places of the texels in iod from the middle, row 0 at the forehead."""
    side = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(side, 1 - side)
    return (np.stack([u, v], -1) - 0.5) / IOD


def veins() -> npt.NDArray[np.uint8]:
    """Vessels grown over the face from jaw and temples: distance, way from the root, width.

    Space colonisation (Runions 2005): places that want blood pull the nearest tip. Both sides
    grow alike but not the same. R 1 on the vessel to 0 at 0.12 iod, G way / 3 iod, B width.
    """
    rng = np.random.default_rng(57)
    places = rng.uniform(0.0, 1.0, (2300, 2))
    u, v = np.abs(places[:, 0] - 0.5), places[:, 1]
    eye = np.hypot((u - 0.146) / 0.095, (v - 0.672) / 0.052)
    nose = (u < 0.085) & (v > 0.40) & (v < 0.74)
    mouth = np.hypot(u / 0.175, (v - 0.30) / 0.085) < 1
    want = np.where(v > 0.80, 0.30 + 1.6 * (u - 0.05), 0.55)
    want = np.where((eye < 2.3), 1.0, want)
    want = np.where((v < 0.5) & (u < 0.20), 0.25, want)
    keep = (eye > 1) & ~nose & ~mouth & (rng.uniform(size=len(u)) < want) & (u < 0.45)
    goals = (places[keep] - 0.5) / IOD
    roots = np.array([(0.10, 0.20), (0.17, 0.09), (0.06, 0.72), (0.13, 0.93), (0.36, 0.03)])
    roots = np.concatenate([roots, roots * (-1, 1) + (1, 0) + rng.normal(0, 0.012, roots.shape)])
    nodes = [*((roots - 0.5) / IOD)]
    parent = [-1] * len(nodes)
    way = [0.0] * len(nodes)
    step = 0.022
    for _ in range(260):
        tips = np.array(nodes)
        gap = np.linalg.norm(goals[:, None] - tips[None], axis=2)
        nearest, distance = gap.argmin(1), gap.min(1)
        goals, nearest = goals[distance > 0.058], nearest[distance > 0.058]
        distance = distance[distance > 0.058]
        near = distance < 0.9
        grown = False
        for i in np.unique(nearest[near]):
            pull = goals[near & (nearest == i)] - tips[i]
            pull = (pull / np.linalg.norm(pull, axis=1, keepdims=True)).sum(0)
            pull = pull / max(float(np.linalg.norm(pull)), 1e-9) + rng.normal(0, 0.75, 2)
            if parent[i] >= 0:  # blood runs on the way it ran
                pull = pull / np.linalg.norm(pull) + 1.5 * (tips[i] - tips[parent[i]]) / step
            new = tips[i] + step * pull / np.linalg.norm(pull)
            if np.linalg.norm(tips - new, axis=1).min() > 0.4 * step:
                nodes.append(new)
                parent.append(int(i))
                way.append(way[i] + step)
                grown = True
        if not grown or not len(goals):
            break
    flow = np.ones(len(nodes))
    for i in range(len(nodes) - 1, -1, -1):
        if parent[i] >= 0:
            flow[parent[i]] += flow[i]
    points = np.array(nodes)
    above = np.maximum(np.array(parent), 0)
    for _ in range(3):  # towards the parents: no kinks
        points = np.where(
            np.array(parent)[:, None] >= 0, 0.55 * points + 0.45 * points[above], points
        )
    size = 512
    best = np.full((size, size), 0.12)
    length, width = np.zeros((size, size)), np.zeros((size, size))
    grid = uv_grid(size)
    for i, j in enumerate(parent):
        if j < 0:
            continue
        middle = (points[i] + points[j]) / 2
        at = (middle * IOD + 0.5) * (1, -1) * size + (0, size)
        reach = (0.14 * IOD * size).astype(int) + 2
        x0, y0 = np.maximum(at.astype(int) - reach, 0)
        x1, y1 = np.minimum(at.astype(int) + reach, size)
        if x1 <= x0 or y1 <= y0:
            continue
        here = np.s_[y0:y1, x0:x1]
        ab = points[i] - points[j]
        t = np.clip(((grid[here] - points[j]) @ ab) / (ab @ ab), 0, 1)
        d = np.linalg.norm(grid[here] - points[j] - t[..., None] * ab, axis=-1)
        closer = d < best[here]
        best[here] = np.where(closer, d, best[here])
        length[here] = np.where(closer, way[j] + t * step, length[here])
        width[here] = np.where(closer, min(1.0, (flow[i] / 90) ** 0.45), width[here])
    return bytes_of(1 - best / 0.12, length / 3, width)


def decals() -> npt.NDArray[np.uint8]:
    """Line work for skin as distance fields: R a fine-line tattoo, G head-up marks.

    0.5 stands on the edge of a stroke, 1 at 0.06 iod inside, 0 as far outside. Places are in iod
    from the middle of canonical UV, x to the subject's left, y up.
    """
    ink, marks = _Strokes(), _Strokes()
    # Tattoo: a thorned stem along the left cheekbone, a drop line under the eye, moon and star.
    stem = _bezier((1.12, 0.62), (0.98, 0.12), (0.72, 0.10), (0.40, -0.12), 48)
    ink.line(stem, 0.0075, 0.0035)
    for k, at in enumerate(range(5, 45, 5)):
        along = stem[at + 1] - stem[at - 1]
        along /= np.linalg.norm(along)
        side = np.array([-along[1], along[0]]) * (1 if k % 2 else -1)
        tip = stem[at] + 0.062 * side + 0.050 * along
        ink.line(
            _bezier(stem[at], stem[at] + 0.05 * side, tip - 0.02 * along, tip, 8), 0.006, 0.0015
        )
        if k % 3 == 1:
            leaf = stem[at] - 0.10 * side + 0.075 * along
            for bow in (0.035, -0.035):
                bent = (stem[at] + leaf) / 2 + bow * along
                ink.line(_bezier(stem[at], bent, bent, leaf, 10), 0.0045, 0.002)
    ink.line(np.array([(0.50, 0.30), (0.50, 0.02)]), 0.0055, 0.0025)
    ink.line(
        np.array([(0.50, 0.13), (0.524, 0.09), (0.50, 0.05), (0.476, 0.09), (0.50, 0.13)]), 0.004
    )
    for y, r in ((-0.035, 0.010), (-0.080, 0.007), (-0.115, 0.005)):
        ink.dot((0.50, y), r)
    moon = np.array([-0.70, 0.10])
    for radius, offset, a0, a1 in ((0.10, 0.0, 48, 312), (0.0788, 0.040, 70, 290)):
        ink.line(_arc(moon + (offset, 0), radius, a0, a1), 0.0045)
    for a in range(0, 360, 90):
        ray = 0.050 if a % 180 else 0.030
        end = moon + (0.115, 0.075) + ray * np.array([np.cos(np.radians(a)), np.sin(np.radians(a))])
        ink.line(np.array([moon + (0.115, 0.075), end]), 0.0055, 0.001)
    for y, r in ((-0.93, 0.008), (-0.975, 0.011), (-1.02, 0.008)):
        ink.dot((0.0, y), r)
    # Head-up marks: a broken ring round the right eye, its scale, a leader with figures, brackets.
    eye = np.array([-0.5, 0.486])
    for a0, a1, radius, wide in (
        (14, 74, 0.385, 0.006),
        (86, 112, 0.385, 0.003),
        (196, 262, 0.385, 0.006),
        (276, 345, 0.385, 0.003),
        (150, 170, 0.42, 0.010),
        (296, 330, 0.43, 0.006),
    ):
        marks.line(_arc(eye, radius, a0, a1), wide)
    for a in range(198, 350, 8):
        d = np.array([np.cos(np.radians(a)), np.sin(np.radians(a))])
        marks.line(np.array([eye + 0.335 * d, eye + (0.36 if a % 3 else 0.375) * d]), 0.003)
    start = eye + 0.385 * np.array([np.cos(np.radians(225)), np.sin(np.radians(225))])
    marks.line(np.array([start, start + (-0.10, -0.16), start + (-0.36, -0.16)]), 0.004)
    marks.dot(start, 0.012)
    for k, figure in enumerate("0427"):
        marks.figure(start + (-0.30 + 0.075 * k, -0.285), figure, 0.042, 0.0028)
    for x, y, sx, sy in (
        (-0.62, -0.30, 1, -1),
        (0.62, -0.30, -1, -1),
        (-0.62, -0.82, 1, 1),
        (0.62, -0.82, -1, 1),
    ):
        corner = np.array([x, y])
        marks.line(np.array([corner + (0.10 * sx, 0), corner, corner + (0, 0.10 * sy)]), 0.005)
    for x, y in ((0.0, 0.93), (0.74, 0.06), (0.30, -0.15)):
        for d in ((0.035, 0.0), (0.0, 0.035)):
            marks.line(np.array([np.array([x, y]) - d, np.array([x, y]) + d]), 0.003)
    for k in range(11):
        x = 0.93 - 0.006 * k
        marks.line(
            np.array(
                [(x, 0.50 - 0.045 * k), (x - (0.06 if k % 5 == 0 else 0.03), 0.50 - 0.045 * k)]
            ),
            0.003,
        )
    grid = uv_grid(512)
    zero = np.full((512, 512), 0.5)
    return bytes_of(ink.field(grid), marks.field(grid), zero)


class _Strokes:
    """Strokes collected as tapered segments."""

    def __init__(self) -> None:
        self.segments: list[tuple[Array, Array, float, float]] = []

    def line(self, points: Array, wide: float, end: float | None = None) -> None:
        ends = np.linspace(wide, wide if end is None else end, len(points))
        for a, b, u, v in zip(points, points[1:], ends, ends[1:], strict=False):
            self.segments.append((np.asarray(a, float), np.asarray(b, float), float(u), float(v)))

    def dot(self, at: npt.ArrayLike, radius: float) -> None:
        self.segments.append((np.asarray(at, float), np.asarray(at, float), radius, radius))

    def figure(self, at: Array, digit: str, size: float, wide: float) -> None:
        """A seven-segment figure `size` wide, twice as tall, from its lower left corner."""
        corners = {"a": (0, 2, 1, 2), "b": (1, 2, 1, 1), "c": (1, 1, 1, 0), "d": (0, 0, 1, 0)}
        corners |= {"e": (0, 1, 0, 0), "f": (0, 2, 0, 1), "g": (0, 1, 1, 1)}
        for part in {"0": "abcdef", "4": "bcfg", "2": "abdeg", "7": "abc"}[digit]:
            x0, y0, x1, y1 = corners[part]
            self.line(np.array([at + (x0 * size, y0 * size), at + (x1 * size, y1 * size)]), wide)

    def field(self, grid: Array) -> Array:
        best = np.full(grid.shape[:2], 0.06)
        for a, b, u, v in self.segments:
            ab = b - a
            near = np.linalg.norm(grid - (a + b) / 2, axis=-1) < np.linalg.norm(ab) / 2 + 0.09
            here = grid[near]
            t = np.clip(((here - a) @ ab) / max(float(ab @ ab), 1e-12), 0, 1)
            d = np.linalg.norm(here - a - t[:, None] * ab, axis=-1) - (u + (v - u) * t)
            best[near] = np.minimum(best[near], d)
        return 0.5 - best / 0.12


def _bezier(
    a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, d: npt.ArrayLike, n: int
) -> Array:
    t = np.linspace(0, 1, n)[:, None]
    p = [np.asarray(q, float) for q in (a, b, c, d)]
    s = 1 - t
    return s**3 * p[0] + 3 * s * s * t * p[1] + 3 * s * t * t * p[2] + t**3 * p[3]


def _arc(centre: Array, radius: float, start: float, stop: float) -> Array:
    a = np.radians(np.linspace(start, stop, max(4, int(abs(stop - start) / 5))))
    return centre + radius * np.stack([np.cos(a), np.sin(a)], 1)


MADE: tuple[Callable[[], npt.NDArray[np.uint8]], ...] = (
    liquid,
    studio,
    nebula,
    thin_film,
    veins,
    decals,
)


def main() -> None:
    for make in MADE:
        if len(sys.argv) > 1 and make.__name__ not in sys.argv[1:]:
            continue
        path = OUT / f"{make.__name__}.png"
        cv2.imwrite(str(path), make()[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
