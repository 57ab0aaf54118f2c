"""Sets one performer's face on another: its light, its edge, its features' places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion import still_choice
from kfx.motion.guard import eyes_no_wider
from kfx.motion.lent import AROUND_IOD, Lent
from kfx.motion.neutral import Neutral
from kfx.motion.patch import Patch, cut
from kfx.motion.regions import inside, masks
from kfx.render.still import Still
from kfx.tracking import pose as poses
from kfx.types import MAX_FACES, Face, Landmarks, Pixels, Tick, freeze

Array = npt.NDArray[np.float32]

TURNED = (25.0, 45.0)  # degrees between two heads over which one gives way
KEEP_S = 1.0  # how often a picture for later is renewed
KEPT_PX = 512  # its longest side
LENT_SLOTS = range(MAX_FACES, MAX_FACES + 3)  # of faces out of files
REACH_IOD = 0.34  # over which light is evened out
LIGHT_S = 0.6  # how slowly the comparison follows
RATIO = (0.2, 5.0)
CONTRAST = 0.5  # how far contrast follows the light
_FEATURES = np.array([*c.OUTER_LIPS, *c.INNER_LIPS, *c.BROWS, *c.RIGHT_LIDS, *c.LEFT_LIDS])


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """One who may have left: as they looked ahead last."""

    time: float
    patch: Patch
    light: Array
    matted: bool = False  # its alpha says where hair and neck are


@dataclass
class _Light:
    time: float
    both: Array  # (478, 6) on the wearer, on the face that is worn


class Wardrobe:
    """What is known of each face that others may wear: its rest, and its light against theirs."""

    def __init__(self) -> None:
        self._neutral = Neutral()
        self._rests: dict[int, Landmarks] = {}
        self._lights: dict[tuple[int, int], _Light] = {}
        self._seen: dict[int, Array] = {}  # the light on each face of this tick
        self._kept: dict[int, _Kept] = {}
        self._with_hair: dict[int, Patch] = {}  # faces of this tick cut out

    def reset(self) -> None:
        self._neutral.reset()
        self._rests.clear()
        self._lights.clear()
        self._kept.clear()

    def see(self, tick: Tick) -> dict[int, Face]:
        """The faces of the tick that can be worn, by slot; learns what they look like at rest."""
        if tick.dt == 0.0:
            self.reset()
        sound = {}
        self._seen, self._with_hair = {}, {}
        for face in tick.faces:
            if np.isfinite(face.landmarks).all() and np.isfinite(face.pose).all():
                sound[face.slot] = face
                shape = poses.to_canonical(face.pose, face.landmarks)
                self._rests[face.slot] = self._neutral.of(face, shape, tick.dt)
                self._seen[face.slot] = light(tick.frame.pixels, face)
        return sound

    def keep(self, tick: Tick, there: dict[int, Face], *, hair: bool = False) -> dict[int, Face]:
        """Those who have left, as they were when they last looked ahead with open eyes."""
        for slot, face in there.items():
            known = self._kept.get(slot)
            due = known is None or tick.time - known.time >= KEEP_S
            if due and still_choice.usable(face) and still_choice.judge(tick.frame, face)[1]:
                matted = hair and tick.matte is not None
                patch = cut(
                    tick.frame.pixels,
                    face,
                    longest=KEPT_PX,
                    around_iod=AROUND_IOD if matted else 0.0,
                    matte=tick.matte if matted else None,
                )
                if patch is not None:
                    self._kept[slot] = _Kept(tick.time, patch, self._seen[slot], matted)
        gone = {slot: one for slot, one in self._kept.items() if slot not in {*there, *LENT_SLOTS}}
        self._seen.update({slot: one.light for slot, one in gone.items()})
        return {slot: one.patch.face for slot, one in gone.items()}

    def lend(self, tick: Tick, slot: int, one: Lent) -> Face:
        """A face out of a file joins those who can be worn, by a `slot` nobody else has."""
        shown = light(one.patch.pixels, one.patch.face)
        self._kept[slot] = _Kept(tick.time, one.patch, shown, matted=True)
        self._rests[slot], self._seen[slot] = one.rest, shown
        return one.patch.face

    def still(
        self, tick: Tick, worn: Face, cover: Array, tint: Array | None, around: float = 0.0
    ) -> Still:
        """The picture of `worn` as it is now or was when they left, to be set in elsewhere.

        With `around` it brings hair and neck along, if anybody knows where those are.
        """
        kept = self._kept.get(worn.slot)
        if kept is not None and kept.patch.face is worn:
            around = around if kept.matted else 0.0
            return Still(kept.patch.pixels, worn, cover=cover, tint=tint, around=around)
        if around > 0.0 and tick.matte is not None:
            patch = self._with_hair.get(worn.slot) or cut(
                tick.frame.pixels, worn, around_iod=AROUND_IOD, matte=tick.matte
            )
            if patch is not None:
                self._with_hair[worn.slot] = patch  # several may wear it
                return Still(patch.pixels, patch.face, cover=cover, tint=tint, around=around)
        return Still(tick.frame.pixels, worn, cover=cover, tint=tint)

    def rest(self, slot: int) -> Landmarks | None:
        """(478, 3) the resting shape, canonical iod."""
        return self._rests.get(slot)

    def tint(self, tick: Tick, wearer: Face, worn: Face, share: float) -> Array:
        """(478, 6) what brings the light on `worn` to that on `wearer`; `share` 0..1 of it.

        The light is brought over whole but contrast only by half: a dark face made bright would
        glare.
        """
        now = np.hstack([self._seen[wearer.slot], self._seen[worn.slot]])
        key = (wearer.slot, worn.slot)
        known = self._lights.get(key)
        if known is None or worn.age <= 1 or wearer.age <= 1 or tick.time < known.time:
            known = self._lights[key] = _Light(tick.time, now)
        ease = np.float32(1.0 - np.exp(-(tick.time - known.time) / LIGHT_S))
        known.both = known.both + ease * (now - known.both)
        known.time = tick.time
        return matched(known.both[:, :3], known.both[:, 3:], share)


def facing(wearer: Face, worn: Face) -> float:
    """0..1 how well one can be seen on the other: they look about the same way."""
    one, other = (poses.yaw_pitch_roll(face.pose) for face in (wearer, worn))
    away = max(abs(one[0] - other[0]), abs(one[1] - other[1]))
    share = float(np.clip((TURNED[1] - away) / (TURNED[1] - TURNED[0]), 0.0, 1.0))
    return share * min(wearer.presence, worn.presence)


def shaped(face: Face, own: Landmarks, other: Landmarks, share: Array | float) -> Landmarks:
    """`face` with its features where they are on `other` at rest, its oval and expression kept.

    `own` and `other` are resting shapes, `share` a number or (478, 1).
    """
    change = inside() * share * (other - own)
    moved: Landmarks = (face.landmarks + change @ face.pose[:3, :3].T).astype(np.float32)
    return moved


def lids_of_both(wearer: Face, driven: Landmarks, worn: Face) -> Landmarks:
    """`driven` with the eyes no wider than on either: who blinks closes them."""
    shape = poses.to_canonical(worn.pose, worn.landmarks)
    there = poses.to_pixels(wearer.pose, shape)
    return eyes_no_wider(there, driven, wearer.iod)


@cache
def eyes() -> Array:
    """(478,) 1 on lids and irises, fading into the skin around."""
    return freeze(np.clip(1.6 * masks()["eye"][:, 0], 0.0, 1.0).astype(np.float32))


@cache
def edge(feather_iod: float) -> Array:
    """(478,) 0 on the oval, 1 from `feather_iod` inside it on."""
    return freeze(inside(feather_iod)[:, 0].copy())


def matched(goal: Array, own: Array, share: float) -> Array:
    """(478, 6) the tint that brings `own` light to `goal`, both from `light`; `share` of it."""
    factor = np.clip(goal / own, *RATIO) ** np.float32(CONTRAST * share)
    added = (own + np.float32(share) * (goal - own) - factor * own) / np.float32(255.0)
    return np.hstack([factor, added]).astype(np.float32)


def light(pixels: Pixels, face: Face) -> Array:
    """(478, 3) what light and skin are like around each landmark, without the features."""
    height, width = pixels.shape[:2]
    x = np.clip(face.landmarks[:, 0], 0, width - 1).astype(int)
    y = np.clip(face.landmarks[:, 1], 0, height - 1).astype(int)
    around = max(1, int(0.02 * min(face.iod, width)))
    right, down = np.array([(0, 0), (around, 0), (-around, 0), (0, around), (0, -around)]).T
    at = np.clip(y + down[:, None], 0, height - 1), np.clip(x + right[:, None], 0, width - 1)
    seen = pixels[at][..., :3].sum(axis=0, dtype=np.float32)
    return np.asarray(_even() @ (seen / 5.0 + np.float32(3.0)), np.float32)


@cache
def _even() -> Array:
    """(478, 478) weights that even out what features and single landmarks show."""
    points = c.canonical().vertices
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    weights = np.exp(-((away / REACH_IOD) ** 2))
    weights[:, _FEATURES] *= 0.05
    weights[:, list(c.OVAL)] *= 0.3  # hair and background lie beside it
    weights[:, 468:] = 0.0
    return freeze((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))
