"""What a face is made of, drawn offline from tracked footage: the teacher of skin_nets.py.

Of every picture: the normal, smooth from the mesh and refined by shape from shading; where the
material may lie (not on eyes, teeth, hair); the lips. The mesh gives what light can't (the large
shape), the photograph what the mesh can't (folds, nostrils, stubble).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx import sources
from kfx.neural import aligned
from kfx.render.gbuffer import GBuffer
from kfx.render.gpu import Gpu
from kfx.tracking.tracker import Tracker
from kfx.types import Face, Frame

SIDE, MARGIN = 320, 0.3  # a picture holds more than the net sees: room to turn and shift it
FOLD_PX = (0.8, 9.0)  # what is smaller is noise, what is larger is the mesh's
DEEP, SLANT, MOST = 0.55, 0.5, 0.5  # dark is deep; light from one side; the steepest fold
DARK = (0.20, 0.42)  # of the face's own light: hair, where skin meets it

STOP_S = Fraction(8)

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """uint8 pictures (SIDE, SIDE, 3): RGB; normal x, y (0..255 for -1..1) and 255 where they
    count; material, lips and where those count."""

    picture: npt.NDArray[np.uint8]
    normal: npt.NDArray[np.uint8]
    parts: npt.NDArray[np.uint8]


class Teacher:
    """Draws samples with kfx's own G-buffer."""

    def __init__(self) -> None:
        self._gpu = Gpu()
        self._buffer = GBuffer(self._gpu, (SIDE, SIDE), ("faceUV", "faceNormal", "faceParts"))

    def close(self) -> None:
        """Give the context back."""
        self._buffer.release()
        self._gpu.close()

    def sample(self, pixels: npt.NDArray[np.uint8], face: Face) -> Sample:
        """The sample of one face in a frame (h, w, 4)."""
        to_crop = aligned.crop(face, "face", (SIDE, SIDE), MARGIN)
        scale = np.linalg.norm(to_crop[0, :2])
        small = pixels[..., :3]
        if scale < 0.5:  # warpAffine has no way to take means
            factor = 2 * scale
            small = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            to_small = to_crop @ np.diag([1 / factor, 1 / factor, 1.0])
        else:
            to_small = to_crop
        way = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.warpAffine(
            small, to_small, (SIDE, SIDE), flags=way, borderMode=cv2.BORDER_REPLICATE
        )
        images = self._buffer.draw([_moved(face, to_crop)], (0, 0, SIDE, SIDE), cut=True)
        uv, normal, parts = (_read(images[n]) for n in ("faceUV", "faceNormal", "faceParts"))
        cover = uv[..., 3]
        linear = (picture.astype(np.float32) / 255) ** 2.0
        luma = linear @ np.float32([0.2126, 0.7152, 0.0722])
        normal = refined(luma, normal[..., :3], cover, parts, uv[..., :2], scale * face.iod)
        key = float(np.median(luma[cover > 0.9])) if (cover > 0.9).any() else 0.2
        near = cv2.GaussianBlur(luma, (0, 0), 1.5) / max(key, 1e-3)
        hair = 1 - _smooth(near, *DARK)
        side = abs(uv[..., 0] - 0.5)
        outer = np.maximum(_smooth(uv[..., 1], 0.74, 0.84), _smooth(side, 0.34, 0.44))
        material = (1 - parts[..., 2]) * (1 - parts[..., 3]) * (1 - hair * outer)
        counts = (cover > 0.02).astype(np.float32)
        return Sample(
            picture,
            _bytes(normal[..., 0] / 2 + 0.5, normal[..., 1] / 2 + 0.5, counts),
            _bytes(material, parts[..., 1], counts),
        )


def refined(
    luma: Array, normal: Array, cover: Array, parts: Array, uv: Array, iod_px: float
) -> Array:
    """Normals (h, w, 3) with the photograph's folds.

    Linear shape from shading (Pentland 1990), solved in frequency with a Wiener floor, for the
    light that the mesh's normals explain best; beside it dark is deep, as under a wide sky.
    """
    skin = cover * (1 - parts[..., 2]) * (1 - parts[..., 3])
    inside = skin > 0.5
    if inside.sum() < 500:
        return normal
    design = np.concatenate([np.ones((*luma.shape, 1), np.float32), normal], axis=2)
    light, *_ = np.linalg.lstsq(design[inside], luma[inside], rcond=None)
    key = max(float(luma[inside].mean()), 1e-3)
    fine, wide = FOLD_PX[0] * iod_px / 80, FOLD_PX[1] * iod_px / 80
    # outside the skin the fold's reference is the skin's own mean, or eyes would dent the lids
    level = _masked_blur(np.log(luma + 0.06 * key), skin, wide)
    folds = (_masked_blur(np.log(luma + 0.06 * key), skin, fine) - level) * skin
    folds = np.tanh(folds * 1.6) / 1.6
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    side = light[1:3] / max(abs(float(light[0])), 0.3 * key)
    side = side / max(1.0, float(np.linalg.norm(side)))
    # δn = (-∂h/∂x, +∂h/∂y): picture rows go down, normals' y goes up
    slope = 2j * np.pi * (-x * side[0] + y * side[1])
    spectrum = np.fft.fft2(folds)
    height = np.fft.ifft2(spectrum * np.conj(slope) / (np.abs(slope) ** 2 + 0.02)).real
    height = SLANT * height + DEEP * wide * 0.55 * folds
    weight = skin * (1 - 0.5 * _brows(uv))
    dx = -cv2.Sobel(height, cv2.CV_64F, 1, 0, ksize=3, scale=1 / 8) * weight
    dy = cv2.Sobel(height, cv2.CV_64F, 0, 1, ksize=3, scale=1 / 8) * weight
    steep = np.hypot(dx, dy)
    calm = 1 / (1 + steep / MOST)
    out = normal + np.stack([dx * calm, dy * calm, np.zeros_like(dx)], axis=2)
    length = np.linalg.norm(out, axis=2, keepdims=True)
    return np.asarray(out / np.maximum(length, 1e-6), np.float32)


def samples(path: Path, teacher: Teacher, most: int) -> Iterator[Sample]:
    """Up to `most` samples of a clip, far apart, or of all the faces of a still."""
    if path.suffix in (".jpg", ".png"):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGBA)
        with Tracker() as tracker:
            for index in range(3):
                faces = tracker.track(Frame(np.ascontiguousarray(picture), index, index / 30, 0.0))
        for face in faces:
            if face.found and face.iod > 28:
                yield teacher.sample(picture, face)
        return
    stop = STOP_S if path.name.startswith("performer") else None  # who never ends
    with sources.open(str(path), stop_s=stop) as source, Tracker() as tracker:
        step = 1
        kept: list[tuple[npt.NDArray[np.uint8], Face]] = []
        for frame in source.frames():
            faces = tracker.track(frame)
            if frame.index % step == 0:
                sure = [f for f in faces if f.found and f.presence > 0.9 and f.iod > 28]
                kept += [(frame.pixels.copy(), face) for face in sure]
                if len(kept) > 2 * most:
                    kept, step = kept[::2], step * 2
    for pixels, face in kept[:: max(1, len(kept) // most)]:
        yield teacher.sample(pixels, face)


def _moved(face: Face, to_crop: aligned.Affine) -> Face:
    scale = float(np.linalg.norm(to_crop[0, :2]))
    points = face.landmarks.copy()
    points[:, :2] = aligned.apply(to_crop, face.landmarks)
    points[:, 2] *= scale
    whole = np.eye(4)
    whole[:2, :2], whole[:2, 3], whole[2, 2] = to_crop[:, :2], to_crop[:, 2], scale
    pose = np.asarray(whole @ face.pose, np.float32)
    return replace(face, slot=0, landmarks=points, pose=pose, iod=face.iod * scale, presence=1.0)


def _brows(uv: Array) -> Array:
    """0..1 by canonical UV: hair lies there, not a fold."""
    points = c.canonical().uv[list(c.BROWS)]
    out = np.zeros(uv.shape[:2], np.float32)
    for point in points:
        out = np.maximum(out, np.exp(-((np.linalg.norm(uv - point, axis=2) / 0.03) ** 2)))
    return out


def _masked_blur(image: Array, mask: Array, sigma: float) -> Array:
    total = cv2.GaussianBlur(mask, (0, 0), sigma) + 1e-3
    mean = float((image * mask).sum() / max(float(mask.sum()), 1.0))
    blurred = cv2.GaussianBlur(image * mask, (0, 0), sigma) + 1e-3 * mean
    return np.asarray(blurred / total, np.float32)


def _read(texture: object) -> Array:
    kind = np.float32 if texture.dtype == "f4" else np.uint8  # type: ignore[attr-defined]
    raw = np.frombuffer(texture.read(), kind).reshape(SIDE, SIDE, 4)[::-1]  # type: ignore[attr-defined]
    return np.asarray(raw, np.float32) / (1.0 if kind is np.float32 else 255.0)


def _smooth(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _bytes(*layers: Array) -> npt.NDArray[np.uint8]:
    return (np.clip(np.stack(layers, axis=2), 0, 1) * 255).round().astype(np.uint8)
