"""The performer's portrait on an extended canvas: picture, matte, landmarks, depth, head weight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from kfx import assets
from kfx.errors import KfxError

MARGIN = (40, 20, 48, 150)  # left, top, right, bottom pixels around the 512×600 portrait
SIZE = (512 + MARGIN[0] + MARGIN[2], 600 + MARGIN[1] + MARGIN[3])
GRID = 4.0  # canvas pixels between nodes of the depth and weight grids
LEFT_IRIS, RIGHT_IRIS = 473, 468  # the subject's left is on the right of the picture

# Depth where the mesh ends: portrait x, y, z. Read off the picture, in the mesh's own units.
_BEYOND_THE_FACE = [
    (262, 112, -8), (205, 118, 12), (320, 116, 12), (160, 128, 66), (362, 124, 66),
    (150, 160, 84), (366, 160, 84), (262, 60, 2), (262, 24, 30), (215, 50, 30), (310, 48, 30),
    (178, 80, 64), (345, 78, 64), (154, 215, 90), (374, 210, 90), (158, 245, 94), (368, 240, 94),
    (166, 275, 96), (354, 280, 96), (185, 296, 92), (340, 300, 92),
    (262, 352, 62), (220, 352, 78), (310, 352, 78), (262, 395, 66), (200, 380, 90), (325, 380, 90),
    (262, 440, 62), (130, 400, 88), (400, 400, 88), (262, 560, 50), (60, 480, 88), (470, 480, 88),
    (-20, 300, 90), (540, 300, 90), (-20, 20, 90), (540, 20, 90), (262, 740, 50), (20, 740, 80),
    (500, 740, 80), (100, 200, 90), (430, 200, 90), (100, 80, 84), (430, 80, 84),
]  # fmt: skip


def portrait_rgb() -> np.ndarray:
    """The public-domain portrait that matplotlib ships: (600, 512, 3) uint8 RGB."""
    spec = find_spec("matplotlib")  # finds the package without importing it
    path = Path(spec.origin).parent / "mpl-data/sample_data/grace_hopper.jpg" if spec else None
    picture = cv2.imread(str(path)) if path and path.is_file() else None
    if picture is None:
        raise KfxError("performer: matplotlib's grace_hopper.jpg is missing; reinstall matplotlib")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Anatomy:
    """What doesn't depend on the output size; canvas pixels throughout.

    `landmarks` (478, 3); `rotation` 3×3 by which the portrait's head is off frontal; `centre`
    (3,) midway between the irises; `iod` in canvas pixels; `depth` and `head` (rows, cols)
    float32 on nodes every `GRID` pixels: z away from the camera, and 1 on the head → 0 on the
    body.
    """

    landmarks: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    iod: float
    depth: np.ndarray
    head: np.ndarray


def _asset(name: str) -> Path:
    path = assets.folder("models") / "performer" / name
    if not path.is_file():
        raise KfxError(f"performer: {path} is missing; reinstall kfx")
    return path


@lru_cache(maxsize=1)
def person_matte() -> np.ndarray:
    """The cut-out on the canvas: (SIZE) float32 0..1."""
    return cv2.imread(str(_asset("matte.png")), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


@lru_cache(maxsize=1)
def anatomy() -> Anatomy:
    """Load what ``models/training/performer.py`` measured."""
    with np.load(_asset("portrait.npz")) as stored:
        landmarks = stored["landmarks"].astype(np.float64) + (MARGIN[0], MARGIN[1], 0)
        rotation = stored["rotation"].astype(np.float64)
    centre = (landmarks[LEFT_IRIS] + landmarks[RIGHT_IRIS]) / 2
    iod = float(np.linalg.norm(landmarks[LEFT_IRIS] - landmarks[RIGHT_IRIS]))
    return Anatomy(landmarks, rotation, centre, iod, _depth(landmarks), _head())


def _nodes() -> tuple[np.ndarray, np.ndarray]:
    cols, rows = int(SIZE[0] // GRID) + 2, int(SIZE[1] // GRID) + 2
    return np.meshgrid(np.arange(cols) * GRID, np.arange(rows) * GRID)


def _depth(landmarks: np.ndarray) -> np.ndarray:
    """Thin-plate-like interpolation of the mesh's z and the points beyond the face."""
    beyond = np.array(_BEYOND_THE_FACE, float) + (MARGIN[0], MARGIN[1], 0)
    known = np.concatenate([landmarks[:468], beyond])

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        across = (a[:, None, 0] - b[None, :, 0]) ** 2
        across += (a[:, None, 1] - b[None, :, 1]) ** 2
        return -np.sqrt(across + a.dtype.type(12.0**2))

    count = len(known)
    system = np.ones((count + 1, count + 1))  # the last row makes the weights sum to nothing
    system[:count, :count] = kernel(known[:, :2], known[:, :2]) + 4.0 * np.eye(count)
    system[count, count] = 0
    weights = np.linalg.solve(system, np.append(known[:, 2], 0))
    x, y = _nodes()
    points = np.stack([x[::2, ::2].ravel(), y[::2, ::2].ravel()], axis=1)
    known, points = known.astype(np.float32), points.astype(np.float32)
    every_second = kernel(points, known[:, :2]) @ weights[:count] + weights[count]
    depth = cv2.warpAffine(
        every_second.reshape(x[::2, ::2].shape).astype(np.float32),
        np.array([[0.5, 0, 0], [0, 0.5, 0]]),
        x.shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _limit_slope(np.clip(cv2.GaussianBlur(depth, (0, 0), 1.0), -60, 100), 2.1)


def _limit_slope(depth: np.ndarray, steepest: float) -> np.ndarray:
    """Round off steps that would fold over when the head turns (mean of both envelopes)."""
    step, cross, corners = steepest * GRID, np.ones((3, 3), np.uint8), np.eye(3, dtype=np.uint8)
    cross[::2, ::2] = 0
    corners |= corners[::-1]
    low, high = depth.copy(), depth.copy()
    for _ in range(24):
        for kernel, far in ((cross, step), (corners, step * 2**0.5)):
            low = np.minimum(low, cv2.erode(low, kernel) + far)
            high = np.maximum(high, cv2.dilate(high, kernel) - far)
    return (low + high) / 2


def _head() -> np.ndarray:
    """1 on the head, falling to 0 over the neck and the collar."""
    x, y = _nodes()
    x, y = x - MARGIN[0], y - MARGIN[1]
    middle = np.exp(-(((x - 265) / 62) ** 4))  # the neck gives way lower than the collar's wings
    start, end = 306 + 36 * middle, 374 + 50 * middle
    t = np.clip((y - start) / (end - start), 0, 1)
    return cv2.GaussianBlur((1 - t * t * (3 - 2 * t)).astype(np.float32), (0, 0), 2.0)


@lru_cache(maxsize=2)
def picture(scale: float) -> np.ndarray:
    """The performer lit for the set, premultiplied: (SIZE × scale) RGBA uint8, read-only."""
    matte = person_matte()
    colour = _clean_edges(_extended(), matte)
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
    colour = cv2.resize(colour, size, interpolation=shrink)
    alpha = np.clip((cv2.resize(matte, size, interpolation=shrink) - 0.5) * 1.35 + 0.47, 0, 1)
    soft = cv2.GaussianBlur(colour, (0, 0), max(0.6 * scale, 0.6))
    # Bring back what upscaling took, but leave the photograph's grain in black cloth asleep.
    crisp = np.clip(soft.mean(axis=2) * 5 - 0.45, -0.45, 0.55)[..., None]
    colour = colour + crisp * (colour - soft)
    rng = np.random.default_rng(7)
    grain = rng.standard_normal(colour.shape[:2]).astype(np.float32)
    if scale > 1:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.35 * scale) * scale
    luma = colour.mean(axis=2)
    colour += (grain * (0.006 + 0.012 * np.clip(luma, 0, 1)))[..., None]
    colour = _light(colour, alpha, scale)
    out = np.empty((*colour.shape[:2], 4), np.uint8)
    out[..., :3] = np.clip(colour * alpha[..., None] * 255 + 0.5, 0, 255)
    out[..., 3] = np.clip(alpha * 255 + 0.5, 0, 255)
    out.flags.writeable = False
    return out


def _extended() -> np.ndarray:
    """The portrait on the canvas, jacket cloth continued past its borders: float32 0..1."""
    rgb = portrait_rgb().astype(np.float32) / 255
    left, top, right, bottom = MARGIN
    cloth = rgb[530:592, 70:220]  # no badge, no button
    tiled = np.pad(cloth, ((0, SIZE[1] - 62), (0, SIZE[0] - 150), (0, 0)), "symmetric")
    big = cv2.copyMakeBorder(rgb, top, bottom, left, right, cv2.BORDER_REPLICATE)
    x = np.arange(SIZE[0], dtype=np.float32)[None, :]
    y = np.arange(SIZE[1], dtype=np.float32)[:, None]
    inside_x = np.clip((left + 512 - 3 - x) / 4, 0, 1) * np.ones_like(y)
    inside_y = np.clip((top + 600 - 2 - y) / 5, 0, 1)
    keep = np.where(y > top + 380, inside_x * inside_y, 1.0)[..., None]
    return big * keep + tiled * (1 - keep)


def _clean_edges(colour: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Replace what the old backdrop tinted by the colour just inside the edge."""
    sure = (cv2.erode(matte, np.ones((3, 3))) > 0.98).astype(np.float32)
    filled, total = np.zeros_like(colour), np.zeros_like(matte)
    for sigma, share in ((1.2, 1.0), (3.0, 1e-2), (9.0, 1e-4)):
        filled += cv2.GaussianBlur(colour * sure[..., None], (0, 0), sigma) * share
        total += cv2.GaussianBlur(sure, (0, 0), sigma) * share
    filled /= (total + 1e-7)[..., None]
    keep = cv2.GaussianBlur(sure, (0, 0), 0.7)[..., None]
    keep = np.clip(keep * 1.6 - 0.6, 0, 1)
    return colour * keep + filled * (1 - keep)


def _light(colour: np.ndarray, alpha: np.ndarray, scale: float) -> np.ndarray:
    """A key from the left, a cool fill, a warm and a teal rim that belong to the set."""
    h, w = alpha.shape
    x = (np.arange(w, dtype=np.float32)[None, :] / scale - MARGIN[0] - 262) / 130
    y = (np.arange(h, dtype=np.float32)[:, None] / scale - MARGIN[1] - 230) / 200
    key = 1.0 - 0.13 * np.tanh(x * 0.9) - 0.30 * np.clip(y - 0.75, 0, 1.4)
    cool = np.clip(x * 0.5 + 0.2, 0, 1)[..., None] * np.array([-0.05, 0.0, 0.06], np.float32)
    lit = np.clip(colour, 0, 1.2) ** 1.06 * key[..., None] * (1 + cool)
    near = cv2.GaussianBlur(alpha, (0, 0), 3.2 * scale)
    slope = cv2.Sobel(near, cv2.CV_32F, 1, 0, ksize=3) * scale * 3.2
    thin = np.clip((1 - near) * 1.9, 0, 1) ** 2 * np.clip(1.25 - 0.35 * np.clip(y, 0, 9), 0.2, 1)
    left = np.clip(slope, 0, 1) * thin
    right = np.clip(-slope, 0, 1) * thin
    rim = left[..., None] * np.array([1.0, 0.50, 0.26], np.float32) * 0.5
    rim += right[..., None] * np.array([0.22, 0.62, 0.95], np.float32) * 0.55
    wrap = np.clip((1 - cv2.GaussianBlur(alpha, (0, 0), 2 * scale)) * 1.2, 0, 1)[..., None]
    lit = lit * (1 - 0.25 * wrap) + wrap * np.array([0.045, 0.04, 0.07], np.float32)
    return lit + rim * (1 - np.clip(lit, 0, 1))
