"""Brings samples at exact times to a steady rate, never across a gap.

Curves are cubic Hermite with tangents of the parabola through three neighbours (straight at the
ends), rotations are slerped. Times are Fractions, so that no drift builds up over a long take.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LONGEST_GAP_S = Fraction(15, 100)  # a longer loss of the face stays a gap


def grid(first: Fraction, last: Fraction, origin: Fraction, rate: Fraction) -> range:
    """Numbers k for which origin + k / rate lies within first..last."""
    return range(-int(-(first - origin) * rate // 1), int((last - origin) * rate // 1) + 1)


def curves(times: Array, values: Array, at: Array) -> Array:
    """(m, k) values at `at`, which lies within `times`, from (n, k) values at rising `times`."""
    if len(times) == 1:
        return np.repeat(values, len(at), axis=0)
    step = np.diff(times)[:, None]
    slope = np.diff(values, axis=0) / step
    tangent = np.empty_like(values)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    tangent[1:-1] = (step[1:] * slope[:-1] + step[:-1] * slope[1:]) / (step[:-1] + step[1:])
    i = _left(times, at)
    h = step[i]
    u = (at - times[i])[:, None] / h
    u2, u3 = u * u, u * u * u
    result: Array = (
        (2 * u3 - 3 * u2 + 1) * values[i]
        + (u3 - 2 * u2 + u) * h * tangent[i]
        + (3 * u2 - 2 * u3) * values[i + 1]
        + (u3 - u2) * h * tangent[i + 1]
    )
    return result


def turns(times: Array, quaternions: Array, at: Array) -> Array:
    """(m, 4) unit quaternions at `at` from (n, 4) at rising `times`, each the short way round."""
    if len(times) == 1:
        return np.repeat(quaternions, len(at), axis=0)
    i = _left(times, at)
    a, b = quaternions[i], quaternions[i + 1]
    cosine = (a * b).sum(axis=1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    u = ((at - times[i]) / (times[i + 1] - times[i]))[:, None]
    sine = np.sin(angle)
    near = sine < 1e-6
    safe = np.where(near, 1.0, sine)
    mixed = np.where(near, 1 - u, np.sin((1 - u) * angle) / safe) * a
    mixed = mixed + np.where(near, u, np.sin(u * angle) / safe) * b
    unit: Array = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit


def seconds(times: Sequence[Fraction], origin: Fraction) -> Array:
    """Times as floats from `origin`: small numbers keep their digits."""
    return np.array([float(t - origin) for t in times], dtype=np.float64)


def _left(times: Array, at: Array) -> npt.NDArray[np.intp]:
    """Index of the sample at or before each time, with one after it."""
    return np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
