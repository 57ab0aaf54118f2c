"""The nearest to the preset `supernova` that FaceMesh, NumPy and OpenCV do by hand, kept quick.

python examples/peer_opencv.py performer out.mp4

Everything that can be made beforehand is: grain, vignette, iris and tone curve are tables. Faces
are warped in their own box by a coarse displacement grid and one remap; halation is blurred at an
eighth of the size. `kfx bench live` runs this loop beside kfx and publishes both rates.
"""

import sys

import cv2
import mediapipe
import numpy as np

LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 13, 14, 78, 308)
BROWS = (70, 105, 107, 300, 334, 336)
JAW = (172, 150, 152, 379, 397)
STILL = (10, 54, 284, 127, 356, 93, 323, 6, 195, 4, 98, 327, 33, 133, 263, 362, 168)
MOVED = (*LIPS, *BROWS, *JAW)
POINTS = np.array((*MOVED, *STILL))
RIGID = np.array((33, 133, 362, 263, 168, 6, 195, 4, 98, 327, 234, 454))
EYES = ((468, (33, 160, 158, 133, 153, 144)), (473, (362, 385, 387, 263, 373, 380)))
GRID = 24  # cells of the displacement grid along each side of the face's box


class Peer:
    """``picture = Peer((1280, 720))(rgb, time)``: RGB in, RGB out, one face."""

    def __init__(self, size, *, hz=12.0, gain=1.5):
        width, height = self.size = size
        self.hz, self.gain = hz, gain
        self.mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
        self.rest = self.held = self.weight = None
        self.step = -1
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        fall = 1.0 - 0.3 * np.clip((x * x + y * y) * 0.5, 0, 1)
        self.vignette = cv2.cvtColor((255 * fall).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        curve = np.linspace(14, 245, 256)
        self.curve = curve.astype(np.uint8)
        self.hot = (np.clip((np.arange(256) / 255 - 0.57) / 0.43, 0, 1) ** 2 * 255).astype(np.uint8)
        noise = np.random.default_rng(1).normal(0, 9, (height + 128, width + 128, 3))
        self.lighter = np.clip(noise, 0, 255).astype(np.uint8)
        self.darker = np.clip(-noise, 0, 255).astype(np.uint8)
        self.iris = galaxy(128)

    def close(self):
        self.mesh.close()

    def landmarks(self, rgb):
        """(478, 2) float32 in pixels, or None."""
        found = self.mesh.process(rgb).multi_face_landmarks
        if not found:
            return None
        points = np.array([(p.x, p.y) for p in found[0].landmark], np.float32)
        return points * np.float32(self.size)

    def __call__(self, rgb, time):
        points = self.landmarks(rgb)
        if points is None:
            return self.film(rgb.copy(), int(time * 60))
        picture = rgb.copy()
        iod = float(np.linalg.norm(points[33] - points[263])) * 0.7
        driven = self.drive(points, time)
        self.warp(picture, points, driven, iod)
        for centre, lids in EYES:
            self.draw_iris(picture, driven, centre, lids, time)
        return self.film(picture, int(time * 60))

    def drive(self, points, time):
        """Expression held on twos and amplified, in a space without roll, size and place."""
        frame = similarity(points[RIGID])
        shape = (points - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T
        if self.rest is None:
            self.rest, self.held, self.weight = shape.copy(), shape, 1.0
        self.weight = min(self.weight + 1.0, 300.0)
        self.rest += (shape - self.rest) / self.weight
        if int(time * self.hz) != self.step:
            self.step, self.held = int(time * self.hz), shape
        shown = shape.copy()
        moved = np.array(MOVED)
        shown[moved] = self.rest[moved] + self.gain * (self.held[moved] - self.rest[moved])
        return (shown @ frame[:, :2].T + frame[:, 2]).astype(np.float32)

    def warp(self, picture, points, driven, iod):
        """Move the face's box by a smooth grid of displacements, one remap."""
        low = np.maximum(points.min(axis=0) - 0.3 * iod, 0).astype(int)
        high = np.minimum(points.max(axis=0) + 0.3 * iod, self.size).astype(int)
        width, height = high - low
        if width < 8 or height < 8:
            return
        nodes = np.mgrid[0 : 1 : (GRID + 1) * 1j, 0 : 1 : (GRID + 1) * 1j][::-1].reshape(2, -1).T
        nodes = (nodes * (width, height) + low).astype(np.float32)
        to, back = driven[POINTS], points[POINTS] - driven[POINTS]
        distance = ((nodes[:, None] - to[None]) ** 2).sum(axis=2)
        weight = np.exp(-distance / (2 * (0.16 * iod) ** 2))
        shift = (weight @ back) / (weight.sum(axis=1, keepdims=True) + 0.05)
        grid = shift.reshape(GRID + 1, GRID + 1, 2)
        grid[[0, -1]] = grid[:, [0, -1]] = 0
        field = cv2.resize(grid, (int(width), int(height)), interpolation=cv2.INTER_LINEAR)
        field[..., 0] += np.arange(width, dtype=np.float32)
        field[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        box = picture[low[1] : high[1], low[0] : high[0]]
        box[:] = cv2.remap(box, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def draw_iris(self, picture, points, centre, lids, time):
        """A turning galaxy over the iris, cut by the lids."""
        ring = points[centre + 1 : centre + 5]
        radius = float(np.linalg.norm(ring - points[centre], axis=1).mean())
        x, y = points[centre]
        side = int(2 * radius) + 3
        left, top = int(x - side / 2), int(y - side / 2)
        if radius < 2 or left < 0 or top < 0 or left + side > self.size[0]:
            return
        if top + side > self.size[1]:
            return
        turn = cv2.getRotationMatrix2D((64, 64), 18.0 * time, 128 / (2 * radius))
        turn[:, 2] = np.float64([64, 64]) - turn[:, :2] @ np.float64([x - left, y - top])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpAffine(self.iris, turn, (side, side), flags=flags)
        mask = np.zeros((side, side), np.uint8)
        lid = ((points[list(lids)] - (left, top)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [lid], 255, cv2.LINE_AA, 4)
        box = picture[top : top + side, left : left + side]
        share = drawn[..., 3:] * (mask[..., None] / np.float32(255 * 255))
        box[:] = (box + share * (drawn[..., :3] - box.astype(np.float32))).astype(np.uint8)

    def film(self, picture, index):
        """Halation, vignette, lifted blacks and grain."""
        width, height = self.size
        small = cv2.resize(picture, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        glow = cv2.GaussianBlur(cv2.LUT(small, self.hot), (0, 0), 2.1)
        glow = cv2.multiply(glow, (0.4, 0.13, 0.06, 0))
        glow = cv2.resize(glow, self.size, interpolation=cv2.INTER_LINEAR)
        cv2.add(picture, glow, dst=picture)
        cv2.multiply(picture, self.vignette, dst=picture, scale=1 / 255)
        cv2.LUT(picture, self.curve, dst=picture)
        x, y = (index * 37) % 128, (index * 71) % 128
        cv2.add(picture, self.lighter[y : y + height, x : x + width], dst=picture)
        return cv2.subtract(picture, self.darker[y : y + height, x : x + width], dst=picture)


def similarity(points):
    """2×3: scale, roll and place of points; x runs from the first to the fourth of them."""
    along = points[3] - points[0]
    return np.array(
        [(along[0], -along[1], points[:, 0].mean()), (along[1], along[0], points[:, 1].mean())]
    )


def galaxy(side):
    """A spiral in RGBA, straight alpha."""
    y, x = (np.mgrid[0:side, 0:side] - (side - 1) / 2) / (side / 2)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    arm = 0.5 + 0.5 * np.cos(2 * angle - 9 * radius)
    core = np.exp(-((radius - 0.3) ** 2) * 12)
    colour = np.stack([0.3 + 0.7 * core, 0.25 + 0.5 * arm * core, 0.6 + 0.4 * arm], axis=2)
    alpha = np.clip((1 - radius) * 8, 0, 1) * (0.6 + 0.4 * arm) * (radius > 0.28)
    return (
        (255 * np.dstack([colour * (0.3 + 0.7 * arm[..., None]), alpha]))
        .clip(0, 255)
        .astype(np.uint8)
    )


def main(spec, out):
    """Two seconds of a source through the peer."""
    with sources.open(spec, stop_s=Fraction(2)) as source:
        info, peer, count = source.info, Peer(source.info.size), 0
        with sinks.open(out, StreamInfo(info.size, info.rate, overwrite=True)) as sink:
            for frame in source.frames():
                rgb = cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB)
                picture = cv2.cvtColor(peer(rgb, float(frame.time)), cv2.COLOR_RGB2RGBA)
                sink.write(Shot(picture, Tick(frame.index, float(frame.time), 0.0, frame)))
                count += 1
        peer.close()
    print(f"{out}: {count} frames")


if __name__ == "__main__":
    from fractions import Fraction

    from kfx import sinks, sources
    from kfx.types import Shot, StreamInfo, Tick

    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
