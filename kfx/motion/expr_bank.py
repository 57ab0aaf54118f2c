"""The face snaps through expressions of other moments, and its parts disagree on which (E03)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx.motion import worn
from kfx.motion.base import Motion
from kfx.motion.chance import chance
from kfx.motion.expr_amp import basis
from kfx.motion.guard import no_wider
from kfx.motion.neutral import Neutral
from kfx.motion.patch import Patch, cut
from kfx.motion.regions import inside, masks, pulled
from kfx.params import Choice, Float
from kfx.render.still import Still
from kfx.tracking import pose as poses
from kfx.types import Face, Landmarks, Tick, freeze

_REGIONS = ("brow", "eye", "mouth", "jaw")
_REMEMBER_S, _EVERY_S = 6.0, 0.2
_ENOUGH = 4  # moments, from which on the performer's own are drawn
_TEXTURE_PX = 256  # the longest side of a remembered face
_EDGE_IOD = 0.2  # over which its skin comes in at the oval
_SNAP_S, _RELEASE_S = 0.015, 0.06
# Each expression: modes of the learned basis in sigma, and pulls (see `pulled`).
_Pull = tuple[int, tuple[float, float], float]
_BANK: tuple[tuple[dict[int, float], tuple[_Pull, ...]], ...] = (
    # delight
    (
        {2: 1.5},
        (
            *((61, (-0.10, -0.11), 0.3), (291, (0.10, -0.11), 0.3)),
            *((50, (0.0, -0.06), 0.3), (280, (0.0, -0.06), 0.3)),
            *((145, (0.0, -0.03), 0.14), (374, (0.0, -0.03), 0.14)),
        ),
    ),
    # contempt
    (
        {5: 1.5},
        (
            *((291, (0.08, -0.12), 0.26), (334, (0.0, -0.13), 0.3)),
            *((105, (0.03, 0.06), 0.3), (159, (0.0, 0.03), 0.13)),
        ),
    ),
    # fright
    (
        {1: -1.5},
        (
            *((105, (0.0, -0.15), 0.34), (334, (0.0, -0.15), 0.34)),
            *((159, (0.0, -0.04), 0.14), (386, (0.0, -0.04), 0.14)),
            *((152, (0.0, 0.10), 0.5), (61, (0.05, 0.03), 0.25), (291, (-0.05, 0.03), 0.25)),
        ),
    ),
    # grief
    (
        {3: 1.0},
        (
            *((107, (0.03, -0.10), 0.2), (336, (-0.03, -0.10), 0.2)),
            *((70, (0.0, 0.05), 0.22), (300, (0.0, 0.05), 0.22)),
            *((61, (0.0, 0.11), 0.28), (291, (0.0, 0.11), 0.28), (17, (0.0, -0.04), 0.2)),
        ),
    ),
    # rage
    (
        {0: -0.8},
        (
            *((107, (0.05, 0.08), 0.22), (336, (-0.05, 0.08), 0.22)),
            *((98, (-0.02, -0.06), 0.2), (327, (0.02, -0.06), 0.2), (0, (0.0, -0.06), 0.22)),
            *((159, (0.0, 0.02), 0.13), (386, (0.0, 0.02), 0.13)),
        ),
    ),
    # a kiss
    (
        {0: 1.4},
        (
            *((61, (0.12, 0.0), 0.26), (291, (-0.12, 0.0), 0.26)),
            *((105, (0.0, -0.06), 0.3), (334, (0.0, -0.06), 0.3)),
        ),
    ),
    # a wink
    (
        {2: 1.0},
        (
            *((386, (0.0, 0.09), 0.16), (374, (0.0, -0.03), 0.13), (334, (0.0, 0.06), 0.25)),
            *((291, (0.07, -0.10), 0.3), (280, (0.0, -0.06), 0.26)),
        ),
    ),
    # a mouth gone sideways
    (
        {7: 2.0},
        (
            *((61, (0.12, 0.02), 0.3), (291, (0.12, -0.04), 0.3), (0, (0.08, 0.0), 0.3)),
            *((152, (0.12, 0.0), 0.5), (105, (0.0, -0.10), 0.3)),
        ),
    ),
    # boredom
    (
        {1: 1.6},
        (
            *((159, (0.0, 0.06), 0.15), (386, (0.0, 0.06), 0.15)),
            *((105, (0.0, -0.05), 0.3), (334, (0.0, -0.05), 0.3), (17, (0.0, -0.03), 0.2)),
        ),
    ),
)


@cache
def bank() -> npt.NDArray[np.float32]:
    """(n, 478, 3): the built-in expressions as displacements from rest, in iod."""
    modes, sigma = basis()
    shapes = []
    for sizes, pulls in _BANK:
        coefficients = np.zeros(len(sigma), np.float32)
        for mode, size in sizes.items():
            coefficients[mode] = size * sigma[mode]
        shapes.append((coefficients @ modes).reshape(-1, 3) + pulled(pulls))
    return freeze(np.array(shapes, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """What a performer showed: displacements from rest in iod, the picture, the light on it."""

    shape: Landmarks
    patch: Patch | None
    light: npt.NDArray[np.float32] | None


@dataclass
class _State:
    shown: Landmarks  # the expression of the moment, in iod
    share: float = 0.0  # how much of the face is taken over
    stored: float = -1e9
    note: tuple[int, int] = (-1, -1)  # the one that was drawn last
    past: deque[_Moment] = field(default_factory=lambda: deque(maxlen=int(_REMEMBER_S / _EVERY_S)))
    skin: _Moment | None = None  # whose skin is mixed in
    tint: npt.NDArray[np.float32] | None = None  # and what brings it to the light of now
    change: Landmarks | None = None  # of the tick before, in iod
    ghost: Landmarks | None = None  # from the face of now to that one, where it has just snapped


class ExprBank(Motion):
    """Draws an expression for each region on a grid of notes, the same in every take.

    A `ghost` makes each snap a dissolve of one frame: the face that was still stands in the new.
    """

    reenact = True
    models = ("expression_basis.npz",)
    layered = True

    rate = Choice(0.5, (1.0, 0.5, 0.25), ("1/4", "1/8", "1/16"), doc="the note it snaps on")
    density = Float(0.6, doc="share of the notes that take over; the performer has the others")
    split = Float(0.35, doc="how often a region draws its own expression")
    own = Float(0.4, doc="share of expressions from the performer's own last seconds")
    intensity = Float(1.0, 0.0, 2.0, doc="size of the drawn expressions")
    texmix = Float(0.25, 0.0, 0.6, doc="how far the skin of another moment shows through")
    ghost = Float(0.0, doc="how far the face before shows in the frame in which it snaps")
    gate = Float(0.75, 0.1, 1.0, doc="share of the note that an expression is held")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._neutral = Neutral()
        self._states: dict[int, _State] = {}

    def reset(self) -> None:
        self._neutral.reset()
        self._states.clear()

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        shape = poses.to_canonical(face.pose, face.landmarks)
        live = shape - self._neutral.of(face, shape, tick.dt)
        state = self._states.get(face.slot)
        fresh = state is None or tick.dt == 0.0 or face.age <= 1
        if state is None or fresh:
            state = self._states[face.slot] = _State(np.zeros_like(live))
        if face.found and tick.time - state.stored >= _EVERY_S - 1e-4:
            state.past.append(self._moment(face, tick, live))
            state.stored = tick.time
        note = state.note
        drawn = self._draw(face, tick, state)
        goal = 0.0 if drawn is None else 1.0
        ease = 1.0 - np.exp(-tick.dt / (_SNAP_S if goal else _RELEASE_S))
        if drawn is not None:
            # An expression that comes out of the live face doesn't pass through the last one.
            turn = np.float32(1.0 if state.share < 0.05 or fresh else ease)
            state.shown = state.shown + turn * (drawn - state.shown)
        state.share = goal if fresh else state.share + ease * (goal - state.share)
        # The live expression is pushed aside where another one stands.
        taken = sum(masks()[name] for name in _REGIONS)
        strength = np.float32(state.share * min(1.0, self.intensity))
        change = (
            np.float32(state.share * self.intensity) * state.shown - strength * 0.6 * taken * live
        )
        snapped = not fresh and state.note != note and state.change is not None
        state.ghost = state.change - change if snapped and self.ghost > 0.0 else None
        state.change = change
        driven = face.landmarks + (change @ face.pose[:3, :3].T).astype(np.float32)
        return no_wider(face.landmarks, driven, face.iod)

    def layers(self, face: Face, tick: Tick) -> Sequence[Still]:
        """The skin of the moment that was drawn in the light of now, and the face before a snap."""
        state = self._states.get(face.slot)
        seen = next((one for one in tick.faces if one.slot == face.slot), None)
        if state is None or seen is None or not np.isfinite(seen.landmarks).all():
            return ()
        layers = [*self._skin(tick, seen, state)]
        if state.ghost is not None:
            cover = np.float32(self.ghost) * inside(_EDGE_IOD)[:, 0]
            away = (state.ghost @ face.pose[:3, :3].T).astype(np.float32)
            layers.append(Still(tick.frame.pixels, seen, cover=cover, away=away))
        return layers

    def _skin(self, tick: Tick, seen: Face, state: _State) -> Sequence[Still]:
        moment = state.skin
        if moment is None or moment.patch is None or moment.light is None:
            return ()
        cover = np.float32(self.texmix * state.share) * inside(_EDGE_IOD)[:, 0]
        if cover.max() < 0.01:
            return ()
        cover = cover * np.float32(worn.facing(seen, moment.patch.face))
        if state.tint is None:  # once a note: it is short
            state.tint = worn.matched(worn.light(tick.frame.pixels, seen), moment.light, 1.0)
        return (Still(moment.patch.pixels, moment.patch.face, cover=cover, tint=state.tint),)

    def _moment(self, face: Face, tick: Tick, live: Landmarks) -> _Moment:
        seen = next((one for one in tick.faces if one.slot == face.slot), None)
        patch = None
        if self.texmix > 0.0 and seen is not None:
            patch = cut(tick.frame.pixels, seen, longest=_TEXTURE_PX)
        light = None if patch is None else worn.light(patch.pixels, patch.face)
        return _Moment(live, patch, light)

    def _draw(self, face: Face, tick: Tick, state: _State) -> Landmarks | None:
        """What this note shows, in iod; None for the performer."""
        bar = int(np.floor(tick.bar + 1e-6))
        place = max(0.0, 4.0 * (tick.bar - bar)) / float(self.rate)
        note = int(np.floor(place + 1e-4))
        keys = (self.seed, tick.seed, face.slot, 3, bar, note)
        plays, ours, *others = chance(*keys, np.arange(12))
        first = bar == 0 and note == 0  # the first note is always seen
        if place - note > self.gate or (plays >= self.density and not first):
            return None
        choice = [self._pick(others[0], ours, state)] * 4
        if state.note != (bar, note):
            state.note, state.tint = (bar, note), None
            state.skin = state.past[int(others[9] * len(state.past))] if state.past else None
            if ours < self.own and len(state.past) > _ENOUGH:
                state.skin = self._liveliest(others[0], state)
        for k in range(4):
            if others[1 + k] < self.split:
                choice[k] = self._pick(others[5 + k], chance(*keys, 100 + k)[0], state)
        result = choice[2] * (1.0 - sum(masks()[name] for name in _REGIONS))
        for name, one in zip(_REGIONS, choice, strict=True):
            result = result + masks()[name] * one
        return result.astype(np.float32)

    def _pick(self, which: float, ours: float, state: _State) -> Landmarks:
        if ours < self.own and len(state.past) > _ENOUGH:
            return np.float32(1.3) * self._liveliest(which, state).shape
        return bank()[int(which * len(_BANK))]

    def _liveliest(self, which: float, state: _State) -> _Moment:
        """One of the liveliest third of what was performed."""
        past = list(state.past)
        order = np.argsort([-float((one.shape * one.shape).sum()) for one in past], kind="stable")
        return past[int(order[int(which * max(1, len(past) // 3))])]


MOTION = ExprBank
