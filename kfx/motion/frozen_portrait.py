"""The shot becomes a photograph; only lips and jaw sing, slightly wrong (E01)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kfx.motion import painted_mouth, sing, smooth, still_choice
from kfx.motion.base import Motion
from kfx.motion.chance import chance
from kfx.motion.cued import number_at
from kfx.motion.full_lips import full_lips
from kfx.motion.neutral import Neutral
from kfx.params import Bool, Choice, Float
from kfx.render.still import AS_TAKEN, Mouth, Scene, Still, View
from kfx.tracking import pose as poses
from kfx.tracking.rig import rig
from kfx.types import Face, Landmarks, Tick, freeze

BLINK_S = 0.12
PUSH_LIMIT = 0.35  # the camera slows down towards this much push
SWAY_HZ = 0.18
TURNED = (20.0, 36.0)  # degrees from the still over which a set-in face gives way to the live one
SONG = "audio.level"
TONE = (0.8, 1.25)  # how far a live mouth is brought to the light of the still


@dataclass
class _Act:
    """What one held face does: its mouth of the step before and of this one."""

    before: Landmarks | None = None
    shape: Landmarks | None = None
    old_mouth: Mouth | None = None
    mouth: Mouth | None = None


class FrozenPortrait(Motion):
    """Holds the best frame around each cue and lets the live mouth sing in it."""

    reenact = True
    models = ("rig.npz",)
    holds = True
    region = "frame"

    mode = Choice("full", ("full", "face"), doc="the whole frame is held, or only the face")
    on = Bool(True, doc="false: the picture is live")
    start = Float(0.0, 0.0, 4096.0, unit="beats", doc="beat of the first cue")
    every = Float(0.0, 0.0, 256.0, unit="beats", doc="a new still that often; 0 = one for good")
    length = Float(0.0, 0.0, 256.0, unit="beats", doc="live again after so long; 0 = not")
    gain = Float(1.25, 0.0, 2.0, doc="how much wider than sung lips and jaw move")
    hz = Float(12.0, 6.0, 30.0, unit="Hz", doc="how often the mouth is renewed")
    lock = Choice(
        0.0,
        (0.0, 2.0, 4.0),
        ("free", "1/8", "1/16"),
        doc="the mouth is renewed on these notes of the song, or free of them, by hz",
    )
    push = Float(1.5, 0.0, 4.0, unit="%/s", doc="how fast the camera moves in")
    sway = Float(0.4, 0.0, 4.0, unit="% iod", doc="how far the camera drifts to the sides")
    voice = Float(0.7, doc="how far the song's level opens the jaw of who has left the picture")
    blink = Float(0.5, doc="how often the still blinks: 0.5 = every three to six seconds")
    smooth_skin = Float(0.3, doc="how far the next still's skin is retouched, pores and blotches")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._neutral = Neutral()
        self._choice = still_choice.Choice()
        self.reset()

    def reset(self) -> None:
        self._neutral.reset()
        self._choice.clear()
        self._cue: int | None = None
        self._cued_s = self._since_s = 0.0
        self._step, self._clock = -1, 0.0  # of the mouth's own clock
        self._stepped = self._soft = False
        self._last: tuple[float, float] | None = None  # time and beat
        self._stills: dict[int, Still] = {}
        self._acts: dict[int, _Act] = {}
        self._placed: dict[int, Face] = {}

    def hold(self, tick: Tick) -> Scene | None:
        if tick.dt == 0.0:
            self.reset()
        cue = number_at(tick.beat, self.start, self.every, self.length) if self.on else None
        if cue != self._cue:
            self._cue, self._cued_s = cue, tick.time
            self._stills, self._acts, self._placed = {}, {}, {}
        if self._soon(tick) or (cue is not None and not self._stills):
            self._choice.see(tick)
        elif cue is None or self._stills:
            self._choice.clear()
        self._last = (tick.time, tick.beat)
        if cue is not None:
            self._latch(tick)
        if not self._stills:
            return None
        self._renew_mouths(tick)
        mouths = self._mouths_shown()
        if self.mode == "face":
            self._placed = self._place(tick, AS_TAKEN)
            return Scene(False, dict(self._stills), self._placed, mouths)
        view = self._camera(tick)
        self._placed = self._place(tick, view)
        first = next(iter(self._stills.values()))
        matte = still_choice.seen_through(view, first.matte, first.pixels.shape)
        return Scene(True, dict(self._stills), self._placed, mouths, view, matte)

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        placed, act = self._placed.get(face.slot), self._acts.get(face.slot)
        shape = poses.to_canonical(face.pose, face.landmarks)
        known = face.found and bool(np.isfinite(shape).all())
        rest = self._neutral.of(face, shape, tick.dt) if known else None
        if placed is None or act is None:
            return face.landmarks
        still = self._stills[face.slot].face
        taken = poses.to_canonical(still.pose, still.landmarks)
        heard = self._heard(tick)
        if self._stepped or act.shape is None:
            if rest is not None:
                act.before, act.shape = act.shape, sing.sing(taken, shape, rest, self.gain)
            elif heard is not None:
                act.before, act.shape = act.shape, _voiced(taken, heard)
        sung = taken if act.shape is None else act.shape
        if self._stepped and self._soft and act.before is not None:
            sung = (act.before + sung) / 2
        sung = sing.blink(sung, self._lids(tick, face.slot))
        return poses.to_pixels(placed.pose, sung)

    def _soon(self, tick: Tick) -> bool:
        """Whether a cue may come before the frames of now are too old for it."""
        if self._last is None or tick.dt <= 0.0 or not self.on:
            return False
        rate = max(0.0, tick.beat - self._last[1]) / tick.dt
        wait = self.start - tick.beat
        if wait < 0.0:
            if self.every <= 0.0:
                return False
            wait = self.every - -wait % self.every
        return wait <= rate * still_choice.LOOK_BACK_S + 1e-6

    def _latch(self, tick: Tick) -> None:
        """Take the stills that are missing."""
        if not self._stills:
            taken = self._choice.best(tick.time - self._cued_s)
            if taken is None:
                return
            self._since_s = tick.time
            self._step = -1
            self._take(taken, taken.faces)
        elif self.mode == "face":  # who comes later is held from a frame of their own
            new = [f for f in tick.faces if f.slot not in self._stills and f.age > 8]
            good = [f for f in new if still_choice.usable(f)]
            self._take(tick, [f for f in good if still_choice.judge(tick.frame, f)[1]])

    def _take(self, tick: Tick, faces: tuple[Face, ...] | list[Face]) -> None:
        held = [face for face in faces if still_choice.usable(face)]
        pixels = smooth.smoothed(tick.frame.pixels, held, self.smooth_skin)
        for face in held:
            self._stills[face.slot] = Still(pixels, face, tick.matte)
            self._acts[face.slot] = _Act()

    def _renew_mouths(self, tick: Tick) -> None:
        """At each step of the mouth's own clock, cut the live mouths out."""
        place = tick.beat * float(self.lock) if self.lock else tick.time * self.hz
        step = int(np.floor(place + 1e-4))
        self._stepped = step != self._step
        self._soft = not self._stepped or place - self._clock < 0.75  # else each frame is a step
        self._step, self._clock = step, place
        if not self._stepped:
            return
        for face in tick.faces:
            act = self._acts.get(face.slot)
            if act is not None and still_choice.usable(face):
                still = self._stills[face.slot]
                here = sing.light(tick.frame.pixels, face.landmarks)
                there = sing.light(still.pixels, still.face.landmarks)
                tone = np.clip(there / here, *TONE).astype(np.float32)
                cut = sing.cut_mouth(tick.frame.pixels, face.landmarks, tone)
                act.old_mouth, act.mouth = act.mouth, cut

        heard = self._heard(tick)
        live = {face.slot for face in tick.faces if face.found}
        for slot, act in self._acts.items():
            if heard is not None and slot not in live:
                still = self._stills[slot]
                taken = poses.to_canonical(still.face.pose, still.face.landmarks)
                lips = _voiced(taken, heard)[painted_mouth.INNER, :2]
                light = painted_mouth.skin(still.pixels, still.face.landmarks)
                act.old_mouth, act.mouth = (
                    act.mouth,
                    painted_mouth.mouth(lips, taken, light, still.face.iod),
                )

    def _heard(self, tick: Tick) -> float | None:
        """0..1 how far the song opens a jaw nobody moves; None where no song is heard."""
        level = tick.signals.get(SONG, float("nan"))
        if self.voice <= 0.0 or not np.isfinite(level):
            return None
        return self.voice * float(np.clip(level, 0.0, 1.0))

    def _mouths_shown(self) -> dict[int, Mouth]:
        """Between two steps the mouth that is wider open: a shut one can't be opened."""
        shown = {}
        for slot, act in self._acts.items():
            pair = [one for one in (act.mouth, act.old_mouth) if one is not None]
            if not (self._stepped and self._soft):
                pair = pair[:1]
            if pair:
                shown[slot] = max(pair, key=lambda one: sing.area(one.lips))
        return shown

    def _camera(self, tick: Tick) -> View:
        """The push towards the first face's eyes, and the sway."""
        t = tick.time - self._since_s
        face = next(iter(self._stills.values())).face
        scale = 1.0 + PUSH_LIMIT * (1.0 - np.exp(-self.push / 100.0 * t / PUSH_LIMIT))
        x, y = face.landmarks[168, :2] * np.float32(1.0 - scale)
        swing = self.sway / 100.0 * face.iod * np.sin(2 * np.pi * SWAY_HZ * t)
        return float(scale), float(x + swing), float(y)

    def _place(self, tick: Tick, view: View) -> dict[int, Face]:
        placed = {}
        live = {face.slot: face for face in tick.faces}
        scale, x, y = view
        for slot, still in self._stills.items():
            pose, presence = still.face.pose.copy(), 1.0
            if self.mode == "full":
                pose[:3] *= np.float32(scale)
                pose[:2, 3] += np.float32([x, y])
            elif slot in live and np.isfinite(live[slot].pose).all():
                pose = live[slot].pose
                now, then = (poses.yaw_pitch_roll(one) for one in (pose, still.face.pose))
                away = max(abs(now[0] - then[0]), abs(now[1] - then[1]))
                share = (TURNED[1] - away) / (TURNED[1] - TURNED[0])
                presence = live[slot].presence * float(np.clip(share, 0.0, 1.0))
            else:
                continue
            taken = poses.to_canonical(still.face.pose, still.face.landmarks)
            points = freeze(poses.to_pixels(pose, taken))
            placed[slot] = replace(
                still.face, landmarks=points, pose=pose, iod=poses.scale(pose), presence=presence
            )
        return placed

    def _lids(self, tick: Tick, slot: int) -> float:
        """How far the still's lids are closed by themselves."""
        if self.blink <= 0.0:
            return 0.0
        t = tick.time - self._since_s
        keys = (self.seed, tick.seed, slot, 0 if self._cue is None else self._cue)
        at, number = 0.0, 0
        while at <= t:
            at += (3.0 + 3.0 * float(chance(*keys, number)[0])) * 0.5 / self.blink
            if at <= t < at + BLINK_S:
                phase = (t - at) / BLINK_S
                return float(np.clip(min(phase / 0.3, (1.0 - phase) / 0.5), 0.0, 1.0))
            number += 1
        return 0.0


def _voiced(taken: Landmarks, heard: float) -> Landmarks:
    """The still's own shape with its jaw opened by `heard`."""
    driven = taken + rig().change({"jawOpen": heard, "mouthFunnel": 0.2 * heard}, {})
    return full_lips(taken, driven.astype(np.float32))


MOTION = FrozenPortrait
