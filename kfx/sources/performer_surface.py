"""Where the performer's skin is between the landmarks, from the formulas that draw it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kfx.sources.performer import PerformerSource, sample
from kfx.sources.performer_face import coefficients, fields
from kfx.sources.performer_motion import moment, path
from kfx.sources.performer_portrait import MARGIN, anatomy
from kfx.sources.performer_warp import Body


def surface(source: PerformerSource, triangles: np.ndarray) -> Callable[[int], np.ndarray]:
    """Frame index → (n, 2) true pixels of the middles of `triangles` (n, 3) of landmarks.

    For a source of one performer. Lids are moved by other formulas: leave their triangles out.
    """
    known = anatomy()
    rest = known.landmarks[triangles, :2].mean(axis=1) - MARGIN[:2]
    under = rest[:, 1] - source.seam(rest[:, 0])
    low = under > 0
    above = fields(rest[:, 0], rest[:, 1], np.where(low, 0, under), below=False)
    below = fields(rest[:, 0], rest[:, 1], np.where(low, under, 0), below=True)
    shifts = np.where(low[:, None], below, above)

    def at(index: int) -> np.ndarray:
        time = index / float(source.info.rate)
        now = moment(time, source.seed * 16)
        placing = source.place(now, path(time, 0, 1, False, source.seed))
        xy = rest + np.tensordot(coefficients(now), shifts, 1) + MARGIN[:2]
        points = Body(now).points(xy, sample(known.depth, xy), sample(known.head, xy))
        return (points[:, :2] - placing.anchor) * placing.scale + placing.at

    return at
