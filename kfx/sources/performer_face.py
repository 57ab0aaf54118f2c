"""The performer's expression: lids, gaze, brows, smile and speech drawn into the portrait."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kfx.sources.performer_motion import Moment
from kfx.sources.performer_portrait import MARGIN, anatomy, picture
from kfx.sources.performer_resample import Lattice

# All positions are portrait pixels; `+ MARGIN` makes them canvas pixels.
PATCH = (165, 122, 365, 408)  # x0, y0, x1, y1 of what an expression may change
MOUTH_X, MOUTH_HALF = 266.3, 34.5
JAW_DROP, LIP_RAISE = 21.0, 4.5
UPPER_INNER = [191, 80, 81, 82, 13, 312, 311, 310, 415]
LOWER_INNER = [95, 88, 178, 87, 14, 317, 402, 318, 324]
UPPER_RING = [183, 42, 41, 38, 12, 268, 271, 272, 407]
CORNERS = [78, 308]
GAZE_REACH = np.array([2.3, 1.2])
IRIS_FOLLOWS = 0.9  # the landmarks' share of the shift at the pupil
TONGUE = np.array([112, 46, 44], np.float32)
CREASE = np.array([118, 62, 48], np.float32)
LASHES = np.array([46, 24, 20], np.float32)

_FRAME_TOP = (
    [165, 180, 200, 220, 247, 265, 283, 300, 320, 345, 365],
    [177, 176, 175, 174, 181, 184, 181, 171, 168, 170, 172],
)


@dataclass(frozen=True)
class EyeShape:
    """Lid edges as seen in the portrait, (x, y) columns, and the landmarks that follow them."""

    upper: np.ndarray
    lower: np.ndarray
    upper_marks: list[int]
    lower_marks: list[int]
    iris: list[int]
    is_left: bool


_EYES = [
    EyeShape(
        upper=np.array([
            (203, 192), (208, 189.5), (213.3, 186), (217, 183), (221.7, 181.8), (227, 182.6),
            (231, 185.5), (235, 189.5), (242, 193),
        ]),
        lower=np.array([
            (203, 193), (208, 195), (214, 196.3), (219, 197.3), (224, 197.2), (229, 195.6),
            (235, 193.4), (242, 193),
        ]),
        upper_marks=[246, 161, 160, 159, 158, 157, 173],
        lower_marks=[7, 163, 144, 145, 153, 154, 155],
        iris=[468, 469, 470, 471, 472],
        is_left=False,
    ),
    EyeShape(
        upper=np.array([
            (288, 192), (294, 188.5), (298, 183.5), (302, 180.4), (306, 179), (310, 180),
            (314, 182.5), (318, 186.5), (324, 189.5),
        ]),
        lower=np.array([
            (288, 192.5), (294, 192.6), (299, 193.8), (304, 194.8), (308, 194.6), (313, 193.2),
            (318, 191), (324, 190),
        ]),
        upper_marks=[466, 388, 387, 386, 385, 384, 398],
        lower_marks=[249, 390, 373, 374, 380, 381, 382],
        iris=[473, 474, 475, 476, 477],
        is_left=True,
    ),
]  # fmt: skip


def _bump(x: np.ndarray) -> np.ndarray:
    return np.exp(-x * x)


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


class Seam:
    """The closed mouth's line: y over x, portrait pixels, a parabola that runs out flat."""

    def __init__(self, landmarks: np.ndarray) -> None:
        inner = landmarks[UPPER_INNER + LOWER_INNER + CORNERS, :2] - MARGIN[:2]
        self.fit = np.polyfit(inner[:, 0] - MOUTH_X, inner[:, 1], 2)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        u = np.clip(x - np.float32(MOUTH_X), -MOUTH_HALF, MOUTH_HALF)
        a, b, c = (np.float32(v) for v in self.fit)
        return (a * u + b) * u + c


def coefficients(now: Moment) -> np.ndarray:
    """How much of each field of `fields` a moment asks for: (8,)."""
    open_ = now.jaw * (1 - 0.25 * max(0.0, -now.wide))
    return np.array([
        open_, now.upper * min(1.0, open_ * 1.6), max(0.0, now.wide), max(0.0, -now.wide),
        now.press, now.smile_right, now.smile_left, now.brow_right, now.brow_left,
    ])  # fmt: skip


def fields(x: np.ndarray, y: np.ndarray, s: np.ndarray, below: bool) -> np.ndarray:
    """Shift (9, …, 2) in pixels that each coefficient of 1 causes at portrait x, y.

    `s` is the distance under the seam. The mouth is a cut: `below` picks its lower bank, and
    beyond the corners both banks agree.
    """
    dx = x - MOUTH_X
    s = np.maximum(s, 0) if below else np.minimum(s, 0)
    span = np.clip(1 - (dx / MOUTH_HALF) ** 2, 0, 1) ** 0.75
    past = np.clip(np.abs(dx) - MOUTH_HALF, 0, None)
    out = np.zeros((9, *x.shape, 2))
    if below:
        jaw = 1 - 0.55 * (1 - span) * np.exp(-s / (15 * (1 + past / 14)))
    else:
        jaw = 0.45 * (1 - span) * np.exp(s / (15 * (1 + past / 14)))
    jaw = (
        jaw
        * np.exp(-((dx / 86) ** 4))
        * _step((98 - np.abs(dx)) / 26)
        * (1 - _step((y - 338) / 62))
    )
    out[0, ..., 1] = JAW_DROP * jaw
    out[0, ..., 0] = -1.6 * np.sign(dx) * _bump((np.abs(dx) - MOUTH_HALF) / 16) * _bump(s / 22)
    if not below:
        out[1, ..., 1] = -LIP_RAISE * span * np.exp(s / 13)
    else:
        out[1, ..., 1] = 0.35 * LIP_RAISE * span * np.exp(-s / 16)
    pull = np.sign(dx) * _step(np.abs(dx) / MOUTH_HALF) * _bump(past / 22) * _bump(s / 24)
    out[2, ..., 0] = 4.5 * pull
    out[3, ..., 0] = -7.5 * pull
    out[3, ..., 1] = 0.22 * s * _bump(s / 16) * span
    out[4, ..., 1] = -0.42 * s * _bump(s / 10) * span**0.5
    skin = _off_glasses(x, y)
    for k, sign in ((5, -1), (6, 1)):
        corner = _bump((dx - sign * MOUTH_HALF) / 25) * _bump(s / 25)
        cheek = _bump((dx - sign * 60) / 26) * _bump((y - 246) / 20)
        out[k, ..., 0] = sign * (5.2 * corner + 1.6 * cheek) * skin
        out[k, ..., 1] = (-5.6 * corner - 3.4 * cheek) * skin
    top = np.interp(x, *_FRAME_TOP)
    lift = _step((top - 1 - y) / 13) * _step((y - 131) / 18)
    for k, centre in ((7, 221), (8, 307)):
        out[k, ..., 1] = -4.2 * lift * _bump((x - centre) / 30)
    return out


def _off_glasses(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """0 on lenses, frame and nose bridge, 1 on free skin."""
    near = np.zeros_like(x)
    for cx in (218.0, 309.0):
        far = np.sqrt(((x - cx) / 36) ** 2 + ((y - 198) / 31) ** 2)
        near = np.maximum(near, 1 - _step((far - 1.0) / 0.55))
    return 1 - near


class Eye:
    """One eye, drawn over the still portrait: the iris wanders, the lid comes down."""

    def __init__(self, shape: EyeShape, base: np.ndarray, scale: float, origin: tuple[int, int]):
        self.shape, self.scale = shape, scale
        (ux, uy), (lx, ly) = shape.upper.T, shape.lower.T
        x0, y0 = self._array(ux[0] - 5, min(uy) - 6, origin)
        x1, y1 = self._array(ux[-1] + 5, max(ly) + 7, origin)
        self.rows, self.cols = slice(max(0, y0), y1), slice(max(0, x0), x1)
        self.open = base[self.rows, self.cols].copy()
        h, w = self.open.shape[:2]
        x = (np.arange(w) + self.cols.start + origin[0] + 0.5) / scale - MARGIN[0]
        y = (np.arange(h) + self.rows.start + origin[1] + 0.5) / scale - MARGIN[1]
        self.y = y[:, None].astype(np.float32)
        self.upper = np.interp(x, ux, uy).astype(np.float32)[None]
        lower = np.interp(x, lx, ly).astype(np.float32)[None]
        self.meet = lower - 0.12 * (lower - self.upper) - 0.6  # a little above the lower lid
        self.ends = (_step((x - ux[0]) / 5) * _step((ux[-1] - x) / 5)).astype(np.float32)[None]
        region = np.clip((self.y - self.upper + 2.2) / 1.6, 0, 1) * self.ends
        self.region = region * np.clip((lower + 2.2 - self.y) / 1.4, 0, 1)
        self.skin = self._skin(lower)
        iris_x, iris_y = ux[3:6].mean(), (min(uy) + max(ly)) / 2
        bump = _bump((x[None] - iris_x) / 7.5) * _bump((self.y - iris_y) / 6.5)
        self.bump = (bump * scale).astype(np.float32)
        self.here = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        self._travel()

    def _array(self, x: float, y: float, origin: tuple[int, int]) -> tuple[int, int]:
        """Portrait pixels → patch array indices."""
        return (
            round((x + MARGIN[0]) * self.scale) - origin[0],
            round((y + MARGIN[1]) * self.scale) - origin[1],
        )

    def _travel(self) -> None:
        """How far the lids' landmarks go when the eye shuts: (7,) pixels each."""
        landmarks = anatomy().landmarks[:, :2] - MARGIN[:2]
        upper, lower = landmarks[self.shape.upper_marks], landmarks[self.shape.lower_marks]
        upper_line, lower_line = upper[upper[:, 0].argsort()].T, lower[lower[:, 0].argsort()].T
        self.upper_travel = 0.86 * (np.interp(upper[:, 0], *lower_line) - upper[:, 1])
        self.lower_travel = -0.12 * (lower[:, 1] - np.interp(lower[:, 0], *upper_line))

    def _skin(self, lower: np.ndarray) -> np.ndarray:
        """The closed lid: skin grown in from around the eye, rounded by shade."""
        hole = (self.y > self.upper - 1.5) & (self.y < lower + 2.0) & (self.ends > 0.05)
        grown = cv2.inpaint(
            self.open[..., :3], hole.astype(np.uint8), 5 * self.scale, cv2.INPAINT_TELEA
        )
        grown = cv2.GaussianBlur(grown, (0, 0), 1.1 * self.scale).astype(np.float32)
        depth = np.clip((self.y - self.upper) / np.maximum(lower - self.upper, 2), -0.5, 1.5)
        under = (self.y > lower + 4) & (self.y < lower + 7) & (self.ends > 0.5)
        bare = self.open[..., :3][under].mean(axis=0) if under.any() else grown.mean(axis=(0, 1))
        grown += 0.72 * self.ends[..., None] * (bare.astype(np.float32) - grown)
        shade = 0.90 + 0.26 * _bump((depth - 0.42) / 0.45) - 0.06 * _step((depth - 0.7) / 0.4)
        rng = np.random.default_rng(3)
        grain = cv2.GaussianBlur(rng.standard_normal(shade.shape), (0, 0), 0.7 * self.scale)
        shade = shade * (1 + 0.06 * self.scale * grain)
        return (grown * shade[..., None]).astype(np.float32)

    def draw(self, into: np.ndarray, closed: float, gaze_x: float, gaze_y: float) -> None:
        """Draw the eye into the patch (h, w, 4)."""
        gx, gy = self.here
        shift_x, shift_y = gaze_x * GAZE_REACH[0], gaze_y * GAZE_REACH[1]
        if shift_x or shift_y:
            eye = cv2.remap(
                self.open, gx - shift_x * self.bump, gy - shift_y * self.bump,
                cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
        else:
            eye = self.open
        # a lid follows the look up and down a little
        droop = max(closed, 0.10 * max(0.0, gaze_y))
        if droop > 0.004:
            edge = self.upper + droop * (self.meet - self.upper)
            cover = np.clip((edge - self.y) * self.scale * 0.7 + 0.5, 0, 1) * self.region
            lash = _bump((self.y - edge) / 0.85) * self.ends * min(1.0, droop * 3) * 0.62
            crease = _bump((self.y - self.upper + 0.4) / 0.9) * self.ends * droop * 0.30
            rgb = eye[..., :3] + cover[..., None] * (self.skin - eye[..., :3])
            rgb = rgb + crease[..., None] * (CREASE - rgb)
            rgb = rgb + lash[..., None] * (LASHES - rgb)
            into[self.rows, self.cols, :3] = np.clip(rgb + 0.5, 0, 255)
            into[self.rows, self.cols, 3] = eye[..., 3]
        else:
            into[self.rows, self.cols] = eye

    def move(self, points: np.ndarray, closed: float, gaze_x: float, gaze_y: float) -> None:
        """Move this eye's landmarks (478, 2) in place."""
        droop = max(closed, 0.10 * max(0.0, gaze_y))
        points[self.shape.upper_marks, 1] += droop * self.upper_travel
        points[self.shape.lower_marks, 1] += closed * self.lower_travel
        points[self.shape.iris] += np.array([gaze_x, gaze_y]) * GAZE_REACH * IRIS_FOLLOWS


class Expression:
    """Draws a moment's expression into the portrait at one texture scale."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        still = picture(scale)
        self.texture = still.copy()
        seam = self.seam = Seam(anatomy().landmarks)
        x0, y0 = (int((PATCH[k] + MARGIN[k]) * scale) for k in (0, 1))
        self.lattice = Lattice(
            (PATCH[2] - PATCH[0]) * scale,
            (PATCH[3] - PATCH[1]) * scale,
            cell=max(2, round(4 * scale)),
        )
        self.origin = x0, y0
        w, h = self.lattice.size
        self.patch_slice = slice(y0, y0 + h), slice(x0, x0 + w)
        self.base = still[self.patch_slice].copy()
        self.scratch = self.base.copy()
        self.eyes = [Eye(e, self.base, scale, self.origin) for e in _EYES]
        x, y = self._portrait(*self.lattice.nodes())
        s = y - seam(x)
        self.above = fields(x, y, s, below=False).astype(np.float32) * scale
        self.below = fields(x, y, s, below=True).astype(np.float32) * scale
        self._mouth_setup()
        points = self.points = anatomy().landmarks[:, :2] - MARGIN[:2]
        s = points[:, 1] - seam(points[:, 0])
        is_low = s > 0
        is_low[LOWER_INNER], is_low[UPPER_INNER], is_low[UPPER_RING] = True, False, False
        up = fields(points[:, 0], points[:, 1], np.where(is_low, 0, s), below=False)
        low = fields(points[:, 0], points[:, 1], np.where(is_low, s, 0), below=True)
        self.point_fields = np.where(is_low[:, None], low, up)
        self.point_fields[:, 468:] = 0

    def _portrait(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Patch array coordinates → portrait pixels."""
        per = np.float32(1 / self.scale)
        return (
            (x + np.float32(self.origin[0] + 0.5)) * per - np.float32(MARGIN[0]),
            (y + np.float32(self.origin[1] + 0.5)) * per - np.float32(MARGIN[1]),
        )

    def _mouth_setup(self) -> None:
        """What lies behind the lips: teeth that stay with the skull, a tongue with the jaw."""
        s, (w, h) = self.scale, self.lattice.size
        rows = [int((v + MARGIN[1]) * s) - self.origin[1] for v in (262, 322)]
        cols = [int((v + MARGIN[0]) * s) - self.origin[0] for v in (224, 310)]
        self.mouth = (
            slice(max(0, rows[0]), min(h, rows[1])),
            slice(max(0, cols[0]), min(w, cols[1])),
        )
        gy, gx = np.mgrid[self.mouth].astype(np.float64)
        x, y = self._portrait(gx, gy)
        u, v = (x - MOUTH_X) / MOUTH_HALF, y - self.seam(x)
        reach = 7.5 - 4.0 * u * u
        teeth = (
            _step((v + 4) / 3) * (1 - _step((v - reach + 1.5) / 2.5)) * np.exp(-((u / 0.72) ** 4))
        )
        gaps = 1 - 0.16 * _bump(
            np.abs((x - MOUTH_X + 0.4) / 7.2 - np.round((x - MOUTH_X + 0.4) / 7.2)) / 0.10
        )
        tooth = np.array([166, 146, 124]) * (gaps * (1 - 0.35 * np.abs(u)))[..., None]
        cave = np.array([34, 11, 12]) * (1 - 0.45 * _step(v / 22))[..., None]
        self.cave = (cave + (tooth - cave) * 0.86 * teeth[..., None]).astype(np.float32)
        tongue = _step((v + 13) / 9) * np.exp(-((u / 0.74) ** 4)) * (0.75 + 0.25 * _bump(u / 0.5))
        self.tongue = tongue.astype(np.float32)
        self.down = v.astype(np.float32)

    def draw(self, now: Moment) -> np.ndarray:
        """The whole premultiplied portrait with this expression; valid until the next call."""
        scratch = self.scratch
        for eye in self.eyes:
            eye.draw(scratch, self._closed(eye, now), now.gaze_x, now.gaze_y)
        amount = coefficients(now).astype(np.float32)
        shift_above = np.tensordot(amount, self.above, 1)
        shift_below = np.tensordot(amount, self.below, 1)
        nodes_above = self.lattice.inverse(shift_above)
        nodes_below = self.lattice.inverse(shift_below)
        out = self.texture[self.patch_slice]
        top, bottom = self.mouth[0].start, self.mouth[0].stop
        h = out.shape[0]
        upper_map = self.lattice.enlarge(nodes_above, 0, bottom)
        lower_map = self.lattice.enlarge(nodes_below, top, h)
        flags = dict(interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        upper = cv2.remap(scratch, upper_map, None, **flags)
        lower = cv2.remap(scratch, lower_map, None, **flags)
        out[:top] = upper[:top]
        out[bottom:] = lower[bottom - top :]
        self._join(out, upper, lower, upper_map, lower_map, float(amount[0]))
        return self.texture

    def _join(self, out, upper, lower, upper_map, lower_map, jaw) -> None:
        """Between the banks of the mouth: upper lip, what is behind, lower lip."""
        rows, cols = self.mouth
        top, bottom = rows.start, rows.stop
        xu, yu = self._portrait(upper_map[top:bottom, :, 0], upper_map[top:bottom, :, 1])
        xl, yl = self._portrait(lower_map[: bottom - top, :, 0], lower_map[: bottom - top, :, 1])
        under_upper = yu - self.seam(xu)  # > 0: below the upper lip's edge
        under_lower = yl - self.seam(xl)  # > 0: on the lower lip
        middle = under_upper + under_lower
        a, b = upper[top:bottom], lower[: bottom - top]
        out[rows] = a
        cv2.copyTo(b, (middle > 0).view(np.uint8), out[rows])
        scale = np.float32(self.scale)
        pick = np.clip(middle[:, cols] * (0.6 * scale) + 0.5, 0, 1)[..., None]
        a, b = a[:, cols].astype(np.float32), b[:, cols]
        mixed = a + (b - a) * pick
        if jaw > 0.01:
            down, up = under_upper[:, cols], -under_lower[:, cols]
            hole = _step((np.minimum(down, up) - 0.25) * (0.6 * scale))
            move = np.array([[1, 0, 0], [0, 1, JAW_DROP * jaw * self.scale]])
            tongue = cv2.warpAffine(self.tongue, move, self.tongue.shape[::-1])
            inside = self.cave + tongue[..., None] * (TONGUE - self.cave)
            shade = (0.35 + 0.65 * _step(down / 7)) * (0.6 + 0.4 * _step(up / 4))
            mixed[..., :3] += hole[..., None] * (inside * shade[..., None] - mixed[..., :3])
        out[rows, cols] = np.clip(mixed + 0.5, 0, 255)

    @staticmethod
    def _closed(eye: Eye, now: Moment) -> float:
        return now.blink_left if eye.shape.is_left else now.blink_right

    def landmarks(self, now: Moment) -> np.ndarray:
        """(478, 2) canvas pixels: where `draw` puts the landmarks."""
        points = self.points.copy()
        for eye in self.eyes:
            eye.move(points, self._closed(eye, now), now.gaze_x, now.gaze_y)
        points += np.tensordot(coefficients(now), self.point_fields, 1)
        return points + MARGIN[:2]
