"""Performers wear each other's faces (E09)."""

from __future__ import annotations

import numpy as np

from kfx.motion import sing, worn
from kfx.motion.base import Motion
from kfx.motion.cast import slot_of
from kfx.params import Bool, Float, Int, Performer
from kfx.render.still import Mouth, Scene, Still
from kfx.types import Face, Landmarks, Tick

_NO_TONE = np.ones(3, np.float32)


class FaceExchange(Motion):
    """Each face gets the pixels of another one, and goes on acting with its own expression.

    With two faces they change places, with more they go round. All of them must have agreed.
    """

    likeness = True
    holds = True
    region = "frame"

    turn = Int(1, 0, 7, doc="each wears the face of the one so many slots on, among those present")
    every = Float(0.0, 0.0, 64.0, unit="beats", doc="goes round by one more that often; 0 = never")
    worn_by_all = Performer(
        "", doc="everyone wears this one's face, a slot or a name; empty = in turn"
    )
    shape = Float(0.35, doc="how far the features also move to where they are on the face worn")
    match = Float(0.9, doc="how far light and colour are brought to those of the wearer")
    feather = Float(0.2, 0.02, 0.4, unit="iod", doc="how softly the edge comes in")
    own_mouth = Bool(True, doc="teeth and tongue are the wearer's, so that they are in time")
    keep_eyes = Bool(
        False, doc="eyes and lids are the wearer's, so that looks and blinks are theirs"
    )

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._wardrobe = worn.Wardrobe()
        self._wears: dict[int, Face] = {}

    def reset(self) -> None:
        self._wardrobe.reset()
        self._wears = {}

    def hold(self, tick: Tick) -> Scene | None:
        there = self._wardrobe.see(tick)
        slots = sorted(there)
        by = self.turn + (int(tick.beat // self.every) if self.every > 0.0 else 0)
        self._wears = {}
        stills: dict[int, Still] = {}
        placed: dict[int, Face] = {}
        mouths: dict[int, Mouth] = {}
        one = slot_of(self.worn_by_all, self.names)
        for k, slot in enumerate(slots):
            face, other = there[slot], there[slots[(k + by) % len(slots)]]
            if self.worn_by_all:
                other = there.get(slot if one is None else one, face)
            if other is face:
                continue
            cover = worn.edge(self.feather) * np.float32(worn.facing(face, other))
            if self.keep_eyes:
                cover = cover * (1.0 - worn.eyes())
            tint = self._wardrobe.tint(tick, face, other, self.match)
            stills[slot] = self._wardrobe.still(tick, other, cover, tint)
            placed[slot], self._wears[slot] = face, other
            mouth = sing.cut_mouth(tick.frame.pixels, face.landmarks, _NO_TONE)
            if self.own_mouth and mouth is not None and cover.max() > 0.5:
                mouths[slot] = mouth
        return Scene(False, stills, placed, mouths) if stills else None

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        other = self._wears.get(face.slot)
        own = self._wardrobe.rest(face.slot)
        if other is None or own is None:
            return face.landmarks
        theirs = self._wardrobe.rest(other.slot)
        driven = face.landmarks
        if theirs is not None:
            driven = worn.shaped(face, own, theirs, self.shape)
        if self.keep_eyes:
            return driven + worn.eyes()[:, None] * (face.landmarks - driven)
        return worn.lids_of_both(face, driven, other)


MOTION = FaceExchange
