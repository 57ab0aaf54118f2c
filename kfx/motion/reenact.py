"""What effects share that give a face another expression by the rig, mouth and all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kfx.motion import painted_mouth, sing
from kfx.motion.base import Motion
from kfx.motion.full_lips import full_lips
from kfx.motion.guard import eyes_no_wider
from kfx.render.still import Mouth, Scene, Still
from kfx.tracking import pose as poses
from kfx.tracking.arkit import NAMES
from kfx.tracking.blendshapes import Blendshapes
from kfx.tracking.rig import rig
from kfx.types import Face, Landmarks, Tick

Coefficients = Mapping[str, float]
WIDEST = {"jawOpen": 0.75, "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5}
PAINTED = 0.4  # from this share of the lips on, the mouth between them is painted whole
SHUTS = (0.5, 0.85)  # eyeBlink over which what is left of the eye is covered by its lid
_NECK = np.float32([0.0, 1.1, 1.0])  # canonical iod: what the head turns about


class Reenact(Motion):
    """`wanted` says what a face should show; `drive` and `stage` see to it.

    Lips that open over a plate in which they are shut need a mouth between them: `stage` paints
    one, into held stills or into the live frame, which then becomes a scene.
    """

    reenact = True
    holds = True
    models = ("blendshapes.onnx", "rig.npz")
    region = "frame"

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        super().__init__(values)
        self._net = Blendshapes()
        self._own: dict[tuple[int, bool], tuple[Landmarks, Coefficients]] = {}

    def reset(self) -> None:
        self._own.clear()

    def wanted(self, face: Face, tick: Tick, own: Coefficients) -> Coefficients | None:
        """The coefficients to show on `face`, which shows `own`; None leaves it alone."""
        raise NotImplementedError

    def sway(self, face: Face, tick: Tick) -> npt.NDArray[np.float32] | None:
        """Yaw, pitch, roll in degrees and x, y in iod to add to the head's pose."""
        return None

    def opening(self, tick: Tick) -> float:
        """0..1 how much of what is between the lips is painted."""
        return 1.0

    def stage(self, scene: Scene | None, tick: Tick, slots: Set[int]) -> Scene | None:
        there = {face.slot: face for face in tick.faces} if scene is None else scene.placed
        opacity = min(1.0, max(0.0, self.mix * self.opening(tick) / PAINTED))
        if opacity <= 0.0 or not slots & there.keys():
            return scene
        mouths = {}
        for slot in slots & there.keys():
            still = scene.stills[slot] if scene else Still(tick.frame.pixels, there[slot])
            painted = self._painted(still, there[slot], tick)
            if painted is not None:
                mouths[slot] = replace(painted, opacity=opacity)
        if not mouths:
            return scene
        if scene is None:
            stills = {slot: Still(tick.frame.pixels, face) for slot, face in there.items()}
            return Scene(True, stills, dict(there), mouths, matte=tick.matte)
        return replace(scene, mouths={**scene.mouths, **mouths})

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        if not np.isfinite(face.landmarks).all() or not np.isfinite(face.pose).all():
            return face.landmarks
        own = self._own_of(face)
        wanted = self.wanted(face, tick, own)
        points = face.landmarks
        if wanted is not None:
            wanted = _within(wanted, own)
            points = rig().pose(face, wanted, own)
        points = eyes_no_wider(face.landmarks, points, face.iod)
        lids = 0.0 if wanted is None else min(wanted["eyeBlinkLeft"], wanted["eyeBlinkRight"])
        shut = min(1.0, max(0.0, (lids - SHUTS[0]) / (SHUTS[1] - SHUTS[0])))
        sway = self.sway(face, tick)
        turned = sway is not None and bool(sway.any())
        if turned or points is not face.landmarks:
            shape = poses.to_canonical(face.pose, points)
            own_shape = poses.to_canonical(face.pose, face.landmarks)
            shape = sing.blink(full_lips(own_shape, shape), shut)
            points = poses.to_pixels(face.pose, _turned(shape, sway) if turned else shape)
        change = np.float32(face.presence) * (points - face.landmarks)
        driven: Landmarks = (face.landmarks + change).astype(np.float32)
        return driven if np.isfinite(driven).all() else face.landmarks

    def _own_of(self, face: Face, *, still: bool = False) -> Coefficients:
        """What the face shows now; of the same landmarks asked for once."""
        known = self._own.get((face.slot, still))
        if known is None or known[0] is not face.landmarks:
            known = (face.landmarks, self._net.of(face.landmarks))
            self._own[face.slot, still] = known
        return known[1]

    def _painted(self, still: Still, face: Face, tick: Tick) -> Mouth | None:
        taken = still.face
        if not np.isfinite(taken.landmarks).all() or not np.isfinite(taken.pose).all():
            return None
        own = self._own_of(taken, still=True)
        wanted = self.wanted(face, tick, own)
        if wanted is None:
            return None
        wanted = _within(wanted, own)
        shape = poses.to_canonical(taken.pose, taken.landmarks)
        lips = (shape + rig().change(wanted, own))[painted_mouth.INNER, :2]
        rest = shape + rig().change(dict.fromkeys(NAMES, 0.0), own)
        light = painted_mouth.skin(still.pixels, taken.landmarks)
        return painted_mouth.mouth(lips, rest, light, face.iod)


def _within(wanted: Coefficients, own: Coefficients) -> dict[str, float]:
    """`wanted` with what opens a mouth kept to what the mesh can show, or the face itself does.

    The rig adds displacements up; a jaw that drops whole with both lips pulled away tears it.
    """
    result = dict(wanted)
    for name, most in WIDEST.items():
        limit = max(most, own[name])
        if wanted[name] > own[name]:
            room = max(limit - own[name], 0.05)
            result[name] = own[name] + room * math.tanh((wanted[name] - own[name]) / room)
    return result


def _turned(shape: Landmarks, sway: npt.NDArray[np.float32]) -> Landmarks:
    """A canonical shape turned about the neck, angles as `poses.yaw_pitch_roll` gives them."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians(sway[:3])) for f in (np.cos, np.sin))
    yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn = (roll @ pitch @ yaw).astype(np.float32)
    moved = (shape - _NECK) @ turn.T + _NECK
    moved[:, :2] += sway[3:]
    return moved.astype(np.float32)
