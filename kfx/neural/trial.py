"""Runs a net once on a picture, or on the faces in it: before and after, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.neural import aligned, answer, portrait
from kfx.neural.aligned import Affine
from kfx.neural.card import Card, knob_name
from kfx.neural.providers import short
from kfx.neural.session import Given, Net
from kfx.types import Face

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# As the host draws, see `kfx.render.crop` and `kfx.render.reproject`
MOST_TAPS = 5
HEAD_RINGS = ((0.15, 1.0), (0.4, 1.0), (0.7, 0.7), (1.0, 0.0))  # iod from the oval, coverage
SKIN_RINGS = ((0.1, 1.0), (0.25, 1.0), (0.42, 1.0), (0.62, 0.0))
SKIN_CHROMA, SKIN_LUMA, CROP_EDGE = (0.022, 0.055), (0.11, 0.26), 0.07
SKIN_AT, REDDER, STRAYS = (9, 205, 425, 50, 280, 195), 0.3, (0.6, 0.04)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """`picture` (h, 2 w, 4) is before and after; `size` is what the net was given."""

    picture: Pixels
    size: tuple[int, int]
    provider: str
    ms: float


def run(card: Card, picture: Pixels, knobs: Mapping[str, Any], faces: Sequence[Face] = ()) -> Trial:
    """What a net makes of a picture (h, w, 4).

    A net for faces or heads is given the crop of each of `faces`, and drawn onto them; without
    any, the whole of the picture as one for frames. Raises `KfxError` where card, net and picture
    don't go together.
    """
    height, width = picture.shape[:2]
    after = picture[..., :3].astype(np.float32)
    with Net(card, (width, height)) as net:
        size, provider = net.size, short(net.provider)
        if card.region == "frame" or not faces:
            drawn = _answer(net, _resized(picture, size), knobs, None, aligned.whole((1, 1), size))
            after = _over(card, after, _resized(drawn, (width, height)), np.float32(1.0))
        else:
            for face in sorted(faces, key=lambda one: one.iod):
                to_crop = aligned.crop(face, card.region, size, card.margin)
                given = _cut(np.rint(after), to_crop, size)
                drawn = _answer(net, given, knobs, face, to_crop)
                scale = np.array([[drawn.shape[1] / size[0]], [drawn.shape[0] / size[1]]])
                pasted = cv2.warpAffine(
                    drawn,
                    _centred(to_crop * scale),
                    (width, height),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                feather = float(knobs.get("feather", 0.16))
                cover = _cover(card.region, face, (width, height), feather)
                if card.edge == "skin" and card.region == "face":
                    cover = np.maximum(cover, _on_skin(after, face, to_crop, size))
                after = _over(card, after, pasted, cover[..., None])
        ms = net.ms
    both = np.full((height, 2 * width, 4), 255, np.uint8)
    both[:, :width] = picture
    both[:, width:, :3] = np.clip(np.rint(after), 0, 255)
    return Trial(both, size, provider, ms)


def _answer(
    net: Net, given: Pixels, knobs: Mapping[str, Any], face: Face | None, to_crop: Affine
) -> Floats:
    """The picture to draw, (h, w, 4): colours in 0..255, coverage in 0..1."""
    card, second, mask = net.card, None, None
    if knobs.get("image2"):
        second = cv2.resize(load(Path(str(knobs["image2"]))), net.size)
    if card.role("mask"):
        person = any(port.source == "person" for port in card.role("mask"))
        guess = face is None or person
        mask = portrait.middle(net.size) if guess else aligned.ovals([face], to_crop, net.size)
    answers = net.run(
        Given(
            given,
            second,
            mask,
            aligned.landmarks(face, to_crop, net.size) if card.role("landmarks") and face else None,
            knobs={
                port.name: float(knobs.get(knob_name(port.name), port.default))
                for port in card.role("knob")
            },
        ),
        net.fresh_state(),
    )
    drawn = answer.drawn(card, answers, given, knobs).astype(np.float32)
    if _changes(card):
        drawn[..., :3] *= 255.0
    else:
        drawn[..., 3] /= 255.0
    return drawn


def _changes(card: Card) -> bool:
    return card.stick == "change" and card.kind != "matte"


def _over(card: Card, before: Floats, drawn: Floats, cover: Any) -> Floats:
    over = np.clip(before + drawn[..., :3], 0.0, 255.0) if _changes(card) else drawn[..., :3]
    return before + drawn[..., 3:] * cover * (over - before)


def _cut(rgb: Floats, to_crop: Affine, size: tuple[int, int]) -> Pixels:
    """The crop of a picture (h, w, 3), averaged over as many places as the host's."""
    scale = 1.0 / float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    taps = int(min(MOST_TAPS, max(1, ceil(scale / 2 + 0.49))))
    large = cv2.warpAffine(
        rgb,
        _centred(to_crop * taps),
        (size[0] * taps, size[1] * taps),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    out = np.full((size[1], size[0], 4), 255, np.uint8)
    out[..., :3] = np.rint(cv2.resize(large, size, interpolation=cv2.INTER_AREA))
    return out


def _centred(affine: Affine) -> Affine:
    """The same map for OpenCV, where the centre of the first pixel lies at 0."""
    moved = affine.copy()
    moved[:, 2] += affine[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved


def _cover(region: str, face: Face, frame: tuple[int, int], feather_iod: float) -> Floats:
    """(h, w) 0..1: where a face's result is drawn."""
    inside = aligned.ovals([face], aligned.whole(frame, frame), frame)
    iod = max(float(face.iod), 1e-3)
    if region == "head":
        away = cv2.distanceTransform(255 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / iod
        rings, cover = zip(*HEAD_RINGS, strict=True)
        return np.asarray(np.interp(away, rings, cover), np.float32)
    deep = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / iod
    return np.asarray(np.clip(deep / max(feather_iod, 0.01), 0.0, 1.0), np.float32)


def _on_skin(rgb: Floats, face: Face, to_crop: Affine, size: tuple[int, int]) -> Floats:
    """(h, w) 0..1: where a result goes on beyond the mesh, near to how the host finds it."""
    height, width = rgb.shape[:2]
    inside = aligned.ovals([face], aligned.whole((width, height), (width, height)), (width, height))
    seen = cv2.blur(rgb, (3, 3))
    own = np.median(seen[inside > 0], axis=0) if inside.any() else seen.mean(axis=(0, 1))
    total, whole = seen.sum(axis=2) + 5.1, float(own.sum()) + 5.1
    away = seen[..., :2] / total[..., None] - own[:2] / whole
    away *= np.where(away[..., :1] > 0, REDDER, 1.0)
    places = np.rint(face.landmarks[list(SKIN_AT), :2]).astype(int)
    x, y = places[:, 0].clip(0, width - 1), places[:, 1].clip(0, height - 1)
    some = cv2.blur(rgb, (9, 9))[y, x]
    shares = some[:, :2] / (some.sum(axis=1, keepdims=True) + 5.1)
    strays = float(np.sqrt(((shares - shares.mean(axis=0)) ** 2).sum(axis=1).mean()))
    wider = min(STRAYS[0] * strays, STRAYS[1]) * np.array([1.0, 2.0])
    like = 1.0 - _rise(np.linalg.norm(away, axis=2), *(SKIN_CHROMA + wider))
    like *= _rise(total / whole, *SKIN_LUMA)
    joined = ((like > 0.4) | (inside > 0)).astype(np.uint8)
    _, parts = cv2.connectedComponents(joined)
    joined *= np.isin(parts, np.unique(parts[inside > 0]))
    iod = max(float(face.iod), 1e-3)
    far = cv2.distanceTransform(255 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / iod
    rings, cover = zip(*SKIN_RINGS, strict=True)
    y, x = np.mgrid[:height, :width] + 0.5
    at = (np.stack([x, y], axis=2) @ to_crop[:, :2].T + to_crop[:, 2]) / size
    border = _rise(np.minimum(at, 1.0 - at).min(axis=2), 0.0, CROP_EDGE)
    return np.asarray(like * joined * np.interp(far, rings, cover) * border, np.float32)


def _rise(value: Floats, low: float, high: float) -> Floats:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _resized(picture: Any, size: tuple[int, int]) -> Any:
    return cv2.resize(picture, size, interpolation=_way(size[0] < picture.shape[1]))


def _way(smaller: bool) -> int:
    return cv2.INTER_AREA if smaller else cv2.INTER_LINEAR


def load(path: Path) -> Pixels:
    """A picture file as (h, w, 4) RGBA."""
    data = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if data is None:
        raise KfxError(f"{path}: no picture that can be read (PNG and JPEG can)")
    return np.asarray(cv2.cvtColor(data, cv2.COLOR_BGR2RGBA), np.uint8)


def encoded(picture: Pixels, path: Path) -> bytes:
    """The bytes of a picture file of the kind that `path` names."""
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise KfxError(f"{path}: pictures are written as .png or .jpg")
    good, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGBA2BGR))
    if not good:
        raise KfxError(f"{path}: the picture can't be encoded")
    return bytes(data)
