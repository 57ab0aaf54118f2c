"""Elastic time: the picture or the faces fall behind in slow motion, then snap back (E06)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kfx.motion.base import Motion
from kfx.motion.cued import number_at
from kfx.params import Bool, Choice, Float
from kfx.render.still import Scene, Still
from kfx.tracking import pose as poses
from kfx.types import Face, Landmarks, Matte, Pixels, Tick, freeze

MOST_BEHIND_S = 2.0  # 30 frames a second of 720p take 220 MB
MOST_SMEARED = 6  # frames that one picture of the catch-up is made of
SUB_FRAMES = 4  # of a picture in which fewer frames are passed by
BLURRED_PX = (0.5, 2.0)  # what moves less in a tick stays sharp, what moves more is blurred
_NEAR = 0.1  # a frame so near to a sub-frame, as a share of the way, stands for it
FLOW_PX = 320  # width of the pictures that flow is measured in
STEP_BEATS = 0.25  # how long each stop of a stutter is
_LIVE_S = 1e-4


Flow = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Past:
    time: float
    pixels: Pixels
    matte: Matte | None
    faces: dict[int, Face]


class SpeedRamp(Motion):
    """Shows the past of each cue at its own pace; at its end it is live again.

    Between two frames of slow motion the picture moves on by its optical flow, and the face
    alone by its mesh, so that what is slowed down three times doesn't step. Nothing is known of
    what comes: only slower, then catching up. A `depth` above 1 is the pace of that: the picture
    falls as far behind before as the race takes to be live at the cue's end.
    """

    holds = True
    region = "frame"

    mode = Choice("frame", ("frame", "face"), doc="all is slowed down, or only the faces")
    on = Bool(True, doc="false: the picture is live")
    start = Float(0.0, 0.0, 4096.0, unit="beats", doc="beat of the first cue")
    every = Float(8.0, 0.0, 256.0, unit="beats", doc="a cue that often; 0 = one for good")
    length = Float(4.0, 0.5, 16.0, unit="beats", doc="how long each cue is, catching up included")
    catch = Float(1.0, 0.25, 4.0, unit="beats", doc="how long it takes to be live again")
    depth = Float(
        0.35, 0.1, 4.0, doc="the pace of the slow part: 1 = live; above, that of the race after it"
    )
    curve = Choice("snap", ("snap", "ease", "stutter"), doc="how the pace changes")
    between = Choice(
        "flow", ("flow", "step"), doc="slow motion glides from frame to frame, or shows each longer"
    )
    smear = Bool(True, doc="what is passed by while catching up is seen as motion blur")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self.reset()

    def reset(self) -> None:
        self._past: deque[_Past] = deque()
        self._cue: int | None = None
        self._since: tuple[float, float] = (0.0, 0.0)  # time and beat at which the cue was met
        self._shown: dict[int, Landmarks] = {}
        self._placed: dict[int, Face] = {}
        self._head: float | None = None  # the time that was shown last
        self._flow: tuple[_Past, _Past, Flow] | None = None

    def hold(self, tick: Tick) -> Scene | None:
        if tick.dt == 0.0:
            self.reset()
        cue = number_at(tick.beat, self.start, self.every, self.length) if self.on else None
        if cue != self._cue:
            self.reset()
            self._cue, self._since = cue, (tick.time, tick.beat)
        self._shown, self._placed = {}, {}
        if cue is None:
            return None
        faces = {face.slot: face for face in tick.faces if np.isfinite(face.landmarks).all()}
        self._past.append(_Past(tick.time, tick.frame.pixels, tick.matte, faces))
        head = tick.time - self._behind(tick)
        before, self._head = self._head, head
        if tick.time - head < _LIVE_S:
            return None
        while len(self._past) > 2 and self._past[1].time <= min(head, before or head):
            self._past.popleft()
        past = list(self._past)
        k = max((i for i, one in enumerate(past) if one.time <= head + 1e-6), default=0)
        here, then = past[k], past[min(k + 1, len(past) - 1)]
        gap = then.time - here.time
        share = np.float32(np.clip((head - here.time) / gap, 0.0, 1.0) if gap > 0.0 else 0.0)
        return self._scene(tick, faces, here, then, share, before, head)

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        return self._shown.get(face.slot, face.landmarks)

    def _scene(
        self,
        tick: Tick,
        live: dict[int, Face],
        here: _Past,
        then: _Past,
        share: np.float32,
        before: float | None,
        head: float,
    ) -> Scene | None:
        pixels = here.pixels
        if self.smear and self.mode == "frame" and before is not None:
            pixels = self._smeared(here, before)
            if pixels is here.pixels and self.depth > 1.0 and head - before > 1.2 * tick.dt:
                pixels = self._exposed(here, before, head)
        stills = {}
        flow = None
        if self.mode == "frame" and self.between == "flow" and pixels is here.pixels:
            flow = self._flowed(here, then, share)
        for slot, face in here.faces.items():
            other = then.faces.get(slot, face)
            if self.mode == "frame":
                shown = face.landmarks
                if flow is not None:
                    shown = face.landmarks + share * (other.landmarks - face.landmarks)
                placed = replace(face, landmarks=freeze(shown.astype(np.float32)))
            else:
                if slot not in live:
                    continue
                pose = live[slot].pose
                one, two = (poses.to_canonical(f.pose, f.landmarks) for f in (face, other))
                lies = freeze(poses.to_pixels(pose, one))
                presence = live[slot].presence
                placed = replace(live[slot], landmarks=lies, presence=presence)
                shown = poses.to_pixels(pose, one + share * (two - one))
            stills[slot] = Still(pixels, face)
            self._placed[slot], self._shown[slot] = placed, shown.astype(np.float32)
        if not stills and self.mode == "face":
            return None
        if not stills:  # a picture without faces is slowed down too
            return Scene(True, {-1: Still(pixels, _nobody())}, {}, matte=here.matte, flow=flow)
        whole = self.mode == "frame"
        return Scene(whole, stills, dict(self._placed), matte=here.matte, flow=flow)

    def _flowed(self, here: _Past, then: _Past, share: np.float32) -> Flow | None:
        """How far the parts of `here` are on their way to `then`; None at its beginning."""
        if share < 0.02 or then is here or here.pixels.shape != then.pixels.shape:
            return None
        if self._flow is None or self._flow[0] is not here or self._flow[1] is not then:
            self._flow = (here, then, optical_flow(here.pixels, then.pixels))
        return np.asarray(share * self._flow[2], np.float32)

    def _behind(self, tick: Tick) -> float:
        """How many seconds the picture is behind."""
        time, beat = self._since
        met = tick.beat - beat
        if met <= 0.0 or tick.time <= time:
            return 0.0
        beat_s = (tick.time - time) / met
        number = self._cue or 0
        at = tick.beat - self.start - number * self.every
        if self.depth > 1.0:
            return min(self._raced(at, beat_s) * beat_s, tick.time - time)
        catch = min(self.catch, 0.8 * self.length)
        slow = self.length - catch
        depth = max(self.depth, 1.0 - MOST_BEHIND_S / max(slow * beat_s, 1e-6))
        most = (1.0 - depth) * slow
        if at < slow:
            behind = (1.0 - depth) * at
            if self.curve == "ease":
                behind = most * (at / slow) ** 2
            elif self.curve == "stutter":
                stop = at % STEP_BEATS  # stands still, then leaps to where the pace would be
                behind = min((1.0 - depth) * (at - stop) + stop, at)
        else:
            u = min(1.0, (at - slow) / catch)
            behind = most * (1.0 - u * u * (3.0 - 2.0 * u))
        # Of what was before the cue was met nothing is kept.
        return min(behind * beat_s, tick.time - time)

    def _raced(self, at: float, beat_s: float) -> float:
        """Beats behind, `at` beats into a cue that ends in a race at `depth`.

        The race takes `catch` beats, or as many as can be fallen behind for at a standstill.
        """
        more = self.depth - 1.0
        race = min(self.catch, self.length / self.depth, MOST_BEHIND_S / max(more * beat_s, 1e-6))
        slow, most = self.length - race, more * race
        stop = at % STEP_BEATS if self.curve == "stutter" else 0.0
        at -= stop
        if at >= slow:
            return max(0.0, most - more * (at - slow)) + stop
        power = min(2.0, slow / most) if self.curve == "ease" else 1.0  # more would run backwards
        return float(most * (at / slow) ** power) + stop

    def _exposed(self, here: _Past, before: float, head: float) -> Pixels:
        """What few frames passed by would be to an open shutter: sub-frames between, averaged.

        Only where something moves, and at half the size: what is blurred has no fine detail.
        """
        import cv2

        past = [one for one in self._past if one.pixels.shape == here.pixels.shape]
        first = max((one for one in past if one.time <= before + 1e-6), key=_time, default=past[0])
        span = here.time - first.time
        if span <= 0.0:
            return here.pixels
        if self._flow is None or self._flow[0] is not first or self._flow[1] is not here:
            self._flow = (first, here, optical_flow(first.pixels, here.pixels))
        flow = self._flow[2]
        height, width = here.pixels.shape[:2]
        speed = np.hypot(flow[..., 0], flow[..., 1])
        rows, columns = np.nonzero(speed > BLURRED_PX[0])
        if not len(rows):
            return here.pixels
        # Mostly a face and hands: from here on all is about the box around what moves.
        high, wide = height / flow.shape[0], width / flow.shape[1]
        x0, x1 = 2 * int((columns.min() - 1) * wide / 2), 2 * int((columns.max() + 2) * wide / 2)
        y0, y1 = 2 * int((rows.min() - 1) * high / 2), 2 * int((rows.max() + 2) * high / 2)
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        small = ((x1 - x0 + 1) // 2, (y1 - y0 + 1) // 2)
        drift = cv2.resize(np.float32(0.5) * flow, ((width + 1) // 2, (height + 1) // 2))
        drift = drift[y0 // 2 :, x0 // 2 :][: small[1], : small[0]]
        ends = {id(one): _resized(one.pixels[y0:y1, x0:x1], small) for one in (first, here)}
        mean: npt.NDArray[np.uint8] | None = None
        for n in range(1, SUB_FRAMES + 1):
            at = before + (head - before) * n / SUB_FRAMES
            near = min(past, key=lambda one, at=at: abs(one.time - at))
            share = np.float32(np.clip((at - first.time) / span, 0.0, 1.0))
            if abs(near.time - at) <= _NEAR * span:
                one = ends.get(id(near))
                one = _resized(near.pixels[y0:y1, x0:x1], small) if one is None else one
            elif share < 0.5:
                one = moved(ends[id(first)], share * drift)
            else:
                one = moved(ends[id(here)], (share - np.float32(1.0)) * drift)
            mean = one if mean is None else cv2.addWeighted(mean, 1 - 1 / n, one, 1 / n, 0.0)
        seen = np.clip((speed - BLURRED_PX[0]) / (BLURRED_PX[1] - BLURRED_PX[0]), 0.0, 1.0)
        weight = cv2.resize(seen.astype(np.float32), (width, height))[y0:y1, x0:x1]
        sharp = np.ascontiguousarray(here.pixels[y0:y1, x0:x1])
        blurred = cv2.resize(np.asarray(mean), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        result = np.array(here.pixels)
        result[y0:y1, x0:x1] = cv2.blendLinear(blurred, sharp, weight, 1.0 - weight)
        return freeze(result)

    def _smeared(self, here: _Past, before: float) -> Pixels:
        """The frames passed by since the last tick, averaged."""
        passed = [one for one in self._past if before < one.time <= here.time][-MOST_SMEARED:]
        if len(passed) < 3:
            return here.pixels
        total = np.zeros(here.pixels.shape, np.uint16)
        for one in passed:
            total += one.pixels
        return freeze((total // len(passed)).astype(np.uint8))


def optical_flow(one: Pixels, other: Pixels) -> Flow:
    """(h, w, 2) how far each part of `one` is away in `other`, in pixels; coarse and smooth."""
    import cv2

    height, width = one.shape[:2]
    small = (FLOW_PX, max(16, round(FLOW_PX * height / width)))
    grey = [
        cv2.resize(np.ascontiguousarray(picture[..., 1]), small, interpolation=cv2.INTER_AREA)
        for picture in (one, other)
    ]
    empty = np.zeros((small[1], small[0], 2), np.float32)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(*grey, empty)
    coarse = cv2.resize(flow, (small[0] // 4, small[1] // 4), interpolation=cv2.INTER_AREA)
    return np.asarray(coarse * np.float32([width / small[0], height / small[1]]), np.float32)


def moved(pixels: Pixels, flow: Flow) -> Pixels:
    """A picture whose parts have gone by `flow` (h, w, 2), pixels at each of its own."""
    import cv2

    height, width = pixels.shape[:2]
    at = np.ascontiguousarray(_grid(width, height) - flow)
    way, beyond = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return np.asarray(cv2.remap(pixels, at, None, way, borderMode=beyond), np.uint8)


@lru_cache(maxsize=2)
def _grid(width: int, height: int) -> Flow:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return freeze(np.stack([x, y], axis=2))


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    import cv2

    small = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _time(one: _Past) -> float:
    return one.time


def _nobody() -> Face:
    nowhere = freeze(np.zeros((478, 3), np.float32))
    return Face(0, nowhere, freeze(np.eye(4, dtype=np.float32)), 1.0)


MOTION = SpeedRamp
