"""Keeps driven faces believable: no opening the plate can't fill, no skin folded over itself."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion.regions import masks
from kfx.render import facemesh
from kfx.types import Landmarks, freeze

SPREAD_IOD = 0.12  # how far a correction of lids or lips reaches into the skin
LONGEST_IOD = 0.45  # no landmark is driven farther
LOOK_IOD = 0.004  # an iris that is driven less only follows its lids
FARTHEST_LOOK_IOD = np.float32([0.075, 0.03])  # to the sides, up and down
FOLD_IOD2 = 0.002  # twice the area of a triangle that must not turn over
_EYE_PAIRS = [(lids[k], lids[16 - k]) for lids in (c.RIGHT_LIDS, c.LEFT_LIDS) for k in range(1, 8)]
_MOUTH_PAIRS = [(c.INNER_LIPS[k], c.INNER_LIPS[20 - k]) for k in range(1, 10)]
_PAIRS = np.array(_EYE_PAIRS + _MOUTH_PAIRS)
_POINTS = _PAIRS.reshape(-1)
_EYES = ((np.array(c.RIGHT_LIDS), c.RIGHT_IRIS), (np.array(c.LEFT_LIDS), c.LEFT_IRIS))
# How much wider than in the plate an opening may be driven: there is no more eye or mouth to show.
_STRETCH = np.array([1.22] * len(_EYE_PAIRS) + [1.7] * len(_MOUTH_PAIRS), np.float32)
_SLACK_IOD = np.array([0.012] * len(_EYE_PAIRS) + [0.02] * len(_MOUTH_PAIRS), np.float32)


@cache
def _spread() -> npt.NDArray[np.float32]:
    """(478, len(_POINTS)) weights that carry the points' corrections into their surroundings."""
    shape = c.canonical().vertices
    away = np.linalg.norm(shape[:, None] - shape[None, _POINTS], axis=2)
    kernel = np.exp(-((away / SPREAD_IOD) ** 2))
    reach = np.exp(-((away.min(axis=1, keepdims=True) / SPREAD_IOD) ** 2))
    weights = kernel / np.maximum(kernel.sum(axis=1, keepdims=True), 1e-9) * reach
    weights[_POINTS] = np.eye(len(_POINTS))
    return freeze(weights.astype(np.float32))


def believable(
    live: Landmarks, driven: Landmarks, iod: float, *, filled: bool = False
) -> Landmarks:
    """`driven` with its openings, reach and folds limited by what `live` shows.

    `filled`: something else is drawn into eyes and mouth, so that openings need no limit and
    may shut altogether, and irises may look elsewhere.
    """
    driven = _limit_reach(live, driven, iod)
    driven = _unfold(live, driven, iod, fillings=not filled)
    if not filled:
        driven = _limit_openings(live, driven, iod)
    follow = _irises_follow(live, driven)
    return _look_about(live, driven, follow, iod) if filled else follow


def no_wider(live: Landmarks, driven: Landmarks, iod: float) -> Landmarks:
    """`driven` with no opening wider than `live` shows it: for faces of other moments.

    Lips that are shut in the plate hold no mouth to show, so there the lips of the moment stay.
    """
    upper, lower = np.array(c.INNER_LIPS[4:7]), np.array([c.INNER_LIPS[k] for k in (16, 15, 14)])
    seen, wish = (
        float(np.linalg.norm(points[lower, :2] - points[upper, :2], axis=1).mean())
        for points in (live, driven)
    )
    shut = 1.0 - min(1.0, (seen + 0.012 * iod) / max(wish + 0.012 * iod, 1e-6))
    driven = driven + np.float32(shut) * masks()["mouth"] * (live - driven)
    return _limit_openings(live, driven, iod, 1.06, 0.004)


def eyes_no_wider(live: Landmarks, driven: Landmarks, iod: float) -> Landmarks:
    """`driven` with no eye open farther than `live` can fill: for mouths that are painted."""
    slack = np.append(_SLACK_IOD[: len(_EYE_PAIRS)], np.float32([1e3] * len(_MOUTH_PAIRS)))
    return _limit_openings(live, driven, iod, _STRETCH, slack)


def _limit_reach(live: Landmarks, driven: Landmarks, iod: float) -> Landmarks:
    change = driven - live
    length = _lengths(change)[:, None]
    longest = np.float32(max(LONGEST_IOD * iod, 1e-6))
    soft = longest * np.tanh(length / longest)
    return live + change * (soft / np.maximum(length, 1e-6))


def _limit_openings(
    live: Landmarks,
    driven: Landmarks,
    iod: float,
    stretch: float | npt.NDArray[np.float32] = _STRETCH,
    slack_iod: float | npt.NDArray[np.float32] = _SLACK_IOD,
) -> Landmarks:
    upper, lower = _PAIRS[:, 0], _PAIRS[:, 1]
    gap = _lengths(live.take(lower, axis=0) - live.take(upper, axis=0))
    wish = (driven.take(lower, axis=0) - driven.take(upper, axis=0))[:, :2]
    length = _lengths(wish)
    allowed = gap * stretch + slack_iod * np.float32(iod)
    over = np.maximum(0.0, length - allowed)
    if not over.any():
        return driven
    pull = wish / np.maximum(length, 1e-6)[:, None] * (over / 2)[:, None]
    corrections = np.empty((len(_POINTS), 2), np.float32)
    corrections[0::2], corrections[1::2] = pull, -pull
    result = driven.copy()
    result[:, :2] += _spread() @ corrections
    return result


def _unfold(live: Landmarks, driven: Landmarks, iod: float, *, fillings: bool = True) -> Landmarks:
    """Draw the corners of triangles that turned over back towards where they are seen.

    Slivers, such as those in the corners of the mouth, may turn over: nobody sees it.
    """
    triangles = facemesh.skin_triangles()
    if not fillings:
        triangles = triangles[: len(c.canonical().triangles)]
    before = facemesh.signed_areas(live, triangles)
    worth = before > FOLD_IOD2 * iod * iod
    for _ in range(3):
        folded = worth & (facemesh.signed_areas(driven, triangles) < 0.0)
        if not folded.any():
            break
        keep = np.ones((len(live), 1), np.float32)
        keep[triangles[folded].reshape(-1)] = 0.75
        driven = live + keep * (driven - live)
    return driven


def _look_about(live: Landmarks, driven: Landmarks, follow: Landmarks, iod: float) -> Landmarks:
    """Irises that are driven themselves leave the place to which the lids would carry them."""
    result = follow
    for iris in (c.RIGHT_IRIS, c.LEFT_IRIS):
        meant = float(np.hypot(*(driven[iris, :2] - live[iris, :2]))) / max(iod, 1e-6)
        if meant < LOOK_IOD:
            continue
        shift = (driven[iris, :2] - follow[iris, :2]) / np.float32(max(iod, 1e-6))
        shift = FARTHEST_LOOK_IOD * np.tanh(shift / FARTHEST_LOOK_IOD)
        result = result.copy() if result is follow else result
        result[iris : iris + 5, :2] += (min(1.0, meant / LOOK_IOD - 1.0) * iod * shift).astype(
            np.float32
        )
    return result


def _irises_follow(live: Landmarks, driven: Landmarks) -> Landmarks:
    """The warp carries the iris with the eye's filling: so do its landmarks."""
    result = driven.copy()
    for index, iris in _EYES:
        ring = slice(iris, iris + 5)
        lids = live.take(index, axis=0)
        apart = live[ring, None, :2] - lids[:, :2]
        away = np.sqrt((apart * apart).sum(axis=2))
        weight = 1.0 / (away**2 + 1.0)
        weight /= weight.sum(axis=1, keepdims=True)
        result[ring] = live[ring] + weight @ (driven.take(index, axis=0) - lids)
    return result.astype(np.float32)


def _lengths(ways: Landmarks) -> npt.NDArray[np.float32]:
    """(n,) of ways across the picture, x and y first."""
    x, y = ways[:, 0], ways[:, 1]
    return np.asarray(np.sqrt(x * x + y * y))
