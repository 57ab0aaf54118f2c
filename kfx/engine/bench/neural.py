"""Measures how well the results of a slow net stick to a face, on the performer's ground truth.

A net that answers `hz` times a second sees a 60 fps performer who turns and speaks, at 1280x720.
Content lies on true points of the skin: the middles of the mesh's triangles, where no landmark is,
moved by the performer's own formulas. Each frame it is asked where that content is drawn and how
far that is from where the skin now is, in pixels, mean over points and frames:

naive_px: the last result where it was.
aligned_px: the last result moved by the similarity of the landmarks then and now.
mesh_px: through the mesh, older and newer result weighted as they are cross-faded.
kfx_px: the same with the landmarks corrected by optical flow, as kfx draws them.

Landmarks come from MediaPipe as in a live show; ``truth_px`` is the mesh with the true landmarks,
so what is left there is the mesh's own error. Only skin that faces the camera counts, then and now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx import sources
from kfx.canonical import LEFT_LIDS, RIGHT_LIDS, canonical
from kfx.neural import refine
from kfx.neural.aligned import Affine, apply, crop, similarity
from kfx.neural.refine import Grey, View
from kfx.neural.worker import Slowed
from kfx.sources.performer import PerformerSource
from kfx.sources.performer_surface import surface
from kfx.tracking import pose as poses
from kfx.tracking.tracker import Tracker
from kfx.types import Landmarks

SIZE = (1280, 720)
RATE = 60
RATES_HZ = (30, 15, 8, 4)
SECONDS = 10.0
SPEC = "performer?seed=3"
SETTLE_S = 0.7  # until the slowest net has answered twice
FACING = 0.25  # of a triangle's area in the canonical face: less is seen too flat

Points = npt.NDArray[np.float64]  # (n, 2)


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame: its time, the skin's true points, landmarks as tracked and as they are."""

    time: float
    points: Points
    tracked: Landmarks
    truth: Landmarks
    yaw: float
    view: View


def measure(
    *,
    seconds: float = SECONDS,
    spec: str = SPEC,
    tracker: str = "mediapipe",
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """`rates_hz` {hz: {naive_px, aligned_px, kfx_px, …}} and what was measured on."""
    progress("performer")
    take = perform(spec, seconds, tracker)
    yaws = [moment.yaw for moment in take]
    rates = {}
    for hz in RATES_HZ:
        progress(f"{hz} Hz")
        rates[str(hz)] = rate(take, hz)
    return {
        "rates_hz": rates,
        "source": spec,
        "tracker": tracker,
        "size": list(SIZE),
        "fps": RATE,
        "frames": len(take),
        "points": len(take[0].points) if take else 0,
        "yaw_deg": [round(min(yaws), 1), round(max(yaws), 1)] if yaws else [],
    }


def perform(spec: str, seconds: float, tracker: str) -> list[Moment]:
    """The performer's frames, tracked; those without a face are left out."""
    take = []
    triangles = skin()
    with (
        Tracker(tracker) as faces_of,
        sources.open(spec, size=SIZE, rate=Fraction(RATE), stop_s=Fraction(seconds)) as source,
    ):
        assert isinstance(source, PerformerSource)
        true_points = surface(source, triangles)
        for frame in source.frames():
            faces = faces_of.track(frame)
            truth = (frame.truth or ())[:1]
            if not faces or not truth or not faces[0].found:
                continue
            yaw = poses.yaw_pitch_roll(truth[0].pose)[0]
            points = true_points(frame.index)
            to_crop = crop(faces[0], "face", refine.SIZE, refine.MARGIN)
            grey: Grey = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2GRAY), np.uint8)
            take.append(
                Moment(
                    float(frame.time),
                    points,
                    faces[0].landmarks,
                    truth[0].landmarks,
                    yaw,
                    View.of(faces[0], _cut(grey, to_crop), to_crop),
                )
            )
    return take


def _cut(grey: Grey, to_crop: Affine) -> Grey:
    """The crop of a picture, averaged down as the GL crop is."""
    # OpenCV counts pixels from their middles, kfx from their corners.
    shifted = to_crop.copy()
    shifted[:, 2] += to_crop[:, :2] @ (0.5, 0.5) - 0.5
    size, twice = refine.SIZE, 2 * shifted
    twice[:, 2] += 0.5
    large = cv2.warpAffine(grey, twice, (2 * size[0], 2 * size[1]), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)


@cache
def skin() -> npt.NDArray[np.int64]:
    """Triangles of skin and lips, without those at the lids, which a blink hides."""
    triangles = canonical().triangles.astype(np.int64)
    lids = np.isin(triangles, [*RIGHT_LIDS, *LEFT_LIDS]).any(axis=1)
    return np.asarray(triangles[~lids])


def rate(take: list[Moment], hz: float) -> dict[str, float]:
    """The errors at one rate, in pixels."""
    runner, refiner = Slowed(lambda job: job, hz), refine.Refiner()
    older = newer = step = None
    since = period = 0.0
    errors: dict[str, list[npt.NDArray[np.float64]]] = {
        name: [] for name in ("naive", "aligned", "mesh", "kfx", "truth")
    }
    for now in take:
        done = runner.take(now.time)
        if done is not None:
            older, newer = newer, done.job
            step = refiner.shift(newer.view, older.view) if older is not None else None
            period, since = now.time - since, now.time
        if runner.free(now.time):
            runner.offer(now, now.time)
        if older is None or newer is None or now.time < take[0].time + SETTLE_S:
            continue
        fade = min(1.0, (now.time - since) / period)
        seen = _faces_camera(now) & _faces_camera(newer) & _faces_camera(older)
        errors["naive"].append(_away(newer.points, now, seen))
        moved = apply(similarity(newer.tracked, now.tracked), newer.points.astype(np.float32))
        errors["aligned"].append(_away(moved, now, seen))
        for name, starts, end in (
            ("kfx", _refined(refiner.shift(now.view, newer.view), step, older, newer), now.tracked),
            ("mesh", [older.tracked, newer.tracked], now.tracked),
            ("truth", [older.truth, newer.truth], now.truth),
        ):
            each = [
                _away(carried(then.points, start, end), now, seen)
                for then, start in zip((older, newer), starts, strict=True)
            ]
            errors[name].append((1 - fade) * each[0] + fade * each[1])
    means = {f"{name}_px": float(np.concatenate(all_).mean()) for name, all_ in errors.items()}
    kfx = np.concatenate(errors["kfx"])
    return {
        **{name: round(value, 3) for name, value in means.items()},
        "kfx_p95_px": round(float(np.percentile(kfx, 95)), 3),
        "kfx_of_naive": round(means["kfx_px"] / max(means["naive_px"], 1e-9), 3),
    }


@cache
def _near() -> npt.NDArray[np.int64]:
    """(n, k): the triangles that share a corner with each, itself first, padded with itself."""
    triangles = skin()
    rows = []
    for i, own in enumerate(triangles):
        touch = np.flatnonzero(np.isin(triangles, own).any(axis=1))
        rows.append([i, *touch[touch != i].tolist()])
    most = max(map(len, rows))
    return np.array([row + [row[0]] * (most - len(row)) for row in rows])


def carried(points: Points, then: Landmarks, now: Landmarks) -> Points:
    """Where points of a picture, one in each triangle of `skin`, are drawn when the mesh moves
    from `then` to `now`.
    """
    corners = skin()[_near()]
    a, b, c = (then[corners[..., i], :2].astype(np.float64) for i in range(3))
    u, v, p = b - a, c - a, points[:, None] - a
    area = _cross(u, v)
    safe = np.where(np.abs(area) < 1e-9, 1e-9, area)
    s, t = _cross(p, v) / safe, _cross(u, p) / safe
    # The triangle that a point lies in, of those that are seen; its nearest where it is in none.
    outside = np.maximum(np.maximum(np.maximum(-s, -t), s + t - 1.0), 0.0)
    own = np.where(area > 0, outside, np.inf).argmin(axis=1)
    rows = np.arange(len(points))
    s, t = s[rows, own][:, None], t[rows, own][:, None]
    a, b, c = (now[corners[rows, own, i], :2].astype(np.float64) for i in range(3))
    return np.asarray(a + s * (b - a) + t * (c - a))


def _cross(u: Points, v: Points) -> Points:
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def _refined(
    shift: refine.Points, step: refine.Points | None, older: Moment, newer: Moment
) -> list[Landmarks]:
    """The landmarks of both moments as the picture corrects them."""
    fixed = []
    for then, by in ((older, shift if step is None else shift + step), (newer, shift)):
        points = then.tracked.copy()
        points[:, :2] += by
        fixed.append(points)
    return fixed


def _away(drawn: npt.NDArray[Any], now: Moment, seen: npt.NDArray[np.bool_]) -> Points:
    return np.asarray(np.linalg.norm(drawn[seen] - now.points[seen], axis=1))


def _faces_camera(moment: Moment) -> npt.NDArray[np.bool_]:
    """Which triangles are seen, and not too flat."""
    triangles = skin()
    area = _areas(moment.truth, triangles)
    shape = canonical().vertices
    scale = poses.scale(poses.fit(moment.truth)) ** 2
    return area > FACING * np.abs(_areas(shape, triangles)) * scale


def _areas(points: npt.NDArray[Any], triangles: npt.NDArray[np.int64]) -> Points:
    a, b, c = (points[triangles[:, i], :2] for i in range(3))
    u, v = b - a, c - a
    return _cross(u, v)
