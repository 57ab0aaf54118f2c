"""Chance that repeats: hashes of whole numbers, and noise made of them that is smooth in time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


_MIX = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_ALL = (1 << 64) - 1


def chance(*keys: int | npt.NDArray[np.int64]) -> Numbers:
    """0 <= number < 1 for each set of whole numbers, the same on every machine.

    Arrays among the keys are broadcast; without any the result has one number.
    """
    state: int | npt.NDArray[np.uint64] = 0
    add, times, first, second = _MIX
    for key in keys:
        if isinstance(state, int) and isinstance(key, int | np.integer):
            # In whole numbers of Python: half of NumPy's time would go into calls.
            one = ((state ^ (int(key) & _ALL)) * add + times) & _ALL
            one = ((one ^ (one >> 30)) * first) & _ALL
            one = ((one ^ (one >> 27)) * second) & _ALL
            state = one ^ (one >> 31)
            continue
        many = np.asarray(key, np.int64).astype(np.uint64) ^ np.atleast_1d(np.uint64(state))
        many = many * np.uint64(add) + np.uint64(times)
        many = (many ^ (many >> np.uint64(30))) * np.uint64(first)
        many = (many ^ (many >> np.uint64(27))) * np.uint64(second)
        state = many ^ (many >> np.uint64(31))
    done = np.atleast_1d(np.asarray(state, np.uint64))
    return (done >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def noise(t: float, count: int, *keys: int) -> Numbers:
    """(count,) independent values within ±1.25 at `t`, which wander about once a unit of `t`.

    Uniform cubic B-splines over hashed numbers: even the acceleration has no jump.
    """
    channels = np.arange(count)
    at = t + chance(*keys, 7919, channels)
    knot = np.floor(at)
    f = at - knot
    weights = (
        (1 - f) ** 3 / 6,
        (3 * f**3 - 6 * f**2 + 4) / 6,
        (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6,
        f**3 / 6,
    )
    around = knot.astype(np.int64)[None] + np.arange(4)[:, None]
    values = chance(*keys, channels, around)
    total: Numbers = (np.array(weights) * (2.0 * values - 1.0)).sum(axis=0)
    return 1.25 * total
