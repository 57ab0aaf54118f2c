"""Measures tracking on ground truth: the performer, whose landmarks are known at any time.

All at 1280x720 and 30 frames a second, rms over landmarks in the picture's plane:

jitter_px, raw_jitter_px: frame-to-frame change on a performer at rest under sensor noise, as
    tracked and as the finder gave it. predicted_jitter_px: the same of what is predicted 50 ms
    ahead.
lag_ms: the shift that best aligns the tracked landmarks' velocity with the true one's, less the
    finder's own (`raw_lag_ms`). one_euro_lag_ms: the same for a plain One-Euro filter on every
    landmark, of the same jitter, with the best `beta` of six.
stale_error_px, predicted_error_px: tracked landmarks, as they are or predicted 50 ms ahead,
    against where the truth moves from what the finder saw. `head_…` is over the rigid points.
predicted_share: predicted_error_px ÷ stale_error_px for 33, 50 and 100 ms ahead; foreseen_share:
    the same for who knows what the finder will find by then, which no prediction surpasses.
pose_error_deg: mean angle between tracked and true rotation within ±35° yaw, learning what the
    performer's head is like included. It is drawn with four fifths of a head's depth, and seems
    turned by so much less than it is to who doesn't know that.
slot_swaps: how often a performer changed slots while four cross one another for 10.5 s.
track_ms, bare_track_ms: median of `Tracker.track`, and of FaceMesh by itself on the same frames
    (made RGB and given to it, its answer not even read), measured in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx import clock, sources
from kfx.canonical import RIGID
from kfx.tracking import Finder, open_finder
from kfx.tracking import pose as poses
from kfx.tracking.smooth import OneEuro
from kfx.tracking.tracker import Tracker
from kfx.types import Face, Frame, Landmarks

SIZE = (1280, 720)
RATE = 30
FINE = 2  # true landmarks are taken so many times as often
AHEAD_S = (2 / 60, 3 / 60, 6 / 60)
BETAS = (0.0, 4.0, 12.0, 24.0, 36.0, 48.0)
SETTLE = 15  # frames that the filters are given
YAW_MAX = 35.0

Points = npt.NDArray[np.float32]  # (frames, 478, 3)


class Heard:
    """A finder that keeps what it gave."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self.guesses_depth = getattr(finder, "guesses_depth", False)
        self.last: list[Landmarks] = []

    def find(self, frame: Frame) -> list[Landmarks]:
        self.last = self._finder.find(frame)
        return self.last

    def reset(self) -> None:
        self._finder.reset()

    def close(self) -> None:
        self._finder.close()


@dataclass
class Take:
    """One performer, frame by frame: raw, tracked, predicted; the truth `FINE` times as often."""

    raw: list[Landmarks] = field(default_factory=list)
    shown: list[Face] = field(default_factory=list)
    ahead: list[list[Landmarks]] = field(default_factory=list)  # for each of `AHEAD_S`
    truth: list[Face] = field(default_factory=list)
    track_s: list[float] = field(default_factory=list)
    bare_s: list[float] = field(default_factory=list)


def measure(
    *,
    seconds: float = 10.0,
    finder: str = "mediapipe",
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """The figures of the module's docstring. A take in motion lasts `seconds`."""
    progress("at rest")
    rest = perform("performer?still=1&noise=3", min(seconds, 6.0), finder)
    progress("in motion")
    moving = perform("performer?seed=1", seconds, finder, bare=finder == "mediapipe")
    progress("four crossing")
    swaps = slot_swaps("performer?faces=4&cross=1", 1.05 * seconds, finder)
    raw, shown = np.array(moving.raw), np.array([f.landmarks for f in moving.shown])
    truth = np.array([f.landmarks for f in moving.truth])
    jitter, raw_lag = _jitter([f.landmarks for f in rest.shown]), lag_s(raw, truth)
    progress("one-euro")
    result = {
        "jitter_px": jitter,
        "raw_jitter_px": _jitter(rest.raw),
        "predicted_jitter_px": _jitter([ahead[AHEAD_S.index(3 / 60)] for ahead in rest.ahead]),
        "lag_ms": 1000 * (lag_s(shown, truth) - raw_lag),
        "one_euro_lag_ms": 1000
        * (one_euro_lag_s(np.array(rest.raw), raw, truth, jitter) - raw_lag),
        "raw_lag_ms": 1000 * raw_lag,
        **_ahead(moving),
        "pose_error_deg": pose_error_deg(moving.shown, moving.truth[::FINE]),
        "slot_swaps": swaps,
        "track_ms": 1000 * statistics.median(moving.track_s),
        "bare_track_ms": 1000 * statistics.median(moving.bare_s) if moving.bare_s else None,
    }
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}


def perform(spec: str, seconds: float, finder: str, *, bare: bool = False) -> Take:
    """Track the performer; a frame in which the face isn't found repeats the one before."""
    take = Take()
    heard = Heard(open_finder(finder, 8))
    mesh = _bare_mesh() if bare else None
    rate = Fraction(RATE * FINE)
    with (
        Tracker(heard) as tracker,
        sources.open(spec, size=SIZE, rate=rate, stop_s=Fraction(seconds)) as source,
    ):
        for frame in source.frames():
            take.truth += frame.truth[:1]
            if frame.index % FINE:
                continue
            start = clock.now()
            faces = tracker.track(frame)
            take.track_s.append(clock.now() - start)
            if mesh is not None:
                start = clock.now()
                mesh.process(cv2.cvtColor(frame.pixels, cv2.COLOR_RGBA2RGB))
                take.bare_s.append(clock.now() - start)
            if heard.last and faces:
                take.raw.append(heard.last[0])
                take.shown.append(faces[0])
                take.ahead.append([tracker.predicted(s)[0].landmarks for s in AHEAD_S])
            elif take.raw:
                take.raw.append(take.raw[-1])
                take.shown.append(take.shown[-1])
                take.ahead.append(take.ahead[-1])
            else:
                take.truth.clear()
    if mesh is not None:
        mesh.close()
    return take


def _bare_mesh() -> Any:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    return FaceMesh(max_num_faces=1, refine_landmarks=True)


def _rms(away: npt.NDArray[Any]) -> float:
    return float(np.sqrt((away[..., :2] ** 2).sum(axis=-1).mean()))


def _jitter(points: list[Landmarks] | Points) -> float:
    return _rms(np.diff(np.array(points)[SETTLE:], axis=0))


def lag_s(points: Points, truth: Points) -> float:
    """Seconds by which `points` come after `truth`, which has `FINE` times as many frames."""
    velocity = (points[SETTLE + 1 :] - points[SETTLE - 1 : -2])[..., :2]
    fine = np.arange(len(truth)) / (RATE * FINE)
    times = np.arange(SETTLE, SETTLE + len(velocity)) / RATE
    inside = times < fine[-1] - 0.12
    velocity, times = velocity[inside], times[inside]

    def error(late: float) -> float:
        ends = [
            _at(truth[..., :2], (times - late + step) * RATE * FINE)
            for step in (1 / RATE, -1 / RATE)
        ]
        return float(((velocity - (ends[0] - ends[1])) ** 2).mean())

    shifts = np.arange(-0.04, 0.1001, 0.01)
    errors = np.array([error(s) for s in shifts])
    i = int(np.clip(errors.argmin(), 1, len(shifts) - 2))
    a, b, c = errors[i - 1 : i + 2]
    bend = a - 2 * b + c
    return float(shifts[i] + (0.5 * 0.01 * (a - c) / bend if bend > 0 else 0.0))


def _at(values: Points, index: npt.NDArray[np.float64]) -> Points:
    """Cubic (Catmull-Rom) values at fractional indices."""
    index = np.clip(index, 1, len(values) - 2.001)
    i = index.astype(int)
    t = (index - i)[:, None, None].astype(np.float32)
    p, q, r, s = (values[np.clip(i + k, 0, len(values) - 1)] for k in (-1, 0, 1, 2))
    between: Points = q + 0.5 * t * (
        r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p))
    )
    return between


def one_euro_lag_s(rest: Points, raw: Points, truth: Points, jitter_px: float) -> float:
    """Least lag of the published filter among `BETAS`, each at the jitter asked for."""
    lags = []
    for beta in BETAS:
        low, high = 0.02, 30.0
        if _jitter(_plain(rest, low, beta)) > jitter_px:
            continue
        for _ in range(9):
            middle = (low * high) ** 0.5
            calm = _jitter(_plain(rest, middle, beta)) <= jitter_px
            low, high = (middle, high) if calm else (low, middle)
        lags.append(lag_s(_plain(raw, low, beta), truth))
    return min(lags, default=float("nan"))


def _plain(points: Points, min_cutoff_hz: float, beta: float) -> Points:
    calm = OneEuro(min_cutoff_hz=min_cutoff_hz, beta=beta, derivative_hz=1.0)
    iod = poses.scale(poses.fit(points[0]))
    return np.array([calm(p, 1 / RATE if i else 0.0, iod) for i, p in enumerate(points)])


def _ahead(take: Take) -> dict[str, Any]:
    own, raw = np.array([f.landmarks for f in take.shown]), np.array(take.raw)
    truth, ahead = np.array([f.landmarks for f in take.truth]), np.array(take.ahead)
    result: dict[str, Any] = {"predicted_share": {}, "foreseen_share": {}}
    for k, ahead_s in enumerate(AHEAD_S):
        step = round(ahead_s * RATE * FINE)
        now = np.arange(SETTLE, min((len(truth) - step - 1) // FINE, len(own) - step // FINE - 2))
        goes = truth[now * FINE + step] - truth[now * FINE]
        whole, part = divmod(step, FINE)
        later = raw[now + whole] + part / FINE * (raw[now + whole + 1] - raw[now + whole])
        stale, predicted = (points[now] - raw[now] - goes for points in (own, ahead[:, k]))
        name = f"{1000 * ahead_s:.0f}"
        result["predicted_share"][name] = round(_rms(predicted) / _rms(stale), 3)
        result["foreseen_share"][name] = round(_rms(later - raw[now] - goes) / _rms(stale), 3)
        if step == round(0.05 * RATE * FINE):
            for kind, away in (("stale", stale), ("predicted", predicted)):
                result[f"{kind}_error_px"] = _rms(away)
                result[f"head_{kind}_error_px"] = _rms(away[:, list(RIGID)])
    return result


def pose_error_deg(shown: list[Face], truth: list[Face]) -> float:
    """Mean angle between two series of poses, where the true yaw is within ±35°."""
    angles = []
    for face, true in zip(shown, truth, strict=False):
        if abs(poses.yaw_pitch_roll(true.pose)[0]) <= YAW_MAX:
            step = poses.Rigid.of(true.pose).step_to(poses.Rigid.of(face.pose))
            angles.append(float(np.linalg.norm(step[3:6])))
    return float(np.degrees(np.mean(angles)))


def slot_swaps(spec: str, seconds: float, finder: str | Finder) -> int:
    """How often a performer of the take came to be in another slot than before."""
    swaps = 0
    slots: dict[int, int] = {}
    with (
        Tracker(finder) as tracker,
        sources.open(spec, size=SIZE, rate=Fraction(RATE), stop_s=Fraction(seconds)) as source,
    ):
        for frame in source.frames():
            for face in tracker.track(frame):
                performer = whose(face, frame.truth) if face.found else None
                if performer is not None:
                    swaps += slots.get(performer, face.slot) != face.slot
                    slots[performer] = face.slot
    return swaps


def whose(face: Face, truth: tuple[Face, ...]) -> int | None:
    """The performer on whom a tracked face lies, if there is no doubt."""
    away = sorted((_rms(face.landmarks - true.landmarks) / true.iod, true.slot) for true in truth)
    clear = len(away) < 2 or away[1][0] > 0.8
    return away[0][1] if away and away[0][0] < 0.4 and clear else None
