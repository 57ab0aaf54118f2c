"""Where a face will be in a moment: predicted from its last 0.2 s, as far as that has held.

Three guesses of what changes: the place where the finder saw the face, of which calming holds
some back; going on as it went; and what faces that did the same went on to do, head and features
together, learned from performers by models/training/predict.py. How much of each suits this face
and this part of it (a nod, the lips) is learned all the time from what came.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kfx import assets
from kfx import canonical as c
from kfx.tracking import pose as poses
from kfx.tracking.pose import Matrix, Rigid
from kfx.types import LANDMARK_COUNT, Face, Landmarks, freeze

STEP_S = 1 / 30
GAP_S = 0.2  # after a longer pause the past says nothing
AHEAD_S = (0.0, 2 / 60, 3 / 60, 6 / 60)  # what was learned is for these; between them it is mixed
FARTHEST_S = AHEAD_S[-1]
BACK = 6  # steps back that are looked at
CHECK_S = 0.05  # what was said at least so long ago is held against what came
KEEP = 0.97  # of what was learned of that, from step to step
FAITH = 1e-3  # how strongly `PRIOR` is believed, in `squares`: a few frames of motion
PRIOR = (1.0, 0.8, 0.0)  # shares of the three guesses for a face of which nothing is known
MOST = 1.5  # a larger share isn't believed
WILD = 100.0  # of the same in a frame: that was no face's motion
POSE = 7  # numbers of `Rigid.step_to`; those of the expression follow them
# A part at rest is left alone: it goes E / (E + NOISE) of its way, E that way's `squares`. So the
# predicted face trembles as little as the steps it is learned from (kfx bench tracking).
NOISE = (2e-5, 1e-4, 2e-5, 2e-5, 2e-5, 2e-5, 2e-5)
_POSE_PARTS = ((0, 1), (2,), (3, 4, 5), (6,))  # shift, depth, turn, size

Values = npt.NDArray[np.float32]


class Sight(NamedTuple):
    """A face's landmarks and pose as they were made calm, and as the finder saw them."""

    calm: Landmarks
    calm_pose: Matrix
    seen: Landmarks
    seen_pose: Matrix

    def held(self) -> Values:
        """(numbers,): how far calming holds the face back, in iod and radians."""
        step = Rigid.of(self.calm_pose).step_to(Rigid.of(self.seen_pose))
        shapes = (
            poses.to_canonical(self.seen_pose, self.seen),
            poses.to_canonical(self.calm_pose, self.calm),
        )
        return np.concatenate([step, expression(shapes[0] - shapes[1])])


@dataclass(frozen=True, slots=True)
class Tracked(Face):
    """A face, calm, that knows where the finder saw it.

    What holds calm landmarks back is told by `sight` alone: it stays true however the face's own
    are moved or scaled to another picture.
    """

    sight: Sight | None = None


@cache
def modes() -> Values:
    """(modes, 478, 3): orthonormal ways in which expressions move the canonical face, in iod."""
    with np.load(assets.folder("models") / "expression_basis.npz") as data:
        return freeze(data["modes"].astype(np.float32).reshape(-1, LANDMARK_COUNT, 3))


@cache
def _expressed() -> Values:
    """(956, modes): x and y of the landmarks → `modes`, by least squares: z is less sure."""
    flat = modes()[..., :2].reshape(len(modes()), -1)
    return freeze(np.linalg.pinv(flat).astype(np.float32))


def expression(shape: Landmarks) -> Values:
    """(modes,) of a pose-free face (478, 3) or the difference of two."""
    return shape[:, :2].reshape(-1) @ _expressed()


@cache
def _group() -> npt.NDArray[np.intp]:
    """0 eyes, 1 lips, 2 the rest, for each landmark."""
    group = np.full(LANDMARK_COUNT, 2)
    group[[*c.RIGHT_LIDS, *c.LEFT_LIDS, *range(c.RIGHT_IRIS, LANDMARK_COUNT)]] = 0
    group[[*c.OUTER_LIPS, *c.INNER_LIPS]] = 1
    return group


@cache
def squares() -> Values:
    """(parts, numbers, numbers): the square of a change in each part, in iod².

    Parts are four of the pose, where a step of 1 counts as 3 iod, and eyes, lips and rest, each of
    which every number of the expression moves a little.
    """
    count = POSE + len(modes())
    squares = np.zeros((len(NOISE), count, count), np.float32)
    for part, numbers in enumerate(_POSE_PARTS):
        squares[part, numbers, numbers] = 9.0
    for group in range(3):
        some = modes()[:, _group() == group, :2].reshape(len(modes()), -1)
        squares[len(_POSE_PARTS) + group, POSE:, POSE:] = some @ some.T * (4 / LANDMARK_COUNT)
    return freeze(squares)


@cache
def _learned() -> Values:
    """(times, BACK · numbers, numbers): what lies behind → what changes, for each of `AHEAD_S`."""
    with np.load(assets.folder("models") / "predict.npz") as data:
        weights = data["weights"].astype(np.float32) * data["scale"].astype(np.float32)
    return freeze(np.concatenate([np.zeros_like(weights[:1]), weights]))


@dataclass(slots=True)
class Moment:
    """A frame of the past, taken apart."""

    time_s: float
    shown: Rigid
    seen: Rigid
    shape: Landmarks  # as shown, pose-free
    expression: Values  # as seen
    held: Values
    past: Values | None = None  # (BACK, numbers): from what was seen to what was seen before

    @classmethod
    def of(cls, time_s: float, face: Face) -> Moment:
        shown, shape = Rigid.of(face.pose), poses.to_canonical(face.pose, face.landmarks)
        sight = getattr(face, "sight", None)
        held = sight.held() if sight else np.zeros(POSE + len(modes()), np.float32)
        seen = shown.moved(held[:POSE]) if sight else shown
        return cls(time_s, shown, seen, shape, expression(shape) + held[POSE:], held)

    def look_back(self, moments: Sequence[Moment]) -> None:
        """Set `past` by the moments up to this one."""
        ways = np.array([
            np.concatenate([self.seen.step_to(m.seen), m.expression - self.expression])
            for m in moments
        ])  # fmt: skip
        times = [m.time_s for m in moments]
        past = _at(times, [self.time_s - k * STEP_S for k in range(1, BACK + 1)]) @ ways
        self.past = past if np.isfinite(past).all() and np.abs(past).max() < WILD else None

    def guesses(self, ahead_s: float) -> Values:
        """(3, numbers): three ways from what is shown to what will be, to be added up."""
        assert self.past is not None
        learned = self.past.reshape(-1) @ _weights(ahead_s)
        # At once nothing changes; a little later it has caught up with what was seen.
        caught = self.held * np.float32(min(1.0, ahead_s / AHEAD_S[1]))
        return np.stack([caught, learned, self.past[0] * np.float32(-ahead_s / STEP_S)])


class Predictor:
    """The past of one face: `add` it frame by frame, `predict` it when its place is needed."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Face]] = deque()
        self.reset()

    def reset(self) -> None:
        self._past.clear()
        self._known: deque[Moment] = deque()
        parts, guesses = len(NOISE), len(PRIOR)
        self._met = np.tile(FAITH * np.eye(guesses), (parts, 1, 1))
        self._came = np.tile(FAITH * np.array(PRIOR), (parts, 1))
        self._shares = np.tile(np.float32(PRIOR), (parts, 1))

    def add(self, face: Face, time_s: float) -> None:
        """The face at `time_s`. A face that is new or lost, or a pause, ends the past."""
        past = self._past
        if past and not (face.found and face.age > 1 and 0 < time_s - past[-1][0] <= GAP_S):
            self.reset()
        past.append((time_s, face))
        while len(past) > 2 and past[1][0] <= time_s - BACK * STEP_S:
            past.popleft()

    def learned(self) -> Predictor:
        """A copy that has learned from all that was added so far, to `predict` in another thread.

        What is added here later isn't in it, and predicting by it takes a quarter of the time.
        """
        if len(self._past) > 1 and self._past[-1][1].found:
            self._catch_up()
        twin = copy.copy(self)
        twin._past, twin._known = deque(self._past), deque(self._known)
        return twin

    def predict(self, ahead_s: float) -> Face:
        """The face `ahead_s` later (0..0.1) than it was last added. Without a past: unchanged."""
        face = self._past[-1][1]
        ahead_s = min(max(0.0, ahead_s), FARTHEST_S)
        if ahead_s == 0.0 or len(self._past) < 2 or not face.found:
            return face
        self._catch_up()
        now = self._known[-1]
        if now.past is None:
            return face
        guesses = now.guesses(ahead_s)
        ways = self._shares @ guesses  # (parts, numbers)
        energy = np.einsum("pi,pij,pj->p", ways, squares(), ways)
        ways *= (energy / (energy + np.float32(NOISE)))[:, None]
        step = np.zeros(POSE, np.float32)
        for part, numbers in enumerate(_POSE_PARTS):
            step[list(numbers)] = ways[part, list(numbers)]
        # Each group of landmarks moves by its own mix of the expression.
        bends = (ways[len(_POSE_PARTS) :, POSE:] @ modes().reshape(len(modes()), -1)).reshape(
            -1, LANDMARK_COUNT, 3
        )
        change = bends[_group(), np.arange(LANDMARK_COUNT)]
        pose = now.shown.moved(step).matrix()
        points = poses.to_pixels(pose, now.shape + change)
        if not (np.isfinite(points).all() and np.isfinite(pose).all()):
            return face
        return replace(face, landmarks=freeze(points), pose=freeze(pose), iod=poses.scale(pose))

    def _catch_up(self) -> None:
        """Take apart the frames that have come since, and learn from them."""
        last_s = self._known[-1].time_s if self._known else -1.0
        for time_s, face in self._past:
            if time_s > last_s:
                self._known.append(Moment.of(time_s, face))
                if len(self._known) > 1:
                    self._known[-1].look_back(self._known)
                    self._learn()
        while self._known[0].time_s < self._past[0][0]:
            self._known.popleft()

    def _learn(self) -> None:
        """Hold what would have been said a moment ago of now against now."""
        now, *before = reversed(self._known)
        if len(before) < 2:
            return
        then = next((m for m in before if now.time_s - m.time_s > CHECK_S - 1e-3), None)
        if then is None or then.past is None or now.time_s - then.time_s > FARTHEST_S + 1e-3:
            return
        bent = now.expression - then.expression + then.held[POSE:]
        came = np.concatenate([then.shown.step_to(now.seen), bent])
        said = then.guesses(now.time_s - then.time_s)
        by_part = said @ squares()
        met, came = by_part @ said.T, by_part @ came
        if not max(np.abs(met).max(), np.abs(came).max()) < WILD:  # so where it is NaN
            return
        keep = KEEP ** ((now.time_s - before[0].time_s) / STEP_S)
        fresh = (1 - keep) * FAITH
        self._met = keep * self._met + met + fresh * np.eye(len(PRIOR))
        self._came = keep * self._came + came + fresh * np.array(PRIOR)
        shares = np.linalg.solve(self._met, self._came[..., None])[..., 0]
        self._shares = np.clip(shares, -MOST, MOST).astype(np.float32)


def _weights(ahead_s: float) -> Values:
    """(BACK · numbers, numbers) for a time ahead."""
    i = min(int(np.searchsorted(AHEAD_S, ahead_s, "right")), len(AHEAD_S) - 1)
    share = np.float32((ahead_s - AHEAD_S[i - 1]) / (AHEAD_S[i] - AHEAD_S[i - 1]))
    before, after = _learned()[i - 1 : i + 1]
    return before + share * (after - before)


def _at(times: Sequence[float], wanted: Sequence[float]) -> Values:
    """(wanted, times): shares of the values at `times` in those between; the ends go on."""
    return np.float32([np.interp(wanted, times, row) for row in np.eye(len(times))]).T
